// The 8254 interval timer ("8254 Programmable Interval Timer", Intel), its three channels at 1.193182 MHz.
#pragma once
#include <array>

#include "device/byte_port.hpp"
#include "device/tick_backlog.hpp"
#include "host/clock.hpp"

namespace bmbt {

// The PC's base clock of 1193181.8 Hz is 21 ticks in 17600 ns; the ACPI timer runs at three times that.
constexpr u64 pit_ticks(u64 ns) { return ns * 21 / 17600; }
constexpr u64 ns_of_pit_ticks(u64 ticks) { return (ticks * 17600 + 20) / 21; }  // the first ns with that tick

// One channel, as a function of time: it keeps when counting began, not a count.
class PitChannel {
 public:
    static constexpr u64 never = ~u64{0};

    void control(u8 word, u64 tick);  // a control word for this channel, other than a latch command
    void write(u8 value, u64 tick);
    u8 read(u64 tick);
    void latch_count(u64 tick);
    void latch_status(u64 tick);
    void set_gate(bool level, u64 tick);

    bool gate() const { return gate_; }
    bool output(u64 tick);
    // The first later tick with an edge, or never. Mode 2's low is one tick long, so only its end counts as one.
    u64 next_edge(u64 tick);
    // Periods of a periodic mode that end after tick `from` and not after `to`; how long one is.
    // Between the two at most one count has taken over: none was written.
    u64 periods(u64 from, u64 to);
    u64 period() const { return reload_; }
    bool periodic() const { return mode_ == 2 || mode_ == 3; }

 private:
    void load(u32 count, u64 tick);
    void settle(u64 tick);  // a count written for the next period takes effect once that period has begun
    u64 elapsed(u64 tick) const;
    u16 count(u64 tick) const;
    u16 encoded(u64 value) const;
    i64 start_ = 0;    // tick when the count was loaded, moved on by pauses
    u64 elapsed_ = 0;  // while not counting
    u32 reload_ = 0x10000;
    u32 next_reload_ = 0x10000;  // the last count written
    u64 switch_at_ = never;      // when it takes over, with next_start_
    i64 next_start_ = 0;
    bool half_over_ = false;  // it took over in the middle of a period: none ended at start_
    u16 count_latch_ = 0;
    u8 mode_ = 0, access_ = 3, status_latch_ = 0, low_byte_ = 0;
    u8 latched_bytes_ = 0;  // of the count latch still to be read
    bool bcd_ = false, gate_ = true, counting_ = false, loaded_ = false, null_count_ = true;
    bool status_latched_ = false, high_next_read_ = false, high_next_write_ = false;
};

// Offsets 0-2 the channels, 3 the control word. Channel 2's gate and output belong to port 61h.
class Pit final : public BytePort, private Alarmed {
 public:
    Pit(Clock& clock, AlarmQueue& alarms, Line& irq0);

    void set_gate2(bool level) { channels_[2].set_gate(level, tick()); }
    bool gate2() const { return channels_[2].gate(); }
    void interrupt_taken();  // by the processor: what waited may have been channel 0's
    bool output2() { return channels_[2].output(tick()); }

 private:
    u8 read8(u16 offset) override;
    void write8(u16 offset, u8 value) override;
    void alarm() override;
    // irq0 from channel 0 now, and the alarm for its next edge. `requested`: high although the output has fallen since.
    void drive(u64 earliest = 0, bool requested = false);
    u64 tick() const { return pit_ticks(clock_.now()); }

    Clock& clock_;
    Alarm alarm_;
    Line& irq0_;
    TickBacklog backlog_;
    u64 counted_ = 0;  // the periods of channel 0 that ended until this tick are given or in the backlog
    std::array<PitChannel, 3> channels_;
};

}  // namespace bmbt

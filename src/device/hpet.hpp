// The high precision event timer: one 64-bit counter of 10 ns, three comparators ("IA-PC HPET Specification", Intel).
#pragma once
#include <array>

#include "base/bits.hpp"
#include "device/split.hpp"
#include "device/tick_backlog.hpp"
#include "host/clock.hpp"
#include "host/line.hpp"

namespace bmbt {

// Lines 0 and 8 are those of the legacy replacement route: with it on, timers 0 and 1 take them from PIT and RTC, which
// therefore are connected through pit_input() and rtc_input(). Otherwise each timer chooses one of four I/O APIC pins.
class Hpet final : public Mmio {
 public:
    static constexpr unsigned first_pin = 20, pin_count = 4;
    static constexpr u64 period_ns = 10;
    static constexpr u32 id = 0x8086'a201;  // low half of the capabilities, also for the ACPI table

    Hpet(Clock& clock, AlarmQueue& alarms, Line& irq0, Line& irq8, const std::array<Line*, pin_count>& pins);
    Hpet(const Hpet&) = delete;
    Hpet& operator=(const Hpet&) = delete;

    u64 read(u64 offset, Width w) override;
    void write(u64 offset, Width w, u64 value) override;
    void interrupt_taken();  // by the processor: what waited may have been a periodic timer's
    Line& pit_input() { return legacy_[0]; }
    Line& rtc_input() { return legacy_[1]; }

 private:
    static constexpr Bit running{0}, legacy_route{1};  // general configuration
    // Timer configuration; bits 4, 5 and 63:32 are capabilities.
    static constexpr Bit level_triggered{1}, interrupt_enable{2}, periodic{3}, value_set{6}, only_32{8};
    static constexpr Field route{9, 5};
    static constexpr u64 writable = 0x3f4e;  // of a timer's configuration
    static constexpr u64 never = ~u64{0};

    // A line of the legacy route: the old device's, or a timer's.
    class LegacyLine final : public Line {
     public:
        void bind(Hpet& hpet, Line& out) {
            hpet_ = &hpet;
            out_ = &out;
        }
        void set(bool level) override;  // from the old device
        bool waiting() const override;
        void switched();  // the route has changed
        Line& out() { return *out_; }

     private:
        Hpet* hpet_ = nullptr;
        Line* out_ = nullptr;
        bool old_level_ = false;
    };

    class Timer final : public Alarmed {
     public:
        Timer(Hpet& hpet, AlarmQueue& alarms, unsigned n) : hpet_(hpet), alarm_(alarms, *this), n_(n) {}
        u64 read(unsigned reg) const;
        void write(unsigned reg, u64 value, u64 lanes, u64 now);
        void arm(u64 now, u64 earliest = 0);  // for the next match after `now`
        void catch_up(u64 now);               // with a match that is due
        void drive();                         // the line of a level-triggered interrupt follows its status bit
        void release();                       // the line falls, before the route changes
        void interrupt_taken();
        bool is_periodic() const { return periodic.of(config_) && n_ == 0; }
        bool is_level() const { return level_triggered.of(config_); }

     private:
        void alarm() override;
        void pass(u64 now);  // the match that is due, and those behind it
        void match(u64 matches);
        Line* line();
        static bool is_pin(u64 n) { return n >= first_pin && n < first_pin + pin_count; }
        bool on_legacy() const { return legacy_route.of(hpet_.config_) && n_ < 2; }
        u64 limit() const { return only_32.of(config_) ? mask(32) : mask(64); }

        Hpet& hpet_;
        Alarm alarm_;
        TickBacklog backlog_;
        unsigned n_;
        u64 config_ = 0;
        u64 comparator_ = ~u64{0};
        u64 due_ = never;         // the clock's time of the next match
        u64 period_ = 0;          // the last value written
        bool high_half_ = false;  // the accumulator's low half was just set, the high half may follow
    };

    u64 counter(u64 time) const { return running.of(config_) ? base_ + (time - start_) / period_ns : base_; }
    // The clock's time of a counter value that lies `ticks` ahead of that at time `now`.
    u64 time_in(u64 now, u64 ticks) const;
    // An access happens at one time: a match between two readings of the clock would be neither caught up with nor
    // ahead.
    void catch_up(u64 now);
    u64 read_register(unsigned reg);
    void write_register(unsigned reg, u64 value, u64 lanes);
    void write_config(u64 value, u64 now);

    Clock& clock_;
    std::array<Timer, 3> timers_;
    std::array<LegacyLine, 2> legacy_;
    std::array<Shared<3>, pin_count> pins_;  // several timers may have the same
    u64 config_ = 0, status_ = 0;
    u64 base_ = 0, start_ = 0;  // counter and clock when it was started or set
};

}  // namespace bmbt

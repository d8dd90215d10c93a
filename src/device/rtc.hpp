// The MC146818 real-time clock with 128 bytes of CMOS memory ("MC146818 Real-Time Clock plus RAM", Motorola).
#pragma once
#include <array>

#include "base/bits.hpp"
#include "device/byte_port.hpp"
#include "host/clock.hpp"

namespace bmbt {

// Offsets 0 (index, bit 7 masks NMI) and 1 (data). Century is byte 32h, as the ACPI tables say.
class Rtc final : public BytePort, private Alarmed {
 public:
    Rtc(Clock& clock, AlarmQueue& alarms, const WallClock& wall, Line& irq8);

    // The memory behind the clock, for what firmware finds there: sizes, boot order. Not the clock's own bytes 0-0dh.
    void set_cmos(u8 index, u8 value) { memory_[index & 0x7f] = value; }
    u8 cmos(u8 index) const { return memory_[index & 0x7f]; }

    bool nmi_masked() const { return index_ & 0x80; }
    void reset();  // the bus reset: interrupts off, time and memory stay
    i64 unix_seconds() const;

 private:
    enum Register : u8 {
        Seconds,
        SecondsAlarm,
        Minutes,
        MinutesAlarm,
        Hours,
        HoursAlarm,
        DayOfWeek,
        Day,
        Month,
        Year,
        A,
        B,
        C,
        D,
        Century = 0x32
    };
    static constexpr Bit uip{7};                                                         // register A
    static constexpr Bit set{7}, pie{6}, aie{5}, uie{4}, sqwe{3}, binary{2}, hour24{1};  // register B
    static constexpr Bit irqf{7}, pf{6}, af{5}, uf{4};                                   // register C
    static constexpr u64 second = 1'000'000'000, never = ~u64{0}, no_day = ~u64{0};

    u8 read8(u16 offset) override;
    void write8(u16 offset, u8 value) override;
    void alarm() override;

    u8 read_register(u8 index);
    void write_register(u8 index, u8 value);
    bool is_time(u8 index) const { return index == Century || (index <= Year && (index > HoursAlarm || !(index & 1))); }
    bool divider_reset() const { return (memory_[A] & 0x60) == 0x60; }
    bool stopped() const { return divider_reset() || set.of(memory_[B]); }         // the time bytes stand still
    u64 time() const { return divider_reset() ? held_ : clock_.now() + offset_; }  // ns since base_
    u64 now() const { return base_ + time() / second; }
    u64 clock_time(u64 seconds) const { return (seconds - base_) * second - offset_; }  // the clock's ns
    void set_time(u64 seconds);

    void show(u64 seconds);  // time bytes from a time; those of the date only with a new day
    u64 shown() const;       // a time from the time bytes
    u64 shown_date() const;  // the day of it
    u8 encode(unsigned value) const;
    unsigned decode(u8 value) const;
    u8 encode_hour(unsigned hour) const;
    unsigned decode_hour(u8 value) const;
    u64 next_alarm(u64 seconds) const;  // the first later second that the alarm bytes match, or never

    u64 period_ticks() const;  // of the periodic interrupt, in 1/32768 s; 0: off
    u64 ticks() const { return (clock_.now() - divider_start_) * 64 / 1'953'125; }
    void collect();  // flags for what has happened since the last call
    void drive();    // the line, and the alarm for the next event that interrupts

    Clock& clock_;
    Alarm alarm_;
    Line& irq8_;
    std::array<u8, 128> memory_{};
    u64 base_ = 0;           // in seconds since year 0, as all times of the guest's
    u64 offset_ = 0;         // time() - clock
    u64 held_ = 0;           // time() while the divider is in reset
    u64 divider_start_ = 0;  // clock when the divider left reset
    u64 seen_second_ = 0, seen_tick_ = 0;
    u64 shown_day_ = no_day;      // the day that the date bytes stand for
    unsigned weekday_shift_ = 0;  // the guest may count weekdays its own way
    u8 index_ = 0;
};

}  // namespace bmbt

// The timer of a local APIC ("APIC Timer", Intel SDM volume 3).
#pragma once
#include "host/clock.hpp"

namespace bmbt {

class LapicTimer final : private Alarmed {
 public:
    enum class Mode : u8 { OneShot, Periodic, TscDeadline, Reserved };

    // period_ns is that of the undivided input clock. expired.alarm() is called each time the timer runs out.
    LapicTimer(Clock& clock, AlarmQueue& alarms, Alarmed& expired, u32 period_ns)
        : clock_(clock), alarm_(alarms, *this), expired_(expired), input_ns_(period_ns) {}

    void reset();
    // Before the LVT entry or the divider changes: an expiry may be past while its alarm has yet to ring, and a processor has
    // requested the interrupt by then.
    void settle();
    // To and from TSC-deadline mode disarms. expired.alarm() need not come while masked, though it may.
    void configure(Mode mode, bool masked);
    void set_divide(u8 dcr);
    u8 divide() const { return divide_; }
    void set_initial(u32 count);  // starts the timer, 0 stops it; without effect in TSC-deadline mode
    u32 initial() const { return initial_; }
    u32 current() const;

    // TSC value and the clock's time for it; 0 disarms. Without effect, and 0, in other modes.
    void set_deadline(u64 tsc, u64 when);
    u64 deadline() const { return deadline_; }

 private:
    void alarm() override;
    void arm(u64 earliest = 0);  // a masked periodic timer only counts
    void skip_periods();         // the expiry is moved on by those that are over
    u64 tick_ns() const;

    Clock& clock_;
    Alarm alarm_;
    Alarmed& expired_;
    u32 input_ns_;
    u32 initial_ = 0;
    u64 expiry_ = 0;    // when the count reaches 0, while counting
    u64 deadline_ = 0;  // TSC
    Mode mode_ = Mode::OneShot;
    u8 divide_ = 0;
    bool counting_ = false, masked_ = true;
};

}  // namespace bmbt

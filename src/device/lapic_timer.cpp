#include "device/lapic_timer.hpp"

#include <algorithm>

namespace bmbt {

void LapicTimer::reset() {
    alarm_.cancel();
    mode_ = Mode::OneShot;
    masked_ = true;
    initial_ = 0;
    deadline_ = 0;
    divide_ = 0;
    counting_ = false;
}

// Divide configuration 0-7 (bits 3, 1, 0): by 2, 4, ... 128, and 1.
u64 LapicTimer::tick_ns() const {
    const unsigned d = (divide_ & 3) | (divide_ >> 1 & 4);
    return u64{input_ns_} << ((d + 1) & 7);
}

void LapicTimer::settle() {
    if (counting_ && alarm_.armed() && expiry_ <= clock_.now()) alarm();
}

void LapicTimer::configure(Mode mode, bool masked) {
    if (counting_ && !alarm_.armed()) skip_periods();
    if (mode != mode_ && (mode == Mode::TscDeadline || mode_ == Mode::TscDeadline)) {
        alarm_.cancel();
        counting_ = false;
        initial_ = 0;
        deadline_ = 0;
    }
    mode_ = mode;
    masked_ = masked;
    if (counting_) arm();
}

void LapicTimer::arm(u64 earliest) {
    if (masked_ && mode_ == Mode::Periodic)
        alarm_.cancel();
    else
        alarm_.set(std::max(expiry_, earliest));
}

void LapicTimer::skip_periods() {
    const u64 now = clock_.now(), period = initial_ * tick_ns();
    if (expiry_ <= now) expiry_ += ((now - expiry_) / period + 1) * period;
}

u32 LapicTimer::current() const {
    if (!counting_) return 0;
    const u64 now = clock_.now();
    if (expiry_ > now) return static_cast<u32>((expiry_ - now + tick_ns() - 1) / tick_ns());
    if (mode_ != Mode::Periodic) return 0;
    const u64 period = initial_ * tick_ns(), late = (now - expiry_) % period;  // the alarm has yet to ring
    return static_cast<u32>((period - late + tick_ns() - 1) / tick_ns());
}

void LapicTimer::set_divide(u8 dcr) {
    const u32 left = current();
    divide_ = dcr & 0x0b;
    if (!counting_ || left == 0) return;
    expiry_ = clock_.now() + left * tick_ns();
    arm();
}

void LapicTimer::set_initial(u32 count) {
    if (mode_ == Mode::TscDeadline) return;
    initial_ = count;
    counting_ = count != 0;
    if (!counting_) {
        alarm_.cancel();
        return;
    }
    expiry_ = clock_.now() + count * tick_ns();
    arm();
}

void LapicTimer::set_deadline(u64 tsc, u64 when) {
    if (mode_ != Mode::TscDeadline) return;
    deadline_ = tsc;
    if (tsc == 0)
        alarm_.cancel();
    else if (when <= clock_.now())
        alarm();
    else
        alarm_.set(when);
}

void LapicTimer::alarm() {
    if (mode_ == Mode::TscDeadline) {
        alarm_.cancel();
        deadline_ = 0;
    } else if (mode_ == Mode::Periodic) {  // a late alarm keeps the phase and does not repeat what was missed
        skip_periods();
        arm(clock_.now() + shortest_repeat_ns);
    } else {
        counting_ = false;
    }
    expired_.alarm();
}

}  // namespace bmbt

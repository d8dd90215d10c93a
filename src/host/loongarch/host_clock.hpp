// Time from the constant-frequency counter, and the one-shot timer that counts with it. LoongArch vol. 1, "Timer".
#pragma once
#include "host/clock.hpp"
#include "host/loongarch/host_info.hpp"

namespace bmbt::host {

class HostClock final : public Clock, public WallClock {
 public:
    explicit HostClock(const HostInfo&);

    u64 now() const override { return to_ns(ticks()); }  // ns since construction
    u64 unix_seconds() const override;

    u64 start() const { return start_; }           // the counter's value at time 0
    u64 ns_per_tick() const { return ns_per_tick_; }  // 32.32
    u64 ticks() const;  // of the counter, since construction
    // now() and ticks() stand still between these two, and go on from there. The time of day is not changed.
    void stop();
    void go_on();
    u64 hz() const { return hz_; }
    u64 to_ns(u64 ticks) const { return static_cast<u64>(static_cast<u128>(ticks) * ns_per_tick_ >> 32); }

    // The timer interrupt at `deadline` (ns on this clock), once; at once if that has passed. AlarmQueue::never: none.
    void program_timer(u64 deadline);

 private:
    static constexpr u64 running = ~u64{0};
    u64 hz_, start_, left_out_ = 0;
    u64 stopped_at_ = running;  // the counter's value
    u64 ns_per_tick_;   // 32.32
    u64 ticks_per_ns_;  // 32.32
    u64 longest_;       // ticks that the timer can count
    u64 boot_unix_ms_ = 0;
};

}  // namespace bmbt::host

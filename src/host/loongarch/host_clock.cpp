#include "host/loongarch/host_clock.hpp"

#include "host/loongarch/direct.hpp"

namespace bmbt::host {

namespace {

constexpr Field timer_bits{4, 8};                // PRCFG1: width of the timer - 1
constexpr u64 timer_enable = 1, timer_step = 4;  // TCFG: InitVal counts in fours

// Loongson 7A1000 Bridge User Manual, "RTC": the time-of-year counter.
constexpr u64 toy_read0 = 0x2c, toy_read1 = 0x30, rtc_control = 0x40;
constexpr u32 toy_on = 1u << 11 | 1u << 8;
constexpr Field month{26, 6}, day{21, 5}, hour{16, 5}, minute{10, 6}, second{4, 6}, tenth{0, 4};

// Days from 1970-01-01 to a date of the Gregorian calendar.
i64 days_from_civil(i64 y, u64 m, u64 d) {
    y -= m <= 2;
    i64 era = (y >= 0 ? y : y - 399) / 400;
    i64 year_of_era = y - era * 400;
    i64 day_of_year = static_cast<i64>((153 * (m > 2 ? m - 3 : m + 9) + 2) / 5 + d - 1);
    return era * 146097 + year_of_era * 365 + year_of_era / 4 - year_of_era / 100 + day_of_year - 719468;
}

u64 read_rtc(u64 base) {
    Uncached io;
    io.write<u32>(base + rtc_control, io.read<u32>(base + rtc_control) | toy_on);
    u32 low, year;
    do {
        low = io.read<u32>(base + toy_read0);
        year = io.read<u32>(base + toy_read1);
    } while (low != io.read<u32>(base + toy_read0));
    i64 days = days_from_civil(1900 + static_cast<i64>(year), month.of(low), day.of(low));
    u64 seconds = static_cast<u64>(days) * 86400 + hour.of(low) * 3600 + minute.of(low) * 60 + second.of(low);
    return seconds * 1000 + tenth.of(low) * 100;
}

}  // namespace

HostClock::HostClock(const HostInfo& info)
    : hz_(info.timer_hz),
      start_(stable_counter()),
      ns_per_tick_(static_cast<u64>((static_cast<u128>(1'000'000'000) << 32) / hz_)),
      ticks_per_ns_(static_cast<u64>((static_cast<u128>(hz_) << 32) / 1'000'000'000)),
      longest_((mask(static_cast<unsigned>(timer_bits.of(csr_read<CSR_PRCFG1>()) + 1)) >> 1) & ~u64{3}) {
    if (info.rtc) boot_unix_ms_ = read_rtc(info.rtc);
}

u64 HostClock::ticks() const { return (stopped_at_ == running ? stable_counter() : stopped_at_) - start_; }

u64 HostClock::unix_seconds() const {
    const u64 ticks = stable_counter() - start_ + left_out_;
    return boot_unix_ms_ / 1000 + (boot_unix_ms_ % 1000 + to_ns(ticks) / 1'000'000) / 1000;
}

void HostClock::stop() { stopped_at_ = stable_counter(); }

void HostClock::go_on() {
    const u64 stood = stable_counter() - stopped_at_;
    left_out_ += stood;
    start_ += stood;
    stopped_at_ = running;
}

void HostClock::program_timer(u64 deadline) {
    if (deadline == AlarmQueue::never) return csr_write<CSR_TCFG>(0);
    u64 time = now(), wait = deadline > time ? deadline - time : 0;
    u128 count = (static_cast<u128>(wait) * ticks_per_ns_ >> 32) + timer_step;
    u64 value = count > longest_ ? longest_ : static_cast<u64>(count) & ~u64{3};
    csr_write<CSR_TCFG>(value | timer_enable);
}

}  // namespace bmbt::host

#include "device/rtc.hpp"

#include <algorithm>

#include "device/calendar.hpp"

namespace bmbt {
namespace {

// The clock counts from the first day of year 0, so that any century and year has a time.
constexpr i64 first_day = day_of_date({0, 1, 1}), epoch = -first_day * 86400;  // 1970 in these seconds

constexpr unsigned weekday(u64 day) { return static_cast<unsigned>((day + 6) % 7); }  // 0 is Sunday
static_assert(weekday(static_cast<u64>(-first_day)) == 4);                            // 1970 began on a Thursday

}  // namespace

Rtc::Rtc(Clock& clock, AlarmQueue& alarms, const WallClock& wall, Line& irq8)
    : clock_(clock), alarm_(alarms, *this), irq8_(irq8) {
    memory_[A] = 0x26;  // 32.768 kHz, 1024 Hz
    memory_[B] = hour24.mask();
    memory_[D] = 0x80;  // valid RAM and time
    set_time(wall.unix_seconds() + static_cast<u64>(epoch));
}

void Rtc::reset() {
    collect();
    memory_[B] = static_cast<u8>(memory_[B] & ~(pie.mask() | aie.mask() | uie.mask() | sqwe.mask()));
    memory_[C] = 0;
    index_ = 0;
    drive();
}

i64 Rtc::unix_seconds() const { return static_cast<i64>(stopped() ? shown() : now()) - epoch; }

void Rtc::set_time(u64 seconds) {  // the fraction of the second goes on
    held_ = time() % second;
    offset_ = held_ - clock_.now();
    base_ = seen_second_ = seconds;
    show(seconds);
}

u8 Rtc::encode(unsigned value) const {
    return static_cast<u8>(binary.of(memory_[B]) ? value : value / 10 << 4 | value % 10);
}

unsigned Rtc::decode(u8 value) const { return binary.of(memory_[B]) ? value : (value >> 4) * 10u + (value & 15); }

u8 Rtc::encode_hour(unsigned hour) const {
    if (hour24.of(memory_[B])) return encode(hour);
    return static_cast<u8>(encode(hour % 12 ? hour % 12 : 12) | (hour >= 12 ? 0x80 : 0));
}

unsigned Rtc::decode_hour(u8 value) const {
    if (hour24.of(memory_[B])) return decode(value);
    return decode(value & 0x7f) % 12 + (value & 0x80 ? 12 : 0);
}

void Rtc::show(u64 seconds) {
    const unsigned in_day = static_cast<unsigned>(seconds % 86400);
    memory_[Seconds] = encode(in_day % 60);
    memory_[Minutes] = encode(in_day / 60 % 60);
    memory_[Hours] = encode_hour(in_day / 3600);
    const u64 day = seconds / 86400;
    if (day == shown_day_) return;
    shown_day_ = day;
    const Date date = date_of_day(static_cast<i64>(day) + first_day);
    memory_[DayOfWeek] = encode((weekday(day) + weekday_shift_) % 7 + 1);
    memory_[Day] = encode(date.day);
    memory_[Month] = encode(date.month);
    memory_[Year] = encode(static_cast<unsigned>(date.year % 100));
    memory_[Century] = encode(static_cast<unsigned>(date.year / 100));
}

// The bytes are counters of their own, so a guest that sets the date of a running clock may show a day that the month
// has not. It stands for the month's last day, and is shown until midnight.
u64 Rtc::shown_date() const {
    const unsigned month = std::clamp(decode(memory_[Month]), 1u, 12u);
    const i64 year = decode(memory_[Century]) * 100 + decode(memory_[Year]);
    const unsigned day = std::clamp(decode(memory_[Day]), 1u, days_in_month(year, month));
    return static_cast<u64>(day_of_date({year, month, day}) - first_day);
}

u64 Rtc::shown() const {
    return shown_date() * 86400 + decode_hour(memory_[Hours]) * 3600 + decode(memory_[Minutes]) * 60 +
           decode(memory_[Seconds]);
}

// An alarm byte of C0h-FFh matches anything, one that its time byte never shows nothing.
u64 Rtc::next_alarm(u64 seconds) const {
    const auto any = [](u8 byte) { return byte >= 0xc0; };
    const u8 s = memory_[SecondsAlarm], m = memory_[MinutesAlarm], h = memory_[HoursAlarm];
    const unsigned second_of = decode(s), minute_of = decode(m), hour_of = decode_hour(h);
    if (!any(s) && (second_of > 59 || encode(second_of) != s)) return never;
    if (!any(m) && (minute_of > 59 || encode(minute_of) != m)) return never;
    if (!any(h) && (hour_of > 23 || encode_hour(hour_of) != h)) return never;
    for (u64 t = seconds + 1;;) {
        if (!any(h) && t / 3600 % 24 != hour_of)
            t = (t / 3600 + 1) * 3600;
        else if (!any(m) && t / 60 % 60 != minute_of)
            t = (t / 60 + 1) * 60;
        else if (!any(s) && t % 60 != second_of)
            t += (second_of + 60 - t % 60) % 60;
        else
            return t;
    }
}

u64 Rtc::period_ticks() const {
    const unsigned rate = memory_[A] & 15;
    if (rate == 0 || divider_reset()) return 0;
    return u64{1} << (rate < 3 ? rate + 6 : rate - 1);
}

void Rtc::collect() {
    if (!stopped()) {
        const u64 at = now();
        if (at > seen_second_) {
            memory_[C] |= uf.mask();
            if (next_alarm(seen_second_) <= at) memory_[C] |= af.mask();
        }
        seen_second_ = at;
    }
    if (const u64 period = period_ticks()) {
        const u64 now = ticks();
        if (now / period != seen_tick_ / period) memory_[C] |= pf.mask();
        seen_tick_ = now;
    }
}

void Rtc::drive() {
    const bool active = memory_[B] & memory_[C] & (pf.mask() | af.mask() | uf.mask());
    memory_[C] = static_cast<u8>(irqf.put(memory_[C], active));
    irq8_.set(active);

    u64 next = never;
    const auto at = [&next](u64 t) { next = t < next ? t : next; };
    if (!stopped()) {
        if (uie.of(memory_[B])) at(clock_time(seen_second_ + 1));
        if (aie.of(memory_[B]))
            if (const u64 t = next_alarm(seen_second_); t != never) at(clock_time(t));
    }
    if (const u64 period = period_ticks(); period && pie.of(memory_[B]))
        at(divider_start_ + ((seen_tick_ / period + 1) * period * 1'953'125 + 63) / 64);
    if (next == never)
        alarm_.cancel();
    else
        alarm_.set(next);
}

void Rtc::alarm() {
    collect();
    drive();
}

u8 Rtc::read8(u16 offset) { return offset == 1 ? read_register(index_ & 0x7f) : 0xff; }

void Rtc::write8(u16 offset, u8 value) {
    if (offset == 0) index_ = value;
    if (offset == 1) write_register(index_ & 0x7f, value);
}

u8 Rtc::read_register(u8 index) {
    if (is_time(index)) {
        if (!stopped()) show(now());
    } else if (index == A) {
        // The update cycle takes 1984 us and UIP announces it 244 us before; the second changes at its end.
        if (!stopped() && time() % second >= second - 2'228'000) return static_cast<u8>(memory_[A] | uip.mask());
    } else if (index == C) {
        collect();
        const u8 value = memory_[C];
        memory_[C] = 0;
        drive();
        return value;
    }
    return memory_[index];
}

void Rtc::write_register(u8 index, u8 value) {
    if (index == C || index == D) return;
    collect();
    const bool ran = !stopped(), ran_divider = !divider_reset();
    const u64 before = time();
    if (ran) show(now());
    if (index == A) {
        value = static_cast<u8>(uip.put(value, false));
        seen_tick_ = ticks();
    }
    if (index == B && set.of(value)) value = static_cast<u8>(uie.put(value, false));
    if (index == B && ((value ^ memory_[B]) & (binary.mask() | hour24.mask()))) shown_day_ = no_day;
    memory_[index] = value;

    const bool runs = !stopped();
    if (ran_divider && divider_reset()) {
        held_ = before;
    } else if (!ran_divider && !divider_reset()) {  // "the first update cycle begins one-half second later"
        divider_start_ = clock_.now();
        seen_tick_ = 0;
        offset_ = held_ / second * second + second / 2 - clock_.now();
    }
    // Running on from bytes that stood still, or that were written while running.
    if (runs && (!ran || is_time(index))) {
        shown_day_ = shown_date();
        weekday_shift_ = (decode(memory_[DayOfWeek]) % 7 + 13 - weekday(shown_day_)) % 7;
        set_time(shown());
    }
    drive();
}

}  // namespace bmbt

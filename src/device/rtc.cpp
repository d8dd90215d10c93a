#include "device/rtc.hpp"

#include "device/calendar.hpp"

namespace bmbt {

Rtc::Rtc(Clock& clock, AlarmQueue& alarms, const WallClock& wall, Line& irq8)
    : clock_(clock), alarm_(alarms, *this), irq8_(irq8) {
    memory_[A] = 0x26;  // 32.768 kHz, 1024 Hz
    memory_[B] = hour24.mask();
    memory_[D] = 0x80;  // valid RAM and time
    set_time(wall.unix_seconds());
}

void Rtc::reset() {
    collect();
    memory_[B] = static_cast<u8>(memory_[B] & ~(pie.mask() | aie.mask() | uie.mask() | sqwe.mask()));
    memory_[C] = 0;
    index_ = 0;
    drive();
}

i64 Rtc::unix_seconds() const { return static_cast<i64>(stopped() ? shown() : time() / second); }

void Rtc::set_time(u64 seconds) {  // the fraction of the second goes on
    held_ = seconds * second + time() % second;
    offset_ = held_ - clock_.now();
    seen_second_ = seconds;
    show(seconds);
}

u8 Rtc::encode(unsigned value) const {
    return static_cast<u8>(binary.of(memory_[B]) ? value : value / 10 << 4 | value % 10);
}

unsigned Rtc::decode(u8 value) const { return binary.of(memory_[B]) ? value : (value >> 4) * 10u + (value & 15); }

unsigned Rtc::decode_hour(u8 value) const {
    if (hour24.of(memory_[B])) return decode(value);
    return decode(value & 0x7f) % 12 + (value & 0x80 ? 12 : 0);
}

void Rtc::show(u64 seconds) {
    const u64 days = seconds / 86400;
    const unsigned in_day = static_cast<unsigned>(seconds % 86400), hour = in_day / 3600;
    const Date date = date_of_day(static_cast<i64>(days));
    memory_[Seconds] = encode(in_day % 60);
    memory_[Minutes] = encode(in_day / 60 % 60);
    memory_[Hours] = hour24.of(memory_[B])
                         ? encode(hour)
                         : static_cast<u8>(encode(hour % 12 ? hour % 12 : 12) | (hour >= 12 ? 0x80 : 0));
    memory_[DayOfWeek] = encode(static_cast<unsigned>((days + 4 + weekday_shift_) % 7) + 1);  // Sunday is 1
    memory_[Day] = encode(date.day);
    memory_[Month] = encode(date.month);
    memory_[Year] = encode(static_cast<unsigned>(date.year % 100));
    memory_[Century] = encode(static_cast<unsigned>(date.year / 100));
}

u64 Rtc::shown() const {
    unsigned month = decode(memory_[Month]);
    if (month < 1 || month > 12) month = 1;
    i64 year = decode(memory_[Century]) * 100 + decode(memory_[Year]);
    if (year < 1970) year = 1970 + year % 100;
    const i64 days = day_of_date({year, month, 1}) + static_cast<i64>(decode(memory_[Day])) - 1;
    const u64 day = days < 0 ? 0 : static_cast<u64>(days);
    return day * 86400 + decode_hour(memory_[Hours]) * 3600 + decode(memory_[Minutes]) * 60 + decode(memory_[Seconds]);
}

// An alarm byte of C0h-FFh matches anything.
u64 Rtc::next_alarm(u64 seconds) const {
    const auto any = [](u8 byte) { return byte >= 0xc0; };
    const u8 s = memory_[SecondsAlarm], m = memory_[MinutesAlarm], h = memory_[HoursAlarm];
    const u64 last = seconds + 86400;
    for (u64 t = seconds + 1; t <= last;) {
        if (!any(h) && t / 3600 % 24 != decode_hour(h))
            t = (t / 3600 + 1) * 3600;
        else if (!any(m) && t / 60 % 60 != decode(m))
            t = (t / 60 + 1) * 60;
        else if (!any(s) && t % 60 != decode(s))
            t++;
        else
            return t;
    }
    return ~u64{0};
}

u64 Rtc::period_ticks() const {
    const unsigned rate = memory_[A] & 15;
    if (rate == 0 || divider_reset()) return 0;
    return u64{1} << (rate < 3 ? rate + 6 : rate - 1);
}

void Rtc::collect() {
    if (!stopped()) {
        const u64 now = time() / second;
        if (now > seen_second_) {
            memory_[C] |= uf.mask();
            if (next_alarm(seen_second_) <= now) memory_[C] |= af.mask();
        }
        seen_second_ = now;
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

    u64 next = ~u64{0};
    const auto at = [&next](u64 t) { next = t < next ? t : next; };
    if (!stopped()) {
        if (uie.of(memory_[B])) at((seen_second_ + 1) * second - offset_);
        if (aie.of(memory_[B]))
            if (const u64 t = next_alarm(seen_second_); t != ~u64{0}) at(t * second - offset_);
    }
    if (const u64 period = period_ticks(); period && pie.of(memory_[B]))
        at(divider_start_ + ((seen_tick_ / period + 1) * period * 1'953'125 + 63) / 64);
    if (next == ~u64{0})
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
        if (!stopped()) show(time() / second);
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
    if (ran) show(before / second);
    if (index == A) {
        value = static_cast<u8>(uip.put(value, false));
        seen_tick_ = ticks();
    }
    if (index == B && set.of(value)) value = static_cast<u8>(uie.put(value, false));
    const u64 shown_before = shown();
    if (index == DayOfWeek) {
        const u64 right = (shown_before / 86400 + 4) % 7;
        weekday_shift_ = (decode(value) % 7 + 13 - static_cast<unsigned>(right)) % 7;
    }
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
    if (runs && (!ran || is_time(index))) set_time(shown());
    drive();
}

}  // namespace bmbt

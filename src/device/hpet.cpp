#include "device/hpet.hpp"

#include <algorithm>

namespace bmbt {

Hpet::Hpet(Clock& clock, AlarmQueue& alarms, Line& irq0, Line& irq8, const std::array<Line*, pin_count>& pins)
    : clock_(clock),
      timers_{{{*this, alarms, 0}, {*this, alarms, 1}, {*this, alarms, 2}}},
      pins_{{Shared<3>(*pins[0]), Shared<3>(*pins[1]), Shared<3>(*pins[2]), Shared<3>(*pins[3])}} {
    legacy_[0].bind(*this, irq0);
    legacy_[1].bind(*this, irq8);
}

void Hpet::LegacyLine::set(bool level) {
    old_level_ = level;
    if (!legacy_route.of(hpet_->config_)) out_->set(level);
}

bool Hpet::LegacyLine::waiting() const { return !legacy_route.of(hpet_->config_) && out_->waiting(); }

void Hpet::LegacyLine::switched() { out_->set(!legacy_route.of(hpet_->config_) && old_level_); }

u64 Hpet::time_in(u64 now, u64 ticks) const {
    if (ticks > (never - now) / period_ns - 1) return never;
    return now - (now - start_) % period_ns + ticks * period_ns;
}

Line* Hpet::Timer::line() {
    if (on_legacy()) return &hpet_.legacy_[n_].out();
    return is_pin(route.of(config_)) ? &hpet_.pins_[route.of(config_) - first_pin].input(n_) : nullptr;
}

// A timer whose interrupt is off is looked after when the guest looks at it.
void Hpet::Timer::arm(u64 now, u64 earliest) {
    alarm_.cancel();
    due_ = never;
    if (!running.of(hpet_.config_)) return;
    // A comparator that equals the counter has matched already: the next match is a whole lap away.
    const u64 before = (comparator_ - hpet_.counter(now) - 1) & limit();
    const u64 when = hpet_.time_in(now, before);
    if (when == never) return;
    due_ = when + period_ns;
    if (interrupt_enable.of(config_)) alarm_.set(std::max(due_, earliest));
}

void Hpet::Timer::alarm() { pass(hpet_.clock_.now()); }

// One time for all of it: the next match may be so near that it passes meanwhile, and must not count as a lap away.
void Hpet::Timer::pass(u64 now) {
    u64 matches = 1;
    if (is_periodic() && period_) {  // "the value in the register is increased by the last value written"
        matches += (now - due_) / period_ns / period_;
        comparator_ = (comparator_ + matches * period_) & limit();
    }
    match(matches);
    arm(now, now + shortest_repeat_ns);
}

void Hpet::Timer::catch_up(u64 now) {
    if (now >= due_) pass(now);
}

// Edge-triggered, the line stays high until the next edge on the legacy route, since the 8259 takes back a request
// whose line falls; a pin of the I/O APIC gets a pulse.
void Hpet::Timer::match(u64 matches) {
    Line* out = line();
    if (is_level()) {
        hpet_.status_ |= u64{1} << n_;
        drive();
    } else if (out && interrupt_enable.of(config_)) {
        backlog_.tick(*out, matches, is_periodic() ? period_ * period_ns : 0);
        if (!on_legacy()) out->set(false);
    }
}

void Hpet::Timer::interrupt_taken() {
    if (!backlog_.any()) return;
    Line* out = line();
    if (!out || is_level() || !is_periodic() || !interrupt_enable.of(config_) || !running.of(hpet_.config_))
        return backlog_.forget();
    backlog_.taken(*out);
    if (!on_legacy()) out->set(false);
}

void Hpet::interrupt_taken() { timers_[0].interrupt_taken(); }

void Hpet::Timer::drive() {
    if (!is_level()) return;
    if (Line* out = line()) out->set(interrupt_enable.of(config_) && (hpet_.status_ >> n_ & 1));
}

void Hpet::Timer::release() {
    if (!is_level()) return;
    if (Line* out = line()) out->set(false);
}

u64 Hpet::Timer::read(unsigned reg) const {
    constexpr u64 pins_able = mask(pin_count) << first_pin, size_64 = 0x20, periodic_able = 0x10;
    if (reg == 0) return pins_able << 32 | size_64 | (n_ == 0 ? periodic_able : 0) | value_set.put(config_, false);
    return reg == 8 ? comparator_ & limit() : 0;
}

// lanes: the bits of the register that this access writes.
void Hpet::Timer::write(unsigned reg, u64 value, u64 lanes, u64 now) {
    const auto merged = [&](u64 old) { return (old & ~lanes) | (value & lanes); };
    backlog_.forget();
    if (reg == 0) {
        release();
        config_ = merged(config_) & writable;
        if (n_ != 0) config_ &= ~periodic.mask();
        if (!is_pin(route.of(config_))) config_ = route.put(config_, 0);  // "the value read back will not match"
        drive();
        arm(now);
    } else if (reg == 8) {
        const bool low = lanes & 1, accumulate = value_set.of(config_) || (high_half_ && !low);
        high_half_ = value_set.of(config_) && lanes == mask(32);
        if (!is_periodic() || accumulate) comparator_ = merged(comparator_) & limit();
        if (is_periodic()) period_ = merged(period_) & limit();
        config_ = value_set.put(config_, false);
        arm(now);
    }
}

u64 Hpet::read_register(unsigned reg) {
    const u64 now = clock_.now();
    catch_up(now);
    switch (reg) {
        case 0x00: return period_ns * 1'000'000 << 32 | id;  // the period is stated in femtoseconds
        case 0x10: return config_;
        case 0x20: return status_;
        case 0xf0: return counter(now);
        default: break;
    }
    if (reg >= 0x100 && reg < 0x160) return timers_[(reg - 0x100) / 0x20].read(reg & 0x1f);
    return ~u64{0};
}

void Hpet::write_config(u64 value, u64 now) {
    value &= running.mask() | legacy_route.mask();
    const u64 changed = value ^ config_;
    if (legacy_route.of(changed))
        for (Timer& t : timers_) t.release();
    if (running.of(changed)) {
        base_ = counter(now);
        start_ = now;
    }
    config_ = value;
    if (legacy_route.of(changed)) {
        for (LegacyLine& l : legacy_) l.switched();
        for (Timer& t : timers_) t.drive();
    }
    if (running.of(changed))
        for (Timer& t : timers_) t.arm(now);
}

void Hpet::catch_up(u64 now) {
    for (Timer& t : timers_) t.catch_up(now);
}

void Hpet::write_register(unsigned reg, u64 value, u64 lanes) {
    const u64 now = clock_.now();
    catch_up(now);
    const auto merged = [&](u64 old) { return (old & ~lanes) | (value & lanes); };
    switch (reg) {
        case 0x10: write_config(merged(config_), now); return;
        case 0x20:  // level-triggered interrupts are cleared by writing 1
            status_ &= ~(value & lanes);
            for (Timer& t : timers_) t.drive();
            return;
        case 0xf0:
            base_ = merged(counter(now));
            start_ = now;
            for (Timer& t : timers_) t.arm(now);
            return;
        default: break;
    }
    if (reg >= 0x100 && reg < 0x160) timers_[(reg - 0x100) / 0x20].write(reg & 0x1f, value, lanes, now);
}

u64 Hpet::read(u64 offset, Width w) {
    if (offset >= 0x400) return mask(8 * bytes(w));
    return read_register(static_cast<unsigned>(offset & ~u64{7})) >> 8 * (offset & 7) & mask(8 * bytes(w));
}

void Hpet::write(u64 offset, Width w, u64 value) {
    if (offset >= 0x400 || bytes(w) < 4 || offset % bytes(w)) return;  // only dwords and qwords
    const unsigned shift = 8 * (offset & 7);
    write_register(static_cast<unsigned>(offset & ~u64{7}), value << shift, mask(8 * bytes(w)) << shift);
}

}  // namespace bmbt

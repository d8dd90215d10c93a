#include "device/pit.hpp"

namespace bmbt {

namespace {

u32 from_bcd(u32 v) { return (v & 15) + 10 * (v >> 4 & 15) + 100 * (v >> 8 & 15) + 1000 * (v >> 12 & 15); }
u32 to_bcd(u32 v) { return v % 10 | v / 10 % 10 << 4 | v / 100 % 10 << 8 | v / 1000 % 10 << 12; }

}  // namespace

void PitChannel::control(u8 word, u64 tick) {
    const unsigned mode = word >> 1 & 7;
    access_ = word >> 4 & 3;
    mode_ = static_cast<u8>(mode > 5 ? mode - 4 : mode);
    bcd_ = word & 1;
    elapsed_ = elapsed(tick);
    switch_at_ = never;
    counting_ = loaded_ = false;
    null_count_ = true;
    status_latched_ = high_next_read_ = high_next_write_ = false;
    latched_bytes_ = 0;
}

void PitChannel::write(u8 value, u64 tick) {
    if (access_ == 3 && !high_next_write_) {
        low_byte_ = value;
        high_next_write_ = true;
        if (mode_ == 0) {  // "Writing the first byte disables counting"
            elapsed_ = 0;
            counting_ = loaded_ = false;
        }
        return;
    }
    u32 count = access_ == 1 ? value : u32{value} << 8;
    if (access_ == 3) count |= low_byte_;
    high_next_write_ = false;
    if (bcd_) count = from_bcd(count);
    if (count == 0) count = bcd_ ? 10000 : 0x10000;
    if (periodic() && count == 1) count = 2;  // not a legal count: no period is shorter than two
    load(count, tick);
}

void PitChannel::load(u32 count, u64 tick) {
    settle(tick);
    null_count_ = true;
    const bool first = !loaded_;
    loaded_ = true;
    next_reload_ = count;
    if (mode_ == 1 || mode_ == 5 || (periodic() && !gate_)) {  // waits for the gate, a shot in progress goes on
        if (!counting_) reload_ = count;
        return;
    }
    if (periodic() && !first) {
        // "A new count ... will be loaded at the end of the current counting cycle", in mode 3 of the half-cycle.
        const u64 at = elapsed(tick), phase = at % reload_, high = (reload_ + 1) / 2;
        const i64 cycle = start_ + static_cast<i64>(at - phase);
        const bool half = mode_ == 3 && phase < high;
        const i64 at_tick = cycle + static_cast<i64>(half ? high : reload_);
        switch_at_ = static_cast<u64>(at_tick);
        next_start_ = half ? at_tick - (count + 1) / 2 : at_tick;  // from half a cycle on, the low half is next
        return;
    }
    reload_ = count;
    half_over_ = false;
    start_ = static_cast<i64>(tick) + 1;  // "loaded on the next CLK pulse"
    elapsed_ = 0;
    null_count_ = false;
    counting_ = gate_;
}

void PitChannel::settle(u64 tick) {
    if (tick < switch_at_) return;
    half_over_ = next_start_ != static_cast<i64>(switch_at_);
    switch_at_ = never;
    start_ = next_start_;
    reload_ = next_reload_;
    null_count_ = false;
}

void PitChannel::set_gate(bool level, u64 tick) {
    if (level == gate_) return;
    settle(tick);
    const u64 at = elapsed(tick);
    gate_ = level;
    if (!loaded_) return;
    if (mode_ == 0 || mode_ == 4) {  // the gate enables counting
        elapsed_ = at;
        counting_ = level;
        start_ = static_cast<i64>(tick) - static_cast<i64>(at);
        return;
    }
    if (level) {  // a rising edge starts a shot, or a period anew
        reload_ = next_reload_;
        half_over_ = false;
        start_ = static_cast<i64>(tick) + 1;
        counting_ = true;
        null_count_ = false;
        switch_at_ = never;
    } else if (periodic()) {  // stops with the output high
        counting_ = false;
        elapsed_ = 0;
        switch_at_ = never;
    }
}

u64 PitChannel::elapsed(u64 tick) const {
    if (!counting_) return elapsed_;
    const i64 since = static_cast<i64>(tick) - start_;
    return since > 0 ? static_cast<u64>(since) : 0;
}

u16 PitChannel::encoded(u64 value) const {
    return static_cast<u16>(bcd_ ? to_bcd(static_cast<u32>(value % 10000)) : value);
}

u16 PitChannel::count(u64 tick) const {
    const u64 at = elapsed(tick), wrap = bcd_ ? 10000 : 0x10000;
    if (mode_ == 2) return encoded(reload_ - at % reload_);
    if (mode_ == 3) {  // counts by two, an odd count from one less
        const u64 phase = at % reload_, high = (reload_ + 1) / 2;
        return encoded((reload_ & ~u64{1}) - 2 * (phase < high ? phase : phase - high));
    }
    return encoded(reload_ + wrap - at % wrap);
}

bool PitChannel::output(u64 tick) {
    settle(tick);
    const u64 at = elapsed(tick);
    switch (mode_) {
        case 0: return loaded_ && at >= reload_;
        case 1: return !counting_ || static_cast<i64>(tick) < start_ || at >= reload_;
        case 2: return !counting_ || at % reload_ != reload_ - 1;
        case 3: return !counting_ || at % reload_ < (reload_ + 1) / 2;
        default: return !loaded_ || at != reload_;
    }
}

u64 PitChannel::next_edge(u64 tick) {
    settle(tick);
    if (!counting_) return never;
    const u64 at = elapsed(tick);
    const auto after = [this](u64 ticks) { return static_cast<u64>(start_ + static_cast<i64>(ticks)); };
    switch (mode_) {
        case 1:
            if (static_cast<i64>(tick) < start_) return after(0);
            [[fallthrough]];
        case 0: return at < reload_ ? after(reload_) : never;
        case 2: return switch_at_ != never ? switch_at_ : after(at - at % reload_ + reload_);
        case 3: {
            const u64 cycle = at - at % reload_, high = (reload_ + 1) / 2;
            return after(at - cycle < high ? cycle + high : cycle + reload_);
        }
        default: return at < reload_ ? after(reload_) : at == reload_ ? after(u64{reload_} + 1) : never;
    }
}

u64 PitChannel::periods(u64 from, u64 to) {
    settle(to);
    if (!periodic() || !counting_ || to <= from) return 0;
    const auto ended = [this](u64 tick) {
        const i64 since = static_cast<i64>(tick) - start_;
        if (since >= 0) return since / reload_;
        return half_over_ ? i64{0} : i64{-1};  // else the count that took over began where a period ended
    };
    return static_cast<u64>(ended(to) - ended(from));
}

void PitChannel::latch_count(u64 tick) {
    if (latched_bytes_) return;  // a second latch command before the read is ignored
    settle(tick);
    count_latch_ = count(tick);
    latched_bytes_ = access_ == 3 ? 2 : 1;
}

void PitChannel::latch_status(u64 tick) {
    if (status_latched_) return;
    settle(tick);
    status_latch_ =
        static_cast<u8>(output(tick) << 7 | null_count_ << 6 | access_ << 4 | mode_ << 1 | static_cast<u8>(bcd_));
    status_latched_ = true;
}

u8 PitChannel::read(u64 tick) {
    if (status_latched_) {
        status_latched_ = false;
        return status_latch_;
    }
    settle(tick);
    const u16 value = latched_bytes_ ? count_latch_ : count(tick);
    if (latched_bytes_) latched_bytes_--;
    const bool high = access_ == 2 || (access_ == 3 && high_next_read_);
    if (access_ == 3) high_next_read_ = !high_next_read_;
    return static_cast<u8>(high ? value >> 8 : value);
}

}  // namespace bmbt

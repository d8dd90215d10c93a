#include "device/pm.hpp"

namespace bmbt {

Pm::Pm(Clock& clock, AlarmQueue& alarms, Line& sci, Line& power_off)
    : clock_(clock), alarm_(alarms, *this), sci_(sci), power_off_(power_off), seen_half_(ticks() >> 31) {}

// TMR_STS is set whenever the timer's highest bit changes.
void Pm::collect() {
    const u64 half = ticks() >> 31;
    if (half != seen_half_) status_ |= static_cast<u16>(timer_overflow.mask());
    seen_half_ = half;
}

void Pm::drive() {
    sci_.set(status_ & enable_ & enable_bits);
    if (timer_overflow.of(enable_))
        alarm_.set((((seen_half_ + 1) << 31) * 17600 + 62) / 63);
    else
        alarm_.cancel();
}

void Pm::alarm() {
    collect();
    drive();
}

void Pm::press_power_button() {
    status_ |= static_cast<u16>(power_button.mask());
    drive();
}

u32 Pm::read(u16 offset, Width w) {
    const u64 now = ticks();  // the same for each byte
    u32 value = 0;
    for (unsigned i = 0; i < bytes(w); i++) value |= u32{read8(static_cast<u16>(offset + i), now)} << 8 * i;
    return value;
}

u8 Pm::read8(u16 offset, u64 now) {
    const auto half = [offset](u64 v) { return static_cast<u8>(v >> 8 * (offset & 1)); };
    switch (offset & ~1) {
        case PmLayout::event: collect(); return half(status_);
        case PmLayout::event + 2: return half(enable_);
        case PmLayout::control: return half(sci_enable.put(control_, true));
        case PmLayout::timer: return half(now);
        case PmLayout::timer + 2: return half(now >> 16);
        case PmLayout::gpe0: return 0;  // no event sources
        case PmLayout::gpe0 + 2: return half(gpe_enable_);
        default: return offset < PmLayout::size ? 0 : 0xff;
    }
}

void Pm::write(u16 offset, Width w, u32 value) {
    collect();
    for (unsigned i = 0; i < bytes(w); i++) write8(static_cast<u16>(offset + i), static_cast<u8>(value >> 8 * i));
    drive();
}

void Pm::write8(u16 offset, u8 value) {
    const unsigned shift = 8 * (offset & 1);
    const u16 lane = static_cast<u16>(0xff << shift), placed = static_cast<u16>(value << shift);
    const auto put = [&](u16& reg, u16 writable) {
        reg = static_cast<u16>((reg & ~(lane & writable)) | (placed & writable));
    };
    switch (offset & ~1) {
        case PmLayout::event: status_ = static_cast<u16>(status_ & ~(placed & event_bits)); break;
        case PmLayout::event + 2: put(enable_, enable_bits); break;
        case PmLayout::control:
            put(control_, 0x1c07);
            if (shift && sleep_enable.of(placed) && sleep_type.of(control_) == PmLayout::sleep_type_off)
                power_off_.set(true);
            break;
        case PmLayout::gpe0 + 2: put(gpe_enable_, 0xffff); break;
        default: break;
    }
}

}  // namespace bmbt

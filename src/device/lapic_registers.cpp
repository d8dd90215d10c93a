// The registers of a local APIC, in both of their views.
#include "device/lapic.hpp"

namespace bmbt {

bool Lapic::read_register(unsigned reg, u32& value) const {
    if (reg >= Isr && reg < Esr) {
        const VectorSet& set = reg < Tmr ? isr_ : reg < Irr ? tmr_ : irr_;
        value = set.word(reg & 7);
        return true;
    }
    switch (reg) {
        case Id: value = x2apic() ? id_ : id_ << 24; break;
        case Version: value = version; break;
        case Tpr: value = tpr_; break;
        case Ppr: value = priority(); break;
        case Ldr: value = x2apic() ? logical_id() : ldr_; break;
        case Spiv: value = spiv_; break;
        case Esr: value = esr_; break;
        case IcrLow: value = icr_low_; break;
        case Initial: value = timer_.initial(); break;
        case Current: value = timer_.current(); break;
        case Divide: value = timer_.divide(); break;
        case LvtTimer:
        case LvtThermal:
        case LvtPerformance:
        case LvtLint0:
        case LvtLint1:
        case LvtError: value = lvt(reg); break;
        // Only in memory:
        case Apr: value = priority(); return !x2apic();
        case Eoi:
        case Rrd: value = 0; return !x2apic();
        case Dfr: value = dfr_; return !x2apic();
        case IcrHigh: value = icr_high_; return !x2apic();
        default: value = 0; return false;
    }
    return true;
}

bool Lapic::write_register(unsigned reg, u32 value) {
    switch (reg) {
        case Tpr: set_tpr(static_cast<u8>(value)); break;
        case Eoi: end_of_interrupt(); break;
        case Spiv: write_spiv(value); break;
        case Esr:  // "a write ... updates the register", with what came since the last
            esr_ = errors_;
            errors_ = 0;
            break;
        case IcrLow: send(value & 0x000c'cfff, icr_high_); break;
        case Initial: timer_.set_initial(value); break;
        case Divide:
            timer_.settle();
            timer_.set_divide(static_cast<u8>(value));
            break;
        case LvtTimer:
        case LvtThermal:
        case LvtPerformance:
        case LvtLint0:
        case LvtLint1:
        case LvtError: write_lvt(reg, value); break;
        case Ldr:
            if (x2apic()) return false;
            ldr_ = value & 0xff00'0000;
            break;
        case Dfr:
            if (x2apic()) return false;
            dfr_ = value | 0x0fff'ffff;
            break;
        case IcrHigh:
            if (x2apic()) return false;
            icr_high_ = value & 0xff00'0000;
            break;
        case SelfIpi:
            if (!x2apic()) return false;
            send((value & 0xff) | 1u << 18, 0);
            break;
        // Read-only; a write to memory is ignored, one to an MSR is #GP.
        case Id:
        case Version:
        case Apr:
        case Ppr:
        case Rrd:
        case Current: return !x2apic();
        default: return reg >= Isr && reg < Esr && !x2apic();
    }
    return true;
}

void Lapic::write_spiv(u32 value) {
    timer_.settle();
    spiv_ = value & 0x3ff;
    if (!software_enabled())  // "The mask bits for all the LVT entries are set"
        for (u32& entry : lvt_) entry |= static_cast<u32>(masked.mask());
    configure_timer();
    update();
}

void Lapic::configure_timer() {
    const u32 entry = lvt(LvtTimer);
    timer_.configure(static_cast<LapicTimer::Mode>(timer_mode.of(entry)), masked.of(entry));
}

// Writable bits of an LVT entry.
u32 Lapic::lvt_bits(unsigned reg) {
    switch (reg) {
        case LvtTimer: return 0x0007'00ff;
        case LvtThermal:
        case LvtPerformance: return 0x0001'07ff;
        case LvtError: return 0x0001'00ff;
        default: return 0x0001'a7ff;
    }
}

void Lapic::write_lvt(unsigned reg, u32 value) {
    u32 entry = value & lvt_bits(reg);
    if (!software_enabled()) entry |= static_cast<u32>(masked.mask());
    if (level_triggered.of(entry)) entry |= lvt(reg) & static_cast<u32>(remote_irr.mask());
    if (reg == LvtTimer) timer_.settle();
    lvt(reg) = entry;
    if (reg == LvtTimer) configure_timer();
    if (reg == LvtLint0 || reg == LvtLint1) lint_changed(reg - LvtLint0, false);
    update();
}

u64 Lapic::read(u64 offset, Width w) {
    const u64 ones = mask(8 * bytes(w));
    if (!xapic() || offset >= 0x1000) return ones;
    u32 value = 0;
    if (!read_register(static_cast<unsigned>(offset >> 4), value)) error(IllegalRegister);
    const unsigned byte = offset & 15;  // registers are four bytes in each sixteen
    return byte < 4 ? value >> 8 * byte & ones : 0;
}

void Lapic::write(u64 offset, Width w, u64 value) {
    if (!xapic() || offset >= 0x1000 || (offset & 15) || bytes(w) < 4) return;  // only whole registers
    if (!write_register(static_cast<unsigned>(offset >> 4), static_cast<u32>(value))) error(IllegalRegister);
}

bool Lapic::read_msr(u32 index, u64& value) {
    if (!x2apic() || index < 0x800 || index > 0x8ff) return false;
    u32 low = 0;
    if (!read_register(index - 0x800, low)) return false;
    value = low;
    if (index - 0x800 == IcrLow) value |= u64{icr_high_} << 32;
    return true;
}

bool Lapic::write_msr(u32 index, u64 value) {
    if (!x2apic() || index < 0x800 || index > 0x8ff) return false;
    const unsigned reg = index - 0x800;
    if (reg == IcrLow) {
        if (value & 0xfff3'2000) return false;
        icr_high_ = static_cast<u32>(value >> 32);
        send(static_cast<u32>(value) & 0x000c'cfff, icr_high_);
        return true;
    }
    u64 allowed = 0;
    switch (reg) {
        case Tpr:
        case SelfIpi: allowed = 0xff; break;
        case Eoi:
        case Esr: break;  // only 0 may be written
        case Spiv: allowed = 0x3ff; break;
        case Divide: allowed = 0x0b; break;
        case Initial: allowed = 0xffff'ffff; break;
        case LvtTimer:
        case LvtThermal:
        case LvtPerformance:
        case LvtLint0:
        case LvtLint1:
        case LvtError: allowed = lvt_bits(reg) | 0x5000; break;  // delivery status and remote IRR are read-only
        default: return false;
    }
    return !(value & ~allowed) && write_register(reg, static_cast<u32>(value));
}

// "Local APIC State Transitions": off <-> xAPIC, xAPIC -> x2APIC -> off.
bool Lapic::set_base(u64 value) {
    const u64 allowed = (mask(physical_bits_) & ~u64{0xfff}) | global_enable() | extended() | bsp();
    if (value & ~allowed) return false;
    const bool on = global_enable.of(value), x2 = extended.of(value);
    if (x2 && !on) return false;
    if (x2 && !enabled()) return false;
    if (!x2 && on && x2apic()) return false;
    const bool goes_off = enabled() && !on, enters_x2 = x2 && !x2apic();
    base_ = bsp.put(value, bsp.of(base_));
    if (enters_x2) icr_high_ = 0;
    if (goes_off)
        reset();
    else
        update();
    return true;
}

}  // namespace bmbt

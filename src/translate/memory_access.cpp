// Memory operands: addresses in host registers, loads and stores. A guest linear address is the host virtual address.
#include "cpu/vcpu_offsets.inc"
#include "translate/block.hpp"

namespace bmbt {

using namespace la64;
using x86::MemoryOperand;

namespace {
bool fits12(i64 v) { return v >= -2048 && v <= 2047; }
}  // namespace

bool Block::addressable(const Insn& i) const {
    for (unsigned n = 0; n < i.operands; n++)
        if (i.op[n].kind == OperandKind::Memory && !(mode.flat(i.mem.seg) && i.mem.seg != x86::Cs) && !mode.plain(i.mem.seg) &&
            !(mode.small(i.mem.seg) && i.address_size == 2))
            return false;
    return true;
}

bool Block::has_small_operand(const Insn& i) const {
    for (unsigned n = 0; n < i.operands; n++)
        if (i.op[n].kind == OperandKind::Memory && mode.small(i.mem.seg)) return true;
    return false;
}

Gpr Block::scaled(Gpr r, unsigned shift) {
    if (shift == 0) return r;
    Gpr t = temp();
    as.slli_d(t, r, shift);
    return t;
}

// The address within the segment, whole in `size` bytes.
Gpr Block::effective_address(const MemoryOperand& m, unsigned size) {
    if (m.base == x86::rip_register) {
        u64 v = next_rip() + static_cast<u64>(m.disp);
        return constant(size == 8 ? v : v & mask(size * 8));
    }
    bool has_base = m.base != x86::no_register, has_index = m.index != x86::no_register;
    if (!has_base && !has_index) return constant(static_cast<u64>(m.disp) & mask(size * 8));
    auto reg = [&](unsigned r) { return size == 8 ? whole(r) : low(r); };
    Gpr sum = zero;
    bool fresh = false;  // sum is a temporary of ours
    auto into = [&] {
        if (!fresh) sum = (fresh = true, temp());
        return sum;
    };
    if (has_base) sum = reg(m.base);
    if (has_index) {
        Gpr index = reg(m.index), base = sum;
        if (!has_base && m.shift == 0) sum = index;
        else if (!has_base) as.slli_d(into(), index, m.shift);
        else if (m.shift == 0) as.add_d(into(), base, index);
        else as.alsl_d(into(), index, base, m.shift);
    }
    if (m.disp != 0) {
        Gpr from = sum;
        if (fits12(m.disp)) {
            as.addi_d(into(), from, m.disp);
        } else {
            Gpr c = constant(static_cast<u64>(m.disp));
            as.add_d(into(), from, c);
        }
    }
    if (size == 8) return sum;
    if (size == 4 && !fresh) {
        // A single register: its own extension may do.
        unsigned r = has_base ? m.base : m.index;
        if (bit(pending_, r) || bit(zero32_, r)) return whole(r);
    }
    Gpr from = sum;
    as.bstrpick_d(into(), from, size * 8 - 1, 0);
    return sum;
}

Address Block::address(i64 extra) { return address_of(insn_->mem, insn_->address_size, extra); }

Address Block::address_of(const MemoryOperand& m, unsigned size, i64 extra) {
    if (mode.code64()) {
        bool based = m.seg >= x86::Fs;
        if (size == 8 && !based) {
            // The common case: fold what the host's addressing modes can hold.
            i64 disp = m.base == x86::rip_register ? static_cast<i64>(next_rip()) + m.disp + extra : m.disp + extra;
            bool has_base = m.base != x86::no_register && m.base != x86::rip_register;
            bool has_index = m.index != x86::no_register;
            if (!has_base && !has_index) {
                i64 low = sign_extend(static_cast<u64>(disp), 12);
                return {.base = constant(static_cast<u64>(disp - low)), .disp = static_cast<i32>(low)};
            }
            if (!has_index) {
                Gpr base = whole(m.base);
                if (fits12(disp)) return {.base = base, .disp = static_cast<i32>(disp)};
                i64 low = sign_extend(static_cast<u64>(disp), 12);
                Gpr t = constant(static_cast<u64>(disp - low));
                as.add_d(t, t, base);
                return {.base = t, .disp = static_cast<i32>(low)};
            }
            Gpr index = whole(m.index), base = has_base ? whole(m.base) : zero;
            if (m.shift == 0 && disp == 0 && has_base) return {.base = base, .index = index};
            Gpr t;
            if (m.shift == 0 && !has_base) {
                t = index;
            } else {
                t = temp();
                if (!has_base) as.slli_d(t, index, m.shift);
                else if (m.shift == 0) as.add_d(t, base, index);
                else as.alsl_d(t, index, base, m.shift);
            }
            if (fits12(disp)) return {.base = t, .disp = static_cast<i32>(disp)};
            i64 low = sign_extend(static_cast<u64>(disp), 12);
            Gpr c = constant(static_cast<u64>(disp - low));
            as.add_d(c, c, t);
            return {.base = c, .disp = static_cast<i32>(low)};
        }
        MemoryOperand n = m;
        n.disp += extra;
        Gpr ea = effective_address(n, size);
        if (!based) return {.base = ea};
        Gpr base = host::segment_base;
        if ((m.seg == x86::Fs) != mode.user()) {
            base = temp();
            as.ld_d(base, host::state, VCPU_SEG_BASE + 8 * m.seg);
        }
        if (ea == zero) return {.base = base};
        return {.base = base, .index = ea};
    }
    MemoryOperand n = m;
    n.disp += extra;
    Gpr ea = effective_address(n, size);
    if (extra == 0 && mode.small(m.seg)) {
        // The last bytes below 64 KiB: an access that would pass the limit is decided in C++.
        unsigned bytes = 1;
        for (unsigned k = 0; k < insn_->operands; k++)
            if (insn_->op[k].kind == OperandKind::Memory) bytes = insn_->op[k].size ? insn_->op[k].size : 128;
        if (bytes > 1) {
            Gpr top = constant(0x10000 - bytes);
            as.bltu(top, ea, slow_path());
        }
    }
    if (mode.flat(m.seg)) return {.base = ea};
    Gpr base = temp();
    as.ld_d(base, host::state, VCPU_SEG_BASE + 8 * m.seg);
    if (!(ea == zero)) as.add_d(base, base, ea);
    as.bstrpick_d(base, base, 31, 0);
    return {.base = base};
}

Gpr Block::address_register(const Address& a) {
    if (!(a.index == zero)) {
        Gpr t = temp();
        as.add_d(t, a.base, a.index);
        return t;
    }
    if (a.disp == 0) return a.base;
    Gpr t = temp();
    as.addi_d(t, a.base, a.disp);
    return t;
}

void Block::load(Gpr to, const Address& a, unsigned size, Upper upper) {
    bool is_signed = upper == Upper::Sign || (upper == Upper::Any && size == 4);
    if (!(a.index == zero)) {
        switch (size) {
            case 1: is_signed ? as.ldx_b(to, a.base, a.index) : as.ldx_bu(to, a.base, a.index); return;
            case 2: is_signed ? as.ldx_h(to, a.base, a.index) : as.ldx_hu(to, a.base, a.index); return;
            case 4: is_signed ? as.ldx_w(to, a.base, a.index) : as.ldx_wu(to, a.base, a.index); return;
            case 8: as.ldx_d(to, a.base, a.index); return;
        }
    }
    switch (size) {
        case 1: is_signed ? as.ld_b(to, a.base, a.disp) : as.ld_bu(to, a.base, a.disp); return;
        case 2: is_signed ? as.ld_h(to, a.base, a.disp) : as.ld_hu(to, a.base, a.disp); return;
        case 4: is_signed ? as.ld_w(to, a.base, a.disp) : as.ld_wu(to, a.base, a.disp); return;
        case 8: as.ld_d(to, a.base, a.disp); return;
    }
    bad_operand("load size");
}

void Block::store(Gpr v, const Address& a, unsigned size) {
    if (!(a.index == zero)) {
        switch (size) {
            case 1: as.stx_b(v, a.base, a.index); return;
            case 2: as.stx_h(v, a.base, a.index); return;
            case 4: as.stx_w(v, a.base, a.index); return;
            case 8: as.stx_d(v, a.base, a.index); return;
        }
    }
    switch (size) {
        case 1: as.st_b(v, a.base, a.disp); return;
        case 2: as.st_h(v, a.base, a.disp); return;
        case 4: as.st_w(v, a.base, a.disp); return;
        case 8: as.st_d(v, a.base, a.disp); return;
    }
    bad_operand("store size");
}

void Block::load_vector(Vr to, const Address& a) {
    if (!(a.index == zero)) as.vldx(to, a.base, a.index);
    else as.vld(to, a.base, a.disp);
}

void Block::store_vector(Vr from, const Address& a) {
    if (!(a.index == zero)) as.vstx(from, a.base, a.index);
    else as.vst(from, a.base, a.disp);
}

void Block::load_scalar(Vr to, const Address& a, unsigned size) {
    Fpr f = low_half(to);
    if (!(a.index == zero)) size == 8 ? as.fldx_d(f, a.base, a.index) : as.fldx_s(f, a.base, a.index);
    else size == 8 ? as.fld_d(f, a.base, a.disp) : as.fld_s(f, a.base, a.disp);
}

void Block::store_scalar(Vr from, const Address& a, unsigned size) {
    Fpr f = low_half(from);
    if (!(a.index == zero)) size == 8 ? as.fstx_d(f, a.base, a.index) : as.fstx_s(f, a.base, a.index);
    else size == 8 ? as.fst_d(f, a.base, a.disp) : as.fst_s(f, a.base, a.disp);
}

Address Block::aligned_address() {
    const MemoryOperand& m = insn_->mem;
    // A register and a displacement: what a test finds holds until the register changes.
    bool simple = mode.code64() && insn_->address_size == 8 && m.seg < x86::Fs && m.base < 16 && m.index == x86::no_register;
    if (simple && bit(offset16_known_, m.base) && (offset16_[m.base] + m.disp) % 16 == 0) return address();
    Address a = address();
    if (mode.code64() && insn_->address_size == 8 && m.seg < x86::Fs && m.base == x86::rip_register) {
        if ((next_rip() + static_cast<u64>(m.disp)) % 16 != 0) as.b(slow_path());
        return a;
    }
    Gpr low = temp();
    if (!(a.index == zero)) {
        as.add_d(low, a.base, a.index);
        a = {.base = low};
        low = temp();
        as.andi(low, a.base, 15);
    } else if (a.disp % 16 == 0) {
        as.andi(low, a.base, 15);
    } else {
        as.addi_d(low, a.base, a.disp);
        as.andi(low, low, 15);
    }
    as.bnez(low, slow_path());
    if (simple) {
        offset16_known_ |= 1u << m.base;
        offset16_[m.base] = static_cast<u8>(-m.disp & 15);
    }
    return a;
}

Address Block::stack_address(i64 offset, unsigned bytes) {
    if (mode.code64()) {
        Gpr sp = whole(x86::Rsp);
        return {.base = sp, .disp = static_cast<i32>(offset)};
    }
    unsigned size = 1u << mode.stack_log2();
    Gpr t = temp();
    as.addi_d(t, low(x86::Rsp), offset);
    as.bstrpick_d(t, t, size * 8 - 1, 0);
    if (mode.flat(x86::Ss)) return {.base = t};
    if (mode.small(x86::Ss)) as.bltu(constant(0x10000 - bytes), t, slow_path());
    Gpr base = temp();
    as.ld_d(base, host::state, VCPU_SEG_BASE + 8 * x86::Ss);
    as.add_d(t, t, base);
    as.bstrpick_d(t, t, 31, 0);
    return {.base = t};
}

void Block::add_to_stack_pointer(i64 offset) {
    unsigned size = 1u << mode.stack_log2();
    Gpr sp = host::guest[x86::Rsp];
    if (size == 8) {
        bool known = bit(offset16_known_, x86::Rsp);
        as.addi_d(write64(x86::Rsp), sp, offset);
        if (known) {
            offset16_known_ |= 1u << x86::Rsp;
            offset16_[x86::Rsp] = static_cast<u8>((offset16_[x86::Rsp] + offset) & 15);
        }
    } else if (size == 4) {
        Gpr d = write32(x86::Rsp, Upper::Zero);
        as.addi_d(d, sp, offset);
        as.bstrpick_d(d, d, 31, 0);
    } else {
        Gpr t = temp();
        as.addi_d(t, sp, offset);
        write_low(x86::Rsp, 2, t);
    }
}

}  // namespace bmbt

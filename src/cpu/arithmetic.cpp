// Integer arithmetic and logic.
#include <Zydis/Zydis.h>

#include "cpu/bit_instructions.hpp"
#include "cpu/integer.hpp"
#include "cpu/operands.hpp"

namespace bmbt {

using namespace x86;

namespace {

unsigned width(const Insn& i) { return log2_size(i.op[0].size); }
u64 carry(const Vcpu& v) { return evaluate(v.flags) & flag::cf; }

void lazy(Vcpu& v, FlagOp op, unsigned size_log2, u64 a, u64 b) { v.flags = {a, b, flag_kind(op, size_log2)}; }

Guest<> add(Vcpu& v, const Insn& i) {
    u64 b = TRY(get(v, i, 1));
    Target t = TRY(target(v, i, 0));
    t.set(v, t.value + b);
    lazy(v, FlagOp::Add, width(i), t.value, b);
    return {};
}

Guest<> adc(Vcpu& v, const Insn& i) {
    u64 b = TRY(get(v, i, 1)), c = carry(v);
    Target t = TRY(target(v, i, 0));
    t.set(v, t.value + b + c);
    lazy(v, c ? FlagOp::Adc : FlagOp::Add, width(i), t.value, b);
    return {};
}

Guest<> sub(Vcpu& v, const Insn& i) {
    u64 b = TRY(get(v, i, 1));
    Target t = TRY(target(v, i, 0));
    t.set(v, t.value - b);
    lazy(v, FlagOp::Sub, width(i), t.value, b);
    return {};
}

Guest<> sbb(Vcpu& v, const Insn& i) {
    u64 b = TRY(get(v, i, 1)), c = carry(v);
    Target t = TRY(target(v, i, 0));
    t.set(v, t.value - b - c);
    lazy(v, c ? FlagOp::Sbb : FlagOp::Sub, width(i), t.value, b);
    return {};
}

Guest<> cmp(Vcpu& v, const Insn& i) {
    u64 a = TRY(get(v, i, 0)), b = TRY(get(v, i, 1));
    lazy(v, FlagOp::Sub, width(i), a, b);
    return {};
}

template <class F>
Guest<> logic(Vcpu& v, const Insn& i, F f) {
    u64 b = TRY(get(v, i, 1));
    Target t = TRY(target(v, i, 0));
    u64 r = f(t.value, b);
    t.set(v, r);
    lazy(v, FlagOp::Logic, width(i), r, 0);
    return {};
}
Guest<> and_(Vcpu& v, const Insn& i) {
    return logic(v, i, [](u64 a, u64 b) { return a & b; });
}
Guest<> or_(Vcpu& v, const Insn& i) {
    return logic(v, i, [](u64 a, u64 b) { return a | b; });
}
Guest<> xor_(Vcpu& v, const Insn& i) {
    return logic(v, i, [](u64 a, u64 b) { return a ^ b; });
}
Guest<> test(Vcpu& v, const Insn& i) {
    u64 a = TRY(get(v, i, 0)), b = TRY(get(v, i, 1));
    lazy(v, FlagOp::Logic, width(i), a & b, 0);
    return {};
}

Guest<> inc(Vcpu& v, const Insn& i) {
    Target t = TRY(target(v, i, 0));
    u64 c = carry(v);
    t.set(v, t.value + 1);
    lazy(v, FlagOp::Inc, width(i), t.value + 1, c);
    return {};
}
Guest<> dec(Vcpu& v, const Insn& i) {
    Target t = TRY(target(v, i, 0));
    u64 c = carry(v);
    t.set(v, t.value - 1);
    lazy(v, FlagOp::Dec, width(i), t.value - 1, c);
    return {};
}
Guest<> neg(Vcpu& v, const Insn& i) {
    Target t = TRY(target(v, i, 0));
    t.set(v, -t.value);
    lazy(v, FlagOp::Sub, width(i), 0, t.value);
    return {};
}
Guest<> not_(Vcpu& v, const Insn& i) {
    Target t = TRY(target(v, i, 0));
    t.set(v, ~t.value);
    return {};
}

Guest<> xadd(Vcpu& v, const Insn& i) {
    u64 b = TRY(get(v, i, 1));
    Target t = TRY(target(v, i, 0));
    set_register(v, i.op[1], t.value);
    t.set(v, t.value + b);
    lazy(v, FlagOp::Add, width(i), t.value, b);
    return {};
}

Guest<> xchg(Vcpu& v, const Insn& i) {
    const unsigned memory = i.op[1].is(OperandKind::Memory) ? 1 : 0;
    Target t = TRY(target(v, i, memory));
    u64 other = get_register(v, i.op[1 - memory]);
    set_register(v, i.op[1 - memory], t.value);
    t.set(v, other);
    return {};
}

Guest<> cmpxchg(Vcpu& v, const Insn& i) {
    const unsigned size = i.op[0].size;
    u64 source = TRY(get(v, i, 1));
    Target t = TRY(target(v, i, 0));
    u64 accumulator = get_gpr(v, Rax, size);
    if (accumulator == t.value) {
        t.set(v, source);
    } else {
        // Memory is written in any case. Processors leave a register alone, to its upper half, whatever the manual writes.
        if (i.op[0].is(OperandKind::Memory)) t.set(v, t.value);
        set_gpr(v, Rax, size, t.value);
    }
    lazy(v, FlagOp::Sub, width(i), accumulator, t.value);
    return {};
}

// CMPXCHG8B and CMPXCHG16B; `half` is the size of each register.
Guest<> cmpxchg_pair(Vcpu& v, const Insn& i, unsigned half) {
    // The pair of 16 bytes must be aligned whether or not the program asks for #AC.
    u64 at = half == 8 ? TRY(linear_address(v, i.mem.seg, effective_offset(v, i), 16, true))
                       : TRY(operand_address(v, i, 8, true));
    if (half == 8 && at & 15) return gp();
    Stretch place = TRY(translate_to_modify(v, at, 2 * half));
    u64 now[2] = {};
    u8 bytes[16];
    place.load(v, bytes);
    for (unsigned n = 0; n < 2 * half; n++) now[n / half] |= u64{bytes[n]} << 8 * (n % half);
    const bool equal = now[0] == get_gpr(v, Rax, half) && now[1] == get_gpr(v, Rdx, half);
    if (equal) {
        u64 next[2] = {v.gpr[Rbx], v.gpr[Rcx]};
        for (unsigned n = 0; n < 2 * half; n++) bytes[n] = next[n / half] >> 8 * (n % half);
    }
    place.store(v, bytes);
    if (!equal) {
        set_gpr(v, Rax, half, now[0]);
        set_gpr(v, Rdx, half, now[1]);
    }
    set_arithmetic(v, (evaluate(v.flags) & ~flag::zf) | (equal ? flag::zf : 0));
    return {};
}
Guest<> cmpxchg8b(Vcpu& v, const Insn& i) { return cmpxchg_pair(v, i, 4); }
Guest<> cmpxchg16b(Vcpu& v, const Insn& i) { return cmpxchg_pair(v, i, 8); }

// --- Multiplication and division

void multiplied(Vcpu& v, unsigned size_log2, u64 low, bool overflow) {
    lazy(v, FlagOp::Result, size_log2, low, overflow ? flag::cf | flag::of : 0);
}

// The double-width result or dividend: AX, DX:AX, EDX:EAX, RDX:RAX.
void set_double(Vcpu& v, unsigned size, u64 low, u64 high) {
    if (size == 1) {
        set_gpr(v, Rax, 2, (low & 0xff) | (high & 0xff) << 8);
        return;
    }
    set_gpr(v, Rax, size, low);
    set_gpr(v, Rdx, size, high);
}
u128 get_double(const Vcpu& v, unsigned size) {
    if (size == 1) return v.gpr[Rax] & 0xffff;
    return u128{get_gpr(v, Rdx, size)} << (8 * size) | get_gpr(v, Rax, size);
}

Guest<> mul(Vcpu& v, const Insn& i) {
    const unsigned size = i.op[0].size;
    u128 product = u128{TRY(get(v, i, 0))} * get_gpr(v, Rax, size);
    auto high = static_cast<u64>(product >> (8 * size));
    set_double(v, size, static_cast<u64>(product), high);
    multiplied(v, width(i), static_cast<u64>(product), high != 0);
    return {};
}

Guest<> imul(Vcpu& v, const Insn& i) {
    const unsigned size = i.op[0].size;
    i64 a, b;
    if (i.opcode_map == 0 && (i.opcode & 0xfe) == 0xf6) {  // one operand
        a = sign_extend(v.gpr[Rax], 8 * size);
        b = TRY(get_signed(v, i, 0));
    } else if (i.opcode_map == 1) {
        a = TRY(get_signed(v, i, 0));
        b = TRY(get_signed(v, i, 1));
    } else {
        a = TRY(get_signed(v, i, 1));
        b = i.imm;
    }
    i128 product = i128{a} * b;
    auto low = static_cast<u64>(product);
    bool overflow = i128{sign_extend(low, 8 * size)} != product;
    if (i.opcode_map == 0 && (i.opcode & 0xfe) == 0xf6)
        set_double(v, size, low, static_cast<u64>(product >> (8 * size)));
    else
        set_register(v, i.op[0], low);
    multiplied(v, width(i), low, overflow);
    return {};
}

void divided(Vcpu& v, unsigned size, u64 quotient, u64 remainder) {
    set_double(v, size, quotient, remainder);  // AH is the remainder of the byte form
}

Guest<> div(Vcpu& v, const Insn& i) {
    const unsigned size = i.op[0].size;
    u64 divisor = TRY(get(v, i, 0));
    u128 dividend = get_double(v, size);
    if (!divisor || dividend >> (8 * size) >= divisor) return fault(Vector::De);
    if (size < 8) {
        auto narrow = static_cast<u64>(dividend);
        divided(v, size, narrow / divisor, narrow % divisor);
    } else {
        divided(v, size, static_cast<u64>(dividend / divisor), static_cast<u64>(dividend % divisor));
    }
    return {};
}

Guest<> idiv(Vcpu& v, const Insn& i) {
    const unsigned size = i.op[0].size, bits = 8 * size;
    i64 divisor = TRY(get_signed(v, i, 0));
    if (!divisor) return fault(Vector::De);
    // Magnitudes divide; the signs are put back. The remainder has the dividend's sign.
    u128 raw = get_double(v, size);
    bool negative = static_cast<bool>(raw >> (2 * bits - 1) & 1);
    u128 wide_mask = size == 8 ? ~u128{0} : (u128{1} << (2 * bits)) - 1;
    u128 dividend = negative ? (u128{0} - raw) & wide_mask : raw;
    u64 d = divisor < 0 ? u64{0} - static_cast<u64>(divisor) : static_cast<u64>(divisor);
    if (dividend >> bits >= d) return fault(Vector::De);
    u64 q, r;
    if (size < 8)
        q = static_cast<u64>(dividend) / d, r = static_cast<u64>(dividend) % d;
    else
        q = static_cast<u64>(dividend / d), r = static_cast<u64>(dividend % d);
    bool negative_quotient = negative != (divisor < 0);
    if (q > (u64{1} << (bits - 1)) - (negative_quotient ? 0 : 1)) return fault(Vector::De);
    divided(v, size, negative_quotient ? u64{0} - q : q, negative ? u64{0} - r : r);
    return {};
}

// --- Decimal adjustments

void decimal_flags(Vcpu& v, u64 al, u64 carries) { lazy(v, FlagOp::Result, 0, al, carries); }

Guest<> decimal_adjust(Vcpu& v, bool subtract) {
    u64 old = v.gpr[Rax] & 0xff, flags = evaluate(v.flags), al = old, carries = 0;
    u64 step = subtract ? -u64{1} : 1;
    if ((old & 15) > 9 || flags & flag::af) {
        al += 6 * step;
        carries |= flag::af;
        if (subtract && old < 6) carries |= flag::cf;
    }
    if (old > 0x99 || flags & flag::cf) {
        al += 0x60 * step;
        carries |= flag::cf;
    }
    set_gpr(v, Rax, 1, al);
    decimal_flags(v, al, carries);
    return {};
}
Guest<> daa(Vcpu& v, const Insn&) { return decimal_adjust(v, false); }
Guest<> das(Vcpu& v, const Insn&) { return decimal_adjust(v, true); }

Guest<> ascii_adjust(Vcpu& v, bool subtract) {
    u64 ax = v.gpr[Rax] & 0xffff, carries = 0;
    if ((ax & 15) > 9 || evaluate(v.flags) & flag::af) {
        ax = subtract ? ax - 0x106 : ax + 0x106;
        carries = flag::af | flag::cf;
    }
    set_gpr(v, Rax, 2, ax & 0xff0f);
    decimal_flags(v, ax & 15, carries);
    return {};
}
Guest<> aaa(Vcpu& v, const Insn&) { return ascii_adjust(v, false); }
Guest<> aas(Vcpu& v, const Insn&) { return ascii_adjust(v, true); }

Guest<> aam(Vcpu& v, const Insn& i) {
    u8 base = i.imm, al = v.gpr[Rax];
    if (!base) return fault(Vector::De);
    set_gpr(v, Rax, 2, (al / base) << 8 | al % base);
    decimal_flags(v, al % base, 0);
    return {};
}
Guest<> aad(Vcpu& v, const Insn& i) {
    u8 al = v.gpr[Rax] + (v.gpr[Rax] >> 8 & 0xff) * static_cast<u8>(i.imm);
    set_gpr(v, Rax, 2, al);
    decimal_flags(v, al, 0);
    return {};
}

}  // namespace

Semantics arithmetic_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_ADD: return add;
        case ZYDIS_MNEMONIC_ADC: return adc;
        case ZYDIS_MNEMONIC_SUB: return sub;
        case ZYDIS_MNEMONIC_SBB: return sbb;
        case ZYDIS_MNEMONIC_CMP: return cmp;
        case ZYDIS_MNEMONIC_AND: return and_;
        case ZYDIS_MNEMONIC_OR: return or_;
        case ZYDIS_MNEMONIC_XOR: return xor_;
        case ZYDIS_MNEMONIC_TEST: return test;
        case ZYDIS_MNEMONIC_INC: return inc;
        case ZYDIS_MNEMONIC_DEC: return dec;
        case ZYDIS_MNEMONIC_NEG: return neg;
        case ZYDIS_MNEMONIC_NOT: return not_;
        case ZYDIS_MNEMONIC_XADD: return xadd;
        case ZYDIS_MNEMONIC_XCHG: return xchg;
        case ZYDIS_MNEMONIC_CMPXCHG: return cmpxchg;
        case ZYDIS_MNEMONIC_CMPXCHG8B: return cmpxchg8b;
        case ZYDIS_MNEMONIC_CMPXCHG16B: return cmpxchg16b;
        case ZYDIS_MNEMONIC_MUL: return mul;
        case ZYDIS_MNEMONIC_IMUL: return imul;
        case ZYDIS_MNEMONIC_DIV: return div;
        case ZYDIS_MNEMONIC_IDIV: return idiv;
        case ZYDIS_MNEMONIC_DAA: return daa;
        case ZYDIS_MNEMONIC_DAS: return das;
        case ZYDIS_MNEMONIC_AAA: return aaa;
        case ZYDIS_MNEMONIC_AAS: return aas;
        case ZYDIS_MNEMONIC_AAM: return aam;
        case ZYDIS_MNEMONIC_AAD: return aad;
        default: return bit_semantics(i);
    }
}

}  // namespace bmbt

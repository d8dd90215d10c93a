// ADD SUB ADC SBB CMP AND OR XOR TEST INC DEC NEG NOT. Source: Intel SDM vol. 2, the instructions' own pages.
#include <Zydis/Mnemonic.h>

#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace flag = x86::flag;

enum class Alu : u8 { Add, Sub, And, Or, Xor };
bool fits12(i64 v) { return v >= -2048 && v <= 2047; }
bool fits_u12(i64 v) { return v >= 0 && v <= 4095; }
bool logical(Alu op) { return op >= Alu::And; }
Upper meet(Upper a, Upper b) { return a == b ? a : Upper::Any; }

// d = a op b in `size` bytes (upper bits of smaller sizes are garbage; 4 bytes are sign-extended for Add and Sub).
void combine(Block& b, Alu op, Gpr d, Gpr x, Gpr y, unsigned size) {
    auto& as = b.as;
    switch (op) {
        case Alu::Add: size == 4 ? as.add_w(d, x, y) : as.add_d(d, x, y); break;
        case Alu::Sub: size == 4 ? as.sub_w(d, x, y) : as.sub_d(d, x, y); break;
        case Alu::And: as.and_(d, x, y); break;
        case Alu::Or: as.or_(d, x, y); break;
        case Alu::Xor: as.xor_(d, x, y); break;
    }
}

// The same with a constant; false if it does not fit an immediate.
bool combine_constant(Block& b, Alu op, Gpr d, Gpr x, i64 c, unsigned size) {
    auto& as = b.as;
    if (op == Alu::Sub) c = -c;
    if (logical(op) ? !fits_u12(c) : !fits12(c)) return false;
    switch (op) {
        case Alu::Add:
        case Alu::Sub: size == 4 ? as.addi_w(d, x, c) : as.addi_d(d, x, c); break;
        case Alu::And: as.andi(d, x, c); break;
        case Alu::Or: as.ori(d, x, c); break;
        case Alu::Xor: as.xori(d, x, c); break;
    }
    return true;
}

FlagOp in_place(Alu op) { return op == Alu::Add ? FlagOp::AddR : op == Alu::Sub ? FlagOp::SubR : FlagOp::Logic; }

Upper known_upper(Block& b, unsigned reg) {
    if (b.is_sign_extended(reg)) return Upper::Sign;
    return b.zero_extended(reg) ? Upper::Zero : Upper::Any;
}

// A 32- or 64-bit register with a register, constant or memory operand.
void alu_register(Block& b, const Insn& i, Alu op) {
    const Operand &dst = i.op[0], &src = i.op[1];
    unsigned size = dst.size, reg = dst.reg;
    bool same = src.is(OperandKind::Gpr) && src.reg == reg && src.size == dst.size;
    Gpr d = host::guest[reg];
    if (same && (op == Alu::Xor || op == Alu::Sub)) {  // the zero idiom
        b.as.move(size == 4 ? b.write32(reg, Upper::Zero) : b.write64(reg), zero);
        b.set_flags(FlagOp::Logic, size, zero, zero);  // 0 - 0 makes the same flags as a logical 0
        return;
    }
    Gpr x = size == 8 ? b.whole(reg) : b.low(reg);
    Upper upper = Upper::Sign;
    auto write = [&](Upper u) { return size == 8 ? b.write64(reg) : b.write32(reg, u); };
    if (b.is_constant(src)) {
        i64 c = b.constant_of(src);
        if (logical(op)) {
            upper = known_upper(b, reg);
            if (op == Alu::And && fits_u12(c)) upper = Upper::Zero;
            else if (!fits_u12(c) && upper != Upper::Sign) upper = c >= 0 ? upper : Upper::Any;
            else if (fits_u12(c) && upper == Upper::Any) upper = Upper::Any;
        }
        b.drop_flags();
        Gpr y = zero;
        bool fits = logical(op) ? fits_u12(c) : fits12(op == Alu::Sub ? -c : c);
        if (!fits) y = b.constant(static_cast<u64>(c));
        Gpr to = write(upper);
        if (fits) combine_constant(b, op, to, x, c, size);
        else combine(b, op, to, x, y, size);
        logical(op) ? b.set_flags(FlagOp::Logic, size, to, zero) : b.set_flags_constant(in_place(op), size, to, c);
        return;
    }
    Gpr y;
    bool need = b.flags_needed() && !logical(op);
    if (src.is(OperandKind::Memory)) {
        // Loaded to where the flags want it, unless that still holds the flags of an instruction that may fault.
        bool direct = need && b.flag_b_free();
        y = direct ? host::flag_b : b.temp();
        b.load(y, b.address(), size, Upper::Any);
        if (need && !direct) b.as.move(host::flag_b, y);
        if (need) y = host::flag_b;
        if (logical(op)) upper = meet(known_upper(b, reg), Upper::Sign);
    } else {
        y = b.read(src, Upper::Any);
        if (logical(op)) {
            Upper other = src.is(OperandKind::Gpr) ? known_upper(b, src.reg) : Upper::Any;
            upper = meet(known_upper(b, reg), other);
            if (op == Alu::And && (known_upper(b, reg) == Upper::Zero || other == Upper::Zero)) upper = Upper::Zero;
        }
        if (need && y == d) {
            b.as.move(host::flag_b, y);
            y = host::flag_b;
        }
    }
    b.drop_flags();
    Gpr to = write(upper);
    combine(b, op, to, x, y, size);
    b.set_flags(in_place(op), size, to, logical(op) ? zero : y);
}

// An 8- or 16-bit register.
void alu_small(Block& b, const Insn& i, Alu op) {
    const Operand &dst = i.op[0], &src = i.op[1];
    bool need = b.flags_needed(), constant = b.is_constant(src);
    Gpr y = zero;
    if (!constant) {
        y = b.read(src, Upper::Any);
        // In a temporary, or in the register that is about to change: keep it for the flags.
        bool pinned = src.is(OperandKind::Gpr) && !(dst.reg == src.reg);
        if (need && !logical(op) && !pinned) {
            b.as.move(host::flag_b, y);
            y = host::flag_b;
        }
    }
    Gpr x = b.read(dst, Upper::Any), sum = need ? host::flag_a : b.temp();
    if (!constant) {
        combine(b, op, sum, x, y, 8);
    } else if (!combine_constant(b, op, sum, x, b.constant_of(src), 8)) {
        Gpr c = b.constant(static_cast<u64>(b.constant_of(src)));
        combine(b, op, sum, x, c, 8);
    }
    b.drop_flags();
    b.write(dst, sum);
    if (logical(op)) b.set_flags(FlagOp::Logic, dst.size, sum, zero);
    else if (constant) b.set_flags_constant(in_place(op), dst.size, sum, b.constant_of(src));
    else b.set_flags(in_place(op), dst.size, sum, y);
}

// Memory, without LOCK: address once; nothing changes before the store.
void alu_memory(Block& b, const Insn& i, Alu op) {
    const Operand &dst = i.op[0], &src = i.op[1];
    unsigned size = dst.size;
    bool need = b.flags_needed(), constant = b.is_constant(src);
    Gpr y = constant ? zero : b.read(src, Upper::Any);
    Address at = b.address();
    Gpr old = b.temp(), sum = b.temp();
    b.load(old, at, size, Upper::Any);
    if (!constant) {
        combine(b, op, sum, old, y, size);
    } else if (!combine_constant(b, op, sum, old, b.constant_of(src), size)) {
        Gpr c = b.constant(static_cast<u64>(b.constant_of(src)));
        combine(b, op, sum, old, c, size);
    }
    b.store(sum, at, size);
    if (!need) return b.drop_flags();
    b.as.move(host::flag_a, sum);
    if (logical(op)) return b.set_flags(FlagOp::Logic, size, host::flag_a, zero);
    if (constant) return b.set_flags_constant(in_place(op), size, host::flag_a, b.constant_of(src));
    if (src.is(OperandKind::GprHigh)) {
        b.as.move(host::flag_b, y);
        y = host::flag_b;
    }
    b.set_flags(in_place(op), size, host::flag_a, y);
}

// LOCK on an aligned doubleword or quadword: the host's atomic. Others, and unaligned ones, in C++ (an ALE goes there too).
void alu_locked(Block& b, const Insn& i, Alu op) {
    const Operand &dst = i.op[0], &src = i.op[1];
    unsigned size = dst.size;
    if (size < 4) return b.callout();
    auto& as = b.as;
    Gpr y = b.read(src, size == 4 ? Upper::Sign : Upper::Any), operand = y;
    Gpr at = b.address_register(b.address()), old = b.temp();
    bool wide = size == 8;
    if (op == Alu::Sub) as.sub_d(operand = b.temp(), zero, y);
    switch (op) {
        case Alu::Add:
        case Alu::Sub: wide ? as.amadd_db_d(old, operand, at) : as.amadd_db_w(old, operand, at); break;
        case Alu::And: wide ? as.amand_db_d(old, operand, at) : as.amand_db_w(old, operand, at); break;
        case Alu::Or: wide ? as.amor_db_d(old, operand, at) : as.amor_db_w(old, operand, at); break;
        case Alu::Xor: wide ? as.amxor_db_d(old, operand, at) : as.amxor_db_w(old, operand, at); break;
    }
    if (!b.flags_needed()) return b.drop_flags();
    combine(b, op, host::flag_a, old, y, size);
    if (logical(op)) return b.set_flags(FlagOp::Logic, size, host::flag_a, zero);
    as.move(host::flag_b, y);
    b.set_flags(in_place(op), size, host::flag_a, host::flag_b);
}

template <Alu op>
void alu(Block& b, const Insn& i) {
    const Operand& dst = i.op[0];
    if (i.lock) return alu_locked(b, i, op);
    if (dst.is(OperandKind::Memory)) return alu_memory(b, i, op);
    if (dst.is(OperandKind::Gpr) && dst.size >= 4) return alu_register(b, i, op);
    alu_small(b, i, op);
}

// A value for the flags: a guest register as it is, anything else in `home`. Memory operands are loaded there directly
// unless that still holds flags a fault would have to show.
Gpr flag_source(Block& b, const Operand& o, Gpr home, bool home_free) {
    if (o.is(OperandKind::Gpr)) return b.read(o, Upper::Any);
    if (o.is(OperandKind::Memory) && !home_free) {
        Gpr t = b.temp();
        b.read_into(t, o, Upper::Sign);
        b.as.move(home, t);
    } else {
        b.read_into(home, o, Upper::Sign);
    }
    return home;
}

void cmp(Block& b, const Insn& i) {
    const Operand &x = i.op[0], &y = i.op[1];
    if (!b.flags_needed()) {
        if (x.is(OperandKind::Memory)) b.read(x, Upper::Any);
        if (y.is(OperandKind::Memory)) b.read(y, Upper::Any);
        return b.drop_flags();
    }
    // A high byte needs flag_b or flag_a while memory is still to be read: memory first.
    Gpr left, right = zero;
    bool constant = b.is_constant(y);
    bool b_free = b.flag_b_free(), a_free = b.flag_a_free();
    if (y.is(OperandKind::Memory)) {
        right = flag_source(b, y, host::flag_b, b_free);
        left = flag_source(b, x, host::flag_a, true);
    } else {
        left = flag_source(b, x, host::flag_a, a_free);
        if (!constant) right = flag_source(b, y, host::flag_b, true);
    }
    if (constant) b.set_flags_constant(FlagOp::Sub, x.size, left, b.constant_of(y));
    else b.set_flags(FlagOp::Sub, x.size, left, right);
    b.flags().a_sign_extended = left == host::flag_a;
    b.flags().b_sign_extended = right == host::flag_b;
}

void test(Block& b, const Insn& i) {
    const Operand &x = i.op[0], &y = i.op[1];
    if (!b.flags_needed()) {
        if (x.is(OperandKind::Memory)) b.read(x, Upper::Any);
        return b.drop_flags();
    }
    if (x.is(OperandKind::Gpr) && y.is(OperandKind::Gpr) && x.reg == y.reg) {
        Gpr r = b.read(x, Upper::Any);
        return b.set_flags(FlagOp::Logic, x.size, r, zero);
    }
    Gpr left = b.read(x, Upper::Any);
    if (b.is_constant(y)) {
        i64 c = b.constant_of(y);
        u64 bits_of = static_cast<u64>(c) & mask(x.size * 8);
        if (bits_of <= 4095) {
            b.as.andi(host::flag_a, left, static_cast<i64>(bits_of));
            b.set_flags(FlagOp::Logic, x.size, host::flag_a, zero);
            b.flags().a_zero_extended = true;
            b.flags().a_sign_extended = x.size == 8 || !(bits_of >> (x.size * 8 - 1));
            return;
        }
        Gpr right = b.constant(static_cast<u64>(c));
        b.as.and_(host::flag_a, left, right);
    } else {
        Gpr right = b.read(y, Upper::Any);
        b.as.and_(host::flag_a, left, right);
    }
    b.set_flags(FlagOp::Logic, x.size, host::flag_a, zero);
}

// INC and DEC keep CF: it is taken out of the old flags if anyone will see it.
template <bool up>
void step(Block& b, const Insn& i) {
    const Operand& o = i.op[0];
    if (i.lock) return b.callout();
    bool need = b.flags_needed();
    bool carry = b.flags_live() & flag::cf;
    unsigned size = o.size;
    Gpr cf = zero;
    if (need && carry) cf = b.condition_value(2);  // CF is condition B
    auto finish = [&](Gpr result) {
        if (!need) return b.drop_flags();
        if (!(cf == zero)) b.as.move(host::flag_b, cf);
        b.set_flags(up ? FlagOp::Inc : FlagOp::Dec, size, result, carry ? host::flag_b : zero);
    };
    i64 d = up ? 1 : -1;
    if (o.is(OperandKind::Memory)) {
        Address at = b.address();
        Gpr t = b.temp();
        b.load(t, at, size, Upper::Any);
        size == 4 ? b.as.addi_w(t, t, d) : b.as.addi_d(t, t, d);
        b.store(t, at, size);
        if (need) b.as.move(host::flag_a, t);
        return finish(host::flag_a);
    }
    if (o.is(OperandKind::Gpr) && size >= 4) {
        Gpr x = size == 8 ? b.whole(o.reg) : b.low(o.reg);
        b.drop_flags();
        Gpr to = size == 8 ? b.write64(o.reg) : b.write32(o.reg, Upper::Sign);
        size == 4 ? b.as.addi_w(to, x, d) : b.as.addi_d(to, x, d);
        return finish(to);
    }
    Gpr x = b.read(o, Upper::Any), t = need ? host::flag_a : b.temp();
    b.as.addi_d(t, x, d);
    b.drop_flags();
    b.write(o, t);
    finish(t);
}

void neg(Block& b, const Insn& i) {
    const Operand& o = i.op[0];
    if (i.lock) return b.callout();
    unsigned size = o.size;
    bool need = b.flags_needed();
    if (o.is(OperandKind::Memory)) {
        Address at = b.address();
        Gpr t = b.temp(), r = b.temp();
        b.load(t, at, size, Upper::Any);
        b.as.sub_d(r, zero, t);
        b.store(r, at, size);
        if (need) b.as.move(host::flag_b, t);
    } else {
        Gpr x = size == 8 ? b.whole(o.reg) : b.read(o, Upper::Any);
        if (need) b.as.move(host::flag_b, x), x = host::flag_b;
        b.drop_flags();
        if (o.is(OperandKind::Gpr) && size >= 4) {
            Gpr to = size == 8 ? b.write64(o.reg) : b.write32(o.reg, Upper::Sign);
            size == 4 ? b.as.sub_w(to, zero, x) : b.as.sub_d(to, zero, x);
        } else {
            Gpr t = b.temp();
            b.as.sub_d(t, zero, x);
            b.write(o, t);
        }
    }
    b.set_flags(FlagOp::Sub, size, zero, host::flag_b);
}

void not_(Block& b, const Insn& i) {
    const Operand& o = i.op[0];
    if (i.lock) return b.callout();
    if (o.is(OperandKind::Memory)) {
        Address at = b.address();
        Gpr t = b.temp();
        b.load(t, at, o.size, Upper::Any);
        b.as.nor(t, t, zero);
        b.store(t, at, o.size);
    } else if (o.is(OperandKind::Gpr) && o.size >= 4) {
        Gpr x = o.size == 8 ? b.whole(o.reg) : b.low(o.reg);
        Upper up = b.is_sign_extended(o.reg) ? Upper::Sign : Upper::Any;
        b.as.nor(o.size == 8 ? b.write64(o.reg) : b.write32(o.reg, up), x, zero);
    } else {
        Gpr x = b.read(o, Upper::Any), t = b.temp();
        b.as.nor(t, x, zero);
        b.write(o, t);
    }
}

// The kind of an addition or subtraction with the carry that went in: Add or Adc, Sub or Sbb.
template <bool add>
void carry_kind(Block& b, Gpr t, Gpr carry, unsigned size) {
    constexpr i64 without = static_cast<i64>(add ? FlagOp::Add : FlagOp::Sub) * 4;
    constexpr i64 distance = static_cast<i64>(add ? FlagOp::Adc : FlagOp::Sbb) * 4 - without;
    static_assert(distance == 20 || distance == 24);
    b.as.slli_d(t, carry, 4);
    if (distance == 20) b.as.alsl_d(t, carry, t, 2);
    else b.as.alsl_d(t, carry, t, 3);
    b.as.addi_d(host::flag_kind, t, without + __builtin_ctz(size));
    b.flags() = FlagState{};
}

template <bool add>
void small_with_carry(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    auto& as = b.as;
    bool memory = dst.is(OperandKind::Memory), need = b.flags_needed();
    Gpr c = b.condition_value(2), y = b.read(src, Upper::Any), x = b.temp(), r = b.temp();
    Address at = memory ? b.address() : Address{};
    if (memory) b.load(x, at, dst.size, Upper::Any);
    else b.read_into(x, dst, Upper::Any);
    as.add_d(r, y, c);
    add ? as.add_d(r, x, r) : as.sub_d(r, x, r);
    if (memory) b.store(r, at, dst.size);
    if (need) as.move(host::flag_b, y), as.move(host::flag_a, x);
    b.drop_flags();
    if (!memory) b.write(dst, r);
    if (need) carry_kind<add>(b, r, c, dst.size);
}

// ADC and SBB; with LOCK in C++.
template <bool add>
void with_carry(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    unsigned size = dst.size;
    if (i.lock) return b.callout();
    if (!dst.is(OperandKind::Gpr) || size < 4) return small_with_carry<add>(b, i);
    auto& as = b.as;
    Gpr c = b.condition_value(2);
    Gpr y = b.read(src, size == 4 ? Upper::Sign : Upper::Any);
    bool need = b.flags_needed();
    if (need && !(y == host::flag_b)) as.move(host::flag_b, y);
    if (need) as.move(host::flag_a, size == 8 ? b.whole(dst.reg) : b.low(dst.reg));
    Gpr x = size == 8 ? b.whole(dst.reg) : b.low(dst.reg);
    b.drop_flags();
    Gpr t = b.temp();
    add ? as.add_d(t, y, c) : as.add_d(t, y, c);
    Gpr to = size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Sign);
    if (size == 8) add ? as.add_d(to, x, t) : as.sub_d(to, x, t);
    else add ? as.add_w(to, x, t) : as.sub_w(to, x, t);
    if (!need) return;
    carry_kind<add>(b, t, c, size);
}

constexpr u16 all = flag::arithmetic;
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_ADD, alu<Alu::Add>, 0, all, Row::lock},
    {ZYDIS_MNEMONIC_SUB, alu<Alu::Sub>, 0, all, Row::lock},
    {ZYDIS_MNEMONIC_AND, alu<Alu::And>, 0, all, Row::lock},
    {ZYDIS_MNEMONIC_OR, alu<Alu::Or>, 0, all, Row::lock},
    {ZYDIS_MNEMONIC_XOR, alu<Alu::Xor>, 0, all, Row::lock},
    {ZYDIS_MNEMONIC_CMP, cmp, 0, all},
    {ZYDIS_MNEMONIC_TEST, test, 0, all},
    {ZYDIS_MNEMONIC_INC, step<true>, flag::cf, all & ~flag::cf},
    {ZYDIS_MNEMONIC_DEC, step<false>, flag::cf, all & ~flag::cf},
    {ZYDIS_MNEMONIC_NEG, neg, 0, all},
    {ZYDIS_MNEMONIC_NOT, not_, 0, 0},
    {ZYDIS_MNEMONIC_ADC, with_carry<true>, flag::cf, all},
    {ZYDIS_MNEMONIC_SBB, with_carry<false>, flag::cf, all},
};

}  // namespace

Rows arithmetic_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

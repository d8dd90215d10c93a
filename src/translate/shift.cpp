// SHL SHR SAR ROL ROR SHLD SHRD. RCL, RCR and the small variable forms run in C++.
// Source: Intel SDM vol. 2, "SAL/SAR/SHL/SHR", "RCL/RCR/ROL/ROR", "SHLD", "SHRD".
#include <Zydis/Mnemonic.h>

#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace flag = x86::flag;

enum class Shift : u8 { Left, Right, Arithmetic };

void by_constant(Assembler& as, Shift s, Gpr d, Gpr x, unsigned n, unsigned size) {
    switch (s) {
        case Shift::Left: size == 4 ? as.slli_w(d, x, n) : as.slli_d(d, x, n); break;
        case Shift::Right: size == 4 ? as.srli_w(d, x, n) : as.srli_d(d, x, n); break;
        case Shift::Arithmetic: size == 4 ? as.srai_w(d, x, n) : as.srai_d(d, x, n); break;
    }
}
void by_register(Assembler& as, Shift s, Gpr d, Gpr x, Gpr n, unsigned size) {
    switch (s) {
        case Shift::Left: size == 4 ? as.sll_w(d, x, n) : as.sll_d(d, x, n); break;
        case Shift::Right: size == 4 ? as.srl_w(d, x, n) : as.srl_d(d, x, n); break;
        case Shift::Arithmetic: size == 4 ? as.sra_w(d, x, n) : as.sra_d(d, x, n); break;
    }
}

// CF (and OF where the count is 1) of shifting x by n, into flag_b. Counts of the width and more shift out zeros or signs.
void carry_out(Block& b, Shift s, Gpr x, unsigned n, unsigned size) {
    auto& as = b.as;
    unsigned width = size * 8;
    if (s == Shift::Left) {
        if (n > width) return as.move(host::flag_b, zero);
        return as.bstrpick_d(host::flag_b, x, width - n, width - n);
    }
    unsigned from = n - 1 < width ? n - 1 : width - 1;
    if (s == Shift::Right && n > width) return as.move(host::flag_b, zero);
    if (s == Shift::Right && n == 1) {  // OF is the old sign
        Gpr t = b.temp();
        as.bstrpick_d(t, x, width - 1, width - 1);
        as.bstrpick_d(host::flag_b, x, 0, 0);
        return as.bstrins_d(host::flag_b, t, 11, 11);
    }
    as.bstrpick_d(host::flag_b, x, from, from);
}

template <Shift s>
void shift_constant(Block& b, const Insn& i, unsigned n) {
    const Operand& o = i.op[0];
    unsigned size = o.size;
    auto& as = b.as;
    bool need = b.flags_needed();
    if (n == 0) {
        if (o.is(OperandKind::Memory)) return b.callout();  // the access is checked all the same
        // The upper half becomes zero all the same.
        if (o.is(OperandKind::Gpr) && size == 4) as.bstrpick_d(b.write32(o.reg, Upper::Zero), host::guest[o.reg], 31, 0);
        return;
    }
    bool doubles = s == Shift::Left && n == 1;  // SHL by one makes ADD's flags
    if (o.is(OperandKind::Gpr) && size >= 4) {
        Gpr x = size == 8 ? b.whole(o.reg) : b.low(o.reg);
        if (need && doubles) as.move(host::flag_b, x);
        else if (need) carry_out(b, s, x, n, size);
        b.drop_flags();
        Gpr to = size == 8 ? b.write64(o.reg) : b.write32(o.reg, s == Shift::Right ? Upper::Zero : Upper::Sign);
        by_constant(as, s, to, x, n, size);
        return b.set_flags(doubles ? FlagOp::AddR : FlagOp::Result, size, to, host::flag_b);
    }
    // Memory and small registers: extended so that the 64-bit shift has the right bits.
    bool memory = o.is(OperandKind::Memory);
    Address at = memory ? b.address() : Address{};
    Gpr x = b.temp(), r = b.temp();
    Upper up = s == Shift::Arithmetic ? Upper::Sign : Upper::Zero;
    if (memory) b.load(x, at, size, up);
    else b.read_into(x, o, up);
    by_constant(as, s, r, x, n, 8);
    if (memory) b.store(r, at, size);
    if (need && doubles) as.move(host::flag_b, x);
    else if (need) carry_out(b, s, x, n, size);
    if (need) as.move(host::flag_a, r);
    b.drop_flags();
    if (!memory) b.write(o, r);
    b.set_flags(doubles ? FlagOp::AddR : FlagOp::Result, size, host::flag_a, host::flag_b);
}

// By CL. A count of zero leaves the flags alone, so they go to their registers first if anyone will see them.
template <Shift s>
void shift_variable(Block& b, const Insn& i) {
    const Operand& o = i.op[0];
    unsigned size = o.size;
    if (!o.is(OperandKind::Gpr) || size < 4) return b.callout();
    auto& as = b.as;
    Gpr n = b.low(x86::Rcx);
    Gpr x = size == 8 ? b.whole(o.reg) : b.low(o.reg);
    auto target = [&] { return size == 8 ? b.write64(o.reg) : b.write32(o.reg, Upper::Sign); };
    if (!b.flags_needed()) {
        by_register(as, s, target(), x, n, size);
        return;
    }
    b.flags_to_registers();
    Gpr count = b.temp(), out = b.temp();
    unsigned width = size * 8;
    as.andi(count, n, width - 1);
    Label same;
    as.beqz(count, same);
    // CF: the last bit out; OF as for a count of one, which is what it must be for that count.
    if (s == Shift::Left) {
        as.sub_d(out, zero, count);
        size == 8 ? as.srl_d(out, x, out) : as.srl_w(out, x, out);
    } else {
        as.addi_d(out, count, -1);
        s == Shift::Right ? (size == 8 ? as.srl_d(out, x, out) : as.srl_w(out, x, out))
                          : (size == 8 ? as.sra_d(out, x, out) : as.sra_w(out, x, out));
    }
    as.andi(host::flag_b, out, 1);
    if (s == Shift::Right) {
        as.bstrpick_d(out, x, width - 1, width - 1);
        as.bstrins_d(host::flag_b, out, 11, 11);
    }
    by_register(as, s, host::flag_a, x, n, size);
    if (s == Shift::Left) {
        as.bstrpick_d(out, host::flag_a, width - 1, width - 1);
        as.xor_(out, out, host::flag_b);
        as.bstrins_d(host::flag_b, out, 11, 11);
    }
    as.li(host::flag_kind, flag_kind(FlagOp::Result, size == 8 ? 3 : 2));
    as.bind(same);
    by_register(as, s, target(), x, n, size);
}

template <Shift s>
void shift(Block& b, const Insn& i) {
    if (i.operands < 2) return shift_constant<s>(b, i, 1);
    if (b.is_constant(i.op[1])) return shift_constant<s>(b, i, static_cast<u64>(i.imm) & (i.op[0].size == 8 ? 63 : 31));
    shift_variable<s>(b, i);
}

// Rotations write only CF and OF. OF is defined for a count of one and computed that way for all.
template <bool left>
void rotate(Block& b, const Insn& i) {
    const Operand& o = i.op[0];
    unsigned size = o.size, width = size * 8;
    bool by_one = i.operands < 2, constant = by_one || b.is_constant(i.op[1]);
    if (!o.is(OperandKind::Gpr) || (size < 4 && !(size == 2 && constant))) return b.callout();
    auto& as = b.as;
    u64 masked = by_one ? 1 : static_cast<u64>(i.imm) & (size == 8 ? 63 : 31);
    unsigned n = masked & (width - 1);
    bool need = b.flags_needed();
    if (constant && masked == 0) return b.callout();
    if (need && !constant) return b.callout();
    if (need) b.flags_to_bits();
    Gpr to;
    if (size == 2) {
        Gpr x = b.read(o, Upper::Zero), t = b.temp();
        unsigned right = left ? (16 - n) & 15 : n;
        as.slli_d(t, x, 16);
        as.or_(t, t, x);
        as.srli_d(t, t, right);
        b.write(o, t);
        to = host::guest[o.reg];
    } else {
        Gpr x = size == 8 ? b.whole(o.reg) : b.low(o.reg);
        to = size == 8 ? b.write64(o.reg) : b.write32(o.reg, Upper::Sign);
        if (constant) {
            unsigned right = left ? (width - n) & (width - 1) : n;
            size == 8 ? as.rotri_d(to, x, right) : as.rotri_w(to, x, right);
        } else {
            Gpr c = b.low(x86::Rcx);
            if (left) {
                Gpr t = b.temp();
                as.sub_d(t, zero, c);
                c = t;
            }
            size == 8 ? as.rotr_d(to, x, c) : as.rotr_w(to, x, c);
        }
    }
    if (!need) return;
    Gpr t = b.temp(), u = b.temp();
    unsigned low = left ? 0 : width - 1;
    as.bstrpick_d(t, to, low, low);
    as.bstrins_d(host::flag_a, t, 0, 0);
    unsigned other = left ? width - 1 : width - 2;
    as.bstrpick_d(u, to, other, other);
    as.xor_(t, t, u);
    as.bstrins_d(host::flag_a, t, 11, 11);
}

// SHLD and SHRD by CL; a count of zero leaves the flags alone.
template <bool left>
void double_shift_variable(Block& b, const Insn& i) {
    const Operand &o = i.op[0], &fill = i.op[1];
    const unsigned size = o.size, width = size * 8;
    auto& as = b.as;
    const bool need = b.flags_needed();
    if (need) b.flags_to_registers();
    auto right = [&](Gpr d, Gpr v, Gpr n) { size == 8 ? as.srl_d(d, v, n) : as.srl_w(d, v, n); };
    auto up = [&](Gpr d, Gpr v, Gpr n) { size == 8 ? as.sll_d(d, v, n) : as.sll_w(d, v, n); };
    Gpr x = size == 8 ? b.whole(o.reg) : b.low(o.reg);
    Gpr y = size == 8 ? b.whole(fill.reg) : b.low(fill.reg);
    Gpr count = b.temp(), rest = b.temp(), r = b.temp(), u = b.temp();
    as.andi(count, b.low(x86::Rcx), width - 1);
    as.xori(rest, count, width - 1);
    // What comes in is shifted by one and by the rest, so that a count of zero brings nothing.
    if (left) {
        up(r, x, count);
        size == 8 ? as.srli_d(u, y, 1) : as.srli_w(u, y, 1);
        right(u, u, rest);
    } else {
        right(r, x, count);
        size == 8 ? as.slli_d(u, y, 1) : as.slli_w(u, y, 1);
        up(u, u, rest);
    }
    as.or_(r, r, u);
    Label same;
    if (need) {
        as.beqz(count, same);
        if (left) as.sub_d(u, zero, count);
        else as.addi_d(u, count, -1);
        right(u, x, u);
        as.andi(host::flag_b, u, 1);
        as.xor_(u, r, x);
        as.bstrpick_d(u, u, width - 1, width - 1);
        as.bstrins_d(host::flag_b, u, 11, 11);
        as.move(host::flag_a, r);
        as.li(host::flag_kind, flag_kind(FlagOp::Result, size == 8 ? 3 : 2));
        as.bind(same);
    }
    as.move(size == 8 ? b.write64(o.reg) : b.write32(o.reg, Upper::Sign), r);
}

template <bool left>
void double_shift(Block& b, const Insn& i) {
    const Operand &o = i.op[0], &fill = i.op[1];
    unsigned size = o.size, width = size * 8;
    if (!o.is(OperandKind::Gpr) || size < 4) return b.callout();
    if (!b.is_constant(i.op[2])) return double_shift_variable<left>(b, i);
    unsigned n = static_cast<u64>(i.imm) & (width - 1);
    if (n == 0) return b.callout();
    auto& as = b.as;
    bool need = b.flags_needed();
    Gpr x = size == 8 ? b.whole(o.reg) : b.low(o.reg);
    Gpr y = size == 8 ? b.whole(fill.reg) : b.low(fill.reg);
    Gpr t = b.temp(), u = b.temp();
    if (need) {
        unsigned out = left ? width - n : n - 1;
        as.bstrpick_d(host::flag_b, x, out, out);
    }
    if (left) {
        size == 8 ? as.slli_d(t, x, n) : as.slli_w(t, x, n);
        size == 8 ? as.srli_d(u, y, width - n) : as.srli_w(u, y, width - n);
    } else {
        size == 8 ? as.srli_d(t, x, n) : as.srli_w(t, x, n);
        size == 8 ? as.slli_d(u, y, width - n) : as.slli_w(u, y, width - n);
    }
    if (need) {  // OF: the sign changed (for a count of one)
        as.or_(t, t, u);
        Gpr sign = b.temp();
        as.xor_(sign, t, x);
        as.bstrpick_d(sign, sign, width - 1, width - 1);
        as.bstrins_d(host::flag_b, sign, 11, 11);
    }
    b.drop_flags();
    Gpr to = size == 8 ? b.write64(o.reg) : b.write32(o.reg, Upper::Sign);
    if (need) as.move(to, t);
    else as.or_(to, t, u);
    b.set_flags(FlagOp::Result, size, to, host::flag_b);
}

constexpr u16 all = flag::arithmetic;
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_SHL, shift<Shift::Left>, 0, all, Row::shift},
    {ZYDIS_MNEMONIC_SHR, shift<Shift::Right>, 0, all, Row::shift},
    {ZYDIS_MNEMONIC_SAR, shift<Shift::Arithmetic>, 0, all, Row::shift},
    {ZYDIS_MNEMONIC_ROL, rotate<true>, all & ~(flag::cf | flag::of), 0},
    {ZYDIS_MNEMONIC_ROR, rotate<false>, all & ~(flag::cf | flag::of), 0},
    {ZYDIS_MNEMONIC_SHLD, double_shift<true>, 0, all, Row::shift},
    {ZYDIS_MNEMONIC_SHRD, double_shift<false>, 0, all, Row::shift},
};

}  // namespace

Rows shift_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

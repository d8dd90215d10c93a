// The x87's 80-bit arithmetic in LoongArch code, shared by all blocks: normal numbers in the middle of the exponents' range, zeros
// where they are easy, rounded to nearest at 64 bits. A routine is called with link and comes back to the instruction behind
// the call when it will not do it, with nothing changed but temporaries, and to the one after that when it is done.
// The same algorithms as in fpu/fast80.hpp, which says why they are right. See docs/x87.md.
#include "runtime/x87_code.hpp"

namespace bmbt {
namespace x87_code {

// t2 holds a binary32 or binary64: the second operand. Zero, denormals, infinities and NaNs go to `special`, all bits still
// in t2. Uses t4, t5.
void Writer::widen_second(bool wide, Label& special) {
    unsigned width = wide ? 64 : 32, fraction = wide ? 52 : 23;
    as.bstrpick_d(t3, t2, width - 2, fraction);
    as.addi_d(t4, t3, 1);
    as.andi(t4, t4, wide ? 0x7fe : 0xfe);
    as.beqz(t4, special);
    as.bstrpick_d(t5, t2, width - 1, width - 1);
    as.slli_d(t2, t2, 63 - fraction);
    top_bit(t4);
    as.or_(t2, t2, t4);
    as.lu12i_w(t4, 4);
    as.add_d(t3, t3, t4);
    as.addi_d(t3, t3, wide ? -1024 : -128);
    as.bstrins_d(t3, t5, 15, 15);
}

// A result: t0, t1; t6 inexact, t7 rounded up. Takes both to the status word and returns.
void Writer::finish() {
    Gpr base = state(t5);
    as.ld_hu(t4, base, place(at::status));
    as.slli_d(t6, t6, 5);
    as.or_(t4, t4, t6);
    as.bstrins_d(t4, t7, 9, 9);
    as.st_h(t4, base, place(at::status));
    success();
}
void Writer::exact() {
    as.move(t6, zero);
    as.move(t7, zero);
    finish();
}

// Both operands (or only the first) have the integer bit and an exponent in 2000h..5FFFh: no zero, infinity, NaN,
// denormal or unnormal is there, nor is any among sums and differences. Uses t4 to t6.
void Writer::window(bool both, Label& outside) {
    as.lu12i_w(t6, 2);
    as.add_d(t4, t1, t6);
    if (both) {
        as.add_d(t5, t3, t6);
        as.and_(t4, t4, t5);
    }
    as.slli_d(t4, t4, 49);
    as.and_(t4, t4, t0);
    if (both) as.and_(t4, t4, t2);
    as.bge(t4, zero, outside);
}

// t0 = hi.lo to nearest even; t6 inexact, t7 rounded up. lo may be t6.
void Writer::round(Gpr hi, Gpr lo, Gpr scratch) {
    as.andi(scratch, hi, 1);
    top_bit(t7);
    as.sub_d(t7, t7, scratch);
    as.sltu(t7, t7, lo);
    as.add_d(t0, hi, t7);
    as.beqz(t0, fail_);
    as.sltu(t6, zero, lo);
}

// The number is normal, in the whole range.
void Writer::normal_or_fail(Number a, Gpr t, Gpr u) {
    as.bge(a.m, zero, fail_);
    exponent_of(t, a.se);
    as.beqz(t, fail_);
    as.addi_d(u, t, 1);
    as.srli_d(u, u, 15);
    as.bnez(u, fail_);
}
// The significand is 0: so is the number, or it is an invalid one.
void Writer::zero_or_fail(Number a, Gpr t) {
    exponent_of(t, a.se);
    as.bnez(t, fail_);
}

// Where widen_second gave up: a zero as the second operand, with its sign if that is asked for; nothing else.
void Writer::zero_in_memory(unsigned kind, Label& special, bool sign) {
    as.bind(special);
    unsigned width = kind == routine::M64 ? 64 : 32;
    as.slli_d(t4, t2, 65 - width);
    as.bnez(t4, fail_);
    if (sign) as.bstrpick_d(t3, t2, width - 1, width - 1), as.slli_d(t3, t3, 15);
    else as.move(t3, zero);
    as.move(t2, zero);
}
// A product or quotient of zero: the sign is that of both.
void Writer::signed_zero() {
    as.xor_(t1, t1, t3);
    as.srli_d(t1, t1, 15);
    as.slli_d(t1, t1, 15);
    as.move(t0, zero);
    exact();
}

// t0 = CF and ZF as FCOMI has them.
void Writer::compare(unsigned kind) {
    Label special, outside, same, equal;
    if (kind != routine::Register) widen_second(kind == routine::M64, special);
    window(kind == routine::Register, outside);
    as.beq(t1, t3, same);
    as.or_(t4, t1, t3);
    as.srli_d(t4, t4, 15);
    as.sltu(t0, t1, t3);
    as.xor_(t0, t0, t4);
    success();
    as.bind(same);
    as.srli_d(t4, t1, 15);
    as.sltu(t5, t0, t2);
    as.xor_(t5, t5, t4);
    as.beq(t0, t2, equal);
    as.move(t0, t5);
    success();
    as.bind(equal);
    as.ori(t0, zero, x86::flag::zf);
    success();

    Label second_zero, both_zero;
    as.bind(outside);
    as.beqz(t2, second_zero);
    as.bnez(t0, fail_);
    zero_or_fail(first, t4);
    normal_or_fail(second, t4, t5);
    as.srli_d(t0, t3, 15);
    as.xori(t0, t0, 1);
    success();
    as.bind(second_zero);
    zero_or_fail(second, t4);
    as.beqz(t0, both_zero);
    normal_or_fail(first, t4, t5);
    as.srli_d(t0, t1, 15);
    success();
    as.bind(both_zero);
    zero_or_fail(first, t4);
    as.b(equal);
    if (kind != routine::Register) {
        zero_in_memory(kind, special, false);
        as.b(outside);
    }
    end();
}

// t2 to t2, t3.
void Writer::widen(bool wide) {
    Label special;
    widen_second(wide, special);
    success();
    zero_in_memory(wide ? routine::M64 : routine::M32, special, true);
    success();
    end();
}

// t0, t1 to a binary32 or binary64 in t2; t6 inexact, t7 rounded up. Not for results next to overflow or underflow.
void Writer::narrow(bool wide) {
    unsigned fraction = wide ? 52 : 23, below = 63 - fraction;
    Label special;
    as.bge(t0, zero, special);
    exponent_of(t3, t1);
    as.lu12i_w(t4, 4);
    as.sub_d(t3, t3, t4);
    as.addi_d(t3, t3, wide ? 1023 : 127);  // the new exponent less 1
    as.sltui(t4, t3, wide ? 0x7fc : 0xfc);
    as.beqz(t4, fail_);
    as.srli_d(t2, t0, below);
    as.bstrpick_d(t5, t0, below - 1, 0);
    as.ori(t4, zero, 1);
    as.slli_d(t4, t4, below - 1);
    as.andi(t7, t2, 1);
    as.sub_d(t4, t4, t7);
    as.sltu(t7, t4, t5);
    as.sltu(t6, zero, t5);
    as.slli_d(t3, t3, fraction);
    as.add_d(t2, t2, t3);  // the integer bit is the 1 that the exponent lacks
    as.add_d(t2, t2, t7);
    as.srli_d(t4, t1, 15);
    as.bstrins_d(t2, t4, wide ? 63 : 31, wide ? 63 : 31);
    success();
    as.bind(special);
    as.bnez(t0, fail_);
    zero_or_fail(first, t4);
    as.srli_d(t2, t1, 15);
    as.slli_d(t2, t2, wide ? 63 : 31);
    as.move(t6, zero);
    as.move(t7, zero);
    success();
    end();
}

// t0, t1 to a 64-bit integer in t2; t6 inexact, t7 rounded up. FIST rounds as the control word says: nearest or to zero here.
void Writer::to_integer(bool truncates) {
    Label special, small, rounded, kept, sign, nearest;
    as.bge(t0, zero, special);
    exponent_of(t3, t1);
    as.beqz(t3, fail_);
    as.lu12i_w(t4, 4);
    as.addi_d(t4, t4, 62);
    as.sub_d(t4, t4, t3);  // bits behind the point
    as.addi_d(t5, t4, -1);
    as.bge(zero, t5, fail_);  // from 2^62 on
    as.sltui(t5, t4, 64);
    as.beqz(t5, small);
    as.srl_d(t2, t0, t4);
    as.sub_d(t5, zero, t4);
    as.sll_d(t5, t0, t5);
    as.bind(rounded);
    as.sltu(t6, zero, t5);
    as.move(t7, zero);
    if (!truncates) {
        Gpr base = state(t3);
        as.ld_hu(t3, base, place(at::control));
        as.bstrpick_d(t3, t3, 11, 10);
        as.beqz(t3, nearest);
        as.addi_d(t3, t3, -3);
        as.bnez(t3, fail_);
        as.b(sign);
        as.bind(nearest);
        as.andi(t3, t2, 1);
        top_bit(t7);
        as.sub_d(t7, t7, t3);
        as.sltu(t7, t7, t5);
        as.add_d(t2, t2, t7);
    }
    as.bind(sign);
    as.srli_d(t3, t1, 15);
    as.beqz(t3, kept);
    as.sub_d(t2, zero, t2);
    as.bind(kept);
    success();
    // Less than 1: at 64 bits the significand is all behind the point, with more it is less than a half.
    as.bind(small);
    Label tiny;
    as.move(t2, zero);
    as.addi_d(t4, t4, -64);
    as.bnez(t4, tiny);
    as.move(t5, t0);
    as.b(rounded);
    as.bind(tiny);
    as.ori(t5, zero, 1);
    as.b(rounded);
    as.bind(special);
    as.bnez(t0, fail_);
    zero_or_fail(first, t4);
    as.move(t2, zero);
    as.move(t6, zero);
    as.move(t7, zero);
    success();
    end();
}

}  // namespace x87_code

void write_x87_code(la64::Assembler& as, BlockStore::Region& r, bool user) {
    using namespace x87_code;
    Writer w(as, user);
    auto place = [&](unsigned number) { r.shared.x87[number] = r.begin + as.size() / 4; };
    for (unsigned kind = routine::Register; kind <= routine::M64; kind++)
        for (unsigned op = 0; op < 8; op++) {
            if (op == 3) continue;
            place(kind * 8 + op);
            op == routine::compare ? w.compare(kind) : w.arithmetic(kind, op);
        }
    place(routine::widen32), w.widen(false);
    place(routine::widen64), w.widen(true);
    place(routine::narrow32), w.narrow(false);
    place(routine::narrow64), w.narrow(true);
    place(routine::to_int), w.to_integer(false);
    place(routine::truncate), w.to_integer(true);
}

}  // namespace bmbt

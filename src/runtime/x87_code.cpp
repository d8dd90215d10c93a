// The x87's 80-bit arithmetic in LoongArch code, shared by all blocks: normal numbers in the middle of the exponents' range, zeros
// where they are easy, rounded to nearest at 64 bits. A routine is called with link and comes back to the instruction behind
// the call when it will not do it, with nothing changed but temporaries, and to the one after that when it is done.
// The same algorithms as in fpu/fast80.hpp, which says why they are right. See docs/x87.md.
#include "cpu/vcpu_offsets.inc"
#include "runtime/block_store.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace at = fpu::x87_offset;
namespace routine = x87_routine;

// A number in two registers: significand, and sign with exponent (16 bits, zeros above).
struct Number {
    Gpr m, se;
};
constexpr Number first{t0, t1}, second{t2, t3};

class Writer {
 public:
    Writer(Assembler& as, bool user) : as(as), user_(user) {}

    void arithmetic(unsigned kind, unsigned op);
    void compare(unsigned kind);
    void widen(bool wide);
    void narrow(bool wide);
    void to_integer(bool truncates);
    // Binds what a routine branches to when it gives up. Ends each routine.
    void end() {
        as.bind(fail_);
        as.jr(ra);
        fail_ = Label{};
    }

 private:
    void success() { as.jirl(zero, ra, 4); }
    void top_bit(Gpr d) { as.lu52i_d(d, zero, -2048); }
    void exponent_of(Gpr d, Gpr se) { as.bstrpick_d(d, se, 14, 0); }
    Gpr state(Gpr scratch) {
        if (user_) return tp;
        as.ld_d(scratch, tp, VCPU_X87);
        return scratch;
    }
    i32 place(i32 offset) const { return (user_ ? USER_PAGE_X87 : 0) + offset; }

    void widen_second(bool wide, Label& special);
    void window(bool both, Label& outside);
    void round(Gpr hi, Gpr lo, Gpr scratch);
    void finish();
    void exact();
    void add_or_subtract(unsigned kind, unsigned op);
    void sum(Number big, Number small);
    void difference(Number big, Number small, Gpr big_exponent, Gpr small_exponent);
    void multiply(unsigned kind);
    void divide(unsigned kind, Number n, Number d);
    void normal_or_fail(Number, Gpr, Gpr);
    void zero_or_fail(Number, Gpr);
    void zero_in_memory(unsigned kind, Label& special, bool sign);
    void signed_zero();
    void far_apart(Number big, bool subtracts);

    Assembler& as;
    bool user_;
    Label fail_;
};

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

// The smaller number is at least 66 bits below the larger: half of the last bit is out of reach. t4: their distance.
void Writer::far_apart(Number big, bool subtracts) {
    as.sltui(t5, t4, 66);
    as.bnez(t5, fail_);
    if (!(big.m == t0)) {
        as.move(t0, big.m);
        as.move(t1, big.se);
    }
    as.ori(t6, zero, 1);
    subtracts ? as.ori(t7, zero, 1) : as.move(t7, zero);
    finish();
}

void Writer::sum(Number big, Number small) {
    Label far, carry, carried;
    as.sub_d(t4, big.se, small.se);
    as.sltui(t5, t4, 64);
    as.beqz(t5, far);
    as.slli_d(t6, small.m, 1);
    as.nor(t7, t4, zero);
    as.sll_d(t6, t6, t7);
    as.srl_d(t5, small.m, t4);
    as.add_d(t5, big.m, t5);
    if (!(big.se == t1)) as.move(t1, big.se);
    as.bltu(t5, big.m, carry);
    as.bind(carried);
    round(t5, t6, t4);
    finish();
    as.bind(carry);
    as.srli_d(t6, t6, 1);
    as.bstrins_d(t6, t5, 63, 63);
    as.srli_d(t5, t5, 1);
    top_bit(t4);
    as.or_(t5, t5, t4);
    as.addi_d(t1, t1, 1);
    as.b(carried);
    as.bind(far);
    far_apart(big, false);
}

void Writer::difference(Number big, Number small, Gpr big_exponent, Gpr small_exponent) {
    Label far, normalize, normalized, cancelled;
    as.sub_d(t4, big_exponent, small_exponent);
    as.sltui(t5, t4, 64);
    as.beqz(t5, far);
    as.slli_d(t6, small.m, 1);
    as.nor(t7, t4, zero);
    as.sll_d(t6, t6, t7);
    as.srl_d(t5, small.m, t4);
    as.sub_d(t5, big.m, t5);
    as.sltu(t7, zero, t6);
    as.sub_d(t5, t5, t7);
    as.sub_d(t6, zero, t6);
    if (!(big.se == t1)) as.move(t1, big.se);
    as.bge(t5, zero, normalize);
    as.bind(normalized);
    round(t5, t6, t4);
    finish();
    as.bind(normalize);
    as.beqz(t5, cancelled);
    as.clz_d(t4, t5);
    as.sll_d(t5, t5, t4);
    as.srli_d(t7, t6, 1);
    as.nor(t2, t4, zero);
    as.srl_d(t7, t7, t2);
    as.or_(t5, t5, t7);
    as.sll_d(t6, t6, t4);
    as.sub_d(t1, t1, t4);
    as.b(normalized);
    as.bind(cancelled);
    as.bnez(t6, fail_);
    as.move(t0, zero);
    as.move(t1, zero);
    exact();
    as.bind(far);
    far_apart(big, true);
}

void Writer::add_or_subtract(unsigned kind, unsigned op) {
    Label special, outside, differ, smaller, unequal, smaller_difference, second_zero, both_zero;
    if (kind != routine::Register) widen_second(kind == routine::M64, special);
    if (op != 0) {  // a - b is a + -b; b - a is b + -a
        as.lu12i_w(t6, 8);
        op == 4 ? as.xor_(t3, t3, t6) : as.xor_(t1, t1, t6);
    }
    window(kind == routine::Register, outside);
    as.xor_(t4, t1, t3);
    as.srli_d(t4, t4, 15);
    as.bnez(t4, differ);
    as.bltu(t1, t3, smaller);
    sum(first, second);
    as.bind(smaller);
    sum(second, first);
    as.bind(differ);
    exponent_of(t4, t1);
    exponent_of(t5, t3);
    as.bne(t4, t5, unequal);
    as.bltu(t0, t2, smaller_difference);
    Label larger_difference;
    as.bind(larger_difference);
    difference(first, second, t4, t5);
    as.bind(unequal);
    as.bltu(t5, t4, larger_difference);
    as.bind(smaller_difference);
    difference(second, first, t5, t4);

    // A zero changes nothing; of two zeros only equal signs stay.
    as.bind(outside);
    as.beqz(t2, second_zero);
    as.bnez(t0, fail_);
    zero_or_fail(first, t4);
    normal_or_fail(second, t4, t5);
    as.move(t0, t2);
    as.move(t1, t3);
    exact();
    as.bind(second_zero);
    zero_or_fail(second, t4);
    as.beqz(t0, both_zero);
    normal_or_fail(first, t4, t5);
    exact();
    as.bind(both_zero);
    zero_or_fail(first, t4);
    as.and_(t1, t1, t3);
    exact();

    if (kind != routine::Register) {
        zero_in_memory(kind, special, true);
        if (op != 0) {
            as.lu12i_w(t6, 8);
            op == 4 ? as.xor_(t3, t3, t6) : as.xor_(t1, t1, t6);
        }
        as.b(outside);
    }
}

// Products of numbers of the window have an exponent of at least 1.
void Writer::multiply(unsigned kind) {
    Label special, outside, high, second_checked;
    if (kind != routine::Register) widen_second(kind == routine::M64, special);
    window(kind == routine::Register, outside);
    as.mulh_du(t4, t0, t2);
    as.mul_d(t5, t0, t2);
    as.xor_(t6, t1, t3);
    as.srli_d(t6, t6, 15);
    exponent_of(t1, t1);
    exponent_of(t3, t3);
    as.add_d(t1, t1, t3);
    as.lu12i_w(t7, 4);
    as.sub_d(t1, t1, t7);
    as.blt(t4, zero, high);
    as.srli_d(t7, t5, 63);
    as.alsl_d(t4, t4, t7, 1);
    as.slli_d(t5, t5, 1);
    as.addi_d(t1, t1, -1);
    as.bind(high);
    as.addi_d(t1, t1, 2);
    as.addi_d(t7, t1, 1);
    as.srli_d(t7, t7, 15);
    as.bnez(t7, fail_);
    as.bstrins_d(t1, t6, 15, 15);
    round(t4, t5, t2);
    finish();

    // Zero times a finite number.
    as.bind(outside);
    Label second_zero, product;
    as.beqz(t2, second_zero);
    as.bnez(t0, fail_);
    zero_or_fail(first, t4);
    normal_or_fail(second, t4, t5);
    as.bind(product);
    signed_zero();
    as.bind(second_zero);
    zero_or_fail(second, t4);
    as.bnez(t0, second_checked);
    zero_or_fail(first, t4);
    as.b(product);
    as.bind(second_checked);
    normal_or_fail(first, t4, t5);
    as.b(product);

    if (kind != routine::Register) {
        zero_in_memory(kind, special, true);
        as.b(outside);
    }
}

// n / d: two steps in base 2^32, each estimate at most 2 too large (fpu/wide.hpp).
void Writer::divide(unsigned kind, Number n, Number d) {
    Label outside;
    if (kind != routine::Register) widen_second(kind == routine::M64, fail_);
    window(kind == routine::Register, outside);
    Gpr rest = d.se, packed = n.se;  // packed: twice the exponent, and the sign
    as.xor_(t6, t1, t3);
    as.srli_d(t6, t6, 15);
    exponent_of(t4, n.se);
    exponent_of(t5, d.se);
    as.sub_d(t4, t4, t5);
    as.lu12i_w(t5, 4);
    as.add_d(t4, t4, t5);
    as.addi_d(t4, t4, -1);
    as.sltu(t5, n.m, d.m);
    as.sub_d(t4, t4, t5);
    as.alsl_d(packed, t4, t6, 1);
    // The dividend below the divisor: n, or n / 2 with its last bit at bit 31 of t5.
    as.xori(t5, t5, 1);
    as.and_(t6, n.m, t5);
    as.srl_d(n.m, n.m, t5);
    as.slli_d(t5, t6, 31);
    as.srli_d(t4, d.m, 32);
    auto digit = [&](Gpr q, bool low_bit) {
        Label again, enough;
        as.div_du(q, n.m, t4);
        as.mul_d(t6, q, t4);
        as.sub_d(rest, n.m, t6);
        as.bind(again);
        as.bstrpick_d(t6, d.m, 31, 0);
        as.mul_d(t6, q, t6);
        as.slli_d(n.m, rest, 32);
        if (low_bit) as.or_(n.m, n.m, t5);
        as.bgeu(n.m, t6, enough);
        as.addi_d(q, q, -1);
        as.add_d(rest, rest, t4);
        as.srli_d(t6, rest, 32);
        as.beqz(t6, again);
        as.bstrpick_d(t6, d.m, 31, 0);
        as.mul_d(t6, q, t6);
        as.slli_d(n.m, rest, 32);
        if (low_bit) as.or_(n.m, n.m, t5);
        as.bind(enough);
        as.sub_d(n.m, n.m, t6);
    };
    digit(t7, true);
    digit(t5, false);
    as.slli_d(t7, t7, 32);
    as.add_d(t5, t7, t5);
    // The remainder is in n.m; twice it against the divisor.
    as.andi(t4, packed, 1);
    as.srai_d(packed, packed, 1);
    as.bge(zero, packed, fail_);
    as.bstrins_d(packed, t4, 15, 15);
    as.andi(t6, t5, 1);
    as.sub_d(t4, d.m, n.m);
    as.sub_d(t4, t4, t6);
    as.sltu(t7, t4, n.m);
    as.sltu(t6, zero, n.m);
    as.add_d(t0, t5, t7);
    as.beqz(t0, fail_);
    if (!(packed == t1)) as.move(t1, packed);
    finish();

    // Zero by a normal number.
    as.bind(outside);
    as.bnez(n.m, fail_);
    zero_or_fail(n, t4);
    normal_or_fail(d, t4, t5);
    signed_zero();
}

void Writer::arithmetic(unsigned kind, unsigned op) {
    switch (op) {
        case 1: multiply(kind); break;
        case 6: divide(kind, first, second); break;
        case 7: divide(kind, second, first); break;
        default: add_or_subtract(kind, op);
    }
    end();
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

}  // namespace

void write_x87_code(Assembler& as, BlockStore::Region& r, bool user) {
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

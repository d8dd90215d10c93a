// Addition, subtraction, multiplication and division of the x87's routines: see x87_code.cpp.
#include "runtime/x87_code.hpp"

namespace bmbt::x87_code {

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

}  // namespace bmbt::x87_code

// The short paths of 80-bit add, subtract, multiply and divide: two normal numbers, rounding to nearest at 64 bits,
// a normal result. Everything else goes out of line. Inline, so that the stack machine's handlers contain them.
#pragma once
#include "fpu/round80.hpp"

namespace bmbt::fpu {

Float80 add_slow(FpEnv&, Float80 a, Float80 b);
Float80 sub_slow(FpEnv&, Float80 a, Float80 b);
Float80 mul_slow(FpEnv&, Float80 a, Float80 b);
Float80 div_slow(FpEnv&, Float80 a, Float80 b);

// Nearest-even at 64 bits is both fields at their reset value.
inline bool plain_rounding(const FpEnv& env) { return (env.control & 0x0f00) == 0x0300; }

// Both mantissas have the integer bit and no exponent is 0 or 0x7fff.
inline bool both_normal(Float80 a, Float80 b) {
    const u64 ea = a.sign_exponent & 0x7fff, eb = b.sign_exponent & 0x7fff;
    return static_cast<i64>(a.mantissa & b.mantissa) < 0 && (ea - 1 < 0x7ffe) & (eb - 1 < 0x7ffe);
}

// Rounds hi.lo to nearest even and packs; the exponent may be out of range, then nothing happened and it returns false.
inline bool pack_nearest(FpEnv& env, u64 sign, i64 exponent, u64 hi, u64 lo, Float80& result) {
    const u64 up = lo > integer_bit - (hi & 1);
    const u64 sum = hi + up;
    const u64 carry = sum < up;  // hi was all ones: the mantissa is the integer bit, one exponent higher
    exponent += static_cast<i64>(carry);
    if (static_cast<u64>(exponent - 1) >= 0x7ffe) [[unlikely]]
        return false;
    env.flags = static_cast<u16>(env.flags | up << 9 | static_cast<u64>(lo != 0) << 5);
    result = {sum | carry << 63, static_cast<u16>(sign | static_cast<u64>(exponent))};
    return true;
}

// |a| + |b| with a's sign.
inline bool add_magnitudes(FpEnv& env, Float80 a, Float80 b, Float80& result) {
    i64 ea = a.exponent(), eb = b.exponent();
    u64 ma = a.mantissa, mb = b.mantissa;
    if (ea < eb) {
        i64 e = ea;
        ea = eb, eb = e;
        u64 m = ma;
        ma = mb, mb = m;
    }
    const u64 distance = static_cast<u64>(ea - eb);
    if (distance >= 64) [[unlikely]]
        return false;
    u64 lo = mb << 1 << (63 - distance), hi = ma + (mb >> distance);
    if (hi < ma) {
        lo = hi << 63 | lo >> 1 | (lo & 1);
        hi = hi >> 1 | integer_bit;
        ++ea;
    }
    return pack_nearest(env, a.sign_exponent & 0x8000, ea, hi, lo, result);
}

// |a| - |b| with a's sign, or the opposite when |b| is larger.
inline bool subtract_magnitudes(FpEnv& env, Float80 a, Float80 b, Float80& result) {
    i64 ea = a.exponent(), eb = b.exponent();
    u64 ma = a.mantissa, mb = b.mantissa, sign = a.sign_exponent & 0x8000;
    if (ea < eb || (ea == eb && ma < mb)) {
        i64 e = ea;
        ea = eb, eb = e;
        u64 m = ma;
        ma = mb, mb = m;
        sign ^= 0x8000;
    }
    const u64 distance = static_cast<u64>(ea - eb);
    if (distance >= 64) [[unlikely]]
        return false;
    u64 lo = mb << 1 << (63 - distance);
    u64 hi = ma - (mb >> distance) - (lo != 0);
    lo = -lo;
    if (hi == 0) [[unlikely]]
        return false;  // zero, or one bit a whole word down
    const int n = std::countl_zero(hi);
    if (n != 0) {
        hi = hi << n | lo >> (64 - n);
        lo <<= n;
    }
    return pack_nearest(env, sign, ea - n, hi, lo, result);
}

inline Float80 add_inline(FpEnv& env, Float80 a, Float80 b) {
    Float80 result;
    if (plain_rounding(env) && both_normal(a, b)) [[likely]] {
        if ((a.sign_exponent ^ b.sign_exponent) & 0x8000 ? subtract_magnitudes(env, a, b, result)
                                                         : add_magnitudes(env, a, b, result)) [[likely]]
            return result;
    }
    return add_slow(env, a, b);
}

inline Float80 sub_inline(FpEnv& env, Float80 a, Float80 b) {
    Float80 result;
    if (plain_rounding(env) && both_normal(a, b)) [[likely]] {
        if ((a.sign_exponent ^ b.sign_exponent) & 0x8000 ? add_magnitudes(env, a, b, result)
                                                         : subtract_magnitudes(env, a, b, result)) [[likely]]
            return result;
    }
    return sub_slow(env, a, b);
}

inline Float80 mul_inline(FpEnv& env, Float80 a, Float80 b) {
    if (plain_rounding(env) && both_normal(a, b)) [[likely]] {
        u128 product = u128{a.mantissa} * b.mantissa;
        u64 hi = high(product), lo = low(product);
        const u64 top = hi >> 63;
        if (!top) hi = hi << 1 | lo >> 63, lo <<= 1;
        Float80 result;
        if (pack_nearest(env, (a.sign_exponent ^ b.sign_exponent) & 0x8000,
                         static_cast<i64>(a.exponent() + b.exponent() + top) - bias80, hi, lo, result)) [[likely]]
            return result;
    }
    return mul_slow(env, a, b);
}

// The quotient of two mantissas with the integer bit, and whether a's was the smaller (one exponent less). lo tells a
// remainder of zero, below half, half and above half of the divisor.
struct MantissaQuotient {
    u64 hi, lo;
    bool smaller;
};
inline MantissaQuotient divide_mantissas(u64 a, u64 b) {
    const bool smaller = a < b;
    const Quotient q = smaller ? divide(a, 0, b) : divide(a >> 1, a << 63, b);
    const u64 half = b - q.remainder;  // compare the remainder with b - remainder instead of 2 * remainder with b
    const u64 lo = q.remainder == 0 ? 0 : q.remainder > half ? ~u64{0} : q.remainder == half ? integer_bit : 1;
    return {q.quotient, lo, smaller};
}

inline Float80 div_inline(FpEnv& env, Float80 a, Float80 b) {
    if (plain_rounding(env) && both_normal(a, b)) [[likely]] {
        const auto [hi, lo, smaller] = divide_mantissas(a.mantissa, b.mantissa);
        Float80 result;
        if (pack_nearest(env, (a.sign_exponent ^ b.sign_exponent) & 0x8000,
                         a.exponent() - b.exponent() + bias80 - smaller, hi, lo, result)) [[likely]]
            return result;
    }
    return div_slow(env, a, b);
}

}  // namespace bmbt::fpu

// The short paths of 80-bit add, subtract, multiply and divide: two normal numbers, rounding to nearest at 64 bits,
// a normal result. They return false, with nothing changed, for everything else, which goes out of line. Inline, so
// that the stack machine's instructions contain them. The only exception they meet is inexact.
#pragma once
#include "fpu/round80.hpp"

namespace bmbt::fpu {

// Rounds hi.lo to nearest even. False when a carry leaves the top bit.
[[gnu::always_inline]] inline bool round_nearest(u64& hi, u64 lo, u16& flags) {
    const u64 up = lo > integer_bit - (hi & 1);
    const u64 sum = hi + up;
    if (sum == 0) [[unlikely]]
        return false;
    flags = static_cast<u16>(up << 9 | static_cast<u64>(lo != 0) << 5);
    hi = sum;
    return true;
}

// Both mantissas have the integer bit: normal numbers, and with extreme exponents also infinities, NaNs and
// pseudo-denormals, which the exponents must exclude.
inline bool both_have_integer_bit(Float80 a, Float80 b) { return static_cast<i64>(a.mantissa & b.mantissa) < 0; }

constexpr u64 exponent_mask = 0x7fff;

// a + b with equal signs: sign and exponent can stay together.
[[gnu::always_inline]] inline bool add_magnitudes(u64 ma, u64 sea, u64 mb, u64 seb, Float80& result, u16& flags) {
    if (sea < seb) {
        u64 t = sea;
        sea = seb, seb = t;
        t = ma;
        ma = mb, mb = t;
    }
    const u64 distance = sea - seb;
    if ((seb & exponent_mask) == 0 || distance >= 64) [[unlikely]]
        return false;
    u64 lo = mb << 1 << (63 - distance), hi = ma + (mb >> distance);
    if (hi < ma) {
        lo = hi << 63 | lo >> 1;  // bit 0 of lo was 0
        hi = hi >> 1 | integer_bit;
        ++sea;
    }
    if (((sea + 1) & 0x7ffe) == 0) [[unlikely]]
        return false;  // 0x7fff, or carried into the sign
    if (!round_nearest(hi, lo, flags)) [[unlikely]]
        return false;
    result = {hi, static_cast<u16>(sea)};
    return true;
}

// a + b with opposite signs: the larger one's sign is the result's.
[[gnu::always_inline]] inline bool subtract_magnitudes(u64 ma, u64 sea, u64 mb, u64 seb, Float80& result, u16& flags) {
    u64 ea = sea & exponent_mask, eb = seb & exponent_mask;
    if (ea < eb || (ea == eb && ma < mb)) {
        u64 t = ea;
        ea = eb, eb = t;
        t = ma;
        ma = mb, mb = t;
        sea = seb;
    }
    const u64 distance = ea - eb;
    if (eb == 0 || ea == exponent_mask || distance >= 64) [[unlikely]]
        return false;
    u64 lo = mb << 1 << (63 - distance);
    u64 hi = ma - (mb >> distance) - (lo != 0);
    lo = -lo;
    if (hi == 0) [[unlikely]]
        return false;  // zero, or one bit a whole word down
    const u64 n = static_cast<u64>(std::countl_zero(hi));
    hi = hi << n | lo >> 1 >> (63 - n);
    lo <<= n;
    if (n >= ea) [[unlikely]]
        return false;
    if (!round_nearest(hi, lo, flags)) [[unlikely]]
        return false;
    result = {hi, static_cast<u16>(sea - n)};
    return true;
}

// a + b, where b's sign counts as flipped when subtracting.
[[gnu::always_inline]] inline bool add_fast(Float80 a, Float80 b, u64 flip, Float80& result, u16& flags) {
    if (!both_have_integer_bit(a, b)) [[unlikely]]
        return false;
    const u64 sea = a.sign_exponent, seb = b.sign_exponent ^ flip;
    return (sea ^ seb) >> 15 ? subtract_magnitudes(a.mantissa, sea, b.mantissa, seb, result, flags)
                             : add_magnitudes(a.mantissa, sea, b.mantissa, seb, result, flags);
}

// Both exponents are neither 0 nor 0x7fff, and the result's is such too.
inline bool exponents_in_range(u64 ea, u64 eb, u64 e) { return ea - 1 < 0x7ffe && eb - 1 < 0x7ffe && e - 1 < 0x7ffe; }

[[gnu::always_inline]] inline bool mul_fast(Float80 a, Float80 b, Float80& result, u16& flags) {
    if (!both_have_integer_bit(a, b)) [[unlikely]]
        return false;
    const u128 product = u128{a.mantissa} * b.mantissa;
    u64 hi = high(product), lo = low(product);
    const u64 ea = a.sign_exponent & exponent_mask, eb = b.sign_exponent & exponent_mask;
    u64 e = ea + eb - bias80;
    if (static_cast<i64>(hi) < 0)
        ++e;
    else
        hi = hi << 1 | lo >> 63, lo <<= 1;
    if (!exponents_in_range(ea, eb, e) || !round_nearest(hi, lo, flags)) [[unlikely]]
        return false;
    result = {hi, static_cast<u16>(((a.sign_exponent ^ b.sign_exponent) & 0x8000) | e)};
    return true;
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

inline bool div_fast(Float80 a, Float80 b, Float80& result, u16& flags) {
    if (!both_have_integer_bit(a, b)) [[unlikely]]
        return false;
    const u64 ea = a.sign_exponent & exponent_mask, eb = b.sign_exponent & exponent_mask;
    auto [hi, lo, smaller] = divide_mantissas(a.mantissa, b.mantissa);
    const u64 e = ea - eb + bias80 - smaller;
    if (!exponents_in_range(ea, eb, e) || !round_nearest(hi, lo, flags)) [[unlikely]]
        return false;
    result = {hi, static_cast<u16>(((a.sign_exponent ^ b.sign_exponent) & 0x8000) | e)};
    return true;
}

}  // namespace bmbt::fpu

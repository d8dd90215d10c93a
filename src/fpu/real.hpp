// A number with a 128-bit mantissa, for the inside of transcendental functions: 64 bits more than their results have.
// Results are truncated (error below 2^-126 of the value); nothing here over- or underflows.
#pragma once
#include "fpu/round80.hpp"

namespace bmbt::fpu {

struct Real {
    u128 mantissa = 0;  // bit 127 set, or 0 for zero
    i32 exponent = 0;   // value = mantissa * 2^(exponent - 127)
    bool sign = false;

    constexpr Real operator-() const { return {mantissa, exponent, !sign}; }
    constexpr bool zero() const { return mantissa == 0; }
};

constexpr int leading_zeros(u128 v) { return high(v) ? std::countl_zero(high(v)) : 64 + std::countl_zero(low(v)); }

constexpr Real real(u128 mantissa, i32 exponent, bool sign) {  // any mantissa; the same meaning of exponent
    if (mantissa == 0) return {};
    const int n = leading_zeros(mantissa);
    return {mantissa << n, exponent - n, sign};
}
constexpr Real real(i64 v) { return real(join(v < 0 ? -static_cast<u64>(v) : static_cast<u64>(v), 0), 63, v < 0); }
constexpr Real real(Float80 a) {  // finite
    if (a.mantissa == 0) return {};
    const Finite f = normalized(a);
    return {join(f.mantissa, 0), f.exponent - bias80, a.sign()};
}

constexpr u128 multiply_high(u128 a, u128 b) {
    const u128 cross1 = u128{high(a)} * low(b), cross2 = u128{low(a)} * high(b);
    const u128 middle = u128{low(cross1)} + low(cross2) + high(u128{low(a)} * low(b));
    return u128{high(a)} * high(b) + high(cross1) + high(cross2) + high(middle);
}

constexpr Real operator*(Real a, Real b) {
    if (a.zero() || b.zero()) return {};
    u128 product;
    if (low(a.mantissa) == 0 && low(b.mantissa) == 0)  // exact for 80-bit numbers
        product = u128{high(a.mantissa)} * high(b.mantissa);
    else
        product = multiply_high(a.mantissa, b.mantissa);
    const bool top = product >> 127;
    return {top ? product : product << 1, a.exponent + b.exponent + top, a.sign != b.sign};
}

constexpr Real operator+(Real a, Real b) {
    if (a.zero()) return b;
    if (b.zero()) return a;
    if (a.exponent < b.exponent || (a.exponent == b.exponent && a.mantissa < b.mantissa)) {
        const Real t = a;
        a = b, b = t;
    }
    const u128 small = shift_right_sticky(b.mantissa, static_cast<unsigned>(a.exponent - b.exponent));
    if (a.sign != b.sign) return real(a.mantissa - small, a.exponent, a.sign);
    const u128 sum = a.mantissa + small;
    if (sum < small) return {sum >> 1 | u128{1} << 127, a.exponent + 1, a.sign};
    return {sum, a.exponent, a.sign};
}
constexpr Real operator-(Real a, Real b) { return a + -b; }

// One 64-bit digit of rest / d, and the new rest; rest < d.
constexpr u64 quotient_digit(u128& rest, u128 d) {
    u64 q = ~u64{0};
    if (high(rest) < high(d)) q = divide(high(rest), low(rest), high(d)).quotient;
    // q * d as 192 bits, at most two too many
    u128 lower = u128{q} * low(d);
    u128 upper = u128{q} * high(d) + high(lower);
    while (upper > rest || (upper == rest && low(lower) != 0)) {
        --q;
        lower = u128{q} * low(d);
        upper = u128{q} * high(d) + high(lower);
    }
    rest = ((rest - upper) << 64) - low(lower);
    return q;
}

constexpr Real operator/(Real a, Real b) {  // b is not zero
    if (a.zero()) return {};
    i32 exponent = a.exponent - b.exponent;
    u128 rest = a.mantissa;
    if (rest >= b.mantissa) {
        rest >>= 1;  // a lost bit here is below the result's precision
    } else {
        --exponent;
    }
    const u64 hi = quotient_digit(rest, b.mantissa);
    return {join(hi, quotient_digit(rest, b.mantissa)), exponent, a.sign != b.sign};
}

// How many terms of a power series in x leave an error below 2^-100, at most `most`.
constexpr int terms(Real x, int most) {
    if (x.zero()) return 1;
    const int bits = x.exponent < -1 ? -x.exponent - 1 : 1;
    const int n = 102 / bits + 1;
    return n < most ? n : most;
}

// Rounded to 64 bits; a result that is not exact by construction has more bits than were computed.
inline Float80 pack(FpEnv& env, Real r, bool exact = false) {
    return round_pack(env, r.sign, r.exponent + bias80, high(r.mantissa), low(r.mantissa) | static_cast<u64>(!exact),
                      64);
}

}  // namespace bmbt::fpu

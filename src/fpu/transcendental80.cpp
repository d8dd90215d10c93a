// F2XM1, FYL2X, FYL2XP1, FPATAN: Taylor series over 128-bit reals, after bringing the argument near zero.
#include "fpu/real.hpp"

namespace bmbt::fpu {

namespace {

constexpr Real ln_two{join(0xb17217f7d1cf79ab, 0xc9e3b39803f2f6af), -1, false};
constexpr Real two_log2_e{join(0xb8aa3b295c17f0bb, 0xbe87fed0691d3e88), 1, false};  // 2 / ln 2
constexpr Real root_two{join(0xb504f333f9de6484, 0x597d89b3754abe9f), 0, false};
constexpr Real pi{join(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1), 1, false};
constexpr Real half_pi{pi.mantissa, 0, false};
constexpr Real quarter_pi{pi.mantissa, -1, false};
constexpr Real three_quarter_pi{join(0x96cbe3f9990e91a7, 0x9394c9e8a0a5159c), 1, false};

// arctan(i/16)
constexpr Real arctan_table[17] = {
    {},
    {join(0xffaaddb967ef4e36, 0xcb2792dc0e2e0d51), -5, false},
    {join(0xfeadd4d5617b6e32, 0xc897989f3e888ef7), -4, false},
    {join(0xbdcbda5e72d81134, 0x7b0b4f881c9c7487), -3, false},
    {join(0xfadbafc96406eb15, 0x6dc79ef5f7a217e5), -3, false},
    {join(0x9b13b9b83f5e5e69, 0xc5abb498d27af328), -2, false},
    {join(0xb7b0ca0f26f78473, 0x8aa32122dcfe4483), -2, false},
    {join(0xd327761e611fe5b6, 0x427c95e9001e7136), -2, false},
    {join(0xed63382b0dda7b45, 0x6fe445ecbc3a8d03), -2, false},
    {join(0x832bf4a6d9867e2a, 0x4b6a09cb61a515c0), -1, false},
    {join(0x8f005d5ef7f59f9b, 0x5c835e1665c43747), -1, false},
    {join(0x9a2f80e671bdda20, 0x4226f8e2204ff3bc), -1, false},
    {join(0xa4bc7d1934f70924, 0x19a87f2a457dac9e), -1, false},
    {join(0xaeac4c38b4d8c080, 0x14725e2f3e52070a), -1, false},
    {join(0xb8053e2bc2319e73, 0xcb2da55210a4443d), -1, false},
    {join(0xc0ce85b8ac526640, 0x89dd62c46e92fa24), -1, false},
    {join(0xc90fdaa22168c234, 0xc4c6628b80dc1cd1), -1, false},
};

// 1/n
constexpr int most_terms = 28;
struct Reciprocals {
    Real of[2 * most_terms];
    constexpr Reciprocals() {
        for (int n = 1; n < 2 * most_terms; ++n) of[n] = real(1) / real(n);
    }
};
constexpr Reciprocals reciprocals;

// (1 + z/3 + z^2/5 + ...) for |z| < 0.03: artanh(s)/s with z = s*s, arctan(s)/s with z = -s*s.
Real odd_reciprocal_series(Real z) {
    const int n = terms(z, 21);
    Real sum = reciprocals.of[2 * n + 1];
    for (int k = n - 1; k >= 0; --k) sum = reciprocals.of[2 * k + 1] + z * sum;
    return sum;
}

// log2(m) from m - 1, for m in [sqrt(1/2), sqrt(2)].
Real log2_near_one(Real m_minus_1) {
    if (m_minus_1.zero()) return {};
    const Real s = m_minus_1 / (m_minus_1 + real(2));
    return two_log2_e * s * odd_reciprocal_series(s * s);
}

// log2(v) for v > 0.
Real log2(Real v) {
    Real m{v.mantissa, 0, false};
    i32 k = v.exponent;
    if (m.mantissa >= root_two.mantissa) --m.exponent, ++k;
    return real(k) + log2_near_one(m - real(1));
}

bool power_of_two(Real v) { return v.mantissa << 1 == 0; }

// arctan(t) for 0 < t <= 1.
Real arctan_to_one(Real t) {
    // i = the nearest sixteenth; then arctan(t) = arctan(i/16) + arctan((t - i/16) / (1 + t*i/16)).
    const int shift = -t.exponent;
    const unsigned i = shift > 5 ? 0 : static_cast<unsigned>((t.mantissa >> (122 + shift)) + 1) / 2;
    Real rest = t;
    if (i != 0) {
        const Real c = real(static_cast<i64>(i)) * Real{u128{1} << 127, -4, false};
        rest = (t - c) / (real(1) + t * c);
    }
    return arctan_table[i] + rest * odd_reciprocal_series(-(rest * rest));
}

Float80 signed_angle(FpEnv& env, Real angle, bool sign) { return pack(env, {angle.mantissa, angle.exponent, sign}); }

// y * log2(2^k). The processor calls even this inexact.
Float80 exact_product(FpEnv& env, Float80 y, i32 k) {
    const Float80 result = pack(env, real(y) * real(k), true);
    env.flags |= inexact;
    if (result.exponent() == 0) env.flags |= underflow;
    return result;
}

// y * infinity with the sign of the logarithm.
Float80 infinite_product(FpEnv& env, Float80 y, bool negative_log) {
    return is_zero(y) ? invalid(env) : infinity80(y.sign() != negative_log);
}

}  // namespace

Float80 exp2_minus1(FpEnv& env, Float80 x) {
    Float80 result;
    if (decided_by_nan(env, x, result)) return result;
    if (is_infinity(x)) return x.sign() ? negate(one80) : x;
    if (stops_on_denormal(env, is_denormal(x))) return x;
    if (is_zero(x)) return x;
    if (x.exponent() >= bias80) {  // beyond +-1 the manual leaves the result open
        env.flags |= inexact;
        return x == negate(one80) ? Float80{integer_bit, 0xbffe} : x;
    }
    const Real t = real(x) * ln_two;
    Real sum = real(1);
    for (int n = terms(t, most_terms - 1); n >= 2; --n) sum = real(1) + t * reciprocals.of[n] * sum;
    return pack(env, t * sum);
}

Float80 y_log2_x(FpEnv& env, Float80 y, Float80 x) {
    Float80 result;
    if (decided_by_nan(env, y, x, result)) return result;
    if (x.sign() && !is_zero(x)) return invalid(env);
    const bool is_one = x == one80;
    if (is_infinity(y) && is_one) return invalid(env);
    if (is_zero(x)) {
        if (is_zero(y)) return invalid(env);
        if (!is_infinity(y)) env.flags |= zero_divide;
        return infinity80(!y.sign());
    }
    if (is_infinity(x) && is_zero(y)) return invalid(env);
    if (stops_on_denormal(env, is_denormal(x) || is_denormal(y))) return x;
    const bool negative_log = x.exponent() < bias80;
    if (is_infinity(x)) return infinite_product(env, y, false);
    if (is_infinity(y)) return infinity80(y.sign() != negative_log);
    if (is_zero(y)) return signed_zero(y.sign() != negative_log);
    if (is_one) return signed_zero(y.sign());
    const Real v = real(x);
    if (power_of_two(v)) return exact_product(env, y, v.exponent);
    return pack(env, real(y) * log2(v));
}

Float80 y_log2_x_plus1(FpEnv& env, Float80 y, Float80 x) {
    Float80 result;
    if (decided_by_nan(env, y, x, result)) return result;
    if (is_infinity(x) && (x.sign() || is_zero(y))) return invalid(env);
    if (is_infinity(y) && is_zero(x)) return invalid(env);
    if (stops_on_denormal(env, is_denormal(x) || is_denormal(y))) return x;
    if (is_infinity(x) || is_infinity(y)) return infinity80(x.sign() != y.sign());
    if (is_zero(x) || is_zero(y)) return signed_zero(x.sign() != y.sign());
    const Real r = real(x);
    if (r.exponent <= -3) return pack(env, real(y) * log2_near_one(r));
    const Real v = r + real(1);
    if (v.zero() || v.sign) {  // x <= -1, far outside the range that the manual defines
        env.flags |= inexact;
        return x;
    }
    if (power_of_two(v)) return exact_product(env, y, v.exponent);
    return pack(env, real(y) * log2(v));
}

Float80 arctan(FpEnv& env, Float80 y, Float80 x) {
    Float80 result;
    if (decided_by_nan(env, y, x, result)) return result;
    if (stops_on_denormal(env, is_denormal(x) || is_denormal(y))) return x;
    const bool sign = y.sign();
    if (is_infinity(y))
        return signed_angle(env, !is_infinity(x) ? half_pi : x.sign() ? three_quarter_pi : quarter_pi, sign);
    if (is_zero(y) || is_infinity(x)) return x.sign() ? signed_angle(env, pi, sign) : signed_zero(sign);
    if (is_zero(x)) return signed_angle(env, half_pi, sign);

    Real ay = real(y), ax = real(x);
    ay.sign = ax.sign = false;
    if (ay.exponent == ax.exponent && ay.mantissa == ax.mantissa)
        return signed_angle(env, x.sign() ? three_quarter_pi : quarter_pi, sign);
    const bool steep = ay.exponent > ax.exponent || (ay.exponent == ax.exponent && ay.mantissa > ax.mantissa);
    const Real small = steep ? ax / ay : ay / ax;
    Real angle = arctan_to_one(small);
    if (steep)
        angle = x.sign() ? half_pi + angle : half_pi - angle;
    else if (x.sign())
        angle = pi - angle;
    return signed_angle(env, angle, sign);
}

}  // namespace bmbt::fpu

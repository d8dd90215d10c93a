// FSIN, FCOS, FPTAN, FSINCOS.
#include "fpu/real.hpp"

namespace bmbt::fpu {

namespace {

// Arguments are reduced with pi to 66 bits, as the processor does it ("Approximation of Pi"): pi66 = units * 2^-64.
constexpr u128 pi66 = join(3, 0x243f6a8885a308d3);

struct Angle {
    Real rest;         // in [-pi/4, pi/4]
    unsigned quarter;  // the angle is quarter * pi/2 + rest, quarter counted modulo 4
};

// |a| < 2^63.
Angle reduce(Float80 a) {
    const Finite f = normalized(a);
    const i32 power = f.exponent - bias80;
    if (power < -1) return {real(a), 0};
    u128 rest = u128{f.mantissa} << (power + 2);  // in units of 2^-65, where pi/2 is pi66
    unsigned quarter = 0;
    for (int i = 62; i >= 0; --i) {
        const u128 multiple = pi66 << i;
        if (rest >= multiple) {
            rest -= multiple;
            if (i < 2) quarter += 1u << i;
        }
    }
    bool sign = a.sign();
    if (rest > pi66 / 2) {
        rest = pi66 - rest;
        sign = !sign;
        ++quarter;
    }
    return {real(rest, 62, sign), a.sign() ? -quarter & 3 : quarter & 3};
}

// 1/(n(n+1)), so that each step of a series is one multiplication
struct Steps {
    Real of[32];
    constexpr Steps() {
        for (int n = 1; n < 32; ++n) of[n] = real(1) / real(n * (n + 1));
    }
};
constexpr Steps steps;

Real sin_near_zero(Real r) {
    const Real z = r * r;
    Real sum = real(1);
    for (int k = terms(z, 14); k >= 1; --k) sum = real(1) - z * steps.of[2 * k] * sum;
    return r * sum;
}
Real cos_near_zero(Real r) {
    const Real z = r * r;
    Real sum = real(1);
    for (int k = terms(z, 15); k >= 1; --k) sum = real(1) - z * steps.of[2 * k - 1] * sum;
    return sum;
}

Real sine(const Angle& a) {
    const Real v = a.quarter & 1 ? cos_near_zero(a.rest) : sin_near_zero(a.rest);
    return a.quarter & 2 ? -v : v;
}
Real cosine(const Angle& a) { return sine({a.rest, a.quarter + 1}); }

// The operands that need no computing.
enum class Kind : u8 { Compute, Decided, Zero, OutOfRange };
Kind kind(FpEnv& env, Float80 a, Float80& result) {
    if (decided_by_nan(env, a, result)) return Kind::Decided;
    if (is_infinity(a)) {
        result = invalid(env);
        return Kind::Decided;
    }
    if (is_zero(a)) return Kind::Zero;
    if (a.exponent() >= bias80 + 63) return Kind::OutOfRange;
    if (stops_on_denormal(env, is_denormal(a))) {
        result = a;
        return Kind::Decided;
    }
    return Kind::Compute;
}

}  // namespace

Trig sin(FpEnv& env, Float80 a) {
    Float80 result;
    switch (kind(env, a, result)) {
        case Kind::Decided: return {result, false};
        case Kind::Zero: return {a, false};
        case Kind::OutOfRange: return {a, true};
        case Kind::Compute: break;
    }
    return {pack(env, sine(reduce(a))), false};
}

Trig cos(FpEnv& env, Float80 a) {
    Float80 result;
    switch (kind(env, a, result)) {
        case Kind::Decided: return {result, false};
        case Kind::Zero: return {one80, false};
        case Kind::OutOfRange: return {a, true};
        case Kind::Compute: break;
    }
    return {pack(env, cosine(reduce(a))), false};
}

Trig tan(FpEnv& env, Float80 a) {
    Float80 result;
    switch (kind(env, a, result)) {
        case Kind::Decided: return {result, false};
        case Kind::Zero: return {a, false};
        case Kind::OutOfRange: return {a, true};
        case Kind::Compute: break;
    }
    const Angle angle = reduce(a);
    return {pack(env, sine(angle) / cosine(angle)), false};
}

SinCos sincos(FpEnv& env, Float80 a) {
    Float80 result;
    switch (kind(env, a, result)) {
        case Kind::Decided: return {result, result, false};
        case Kind::Zero: return {a, one80, false};
        case Kind::OutOfRange: return {a, a, true};
        case Kind::Compute: break;
    }
    const Angle angle = reduce(a);
    const Float80 s = pack(env, sine(angle));
    env.flags &= static_cast<u16>(~rounded_up);  // C1 speaks of the last result
    return {s, pack(env, cosine(angle)), false};
}

}  // namespace bmbt::fpu

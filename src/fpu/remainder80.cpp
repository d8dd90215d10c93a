// FPREM, FPREM1, FRNDINT, FSCALE, FXTRACT.
#include "fpu/float80.hpp"
#include "fpu/round80.hpp"

namespace bmbt::fpu {

namespace {

// Exact for the arithmetic that made it; underflow is flagged only when unmasked.
Float80 pack_exact(FpEnv& env, bool sign, i32 exponent, u64 mantissa) {
    if (mantissa == 0) return signed_zero(sign);
    const int n = std::countl_zero(mantissa);
    return round_pack(env, sign, exponent - n, mantissa << n, 0, 64);
}

Remainder remainder(FpEnv& env, Float80 a, Float80 b, bool nearest) {
    Float80 result;
    if (decided_by_nan(env, a, b, result)) return {result, 0, false};
    if (is_infinity(a) || is_zero(b)) return {invalid(env), 0, false};
    if (stops_on_denormal(env, is_denormal(a) || is_denormal(b))) return {a, 0, false};
    if (is_zero(a) || is_infinity(b)) {
        if (is_denormal(a)) {
            const Finite f = normalized(a);
            return {pack_exact(env, a.sign(), f.exponent, f.mantissa), 0, false};
        }
        return {a, 0, false};
    }

    const Finite x = normalized(a), y = normalized(b);
    const i32 distance = x.exponent - y.exponent;
    bool sign = a.sign();
    if (distance < -1 || (distance == -1 && !nearest)) return {pack_exact(env, sign, x.exponent, x.mantissa), 0, false};
    if (distance == -1) {
        // a is below b: the nearest quotient is 1 when a > b/2.
        if (x.mantissa <= y.mantissa) return {pack_exact(env, sign, x.exponent, x.mantissa), 0, false};
        // b - a at a's scale: 2 * b.mantissa - a.mantissa, below b.mantissa.
        return {pack_exact(env, !sign, x.exponent, (y.mantissa << 1) - x.mantissa), 1, false};
    }

    // Far apart, the processor takes off 32 to 63 bits of the quotient and leaves the rest to the next FPREM.
    const bool partial = distance >= 64;
    const unsigned steps = partial ? 32 + (static_cast<unsigned>(distance) & 31) : static_cast<unsigned>(distance);
    u64 rest = x.mantissa, quotient = 0;
    if (rest >= y.mantissa) rest -= y.mantissa, quotient = u64{1} << (steps & 63);
    if (steps != 0) {
        const Quotient q = divide(rest >> (64 - steps), rest << steps, y.mantissa);
        quotient += q.quotient;
        rest = q.remainder;
    }
    i32 exponent = y.exponent + (partial ? distance - static_cast<i32>(steps) : 0);
    if (partial) return {pack_exact(env, sign, exponent, rest), 0, true};
    if (nearest) {
        const u64 other = y.mantissa - rest;
        if (rest > other || (rest == other && (quotient & 1))) {
            rest = other;
            sign = !sign;
            ++quotient;
        }
    }
    return {pack_exact(env, rest == 0 ? a.sign() : sign, exponent, rest), static_cast<u8>(quotient & 7), false};
}

}  // namespace

Remainder remainder_truncated(FpEnv& env, Float80 a, Float80 b) { return remainder(env, a, b, false); }
Remainder remainder_nearest(FpEnv& env, Float80 a, Float80 b) { return remainder(env, a, b, true); }

Float80 round_to_integer(FpEnv& env, Float80 a) {
    Float80 result;
    if (decided_by_nan(env, a, result)) return result;
    if (is_zero(a) || is_infinity(a)) return a;
    if (stops_on_denormal(env, is_denormal(a))) return a;
    const Finite f = normalized(a);
    const i32 whole_bits = f.exponent - bias80 + 1;  // bits of the mantissa left of the binary point
    if (whole_bits >= 64) return a;
    const u128 value = shift_right_sticky(join(f.mantissa, 0), static_cast<unsigned>(64 - whole_bits));
    const Rounded r = round_bits(env.rounding(), 64, a.sign(), high(value), low(value));
    if (r.inexact) env.flags |= inexact;
    if (r.up) env.flags |= rounded_up;
    if (r.mantissa == 0) return signed_zero(a.sign());
    const int n = std::countl_zero(r.mantissa);
    return with_sign({r.mantissa << n, static_cast<u16>(bias80 + 63 - n)}, a.sign());
}

Float80 scale(FpEnv& env, Float80 a, Float80 by) {
    Float80 result;
    if (decided_by_nan(env, a, by, result)) return result;
    if (is_infinity(by) && (by.sign() ? is_infinity(a) : is_zero(a))) return invalid(env);
    if (stops_on_denormal(env, is_denormal(a) || is_denormal(by))) return a;
    if (is_infinity(by)) return by.sign() ? signed_zero(a.sign()) : infinity80(a.sign());
    if (is_zero(a) || is_infinity(a)) return a;
    i32 n = 0;
    if (by.exponent() >= bias80) {
        const i32 power = by.exponent() - bias80;
        n = power >= 17 ? 0x20000 : static_cast<i32>(by.mantissa >> (63 - power));
        if (by.sign()) n = -n;
    }
    const Finite f = normalized(a);
    // So far that the adjusted exponent of an unmasked overflow or underflow is out of reach too, rounding plays no
    // part.
    if (env.unmasked(overflow) && f.exponent + n - wrap80 >= 0x7fff) {
        env.flags |= overflow | inexact | rounded_up;
        return infinity80(a.sign());
    }
    if (env.unmasked(underflow) && f.exponent + n + wrap80 <= 0) {
        env.flags |= underflow | inexact;
        return signed_zero(a.sign());
    }
    return round_pack(env, a.sign(), f.exponent + n, f.mantissa, 0, 64);
}

Extracted extract(FpEnv& env, Float80 a) {
    Float80 result;
    if (decided_by_nan(env, a, result)) return {result, result};
    if (is_infinity(a)) return {infinity80(false), a};
    if (is_zero(a)) {
        env.flags |= zero_divide;
        return {infinity80(true), a};
    }
    if (stops_on_denormal(env, is_denormal(a))) return {a, a};
    const Finite f = normalized(a);
    return {from_int(f.exponent - bias80), with_sign({f.mantissa, bias80}, a.sign())};
}

}  // namespace bmbt::fpu

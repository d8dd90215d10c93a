// Inside of the 80-bit arithmetic: taking operands apart, NaN rules, and rounding.
#pragma once
#include "fpu/float80.hpp"
#include "fpu/wide.hpp"

namespace bmbt::fpu {

inline constexpr i32 bias80 = 16383;
inline constexpr i32 wrap80 = 24576;  // exponent adjustment of an unmasked overflow or underflow
inline constexpr u64 integer_bit = u64{1} << 63;
inline constexpr u64 quiet_bit = u64{1} << 62;

constexpr bool is_nan(Float80 a) { return a.exponent() == 0x7fff && a.mantissa >> 63 && (a.mantissa << 1) != 0; }
constexpr bool is_signalling(Float80 a) { return is_nan(a) && !(a.mantissa & quiet_bit); }
constexpr bool is_infinity(Float80 a) { return a.exponent() == 0x7fff && a.mantissa == integer_bit; }
constexpr bool is_zero(Float80 a) { return a.exponent() == 0 && a.mantissa == 0; }
constexpr bool is_denormal(Float80 a) { return a.exponent() == 0 && a.mantissa != 0; }
constexpr bool is_invalid(Float80 a) { return a.exponent() != 0 && !(a.mantissa >> 63); }
constexpr bool is_normal(Float80 a) { return static_cast<u16>(a.exponent() - 1) < 0x7ffe && a.mantissa >> 63; }

constexpr Float80 with_sign(Float80 a, bool sign) {
    return {a.mantissa, static_cast<u16>(a.exponent() | (sign ? 0x8000 : 0))};
}
constexpr Float80 negate(Float80 a) { return {a.mantissa, static_cast<u16>(a.sign_exponent ^ 0x8000)}; }
constexpr Float80 quiet(Float80 a) { return {a.mantissa | quiet_bit, a.sign_exponent}; }
constexpr Float80 signed_zero(bool sign) { return {0, static_cast<u16>(sign ? 0x8000 : 0)}; }

inline Float80 invalid(FpEnv& env) {
    env.flags |= invalid_operation;
    return default_nan80;
}

// A finite number that is not zero, with the integer bit set and the exponent (biased) as far below 1 as it takes.
struct Finite {
    i32 exponent;
    u64 mantissa;
};
constexpr Finite normalized(Float80 a) {
    if (a.exponent() != 0) return {a.exponent(), a.mantissa};
    int n = std::countl_zero(a.mantissa);
    return {1 - n, a.mantissa << n};
}

// Flags a denormal among the operands. True: it is unmasked and the operation stops.
inline bool stops_on_denormal(FpEnv& env, bool denormal) {
    if (!denormal) return false;
    env.flags |= denormal_operand;
    return env.unmasked(denormal_operand);
}

// "Rules for handling NaNs", x87 column: the NaN with the larger significand, a quiet one before a signalling one,
// and the positive one of two equals.
constexpr Float80 pick_nan(Float80 a, Float80 b) {
    if (!is_nan(b)) return quiet(a);
    if (!is_nan(a)) return quiet(b);
    if (is_signalling(a) != is_signalling(b)) return is_signalling(a) ? b : a;
    if (a.mantissa != b.mantissa) return quiet(a.mantissa > b.mantissa ? a : b);
    return quiet(a.sign() ? b : a);
}

// True when an invalid encoding or a NaN among the operands decides the result.
inline bool decided_by_nan(FpEnv& env, Float80 a, Float80 b, Float80& result) {
    if (is_invalid(a) || is_invalid(b)) [[unlikely]] {
        result = invalid(env);
        return true;
    }
    if (!is_nan(a) && !is_nan(b)) return false;
    if (is_signalling(a) || is_signalling(b)) env.flags |= invalid_operation;
    result = pick_nan(a, b);
    return true;
}
inline bool decided_by_nan(FpEnv& env, Float80 a, Float80& result) {
    if (is_invalid(a)) [[unlikely]] {
        result = invalid(env);
        return true;
    }
    if (!is_nan(a)) return false;
    if (is_signalling(a)) env.flags |= invalid_operation;
    result = quiet(a);
    return true;
}

// One rounding step to `bits` bits of hi:lo, where only the top of lo and whether anything is below it matter.
struct Rounded {
    u64 mantissa;  // after a carry out of bit 63: the integer bit alone
    bool carry, up, inexact;
};
constexpr Rounded round_bits(Rounding mode, unsigned bits, bool sign, u64 hi, u64 lo) {
    const u64 unit = u64{1} << (64 - bits), below = hi & (unit - 1);
    const u64 fraction = bits == 64 ? lo : below << bits | static_cast<u64>(lo != 0);
    hi -= below;
    bool up = false;
    switch (mode) {
        case Rounding::Nearest: up = fraction > integer_bit - ((hi & unit) != 0); break;
        case Rounding::Down: up = sign && fraction; break;
        case Rounding::Up: up = !sign && fraction; break;
        case Rounding::Zero: break;
    }
    if (!up) return {hi, false, false, fraction != 0};
    hi += unit;
    if (hi == 0) return {integer_bit, true, true, true};
    return {hi, false, true, true};
}

// The number +-hi.lo * 2^(exponent - bias80 - 63) as an 80-bit number of `bits` bits; bit 63 of hi is set. Tininess
// is detected after rounding.
Float80 round_pack(FpEnv&, bool sign, i32 exponent, u64 hi, u64 lo, unsigned bits);

}  // namespace bmbt::fpu

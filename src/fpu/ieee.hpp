// The interchange formats binary32 and binary64 as SSE computes them and x87 loads and stores them.
#pragma once
#include "fpu/round80.hpp"

namespace bmbt::fpu {

template <class B, unsigned Mantissa>
struct Format {
    using Bits = B;
    static constexpr unsigned mantissa_bits = Mantissa;  // without the hidden bit
    static constexpr unsigned precision = Mantissa + 1;
    static constexpr unsigned exponent_bits = sizeof(B) * 8 - 1 - Mantissa;
    static constexpr i32 max_exponent = (1 << exponent_bits) - 1;  // infinity and NaN
    static constexpr i32 bias = max_exponent / 2;
    static constexpr Bits sign_bit = Bits{1} << (sizeof(B) * 8 - 1);
    static constexpr Bits mantissa_mask = (Bits{1} << Mantissa) - 1;
    static constexpr Bits quiet_bit = Bits{1} << (Mantissa - 1);
    static constexpr Bits infinity = static_cast<Bits>(max_exponent) << Mantissa;
    static constexpr Bits default_nan = sign_bit | infinity | quiet_bit;
    static constexpr Bits largest = infinity - 1;

    static constexpr bool sign(Bits v) { return v & sign_bit; }
    static constexpr i32 exponent(Bits v) { return static_cast<i32>((v & ~sign_bit) >> Mantissa); }
    static constexpr Bits mantissa(Bits v) { return v & mantissa_mask; }
    static constexpr bool is_nan(Bits v) { return (v & ~sign_bit) > infinity; }
    static constexpr bool is_signalling(Bits v) { return is_nan(v) && !(v & quiet_bit); }
    static constexpr bool is_infinity(Bits v) { return (v & ~sign_bit) == infinity; }
    static constexpr bool is_zero(Bits v) { return (v & ~sign_bit) == 0; }
    static constexpr bool is_denormal(Bits v) { return exponent(v) == 0 && mantissa(v) != 0; }
    static constexpr Bits with_sign(Bits magnitude, bool negative) {
        return negative ? magnitude | sign_bit : magnitude;
    }

    // A finite number that is not zero: mantissa with bit 63 set, exponent still biased, below 1 for denormals.
    static constexpr Finite normalized(Bits v) {
        const u64 m = u64{mantissa(v)} << (63 - Mantissa);
        if (exponent(v) != 0) return {exponent(v), m | integer_bit};
        const int n = std::countl_zero(m);
        return {1 - n, m << n};
    }
};
using F32 = Format<u32, 23>;
using F64 = Format<u64, 52>;

// +-sig * 2^(exponent - bias - 63), bit 63 of sig set and bit 0 sticky, as a number of format F.
// traps are the unmasked exceptions: with overflow or underflow among them a huge or tiny result is only flagged,
// even when exact, and inexact is what it would be with an unlimited exponent. flush: tiny results become zero.
template <class F>
typename F::Bits round_pack(Rounding mode, u16 traps, bool flush, bool sign, i32 exponent, u64 sig, u16& flags) {
    const Rounded r = round_bits(mode, F::precision, sign, sig, 0);
    if (exponent + r.carry >= F::max_exponent) {
        if (traps & overflow) {
            flags |= static_cast<u16>(overflow | (r.inexact ? inexact : 0));
            return 0;
        }
        flags |= overflow | inexact;
        const bool to_infinity = mode == Rounding::Nearest || mode == (sign ? Rounding::Down : Rounding::Up);
        if (to_infinity) flags |= rounded_up;
        return F::with_sign(to_infinity ? F::infinity : F::largest, sign);
    }
    if (exponent + r.carry <= 0) {
        if (flush) {
            flags |= underflow | inexact;
            return F::with_sign(0, sign);
        }
        if (traps & underflow) {
            flags |= static_cast<u16>(underflow | (r.inexact ? inexact : 0));
            return 0;
        }
        const u64 denormal = shift_right_sticky(sig, static_cast<unsigned>(1 - exponent));
        const Rounded d = round_bits(mode, F::precision, sign, denormal, 0);
        if (d.inexact) flags |= underflow | inexact;
        if (d.up) flags |= rounded_up;
        return F::with_sign(static_cast<typename F::Bits>(d.mantissa >> (63 - F::mantissa_bits)), sign);
    }
    if (r.inexact) flags |= inexact;
    if (r.up) flags |= rounded_up;
    if (exponent + r.carry == 1 && exponent == 0) return F::with_sign(typename F::Bits{1} << F::mantissa_bits, sign);
    const auto m = static_cast<typename F::Bits>(r.mantissa >> (63 - F::mantissa_bits)) & F::mantissa_mask;
    return F::with_sign(static_cast<typename F::Bits>(exponent + r.carry) << F::mantissa_bits | m, sign);
}

}  // namespace bmbt::fpu

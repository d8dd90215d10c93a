#include "fpu/float80.hpp"

#include "fpu/fast80.hpp"

namespace bmbt::fpu {

Class classify(Float80 a) {
    if (is_zero(a)) return Class::Zero;
    if (is_denormal(a)) return Class::Denormal;
    if (is_invalid(a)) return Class::Invalid;
    if (is_infinity(a)) return Class::Infinity;
    if (is_nan(a)) return is_signalling(a) ? Class::SignallingNan : Class::QuietNan;
    return Class::Normal;
}

namespace {

// "Masked response to numeric overflow": infinity, or the largest number when rounding points away from infinity.
Float80 overflowed(FpEnv& env, bool sign, unsigned bits) {
    env.flags |= overflow | inexact;
    const Rounding mode = env.rounding();
    if (mode == Rounding::Nearest || mode == (sign ? Rounding::Down : Rounding::Up)) {
        env.flags |= rounded_up;
        return infinity80(sign);
    }
    return with_sign({~u64{0} << (64 - bits), 0x7ffe}, sign);
}

void flag(FpEnv& env, const Rounded& r) {
    if (r.inexact) env.flags |= inexact;
    if (r.up) env.flags |= rounded_up;
}

}  // namespace

Float80 round_pack(FpEnv& env, bool sign, i32 exponent, u64 hi, u64 lo, unsigned bits) {
    const Rounded r = round_bits(env.rounding(), bits, sign, hi, lo);
    i32 e = exponent + r.carry;
    if (e >= 0x7fff) {
        if (!env.unmasked(overflow)) return overflowed(env, sign, bits);
        env.flags |= overflow;
        e -= wrap80;
    } else if (e <= 0) {
        if (!env.unmasked(underflow)) {
            const u128 denormal = shift_right_sticky(join(hi, lo), static_cast<unsigned>(1 - exponent));
            const Rounded d = round_bits(env.rounding(), bits, sign, high(denormal), low(denormal));
            flag(env, d);
            if (d.inexact) env.flags |= underflow;
            return with_sign({d.mantissa, static_cast<u16>(d.mantissa >> 63)}, sign);
        }
        env.flags |= underflow;
        e += wrap80;
    } else if (exponent <= 0) {  // rounded up to the smallest normal number, which is not tiny
        flag(env, r);
        return with_sign({integer_bit, 1}, sign);
    }
    flag(env, r);
    return with_sign({r.mantissa, static_cast<u16>(e)}, sign);
}

namespace {

Float80 add_finite(FpEnv& env, Float80 a, Float80 b, bool b_sign) {
    const bool a_sign = a.sign();
    if (is_zero(a) && is_zero(b)) return signed_zero(a_sign == b_sign ? a_sign : env.rounding() == Rounding::Down);
    if (is_zero(b)) {
        const Finite f = normalized(a);
        return round_pack(env, a_sign, f.exponent, f.mantissa, 0, env.precision_bits());
    }
    if (is_zero(a)) {
        const Finite f = normalized(b);
        return round_pack(env, b_sign, f.exponent, f.mantissa, 0, env.precision_bits());
    }
    Finite x = normalized(a), y = normalized(b);
    bool sign = a_sign;
    if (x.exponent < y.exponent || (x.exponent == y.exponent && x.mantissa < y.mantissa)) {
        const Finite t = x;
        x = y, y = t;
        sign = b_sign;
    }
    u128 big = join(x.mantissa, 0);
    const u128 small = shift_right_sticky(join(y.mantissa, 0), static_cast<unsigned>(x.exponent - y.exponent));
    if (a_sign == b_sign) {
        big += small;
        if (big < small) {
            big = shift_right_sticky(big, 1) | u128{1} << 127;
            ++x.exponent;
        }
    } else {
        big -= small;
        if (big == 0) return signed_zero(env.rounding() == Rounding::Down);
        const int n = high(big) ? std::countl_zero(high(big)) : 64 + std::countl_zero(low(big));
        big <<= n;
        x.exponent -= n;
    }
    return round_pack(env, sign, x.exponent, high(big), low(big), env.precision_bits());
}

[[gnu::noinline]] Float80 add_or_subtract(FpEnv& env, Float80 a, Float80 b, bool subtract) {
    Float80 result;
    if (decided_by_nan(env, a, b, result)) return result;
    const bool b_sign = b.sign() != subtract;
    if (is_infinity(a) && is_infinity(b)) return a.sign() == b_sign ? a : invalid(env);
    if (stops_on_denormal(env, is_denormal(a) || is_denormal(b))) return a;
    if (is_infinity(a)) return a;
    if (is_infinity(b)) return infinity80(b_sign);
    return add_finite(env, a, b, b_sign);
}

[[gnu::noinline]] Float80 mul_slow(FpEnv& env, Float80 a, Float80 b) {
    Float80 result;
    if (decided_by_nan(env, a, b, result)) return result;
    const bool sign = a.sign() != b.sign();
    if ((is_infinity(a) && is_zero(b)) || (is_zero(a) && is_infinity(b))) return invalid(env);
    if (stops_on_denormal(env, is_denormal(a) || is_denormal(b))) return a;
    if (is_infinity(a) || is_infinity(b)) return infinity80(sign);
    if (is_zero(a) || is_zero(b)) return signed_zero(sign);
    const Finite x = normalized(a), y = normalized(b);
    u128 product = u128{x.mantissa} * y.mantissa;
    i32 exponent = x.exponent + y.exponent - bias80 + 1;
    if (!(high(product) >> 63)) product <<= 1, --exponent;
    return round_pack(env, sign, exponent, high(product), low(product), env.precision_bits());
}

[[gnu::noinline]] Float80 div_slow(FpEnv& env, Float80 a, Float80 b) {
    Float80 result;
    if (decided_by_nan(env, a, b, result)) return result;
    const bool sign = a.sign() != b.sign();
    if ((is_infinity(a) && is_infinity(b)) || (is_zero(a) && is_zero(b))) return invalid(env);
    if (is_zero(b) && !is_infinity(a)) {
        env.flags |= zero_divide;
        return infinity80(sign);
    }
    if (stops_on_denormal(env, is_denormal(a) || is_denormal(b))) return a;
    if (is_infinity(a)) return infinity80(sign);
    if (is_infinity(b) || is_zero(a)) return signed_zero(sign);
    const Finite x = normalized(a), y = normalized(b);
    const auto [hi, lo, smaller] = divide_mantissas(x.mantissa, y.mantissa);
    return round_pack(env, sign, x.exponent - y.exponent + bias80 - smaller, hi, lo, env.precision_bits());
}

// Nearest even at 64 bits, both fields' reset value, is what nearly all programs use.
bool plain_rounding(const FpEnv& env) { return (env.control & 0x0f00) == 0x0300; }

// fast(a, b, result, flags), and where it does not apply slow(env, a, b).
template <class Fast, class Slow>
inline Float80 fast_or(FpEnv& env, Float80 a, Float80 b, Fast fast, Slow slow) {
    Float80 result;
    u16 flags = 0;
    if (plain_rounding(env) && fast(a, b, result, flags)) [[likely]] {
        env.flags |= flags;
        return result;
    }
    return slow(env, a, b);
}

}  // namespace

Float80 add(FpEnv& env, Float80 a, Float80 b) {
    return fast_or(
        env, a, b, [](Float80 x, Float80 y, Float80& r, u16& f) { return add_fast(x, y, 0, r, f); },
        [](FpEnv& e, Float80 x, Float80 y) { return add_or_subtract(e, x, y, false); });
}
Float80 sub(FpEnv& env, Float80 a, Float80 b) {
    return fast_or(
        env, a, b, [](Float80 x, Float80 y, Float80& r, u16& f) { return add_fast(x, y, 0x8000, r, f); },
        [](FpEnv& e, Float80 x, Float80 y) { return add_or_subtract(e, x, y, true); });
}
Float80 mul(FpEnv& env, Float80 a, Float80 b) { return fast_or(env, a, b, mul_fast, mul_slow); }
Float80 div(FpEnv& env, Float80 a, Float80 b) { return fast_or(env, a, b, div_fast, div_slow); }

Float80 sqrt(FpEnv& env, Float80 a) {
    Float80 result;
    if (decided_by_nan(env, a, result)) return result;
    if (is_zero(a)) return a;
    if (a.sign()) return invalid(env);
    if (is_infinity(a)) return a;
    if (stops_on_denormal(env, is_denormal(a))) return a;
    const Finite f = normalized(a);
    const i32 e = f.exponent - bias80;
    const Root r = square_root(e & 1 ? join(f.mantissa, 0) : join(f.mantissa, 0) >> 1);
    // A root of a 64-bit mantissa is never halfway between two 64-bit numbers, so the remainder tells all there is:
    // beyond the half exactly when it exceeds the root.
    return round_pack(env, false, (e >> 1) + bias80, r.root,
                      r.exact        ? 0
                      : r.above_half ? ~u64{0}
                                     : 1,
                      env.precision_bits());
}

namespace {

Order order(Float80 a, Float80 b) {
    if (is_zero(a) && is_zero(b)) return Order::Equal;
    if (a.sign() != b.sign()) return a.sign() ? Order::Less : Order::Greater;
    // A pseudo-denormal has exponent 0 and is worth exponent 1.
    const u32 ea = a.exponent() == 0 && a.mantissa >> 63 ? 1 : a.exponent();
    const u32 eb = b.exponent() == 0 && b.mantissa >> 63 ? 1 : b.exponent();
    if (ea == eb && a.mantissa == b.mantissa) return Order::Equal;
    const bool less = ea != eb ? ea < eb : a.mantissa < b.mantissa;
    return less != a.sign() ? Order::Less : Order::Greater;
}

Order compare_with(FpEnv& env, Float80 a, Float80 b, bool quiet_nan_is_invalid) {
    if (is_normal(a) && is_normal(b)) [[likely]]
        return order(a, b);
    if (is_invalid(a) || is_invalid(b)) {
        env.flags |= invalid_operation;
        return Order::Unordered;
    }
    if (is_nan(a) || is_nan(b)) {
        if (quiet_nan_is_invalid || is_signalling(a) || is_signalling(b)) env.flags |= invalid_operation;
        return Order::Unordered;
    }
    if (is_denormal(a) || is_denormal(b)) env.flags |= denormal_operand;
    return order(a, b);
}

}  // namespace

Order compare(FpEnv& env, Float80 a, Float80 b) { return compare_with(env, a, b, true); }
Order compare_quiet(FpEnv& env, Float80 a, Float80 b) { return compare_with(env, a, b, false); }

}  // namespace bmbt::fpu

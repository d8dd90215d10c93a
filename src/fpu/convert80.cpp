// Between 80-bit numbers and binary32, binary64, integers and packed BCD; the constants.
#include "fpu/ieee.hpp"

namespace bmbt::fpu {

namespace {

template <class F>
Float80 widen(typename F::Bits v) {
    const u16 sign = F::sign(v) ? 0x8000 : 0;
    if (F::exponent(v) == F::max_exponent)
        return {integer_bit | u64{F::mantissa(v)} << (63 - F::mantissa_bits), static_cast<u16>(sign | 0x7fff)};
    if (F::is_zero(v)) return {0, sign};
    const Finite f = F::normalized(v);
    return {f.mantissa, static_cast<u16>(sign | (f.exponent - F::bias + bias80))};
}

template <class F>
Float80 load(FpEnv& env, typename F::Bits v) {
    const Float80 wide = widen<F>(v);
    if (F::is_denormal(v)) env.flags |= denormal_operand;
    if (F::is_signalling(v)) {
        env.flags |= invalid_operation;
        return quiet(wide);
    }
    return wide;
}

template <class F>
typename F::Bits store(FpEnv& env, Float80 a) {
    using Bits = typename F::Bits;
    if (is_invalid(a)) {
        env.flags |= invalid_operation;
        return F::default_nan;
    }
    if (is_nan(a)) {
        if (is_signalling(a)) env.flags |= invalid_operation;
        const auto payload = static_cast<Bits>(a.mantissa << 1 >> (64 - F::mantissa_bits));
        return F::with_sign(F::infinity | F::quiet_bit | payload, a.sign());
    }
    if (is_infinity(a)) return F::with_sign(F::infinity, a.sign());
    if (is_zero(a)) return F::with_sign(0, a.sign());
    const Finite f = normalized(a);
    u16 flags = 0;
    const Bits result = round_pack<F>(env.rounding(), static_cast<u16>(~env.control), false, a.sign(),
                                      f.exponent - bias80 + F::bias, f.mantissa, flags);
    if (env.unmasked(flags & (overflow | underflow)))
        flags &= overflow | underflow;  // nothing is stored, so not inexactly
    env.flags |= flags;
    return result;
}

// |a| rounded to an integer in 64 bits; false when it does not fit.
bool magnitude(Float80 a, Rounding mode, Rounded& out) {
    if (a.exponent() == 0x7fff || is_invalid(a)) return false;
    out = {};
    if (is_zero(a)) return true;
    const Finite f = normalized(a);
    const i32 whole_bits = f.exponent - bias80 + 1;
    if (whole_bits > 64) return false;
    const u128 value = shift_right_sticky(join(f.mantissa, 0), static_cast<unsigned>(64 - whole_bits));
    out = round_bits(mode, 64, a.sign(), high(value), low(value));
    return !out.carry;
}

void flag(FpEnv& env, const Rounded& r) {
    if (r.inexact) env.flags |= inexact;
    if (r.up) env.flags |= rounded_up;
}

}  // namespace

Float80 widen_f32(u32 v) { return widen<F32>(v); }
Float80 widen_f64(u64 v) { return widen<F64>(v); }
Float80 from_f32(FpEnv& env, u32 v) { return load<F32>(env, v); }
Float80 from_f64(FpEnv& env, u64 v) { return load<F64>(env, v); }
u32 to_f32(FpEnv& env, Float80 a) { return store<F32>(env, a); }
u64 to_f64(FpEnv& env, Float80 a) { return store<F64>(env, a); }

Float80 from_int(i64 v) {
    if (v == 0) return zero80;
    const u64 m = v < 0 ? -static_cast<u64>(v) : static_cast<u64>(v);
    const int n = std::countl_zero(m);
    return with_sign({m << n, static_cast<u16>(bias80 + 63 - n)}, v < 0);
}

i64 to_int(FpEnv& env, Float80 a, unsigned width, Rounding mode) {
    const u64 limit = u64{1} << (width - 1);
    Rounded r;
    if (!magnitude(a, mode, r) || r.mantissa > limit - !a.sign()) {
        env.flags |= invalid_operation;
        return -static_cast<i64>(limit - 1) - 1;
    }
    flag(env, r);
    return static_cast<i64>(a.sign() ? -r.mantissa : r.mantissa);
}

Float80 from_bcd(Float80 packed) {
    auto two_digits = [](u64 byte) { return (byte >> 4) * 10 + (byte & 15); };
    u64 value = two_digits(packed.sign_exponent & 0xff);
    for (int i = 7; i >= 0; --i) value = value * 100 + two_digits(packed.mantissa >> (8 * i) & 0xff);
    return with_sign(from_int(static_cast<i64>(value)), packed.sign());
}

Float80 to_bcd(FpEnv& env, Float80 a) {
    constexpr u64 largest = 999'999'999'999'999'999;
    Rounded r;
    if (!magnitude(a, env.rounding(), r) || r.mantissa > largest) {
        env.flags |= invalid_operation;
        return {0xc000'0000'0000'0000, 0xffff};  // packed BCD indefinite
    }
    flag(env, r);
    u64 value = r.mantissa;
    auto next_byte = [&value] {
        const u64 pair = value % 100;
        value /= 100;
        return pair / 10 << 4 | pair % 10;
    };
    u64 bytes = 0;
    for (unsigned i = 0; i < 8; ++i) bytes |= next_byte() << (8 * i);
    return {bytes, static_cast<u16>((a.sign() ? 0x8000 : 0) | next_byte())};
}

Float80 constant(Rounding mode, Constant which) {
    // Truncated to 64 bits, and the two bits that follow ("the FPU's internal constants are 66 bits long").
    struct Entry {
        u64 mantissa;
        u16 exponent;
        u8 rest;
    };
    static constexpr Entry entries[] = {
        {0x8000'0000'0000'0000, 0x3fff, 0},
        {0xd49a'784b'cd1b'8afe, 0x4000, 1},
        {0xb8aa'3b29'5c17'f0bb, 0x3fff, 3},
        {0xc90f'daa2'2168'c234, 0x4000, 3},
        {0x9a20'9a84'fbcf'f798, 0x3ffd, 3},
        {0xb172'17f7'd1cf'79ab, 0x3ffe, 3},
        {0, 0, 0},
    };
    const Entry& e = entries[static_cast<unsigned>(which)];
    const bool up = mode == Rounding::Nearest ? e.rest >= 2 : mode == Rounding::Up && e.rest != 0;
    return {e.mantissa + up, e.exponent};
}

}  // namespace bmbt::fpu

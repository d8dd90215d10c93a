#include "fpu/sse_common.hpp"

namespace bmbt::fpu::sse {

u64 f32_to_f64(MxcsrEnv& env, u32 v) {
    v = operand<F32>(env, v);
    const bool sign = F32::sign(v);
    constexpr unsigned wider = F64::mantissa_bits - F32::mantissa_bits;
    if (F32::is_nan(v)) {
        if (F32::is_signalling(v)) env.flags |= invalid_operation;
        return F64::with_sign(F64::infinity | F64::quiet_bit | u64{F32::mantissa(v)} << wider, sign);
    }
    if (F32::is_infinity(v)) return F64::with_sign(F64::infinity, sign);
    if (F32::is_zero(v)) return F64::with_sign(0, sign);
    stops_on_denormal<F32>(env, v, v);
    const Finite f = F32::normalized(v);
    return pack<F64>(env, sign, f.exponent - F32::bias + F64::bias, f.mantissa);
}

u32 f64_to_f32(MxcsrEnv& env, u64 v) {
    v = operand<F64>(env, v);
    const bool sign = F64::sign(v);
    constexpr unsigned narrower = F64::mantissa_bits - F32::mantissa_bits;
    if (F64::is_nan(v)) {
        if (F64::is_signalling(v)) env.flags |= invalid_operation;
        return F32::with_sign(F32::infinity | F32::quiet_bit | static_cast<u32>(F64::mantissa(v) >> narrower), sign);
    }
    if (F64::is_infinity(v)) return F32::with_sign(F32::infinity, sign);
    if (F64::is_zero(v)) return F32::with_sign(0, sign);
    if (stops_on_denormal<F64>(env, v, v)) return 0;
    const Finite f = F64::normalized(v);
    return pack<F32>(env, sign, f.exponent - F64::bias + F32::bias, f.mantissa);
}

template <class F>
typename F::Bits from_int(MxcsrEnv& env, i64 v) {
    if (v == 0) return 0;
    const u64 m = v < 0 ? -static_cast<u64>(v) : static_cast<u64>(v);
    const int n = std::countl_zero(m);
    return pack<F>(env, v < 0, F::bias + 63 - n, m << n);
}

template <class F>
i64 to_int(MxcsrEnv& env, typename F::Bits v, unsigned width, bool truncate) {
    v = operand<F>(env, v);
    const u64 limit = u64{1} << (width - 1);
    const i64 indefinite = -static_cast<i64>(limit - 1) - 1;
    if (F::is_zero(v)) return 0;
    const bool sign = F::sign(v);
    const Finite f = F::normalized(v);
    const i32 whole_bits = f.exponent - F::bias + 1;
    if (F::exponent(v) == F::max_exponent || whole_bits > 64) {
        env.flags |= invalid_operation;
        return indefinite;
    }
    const u128 value = shift_right_sticky(join(f.mantissa, 0), static_cast<unsigned>(64 - whole_bits));
    const Rounded r = round_bits(truncate ? Rounding::Zero : env.rounding(), 64, sign, high(value), low(value));
    if (r.mantissa > limit - !sign) {
        env.flags |= invalid_operation;
        return indefinite;
    }
    if (r.inexact) env.flags |= inexact;
    return static_cast<i64>(sign ? -r.mantissa : r.mantissa);
}

template <class F>
typename F::Bits round(MxcsrEnv& env, typename F::Bits v, unsigned imm) {
    v = operand<F>(env, v);
    typename F::Bits result;
    if (decided_by_nan<F>(env, v, v, result)) return result;
    if (F::is_zero(v) || F::is_infinity(v)) return v;
    const bool sign = F::sign(v);
    const Finite f = F::normalized(v);
    const i32 whole_bits = f.exponent - F::bias + 1;
    if (whole_bits >= static_cast<i32>(F::precision)) return v;
    const Rounding mode = imm & 4 ? env.rounding() : static_cast<Rounding>(imm & 3);
    const u128 value = shift_right_sticky(join(f.mantissa, 0), static_cast<unsigned>(64 - whole_bits));
    const Rounded r = round_bits(mode, 64, sign, high(value), low(value));
    if (r.inexact && !(imm & 8)) env.flags |= inexact;
    if (r.mantissa == 0) return F::with_sign(0, sign);
    const int n = std::countl_zero(r.mantissa);
    MxcsrEnv exact;
    return pack<F>(exact, sign, F::bias + 63 - n, r.mantissa << n);
}

template u32 from_int<F32>(MxcsrEnv&, i64);
template u64 from_int<F64>(MxcsrEnv&, i64);
template i64 to_int<F32>(MxcsrEnv&, u32, unsigned, bool);
template i64 to_int<F64>(MxcsrEnv&, u64, unsigned, bool);
template u32 round<F32>(MxcsrEnv&, u32, unsigned);
template u64 round<F64>(MxcsrEnv&, u64, unsigned);

}  // namespace bmbt::fpu::sse

#include "fpu/fast80.hpp"
#include "fpu/sse_common.hpp"

namespace bmbt::fpu::sse {

namespace {

template <class F>
typename F::Bits add_finite(MxcsrEnv& env, typename F::Bits a, typename F::Bits b) {
    const bool a_sign = F::sign(a), b_sign = F::sign(b);
    if (F::is_zero(a) && F::is_zero(b))
        return F::with_sign(0, a_sign == b_sign ? a_sign : env.rounding() == Rounding::Down);
    if (F::is_zero(b)) {
        const Finite f = F::normalized(a);
        return pack<F>(env, a_sign, f.exponent, f.mantissa);
    }
    if (F::is_zero(a)) {
        const Finite f = F::normalized(b);
        return pack<F>(env, b_sign, f.exponent, f.mantissa);
    }
    Finite x = F::normalized(a), y = F::normalized(b);
    bool sign = a_sign;
    if (x.exponent < y.exponent || (x.exponent == y.exponent && x.mantissa < y.mantissa)) {
        const Finite t = x;
        x = y, y = t;
        sign = b_sign;
    }
    // One bit of room at the top for the carry; at least nine below the format's last for guard and sticky.
    u64 big = x.mantissa >> 1;
    const u64 small = shift_right_sticky(y.mantissa >> 1, static_cast<unsigned>(x.exponent - y.exponent));
    ++x.exponent;
    big = a_sign == b_sign ? big + small : big - small;
    if (big == 0) return F::with_sign(0, env.rounding() == Rounding::Down);
    const int n = std::countl_zero(big);
    return pack<F>(env, sign, x.exponent - n, big << n);
}

template <class F>
typename F::Bits add_or_subtract(MxcsrEnv& env, typename F::Bits a, typename F::Bits b, typename F::Bits flip) {
    a = operand<F>(env, a), b = operand<F>(env, b);
    typename F::Bits result;
    if (decided_by_nan<F>(env, a, b, result)) return result;
    b ^= flip;
    if (F::is_infinity(a) && F::is_infinity(b)) return a == b ? a : invalid<F>(env);
    if (stops_on_denormal<F>(env, a, b)) return a;
    if (F::is_infinity(a)) return a;
    if (F::is_infinity(b)) return b;
    return add_finite<F>(env, a, b);
}

}  // namespace

template <class F>
typename F::Bits add(MxcsrEnv& env, typename F::Bits a, typename F::Bits b) {
    return add_or_subtract<F>(env, a, b, 0);
}

template <class F>
typename F::Bits sub(MxcsrEnv& env, typename F::Bits a, typename F::Bits b) {
    return add_or_subtract<F>(env, a, b, F::sign_bit);
}

template <class F>
typename F::Bits mul(MxcsrEnv& env, typename F::Bits a, typename F::Bits b) {
    a = operand<F>(env, a), b = operand<F>(env, b);
    typename F::Bits result;
    if (decided_by_nan<F>(env, a, b, result)) return result;
    const bool sign = F::sign(a) != F::sign(b);
    if ((F::is_infinity(a) && F::is_zero(b)) || (F::is_zero(a) && F::is_infinity(b))) return invalid<F>(env);
    if (stops_on_denormal<F>(env, a, b)) return a;
    if (F::is_infinity(a) || F::is_infinity(b)) return F::with_sign(F::infinity, sign);
    if (F::is_zero(a) || F::is_zero(b)) return F::with_sign(0, sign);
    const Finite x = F::normalized(a), y = F::normalized(b);
    u128 product = u128{x.mantissa} * y.mantissa;
    i32 exponent = x.exponent + y.exponent - F::bias + 1;
    if (!(high(product) >> 63)) product <<= 1, --exponent;
    return pack<F>(env, sign, exponent, high(product) | static_cast<u64>(low(product) != 0));
}

template <class F>
typename F::Bits div(MxcsrEnv& env, typename F::Bits a, typename F::Bits b) {
    a = operand<F>(env, a), b = operand<F>(env, b);
    typename F::Bits result;
    if (decided_by_nan<F>(env, a, b, result)) return result;
    const bool sign = F::sign(a) != F::sign(b);
    if ((F::is_infinity(a) && F::is_infinity(b)) || (F::is_zero(a) && F::is_zero(b))) return invalid<F>(env);
    if (F::is_zero(b) && !F::is_infinity(a)) {
        env.flags |= zero_divide;
        return F::with_sign(F::infinity, sign);
    }
    if (stops_on_denormal<F>(env, a, b)) return a;
    if (F::is_infinity(a)) return F::with_sign(F::infinity, sign);
    if (F::is_infinity(b) || F::is_zero(a)) return F::with_sign(0, sign);
    const Finite x = F::normalized(a), y = F::normalized(b);
    const auto [hi, lo, smaller] = divide_mantissas(x.mantissa, y.mantissa);
    return pack<F>(env, sign, x.exponent - y.exponent + F::bias - smaller, hi | static_cast<u64>(lo != 0));
}

template <class F>
typename F::Bits sqrt(MxcsrEnv& env, typename F::Bits a) {
    a = operand<F>(env, a);
    typename F::Bits result;
    if (decided_by_nan<F>(env, a, a, result)) return result;
    if (F::is_zero(a)) return a;
    if (F::sign(a)) return invalid<F>(env);
    if (F::is_infinity(a)) return a;
    if (stops_on_denormal<F>(env, a, a)) return a;
    const Finite f = F::normalized(a);
    const i32 e = f.exponent - F::bias;
    const Root r = square_root(e & 1 ? join(f.mantissa, 0) : join(f.mantissa, 0) >> 1);
    return pack<F>(env, false, (e >> 1) + F::bias, r.root | static_cast<u64>(!r.exact));
}

namespace {

// One packed multiplication or addition inside a dot product ends: its exceptions join the instruction's.
bool step_faults(MxcsrEnv& env, MxcsrEnv& step) {
    const bool fault = step.finish();
    env.flags |= step.flags;
    step.flags = 0;
    return fault;
}

}  // namespace

// "Dot Product of Packed Single Precision Floating-Point Values": products of the selected elements, summed in pairs.
bool dot_product(MxcsrEnv& env, const u32 a[4], const u32 b[4], unsigned imm, u32 out[4]) {
    MxcsrEnv step(env.mxcsr);
    u32 p[4];
    for (unsigned i = 0; i < 4; ++i) p[i] = imm >> (4 + i) & 1 ? mul<F32>(step, a[i], b[i]) : 0;
    if (step_faults(env, step)) return true;
    const u32 low_pair = add<F32>(step, p[0], p[1]), high_pair = add<F32>(step, p[2], p[3]);
    if (step_faults(env, step)) return true;
    const u32 sum = add<F32>(step, low_pair, high_pair);
    for (unsigned i = 0; i < 4; ++i) out[i] = imm >> i & 1 ? sum : 0;
    return step_faults(env, step);
}

bool dot_product(MxcsrEnv& env, const u64 a[2], const u64 b[2], unsigned imm, u64 out[2]) {
    MxcsrEnv step(env.mxcsr);
    u64 p[2];
    for (unsigned i = 0; i < 2; ++i) p[i] = imm >> (4 + i) & 1 ? mul<F64>(step, a[i], b[i]) : 0;
    if (step_faults(env, step)) return true;
    const u64 sum = add<F64>(step, p[0], p[1]);
    for (unsigned i = 0; i < 2; ++i) out[i] = imm >> i & 1 ? sum : 0;
    return step_faults(env, step);
}

u32 reciprocal(u32 a) {
    MxcsrEnv env(0x9fc0);  // all masked, flush to zero, denormals are zero
    return div<F32>(env, 0x3f80'0000, a);
}

u32 reciprocal_root(u32 a) {
    MxcsrEnv env(0x9fc0);
    if (F32::is_nan(a)) return a | F32::quiet_bit;
    if (F32::is_denormal(a)) a &= F32::sign_bit;
    if (F32::is_zero(a)) return a | F32::infinity;
    if (F32::sign(a)) return F32::default_nan;
    if (F32::is_infinity(a)) return 0;
    // In binary64, so that only one rounding is seen.
    const u64 one = u64{0x3ff} << 52;
    return f64_to_f32(env, div<F64>(env, one, sqrt<F64>(env, f32_to_f64(env, a))));
}

template u32 add<F32>(MxcsrEnv&, u32, u32);
template u64 add<F64>(MxcsrEnv&, u64, u64);
template u32 sub<F32>(MxcsrEnv&, u32, u32);
template u64 sub<F64>(MxcsrEnv&, u64, u64);
template u32 mul<F32>(MxcsrEnv&, u32, u32);
template u64 mul<F64>(MxcsrEnv&, u64, u64);
template u32 div<F32>(MxcsrEnv&, u32, u32);
template u64 div<F64>(MxcsrEnv&, u64, u64);
template u32 sqrt<F32>(MxcsrEnv&, u32);
template u64 sqrt<F64>(MxcsrEnv&, u64);

}  // namespace bmbt::fpu::sse

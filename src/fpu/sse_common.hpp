// Inside of the SSE arithmetic.
#pragma once
#include "fpu/sse.hpp"

namespace bmbt::fpu::sse {

// A denormal operand: zero under DAZ, else noted.
template <class F>
inline typename F::Bits operand(const MxcsrEnv& env, typename F::Bits v) {
    return env.denormals_are_zero() && F::is_denormal(v) ? v & F::sign_bit : v;
}

// "Rules for handling NaNs", SSE column: the first operand if it is a NaN, else the second, made quiet.
template <class F>
inline bool decided_by_nan(MxcsrEnv& env, typename F::Bits a, typename F::Bits b, typename F::Bits& result) {
    if (!F::is_nan(a) && !F::is_nan(b)) [[likely]]
        return false;
    if (F::is_signalling(a) || F::is_signalling(b)) env.flags |= invalid_operation;
    result = (F::is_nan(a) ? a : b) | F::quiet_bit;
    return true;
}

template <class F>
inline typename F::Bits invalid(MxcsrEnv& env) {
    env.flags |= invalid_operation;
    return F::default_nan;
}

// Flags a denormal operand (operands have been through operand()). True: unmasked, the operation stops here.
template <class F>
inline bool stops_on_denormal(MxcsrEnv& env, typename F::Bits a, typename F::Bits b) {
    if (!F::is_denormal(a) && !F::is_denormal(b)) [[likely]]
        return false;
    env.flags |= denormal_operand;
    return env.unmasked(denormal_operand);
}

// +-sig * 2^(exponent - bias - 63), rounded and packed.
template <class F>
inline typename F::Bits pack(MxcsrEnv& env, bool sign, i32 exponent, u64 sig) {
    u16 flags = 0;
    const auto result = round_pack<F>(env.rounding(), static_cast<u16>(~(env.mxcsr >> 7)), env.flush_to_zero(), sign,
                                      exponent, sig, flags);
    env.flags |= flags & all_exceptions;
    return result;
}

}  // namespace bmbt::fpu::sse

#include "fpu/sse_common.hpp"

namespace bmbt::fpu::sse {

namespace {

// a and b are not NaNs.
template <class F>
Order order(typename F::Bits a, typename F::Bits b) {
    if (a == b || (F::is_zero(a) && F::is_zero(b))) return Order::Equal;
    if (F::sign(a) != F::sign(b)) return F::sign(a) ? Order::Less : Order::Greater;
    return (a < b) != F::sign(a) ? Order::Less : Order::Greater;
}

template <class F>
Order compare_as(MxcsrEnv& env, typename F::Bits a, typename F::Bits b, bool quiet) {
    a = operand<F>(env, a), b = operand<F>(env, b);
    if (F::is_nan(a) || F::is_nan(b)) {
        if (!quiet || F::is_signalling(a) || F::is_signalling(b)) env.flags |= invalid_operation;
        return Order::Unordered;
    }
    stops_on_denormal<F>(env, a, b);
    return order<F>(a, b);
}

// "If the values are both 0 or either is a NaN, the second operand is returned."
template <class F>
typename F::Bits select(MxcsrEnv& env, typename F::Bits a, typename F::Bits b, Order wanted) {
    a = operand<F>(env, a);
    if (!F::is_nan(b)) b = operand<F>(env, b);
    return compare_as<F>(env, a, b, false) == wanted ? a : b;
}

}  // namespace

template <class F>
typename F::Bits min(MxcsrEnv& env, typename F::Bits a, typename F::Bits b) {
    return select<F>(env, a, b, Order::Less);
}
template <class F>
typename F::Bits max(MxcsrEnv& env, typename F::Bits a, typename F::Bits b) {
    return select<F>(env, a, b, Order::Greater);
}

template <class F>
bool compare(MxcsrEnv& env, typename F::Bits a, typename F::Bits b, unsigned predicate) {
    const bool quiet = (predicate & 3) == 0 || (predicate & 3) == 3;
    const Order o = compare_as<F>(env, a, b, quiet);
    bool result = false;
    switch (predicate & 3) {
        case 0: result = o == Order::Equal; break;
        case 1: result = o == Order::Less; break;
        case 2: result = o == Order::Less || o == Order::Equal; break;
        case 3: result = o == Order::Unordered; break;
    }
    return result != static_cast<bool>(predicate & 4);
}

template <class F>
u32 compare_flags(MxcsrEnv& env, typename F::Bits a, typename F::Bits b, bool quiet) {
    constexpr u32 cf = 1, pf = 4, zf = 0x40;
    switch (compare_as<F>(env, a, b, quiet)) {
        case Order::Less: return cf;
        case Order::Equal: return zf;
        case Order::Greater: return 0;
        case Order::Unordered: break;
    }
    return zf | pf | cf;
}

template u32 min<F32>(MxcsrEnv&, u32, u32);
template u64 min<F64>(MxcsrEnv&, u64, u64);
template u32 max<F32>(MxcsrEnv&, u32, u32);
template u64 max<F64>(MxcsrEnv&, u64, u64);
template bool compare<F32>(MxcsrEnv&, u32, u32, unsigned);
template bool compare<F64>(MxcsrEnv&, u64, u64, unsigned);
template u32 compare_flags<F32>(MxcsrEnv&, u32, u32, bool);
template u32 compare_flags<F64>(MxcsrEnv&, u64, u64, bool);

}  // namespace bmbt::fpu::sse

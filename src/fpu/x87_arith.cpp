// x87 arithmetic, comparisons, and transcendental instructions on the register stack.
#include "fpu/fast80.hpp"
#include "fpu/ieee.hpp"
#include "fpu/x87_stack.hpp"

namespace bmbt::fpu {

namespace {

template <Arith op>
Float80 compute(FpEnv& env, Float80 a, Float80 b) {
    switch (op) {
        case Arith::Add: return add(env, a, b);
        case Arith::Mul: return mul(env, a, b);
        case Arith::Sub: return sub(env, a, b);
        case Arith::SubR: return sub(env, b, a);
        case Arith::Div: return div(env, a, b);
        case Arith::DivR: return div(env, b, a);
    }
}

template <Arith op>
[[gnu::always_inline]] inline bool compute_fast(Float80 a, Float80 b, Float80& result, u16& flags) {
    switch (op) {
        case Arith::Add: return add_fast(a, b, 0, result, flags);
        case Arith::Mul: return mul_fast(a, b, result, flags);
        case Arith::Sub: return add_fast(a, b, 0x8000, result, flags);
        case Arith::SubR: return add_fast(b, a, 0x8000, result, flags);
        case Arith::Div: return div_fast(a, b, result, flags);
        case Arith::DivR: return div_fast(b, a, result, flags);
    }
}

// What the fast paths need of the machine: rounding to nearest at 64 bits, inexact masked, no #MF waiting.
inline bool plain(const X87& x) { return (x.control & 0x0f20) == 0x0320 && !x.pending(); }

// ST(0) op a memory operand. A denormal in memory is a normal 80-bit number: its exception is added afterwards, unless
// one of higher rank was found.
template <Arith op>
[[gnu::noinline]] Mf arith_memory_slow(X87& x, Float80 b, bool b_denormal) {
    if (x.pending()) return Mf::Pending;
    if (x.empty(0)) {
        if (underflowed(x)) put(x, 0, default_nan80);
        return Mf::None;
    }
    FpEnv env(x.control);
    const Float80 a = x.reg(0);
    const Float80 result = compute<op>(env, a, b);
    if (b_denormal && !is_nan(a) && !(env.flags & (invalid_operation | zero_divide))) {
        if (env.unmasked(denormal_operand)) env.flags = 0;
        env.flags |= denormal_operand;
    }
    raise(x, env.flags);
    if (!blocked(x, env.flags)) x.reg(0) = result;
    return Mf::None;
}

template <Arith op>
Mf arith_memory(X87& x, Float80 b, bool b_denormal) {
    Float80& a = x.reg(0);
    Float80 result;
    u16 flags;
    if (plain(x) && !x.empty(0) && !b_denormal && compute_fast<op>(a, b, result, flags)) [[likely]] {
        x.status = static_cast<u16>((x.status & ~c1) | flags);
        a = result;
        return Mf::None;
    }
    return arith_memory_slow<op>(x, b, b_denormal);
}

// Calls f with the operation as a template argument.
template <class F>
inline Mf for_op(Arith op, F f) {
    switch (op) {
        case Arith::Add: return f.template operator()<Arith::Add>();
        case Arith::Mul: return f.template operator()<Arith::Mul>();
        case Arith::Sub: return f.template operator()<Arith::Sub>();
        case Arith::SubR: return f.template operator()<Arith::SubR>();
        case Arith::Div: return f.template operator()<Arith::Div>();
        case Arith::DivR: return f.template operator()<Arith::DivR>();
    }
    return Mf::None;
}

void set_codes(X87& x, Order order) {
    u16 codes = 0;
    switch (order) {
        case Order::Less: codes = c0; break;
        case Order::Equal: codes = c3; break;
        case Order::Greater: break;
        case Order::Unordered: codes = c0 | c2 | c3; break;
    }
    x.status = static_cast<u16>((x.status & ~(c0 | c2 | c3)) | codes);
}

Order compare_as(FpEnv& env, Float80 a, Float80 b, bool quiet_only) {
    return quiet_only ? compare_quiet(env, a, b) : compare(env, a, b);
}

// ST(0) against b; an empty register compares as unordered.
Mf compare_and_pop(X87& x, bool empty, Float80 b, bool b_denormal, unsigned pops, bool quiet_only) {
    if (x.pending()) return Mf::Pending;
    if (empty) [[unlikely]] {
        set_codes(x, Order::Unordered);
        if (!underflowed(x)) return Mf::None;
    } else {
        FpEnv env(x.control);
        const Order order = compare_as(env, x.reg(0), b, quiet_only);
        if (b_denormal && order != Order::Unordered) env.flags |= denormal_operand;
        raise(x, env.flags);
        set_codes(x, order);
        if (blocked(x, env.flags)) return Mf::None;
    }
    while (pops--) pop(x);
    return Mf::None;
}

// ST(0) = f(ST(0)).
template <class F>
Mf unary(X87& x, F f) {
    if (x.pending()) return Mf::Pending;
    if (x.empty(0)) [[unlikely]] {
        if (underflowed(x)) put(x, 0, default_nan80);
        return Mf::None;
    }
    FpEnv env(x.control);
    const Float80 result = f(env, x.reg(0));
    raise(x, env.flags);
    if (!blocked(x, env.flags)) x.reg(0) = result;
    return Mf::None;
}

// ST(1) = f(ST(1), ST(0)) and a pop.
template <class F>
Mf binary_pop(X87& x, F f) {
    if (x.pending()) return Mf::Pending;
    Float80 result = default_nan80;
    if (x.empty(0) || x.empty(1)) [[unlikely]] {
        if (!underflowed(x)) return Mf::None;
    } else {
        FpEnv env(x.control);
        result = f(env, x.reg(1), x.reg(0));
        raise(x, env.flags);
        if (blocked(x, env.flags)) return Mf::None;
    }
    put(x, 1, result);
    pop(x);
    return Mf::None;
}

void set_out_of_range(X87& x, bool out) { x.status = static_cast<u16>((x.status & ~c2) | (out ? c2 : 0)); }

Mf partial_remainder(X87& x, bool nearest) {
    if (x.pending()) return Mf::Pending;
    if (x.empty(0) || x.empty(1)) [[unlikely]] {
        if (underflowed(x)) put(x, 0, default_nan80);
        set_out_of_range(x, false);
        return Mf::None;
    }
    FpEnv env(x.control);
    const Remainder r = (nearest ? remainder_nearest : remainder_truncated)(env, x.reg(0), x.reg(1));
    raise(x, env.flags & static_cast<u16>(~rounded_up));
    set_out_of_range(x, r.partial);
    if (blocked(x, env.flags)) return Mf::None;
    x.reg(0) = r.value;
    if (is_nan(r.value)) return Mf::None;
    x.status = static_cast<u16>((x.status & ~(c0 | c1 | c3)) | (r.quotient & 4 ? c0 : 0) | (r.quotient & 2 ? c3 : 0) |
                                (r.quotient & 1 ? c1 : 0));
    return Mf::None;
}

// ST(0) = f(ST(0)), C2 when it is out of range.
template <class F>
Mf trig(X87& x, F f) {
    if (x.pending()) return Mf::Pending;
    if (x.empty(0)) [[unlikely]] {
        if (underflowed(x)) put(x, 0, default_nan80);
        set_out_of_range(x, false);
        return Mf::None;
    }
    FpEnv env(x.control);
    const Trig r = f(env, x.reg(0));
    raise(x, env.flags);
    set_out_of_range(x, r.out_of_range);
    if (!blocked(x, env.flags) && !r.out_of_range) x.reg(0) = r.value;
    return Mf::None;
}

// ST(0) = first, then push second, where an operation on ST(0) has two results.
void two_results(X87& x, u16 flags, Float80 first, Float80 second) {
    raise(x, flags);
    if (blocked(x, flags)) return;
    x.reg(0) = first;
    push(x, second);
}

// The stack faults of an instruction that reads ST(0) and pushes. True: it has been answered.
bool push_fault(X87& x) {
    if (!x.empty(0) && x.empty(7)) [[likely]]
        return false;
    raise(x, x.empty(0) ? stack_underflow : stack_overflow);
    if (!unmasked(x, invalid_operation)) {
        put(x, 0, default_nan80);
        push(x, default_nan80);
    }
    return true;
}

}  // namespace

namespace {

template <Arith op>
[[gnu::noinline]] Mf arith_slow(X87& x, unsigned dst, unsigned src, bool pop_after) {
    if (x.pending()) return Mf::Pending;
    if (x.empty(dst) || x.empty(src)) {
        if (!underflowed(x)) return Mf::None;
        put(x, dst, default_nan80);
    } else {
        FpEnv env(x.control);
        const Float80 result = compute<op>(env, x.reg(dst), x.reg(src));
        raise(x, env.flags);
        if (blocked(x, env.flags)) return Mf::None;
        x.reg(dst) = result;
    }
    if (pop_after) pop(x);
    return Mf::None;
}

}  // namespace

template <Arith op>
Mf arith(X87& x, unsigned dst, unsigned src, bool pop_after) {
    Float80& a = x.reg(dst);
    Float80 result;
    u16 flags;
    if (plain(x) && !x.empty(dst) && !x.empty(src) && compute_fast<op>(a, x.reg(src), result, flags)) [[likely]] {
        x.status = static_cast<u16>((x.status & ~c1) | flags);
        a = result;
        if (pop_after) pop(x);
        return Mf::None;
    }
    return arith_slow<op>(x, dst, src, pop_after);
}
template Mf arith<Arith::Add>(X87&, unsigned, unsigned, bool);
template Mf arith<Arith::Mul>(X87&, unsigned, unsigned, bool);
template Mf arith<Arith::Sub>(X87&, unsigned, unsigned, bool);
template Mf arith<Arith::SubR>(X87&, unsigned, unsigned, bool);
template Mf arith<Arith::Div>(X87&, unsigned, unsigned, bool);
template Mf arith<Arith::DivR>(X87&, unsigned, unsigned, bool);

Mf arith(X87& x, Arith op, unsigned dst, unsigned src, bool pop_after) {
    return for_op(op, [&]<Arith which>() { return arith<which>(x, dst, src, pop_after); });
}
Mf arith_m32(X87& x, Arith op, u32 v) {
    return for_op(op, [&]<Arith which>() { return arith_memory<which>(x, widen_f32(v), F32::is_denormal(v)); });
}
Mf arith_m64(X87& x, Arith op, u64 v) {
    return for_op(op, [&]<Arith which>() { return arith_memory<which>(x, widen_f64(v), F64::is_denormal(v)); });
}
Mf arith_int(X87& x, Arith op, i32 v) {
    return for_op(op, [&]<Arith which>() { return arith_memory<which>(x, from_int(v), false); });
}

Mf fcom_sti(X87& x, unsigned i, unsigned pops, bool quiet_only) {
    return compare_and_pop(x, x.empty(0) || x.empty(i), x.reg(i), false, pops, quiet_only);
}
Mf fcom_m32(X87& x, u32 v, bool pop_after) {
    return compare_and_pop(x, x.empty(0), widen_f32(v), F32::is_denormal(v), pop_after, false);
}
Mf fcom_m64(X87& x, u64 v, bool pop_after) {
    return compare_and_pop(x, x.empty(0), widen_f64(v), F64::is_denormal(v), pop_after, false);
}
Mf ficom(X87& x, i32 v, bool pop_after) { return compare_and_pop(x, x.empty(0), from_int(v), false, pop_after, false); }
Mf ftst(X87& x) { return compare_and_pop(x, x.empty(0), zero80, false, 0, false); }

Mf fxam(X87& x) {
    if (x.pending()) return Mf::Pending;
    const Float80 a = x.reg(0);
    u16 codes = 0;
    if (x.empty(0)) {
        codes = c3 | c0;
    } else {
        switch (classify(a)) {
            case Class::Invalid: codes = 0; break;
            case Class::QuietNan:
            case Class::SignallingNan: codes = c0; break;
            case Class::Normal: codes = c2; break;
            case Class::Infinity: codes = c2 | c0; break;
            case Class::Zero: codes = c3; break;
            case Class::Denormal: codes = c3 | c2; break;
        }
    }
    x.status = static_cast<u16>((x.status & ~(c0 | c1 | c2 | c3)) | codes | (a.sign() ? c1 : 0));
    return Mf::None;
}

Mf fcomi(X87& x, unsigned i, bool pop_after, bool quiet_only, u64& eflags) {
    if (x.pending()) return Mf::Pending;
    Order order = Order::Unordered;
    bool stop = false;
    if (x.empty(0) || x.empty(i)) [[unlikely]] {
        stop = !underflowed(x);
    } else {
        FpEnv env(x.control);
        order = compare_as(env, x.reg(0), x.reg(i), quiet_only);
        raise(x, static_cast<u16>(env.flags | (x.status & c1)));  // C1 stays
        stop = blocked(x, env.flags);
    }
    constexpr u64 cf = 1, pf = 4, zf = 0x40, others = 0x10 | 0x80 | 0x800;
    eflags &= ~(cf | pf | zf | others);
    switch (order) {
        case Order::Less: eflags |= cf; break;
        case Order::Equal: eflags |= zf; break;
        case Order::Greater: break;
        case Order::Unordered: eflags |= cf | pf | zf; break;
    }
    if (pop_after && !stop) pop(x);
    return Mf::None;
}

Mf fchs(X87& x) {
    return unary(x, [](FpEnv&, Float80 a) { return negate(a); });
}
Mf fabs(X87& x) {
    return unary(x, [](FpEnv&, Float80 a) { return with_sign(a, false); });
}
Mf fsqrt(X87& x) { return unary(x, sqrt); }
Mf frndint(X87& x) { return unary(x, round_to_integer); }
Mf f2xm1(X87& x) { return unary(x, exp2_minus1); }
Mf fyl2x(X87& x) { return binary_pop(x, y_log2_x); }
Mf fyl2xp1(X87& x) { return binary_pop(x, y_log2_x_plus1); }
Mf fpatan(X87& x) { return binary_pop(x, arctan); }
Mf fsin(X87& x) { return trig(x, sin); }
Mf fcos(X87& x) { return trig(x, cos); }
Mf fprem(X87& x) { return partial_remainder(x, false); }
Mf fprem1(X87& x) { return partial_remainder(x, true); }

Mf fscale(X87& x) {
    if (x.pending()) return Mf::Pending;
    if (x.empty(0) || x.empty(1)) [[unlikely]] {
        if (underflowed(x)) put(x, 0, default_nan80);
        return Mf::None;
    }
    return unary(x, [&](FpEnv& env, Float80 a) { return scale(env, a, x.reg(1)); });
}

Mf fxtract(X87& x) {
    if (x.pending()) return Mf::Pending;
    if (push_fault(x)) return Mf::None;
    FpEnv env(x.control);
    const Extracted e = extract(env, x.reg(0));
    two_results(x, env.flags, e.exponent, e.significand);
    return Mf::None;
}

Mf fptan(X87& x) {
    if (x.pending()) return Mf::Pending;
    set_out_of_range(x, false);
    if (push_fault(x)) return Mf::None;
    FpEnv env(x.control);
    const Trig t = tan(env, x.reg(0));
    if (t.out_of_range) {
        raise(x, 0);
        set_out_of_range(x, true);
        return Mf::None;
    }
    two_results(x, env.flags, t.value, is_nan(t.value) ? t.value : one80);
    return Mf::None;
}

Mf fsincos(X87& x) {
    if (x.pending()) return Mf::Pending;
    set_out_of_range(x, false);
    if (push_fault(x)) return Mf::None;
    FpEnv env(x.control);
    const SinCos s = sincos(env, x.reg(0));
    if (s.out_of_range) {
        raise(x, 0);
        set_out_of_range(x, true);
        return Mf::None;
    }
    two_results(x, env.flags, s.sin, s.cos);
    return Mf::None;
}

}  // namespace bmbt::fpu

// x87 loads, stores, stack and control instructions; MMX's use of the registers.
#include "fpu/x87_stack.hpp"

namespace bmbt::fpu {

Mf fld_sti(X87& x, unsigned i) {
    if (x.pending()) return Mf::Pending;
    if (x.empty(i)) {
        // An empty source counts before an occupied destination.
        if (underflowed(x)) push(x, default_nan80);
        return Mf::None;
    }
    push_checked(x, x.reg(i));
    return Mf::None;
}

Mf fld(X87& x, Float80 v) {
    if (x.pending()) return Mf::Pending;
    push_checked(x, v);
    return Mf::None;
}

Mf fld_m32(X87& x, u32 v) {
    if (x.pending()) return Mf::Pending;
    FpEnv env(x.control);
    const Float80 value = from_f32(env, v);
    push_checked(x, value, env.flags);
    return Mf::None;
}

Mf fld_m64(X87& x, u64 v) {
    if (x.pending()) return Mf::Pending;
    FpEnv env(x.control);
    const Float80 value = from_f64(env, v);
    push_checked(x, value, env.flags);
    return Mf::None;
}

Mf fild(X87& x, i64 v) { return fld(x, from_int(v)); }
Mf fbld(X87& x, Float80 packed) { return fld(x, from_bcd(packed)); }
Mf fld_constant(X87& x, Constant c) { return fld(x, constant(FpEnv(x.control).rounding(), c)); }

namespace {

// T convert(FpEnv&, Float80); `no_result` are the exceptions that leave memory alone when unmasked.
template <class T, class Convert>
Store<T> store(const X87& x, T indefinite, u16 no_result, Convert convert) {
    Store<T> s;
    if (x.pending()) {
        s.mf = Mf::Pending;
        return s;
    }
    if (x.empty(0)) {
        s.flags = stack_underflow;
        s.value = indefinite;
        s.write = !unmasked(x, invalid_operation);
        return s;
    }
    FpEnv env(x.control);
    s.value = static_cast<T>(convert(env, x.reg(0)));
    s.flags = env.flags;
    s.write = !unmasked(x, env.flags & no_result);
    return s;
}

template <class T>
Store<T> store_int(const X87& x, bool truncate) {
    constexpr unsigned width = sizeof(T) * 8;
    return store<T>(x, static_cast<T>(i64{1} << (width - 1)), invalid_operation, [&](FpEnv& env, Float80 a) {
        return to_int(env, a, width, truncate ? Rounding::Zero : env.rounding());
    });
}

constexpr u16 narrowing = invalid_operation | overflow | underflow;  // what keeps a real from being stored

}  // namespace

Store<u32> fst_m32(const X87& x) { return store<u32>(x, 0xffc0'0000, narrowing, to_f32); }
Store<u64> fst_m64(const X87& x) { return store<u64>(x, 0xfff8'0000'0000'0000, narrowing, to_f64); }
Store<Float80> fst_m80(const X87& x) {
    return store<Float80>(x, default_nan80, 0, [](FpEnv&, Float80 a) { return a; });
}
Store<i16> fist_m16(const X87& x, bool truncate) { return store_int<i16>(x, truncate); }
Store<i32> fist_m32(const X87& x, bool truncate) { return store_int<i32>(x, truncate); }
Store<i64> fist_m64(const X87& x, bool truncate) { return store_int<i64>(x, truncate); }
Store<Float80> fbst(const X87& x) {
    return store<Float80>(x, {0xc000'0000'0000'0000, 0xffff}, invalid_operation, to_bcd);
}

void finish_store(X87& x, u16 flags, bool write, bool pop_after) {
    raise(x, flags);
    if (write && pop_after) pop(x);
}

Mf fst_sti(X87& x, unsigned i, bool pop_after) {
    if (x.pending()) return Mf::Pending;
    if (x.empty(0)) {
        if (!underflowed(x)) return Mf::None;
        put(x, i, default_nan80);
    } else {
        raise(x, 0);
        put(x, i, x.reg(0));
    }
    if (pop_after) pop(x);
    return Mf::None;
}

Mf fst_unchecked(X87& x, unsigned i) {
    if (x.pending()) return Mf::Pending;
    raise(x, 0);
    if (!x.empty(0)) put(x, i, x.reg(0));
    pop(x);
    return Mf::None;
}

Mf fxch(X87& x, unsigned i) {
    if (x.pending()) return Mf::Pending;
    if (x.empty(0) || x.empty(i)) {
        if (!underflowed(x)) return Mf::None;
        if (x.empty(0)) put(x, 0, default_nan80);
        if (x.empty(i)) put(x, i, default_nan80);
    } else {
        raise(x, 0);
    }
    const Float80 t = x.reg(0);
    x.reg(0) = x.reg(i);
    x.reg(i) = t;
    return Mf::None;
}

Mf fcmov(X87& x, unsigned i, bool condition) {
    if (x.pending()) return Mf::Pending;
    if (x.empty(0) || x.empty(i)) {
        if (underflowed(x)) put(x, 0, default_nan80);  // whatever the condition
        return Mf::None;
    }
    if (condition) x.reg(0) = x.reg(i);
    return Mf::None;
}

Mf fincstp(X87& x) {
    if (x.pending()) return Mf::Pending;
    raise(x, 0);
    set_top(x, x.top() + 1);
    return Mf::None;
}

Mf fdecstp(X87& x) {
    if (x.pending()) return Mf::Pending;
    raise(x, 0);
    set_top(x, x.top() - 1);
    return Mf::None;
}

Mf ffree(X87& x, unsigned i, bool pop_after) {
    if (x.pending()) return Mf::Pending;
    raise(x, 0);
    mark_empty(x, i);
    if (pop_after) pop(x);
    return Mf::None;
}

Mf fnop(X87& x) { return x.pending() ? Mf::Pending : Mf::None; }

void fninit(X87& x) {
    x.control = 0x037f;
    x.status = 0;
    x.tag = 0;
    x.opcode = 0;
    x.ip = x.dp = 0;
    x.cs = x.ds = 0;
}

void fnclex(X87& x) { x.status &= static_cast<u16>(~(all_exceptions | stack_fault | error_summary | busy)); }

Mf fldcw(X87& x, u16 control) {
    if (x.pending()) return Mf::Pending;
    x.control = static_cast<u16>((control & 0x1f3f) | 0x40);
    update_summary(x);
    return Mf::None;
}

void enter_mmx(X87& x) {
    set_top(x, 0);
    x.tag = 0xff;
}

void emms(X87& x) {
    set_top(x, 0);
    x.tag = 0;
}

}  // namespace bmbt::fpu

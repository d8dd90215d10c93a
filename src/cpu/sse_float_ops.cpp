// SSE floating-point arithmetic and comparisons over src/fpu. Intel SDM vol. 2; vol. 1, "SIMD Floating-Point
// Exceptions".
#include <Zydis/Zydis.h>

#include "cpu/media.hpp"
#include "cpu/simd_env.hpp"

namespace bmbt {

using namespace x86;
using fpu::F32;
using fpu::F64;
using fpu::MxcsrEnv;
namespace sse = fpu::sse;

namespace {

// Op(env, a, b) lane by lane, or in lane 0 alone.
template <class F, auto Op, bool Scalar>
Guest<> binary(Vcpu& v, const Insn& i) {
    using T = typename F::Bits;
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    MxcsrEnv env(v.mxcsr);
    for (unsigned n = 0; n < (Scalar ? 1 : 16 / sizeof(T)); n++) a.set<T>(n, Op(env, a.get<T>(n), b.get<T>(n)));
    CHECK(finish(v, env));
    set_vector_register(v, i.op[0], a);
    return {};
}

template <class F, bool Scalar>
Guest<> square_root(Vcpu& v, const Insn& i) {
    using T = typename F::Bits;
    return binary<F, [](MxcsrEnv& env, T, T b) { return sse::sqrt<F>(env, b); }, Scalar>(v, i);
}

template <class F, bool Scalar>
Guest<> compare(Vcpu& v, const Insn& i) {
    using T = typename F::Bits;
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    MxcsrEnv env(v.mxcsr);
    for (unsigned n = 0; n < (Scalar ? 1 : 16 / sizeof(T)); n++)
        a.set<T>(n, sse::compare<F>(env, a.get<T>(n), b.get<T>(n), i.imm & 7) ? static_cast<T>(~T{0}) : T{0});
    CHECK(finish(v, env));
    set_vector_register(v, i.op[0], a);
    return {};
}

template <class F, bool Quiet>
Guest<> compare_flags(Vcpu& v, const Insn& i) {
    using T = typename F::Bits;
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    MxcsrEnv env(v.mxcsr);
    u32 flags = sse::compare_flags<F>(env, a.get<T>(0), b.get<T>(0), Quiet);
    CHECK(finish(v, env));
    set_arithmetic(v, flags);
    return {};
}

template <class F, bool Scalar>
Guest<> round(Vcpu& v, const Insn& i) {
    using T = typename F::Bits;
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    MxcsrEnv env(v.mxcsr);
    for (unsigned n = 0; n < (Scalar ? 1 : 16 / sizeof(T)); n++)
        a.set<T>(n, sse::round<F>(env, b.get<T>(n), i.imm & 15));
    CHECK(finish(v, env));
    set_vector_register(v, i.op[0], a);
    return {};
}

// ADDSUBxx: subtract in the even lanes, add in the odd ones.
template <class F>
Guest<> add_subtract(Vcpu& v, const Insn& i) {
    using T = typename F::Bits;
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    MxcsrEnv env(v.mxcsr);
    for (unsigned n = 0; n < 16 / sizeof(T); n++) {
        T x = a.get<T>(n), y = b.get<T>(n);
        a.set<T>(n, n & 1 ? sse::add<F>(env, x, y) : sse::sub<F>(env, x, y));
    }
    CHECK(finish(v, env));
    set_vector_register(v, i.op[0], a);
    return {};
}

// HADDxx, HSUBxx: neighbours of the first operand below neighbours of the second.
template <class F, auto Op>
Guest<> horizontal(Vcpu& v, const Insn& i) {
    using T = typename F::Bits;
    constexpr unsigned half = 8 / sizeof(T);
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]), r;
    MxcsrEnv env(v.mxcsr);
    for (unsigned n = 0; n < half; n++) {
        r.set<T>(n, Op(env, a.get<T>(2 * n), a.get<T>(2 * n + 1)));
        r.set<T>(half + n, Op(env, b.get<T>(2 * n), b.get<T>(2 * n + 1)));
    }
    CHECK(finish(v, env));
    set_vector_register(v, i.op[0], r);
    return {};
}

template <class T>
Guest<> dot_product(Vcpu& v, const Insn& i) {
    constexpr unsigned lanes = 16 / sizeof(T);
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    T x[lanes], y[lanes], out[lanes];
    for (unsigned n = 0; n < lanes; n++) x[n] = a.get<T>(n), y[n] = b.get<T>(n);
    MxcsrEnv env(v.mxcsr);
    const bool faults = sse::dot_product(env, x, y, static_cast<u8>(i.imm), out);
    CHECK(finish(v, env, faults));
    for (unsigned n = 0; n < lanes; n++) a.set<T>(n, out[n]);
    set_vector_register(v, i.op[0], a);
    return {};
}

// RCPxx, RSQRTxx.
template <auto Op, bool Scalar>
Guest<> estimate(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    for (unsigned n = 0; n < (Scalar ? 1 : 4); n++) a.set<u32>(n, Op(b.get<u32>(n)));
    set_vector_register(v, i.op[0], a);
    return {};
}

u64 and_(u64 a, u64 b) { return a & b; }
u64 and_not(u64 a, u64 b) { return ~a & b; }
u64 or_(u64 a, u64 b) { return a | b; }
u64 xor_(u64 a, u64 b) { return a ^ b; }

}  // namespace

#define BMBT_FOUR(NAME, op)                                                  \
    case ZYDIS_MNEMONIC_##NAME##PS: return binary<F32, sse::op<F32>, false>; \
    case ZYDIS_MNEMONIC_##NAME##PD: return binary<F64, sse::op<F64>, false>; \
    case ZYDIS_MNEMONIC_##NAME##SS: return binary<F32, sse::op<F32>, true>;  \
    case ZYDIS_MNEMONIC_##NAME##SD: return binary<F64, sse::op<F64>, true>

Semantics sse_float_semantics(const Insn& i) {
    switch (i.mnemonic) {
        BMBT_FOUR(ADD, add);
        BMBT_FOUR(SUB, sub);
        BMBT_FOUR(MUL, mul);
        BMBT_FOUR(DIV, div);
        BMBT_FOUR(MIN, min);
        BMBT_FOUR(MAX, max);
        case ZYDIS_MNEMONIC_SQRTPS: return square_root<F32, false>;
        case ZYDIS_MNEMONIC_SQRTPD: return square_root<F64, false>;
        case ZYDIS_MNEMONIC_SQRTSS: return square_root<F32, true>;
        case ZYDIS_MNEMONIC_SQRTSD: return square_root<F64, true>;
        case ZYDIS_MNEMONIC_CMPPS: return compare<F32, false>;
        case ZYDIS_MNEMONIC_CMPPD: return compare<F64, false>;
        case ZYDIS_MNEMONIC_CMPSS: return compare<F32, true>;
        case ZYDIS_MNEMONIC_CMPSD: return compare<F64, true>;
        case ZYDIS_MNEMONIC_COMISS: return compare_flags<F32, false>;
        case ZYDIS_MNEMONIC_COMISD: return compare_flags<F64, false>;
        case ZYDIS_MNEMONIC_UCOMISS: return compare_flags<F32, true>;
        case ZYDIS_MNEMONIC_UCOMISD: return compare_flags<F64, true>;
        case ZYDIS_MNEMONIC_ROUNDPS: return round<F32, false>;
        case ZYDIS_MNEMONIC_ROUNDPD: return round<F64, false>;
        case ZYDIS_MNEMONIC_ROUNDSS: return round<F32, true>;
        case ZYDIS_MNEMONIC_ROUNDSD: return round<F64, true>;
        case ZYDIS_MNEMONIC_ADDSUBPS: return add_subtract<F32>;
        case ZYDIS_MNEMONIC_ADDSUBPD: return add_subtract<F64>;
        case ZYDIS_MNEMONIC_HADDPS: return horizontal<F32, sse::add<F32>>;
        case ZYDIS_MNEMONIC_HADDPD: return horizontal<F64, sse::add<F64>>;
        case ZYDIS_MNEMONIC_HSUBPS: return horizontal<F32, sse::sub<F32>>;
        case ZYDIS_MNEMONIC_HSUBPD: return horizontal<F64, sse::sub<F64>>;
        case ZYDIS_MNEMONIC_DPPS: return dot_product<u32>;
        case ZYDIS_MNEMONIC_DPPD: return dot_product<u64>;
        case ZYDIS_MNEMONIC_RCPPS: return estimate<sse::reciprocal, false>;
        case ZYDIS_MNEMONIC_RCPSS: return estimate<sse::reciprocal, true>;
        case ZYDIS_MNEMONIC_RSQRTPS: return estimate<sse::reciprocal_root, false>;
        case ZYDIS_MNEMONIC_RSQRTSS: return estimate<sse::reciprocal_root, true>;
        case ZYDIS_MNEMONIC_ANDPS:
        case ZYDIS_MNEMONIC_ANDPD: return lanewise<u64, and_>;
        case ZYDIS_MNEMONIC_ANDNPS:
        case ZYDIS_MNEMONIC_ANDNPD: return lanewise<u64, and_not>;
        case ZYDIS_MNEMONIC_ORPS:
        case ZYDIS_MNEMONIC_ORPD: return lanewise<u64, or_>;
        case ZYDIS_MNEMONIC_XORPS:
        case ZYDIS_MNEMONIC_XORPD: return lanewise<u64, xor_>;
        default: return nullptr;
    }
}

#undef BMBT_FOUR

}  // namespace bmbt

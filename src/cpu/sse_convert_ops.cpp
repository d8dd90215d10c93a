// SSE conversions between integers and floating point, and between its two sizes.
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

// `Lanes` elements From of the source become elements To of the destination, whose other elements are cleared
// (packed) or kept (Keep).
template <class From, class To, unsigned Lanes, auto Convert, bool Keep>
Guest<> convert(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));  // to an MMX register from memory, too
    CHECK(begin_media(v, i));
    Vector128 from = TRY(get_vector(v, i, 1)), to;
    if (Keep) to = vector_register(v, i.op[0]);
    if (i.op[0].is(OperandKind::Mmx)) fpu::enter_mmx(vcpu_x87(v));  // even when #XM follows
    MxcsrEnv env(v.mxcsr);
    for (unsigned n = 0; n < Lanes; n++) to.set<To>(n, static_cast<To>(Convert(env, from.get<From>(n))));
    CHECK(finish(v, env));
    set_vector_register(v, i.op[0], to);
    return {};
}

u64 widen(MxcsrEnv& env, u32 x) { return sse::f32_to_f64(env, x); }
u32 narrow(MxcsrEnv& env, u64 x) { return sse::f64_to_f32(env, x); }
template <class F>
typename F::Bits from_i32(MxcsrEnv& env, i32 x) {
    return sse::from_int<F>(env, x);
}
template <class F, bool Truncate>
i32 to_i32(MxcsrEnv& env, typename F::Bits x) {
    return static_cast<i32>(sse::to_int<F>(env, x, 32, Truncate));
}

// CVTSI2SS, CVTSI2SD: from a general register or memory, 32 or 64 bits.
template <class F>
Guest<> from_general(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    i64 value = TRY(get_signed(v, i, 1));
    MxcsrEnv env(v.mxcsr);
    Vector128 to = vector_register(v, i.op[0]);
    to.set<typename F::Bits>(0, sse::from_int<F>(env, value));
    CHECK(finish(v, env));
    set_vector_register(v, i.op[0], to);
    return {};
}

template <class F, bool Truncate>
Guest<> to_general(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    auto from = TRY(get_vector(v, i, 1)).get<typename F::Bits>(0);
    MxcsrEnv env(v.mxcsr);
    i64 value = sse::to_int<F>(env, from, 8 * i.op[0].size, Truncate);
    CHECK(finish(v, env));
    set_register(v, i.op[0], static_cast<u64>(value));
    return {};
}

}  // namespace

Semantics sse_convert_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_CVTPS2PD: return convert<u32, u64, 2, widen, false>;
        case ZYDIS_MNEMONIC_CVTSS2SD: return convert<u32, u64, 1, widen, true>;
        case ZYDIS_MNEMONIC_CVTPD2PS: return convert<u64, u32, 2, narrow, false>;
        case ZYDIS_MNEMONIC_CVTSD2SS: return convert<u64, u32, 1, narrow, true>;
        case ZYDIS_MNEMONIC_CVTDQ2PS: return convert<i32, u32, 4, from_i32<F32>, false>;
        case ZYDIS_MNEMONIC_CVTDQ2PD: return convert<i32, u64, 2, from_i32<F64>, false>;
        case ZYDIS_MNEMONIC_CVTPI2PS: return convert<i32, u32, 2, from_i32<F32>, true>;
        case ZYDIS_MNEMONIC_CVTPI2PD: return convert<i32, u64, 2, from_i32<F64>, false>;
        case ZYDIS_MNEMONIC_CVTPS2DQ: return convert<u32, i32, 4, to_i32<F32, false>, false>;
        case ZYDIS_MNEMONIC_CVTTPS2DQ: return convert<u32, i32, 4, to_i32<F32, true>, false>;
        case ZYDIS_MNEMONIC_CVTPD2DQ: return convert<u64, i32, 2, to_i32<F64, false>, false>;
        case ZYDIS_MNEMONIC_CVTTPD2DQ: return convert<u64, i32, 2, to_i32<F64, true>, false>;
        case ZYDIS_MNEMONIC_CVTPS2PI: return convert<u32, i32, 2, to_i32<F32, false>, false>;
        case ZYDIS_MNEMONIC_CVTTPS2PI: return convert<u32, i32, 2, to_i32<F32, true>, false>;
        case ZYDIS_MNEMONIC_CVTPD2PI: return convert<u64, i32, 2, to_i32<F64, false>, false>;
        case ZYDIS_MNEMONIC_CVTTPD2PI: return convert<u64, i32, 2, to_i32<F64, true>, false>;
        case ZYDIS_MNEMONIC_CVTSI2SS: return from_general<F32>;
        case ZYDIS_MNEMONIC_CVTSI2SD: return from_general<F64>;
        case ZYDIS_MNEMONIC_CVTSS2SI: return to_general<F32, false>;
        case ZYDIS_MNEMONIC_CVTTSS2SI: return to_general<F32, true>;
        case ZYDIS_MNEMONIC_CVTSD2SI: return to_general<F64, false>;
        case ZYDIS_MNEMONIC_CVTTSD2SI: return to_general<F64, true>;
        default: return nullptr;
    }
}

}  // namespace bmbt

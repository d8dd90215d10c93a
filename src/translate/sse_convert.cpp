// SSE conversions, for MXCSR's default. What is out of an integer's range raises the host's invalid-operation trap and runs in
// C++ (see sse_float.cpp). Source: Intel SDM vol. 2, the instructions' own pages.
#include "translate/sse.hpp"

namespace bmbt {
namespace {

using namespace sse;
using Scalar2 = void (Instructions<Assembler>::*)(Fpr, Fpr);
using A = Assembler;

// CVTSI2SS, CVTSI2SD: from 32 or 64 bits.
template <Scalar2 from32, Scalar2 from64, unsigned size>
void from_general(Block& b, const Insn& i) {
    const Operand& src = i.op[1];
    Vr d = xmm(i.op[0]), t;
    if (in_memory(src)) {
        t = scalar_source(b, src, src.size);
    } else {
        t = b.vector_temp();
        if (src.size == 8) b.as.movgr2fr_d(low_half(t), b.whole(src.reg));
        else b.as.movgr2fr_w(low_half(t), b.low(src.reg));
    }
    (b.as.*(src.size == 8 ? from64 : from32))(low_half(t), low_half(t));
    insert_lowest(b, d, t, size);
    b.result_not_denormal(size == 4 ? Floats::LowSingle : Floats::LowDouble);
}

// CVTSS2SI, CVTTSD2SI and so on.
template <Scalar2 to32, Scalar2 to64, unsigned size>
void to_general(Block& b, const Insn& i) {
    const Operand& dst = i.op[0];
    Vr s = scalar_source(b, i.op[1], size), t = in_memory(i.op[1]) ? s : b.vector_temp();
    (b.as.*(dst.size == 8 ? to64 : to32))(low_half(t), low_half(s));
    Gpr to = general(b, dst, Upper::Sign);
    if (dst.size == 8) b.as.movfr2gr_d(to, low_half(t));
    else b.as.movfr2gr_s(to, low_half(t));
}

// CVTSS2SD, CVTSD2SS.
template <Scalar2 op, unsigned from, unsigned to>
void scalar_size(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = scalar_source(b, i.op[1], from), t = in_memory(i.op[1]) ? s : b.vector_temp();
    test_denormals(b, from == 4 ? Floats::LowSingle : Floats::LowDouble, {s});
    (b.as.*op)(low_half(t), low_half(s));
    insert_lowest(b, d, t, to);
    if (to == 8) b.result_not_denormal(Floats::LowDouble);
}

// A whole register from a whole one.
template <Two op>
void packed(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]);
    Vr t = d == s ? b.vector_temp() : d;
    settle(b);
    (b.as.*op)(t, s);
    copy(b, d, t);
}
// Integers never raise what traps.
template <Two op, unsigned source_bytes>
void packed_from_integers(Block& b, const Insn& i) {
    Vr s = source_bytes == 8 ? scalar_source(b, i.op[1], 8) : source(b, i.op[1]);
    (b.as.*op)(xmm(i.op[0]), s);
}
// CVTPS2PD.
void widen(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = scalar_source(b, i.op[1], 8), t = d == s ? b.vector_temp() : d;
    if (b.mode.denormals()) {  // in the two that count
        Vr both = b.vector_temp();
        b.as.vilvl_w(both, s, s);
        test_denormals(b, Floats::Singles, {both});
    }
    settle(b);
    b.as.vfcvtl_d_s(t, s);
    copy(b, d, t);
    b.result_not_denormal(Floats::LowDouble), b.result_not_denormal(Floats::Doubles);
}
// Two doubles become two 32-bit elements, zeros above. Conversions to integers do not look for denormal numbers.
template <Three op, bool to_integers>
void narrow(Block& b, const Insn& i) {
    Vr s = source(b, i.op[1]), t = in_memory(i.op[1]) ? s : b.vector_temp();
    if (!to_integers) test_denormals(b, Floats::Doubles, {s});
    settle(b);
    (b.as.*op)(t, s, s);
    b.as.vextl_qu_du(xmm(i.op[0]), t);
}

constexpr u8 traits = Row::sse | Row::fp | Row::faults;
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_CVTSI2SS, from_general<&A::ffint_s_w, &A::ffint_s_l, 4>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTSI2SD, from_general<&A::ffint_d_w, &A::ffint_d_l, 8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTSS2SI, to_general<&A::ftintrne_w_s, &A::ftintrne_l_s, 4>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTSD2SI, to_general<&A::ftintrne_w_d, &A::ftintrne_l_d, 8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTTSS2SI, to_general<&A::ftintrz_w_s, &A::ftintrz_l_s, 4>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTTSD2SI, to_general<&A::ftintrz_w_d, &A::ftintrz_l_d, 8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTSS2SD, scalar_size<&A::fcvt_d_s, 4, 8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTSD2SS, scalar_size<&A::fcvt_s_d, 8, 4>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTPS2PD, widen, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTPD2PS, narrow<&A::vfcvt_s_d, false>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTDQ2PS, packed_from_integers<&A::vffint_s_w, 16>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTDQ2PD, packed_from_integers<&A::vffintl_d_w, 8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTPS2DQ, packed<&A::vftintrne_w_s>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTTPS2DQ, packed<&A::vftintrz_w_s>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTPD2DQ, narrow<&A::vftintrne_w_d, true>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CVTTPD2DQ, narrow<&A::vftintrz_w_d, true>, 0, 0, traits},
};

}  // namespace

Rows sse_convert_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

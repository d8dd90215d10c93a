// SSE integer arithmetic, logic and comparisons. Source: Intel SDM vol. 2, the instructions' own pages.
#include "translate/sse.hpp"

namespace bmbt {
namespace {

using namespace sse;
namespace flag = x86::flag;

// dst = dst op src; `swapped`: dst = src op dst.
template <Three op, bool swapped = false>
void binary(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]);
    (b.as.*op)(d, swapped ? s : d, swapped ? d : s);
}
template <Three op>
constexpr auto reversed = binary<op, true>;

// XORPS, PXOR, PSUBx, PCMPGTx of a register with itself are the usual ways to 0; the host's own operation does as well.

// PABSx: LSX moves signs, x86 drops them.
template <Three op>
void absolute(Block& b, const Insn& i) {
    Vr s = source(b, i.op[1]);
    (b.as.*op)(xmm(i.op[0]), s, s);
}

// PMADDWD, PMADDUBSW: products of even elements and of odd ones, then their sum.
template <Three even, Three odd, Three sum>
void multiply_add(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = b.vector_temp(), u = b.vector_temp();
    (b.as.*even)(t, d, s);
    (b.as.*odd)(u, d, s);
    (b.as.*sum)(d, t, u);
}

void pmulhrsw(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), even = b.vector_temp(), odd = b.vector_temp();
    as.vmulwev_w_h(even, d, s);
    as.vmulwod_w_h(odd, d, s);
    as.vsrari_w(even, even, 15);
    as.vsrari_w(odd, odd, 15);
    as.vpackev_h(d, odd, even);
}

void psadbw(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = b.vector_temp();
    as.vabsd_bu(t, d, s);
    as.vhaddw_hu_bu(t, t, t);
    as.vhaddw_wu_hu(t, t, t);
    as.vhaddw_du_wu(d, t, t);
}

// PHADDx, PHSUBx: neighbours of dst below neighbours of src.
template <Three even, Three odd, Three op>
void horizontal(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = b.vector_temp(), u = b.vector_temp();
    (b.as.*even)(t, s, d);
    (b.as.*odd)(u, s, d);
    (b.as.*op)(d, t, u);
}

// PTEST: ZF = no bit in common, CF = no bit of src outside dst.
void ptest(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = b.vector_temp();
    if (!b.flags_needed()) return b.drop_flags();
    bool same = d == s;
    Gpr carry = b.temp();
    as.vand_v(t, d, s);
    as.vseteqz_v(fcc0, t);
    if (!same) {
        as.vandn_v(t, d, s);
        as.vseteqz_v(fcc1, t);
        as.movcf2gr(carry, fcc1);
    }
    as.movcf2gr(host::flag_a, fcc0);
    as.slli_d(host::flag_a, host::flag_a, 6);
    if (same) as.ori(host::flag_a, host::flag_a, flag::cf);
    else as.or_(host::flag_a, host::flag_a, carry);
    b.set_flags(FlagOp::Bits, 1, host::flag_a, zero);
}

using A = Assembler;
constexpr u8 sse_row = Row::sse;
#define BMBT_ROW(name, op) {ZYDIS_MNEMONIC_##name, binary<&A::op>, 0, 0, sse_row}
#define BMBT_SWAPPED(name, op) {ZYDIS_MNEMONIC_##name, reversed<&A::op>, 0, 0, sse_row}
constexpr Row rows[] = {
    BMBT_ROW(ANDPS, vand_v), BMBT_ROW(ANDPD, vand_v), BMBT_ROW(PAND, vand_v),
    BMBT_ROW(ANDNPS, vandn_v), BMBT_ROW(ANDNPD, vandn_v), BMBT_ROW(PANDN, vandn_v),
    BMBT_ROW(ORPS, vor_v), BMBT_ROW(ORPD, vor_v), BMBT_ROW(POR, vor_v),
    BMBT_ROW(XORPS, vxor_v), BMBT_ROW(XORPD, vxor_v), BMBT_ROW(PXOR, vxor_v),
    BMBT_ROW(PADDB, vadd_b), BMBT_ROW(PADDW, vadd_h), BMBT_ROW(PADDD, vadd_w), BMBT_ROW(PADDQ, vadd_d),
    BMBT_ROW(PSUBB, vsub_b), BMBT_ROW(PSUBW, vsub_h), BMBT_ROW(PSUBD, vsub_w), BMBT_ROW(PSUBQ, vsub_d),
    BMBT_ROW(PADDSB, vsadd_b), BMBT_ROW(PADDSW, vsadd_h), BMBT_ROW(PADDUSB, vsadd_bu), BMBT_ROW(PADDUSW, vsadd_hu),
    BMBT_ROW(PSUBSB, vssub_b), BMBT_ROW(PSUBSW, vssub_h), BMBT_ROW(PSUBUSB, vssub_bu), BMBT_ROW(PSUBUSW, vssub_hu),
    BMBT_ROW(PMULLW, vmul_h), BMBT_ROW(PMULLD, vmul_w), BMBT_ROW(PMULHW, vmuh_h), BMBT_ROW(PMULHUW, vmuh_hu),
    BMBT_ROW(PMULUDQ, vmulwev_d_wu), BMBT_ROW(PMULDQ, vmulwev_d_w),
    BMBT_ROW(PAVGB, vavgr_bu), BMBT_ROW(PAVGW, vavgr_hu),
    BMBT_ROW(PMINSB, vmin_b), BMBT_ROW(PMINSW, vmin_h), BMBT_ROW(PMINSD, vmin_w),
    BMBT_ROW(PMINUB, vmin_bu), BMBT_ROW(PMINUW, vmin_hu), BMBT_ROW(PMINUD, vmin_wu),
    BMBT_ROW(PMAXSB, vmax_b), BMBT_ROW(PMAXSW, vmax_h), BMBT_ROW(PMAXSD, vmax_w),
    BMBT_ROW(PMAXUB, vmax_bu), BMBT_ROW(PMAXUW, vmax_hu), BMBT_ROW(PMAXUD, vmax_wu),
    BMBT_ROW(PCMPEQB, vseq_b), BMBT_ROW(PCMPEQW, vseq_h), BMBT_ROW(PCMPEQD, vseq_w), BMBT_ROW(PCMPEQQ, vseq_d),
    BMBT_SWAPPED(PCMPGTB, vslt_b), BMBT_SWAPPED(PCMPGTW, vslt_h), BMBT_SWAPPED(PCMPGTD, vslt_w), BMBT_SWAPPED(PCMPGTQ, vslt_d),
    BMBT_SWAPPED(PSIGNB, vsigncov_b), BMBT_SWAPPED(PSIGNW, vsigncov_h), BMBT_SWAPPED(PSIGND, vsigncov_w),
    {ZYDIS_MNEMONIC_PABSB, absolute<&A::vsigncov_b>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PABSW, absolute<&A::vsigncov_h>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PABSD, absolute<&A::vsigncov_w>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMADDWD, multiply_add<&A::vmulwev_w_h, &A::vmulwod_w_h, &A::vadd_w>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMADDUBSW, multiply_add<&A::vmulwev_h_bu_b, &A::vmulwod_h_bu_b, &A::vsadd_h>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMULHRSW, pmulhrsw, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PSADBW, psadbw, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PHADDW, horizontal<&A::vpickev_h, &A::vpickod_h, &A::vadd_h>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PHADDD, horizontal<&A::vpickev_w, &A::vpickod_w, &A::vadd_w>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PHADDSW, horizontal<&A::vpickev_h, &A::vpickod_h, &A::vsadd_h>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PHSUBW, horizontal<&A::vpickev_h, &A::vpickod_h, &A::vsub_h>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PHSUBD, horizontal<&A::vpickev_w, &A::vpickod_w, &A::vsub_w>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PHSUBSW, horizontal<&A::vpickev_h, &A::vpickod_h, &A::vssub_h>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PTEST, ptest, 0, flag::arithmetic, sse_row},
};
#undef BMBT_ROW
#undef BMBT_SWAPPED

}  // namespace

Rows sse_integer_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

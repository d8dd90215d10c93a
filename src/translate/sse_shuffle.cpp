// SSE shifts, shuffles, packs, blends and extensions. Source: Intel SDM vol. 2, the instructions' own pages.
#include "translate/sse.hpp"

namespace bmbt {
namespace {

using namespace sse;

enum class Shift : u8 { Left, Right, Arithmetic };

template <Shift way, unsigned size>
void shift_by_constant(Block& b, Vr d, unsigned count) {
    auto& as = b.as;
    if (count == 0) return;
    if (count >= size * 8) {
        if (way != Shift::Arithmetic) return clear(b, d);
        count = size * 8 - 1;
    }
    switch (way) {
        case Shift::Left: size == 2 ? as.vslli_h(d, d, count) : size == 4 ? as.vslli_w(d, d, count) : as.vslli_d(d, d, count); break;
        case Shift::Right: size == 2 ? as.vsrli_h(d, d, count) : size == 4 ? as.vsrli_w(d, d, count) : as.vsrli_d(d, d, count); break;
        case Shift::Arithmetic: size == 2 ? as.vsrai_h(d, d, count) : as.vsrai_w(d, d, count); break;
    }
}

// PSLLx, PSRLx, PSRAx: by a constant, or by src's low 64 bits, whose values from the width on clear or fill with signs.
template <Shift way, unsigned size>
void shift(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]);
    if (b.is_constant(i.op[1])) return shift_by_constant<way, size>(b, d, immediate(b, i.op[1]));
    Vr s = source(b, i.op[1]), count = b.vector_temp();
    auto replicate = [&](Vr from) {
        if (size == 2) as.vreplvei_h(count, from, 0);
        else if (size == 4) as.vreplvei_w(count, from, 0);
        else as.vreplvei_d(count, from, 0);
    };
    if (way == Shift::Arithmetic) {
        as.vmini_du(count, s, size * 8 - 1);
        replicate(count);
        return size == 2 ? as.vsra_h(d, d, count) : as.vsra_w(d, d, count);
    }
    Vr inside = b.vector_temp();
    if (size == 8) {
        as.vsrli_d(inside, s, 6);
        as.vseqi_d(inside, inside, 0);
    } else {
        as.vslei_du(inside, s, size * 8 - 1);
    }
    as.vreplvei_d(inside, inside, 0);
    replicate(s);
    if (way == Shift::Left) size == 2 ? as.vsll_h(count, d, count) : size == 4 ? as.vsll_w(count, d, count) : as.vsll_d(count, d, count);
    else size == 2 ? as.vsrl_h(count, d, count) : size == 4 ? as.vsrl_w(count, d, count) : as.vsrl_d(count, d, count);
    as.vand_v(d, count, inside);
}

// PSLLDQ, PSRLDQ.
template <bool left>
void shift_bytes(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]);
    unsigned n = immediate(b, i.op[1]);
    if (n == 0) return;
    if (n >= 16) return clear(b, d);
    left ? b.as.vbsll_v(d, d, n) : b.as.vbsrl_v(d, d, n);
}

void palignr(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = b.vector_temp();
    unsigned n = immediate(b, i.op[2]);
    if (n >= 32) return clear(b, d);
    if (n == 0) return copy(b, d, s);
    if (n >= 16) return n == 16 ? void() : as.vbsrl_v(d, d, n - 16);
    if (n == 8) return as.vshuf4i_d(d, s, 3 | 0 << 2);
    as.vbsrl_v(t, s, n);
    as.vbsll_v(d, d, 16 - n);
    as.vor_v(d, d, t);
}

void pshufd(Block& b, const Insn& i) {
    Vr s = source(b, i.op[1]);
    b.as.vshuf4i_w(xmm(i.op[0]), s, immediate(b, i.op[2]));
}
// PSHUFLW, PSHUFHW: one half's words; the other half goes over as it is.
template <unsigned half>
void shuffle_half(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = d == s ? b.vector_temp() : d;
    b.as.vshuf4i_h(t, s, immediate(b, i.op[2]));
    if (d == s) b.as.vextrins_d(d, t, half ? 0x11 : 0x00);
    else b.as.vextrins_d(d, s, half ? 0x00 : 0x11);
}

// SHUFPS: two elements of dst, then two of src.
void shufps(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]);
    unsigned imm = immediate(b, i.op[2]);
    if (d == s) return as.vshuf4i_w(d, d, imm);
    switch (imm) {
        case 0x44: return as.vilvl_d(d, s, d);
        case 0xee: return as.vilvh_d(d, s, d);
        case 0x4e: return as.vshuf4i_d(d, s, 1 | 2 << 2);
        case 0xe4: return as.vextrins_d(d, s, 0x11);
        case 0x88: return as.vpickev_w(d, s, d);
        case 0xdd: return as.vpickod_w(d, s, d);
    }
    Vr t = s;
    if (!in_memory(i.op[1])) copy(b, t = b.vector_temp(), s);
    as.vpermi_w(t, d, imm);
    copy(b, d, t);
}
void shufpd(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]);
    unsigned imm = immediate(b, i.op[2]);
    b.as.vshuf4i_d(d, s, (imm & 1) | (2 | (imm >> 1 & 1)) << 2);
}

// An index with bit 7 set gives 0: those become 16, which picks from a register of zeros.
void pshufb(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), index = b.vector_temp(), zeros = b.vector_temp();
    as.vandi_b(index, s, 0x8f);
    as.vmini_bu(index, index, 16);
    clear(b, zeros);
    as.vshuf_b(d, zeros, d, index);
}

// PUNPCKxx, UNPCKxx: dst's elements in the even places.
template <Three interleave>
void unpack(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]);
    (b.as.*interleave)(d, s, d);
}

// PACKxx: dst's elements narrowed below src's.
template <class Count, void (Instructions<Assembler>::*narrow)(Vr, Vr, Count)>
void pack(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]);
    if (d == s) return (b.as.*narrow)(d, d, 0);
    Vr t = s;
    if (!in_memory(i.op[1])) copy(b, t = b.vector_temp(), s);
    (b.as.*narrow)(t, d, 0);
    copy(b, d, t);
}

// PMOVSXxx, PMOVZXxx: the lowest elements, widened step by step.
template <unsigned source_bytes, auto... steps>
void extend(Block& b, const Insn& i) {
    const Operand& src = i.op[1];
    Vr d = xmm(i.op[0]), s;
    if (!in_memory(src)) {
        s = xmm(src);
    } else if (source_bytes >= 4) {
        s = scalar_source(b, src, source_bytes);
    } else {
        Gpr t = b.temp();
        b.load(t, b.address(), source_bytes, Upper::Zero);
        b.as.movgr2fr_d(low_half(s = b.vector_temp()), t);
    }
    (((b.as.*steps)(d, s, 0), s = d), ...);
}

// PBLENDW, BLENDPS, BLENDPD: elements of src where imm says so.
template <unsigned size>
void blend(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]);
    constexpr unsigned count = 16 / size;
    unsigned imm = immediate(b, i.op[2]) & static_cast<unsigned>(mask(count));
    if (d == s) return;
    if (imm == mask(count)) return copy(b, d, s);
    // Neighbours together.
    for (unsigned n = 0; n < count;) {
        auto all = [&](unsigned bytes) {
            unsigned k = bytes / size;
            return k && n % k == 0 && (imm >> n & mask(k)) == mask(k);
        };
        if (all(8)) {
            as.vextrins_d(d, s, (n * size / 8) * 0x11);
            n += 8 / size;
        } else if (all(4)) {
            as.vextrins_w(d, s, (n * size / 4) * 0x11);
            n += 4 / size;
        } else {
            if (bit(imm, n)) as.vextrins_h(d, s, n * 0x11);
            n++;
        }
    }
}
// PBLENDVB, BLENDVPS, BLENDVPD: elements of src where XMM0's sign says so.
template <void (Instructions<Assembler>::*negative)(Vr, Vr, Si5)>
void blend_by_sign(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = b.vector_temp();
    (b.as.*negative)(t, host::xmm(0), 0);
    b.as.vbitsel_v(d, d, s, t);
}

using A = Assembler;
constexpr u8 sse_row = Row::sse;
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_PSLLW, shift<Shift::Left, 2>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PSLLD, shift<Shift::Left, 4>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PSLLQ, shift<Shift::Left, 8>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PSRLW, shift<Shift::Right, 2>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PSRLD, shift<Shift::Right, 4>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PSRLQ, shift<Shift::Right, 8>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PSRAW, shift<Shift::Arithmetic, 2>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PSRAD, shift<Shift::Arithmetic, 4>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PSLLDQ, shift_bytes<true>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PSRLDQ, shift_bytes<false>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PALIGNR, palignr, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PSHUFD, pshufd, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PSHUFLW, shuffle_half<0>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PSHUFHW, shuffle_half<1>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_SHUFPS, shufps, 0, 0, sse_row}, {ZYDIS_MNEMONIC_SHUFPD, shufpd, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PSHUFB, pshufb, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PUNPCKLBW, unpack<&A::vilvl_b>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PUNPCKLWD, unpack<&A::vilvl_h>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PUNPCKLDQ, unpack<&A::vilvl_w>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PUNPCKLQDQ, unpack<&A::vilvl_d>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PUNPCKHBW, unpack<&A::vilvh_b>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PUNPCKHWD, unpack<&A::vilvh_h>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PUNPCKHDQ, unpack<&A::vilvh_w>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PUNPCKHQDQ, unpack<&A::vilvh_d>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_UNPCKLPS, unpack<&A::vilvl_w>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_UNPCKLPD, unpack<&A::vilvl_d>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_UNPCKHPS, unpack<&A::vilvh_w>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_UNPCKHPD, unpack<&A::vilvh_d>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PACKSSWB, pack<Ui4, &A::vssrani_b_h>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PACKSSDW, pack<Ui5, &A::vssrani_h_w>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PACKUSWB, pack<Ui4, &A::vssrani_bu_h>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PACKUSDW, pack<Ui5, &A::vssrani_hu_w>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMOVSXBW, extend<8, &A::vsllwil_h_b>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PMOVZXBW, extend<8, &A::vsllwil_hu_bu>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMOVSXWD, extend<8, &A::vsllwil_w_h>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PMOVZXWD, extend<8, &A::vsllwil_wu_hu>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMOVSXDQ, extend<8, &A::vsllwil_d_w>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PMOVZXDQ, extend<8, &A::vsllwil_du_wu>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMOVSXBD, extend<4, &A::vsllwil_h_b, &A::vsllwil_w_h>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMOVZXBD, extend<4, &A::vsllwil_hu_bu, &A::vsllwil_wu_hu>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMOVSXWQ, extend<4, &A::vsllwil_w_h, &A::vsllwil_d_w>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMOVZXWQ, extend<4, &A::vsllwil_wu_hu, &A::vsllwil_du_wu>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMOVSXBQ, extend<2, &A::vsllwil_h_b, &A::vsllwil_w_h, &A::vsllwil_d_w>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMOVZXBQ, extend<2, &A::vsllwil_hu_bu, &A::vsllwil_wu_hu, &A::vsllwil_du_wu>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PBLENDW, blend<2>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_BLENDPS, blend<4>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_BLENDPD, blend<8>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PBLENDVB, blend_by_sign<&A::vslti_b>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_BLENDVPS, blend_by_sign<&A::vslti_w>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_BLENDVPD, blend_by_sign<&A::vslti_d>, 0, 0, sse_row},
};

}  // namespace

Rows sse_shuffle_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

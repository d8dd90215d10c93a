// SSE moves: whole registers, halves, elements, masks. Source: Intel SDM vol. 2, the instructions' own pages.
#include "translate/sse.hpp"

namespace bmbt {
namespace {

using namespace sse;

// MOVAPS and its kin; those that allow any address are `unaligned`.
template <bool unaligned>
void move_whole(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    auto place = [&] { return unaligned ? b.address() : b.aligned_address(); };
    if (in_memory(dst)) return b.store_vector(xmm(src), place());
    if (in_memory(src)) return b.load_vector(xmm(dst), place());
    copy(b, xmm(dst), xmm(src));
    b.result_as(xmm(src));
}

// `size` bytes of memory at the bottom of d, zeros above.
void load_zeroed(Block& b, Vr d, unsigned size) {
    Address a = b.address();
    if (size == 8) {
        b.load_scalar(d, a, 8);
        return b.as.vextl_qu_du(d, d);
    }
    // vldrepl fills every element at once, which spares clearing the register first.
    if (!(a.index == zero) || a.disp % 4) a = {.base = b.address_register(a)};
    b.as.vldrepl_w(d, a.base, a.disp);
    b.as.vbsrl_v(d, d, 12);
}

// MOVSS and MOVSD: a load clears what is above, a register move keeps it.
template <unsigned size>
void move_scalar(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    if (in_memory(dst)) return b.store_scalar(xmm(src), b.address(), size);
    if (in_memory(src)) return load_zeroed(b, xmm(dst), size);
    if (dst.reg != src.reg) insert_lowest(b, xmm(dst), xmm(src), size);
}

// MOVLPS, MOVLPD, MOVHPS, MOVHPD: one half and memory.
template <unsigned half>
void move_half(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    if (in_memory(dst)) {
        Address a = b.address();
        if (half == 0) return b.store_scalar(xmm(src), a, 8);
        if (!(a.index == zero) || a.disp % 8 || !Si8x8::fits(a.disp)) a = {.base = b.address_register(a)};
        return b.as.vstelm_d(xmm(src), a.base, a.disp, 1);
    }
    Vr t = scalar_source(b, src, 8);
    b.as.vextrins_d(xmm(dst), t, half << 4);
}
void movlhps(Block& b, const Insn& i) { b.as.vextrins_d(xmm(i.op[0]), xmm(i.op[1]), 0x10); }
void movhlps(Block& b, const Insn& i) { b.as.vextrins_d(xmm(i.op[0]), xmm(i.op[1]), 0x01); }

// MOVD and MOVQ.
void move_general(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    auto& as = b.as;
    switch (dst.kind) {
        case OperandKind::Gpr:
            if (dst.size == 8) return as.movfr2gr_d(b.write64(dst.reg), low_half(xmm(src)));
            return as.movfr2gr_s(b.write32(dst.reg, Upper::Sign), low_half(xmm(src)));
        case OperandKind::Memory: return b.store_scalar(xmm(src), b.address(), dst.size);
        default: break;
    }
    Vr d = xmm(dst);
    switch (src.kind) {
        case OperandKind::Xmm: return as.vextl_qu_du(d, xmm(src));
        case OperandKind::Memory: return load_zeroed(b, d, src.size);
        default: break;
    }
    if (src.size == 8) {
        as.movgr2fr_d(low_half(d), b.whole(src.reg));
        return as.vextl_qu_du(d, d);
    }
    as.vreplgr2vr_w(d, b.low(src.reg));
    as.vbsrl_v(d, d, 12);
}

// MOVNTI.
void store_general(Block& b, const Insn& i) {
    Gpr v = b.read(i.op[1], Upper::Any);
    b.store(v, b.address(), i.op[0].size);
}

void movddup(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]);
    if (!in_memory(i.op[1])) return b.as.vreplvei_d(d, xmm(i.op[1]), 0);
    Address a = b.address();
    if (!(a.index == zero) || !Si9x8::fits(a.disp)) a = {.base = b.address_register(a)};
    b.as.vldrepl_d(d, a.base, a.disp);
}
// MOVSLDUP, MOVSHDUP: pairs of the even or the odd elements.
template <Three pack>
void duplicate(Block& b, const Insn& i) {
    Vr s = source(b, i.op[1]);
    (b.as.*pack)(xmm(i.op[0]), s, s);
}

// MOVMSKPS, MOVMSKPD, PMOVMSKB: the top bit of every element.
template <Two gather>
void move_mask(Block& b, const Insn& i) {
    Vr t = b.vector_temp();
    (b.as.*gather)(t, xmm(i.op[1]));
    b.as.vpickve2gr_hu(general(b, i.op[0], Upper::Zero), t, 0);
}

// PEXTRx and EXTRACTPS.
template <unsigned size>
void extract(Block& b, const Insn& i) {
    const Operand& dst = i.op[0];
    auto& as = b.as;
    unsigned n = immediate(b, i.op[2]) & (16 / size - 1);
    Vr s = xmm(i.op[1]);
    bool memory = in_memory(dst);
    Gpr to = memory ? b.temp() : size == 8 ? b.write64(dst.reg) : general(b, dst, size == 4 && dst.size == 4 ? Upper::Sign : Upper::Zero);
    switch (size) {
        case 1: as.vpickve2gr_bu(to, s, n); break;
        case 2: as.vpickve2gr_hu(to, s, n); break;
        case 4: dst.size == 8 ? as.vpickve2gr_wu(to, s, n) : as.vpickve2gr_w(to, s, n); break;
        case 8: as.vpickve2gr_d(to, s, n); break;
    }
    if (memory) b.store(to, b.address(), size);
}

// PINSRx.
template <unsigned size>
void insert(Block& b, const Insn& i) {
    const Operand& src = i.op[1];
    auto& as = b.as;
    unsigned n = immediate(b, i.op[2]) & (16 / size - 1);
    Gpr v;
    if (in_memory(src)) b.load(v = b.temp(), b.address(), size, Upper::Any);
    else v = size == 8 ? b.whole(src.reg) : b.low(src.reg);
    Vr d = xmm(i.op[0]);
    switch (size) {
        case 1: as.vinsgr2vr_b(d, v, n); break;
        case 2: as.vinsgr2vr_h(d, v, n); break;
        case 4: as.vinsgr2vr_w(d, v, n); break;
        case 8: as.vinsgr2vr_d(d, v, n); break;
    }
}

void insertps(Block& b, const Insn& i) {
    const Operand& src = i.op[1];
    unsigned imm = immediate(b, i.op[2]), to = imm >> 4 & 3, from = in_memory(src) ? 0 : imm >> 6;
    Vr s = scalar_source(b, src, 4), d = xmm(i.op[0]);
    b.as.vextrins_w(d, s, to << 4 | from);
    if ((imm & 15) == 15) return clear(b, d);
    for (unsigned n = 0; n < 4; n++)
        if (bit(imm, n)) b.as.vinsgr2vr_w(d, zero, n);
}

using A = Assembler;
constexpr u8 sse_row = Row::sse;
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MOVAPS, move_whole<false>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVAPD, move_whole<false>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVDQA, move_whole<false>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVNTPS, move_whole<false>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVNTPD, move_whole<false>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVNTDQ, move_whole<false>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVNTDQA, move_whole<false>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVUPS, move_whole<true>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVUPD, move_whole<true>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVDQU, move_whole<true>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_LDDQU, move_whole<true>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVSS, move_scalar<4>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVSD, move_scalar<8>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVLPS, move_half<0>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVLPD, move_half<0>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVHPS, move_half<1>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVHPD, move_half<1>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVLHPS, movlhps, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVHLPS, movhlps, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVD, move_general, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVQ, move_general, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVNTI, store_general},
    {ZYDIS_MNEMONIC_MOVDDUP, movddup, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVSLDUP, duplicate<&A::vpackev_w>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVSHDUP, duplicate<&A::vpackod_w>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_MOVMSKPS, move_mask<&A::vmskltz_w>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_MOVMSKPD, move_mask<&A::vmskltz_d>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PMOVMSKB, move_mask<&A::vmskltz_b>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PEXTRB, extract<1>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PEXTRW, extract<2>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PEXTRD, extract<4>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_EXTRACTPS, extract<4>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PEXTRQ, extract<8>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PINSRB, insert<1>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PINSRW, insert<2>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_PINSRD, insert<4>, 0, 0, sse_row}, {ZYDIS_MNEMONIC_PINSRQ, insert<8>, 0, 0, sse_row},
    {ZYDIS_MNEMONIC_INSERTPS, insertps, 0, 0, sse_row},
};

}  // namespace

Rows sse_move_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

// SSE floating-point arithmetic and comparisons, for MXCSR's default: nearest, all masked, nothing flushed to zero.
// The host raises its invalid-operation trap where x86 would set IE; the instruction then runs in C++. So no result here
// is a NaN that LoongArch chose in its own way: quiet NaNs come from the first operand on both. A vector instruction may have
// written elements before one traps, so what it destroys it computes in a temporary. Source: Intel SDM vol. 2, the
// instructions' own pages; vol. 1, "SIMD Floating-Point Exceptions". See docs/sse.md.
#include "translate/sse.hpp"

namespace bmbt {
namespace {

using namespace sse;
namespace flag = x86::flag;

using Scalar = void (Instructions<Assembler>::*)(Fpr, Fpr, Fpr);
using Scalar2 = void (Instructions<Assembler>::*)(Fpr, Fpr);
using Compare = void (Instructions<Assembler>::*)(Fcc, Fpr, Fpr);
using A = Assembler;

template <unsigned size>
constexpr Floats all_of = size == 4 ? Floats::Singles : Floats::Doubles;
template <unsigned size>
constexpr Floats lowest_of = size == 4 ? Floats::LowSingle : Floats::LowDouble;

template <Three op, unsigned size>
void packed(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = in_memory(i.op[1]) ? s : b.vector_temp();
    test_denormals(b, all_of<size>, {d, s});
    settle(b);
    (b.as.*op)(t, d, s);
    copy(b, d, t);
}
template <Scalar op, unsigned size>
void scalar(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = scalar_source(b, i.op[1], size), t = in_memory(i.op[1]) ? s : b.vector_temp();
    test_denormals(b, lowest_of<size>, {d, s});
    (b.as.*op)(low_half(t), low_half(d), low_half(s));
    insert_lowest(b, d, t, size);
}
template <Two op, unsigned size>
void packed_root(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = d == s ? b.vector_temp() : d;
    test_denormals(b, all_of<size>, {s});
    settle(b);
    (b.as.*op)(t, s);
    copy(b, d, t);
    b.result_not_denormal(lowest_of<size>), b.result_not_denormal(all_of<size>);
}
template <Scalar2 op, unsigned size>
void scalar_root(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = scalar_source(b, i.op[1], size), t = in_memory(i.op[1]) ? s : b.vector_temp();
    test_denormals(b, lowest_of<size>, {s});
    (b.as.*op)(low_half(t), low_half(s));
    insert_lowest(b, d, t, size);
    b.result_not_denormal(lowest_of<size>);
}

// MINxx, MAXxx: the first operand only if it is strictly less (greater), which a signalling comparison tells.
template <Three less, bool is_max, unsigned size>
void packed_choice(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = b.vector_temp();
    test_denormals(b, all_of<size>, {d, s});
    settle(b);
    (b.as.*less)(t, is_max ? s : d, is_max ? d : s);
    b.as.vbitsel_v(d, s, d, t);
    b.result_not_denormal(lowest_of<size>), b.result_not_denormal(all_of<size>);
}
template <Compare less, bool is_max, unsigned size>
void scalar_choice(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = scalar_source(b, i.op[1], size), t = in_memory(i.op[1]) ? s : b.vector_temp();
    test_denormals(b, lowest_of<size>, {d, s});
    (b.as.*less)(fcc0, low_half(is_max ? s : d), low_half(is_max ? d : s));
    b.as.fsel(low_half(t), low_half(s), low_half(d), fcc0);
    insert_lowest(b, d, t, size);
    b.result_not_denormal(lowest_of<size>);
}

// CMPxx's predicates EQ LT LE UNORD NEQ NLT NLE ORD; those from NLT on are the host's with the operands exchanged.
struct Predicate {
    Three packed_s, packed_d;
    Compare s, d;
    bool swapped;
};
#define BMBT_PREDICATE(p, swapped) {&A::vfcmp_##p##_s, &A::vfcmp_##p##_d, &A::fcmp_##p##_s, &A::fcmp_##p##_d, swapped}
constexpr Predicate predicates[8] = {BMBT_PREDICATE(ceq, false),  BMBT_PREDICATE(slt, false),  BMBT_PREDICATE(sle, false),
                                     BMBT_PREDICATE(cun, false),  BMBT_PREDICATE(cune, false), BMBT_PREDICATE(sule, true),
                                     BMBT_PREDICATE(sult, true), BMBT_PREDICATE(cor, false)};
#undef BMBT_PREDICATE

template <unsigned size>
void compare_packed(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]);
    const Predicate& p = predicates[immediate(b, i.op[2]) & 7];
    test_denormals(b, all_of<size>, {d, s});
    settle(b);
    (b.as.*(size == 4 ? p.packed_s : p.packed_d))(d, p.swapped ? s : d, p.swapped ? d : s);
}
template <unsigned size>
void compare_scalar(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]), s = scalar_source(b, i.op[1], size);
    Gpr t = b.temp();
    const Predicate& p = predicates[immediate(b, i.op[2]) & 7];
    test_denormals(b, lowest_of<size>, {d, s});
    (as.*(size == 4 ? p.s : p.d))(fcc0, low_half(p.swapped ? s : d), low_half(p.swapped ? d : s));
    as.movcf2gr(t, fcc0);
    as.sub_d(t, zero, t);
    size == 4 ? as.vinsgr2vr_w(d, t, 0) : as.vinsgr2vr_d(d, t, 0);
}

// COMISx, UCOMISx: the comparison here only raises what must be raised; the flags are the operands.
template <Compare raise, unsigned size>
void compare_flags(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]), s = scalar_source(b, i.op[1], size);
    test_denormals(b, lowest_of<size>, {d, s});
    b.result_as(d);  // it stays as it is
    (as.*raise)(fcc0, low_half(d), low_half(s));
    if (!b.flags_needed()) return b.drop_flags();
    if (size == 8) {
        as.movfr2gr_d(host::flag_a, low_half(d));
        as.movfr2gr_d(host::flag_b, low_half(s));
    } else {
        as.movfr2gr_s(host::flag_a, low_half(d));
        as.movfr2gr_s(host::flag_b, low_half(s));
    }
    b.set_flags_of_compare(size, d, s);
}

// ROUNDxx. Bit 3 of the immediate: the inexact flag stays as it was.
template <unsigned size>
void round_into(Block& b, Vr t, Vr s, unsigned imm) {
    auto& as = b.as;
    bool silent = bit(imm, 3);
    Gpr status = silent ? b.temp() : zero;
    if (silent) as.movfcsr2gr(status, fcsr0);
    settle(b);
    switch (imm & 4 ? 0 : imm & 3) {
        case 0: size == 4 ? as.vfrintrne_s(t, s) : as.vfrintrne_d(t, s); break;
        case 1: size == 4 ? as.vfrintrm_s(t, s) : as.vfrintrm_d(t, s); break;
        case 2: size == 4 ? as.vfrintrp_s(t, s) : as.vfrintrp_d(t, s); break;
        case 3: size == 4 ? as.vfrintrz_s(t, s) : as.vfrintrz_d(t, s); break;
    }
    if (silent) as.movgr2fcsr(fcsr0, status);
}
template <unsigned size>
void round_packed(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = d == s ? b.vector_temp() : d;
    unsigned imm = immediate(b, i.op[2]);
    if (bit(imm, 3)) {
        // A signalling NaN must trap before the other elements have set the inexact flag.
        Vr none = b.vector_temp();
        settle(b);
        size == 4 ? b.as.vfcmp_caf_s(none, s, s) : b.as.vfcmp_caf_d(none, s, s);
    }
    round_into<size>(b, t, s, imm);
    copy(b, d, t);
}
template <unsigned size>
void round_scalar(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = scalar_source(b, i.op[1], size), t = b.vector_temp();
    // The rounding instructions with a mode of their own are vector ones: every element is the one that is asked for.
    size == 4 ? b.as.vreplvei_w(t, s, 0) : b.as.vreplvei_d(t, s, 0);
    round_into<size>(b, t, t, immediate(b, i.op[2]));
    insert_lowest(b, d, t, size);
}

// HADDxx, HSUBxx: neighbours of dst below neighbours of src.
template <Three even, Three odd, Three op, unsigned size>
void horizontal(Block& b, const Insn& i) {
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = b.vector_temp(), u = b.vector_temp();
    test_denormals(b, all_of<size>, {d, s});
    (b.as.*even)(t, s, d);
    (b.as.*odd)(u, s, d);
    settle(b);
    (b.as.*op)(t, t, u);
    copy(b, d, t);
}

// ADDSUBxx: even elements are subtracted, odd ones added, and no element may raise what its own operation does not.
template <Three even, Three odd, Three subtract, Three add, unsigned size>
void add_subtract(Block& b, const Insn& i) {
    auto& as = b.as;
    Vr d = xmm(i.op[0]), s = source(b, i.op[1]), t = b.vector_temp(), u = b.vector_temp(), w = b.vector_temp();
    test_denormals(b, all_of<size>, {d, s});
    (as.*even)(t, d, d);
    (as.*even)(w, s, s);
    settle(b);
    (as.*subtract)(t, t, w);
    (as.*odd)(u, d, d);
    (as.*odd)(w, s, s);
    (as.*add)(u, u, w);
    (as.*even)(d, u, t);
}

constexpr u8 traits = Row::sse | Row::fp | Row::faults;
#define BMBT_FOUR(NAME, op)                                                                                        \
    {ZYDIS_MNEMONIC_##NAME##PS, packed<&A::vf##op##_s, 4>, 0, 0, traits},                                             \
        {ZYDIS_MNEMONIC_##NAME##PD, packed<&A::vf##op##_d, 8>, 0, 0, traits},                                         \
        {ZYDIS_MNEMONIC_##NAME##SS, scalar<&A::f##op##_s, 4>, 0, 0, traits},                                       \
        {ZYDIS_MNEMONIC_##NAME##SD, scalar<&A::f##op##_d, 8>, 0, 0, traits}
#define BMBT_CHOICE(NAME, is_max)                                                                                  \
    {ZYDIS_MNEMONIC_##NAME##PS, packed_choice<&A::vfcmp_slt_s, is_max, 4>, 0, 0, traits},                             \
        {ZYDIS_MNEMONIC_##NAME##PD, packed_choice<&A::vfcmp_slt_d, is_max, 8>, 0, 0, traits},                         \
        {ZYDIS_MNEMONIC_##NAME##SS, scalar_choice<&A::fcmp_slt_s, is_max, 4>, 0, 0, traits},                       \
        {ZYDIS_MNEMONIC_##NAME##SD, scalar_choice<&A::fcmp_slt_d, is_max, 8>, 0, 0, traits}
constexpr Row rows[] = {
    BMBT_FOUR(ADD, add), BMBT_FOUR(SUB, sub), BMBT_FOUR(MUL, mul), BMBT_FOUR(DIV, div),
    BMBT_CHOICE(MIN, false), BMBT_CHOICE(MAX, true),
    {ZYDIS_MNEMONIC_SQRTPS, packed_root<&A::vfsqrt_s, 4>, 0, 0, traits}, {ZYDIS_MNEMONIC_SQRTPD, packed_root<&A::vfsqrt_d, 8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_SQRTSS, scalar_root<&A::fsqrt_s, 4>, 0, 0, traits}, {ZYDIS_MNEMONIC_SQRTSD, scalar_root<&A::fsqrt_d, 8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CMPPS, compare_packed<4>, 0, 0, traits}, {ZYDIS_MNEMONIC_CMPPD, compare_packed<8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_CMPSS, compare_scalar<4>, 0, 0, traits}, {ZYDIS_MNEMONIC_CMPSD, compare_scalar<8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_COMISS, compare_flags<&A::fcmp_saf_s, 4>, 0, flag::arithmetic, traits},
    {ZYDIS_MNEMONIC_COMISD, compare_flags<&A::fcmp_saf_d, 8>, 0, flag::arithmetic, traits},
    {ZYDIS_MNEMONIC_UCOMISS, compare_flags<&A::fcmp_caf_s, 4>, 0, flag::arithmetic, traits},
    {ZYDIS_MNEMONIC_UCOMISD, compare_flags<&A::fcmp_caf_d, 8>, 0, flag::arithmetic, traits},
    {ZYDIS_MNEMONIC_ROUNDPS, round_packed<4>, 0, 0, traits}, {ZYDIS_MNEMONIC_ROUNDPD, round_packed<8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_ROUNDSS, round_scalar<4>, 0, 0, traits}, {ZYDIS_MNEMONIC_ROUNDSD, round_scalar<8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_HADDPS, horizontal<&A::vpickev_w, &A::vpickod_w, &A::vfadd_s, 4>, 0, 0, traits},
    {ZYDIS_MNEMONIC_HADDPD, horizontal<&A::vpickev_d, &A::vpickod_d, &A::vfadd_d, 8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_HSUBPS, horizontal<&A::vpickev_w, &A::vpickod_w, &A::vfsub_s, 4>, 0, 0, traits},
    {ZYDIS_MNEMONIC_HSUBPD, horizontal<&A::vpickev_d, &A::vpickod_d, &A::vfsub_d, 8>, 0, 0, traits},
    {ZYDIS_MNEMONIC_ADDSUBPS, add_subtract<&A::vpackev_w, &A::vpackod_w, &A::vfsub_s, &A::vfadd_s, 4>, 0, 0, traits},
    {ZYDIS_MNEMONIC_ADDSUBPD, add_subtract<&A::vpackev_d, &A::vpackod_d, &A::vfsub_d, &A::vfadd_d, 8>, 0, 0, traits},
};
#undef BMBT_FOUR
#undef BMBT_CHOICE

}  // namespace

Rows sse_float_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

// SSE's scalar arithmetic in integer instructions, bit for bit: what LSX cannot do alike (denormals-are-zero, flush to
// zero, the denormal exception, x86's choice of NaN) and the reference for what it does. Intel SDM vol. 1, "Programming
// with Intel Streaming SIMD Extensions", "SIMD Floating-Point Exceptions".
//
// F is F32 or F64; numbers are their bit patterns. `a` is always the instruction's first (destination) operand.
// Exceptions are ORed into env.flags. A packed instruction does all its elements with one env and then calls finish().
#pragma once
#include "fpu/ieee.hpp"

namespace bmbt::fpu {

struct MxcsrEnv {
    u32 mxcsr = 0x1f80;
    u16 flags = 0;  // out: exceptions of this instruction

    constexpr MxcsrEnv() = default;
    constexpr explicit MxcsrEnv(u32 v) : mxcsr(v) {}

    constexpr Rounding rounding() const { return static_cast<Rounding>(mxcsr >> 13 & 3); }
    constexpr bool denormals_are_zero() const { return mxcsr & 0x40; }
    constexpr bool unmasked(u16 exceptions) const { return exceptions & ~(mxcsr >> 7) & all_exceptions; }
    // Flushing works only while underflow is masked.
    constexpr bool flush_to_zero() const { return (mxcsr & 0x8000) && !unmasked(underflow); }

    // After the last element: true means #XM (or #UD without CR4.OSXMMEXCPT) and an unchanged destination. An unmasked
    // exception before the operation keeps those after it from happening in any element.
    constexpr bool finish() {
        constexpr u16 before = invalid_operation | denormal_operand | zero_divide;
        if (unmasked(flags & before)) flags &= before;
        return unmasked(flags);
    }
    // MXCSR after the instruction, faulting or not.
    constexpr u32 updated() const { return mxcsr | flags; }
};

namespace sse {

template <class F>
typename F::Bits add(MxcsrEnv&, typename F::Bits a, typename F::Bits b);
template <class F>
typename F::Bits sub(MxcsrEnv&, typename F::Bits a, typename F::Bits b);
template <class F>
typename F::Bits mul(MxcsrEnv&, typename F::Bits a, typename F::Bits b);
template <class F>
typename F::Bits div(MxcsrEnv&, typename F::Bits a, typename F::Bits b);
template <class F>
typename F::Bits sqrt(MxcsrEnv&, typename F::Bits);
template <class F>
typename F::Bits min(MxcsrEnv&, typename F::Bits a, typename F::Bits b);
template <class F>
typename F::Bits max(MxcsrEnv&, typename F::Bits a, typename F::Bits b);

// CMPxx's predicates by the low three bits of the immediate: EQ LT LE UNORD NEQ NLT NLE ORD.
template <class F>
bool compare(MxcsrEnv&, typename F::Bits a, typename F::Bits b, unsigned predicate);
// COMISx (quiet = false) and UCOMISx: the new ZF, PF, CF at their places in EFLAGS; OF, SF, AF become 0.
template <class F>
u32 compare_flags(MxcsrEnv&, typename F::Bits a, typename F::Bits b, bool quiet);

u64 f32_to_f64(MxcsrEnv&, u32);
u32 f64_to_f32(MxcsrEnv&, u64);
template <class F>
typename F::Bits from_int(MxcsrEnv&, i64);
// width 32 or 64; truncate for CVTT. Out of range or NaN: the integer indefinite, the most negative number.
template <class F>
i64 to_int(MxcsrEnv&, typename F::Bits, unsigned width, bool truncate);

// ROUNDxx's immediate: bits 1:0 rounding, bit 2 use MXCSR's instead, bit 3 never inexact.
template <class F>
typename F::Bits round(MxcsrEnv&, typename F::Bits, unsigned imm);

// RCPxx and RSQRTxx: no exceptions, denormals count as zero. Correctly rounded, so well within 1.5 * 2^-12.
u32 reciprocal(u32);
u32 reciprocal_root(u32);

// DPPS and DPPD: out may be a or b. True means #XM and that out means nothing; finish() is not for these, as each of
// their packed multiplications and additions ends by itself.
bool dot_product(MxcsrEnv&, const u32 a[4], const u32 b[4], unsigned imm, u32 out[4]);
bool dot_product(MxcsrEnv&, const u64 a[2], const u64 b[2], unsigned imm, u64 out[2]);

}  // namespace sse
}  // namespace bmbt::fpu

// The register budget: which host register holds what while translated code runs. docs/registers.md draws it.
// The trap entry in host/loongarch saves and restores by the same table.
#pragma once
#include "la64/registers.hpp"
#include "x86/registers.hpp"

namespace bmbt {

using la64::Gpr;
using la64::Vr;

namespace host {
inline constexpr Gpr state = la64::tp;          // Vcpu at PLV0; the user page, which mirrors its first part, at PLV3
inline constexpr Gpr segment_base = la64::r21;  // GS.base at PLV0, FS.base at PLV3
inline constexpr Gpr return_ring = la64::t8;    // top entry of the return prediction ring
inline constexpr Gpr flag_a = la64::s6, flag_b = la64::s7, flag_kind = la64::s8;  // LazyFlags
inline constexpr Gpr link = la64::ra;           // calls of shared code; free otherwise
inline constexpr Gpr target = la64::t1;         // the RIP that an indirect exit goes to
inline constexpr Gpr temps[] = {la64::t0, la64::t1, la64::t2, la64::t3, la64::t4, la64::t5, la64::t6, la64::t7};

// By x86 encoding number: rax rcx rdx rbx rsp rbp rsi rdi r8-r15.
inline constexpr Gpr guest[16] = {la64::a0, la64::a1, la64::a2, la64::s0, la64::sp, la64::fp, la64::a3, la64::a4,
                                  la64::a5, la64::a6, la64::a7, la64::s5, la64::s1, la64::s2, la64::s3, la64::s4};
// XMM n is vr n. vr16-31 are free within an instruction.
constexpr Vr xmm(unsigned n) { return Vr{static_cast<u8>(n)}; }
constexpr Vr vtemp(unsigned n) { return Vr{static_cast<u8>(16 + n)}; }
}  // namespace host

}  // namespace bmbt

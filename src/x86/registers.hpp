// Names and bits of the guest's registers. Source: Intel SDM vol. 3, "System Architecture Overview"; vol. 4 for MSRs.
#pragma once
#include "base/bits.hpp"
#include "base/types.hpp"

namespace bmbt::x86 {

// General registers by encoding number.
enum Gpr : u8 { Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15 };
// Segment registers by encoding number.
enum Seg : u8 { Es, Cs, Ss, Ds, Fs, Gs };

// RFLAGS. Arithmetic flags are the six that ALU instructions write.
namespace flag {
constexpr u64 cf = 1 << 0, reserved1 = 1 << 1, pf = 1 << 2, af = 1 << 4, zf = 1 << 6, sf = 1 << 7, tf = 1 << 8, if_ = 1 << 9,
              df = 1 << 10, of = 1 << 11, iopl = 3 << 12, nt = 1 << 14, rf = 1 << 16, vm = 1 << 17, ac = 1 << 18,
              vif = 1 << 19, vip = 1 << 20, id = 1 << 21;
constexpr u64 arithmetic = cf | pf | af | zf | sf | of;
constexpr u64 system = tf | if_ | df | iopl | nt | rf | vm | ac | vif | vip | id;
}  // namespace flag

namespace cr0 {
constexpr u64 pe = 1 << 0, mp = 1 << 1, em = 1 << 2, ts = 1 << 3, et = 1 << 4, ne = 1 << 5, wp = 1 << 16, am = 1 << 18, nw = 1 << 29,
              cd = 1 << 30, pg = u64{1} << 31;
}
namespace cr4 {
constexpr u64 vme = 1 << 0, pvi = 1 << 1, tsd = 1 << 2, de = 1 << 3, pse = 1 << 4, pae = 1 << 5, mce = 1 << 6, pge = 1 << 7, pce = 1 << 8,
              osfxsr = 1 << 9, osxmmexcpt = 1 << 10, umip = 1 << 11, fsgsbase = 1 << 16, pcide = 1 << 17, osxsave = 1 << 18,
              smep = 1 << 20, smap = 1 << 21;
}
namespace efer {
constexpr u64 sce = 1 << 0, lme = 1 << 8, lma = 1 << 10, nxe = 1 << 11;
}

namespace msr {
constexpr u32 tsc = 0x10, apic_base = 0x1b, feature_control = 0x3a, tsc_adjust = 0x3b, bios_update = 0x79, bios_sign = 0x8b, mtrr_cap = 0xfe, sysenter_cs = 0x174,
              sysenter_esp = 0x175, sysenter_eip = 0x176, mcg_cap = 0x179, mcg_status = 0x17a, misc_enable = 0x1a0,
              mtrr_physbase0 = 0x200, mtrr_fix64k = 0x250, mtrr_fix16k = 0x258, mtrr_fix4k = 0x268, pat = 0x277,
              mtrr_def_type = 0x2ff, tsc_deadline = 0x6e0, x2apic_first = 0x800, x2apic_last = 0x8ff, efer = 0xc000'0080,
              star = 0xc000'0081, lstar = 0xc000'0082, cstar = 0xc000'0083, fmask = 0xc000'0084, fs_base = 0xc000'0100,
              gs_base = 0xc000'0101, kernel_gs_base = 0xc000'0102, tsc_aux = 0xc000'0103;
}

// Exception vectors.
enum class Vector : u8 {
    De = 0, Db = 1, Nmi = 2, Bp = 3, Of = 4, Br = 5, Ud = 6, Nm = 7, Df = 8, Ts = 10, Np = 11, Ss = 12, Gp = 13, Pf = 14,
    Mf = 16, Ac = 17, Mc = 18, Xm = 19
};

// #PF error code.
namespace pf_code {
constexpr u32 present = 1, write = 2, user = 4, reserved = 8, fetch = 16;
}

}  // namespace bmbt::x86

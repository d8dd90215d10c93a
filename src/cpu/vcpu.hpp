// One guest CPU's whole state. Generated code reaches the first part by 12-bit offsets from the state register;
// host/loongarch's assembly knows the same offsets by name from cpu/vcpu_offsets.inc, which is checked below.
#pragma once
#include <cstddef>

#include "base/types.hpp"
#include "cpu/vcpu_offsets.inc"
#include "fpu/x87.hpp"
#include "memory/walk_cache.hpp"
#include "x86/decode_cache.hpp"
#include "x86/registers.hpp"
#include "x86/segment.hpp"

namespace bmbt {

class AccessWatch;
class Platform;
struct Vcpu;

struct alignas(16) Xmm {
    u64 lo = 0, hi = 0;
};

// Flags are kept as sources: how they were made (FlagOp) and two operands. See docs/flags.md.
struct LazyFlags {
    u64 a = 0, b = 0, kind = 0;
};

// Host registers that are not pinned to guest state, saved at an exception in guest code so that it can resume.
struct HostFrame {
    u64 temp[10] = {};  // t0..t8, ra
    u64 pc = 0;        // where guest code stopped or will resume (host virtual)
    u64 estat = 0, badv = 0, badi = 0;
    u64 prmd = 0;
    u64 refill = 0;    // 1: this was a TLB refill that the handler would not fill itself
};

// What the refill handler walks; with None C++ fills everything. Identity: paging is off.
enum class RefillWalk : u8 { None, FourLevel, Pae, TwoLevel, Identity };
struct RefillTables {
    RefillWalk walk = RefillWalk::None;
    bool global_pages = false;  // CR4.PGE
    // Bits of entries that the handler leaves to C++: 63:52 of every entry (Pae), 11:0 of the directory's (TwoLevel).
    u16 refused = 0;
    u64 root = 0;  // FourLevel, TwoLevel
};

struct Vcpu {
    // --- reached by generated code and assembly
    u64 gpr[16] = {};
    LazyFlags flags;
    u64 segment_base = 0;  // the pinned base: GS.base at PLV0, FS.base at PLV3, as the host register holds it
    u64 rip = 0;           // valid outside translated code only: the instruction being executed
    HostFrame host;
    u64 host_stack = 0;     // top of the C++ stack of this vCPU
    u64 gate_target = 0;    // PLV0 calls into C++ go here
    u64 scratch[4] = {};
    u64 system_flags = x86::flag::reserved1;  // RFLAGS without the arithmetic bits
    u64 direction = 1;         // +1 or -1 as DF says: for generated string code
    u64 seg_base[6] = {};   // linear bases by x86::Seg, as generated code adds them (copies of seg[].base)
    u64 jump_cache = 0;     // host address of this privilege class's jump cache
    u64 link_epoch = 0;     // the epoch as user code's links compare it
    u64 epoch = 0;          // the same as the jump cache's tags contain it; changes whenever x86 flushes instruction translations
    // TLB refill by hand-written code: the guest's root for 4-level paging, 0 for another walk, and the frame table, physical.
    u64 refill_root = 0, refill_frames = 0, refill_frame_count = 0, refill_flags = 0;
    u64 refill_save[6] = {};
    u64 refill_summary = 0;  // a byte for each 2 MiB of guest frames, physical; see host/loongarch/refill.hpp
    u64 refill_window = 0;   // the user window's regions, physical
    u64 counters[16] = {};  // bumped by assembly; see host/loongarch

    // The x87 state lies where user code reaches it too, in the user page; without one, in own_x87. Use vcpu_x87().
    fpu::X87* x87 = nullptr;

    // --- everything else is C++'s alone
    Xmm xmm[16] = {};       // valid while xmm_in_memory; use vcpu_xmm()
    bool xmm_in_memory = true;
    bool interrupt_waiting = true;  // maybe: an interrupt that IF alone holds back. Never false while there is one
    u64 counter_start = 0, counter_multiplier = 0;  // the host counter's value at time 0, and 2^32 * ns for each tick of it
    u64 tsc_offset = 0, tsc_aux = 0, kernel_gs_base = 0;
    x86::Segment seg[6];
    void (*save_vectors)(Vcpu&) = nullptr;  // stores the pinned vector registers to xmm[]
    u32 (*take_fp_flags)() = nullptr;       // MXCSR's flags that translated code has raised since the last call

    x86::Segment ldtr, tr;
    x86::TableRegister gdtr, idtr;
    u64 next_rip = 0;  // where execution goes on when the instruction is done; a branch in C++ changes it
    u8 cpl = 0;
    u64 cr2 = 0, cr8 = 0;
    PagingState paging;      // CR0, CR3, CR4, EFER
    u64 refill_root_32 = 0;  // the root for 2-level paging, as refill_root
    u64 refill_large_pages = 0;  // a LargePages, physical
    u64 dr[8] = {0, 0, 0, 0, 0, 0, 0xffff0ff0, 0x400};
    u64 xcr0 = 1;
    u64 star = 0, lstar = 0, cstar = 0, fmask = 0;
    u64 sysenter_cs = 0, sysenter_esp = 0, sysenter_eip = 0;
    u64 pat = 0x0007'0406'0007'0406, tsc_adjust = 0, misc_enable = 1;
    u64 mtrr_def_type = 0, mtrr_fixed[11] = {}, mtrr_variable[16] = {};
    u64 spec_ctrl = 0, debug_ctl = 0, mcg_status = 0;
    bmbt::fpu::X87 own_x87;
    u32 mxcsr = 0x1f80;

    // Interrupts. `shadow`: STI or MOV SS was the last instruction, nothing is delivered before the next one.
    bool shadow = false, shadow_blocks_nmi = false, halted = false, nmi_blocked = false, nmi_pending = false;
    bool shutdown = false;  // triple fault
    // INIT and SIPI that wait to be taken; waits_for_startup: INIT was taken, nothing but a SIPI counts.
    bool init_pending = false, startup_pending = false, waits_for_startup = false;
    u8 startup_page = 0;
    bool ferr = false;        // the FERR# output, as the board was last told
    u64 breakpoint_hits = 0;  // bits of DR6: what the current instruction's accesses have hit, or those before a shadow

    Platform* platform = nullptr;
    PhysicalMap* physical = nullptr;
    // What makes C++ faster where it runs often; none is needed.
    WalkCache* walks = nullptr;             // its owner hears of every flush
    x86::DecodeCache* decodings = nullptr;
    AccessWatch* watch = nullptr;  // wants to know of every data access that C++ makes; mostly none

    bool long_mode() const { return paging.efer & x86::efer::lma; }
    bool code64() const { return long_mode() && seg[x86::Cs].long_code(); }
    bool protected_mode() const { return paging.cr0 & x86::cr0::pe; }
    bool v8086() const { return system_flags & x86::flag::vm; }
};

// Bits of IA32_DEBUGCTL. Intel SDM vol. 3, "IA32_DEBUGCTL MSR": record branches; single-step on branches alone.
inline constexpr u64 debug_ctl_lbr = 1, debug_ctl_btf = 2;

inline Xmm& vcpu_xmm(Vcpu& v, unsigned n) {
    if (!v.xmm_in_memory) {
        v.save_vectors(v);
        v.xmm_in_memory = true;
    }
    return v.xmm[n];
}

inline fpu::X87& vcpu_x87(Vcpu& v) { return v.x87 ? *v.x87 : v.own_x87; }
inline const fpu::X87& vcpu_x87(const Vcpu& v) { return v.x87 ? *v.x87 : v.own_x87; }

// MXCSR with the flags that translated code has raised; instructions that only add flags may use the member.
inline u32 vcpu_mxcsr(Vcpu& v) {
    if (v.take_fp_flags) v.mxcsr |= v.take_fp_flags();
    return v.mxcsr;
}
inline void set_vcpu_mxcsr(Vcpu& v, u32 value) {
    if (v.take_fp_flags) v.take_fp_flags();
    v.mxcsr = value;
}

#define BMBT_AT(name, member) static_assert(offsetof(Vcpu, member) == name)
BMBT_AT(VCPU_GPR, gpr);
BMBT_AT(VCPU_FLAGS, flags);
BMBT_AT(VCPU_SEGMENT_BASE, segment_base);
BMBT_AT(VCPU_RIP, rip);
BMBT_AT(VCPU_HOST, host);
BMBT_AT(VCPU_HOST_STACK, host_stack);
BMBT_AT(VCPU_GATE_TARGET, gate_target);
BMBT_AT(VCPU_SCRATCH, scratch);
BMBT_AT(VCPU_SYSTEM_FLAGS, system_flags);
BMBT_AT(VCPU_DIRECTION, direction);
BMBT_AT(VCPU_SEG_BASE, seg_base);
BMBT_AT(VCPU_JUMP_CACHE, jump_cache);
BMBT_AT(VCPU_LINK_EPOCH, link_epoch);
BMBT_AT(VCPU_EPOCH, epoch);
BMBT_AT(VCPU_REFILL_ROOT, refill_root);
BMBT_AT(VCPU_REFILL_FRAMES, refill_frames);
BMBT_AT(VCPU_REFILL_FRAME_COUNT, refill_frame_count);
BMBT_AT(VCPU_REFILL_FLAGS, refill_flags);
BMBT_AT(VCPU_REFILL_SAVE, refill_save);
BMBT_AT(VCPU_REFILL_SUMMARY, refill_summary);
BMBT_AT(VCPU_REFILL_WINDOW, refill_window);
BMBT_AT(VCPU_REFILL_ROOT_32, refill_root_32);
BMBT_AT(VCPU_LARGE_PAGES, refill_large_pages);
BMBT_AT(VCPU_CR2, cr2);
BMBT_AT(VCPU_CR0, paging.cr0);
BMBT_AT(VCPU_CR3, paging.cr3);
BMBT_AT(VCPU_CR4, paging.cr4);
BMBT_AT(VCPU_PDPTE, paging.pdpte);
BMBT_AT(VCPU_COUNTERS, counters);
BMBT_AT(VCPU_X87, x87);
BMBT_AT(VCPU_XMM, xmm);
BMBT_AT(VCPU_XMM_IN_MEMORY, xmm_in_memory);
BMBT_AT(VCPU_INTERRUPT_WAITING, interrupt_waiting);
BMBT_AT(VCPU_COUNTER_START, counter_start);
BMBT_AT(VCPU_COUNTER_MULTIPLIER, counter_multiplier);
BMBT_AT(VCPU_TSC_OFFSET, tsc_offset);
BMBT_AT(VCPU_TSC_AUX, tsc_aux);
BMBT_AT(VCPU_KERNEL_GS_BASE, kernel_gs_base);
BMBT_AT(VCPU_SEGMENTS, seg);
BMBT_AT(VCPU_GS_BASE, seg[x86::Gs].base);
#undef BMBT_AT

}  // namespace bmbt

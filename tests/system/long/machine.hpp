// The 64-bit program's own machine: descriptors, tables, stacks, and how a piece of code is run on it.
#pragma once
#include "common/check.hpp"

namespace guest {

// Selectors. SYSCALL and SYSRET want their order.
namespace sel {
inline constexpr u16 kernel_code = 0x08, kernel_data = 0x10, user_code32 = 0x1b, user_data = 0x23, user_code = 0x2b,
                     kernel_code32 = 0x30, kernel_code16 = 0x38, user_code16 = 0x43, tss = 0x48, spare = 0x58,
                     code1 = 0x101, data1 = 0x109, code2 = 0x112, data2 = 0x11a, code1_32 = 0x121, code2_32 = 0x12a,
                     code64k = 0x130, data64k = 0x138, own = 0x140;
}

// Descriptors: access byte and flags (G, D, L) as the manual's figure has them.
constexpr u64 descriptor(u32 base, u32 limit, u8 access, u8 flags) {
    return (limit & 0xffff) | (base & 0xffffffull) << 16 | u64{access} << 40 | (limit >> 16 & 15ull) << 48 |
           u64{flags} << 52 | (base >> 24 & 0xffull) << 56;
}

extern u64 gdt[64];  // entries from sel::spare to 0xf8 and from sel::own on are the checks'
extern u64 idt[512];
struct [[gnu::packed]] Tss {
    u32 reserved0;
    u64 rsp[3];
    u64 reserved1;
    u64 ist[7];
    u64 reserved2;
    u16 reserved3, map_base;
    u8 map[8192 + 1];
};
extern Tss tss;

void set_gate(unsigned vector, u64 offset, u16 selector = sel::kernel_code, u8 access = 0xee, u8 ist = 1);
void reset_gate(unsigned vector);
uptr stub(unsigned vector);

extern "C" Regs entering;
extern "C" Trap trapped;
extern "C" void enter();

// Registers for a piece of code at its usual place: stack, segments, flags.
Regs kernel(const Code&);  // 64-bit, CPL 0
Regs user(const Code&);    // 64-bit, CPL 3
Regs level1(const Code&);  // 64-bit, CPL 1
Regs level2(const Code&);
Regs compat(const Code&);  // 32-bit, CPL 3
Regs compat1(const Code&);
Regs compat2(const Code&);
Regs compat16(const Code&);  // 16-bit, CPL 3
Regs kernel32(const Code&);  // 32-bit, CPL 0
const Trap& run(const Regs&);
struct Level {
    const char* name;
    Regs (*regs)(const Code&);
};
inline constexpr Level levels[] = {{"kernel", kernel}, {"user", user}};
struct Ring {
    const char* name;
    Regs (*regs)(const Code&);
    unsigned cpl;
};
inline constexpr Ring rings[] = {
    {"kernel", kernel, 0}, {"level 1", level1, 1}, {"level 2", level2, 2}, {"user", user, 3}};

// Two pages open to user mode, and stacks.
extern u8 user_page[8192];
extern u8 user_stack[4096], kernel_stack[4096], ist_stack[4096], ring0_stack[4096], ring1_stack[4096],
    ring2_stack[4096];

u64 read_msr(u32 index);
void write_msr(u32 index, u64 value);
struct Cpuid {
    u32 eax, ebx, ecx, edx;
};
Cpuid cpuid(u32 leaf, u32 subleaf = 0);

#define GUEST_CONTROL_REGISTER(name)                                 \
    inline u64 read_##name() {                                       \
        u64 value;                                                   \
        asm volatile("mov %%" #name ", %0" : "=r"(value)::"memory"); \
        return value;                                                \
    }                                                                \
    inline void write_##name(u64 value) { asm volatile("mov %0, %%" #name ::"r"(value) : "memory"); }
GUEST_CONTROL_REGISTER(cr0)
GUEST_CONTROL_REGISTER(cr2)
GUEST_CONTROL_REGISTER(cr3)
GUEST_CONTROL_REGISTER(cr4)
GUEST_CONTROL_REGISTER(cr8)
GUEST_CONTROL_REGISTER(dr0)
GUEST_CONTROL_REGISTER(dr1)
GUEST_CONTROL_REGISTER(dr2)
GUEST_CONTROL_REGISTER(dr3)
GUEST_CONTROL_REGISTER(dr6)
GUEST_CONTROL_REGISTER(dr7)

namespace msr {
inline constexpr u32 apic_base = 0x1b, sysenter_cs = 0x174, sysenter_esp = 0x175, sysenter_eip = 0x176, pat = 0x277,
                     efer = 0xc000'0080, star = 0xc000'0081, lstar = 0xc000'0082, cstar = 0xc000'0083,
                     fmask = 0xc000'0084, fs_base = 0xc000'0100, gs_base = 0xc000'0101, kernel_gs_base = 0xc000'0102,
                     tsc_aux = 0xc000'0103;
}
namespace cr0 {
inline constexpr u64 pe = 1, mp = 2, em = 4, ts = 8, et = 16, ne = 32, wp = 1 << 16, am = 1 << 18, nw = 1 << 29,
                     cd = 1 << 30, pg = 1u << 31;
}
namespace cr4 {
inline constexpr u64 vme = 1, tsd = 4, de = 8, pse = 16, pae = 32, mce = 64, pge = 128, pce = 256, osfxsr = 512,
                     osxmm = 1024, umip = 1 << 11, fsgsbase = 1 << 16, pcide = 1 << 17, osxsave = 1 << 18,
                     smep = 1 << 20, smap = 1 << 21;
}

// A change for one scope.
struct With {
    enum Register { Cr0, Cr4 };
    With(Register r, u64 set, u64 clear = 0);
    ~With();
    With(const With&) = delete;
    Register which;
    u64 before;
};

// Page tables. Physical memory is mapped one to one, 16 MiB in 4 KiB pages (user_begin to user_end open to user mode)
// and the local APIC; the checks' own tables hang on the PML4's other entries.
extern u64 pml4[512];
inline constexpr uptr table_pool = 0x400000, frame_pool = 0x800000;
namespace pte {
inline constexpr u64 p = 1, w = 2, u = 4, pwt = 8, pcd = 16, a = 32, d = 64, ps = 128, g = 256, nx = 1ull << 63;
}

}  // namespace guest

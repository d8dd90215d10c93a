// The 64-bit program's own machine: descriptors, tables, stacks, and how a piece of code is run on it.
#pragma once
#include "common/processor.hpp"

namespace guest {

// Selectors. SYSCALL and SYSRET want their order.
namespace sel {
inline constexpr u16 kernel_code = 0x08, kernel_data = 0x10, user_code32 = 0x1b, user_data = 0x23, user_code = 0x2b,
                     kernel_code32 = 0x30, kernel_code16 = 0x38, user_code16 = 0x43, tss = 0x48, spare = 0x58,
                     code1 = 0x101, data1 = 0x109, code2 = 0x112, data2 = 0x11a, code1_32 = 0x121, code2_32 = 0x12a,
                     code64k = 0x130, data64k = 0x138, own = 0x140;
}

// Entries of the GDT from sel::spare to 0xf8 and from sel::own on are the checks'.
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

// 64-bit are kernel, user, level1, level2. The others:
Regs compat(const Code&);  // 32-bit, CPL 3
Regs compat1(const Code&);
Regs compat2(const Code&);
Regs compat16(const Code&);  // 16-bit, CPL 3
Regs kernel32(const Code&);  // 32-bit, CPL 0
struct Ring {
    const char* name;
    Regs (*regs)(const Code&);
    unsigned cpl;
};
inline constexpr Ring rings[] = {
    {"kernel", kernel, 0}, {"level 1", level1, 1}, {"level 2", level2, 2}, {"user", user, 3}};

extern u8 ist_stack[4096];
inline u64 read_cr8() {
    u64 value;
    asm volatile("mov %%cr8, %0" : "=r"(value)::"memory");
    return value;
}
inline void write_cr8(u64 value) { asm volatile("mov %0, %%cr8" ::"r"(value) : "memory"); }

namespace msr {
inline constexpr u32 apic_base = 0x1b, sysenter_cs = 0x174, sysenter_esp = 0x175, sysenter_eip = 0x176, pat = 0x277,
                     efer = 0xc000'0080, star = 0xc000'0081, lstar = 0xc000'0082, cstar = 0xc000'0083,
                     fmask = 0xc000'0084, fs_base = 0xc000'0100, gs_base = 0xc000'0101, kernel_gs_base = 0xc000'0102,
                     tsc_aux = 0xc000'0103;
}
// Page tables. Physical memory is mapped one to one, 16 MiB in 4 KiB pages (user_begin to user_end open to user mode)
// and the local APIC; the checks' own tables hang on the PML4's other entries.
extern u64 pml4[512];

}  // namespace guest

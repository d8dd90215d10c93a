// The 32-bit program's own machine: descriptors, tables, stacks, and how a piece of code is run on it.
#pragma once
#include "common/processor.hpp"

namespace guest {

namespace sel {
inline constexpr u16 kernel_code = 0x08, kernel_data = 0x10, user_code = 0x1b, user_data = 0x23, kernel_code16 = 0x28,
                     kernel_stack16 = 0x30, user_code16 = 0x3b, tss = 0x40, double_fault = 0x48, code1 = 0x51,
                     data1 = 0x59, code2 = 0x62, data2 = 0x6a, ldt = 0x70, code64k = 0x78, data64k = 0x80, spare = 0x88;
}

// Entries of the GDT from sel::spare on are the checks'.
extern u64 ldt[16];
extern u64 idt[256];
struct [[gnu::packed]] Tss {
    u16 link, reserved0;
    u32 esp0, ss0, esp1, ss1, esp2, ss2;
    u32 cr3, eip, eflags, gpr[8];
    u32 seg[6];  // ES, CS, SS, DS, FS, GS
    u32 ldt;
    u16 trap, map_base;
    u8 map[8192 + 1];
};
inline constexpr u32 tss_size = 0x68;
extern Tss tss;

constexpr u64 gate(u16 selector, u32 offset, u8 access, u8 parameters = 0) {
    return (offset & 0xffff) | u64{selector} << 16 | u64{parameters} << 32 | u64{access} << 40 |
           u64{offset >> 16} << 48;
}
void set_gate(unsigned vector, u32 offset, u16 selector = sel::kernel_code, u8 access = 0xee);
void load_ldt(u32 limit = 16 * 8 - 1);
void load_gdt(u32 limit = 64 * 8 - 1);
// As they were at the begin, for those who let anything happen to them: table registers; what lies in memory but the
// GDT.
void restore_descriptors();
void restore_tables();

// 32-bit are kernel, user, level1, level2. The others:
Regs kernel16(const Code&);  // 16-bit code, 32-bit stack, CPL 0
Regs user16(const Code&);
// Real-mode and virtual-8086 code runs from a copy at low_code, CS = low_code >> 4, so that offsets begin at 0.
inline constexpr uptr low_code = 0x8000, low_data = 0xa000, low_stack = 0xc000;
Code copied_low(const Code&);  // the same piece as offsets from low_code
Regs v8086(const Code&);       // of a copied piece; IOPL 0
Regs real(const Code&);
const Trap& run_real(const Regs&);

// Of the first 16 MiB.
extern u32 low_tables[4][1024];
extern u64 pae_tables[8][512];

// For one scope: paging with 32-bit or PAE entries, the first 16 MiB one to one as 4 KiB pages.
enum class Kind { Bits32, Pae };
struct Paging {
    explicit Paging(Kind);
    ~Paging();
    Paging(const Paging&) = delete;
};

}  // namespace guest

// The 32-bit program's own machine: descriptors, tables, stacks, and how a piece of code is run on it.
#pragma once
#include "common/check.hpp"

namespace guest {

namespace sel {
inline constexpr u16 kernel_code = 0x08, kernel_data = 0x10, user_code = 0x1b, user_data = 0x23, kernel_code16 = 0x28,
                     kernel_stack16 = 0x30, user_code16 = 0x3b, tss = 0x40, double_fault = 0x48, code1 = 0x51,
                     data1 = 0x59, code2 = 0x62, data2 = 0x6a, ldt = 0x70, code64k = 0x78, data64k = 0x80, spare = 0x88;
}

constexpr u64 descriptor(u32 base, u32 limit, u8 access, u8 flags) {
    return (limit & 0xffff) | (base & 0xffffffull) << 16 | u64{access} << 40 | (limit >> 16 & 15ull) << 48 |
           u64{flags} << 52 | (base >> 24 & 0xffull) << 56;
}

extern u64 gdt[64];  // entries from sel::spare on are the checks'
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
void reset_gate(unsigned vector);
uptr stub(unsigned vector);
void load_ldt(u32 limit = 16 * 8 - 1);
void load_gdt(u32 limit = 64 * 8 - 1);
// As they were at the begin, for those who let anything happen to them: table registers; what lies in memory but the GDT.
void restore_descriptors();
void restore_tables();

extern "C" Regs entering;
extern "C" Trap trapped;
extern "C" void enter();

Regs kernel(const Code&);  // 32-bit, CPL 0
Regs user(const Code&);    // 32-bit, CPL 3
Regs level1(const Code&);
Regs level2(const Code&);
Regs kernel16(const Code&);  // 16-bit code, 32-bit stack, CPL 0
Regs user16(const Code&);
const Trap& run(const Regs&);

struct Level {
    const char* name;
    Regs (*regs)(const Code&);
};
inline constexpr Level levels[] = {{"kernel", kernel}, {"user", user}};

// Real-mode and virtual-8086 code runs from a copy at low_code, CS = low_code >> 4, so that offsets begin at 0.
inline constexpr uptr low_code = 0x8000, low_data = 0xa000, low_stack = 0xc000;
Code copied_low(const Code&);  // the same piece as offsets from low_code
Regs v8086(const Code&);       // of a copied piece; IOPL 0
Regs real(const Code&);
const Trap& run_real(const Regs&);

extern u8 user_page[8192];
extern u8 user_stack[4096], kernel_stack[4096], ring0_stack[4096], ring1_stack[4096], ring2_stack[4096];

u64 read_msr(u32 index);
void write_msr(u32 index, u64 value);
struct Cpuid {
    u32 eax, ebx, ecx, edx;
};
Cpuid cpuid(u32 leaf, u32 subleaf = 0);

#define GUEST_CONTROL_REGISTER(name)                                 \
    inline u32 read_##name() {                                       \
        u32 value;                                                   \
        asm volatile("mov %%" #name ", %0" : "=r"(value)::"memory"); \
        return value;                                                \
    }                                                                \
    inline void write_##name(u32 value) { asm volatile("mov %0, %%" #name ::"r"(value) : "memory"); }
GUEST_CONTROL_REGISTER(cr0)
GUEST_CONTROL_REGISTER(cr2)
GUEST_CONTROL_REGISTER(cr3)
GUEST_CONTROL_REGISTER(cr4)
GUEST_CONTROL_REGISTER(dr0)
GUEST_CONTROL_REGISTER(dr6)
GUEST_CONTROL_REGISTER(dr7)

namespace cr0 {
inline constexpr u32 pe = 1, mp = 2, em = 4, ts = 8, et = 16, ne = 32, wp = 1 << 16, am = 1 << 18, nw = 1 << 29,
                     cd = 1 << 30, pg = 1u << 31;
}
namespace cr4 {
inline constexpr u32 vme = 1, pvi = 2, tsd = 4, de = 8, pse = 16, pae = 32, mce = 64, pge = 128, pce = 256,
                     osfxsr = 512, osxmm = 1024, umip = 1 << 11, smep = 1 << 20;
}

struct With {
    enum Register { Cr0, Cr4 };
    With(Register r, u32 set, u32 clear = 0);
    ~With();
    With(const With&) = delete;
    Register which;
    u32 before;
};

inline constexpr uptr table_pool = 0x400000, frame_pool = 0x800000;
namespace pte {
inline constexpr u64 p = 1, w = 2, u = 4, pwt = 8, pcd = 16, a = 32, d = 64, ps = 128, g = 256, nx = 1ull << 63;
}

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

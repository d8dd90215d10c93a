// What both programs know of the processor: descriptors, registers, page tables' bits; and what each of them has in its
// own machine under the same name.
#pragma once
#include "common/check.hpp"

namespace guest {

// Descriptors: access byte and flags (G, D, L) as the manual's figure has them.
constexpr u64 descriptor(u32 base, u32 limit, u8 access, u8 flags) {
    return (limit & 0xffff) | (base & 0xffffffull) << 16 | u64{access} << 40 | (limit >> 16 & 15ull) << 48 |
           u64{flags} << 52 | (base >> 24 & 0xffull) << 56;
}

u64 read_msr(u32 index);
void write_msr(u32 index, u64 value);
struct Cpuid {
    u32 eax, ebx, ecx, edx;
};
Cpuid cpuid(u32 leaf, u32 subleaf = 0);

#define GUEST_CONTROL_REGISTER(name)                                 \
    inline uptr read_##name() {                                      \
        uptr value;                                                  \
        asm volatile("mov %%" #name ", %0" : "=r"(value)::"memory"); \
        return value;                                                \
    }                                                                \
    inline void write_##name(uptr value) { asm volatile("mov %0, %%" #name ::"r"(value) : "memory"); }
GUEST_CONTROL_REGISTER(cr0)
GUEST_CONTROL_REGISTER(cr2)
GUEST_CONTROL_REGISTER(cr3)
GUEST_CONTROL_REGISTER(cr4)
GUEST_CONTROL_REGISTER(dr0)
GUEST_CONTROL_REGISTER(dr1)
GUEST_CONTROL_REGISTER(dr2)
GUEST_CONTROL_REGISTER(dr3)
GUEST_CONTROL_REGISTER(dr6)
GUEST_CONTROL_REGISTER(dr7)

namespace cr0 {
inline constexpr uptr pe = 1, mp = 2, em = 4, ts = 8, et = 16, ne = 32, wp = 1 << 16, am = 1 << 18, nw = 1 << 29,
                      cd = 1 << 30, pg = 1u << 31;
}
namespace cr4 {
inline constexpr uptr vme = 1, pvi = 2, tsd = 4, de = 8, pse = 16, pae = 32, mce = 64, pge = 128, pce = 256,
                      osfxsr = 512, osxmm = 1024, umip = 1 << 11, fsgsbase = 1 << 16, pcide = 1 << 17,
                      osxsave = 1 << 18, smep = 1 << 20, smap = 1 << 21;
}
namespace pte {
inline constexpr u64 p = 1, w = 2, u = 4, pwt = 8, pcd = 16, a = 32, d = 64, ps = 128, g = 256, nx = 1ull << 63;
}

// A change for one scope.
struct With {
    enum Register { Cr0, Cr4 };
    With(Register r, uptr set, uptr clear = 0);
    ~With();
    With(const With&) = delete;
    Register which;
    uptr before;
};

// The program's machine.
extern "C" Regs entering;
extern "C" Trap trapped;
extern "C" void enter();
extern u64 gdt[64];
void reset_gate(unsigned vector);
uptr stub(unsigned vector);

// Registers for a piece of code at its usual place: stack, segments, flags.
Regs kernel(const Code&);
Regs user(const Code&);
Regs level1(const Code&);
Regs level2(const Code&);
const Trap& run(const Regs&);

struct Level {
    const char* name;
    Regs (*regs)(const Code&);
};
inline constexpr Level levels[] = {{"kernel", kernel}, {"user", user}};

// Two pages open to user mode, and stacks.
extern u8 user_page[8192];
extern u8 user_stack[4096], kernel_stack[4096], ring0_stack[4096], ring1_stack[4096], ring2_stack[4096];

// Frames for the checks' own tables, and for what those map.
inline constexpr uptr table_pool = 0x400000, frame_pool = 0x800000;

}  // namespace guest

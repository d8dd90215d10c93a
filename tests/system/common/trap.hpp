// What a run of guest code begins with and how it ended. The assembly in enter.S knows these layouts.
#pragma once
#include "common/types.hpp"

namespace guest {

#ifdef __x86_64__
inline constexpr unsigned gpr_count = 16;
#else
inline constexpr unsigned gpr_count = 8;
#endif

enum Gpr : unsigned { Rax, Rcx, Rdx, Rbx, Rsp, Rbp, Rsi, Rdi, R8, R9, R10, R11, R12, R13, R14, R15 };

struct Regs {
    uptr gpr[gpr_count];
    uptr rip, cs, flags, ss;
    uptr ds, es, fs, gs;
};

// The registers at the exception or interrupt that ended the run, and the handler's own first ones.
struct Trap : Regs {
    uptr vector, error, cr2, dr6;
    uptr handler_flags, handler_cs, handler_ss,
        frame;  // frame: the stack pointer that delivery left, at what it pushed
};

namespace flag {
inline constexpr uptr cf = 1, reserved1 = 2, tf = 0x100, if_ = 0x200, df = 0x400, of = 0x800, iopl3 = 0x3000,
                      nt = 0x4000, rf = 0x1'0000, vm = 0x2'0000, ac = 0x4'0000, vif = 0x8'0000, id = 0x20'0000;
constexpr uptr iopl(unsigned level) { return level << 12; }
}  // namespace flag

}  // namespace guest

// The registers that the debugger sees, by number, and their description for it. Source: "Debugging with GDB", appendix
// "Target Descriptions", "i386 Features".
#pragma once
#include <array>
#include <string_view>

#include "base/types.hpp"

namespace bmbt::gdb {

// Numbers of registers, in the order of the description.
namespace reg {
constexpr unsigned rax = 0, rbx = 1, rcx = 2, rdx = 3, rsi = 4, rdi = 5, rbp = 6, rsp = 7, r8 = 8, rip = 16, eflags = 17,
                   cs = 18, ss = 19, ds = 20, es = 21, fs = 22, gs = 23, st0 = 24, fctrl = 32, fstat = 33, ftag = 34,
                   fiseg = 35, fioff = 36, foseg = 37, fooff = 38, fop = 39, xmm0 = 40, mxcsr = 56, fs_base = 57, gs_base = 58,
                   kernel_gs_base = 59, cs_base = 60, ss_base = 61, ds_base = 62, es_base = 63, gdtr = 64, idtr = 65,
                   cr0 = 66, cr2 = 67, cr3 = 68, cr4 = 69, cr8 = 70, efer = 71, dr0 = 72, dr6 = 76, dr7 = 77;
constexpr unsigned count = 78;
}  // namespace reg

constexpr unsigned register_bytes(unsigned n) {
    if (n < reg::rip + 1) return 8;
    if (n < reg::st0) return 4;
    if (n < reg::fctrl) return 10;
    if (n < reg::xmm0) return 4;
    if (n < reg::mxcsr) return 16;
    return n == reg::mxcsr ? 4 : 8;
}
constexpr unsigned largest_register = 16;
constexpr unsigned all_register_bytes = [] {
    unsigned sum = 0;
    for (unsigned n = 0; n < reg::count; n++) sum += register_bytes(n);
    return sum;
}();

// What is served as target.xml.
extern const std::string_view target_description;

}  // namespace bmbt::gdb

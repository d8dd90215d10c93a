// What the translator makes of a few bytes, where there is no machine to run them: for the golden files, and for
// telling which forms become host code.
#pragma once
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "translate/translator.hpp"

namespace bmbt {

// Where code runs: what the first word of a golden line says.
struct Setting {
    Mode mode;
    u64 rip = 0, cs_base = 0;
    // ST(0) to ST(3) in use, ST(4) to ST(7) empty: most instructions find what they take, and room for what they push.
    unsigned x87_top = 4;
    u8 x87_tag = 0xf0;
    bool in_cpp = false;  // an instruction of it is to be a call of C++
};

// 64, 32 or 16 and letters in this order; nothing where it is none of that. SSE and x87 are on, MXCSR as at power-on, RDTSC allowed.
//   64, 32  a program's; ES to DS are flat, FS and GS have a base
//   16      a program's in virtual-8086 mode: each segment is the 64 KiB from its base
//   k       a kernel's (with 16: real mode)
//   p       16-bit protected mode: data segments are 64 KiB, CS has a limit to check
//   s       no segment is flat: each has a base, none a limit that an address could pass (16ks: "unreal" mode)
//   l       each segment has a limit to check that is not 64 KiB, or grows down
//   d       MXCSR.DE is to be set
//   e       the x87 stack is empty, with TOP at 0
//   c       in_cpp
std::optional<Setting> setting_of(std::string_view word);
Setting flat_setting(x86::CodeSize, bool kernel);  // of 64, 32 and, unlike above, 16 bits

struct Translated {
    bool one_block = false;  // the bytes are one block, to the last; else nothing of it was made
    bool fits = false;
    // The block's main code; its last exit and what is out of line are left out.
    std::vector<u32> words;
    std::vector<std::string> text;  // a line a word, with the names of shared routines
    unsigned callouts = 0;          // instructions whose code is a call of C++ and nothing else, tests before it aside
    u64 without_flags = 0;          // Block::callouts_without_flags
};
Translated translated(const Setting&, std::span<const u8> code);

}  // namespace bmbt

// What a vector sees of the machine: the registers an instruction may read or write, and the memory around it.
#pragma once
#include <cstring>

#include "base/types.hpp"
#include "x86/insn.hpp"
#include "x86/registers.hpp"

namespace bmbt::oracle {

// Memory as every engine builds it, in 64 KiB from `region`. Flat code (32 and 64 bit) uses linear addresses; 16-bit
// code runs in segments that start at `region` and end with its 64 KiB, and so uses offsets. Pages not named are
// absent.
namespace layout {
constexpr u32 region = 0x10'0000;
constexpr u32 code = 0x1000, code_end = 0x3000;  // read, write, execute; filled with INT3
constexpr u32 data = 0x4000, data_end = 0x6000;  // read, write
constexpr u32 read_only = 0x7000, read_only_end = 0x8000;
constexpr u32 data_size = data_end - data, code_size = code_end - code, read_only_size = read_only_end - read_only;
// Where FS and GS point. In 64-bit code they are bases only; else FS is a small segment and GS one that expands down.
constexpr u32 fs_base64 = region + 0x4100, gs_base64 = region + 0x4800;
constexpr u32 fs_base32 = region + 0x4000, fs_limit32 = 0x1fff, gs_base32 = region, gs_limit32 = 0x3fff;
}  // namespace layout

// Selectors as Linux gives them to a user program; the LDT's are the oracle's own.
namespace selector {
constexpr u16 code32 = 0x23, data32 = 0x2b, code64 = 0x33;
constexpr u16 code16 = 0x07, data16 = 0x0f, fs32 = 0x17, gs32 = 0x1f;
// What may be loaded and not used, or not even that. Entries 4 and 5 are empty for a program.
constexpr u16 absent = 0x37, read_only = 0x3f, execute_only = 0x47, down16 = 0x4f;
constexpr u16 ldt_entries = 10;
}  // namespace selector

// The image of FXSAVE64 up to the last XMM register. Intel SDM vol. 1, "FXSAVE Area".
struct Fxsave {
    u16 fcw = 0x37f, fsw = 0;
    u8 ftw = 0, reserved = 0;
    u16 fop = 0;
    u64 fip = 0, fdp = 0;
    u32 mxcsr = 0x1f80, mxcsr_mask = 0;
    u8 st[8][16] = {};
    u8 xmm[16][16] = {};
};
static_assert(sizeof(Fxsave) == 416);

struct State {
    u64 gpr[16] = {};
    u64 rip = 0;  // offset in CS
    u64 flags = x86::flag::reserved1 | x86::flag::if_;
    u16 seg[8] = {};  // selectors by x86::Seg
    Fxsave fx;
};

// A state as words: files and comparisons name a register by its index here.
constexpr unsigned state_words = sizeof(State) / 8;
static_assert(state_words == 72);
namespace word {
constexpr unsigned gpr = 0, rip = 16, flags = 17, seg = 18, x87 = 20, fip = 21, fdp = 22, mxcsr = 23, st = 24, xmm = 40;
}
inline u64 get_word(const State& s, unsigned index) {
    u64 v;
    std::memcpy(&v, reinterpret_cast<const u8*>(&s) + index * 8, 8);
    return v;
}
inline void set_word(State& s, unsigned index, u64 v) { std::memcpy(reinterpret_cast<u8*>(&s) + index * 8, &v, 8); }

// How a vector ended: always by an exception. INT3 behind the code is the usual one.
struct Outcome {
    x86::Vector vector = x86::Vector::Bp;
    u32 error = 0;    // 0 if the exception has none
    u64 address = 0;  // #PF only
    bool operator==(const Outcome&) const = default;
};

// What is added to an offset of the region to get an address as code of this size writes it.
constexpr u64 address_base(x86::CodeSize mode) { return mode == x86::CodeSize::Bits16 ? 0 : layout::region; }

}  // namespace bmbt::oracle

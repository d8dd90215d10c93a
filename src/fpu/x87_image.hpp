// The memory images of FSTENV/FLDENV, FSAVE/FRSTOR, and the x87 and MMX part of FXSAVE/FXRSTOR.
#pragma once
#include "fpu/x87.hpp"

namespace bmbt::fpu {

// "x87 FPU State Image Format in Memory": by operand size, and real or virtual-8086 mode against protected mode.
enum class ImageFormat : u8 { Real16, Protected16, Real32, Protected32 };
constexpr usize environment_size(ImageFormat f) {
    return f == ImageFormat::Real16 || f == ImageFormat::Protected16 ? 14 : 28;
}
constexpr usize state_size(ImageFormat f) { return environment_size(f) + 80; }

// FNSTENV is save_environment, then (its store done) mask_all. FNSAVE is save_state, then fninit. FLDENV and FRSTOR
// are waiting instructions: the caller tests pending() before reading memory.
void save_environment(const X87&, ImageFormat, u8* image);
void load_environment(X87&, ImageFormat, const u8* image);
void save_state(const X87&, ImageFormat, u8* image);
void load_state(X87&, ImageFormat, const u8* image);
void mask_all(X87&);

// Bytes 0..23 and the ten-byte registers at 32..159 of a 512-byte image; wide: with REX.W, 64-bit pointers. MXCSR
// (24..31) and the XMM registers are the caller's. FXSAVE does not wait and raises no #MF, neither does FXRSTOR.
void fxsave(const X87&, bool wide, u8* image);
void fxrstor(X87&, bool wide, const u8* image);

// The two-bit tags of FSTENV: 0 valid, 1 zero, 2 special, 3 empty.
u16 full_tags(const X87&);

}  // namespace bmbt::fpu

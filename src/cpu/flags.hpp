// Lazy flags: the arithmetic flags as the operands that made them. See docs/flags.md.
#pragma once
#include "base/types.hpp"
#include "cpu/vcpu.hpp"

namespace bmbt {

// LazyFlags::kind = operation * 4 + log2(operand bytes). Operands are taken modulo their size: upper bits are ignored.
enum class FlagOp : u8 {
    Bits,    // a = the flags themselves, in RFLAGS' places (size is ignored)
    Add,     // a + b
    Sub,     // a - b (CMP, SUB, NEG with a = 0)
    Logic,   // a = the result; CF = OF = AF = 0
    Inc,     // a = the result; b = CF before (0 or 1)
    Dec,     // a = the result; b = CF before
    Adc,     // a + b + 1  (ADC with carry in; without carry in it is Add)
    Sbb,     // a - b - 1
    Result,  // a = the result for ZF, SF, PF; b = CF, OF, AF in RFLAGS' places (shifts, multiplications)
    AddR,    // a = the sum, b = the second operand: Add(a - b, b), for sums left in their register
    SubR,    // a = the difference, b = the second operand: Sub(a + b, b)
    Imul,    // a * b, signed: CF = OF = the product does not fit the size
    Float,   // floating-point numbers a and b of 4 or 8 bytes compared, as UCOMISx does
};
constexpr u64 flag_kind(FlagOp op, unsigned size_log2) { return static_cast<u64>(op) * 4 + size_log2; }

// The six arithmetic flags in RFLAGS' places.
u64 evaluate(const LazyFlags&);
// RFLAGS whole.
inline u64 rflags(const Vcpu& v) { return v.system_flags | evaluate(v.flags); }
// Replaces the arithmetic flags.
inline void set_arithmetic(Vcpu& v, u64 flags) { v.flags = {flags & x86::flag::arithmetic, 0, 0}; }
// Replaces RFLAGS whole; reserved bits are as the hardware has them.
void set_rflags(Vcpu& v, u64 flags);

}  // namespace bmbt

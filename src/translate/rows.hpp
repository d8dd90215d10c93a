// The instruction table: for each mnemonic the function that generates its code and what it does with the flags.
// An instruction without a row runs in C++ (cpu/semantics.hpp).
#pragma once
#include "translate/block.hpp"

namespace bmbt {

struct Row {
    u16 mnemonic;  // ZydisMnemonic
    void (*emit)(Block&, const Insn&);
    u16 reads = 0;     // arithmetic flags it depends on
    u16 writes = 0;    // arithmetic flags it always writes (undefined ones included)
    u16 traits = 0;
    static constexpr u16 ends = 1;      // control never goes on behind it
    static constexpr u16 faults = 2;    // may fault without a memory operand
    static constexpr u16 lock = 4;      // handles a LOCK prefix
    static constexpr u16 stack = 8;     // uses the stack
    static constexpr u16 sse = 16;      // needs SSE enabled
    static constexpr u16 shift = 32;    // writes flags only if its count, an immediate or CL, is not 0
    static constexpr u16 fp = 64;      // depends on MXCSR: inline only for its default
    static constexpr u16 kernel = 128; // inline only at CPL 0
    static constexpr u16 tsc = 256;    // inline only where the TSC may be read
    static constexpr u16 shadows = 512;  // no interrupt comes between it and the next instruction
    static constexpr u16 x87 = 1024;    // needs the x87 enabled
};

// The row of an instruction, or null.
const Row* row_of(const Insn&);

// Flags that the instruction certainly writes and those it reads, as its row and its operands say.
u64 flags_written(const Row&, const Insn&);

// Each file of semantics has its rows; rows.cpp joins them.
struct Rows {
    const Row* first;
    usize count;
};
Rows arithmetic_rows();
Rows shift_rows();
Rows move_rows();
Rows bit_rows();
Rows multiply_rows();
Rows branch_rows();
Rows atomic_rows();
Rows system_rows();
Rows string_rows();
const Row* string_row_of(u16 mnemonic);  // of the string instructions MOVSD and CMPSD
Rows sse_move_rows();
Rows sse_integer_rows();
Rows sse_shuffle_rows();
Rows sse_float_rows();
Rows sse_convert_rows();
Rows x87_rows();

}  // namespace bmbt

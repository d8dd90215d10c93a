// Which bits of a state are not compared, as words of a State: 1 is "may be anything".
#pragma once
#include "oracle/state.hpp"
#include "oracle/vector.hpp"
#include "x86/insn.hpp"

namespace bmbt::oracle {

struct Mask {
    u64 words[state_words] = {};
    bool ignores(unsigned index, u64 bits) const { return (words[index] & bits) == bits; }
};

// What no vector of this code size compares: reserved fields, the x87 instruction and data pointers (CPUs differ in
// when FXSAVE writes them), RF, and the parts of registers that code of this size cannot name.
Mask always_ignored(x86::CodeSize mode);

// What one instruction leaves undefined by the manual's word.
struct Undefined {
    u64 flags = 0;          // of RFLAGS
    u64 flags_written = 0;  // arithmetic flags with a defined result, whatever the operands
    u64 gpr[16] = {};
    u16 fsw = 0;  // condition codes
    Tolerance tolerance = Tolerance::Exact;
};

// `before` is the state that the instruction starts from, if it is known: it tells the count of a shift by CL and the
// source of a bit scan. Without it all that may be undefined is.
Undefined undefined_by(const x86::Insn&, const State* before);

// What remains undefined when the instruction faults: nothing has changed then, with the exceptions named there.
Undefined undefined_by_faulting(const x86::Insn&);

}  // namespace bmbt::oracle

// The ordinary integer instructions in plain C++: the reference beside the translator. Intel SDM vol. 2.
#pragma once
#include "cpu/semantics.hpp"

namespace bmbt {

Semantics arithmetic_semantics(const x86::Insn&);  // ADD ... CMPXCHG, shifts, bits, multiplication, division, BCD
Semantics move_semantics(const x86::Insn&);        // MOV, PUSH, POP, LEA, CMOV, conversions, flags, nothing at all

}  // namespace bmbt

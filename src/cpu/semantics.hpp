// The C++ semantics of an instruction, called from translated code for what is not generated inline.
//
// At entry v.rip is the instruction's address and v.next_rip the one behind it; v.gpr, v.flags and all else are up to date.
// A branch sets v.next_rip. On a fault nothing of the guest's state has changed (string instructions: up to the
// element that faulted), and v.rip still names the instruction.
#pragma once
#include "cpu/vcpu.hpp"
#include "x86/fault.hpp"
#include "x86/insn.hpp"

namespace bmbt {

using Semantics = x86::Guest<> (*)(Vcpu&, const x86::Insn&);

// The function for an instruction, or null if it has none (it is generated inline, or not built).
Semantics semantics_of(const x86::Insn&);

}  // namespace bmbt

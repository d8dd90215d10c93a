// One guest instruction in C++: the plain version of everything that translated code does.
#pragma once
#include "cpu/vcpu.hpp"
#include "x86/fault.hpp"
#include "x86/insn.hpp"

namespace bmbt {

// Fetches and decodes the instruction at CS:RIP. #PF, #GP (limit, over 15 bytes) or #UD.
x86::Guest<x86::Insn> fetch(Vcpu&);

// Executes the instruction at v.rip; on success v.rip = v.next_rip. On a fault v.rip still names it (see Fault::trap):
// give the fault to raise(). With TF the single-step trap is such a fault, after the instruction. Interrupts are the
// caller's, between calls; v.shadow says that this instruction began one.
x86::Guest<> interpret(Vcpu&);

x86::CodeSize code_size(const Vcpu&);

}  // namespace bmbt

// MOVS, STOS, LODS, CMPS, SCAS, INS, OUTS with and without REP.
#pragma once
#include "cpu/vcpu.hpp"
#include "x86/fault.hpp"
#include "x86/insn.hpp"

namespace bmbt {

// One function for the whole family. With REP it works in pieces of a page at host speed and keeps the registers up to
// date, so that a fault leaves a restartable state. After 64 KiB (one element with TF) it stops and leaves
// v.next_rip = v.rip: the instruction goes on when it is executed again, after interrupts.
x86::Guest<> string_instruction(Vcpu&, const x86::Insn&);

}  // namespace bmbt

// Kinds of memory operand that ModRM and SIB bytes make, by address size; and the segments that apply.
#pragma once
#include <map>
#include <string>

#include "x86/insn.hpp"

namespace bmbt::oracle {

// By kind, in 16, 32 and 64-bit code: how many vectors run an instruction with such an operand to its end; absent where
// that code has no such kind.
using AddressCounts = std::map<std::string, std::map<x86::CodeSize, u32>>;

AddressCounts every_address();  // all there are, with 0

std::string address_kind(const x86::Insn&);  // "a32 base+index*4+d8"; the instruction has a ModRM memory operand
std::string segment_kind(const x86::Insn&);  // "segment fs"

}  // namespace bmbt::oracle

// Shifts, rotations, bit tests and scans, POPCNT, BSWAP, CRC32.
#pragma once
#include "cpu/semantics.hpp"

namespace bmbt {

Semantics bit_semantics(const x86::Insn&);

}  // namespace bmbt

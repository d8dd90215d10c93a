// Words to text, for golden files and reports.
#pragma once
#include <span>

#include "la64/branch.hpp"
#include "la64/memory_access.hpp"

namespace bmbt::la64 {

// Writes one instruction as LLVM writes it ("add.d $a0, $a1, $a2"), ends it with 0 and returns its length; cut when
// `out` is too small, 64 is enough. A branch shows its offset; with a pc that is not 0 its target follows as a comment.
// A word that is no known instruction becomes ".word 0x...".
usize disassemble(u32 word, u64 pc, std::span<char> out);

}  // namespace bmbt::la64

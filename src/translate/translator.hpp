// Guest bytes to a block of host code.
#pragma once
#include <span>

#include "translate/block.hpp"

namespace bmbt {

// What to translate: guest code at RIP `rip` in the code segment with this base. The bytes end where the page does, or
// hold the one instruction that crosses into the next page.
struct Source {
    std::span<const u8> bytes;
    u64 rip;
    u64 cs_base;
    bool single;  // one instruction only
};

// Instructions decoded for a block. Lives as long as the translation of one block.
struct Decoded {
    Insn insns[Block::max_insns];
    unsigned count = 0;
    unsigned length = 0;  // bytes of guest code
};

// Decodes up to the end of a block. count = 0: the first instruction is not one, or does not end within the bytes.
void decode_block(const Source&, Mode, Decoded&);

// Generates the block's code. Failure: block.failed(), the code does not fit its buffer or the block its tables.
void generate(Block&, const Source&, const Decoded&);

}  // namespace bmbt

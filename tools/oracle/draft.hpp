// A vector being made: what the generator or a text line says, before it becomes bytes of a file.
#pragma once
#include <string>
#include <vector>

#include "oracle/state.hpp"
#include "oracle/vector.hpp"

namespace bmbt::oracle {

struct Patch {
    u16 offset = 0;  // in the data pages
    std::vector<u8> bytes;
};

struct Draft {
    x86::CodeSize mode = x86::CodeSize::Bits64;
    u8 options = 0;
    Tolerance tolerance = Tolerance::Exact;
    u16 entry = layout::code + 0x800;
    u32 seed = 0;
    std::vector<u8> code;
    State before;  // whole
    std::vector<Patch> memory;

    // Valid with option::recorded.
    State after;
    Outcome outcome;
    std::vector<Patch> memory_after;
    std::vector<Patch> memory_ignore;
    u64 ignore[state_words] = {};

    bool keeps_stack = false;  // not recorded when RSP is another one after: a return address was lost

    void reset_state();                                    // before = the seeded state, at the entry
    void poke(u16 offset, const void* bytes, usize size);  // adds a patch of the memory before
};

Draft to_draft(const Vector&);

// Collects vectors into the bytes of a file.
class Writer {
 public:
    explicit Writer(u64 memory_seed);
    void add(const Draft&);
    u32 count() const { return count_; }
    std::vector<u8> finish();

 private:
    std::vector<u8> bytes_;
    u32 count_ = 0;
};

std::vector<u8> read_file(const std::string& name);  // ends the process with a message when it cannot
void write_file(const std::string& name, const std::vector<u8>& bytes);

}  // namespace bmbt::oracle

// The difference between what a vector recorded and what an engine did.
#pragma once
#include "oracle/mask.hpp"
#include "oracle/vector.hpp"

namespace bmbt::oracle {

struct Difference {
    enum class Kind : u8 { Vector, ErrorCode, FaultAddress, Word, Memory } kind = Kind::Word;
    u16 index = 0;  // of the state's word, or the offset of eight bytes in the data pages
    u64 expected = 0, actual = 0;
};

struct Differences {
    static constexpr unsigned capacity = 12;  // more are counted, not kept
    Difference first[capacity];
    unsigned count = 0;
    void add(const Difference& d) {
        if (count < capacity) first[count] = d;
        count++;
    }
};

// The bytes of the data pages after a vector, and which bits of them do not count.
struct ExpectedMemory {
    u8 bytes[layout::data_size];
    u8 ignore[layout::data_size];
    void prepare(const Vector&, const u8* seeded);  // seeded: the file's memory
};

// `expected` holds the data pages as they should be now. `ignored_mxcsr`: flags that the engine is known not to set.
Differences compare(const Vector&, const State& before, const State& actual, const Outcome&,
                    const ExpectedMemory& expected, const u8* data, u32 ignored_mxcsr = 0);

// The name of a state's word: "rax", "flags", "xmm3.hi".
const char* word_name(unsigned index);

}  // namespace bmbt::oracle

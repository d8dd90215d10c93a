// Vectors: a few instructions, the state before, and what real hardware made of it. The file format and its reader.
//
// A file is a header and then records back to back, little endian, without padding:
//   header  u32 magic, u16 version, u16 size of the header, u64 memory seed, u32 count, u32 zero
//   record  u16 size of the record; u8 code size (0: 16, 1: 32, 2: 64); u8 options; u8 code bytes; u8 tolerance;
//           u16 entry (offset in the region); u32 seed; u8 counts of: words before, words after, words to ignore,
//           patches before, patches after, patches to ignore; u8 exception vector, u8 zero; u32 error code;
//           u64 address of a page fault; the code; words (u8 index, u64 value); patches (u16 offset in the data pages,
//           u8 size, the bytes)
// Words before replace those of the seeded state, words after those of the state before, patches likewise in memory.
// A bit set in a word or patch to ignore is one that the manuals leave undefined.
#pragma once
#include <span>

#include "oracle/state.hpp"

namespace bmbt::oracle {

constexpr u32 file_magic = 0x4356'4d42;  // "BMVC"
constexpr u16 file_version = 2;
constexpr usize header_size = 24, record_head = 32;
constexpr unsigned max_code = 64;

enum class Tolerance : u8 {
    Exact,
    Transcendental,      // ST(0) within one unit in the last place
    TranscendentalPair,  // ST(0) and ST(1)
    Reciprocal,          // singles of a register that changes within 1.5 * 2^-12 of the true value, as RCPPS promises
    ReciprocalScalar     // the lowest single alone
};

namespace option {
constexpr u8 recorded = 1;     // has a state after and an outcome
constexpr u8 user_only = 2;    // means something else at CPL 0
constexpr u8 x87 = 4;          // the seeded state has values in the x87 stack
constexpr u8 writes_code = 8;  // may change the code pages
constexpr u8 long_mode = 32;   // means something else in a legacy kernel's modes
constexpr u8 any_byte = 16;  // of a page fault's address only the page counts: many bytes in an order of the CPU's own
}  // namespace option

struct FileHeader {
    u64 memory_seed = 0;
    u32 count = 0;
};

// One record, with views into the file.
struct Vector {
    x86::CodeSize mode = x86::CodeSize::Bits64;
    u8 options = 0;
    Tolerance tolerance = Tolerance::Exact;
    u16 entry = 0;
    u32 seed = 0;
    Outcome outcome;
    std::span<const u8> code;
    std::span<const u8> before, after, ignore;                       // words, nine bytes each
    std::span<const u8> memory_before, memory_after, memory_ignore;  // patches

    bool recorded() const { return options & option::recorded; }
};

// Walks the records of a file. A malformed file ends with ok() false; nothing outside the file is ever read.
class Reader {
 public:
    explicit Reader(std::span<const u8> file);
    bool ok() const { return ok_; }
    const FileHeader& header() const { return header_; }
    bool next(Vector& out);  // false at the end or at a malformed record

 private:
    std::span<const u8> rest_;
    FileHeader header_;
    u32 read_ = 0;
    bool ok_ = false;
};

void apply_words(std::span<const u8> words, State& state);
void apply_patches(std::span<const u8> patches, u8* data);  // data: the layout::data_size bytes of the data pages

// The state before the vector.
void state_before(const Vector&, State& out);

}  // namespace bmbt::oracle

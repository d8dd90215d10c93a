// The loadable segments of an ELF executable for a PC, 32-bit or 64-bit, by physical address.
// Source: System V ABI, "Object Files" and "Program Loading".
#pragma once
#include <array>
#include <span>

#include "base/result.hpp"
#include "loader/bytes.hpp"

namespace bmbt {

struct ElfSegment {
    u64 offset = 0, file_size = 0;  // in the file
    u64 physical = 0, memory_size = 0, linear = 0;
};

struct Elf {
    static constexpr usize room = 64;
    std::array<ElfSegment, room> segments;
    usize count = 0;
    u64 entry = 0;  // physical
    std::span<const ElfSegment> loads() const { return {segments.data(), count}; }
};

bool is_elf(std::span<const u8> image);
Result<Elf> read_elf(std::span<const u8> image);

}  // namespace bmbt

// Which guest-physical addresses are memory, as e820 tells it, and where in it something fits.
#pragma once
#include <optional>
#include <span>

#include "base/types.hpp"

namespace bmbt {

struct Range {
    u64 base = 0, size = 0;
    u64 end() const { return base + size; }
    bool overlaps(Range o) const { return base < o.end() && o.base < end(); }
    bool contains(Range o) const { return o.base >= base && o.size <= size && o.base - base <= size - o.size; }
};

enum class MemoryType : u32 { Ram = 1, Reserved = 2, AcpiReclaimable = 3, AcpiNvs = 4 };

// One entry as it lies in memory: ACPI, "INT 15H, E820H - Query System Address Map".
struct [[gnu::packed]] E820Entry {
    u64 base, size;
    MemoryType type;
};

class MemoryMap {
 public:
    void add(Range r, MemoryType type);  // ascending, not overlapping; empty ranges are left out
    std::span<const E820Entry> entries() const { return {entries_, count_}; }

    // The whole range is usable RAM.
    bool is_ram(Range) const;
    // The highest or lowest place for `size` bytes inside [from, to) that touches none of `taken`.
    std::optional<u64> highest(u64 size, u64 align, u64 from, u64 to, std::span<const Range> taken) const;
    std::optional<u64> lowest(u64 size, u64 align, u64 from, u64 to, std::span<const Range> taken) const;
    // Bytes of usable RAM from 1 MiB up to the first gap.
    u64 extended() const;

 private:
    static constexpr usize room = 32;
    E820Entry entries_[room] = {};
    usize count_ = 0;
};

}  // namespace bmbt

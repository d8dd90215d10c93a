#include "loader/memory_map.hpp"

#include <algorithm>

#include "base/bits.hpp"

namespace bmbt {
namespace {

const Range* blocker(Range place, std::span<const Range> taken) {
    for (const Range& t : taken)
        if (t.size && t.overlaps(place)) return &t;
    return nullptr;
}

}  // namespace

void MemoryMap::add(Range r, MemoryType type) {
    if (r.size && count_ < room) entries_[count_++] = {r.base, r.size, type};
}

bool MemoryMap::is_ram(Range r) const {
    return std::ranges::any_of(
        entries(), [&](const E820Entry& e) { return e.type == MemoryType::Ram && Range{e.base, e.size}.contains(r); });
}

std::optional<u64> MemoryMap::highest(u64 size, u64 align, u64 from, u64 to, std::span<const Range> taken) const {
    for (usize i = count_; i-- > 0;) {
        const E820Entry& e = entries_[i];
        if (e.type != MemoryType::Ram) continue;
        u64 low = std::max(+e.base, from), high = std::min(e.base + e.size, to);
        while (high > low && size <= high - low) {
            u64 place = align_down(high - size, align);
            if (place < low) break;
            const Range* t = blocker({place, size}, taken);
            if (!t) return place;
            high = t->base;
        }
    }
    return {};
}

std::optional<u64> MemoryMap::lowest(u64 size, u64 align, u64 from, u64 to, std::span<const Range> taken) const {
    for (const E820Entry& e : entries()) {
        if (e.type != MemoryType::Ram) continue;
        u64 low = std::max(+e.base, from), high = std::min(e.base + e.size, to);
        while (low < high) {
            u64 place = align_up(low, align);
            if (place < low || place >= high || size > high - place) break;
            const Range* t = blocker({place, size}, taken);
            if (!t) return place;
            low = t->end();
        }
    }
    return {};
}

u64 MemoryMap::extended() const {
    for (const E820Entry& e : entries())
        if (e.type == MemoryType::Ram && e.base <= 1_MiB && e.base + e.size > 1_MiB) return e.base + e.size - 1_MiB;
    return 0;
}

}  // namespace bmbt

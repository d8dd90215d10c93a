// Where indirect jumps find their blocks: direct-mapped by RIP, without the lowest bits, since most targets are aligned. An
// entry's tag is the RIP, for user code combined with the epoch, so that a change of address space makes every entry stale
// at once.
#pragma once
#include "base/bits.hpp"

namespace bmbt {

constexpr unsigned jump_cache_low = 3, jump_cache_high = 15;  // the bits of RIP that choose the entry

struct JumpCacheEntry {
    u64 tag = 1, address = 0;
};
constexpr u64 jump_cache_entries = u64{2} << (jump_cache_high - jump_cache_low);
constexpr u64 jump_cache_index(u64 rip) { return bits(rip, jump_cache_high, jump_cache_low); }
// No RIP that chooses entry n has this tag.
constexpr u64 jump_cache_no_tag(u64 n) { return (n ^ 1) << jump_cache_low; }
constexpr u64 jump_cache_bytes = jump_cache_entries * sizeof(JumpCacheEntry);

// The epoch occupies bits that no canonical user RIP has.
constexpr unsigned epoch_shift = 48;

}  // namespace bmbt

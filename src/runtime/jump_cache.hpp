// Where indirect jumps find their blocks: direct-mapped by the low bits of RIP. An entry's tag is the RIP, for user code
// combined with the epoch, so that a change of address space makes every entry stale at once.
#pragma once
#include "base/types.hpp"

namespace bmbt {

constexpr unsigned jump_cache_log2 = 12;

struct JumpCacheEntry {
    u64 tag = 1, address = 0;
};
constexpr u64 jump_cache_entries = u64{1} << jump_cache_log2;
constexpr u64 jump_cache_bytes = jump_cache_entries * sizeof(JumpCacheEntry);

// The epoch occupies bits that no canonical user RIP has.
constexpr unsigned epoch_shift = 48;

}  // namespace bmbt

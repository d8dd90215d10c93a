// Which linear addresses large pages have translated since everything was last forgotten. One INVLPG drops a large page
// whole (Intel SDM vol. 3, "Operations that Invalidate TLBs and Paging-Structure Caches"), also when the guest has just made small
// pages of it; here it may be in pieces, and the guest's tables no longer tell.
//
// Marks are hashed by address: marked() may answer yes for another page, never no for one that was marked.
#pragma once
#include <algorithm>

#include "base/types.hpp"
#include "memory/large_pages.inc"

namespace bmbt {

class LargePages {
 public:
    // page_size as of a Translation. refill.S marks by itself.
    void mark(u64 linear, u64 page_size) {
        if (page_size >= 2_MiB) marks_[index(linear, shift_of(page_size))] = generation_;
    }
    bool marked(u64 linear) const {
        for (unsigned shift : {LARGE_PAGES_SHIFT_2M, LARGE_PAGES_SHIFT_4M, LARGE_PAGES_SHIFT_1G})
            if (marks_[index(linear, shift)] == generation_) return true;
        return false;
    }
    void clear() {
        if (++generation_) return;
        std::fill_n(marks_, LARGE_PAGES_ENTRIES, u8{0});
        generation_ = 1;
    }

 private:
    static unsigned shift_of(u64 page_size) {
        return page_size == 2_MiB ? LARGE_PAGES_SHIFT_2M : page_size == 4_MiB ? LARGE_PAGES_SHIFT_4M : LARGE_PAGES_SHIFT_1G;
    }
    static u64 index(u64 linear, unsigned shift) {
        const u64 page = (linear & 0xffff'ffff'ffff) >> shift;
        return (page ^ page >> LARGE_PAGES_LOG2) % LARGE_PAGES_ENTRIES;
    }

    // refill.S knows this order.
    u8 generation_ = 1;
    u8 marks_[LARGE_PAGES_ENTRIES] = {};
};

}  // namespace bmbt

// The last translations that C++ made for its own accesses to guest memory: stacks, descriptors and code, again and
// again at every exception. Like a TLB it may keep an entry until the guest flushes it (the coherence table of
// docs/memory.md), so only whole successes are kept: an entry says that this access by this privilege is allowed and
// that A, and D for a write, are set.
#pragma once
#include "memory/page_walk.hpp"

namespace bmbt {

class WalkCache {
 public:
    struct Page {
        u64 key = 0;
        u8* host = nullptr;  // of the page's first byte
        u64 gpa = 0;
        u64 large = 0;  // a part of a large page: large_ when it was added
    };

    const Page* find(u64 linear, Access access) const {
        const u64 key = key_of(linear, access);
        const Page& p = pages_[slot_of(key)];
        return p.key == key && (!p.large || p.large == large_) ? &p : nullptr;
    }
    // `host` is the byte at t.gpa.
    void add(u64 linear, Access access, const Translation& t, u8* host) {
        const u64 key = key_of(linear, access), inside = linear & (page_size - 1);
        pages_[slot_of(key)] = {key, host - inside, t.gpa - inside, t.page_size > page_size ? large_ : 0};
    }
    // And all parts of large pages: it may be in one of them.
    void forget_page(u64 linear) {
        large_++;
        for (unsigned kind = 0; kind < kinds; kind++) {
            const u64 key =
                key_of(linear, {.write = (kind & 1) != 0, .fetch = (kind & 2) != 0, .user = (kind & 4) != 0});
            if (Page& p = pages_[slot_of(key)]; p.key == key) p = {};
        }
    }
    void forget_all() {
        if (++generation_ >> generation_bits == 0) return;
        for (Page& p : pages_) p = {};
        generation_ = 1;
    }

 private:
    static constexpr unsigned kinds = 8, log2_pages = 6, page_bits = 36, generation_bits = 25;

    // An empty entry's key is 0, and no generation is.
    u64 key_of(u64 linear, Access a) const {
        const u64 kind = u64{a.write} | u64{a.fetch} << 1 | u64{a.user} << 2;
        return generation_ << (page_bits + 3) | bits(linear, 47, 12) << 3 | kind;
    }
    static u64 slot_of(u64 key) { return (key * 0x9e37'79b9'7f4a'7c15) >> (64 - log2_pages); }

    u64 generation_ = 1, large_ = 1;
    Page pages_[1 << log2_pages];
};

}  // namespace bmbt

// The C++ side of refill.S: what the handler fills by itself and from which tables. See docs/memory.md.
//
// Two entries for one address (undefined on chips) cannot come from the handler as long as C++ keeps two rules: a
// summary byte gets its plain bit back only together with Tlb::invalidate_all(), and INVLPG of an address that a large
// page maps, or has mapped in pieces (memory/large_pages.hpp), drops everything.
//
// The handler fills a pair when the half that was wanted can be filled; the other half may be invalid. Touching that
// one later is ECODE_PIL or ECODE_PIS, not a refill: C++ walks, and invalidates the page whether or not the walk
// succeeds, so that the access (or the one after the guest's #PF handler has made the page) comes as a refill again.
#pragma once
#include "cpu/vcpu.hpp"
#include "host/loongarch/refill.inc"
#include "host/loongarch/tlb.hpp"
#include "memory/large_pages.hpp"

namespace bmbt::host {

// One byte for each 2 MiB of guest-physical memory.
namespace summary {
// All 512 frames are RAM without code, contiguous in host memory from a 1 MiB boundary: one large entry may map them.
constexpr u8 plain = SUMMARY_PLAIN;
// Set by the handler: a large entry with D = 1 may exist. Takes the place of the frames' maybe_writable bits.
constexpr u8 writable = SUMMARY_WRITABLE;
}  // namespace summary

// Vcpu::counters that the handler bumps.
namespace counter {
constexpr unsigned refills = COUNTER_REFILLS;  // all, the next three included
constexpr unsigned slow_refills = COUNTER_SLOW_REFILLS, large_refills = COUNTER_LARGE_REFILLS,
                   window_refills = COUNTER_WINDOW_REFILLS;
}  // namespace counter

// Tells the handler about guest-physical memory: the frame table and the summary, both of ours, direct-mapped; and where it marks
// the large pages that it meets.
// Without a summary large pages are filled in 4 KiB pieces.
void set_refill_memory(Vcpu&, const Frame* table, u64 frames, u8* summary, LargePages&);

// The guest's tables, the root as a host-physical address: C++ has checked that CR3 names RAM. Changes nothing in the TLB.
void set_refill_tables(Vcpu&, const RefillTables&);
RefillWalk refill_walk(const Vcpu&);

// A pair with one global half was filled as not global, in whatever address space was current: INVLPG of a global page
// has to drop everything while this is set. `forget_mixed_global` after Tlb::invalidate_all().
bool mixed_global(const Vcpu&);
void forget_mixed_global(Vcpu&);

// Before there is a window.
void hide_window(Vcpu&);

// The user window (docs/window.md): what PLV3 code has besides the guest's pages, in a top-level slot that the guest leaves free.
// Nothing in it can be reached from PLV0; the code can be executed but neither read (where the chip has NR) nor
// written; the user page (tp at PLV3) read and written; the jump cache read.
class UserWindow {
 public:
    struct Part {
        u64 physical, size;  // page aligned; the size a multiple of 8 KiB
    };
    static constexpr u64 no_slot = 512;
    // Where the parts begin, counted from base().
    static constexpr u64 code_offset = 0, page_offset = u64{1} << 36, jump_cache_offset = u64{1} << 37;

    UserWindow(Part code, Part page, Part jump_cache);

    // Makes the window visible in `slot` (bits 47:39 of an address), or hides it with no_slot. Drops old entries.
    void place(Vcpu&, u64 slot);
    u64 slot() const { return slot_; }
    u64 base() const { return base_; }
    u64 code() const { return base_ + code_offset; }
    u64 page() const { return base_ + page_offset; }
    u64 jump_cache() const { return base_ + jump_cache_offset; }

 private:
    struct Region {  // refill.inc knows the layout
        u64 base, size, lo, shift;
    };
    static Region region(Part, u64 rights);

    Region regions_[4];  // the last has size 0
    u64 slot_ = no_slot, base_ = 0;
};

}  // namespace bmbt::host

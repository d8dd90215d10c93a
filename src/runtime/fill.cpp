// TLB misses that the refill handler leaves to C++, and faults on entries it filled. See docs/memory.md.
#include "la64/memory_access.hpp"
#include "runtime/runtime.hpp"

namespace bmbt {

using namespace x86;

u64 Runtime::tlb_half_of(const Translation& t, bool write) {
    u64 gpa = t.gpa & memory_.a20_mask;
    if (gpa >> 12 >= memory_.frames()) return 0;
    Frame& f = memory_.frame_ref(gpa);
    if (f.kind() != FrameKind::Ram && f.kind() != FrameKind::Rom) return 0;
    bool paging = v_.paging.cr0 & cr0::pg;
    bool supervisor_only = false, dirty = false;
    if (f.kind() == FrameKind::Ram && !f.holds_code()) {
        if (!paging || (t.writable && t.dirty)) dirty = true;
        // CR0.WP = 0: the kernel writes to a read-only page, which user code must not do through the same entry.
        else if (write && !t.writable) dirty = supervisor_only = true;
    }
    if (dirty) f.raw |= Frame::maybe_writable_.mask();
    bool user = (!paging || t.user) && !supervisor_only;
    return f.host() | tlb_half::valid() | tlb_half::dirty(dirty) | tlb_half::plv(user ? 3 : 0) | tlb_half::mat(tlb_half::cached) |
           tlb_half::global(t.global && v_.paging.cr4 & cr4::pge) | tlb_half::no_execute();
}

// Maps the page of va if that is all there is to do: the access goes to RAM or reads ROM and is allowed.
bool Runtime::fill(u64 va, bool write) {
    u64 linear = linear_of(va);
    if (v_.long_mode() && sign_extend(linear, 48) != static_cast<i64>(linear)) return false;
    if (debugger_ && debugger_->watches_page(linear)) return false;
    auto t = walk(memory_, v_.paging, linear, {.write = write, .fetch = false, .user = user()});
    if (!t) return false;
    u64 half = tlb_half_of(*t, write);
    if (!half || (write && !tlb_half::dirty.of(half))) return false;
    // The handler maps a plain large page with one entry, and small ones beside it would hit twice: it goes first, or the page
    // is no longer plain.
    if (host_.fills_large(t->gpa, t->page_size)) {
        if (t->in_ram && !(write && !t->writable)) {
            host_.invalidate_page(spaces_.asid(), va);
            return true;
        }
        if (host_.split_large(t->gpa)) {
            host_.invalidate_all();
            stats_.tlb_all_flushes++;
        }
    }
    host_.large_pages().mark(linear, t->page_size);
    bool odd = linear & page_size, watched = debugger_ && debugger_->watches_page(linear ^ page_size);
    // The other half too, if its page has been used; a global entry needs both halves global.
    u64 other = 0;
    if (auto o = peek_walk(memory_, v_.paging, linear ^ page_size); o && o->accessed && !watched) other = tlb_half_of(*o, false);
    bool global = tlb_half::global.of(half);
    if (tlb_half::global.of(other) != global) other = tlb_half::global(global);
    if (global && host_.mixed_global(v_)) {  // what was filled as not global may not stay beside it
        host_.invalidate_all();
        stats_.tlb_all_flushes++;
    }
    host_.fill_pair(va, spaces_.asid(), odd ? other : half, odd ? half : other);
    stats_.slow_fills++;
    return true;
}

// An access to the user window's slot, where the guest itself has something.
bool Runtime::takes_window_slot(u64 va) {
    return v_.long_mode() && bits(va, 47, 39) == window_slot_ && peek_walk(memory_, v_.paging, va);
}

void Runtime::on_memory_fault(bool) {
    auto access = la64::memory_access(host_word(v_.host.pc));
    if (!access) return lost("a host memory fault at an instruction that accesses no memory");
    if (takes_window_slot(v_.host.badv)) {
        Place p = place_of(v_.host.pc);
        if (p.block == no_block) return lost("a host memory fault outside all blocks");
        recover(store_.block(p.block), store_.snapshot(store_.block(p.block), p.snapshot));
        step_.active = false;
        leave_window_slot();
        return dispatch();
    }
    if (fill(v_.host.badv, access->is_store)) return;
    Place p = place_of(v_.host.pc);
    if (p.block == no_block) return lost("a host memory fault outside all blocks");
    const BlockInfo& b = store_.block(p.block);
    recover(b, store_.snapshot(b, p.snapshot));
    step_.active = false;
    // A fault of the guest's, a device, code being written: the instruction has had no effect yet, so run it in C++ whole.
    interpret_one();
    dispatch();
}

}  // namespace bmbt

// What the guest flushes, and what that means for everything that remembers its mappings: the table in docs/memory.md.
#include <algorithm>

#include "runtime/runtime.hpp"

namespace bmbt {

using namespace x86;

void Runtime::clear_jump_cache(CodeSide& s) {
    for (u64 n = 0; n < jump_cache_entries; n++) s.jump_cache[n] = {.tag = jump_cache_no_tag(n), .address = 0};
}

void Runtime::clear_ring(CodeSide& s) {
    constexpr usize entries = (1u << return_ring_log2) / 16 + 1;  // and the guard below the first
    auto* e = reinterpret_cast<JumpCacheEntry*>(s.ring_memory) - 1;
    bool as_user = &s == &sides_[1];
    const u64 address = store_.run_address(as_user, store_.region(as_user).shared.no_prediction);
    std::fill_n(e, entries, JumpCacheEntry{.tag = ~u64{0}, .address = address});
    (side_ == as_user ? v_.host.temp[8] : ring_[as_user]) = s.ring;
}

void Runtime::forget_jump(bool as_user, u64 rip) {
    CodeSide& s = sides_[as_user];
    u64 n = jump_cache_index(rip);
    s.jump_cache[n] = {.tag = jump_cache_no_tag(n), .address = 0};
}

void Runtime::new_epoch() {
    stats_.epochs++;
    if (spaces_.epochs_low()) {
        reset_code();
        spaces_.restart_epochs();
    } else {
        spaces_.renew_epochs();
    }
}

// Instruction translations changed: links across pages, jump caches, predictions.
void Runtime::forget_code_mappings() {
    for (Fetch& f : fetch_) f = {};
    new_epoch();
    clear_jump_cache(sides_[0]);
    clear_ring(sides_[0]);
    clear_ring(sides_[1]);
    unlink_across_pages();
    kernel_not_global_ = false;
    must_dispatch_ = true;
}

void Runtime::unlink_across_pages() {
    for (u32 n = 0; n < cross_link_count_; n++) {
        auto [block, exit] = cross_links_[n];
        store_.unlink(store_.exit(store_.block(block), exit));
    }
    if (cross_link_count_) host_.code_written();
    cross_link_count_ = 0;
}

void Runtime::refill_tables_changed() {
    const u64 cr0 = v_.paging.cr0, cr4 = v_.paging.cr4;
    const bool nxe = v_.paging.efer & efer::nxe;
    RefillTables t{.global_pages = (cr4 & cr4::pge) != 0};
    if (memory_.a20_mask != ~u64{0} || (debugger_ && debugger_->watching())) {
        // What only C++ does: none of the walks.
    } else if (!(cr0 & cr0::pg)) {
        t.walk = RefillWalk::Identity;
    } else if (v_.long_mode()) {
        // Bit 63 is reserved without NXE; the handler does not look at it there.
        if (nxe) t.walk = RefillWalk::FourLevel;
        t.root = v_.paging.cr3 & 0x000f'ffff'ffff'f000;
    } else if (cr4 & cr4::pae) {
        t.walk = RefillWalk::Pae;
        t.refused = nxe ? 0x7ff : 0xfff;
    } else {
        t.walk = RefillWalk::TwoLevel;
        t.root = v_.paging.cr3 & 0xffff'f000;
        t.refused = cr4 & cr4::pse ? 0 : 0x80;
    }
    host_.set_refill_tables(v_, t);
    if (root_has(window_slot_)) leave_window_slot();
}

// Everything that was remembered of the guest's tables.
void Runtime::forget_mappings() {
    stats_.tlb_all_flushes++;
    host_.invalidate_all();
    host_.large_pages().clear();
    walks_.forget_all();
    forget_code_mappings();
}

void Runtime::flush_page(Vcpu&, u64 linear) {
    stats_.tlb_page_flushes++;
    // One INVLPG drops a large page whole, whatever pieces it is in here. And where small pages were joined to a large one, none of
    // them may stay beside its entry.
    auto now = peek_walk(memory_, v_.paging, linear);
    if (host_.large_pages().marked(linear) || host_.mixed_global(v_) || (now && now->page_size > page_size)) return forget_mappings();
    walks_.forget_page(linear);
    host_.invalidate_page(spaces_.asid(), linear);
    // A 32-bit address may have been used with its sign extended.
    if (!v_.long_mode()) host_.invalidate_page(spaces_.asid(), static_cast<u64>(sign_extend(linear, 32)));
    // And by an access that began below 4 GiB and went on there.
    if (!v_.long_mode() && linear < 2 * page_size) host_.invalidate_page(spaces_.asid(), linear + 4_GiB);
    if (code_pages_[linear >> 12 & 4095]) forget_code_mappings();
    else fetch_[linear >> 12 & 63] = {};
}

void Runtime::flush_non_global(Vcpu& v) { switch_address_space(v, false); }

void Runtime::flush_all(Vcpu&) {
    u16 pcid = v_.paging.cr4 & cr4::pcide ? v_.paging.cr3 & 0xfff : 0;
    spaces_.reset();
    spaces_.select(pcid, true);
    host_.set_asid(spaces_.asid());
    forget_mappings();
    refill_tables_changed();
}

void Runtime::flush_pcid(Vcpu& v, u16 pcid) {
    if (spaces_.is_current(pcid)) return switch_address_space(v, false);
    spaces_.forget(pcid);
}

void Runtime::flush_pcid_page(Vcpu& v, u16 pcid, u64 linear) {
    if (spaces_.is_current(pcid)) return flush_page(v, linear);
    int asid = spaces_.asid_of(pcid);
    if (asid >= 0) host_.invalidate_page(static_cast<u16>(asid), linear);
    if (code_pages_[linear >> 12 & 4095] || host_.large_pages().marked(linear)) spaces_.forget(pcid);
}

void Runtime::switch_address_space(Vcpu&, bool keep) {
    stats_.space_switches++;
    bool pcide = v_.paging.cr4 & cr4::pcide;
    u16 pcid = pcide ? v_.paging.cr3 & 0xfff : 0;
    if (spaces_.epochs_low()) new_epoch();
    if (!spaces_.select(pcid, !(pcide && keep))) {
        host_.invalidate_all();
        spaces_.reset();
        spaces_.select(pcid, true);
        new_epoch();
    }
    host_.set_asid(spaces_.asid());
    walks_.forget_all();
    refill_tables_changed();
    for (Fetch& f : fetch_)
        if (!f.global || f.user) f = {};
    clear_ring(sides_[1]);
    if (kernel_not_global_) forget_code_mappings();
    must_dispatch_ = true;
}

void Runtime::mode_changed(Vcpu&) {
    set_mode(mode_of_cpu());
}

void Runtime::set_mode(Mode m) {
    if (m == mode_) return;
    mode_ = m;
    must_dispatch_ = true;
    if (options_.trace.has(TraceEvent::Mode)) trace(TraceEvent::Mode, "mode is rip", m.raw, v_.rip);
    // The jump caches and rings are keyed by RIP alone: everything else a block assumes must be the same.
    constexpr u32 not_privilege = ~static_cast<u32>(Mode::cpl_.mask());
    Mode& last = side_mode_[mode_.user()];
    if ((last.raw & not_privilege) != (mode_.raw & not_privilege) || last.cpl() != mode_.cpl()) {
        clear_jump_cache(sides_[mode_.user()]);
        clear_ring(sides_[mode_.user()]);
        last = mode_;
    }
}

void Runtime::code_written(u64 gpa, u64 size) {
    stats_.code_writes++;
    u64 first = gpa, last = gpa + size - 1;
    for (u64 page = first & ~(page_size - 1); page <= last; page += page_size) {
        bool left = false;
        for (u32 id = store_.first_in_frame(page); id != no_block;) {
            BlockInfo& b = store_.block(id);
            u32 next = store_.next_in_frame(id, page);
            // An instruction over two pages has its begin in one and its end in the other, which may be the same frame.
            const u64 begin = b.key.gpa, end = std::min(begin + b.guest_bytes, (begin | (page_size - 1)) + 1);
            const u64 rest = b.key.gpa2 & ~(page_size - 1);
            const bool hit = (begin <= last && end > first) || (b.key.gpa2 != ~u64{0} && rest <= last && rest + 15 > first);
            if (hit) {
                stats_.code_invalidations++;
                if (options_.trace.has(TraceEvent::Smc)) trace(TraceEvent::Smc, "smc.invalidate rip gpa", b.key.rip, gpa);
                store_.remove(id);
                forget_jump(b.key.mode.user(), b.key.rip);
                flushed_code_ = true;
            } else {
                left = true;
            }
            id = next;
        }
        if (!left && page >> 12 < memory_.frames()) memory_.frame_ref(page).raw &= ~Frame::holds_code_.mask();
    }
    if (flushed_code_) host_.code_written();  // the blocks' links
}

void Runtime::map_changed(u64 gpa, u64 size) {
    u64 known = memory_.frames() * page_size, end = gpa < known ? gpa + std::min(size, known - gpa) : gpa;
    for (u64 page = gpa; page < end; page += page_size) {
        for (u32 id = store_.first_in_frame(page); id != no_block; id = store_.first_in_frame(page)) {
            BlockInfo& b = store_.block(id);
            store_.remove(id);
            forget_jump(b.key.mode.user(), b.key.rip);
        }
        if (page >> 12 < memory_.frames()) memory_.frame_ref(page).raw &= ~Frame::holds_code_.mask();
    }
    flushed_code_ = true;
    host_.code_written();
    forget_mappings();
    refill_tables_changed();  // the A20 gate decides whether the handler may walk
}

}  // namespace bmbt

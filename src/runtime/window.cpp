// In which top-level slot of the address space user code finds its window: in one that the guest does not use. See docs/window.md.
#include "runtime/runtime.hpp"

namespace bmbt {

void Runtime::place_window(unsigned slot) {
    const WindowPlace at = host_.place_window(v_, slot);
    window_slot_ = slot;
    BlockStore::Region& code = store_.region(true);
    code.execute_delta = at.code - reinterpret_cast<u64>(code.begin);
    CodeSide& user = sides_[1];
    user.jump_cache_address = at.jump_cache;
    user.ring = at.page + static_cast<u64>(user.ring_memory - user_page_);
    ring_[1] = user.ring;
}

// Whether the guest's tables lead anywhere in a slot.
bool Runtime::root_has(unsigned slot) {
    const u64 root = v_.paging.cr3 & 0x000f'ffff'ffff'f000;
    if (slot >= slots || !(v_.paging.cr0 & x86::cr0::pg) || !v_.long_mode() || !memory_.frame(root).ram()) return false;
    return reinterpret_cast<const u64*>(memory_.pointer(root))[slot] & 1;
}

// To the next slot of the upper half, which belongs to the kernel and so is not taken by chance, or else to the highest that is free
// of the lower.
void Runtime::leave_window_slot() {
    stats_.window_moves++;
    guest_slots_.set(window_slot_);
    for (unsigned n = 1; n < slots; n++) {
        const unsigned slot = n < slots - first_window_slot ? first_window_slot + n : slots - 1 - n;
        if (guest_slots_.test(slot) || root_has(slot)) continue;
        place_window(slot);
        forget_mappings();
        clear_jump_cache(sides_[1]);
        return;
    }
    report("the guest's page tables use every top-level slot, and user code needs one");
    host_.finish(v_, 1, "no top-level slot of the address space is left for BMBT's user window");
}

}  // namespace bmbt

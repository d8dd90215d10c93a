#include "host/loongarch/refill.hpp"

#include "host/loongarch/direct.hpp"

namespace bmbt::host {

namespace {

struct Flags {  // refill_flags
    u16 leaf, slot;
    u8 mixed_global;
    RefillWalk walk;
    u16 refused;
};
static_assert(sizeof(Flags) == sizeof(Vcpu::refill_flags) && offsetof(Flags, slot) == REFILL_FLAGS_SLOT);
static_assert(offsetof(Flags, walk) == REFILL_FLAGS_WALK && offsetof(Flags, refused) == REFILL_FLAGS_REFUSED);
static_assert(static_cast<u8>(RefillWalk::Pae) == REFILL_WALK_PAE && static_cast<u8>(RefillWalk::Identity) == REFILL_WALK_IDENTITY &&
              static_cast<u8>(RefillWalk::TwoLevel) == REFILL_WALK_TWO_LEVEL);
static_assert(offsetof(Flags, leaf) == REFILL_FLAGS_LEAF && offsetof(Flags, mixed_global) == REFILL_FLAGS_MIXED_GLOBAL);
static_assert(Frame::holds_code_.mask() == FRAME_HOLDS_CODE && Frame::maybe_writable_.mask() == FRAME_MAYBE_WRITABLE);
static_assert(Frame::kind_.mask() == 3 && static_cast<u64>(FrameKind::Ram) == FRAME_RAM && Frame::host_.lo == 12);

Flags& flags(Vcpu& v) { return reinterpret_cast<Flags&>(v.refill_flags); }

// The low bits of a leaf that its upper levels do not narrow: all but W and U, and G only with CR4.PGE.
constexpr u16 leaf_mask = 0xfff & ~(PTE_W | PTE_U | PTE_G);

}  // namespace

void set_refill_memory(Vcpu& v, const Frame* table, u64 frames, u8* bytes, LargePages& large_pages) {
    v.refill_frames = physical_of(table);
    v.refill_frame_count = frames;
    v.refill_summary = bytes ? physical_of(bytes) : 0;
    v.refill_large_pages = physical_of(&large_pages);
}

void set_refill_tables(Vcpu& v, const RefillTables& t) {
    v.refill_root = t.walk == RefillWalk::FourLevel ? t.root : 0;
    v.refill_root_32 = t.root;
    flags(v).walk = t.walk;
    flags(v).refused = t.refused;
    flags(v).leaf = leaf_mask | (t.global_pages ? PTE_G : 0);
}
RefillWalk refill_walk(const Vcpu& v) { return flags(const_cast<Vcpu&>(v)).walk; }

void hide_window(Vcpu& v) { flags(v).slot = UserWindow::no_slot; }

bool mixed_global(const Vcpu& v) { return flags(const_cast<Vcpu&>(v)).mixed_global; }
void forget_mixed_global(Vcpu& v) { flags(v).mixed_global = 0; }

UserWindow::Region UserWindow::region(Part part, u64 rights) {
    u64 sizes = csr_read<CSR_PRCFG2>();  // bit n: pages of 2^n bytes
    unsigned shift = 12;
    for (unsigned n = 13; n <= 30; n++)
        if (bit(sizes, n) && part.physical % (u64{1} << n) == 0 && part.size % (u64{2} << n) == 0) shift = n;
    using namespace tlb_lo;
    constexpr u64 common = valid() | global() | plv(3) | restrict_plv() | mat(cached);
    return {0, part.size, part.physical | common | rights, shift};
}

UserWindow::UserWindow(Part code, Part page, Part jump_cache)
    : regions_{region(code, tlb_lo::no_read()), region(page, tlb_lo::dirty() | tlb_lo::no_execute()),
               region(jump_cache, tlb_lo::no_execute()), Region{}} {
    static_assert(sizeof(Region) == REGION_BYTES && offsetof(Region, base) == REGION_BASE &&
                  offsetof(Region, size) == REGION_SIZE && offsetof(Region, lo) == REGION_LO &&
                  offsetof(Region, shift) == REGION_SHIFT);
}

void UserWindow::place(Vcpu& v, u64 slot) {
    slot_ = slot;
    base_ = static_cast<u64>(sign_extend(slot << 39, 48));
    regions_[0].base = code();
    regions_[1].base = page();
    regions_[2].base = jump_cache();
    v.refill_window = physical_of(regions_);
    flags(v).slot = static_cast<u16>(slot);
    Tlb::invalidate_all();
}

}  // namespace bmbt::host

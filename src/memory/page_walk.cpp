#include "memory/page_walk.hpp"

namespace bmbt {
namespace {

using namespace x86;

// A table entry. Source: Intel SDM vol. 3, "4-Level Paging and 5-Level Paging" and "32-Bit Paging".
namespace entry {
constexpr u64 present = 1 << 0, writable = 1 << 1, user = 1 << 2, accessed = 1 << 5, dirty = 1 << 6, large = 1 << 7,
              global = 1 << 8, no_execute = u64{1} << 63;
}
constexpr unsigned physical_bits = 40;  // MAXPHYADDR as CPUID says
constexpr u64 address_mask = mask(physical_bits) & ~(page_size - 1);
constexpr u64 reserved_address = mask(52) & ~mask(physical_bits);

// How one level of a paging mode is built.
struct Level {
    unsigned shift, index_bits;
};
constexpr Level four_levels[] = {{39, 9}, {30, 9}, {21, 9}, {12, 9}};
constexpr Level pae_levels[] = {{21, 9}, {12, 9}};
constexpr Level legacy_levels[] = {{22, 10}, {12, 10}};

class Walker {
 public:
    Walker(PhysicalMap& map, const PagingState& p, u64 linear, Access a, bool quiet, WalkTrace* trace = nullptr)
        : trace_(trace),
          map_(map),
          p_(p),
          linear_(linear),
          access_(a),
          quiet_(quiet),
          long_(p.efer & efer::lma),
          pae_(p.cr4 & cr4::pae) {}

    Guest<Translation> run() {
        if (!(p_.cr0 & cr0::pg)) {
            out_ = {.gpa = linear_ & 0xffff'ffff & map_.a20_mask,
                    .page_size = 4_GiB,
                    .writable = true,
                    .user = true,
                    .no_execute = false,
                    .global = false,
                    .dirty = true,
                    .accessed = true};
            return out_;
        }
        out_ = {.gpa = 0,
                .page_size = 0,
                .writable = true,
                .user = true,
                .no_execute = false,
                .global = false,
                .dirty = false,
                .accessed = true};
        if (long_) return levels(p_.cr3 & address_mask, four_levels, 4);
        if (!pae_) return levels(p_.cr3 & 0xffff'f000, legacy_levels, 2);
        u64 pdpte = p_.pdpte[bits(linear_, 31, 30)];
        if (!(pdpte & entry::present)) return fail(0);
        return levels(pdpte & address_mask, pae_levels, 2);
    }

 private:
    std::unexpected<Fault> fail(u32 why) const {
        u32 code = why;
        if (access_.write) code |= pf_code::write;
        if (access_.user) code |= pf_code::user;
        bool tells_fetch = p_.cr4 & cr4::smep || (pae_ && p_.efer & efer::nxe);
        if (access_.fetch && tells_fetch) code |= pf_code::fetch;
        return page_fault(linear_, code);
    }

    unsigned entry_size() const { return long_ || pae_ ? 8 : 4; }

    // Tables outside RAM read as all ones, as the bus does.
    u64 load(u64 at) const {
        u8* p = map_.pointer(at);
        if (entry_size() == 8) return p ? __atomic_load_n(reinterpret_cast<u64*>(p), __ATOMIC_RELAXED) : ~u64{0};
        return p ? __atomic_load_n(reinterpret_cast<u32*>(p), __ATOMIC_RELAXED) : ~u32{0};
    }
    // A and D are in the low byte: a locked OR of it is enough and cannot disturb a neighbour's update.
    void set(u64 at, u64 e, u64 flags) {
        if (quiet_ || (e & flags) == flags) return;
        u8* p = map_.ram(at);
        if (!p) return;
        map_.note_write(at, entry_size());
        if (entry_size() == 8)
            __atomic_fetch_or(reinterpret_cast<u64*>(p), flags, __ATOMIC_SEQ_CST);
        else
            __atomic_fetch_or(reinterpret_cast<u32*>(p), static_cast<u32>(flags), __ATOMIC_SEQ_CST);
    }

    bool is_large(const Level& level, u64 e) const {
        if (!(e & entry::large) || level.shift == 12) return false;
        if (level.shift == 39) return false;  // reserved there, see reserved()
        return long_ || pae_ || p_.cr4 & cr4::pse;
    }

    // The bits of a present entry that must be zero.
    u64 reserved(const Level& level, bool large) const {
        if (!long_ && !pae_) return large ? u64{1} << 21 : 0;  // PSE-36 gives bits 20:13 a meaning
        u64 r = reserved_address;
        if (!(p_.efer & efer::nxe)) r |= entry::no_execute;
        if (!long_) r |= mask(63) & ~mask(52);
        if (level.shift == 39) r |= entry::large;
        if (large) r |= mask(level.shift) & ~mask(13);
        return r;
    }

    u64 leaf_address(const Level& level, bool large, u64 e) const {
        u64 inside = mask(level.shift);
        if (!long_ && !pae_)
            return large ? (e & 0xffc0'0000) | bits(e, 20, 13) << 32 | (linear_ & inside)
                         : (e & 0xffff'f000) | (linear_ & inside);
        return (e & address_mask & ~inside) | (linear_ & inside);
    }

    Guest<Translation> levels(u64 table, const Level* level, unsigned count) {
        for (unsigned n = 0; n < count; n++) {
            u64 at = (table + bits(linear_, level[n].shift + level[n].index_bits - 1, level[n].shift) * entry_size()) &
                     map_.a20_mask;
            u64 e = load(at);
            if (trace_) trace_->step[trace_->count++] = {at, e, level[n].shift};
            out_.in_ram = out_.in_ram && map_.ram(at);
            if (!(e & entry::present)) return fail(0);
            bool large = is_large(level[n], e);
            if (e & reserved(level[n], large)) return fail(pf_code::present | pf_code::reserved);
            out_.writable &= (e & entry::writable) != 0;
            out_.user &= (e & entry::user) != 0;
            out_.no_execute |= (e & entry::no_execute) != 0;
            out_.accessed &= !quiet_ || (e & entry::accessed) != 0;
            if (n + 1 < count && !large) {
                tables_[n] = {at, e};
                table = long_ || pae_ ? e & address_mask : e & 0xffff'f000;
                continue;
            }
            return leaf(level[n], large, n, at, e);
        }
        return fail(0);
    }

    // An access that faults leaves no trace in the tables: the 80386 and its successors set A once all levels are
    // checked.
    Guest<Translation> leaf(const Level& level, bool large, unsigned above, u64 at, u64 e) {
        if (!quiet_ && !allowed()) return fail(pf_code::present);
        for (unsigned n = 0; n < above; n++) set(tables_[n].at, tables_[n].value, entry::accessed);
        set(at, e, access_.write ? entry::accessed | entry::dirty : entry::accessed);
        out_.gpa = leaf_address(level, large, e) & map_.a20_mask;
        out_.page_size = u64{1} << level.shift;
        out_.global = e & entry::global && p_.cr4 & cr4::pge;
        out_.dirty = e & entry::dirty || (access_.write && !quiet_);
        return out_;
    }

    // Intel SDM vol. 3, "Access Rights".
    bool allowed() const {
        if (access_.user && !out_.user) return false;
        if (access_.fetch) {
            if (out_.no_execute) return false;
            return access_.user || !out_.user || !(p_.cr4 & cr4::smep);
        }
        if (!access_.user && out_.user && p_.cr4 & cr4::smap && !p_.flags_ac) return false;
        return !access_.write || out_.writable || (!access_.user && !(p_.cr0 & cr0::wp));
    }

    WalkTrace* trace_;
    PhysicalMap& map_;
    const PagingState& p_;
    u64 linear_;
    Access access_;
    bool quiet_, long_, pae_;
    struct {
        u64 at, value;
    } tables_[3];  // the entries above the leaf
    Translation out_;
};

}  // namespace

Guest<Translation> walk(PhysicalMap& map, const PagingState& p, u64 linear, Access access) {
    return Walker(map, p, linear, access, false).run();
}

Guest<Translation> peek_walk(PhysicalMap& map, const PagingState& p, u64 linear) {
    return Walker(map, p, linear, {}, true).run();
}

Guest<Translation> peek_walk(PhysicalMap& map, const PagingState& p, u64 linear, WalkTrace& trace) {
    return Walker(map, p, linear, {}, true, &trace).run();
}

Guest<> load_pdptes(PhysicalMap& map, PagingState& state) {
    constexpr u64 reserved = ~mask(physical_bits) | 0x1e6;
    u64 loaded[4];
    for (unsigned n = 0; n < 4; n++) {
        u8* p = map.pointer(((state.cr3 & 0xffff'ffe0) + n * 8) & map.a20_mask);
        loaded[n] = p ? *reinterpret_cast<u64*>(p) : ~u64{0};
        if (loaded[n] & entry::present && loaded[n] & reserved) return gp();
    }
    for (unsigned n = 0; n < 4; n++) state.pdpte[n] = loaded[n];
    return {};
}

}  // namespace bmbt

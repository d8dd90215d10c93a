#include "runtime/block_store.hpp"

#include <algorithm>

#include "la64/branch.hpp"

namespace bmbt {

void BlockStore::reset() {
    block_count_ = snapshot_count_ = exit_count_ = insn_count_ = 0;
    std::fill(m_.hash.begin(), m_.hash.end(), no_block);
    std::fill(m_.frames.begin(), m_.frames.end(), no_block);
    for (unsigned n = 0; n < 2; n++) {
        regions_[n].at = regions_[n].first_block;
        regions_[n].order = m_.order[n];
        regions_[n].count = 0;
    }
}

u32 BlockStore::slot(const BlockKey& k) const {
    u64 h = k.gpa * 0x9e37'79b9'7f4a'7c15 ^ k.rip * 0xc2b2'ae3d'27d4'eb4f ^ k.mode.raw;
    return static_cast<u32>(h >> 32 ^ h) & static_cast<u32>(m_.hash.size() - 1);
}

u32 BlockStore::find(const BlockKey& k) const {
    for (u32 id = m_.hash[slot(k)]; id != no_block; id = m_.blocks[id].hash_next)
        if (m_.blocks[id].key == k) return id;
    return no_block;
}

bool BlockStore::is_full(bool user) const {
    const Region& r = regions_[user];
    constexpr usize reserve = 16 * 1024;  // words: far more than one block
    return block_count_ == m_.blocks.size() || snapshot_count_ + Block::max_snapshots > m_.snapshots.size() ||
           exit_count_ + Block::max_exits > m_.exits.size() || insn_count_ + Block::max_insns > m_.insns.size() ||
           r.end - r.at < static_cast<std::ptrdiff_t>(reserve) || r.count == r.order.size();
}

u32 BlockStore::add(const BlockKey& key, const Block& b, const Source&, const Decoded& code) {
    u32 id = block_count_++;
    Region& r = regions_[key.mode.user()];
    BlockInfo& info = m_.blocks[id];
    unsigned guest_bytes = 0;
    for (unsigned n = 0; n < b.insns(); n++) guest_bytes += code.insns[n].length;
    info = {.key = key, .code = r.at, .code_bytes = static_cast<u32>(b.as.size()), .main_bytes = b.main_size(),
            .snapshots = snapshot_count_, .exits = exit_count_, .insns = insn_count_,
            .guest_bytes = static_cast<u16>(guest_bytes), .snapshot_count = static_cast<u8>(b.snapshots()),
            .exit_count = static_cast<u8>(b.exits()), .insn_count = static_cast<u8>(b.insns()), .sets_if = b.has_set_if(), .valid = true,
            .hash_next = no_block, .frame_next = {no_block, no_block}, .incoming = no_block};
    for (unsigned n = 0; n < b.snapshots(); n++) m_.snapshots[snapshot_count_++] = b.snapshot(n);
    for (unsigned n = 0; n < b.exits(); n++) m_.exits[exit_count_++] = {.exit = b.exit(n), .owner = id};
    for (unsigned n = 0; n < b.insns(); n++) {
        if (!bit(b.in_cpp(), n)) continue;
        unsigned first = 0, last = 0;  // of the instruction's snapshots
        while (first + 1 < b.snapshots() && b.snapshot(first).insn < n) first++;
        while (last + 1 < b.snapshots() && b.snapshot(last + 1).insn <= n) last++;
        m_.insns[insn_count_++] = {.insn = code.insns[n], .run = semantics_of(code.insns[n]), .callout_snapshot = static_cast<u8>(last), .slow_snapshot = static_cast<u8>(first), .shortcut = shortcut_of(code.insns[n])};
        info.cpp_count++;
    }
    r.at += b.as.size() / 4;
    r.order[r.count++] = id;

    u32& head = m_.hash[slot(key)];
    info.hash_next = head;
    head = id;
    u64 gpas[2] = {key.gpa, key.gpa2};
    for (unsigned n = 0; n < 2; n++)
        if (gpas[n] >> 12 < m_.frames.size()) {
            info.frame_next[n] = m_.frames[gpas[n] >> 12];
            m_.frames[gpas[n] >> 12] = id;
        }
    return id;
}

u32 BlockStore::at(u64 pc) const {
    for (const Region& r : regions_) {
        u64 p = pc - r.execute_delta;
        if (p < reinterpret_cast<u64>(r.first_block) || p >= reinterpret_cast<u64>(r.at)) continue;
        auto ids = r.order.first(r.count);
        auto it = std::upper_bound(ids.begin(), ids.end(), p, [&](u64 v, u32 id) { return v < reinterpret_cast<u64>(m_.blocks[id].code); });
        return it == ids.begin() ? no_block : *(it - 1);
    }
    return no_block;
}

void BlockStore::link(u32 from, unsigned n, u32 to, u16 epoch) {
    BlockInfo &source = m_.blocks[from], &target = m_.blocks[to];
    u32 index = source.exits + n;
    ExitInfo& e = m_.exits[index];
    if (e.linked == no_block) {
        e.linked = to;
        e.next_incoming = target.incoming;
        target.incoming = index;
    } else if (e.linked != to) {
        unlink(e);
        return link(from, n, to, epoch);
    }
    char* base = reinterpret_cast<char*>(source.code);
    if (e.exit.epoch_site) {
        constexpr u32 lu12i_w_t0 = 0b0001010u << 25 | 12;
        __atomic_store_n(reinterpret_cast<u32*>(base + e.exit.epoch_site), lu12i_w_t0 | epoch << 5, __ATOMIC_RELEASE);
    }
    char* site = base + e.exit.site;
    la64::retarget(reinterpret_cast<u32*>(site), reinterpret_cast<char*>(target.code) - site);
}

void BlockStore::unlink(ExitInfo& e) {
    if (e.linked == no_block) return;
    u32 index = static_cast<u32>(&e - m_.exits.data());
    for (u32* p = &m_.blocks[e.linked].incoming; *p != no_block; p = &m_.exits[*p].next_incoming)
        if (*p == index) {
            *p = e.next_incoming;
            break;
        }
    e.linked = no_block;
    la64::retarget(reinterpret_cast<u32*>(reinterpret_cast<char*>(m_.blocks[e.owner].code) + e.exit.site), 4);
}

void BlockStore::unlink_incoming(u32 id) {
    while (m_.blocks[id].incoming != no_block) unlink(m_.exits[m_.blocks[id].incoming]);
}

void BlockStore::unlist(u32 id, u64 gpa, unsigned which) {
    if (gpa >> 12 >= m_.frames.size()) return;
    for (u32* p = &m_.frames[gpa >> 12]; *p != no_block;) {
        BlockInfo& b = m_.blocks[*p];
        if (*p == id) {
            *p = b.frame_next[which];
            return;
        }
        p = &b.frame_next[b.key.gpa >> 12 != gpa >> 12];
    }
}

void BlockStore::remove(u32 id) {
    BlockInfo& b = m_.blocks[id];
    if (!b.valid) return;
    b.valid = false;
    unlink_incoming(id);
    for (u32* p = &m_.hash[slot(b.key)]; *p != no_block; p = &m_.blocks[*p].hash_next)
        if (*p == id) {
            *p = b.hash_next;
            break;
        }
    unlist(id, b.key.gpa, 0);
    unlist(id, b.key.gpa2, 1);
}

u64 BlockStore::code_bytes() const {
    u64 sum = 0;
    for (const Region& r : regions_) sum += static_cast<u64>(r.at - r.begin) * 4;
    return sum;
}

}  // namespace bmbt

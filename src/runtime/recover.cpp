// The guest's exact state from the host's, at any host instruction of a block.
#include "runtime/runtime.hpp"

namespace bmbt {

namespace {
// The host register that holds each guest register, backwards: guest number by host number, or 16.
constexpr auto guest_of_host = [] {
    struct { u8 at[32]; } t{};
    for (u8& x : t.at) x = 16;
    for (u8 n = 0; n < 16; n++) t.at[host::guest[n].number] = n;
    return t;
}();
}  // namespace

u64& Runtime::host_register(unsigned n) {
    static u64 zero;
    if (guest_of_host.at[n] < 16) return v_.gpr[guest_of_host.at[n]];
    if (n == host::flag_a.number) return v_.flags.a;
    if (n == host::flag_b.number) return v_.flags.b;
    if (n == host::flag_kind.number) return v_.flags.kind;
    if (n == host::segment_base.number) return v_.segment_base;
    if (n >= la64::t0.number && n <= la64::t8.number) return v_.host.temp[n - la64::t0.number];
    if (n == la64::ra.number) return v_.host.temp[9];
    zero = 0;
    return zero;
}

void Runtime::recover(const BlockInfo& b, const Snapshot& s) {
    const FlagState& f = s.flags;
    if (f.kind == FlagState::Kind::Known) {
        u64 a = host_register(f.a.number);
        u64 second = f.b_constant ? static_cast<u64>(static_cast<i64>(f.b_value)) : host_register(f.b.number);
        v_.flags = {a, second, flag_kind(f.op, f.size_log2)};
    }
    for (unsigned n = 0; n < 16; n++)
        if (bit(s.pending, n)) v_.gpr[n] &= 0xffff'ffff;
    v_.rip = b.key.rip + s.guest_offset;
    if (!b.key.mode.code64()) v_.rip &= b.key.mode.code_size() == x86::CodeSize::Bits32 ? 0xffff'ffff : 0xffff;
}

// The block and the last snapshot at or before a pc in its main code; a pc in the step slot stands for the one it copies.
Runtime::Place Runtime::place_of(u64 pc) {
    bool as_user = (v_.host.prmd & 3) == 3;
    const BlockStore::Region& r = store_.region(as_user);
    const u32* p = store_.pointer(as_user, pc);
    if (p >= r.shared.strings && p < r.shared.end) p = store_.pointer(as_user, pc = v_.host.temp[9]);
    u32 id;
    u64 offset;
    if (p >= r.slot.data() && p < r.slot.data() + r.slot.size()) {
        if (!step_.active) return {no_block, 0};
        id = step_.block;
        offset = step_.begin + static_cast<u64>(p - r.slot.data()) * 4;
    } else {
        id = store_.at(pc);
        if (id == no_block) return {no_block, 0};
        offset = static_cast<u64>(reinterpret_cast<const char*>(p) - reinterpret_cast<const char*>(store_.block(id).code));
    }
    const BlockInfo& b = store_.block(id);
    if (offset >= b.code_bytes) return {no_block, 0};
    unsigned n = 0;
    while (n + 1 < b.snapshot_count && store_.snapshot(b, n + 1).host_offset <= offset) n++;
    return {id, n};
}

u32 Runtime::host_word(u64 pc) { return *store_.pointer((v_.host.prmd & 3) == 3, pc); }

}  // namespace bmbt

// Interrupts are delivered between guest instructions, without a test in any block. An interrupt in the middle of an
// instruction copies the rest of its host code, and a gate behind it, into the vCPU's slot and lets it finish there.
// See docs/interrupts.md.
#include "la64/branch.hpp"
#include "runtime/runtime.hpp"

namespace bmbt {

using la64::Assembler;
using la64::BranchKind;

namespace {

// Copies a block's code word by word to the slot, so that every word keeps its distance from the first; what would leave
// the copy goes to a stub behind it.
class Copier {
 public:
    Copier(const BlockInfo& b, BlockStore& store, const BlockStore::Region& region, bool user, u32 start, u32 end)
        : b_(b), store_(store), region_(region), user_(user), start_(start), end_(end), as_(region.slot) {}

    void copy(bool gate_at_end) {
        last_ = gate_at_end ? end_ : i64{end_} - 4;  // without a gate the cold code begins there
        u32 o = start_;
        for (; o < end_;) {
            if (const Exit* e = exit_checked_at(o)) {
                gate_of(*e);
                // Nothing of the copy's words is behind this: a block's main code ends with it.
                break;
            }
            word(o);
            o += 4;
        }
        if (gate_at_end && o == end_) {
            as_.li(la64::t0, 0xffff'ffff);
            gate();
        }
        for (unsigned n = 0; n < stub_count_; n++) write_stub(stubs_[n]);
    }
    // From the middle of an exit's cold code: the rest of it, then its gate.
    void copy_exit_tail(const Exit& e, u32 from) {
        for (u32 o = from; o < e.check; o += 4) as_.emit(at(o));
        gate_of(e);
    }
    bool overflowed() const { return as_.overflowed() || stub_count_ == std::size(stubs_); }

 private:
    enum class To : u8 { Cold, Indirect, Address };
    struct Stub {
        u32 word;    // offset in the slot of the word that goes to it
        To to;
        u32 target;  // offset in the block
        u32 source;  // the original word
    };

    u32 at(u32 o) const { return b_.code[o / 4]; }
    void gate() {
        if (user_) {
            as_.syscall(0);
        } else {
            as_.ld_d(la64::ra, host::state, gate_target_offset);
            as_.jirl(la64::ra, la64::ra, 0);
        }
    }
    void gate_of(const Exit& e) {
        for (u32 o = e.site + 4; o < e.end; o += 4) as_.emit(at(o));
    }
    const Exit* exit_checked_at(u32 o) const {
        for (unsigned n = 0; n < b_.exit_count; n++)
            if (const Exit& e = store_.exit(b_, n).exit; e.check == o) return &e;
        return nullptr;
    }
    void stub(To to, u32 target, u32 source) {
        if (stub_count_ < std::size(stubs_)) stubs_[stub_count_++] = {static_cast<u32>(as_.size()), to, target, source};
        as_.emit(source);  // written when the stub's place is known
    }
    void word(u32 o) {
        u32 w = at(o);
        BranchKind kind = la64::branch_kind(w);
        if (kind == BranchKind::None) return as_.emit(w);
        if (kind == BranchKind::Register) {
            constexpr u32 to_link_mask = 0x1f;
            if ((w & to_link_mask) == la64::ra.number) return as_.emit(w);  // the gate's call
            return stub(To::Indirect, 0, w);
        }
        i64 target = static_cast<i64>(o) + la64::branch_offset(w);
        if (target >= start_ && target <= last_) return as_.emit(w);
        if (kind == BranchKind::PcAddress) return stub(To::Address, static_cast<u32>(target), w);
        if (target >= 0 && target < static_cast<i64>(b_.code_bytes)) return stub(To::Cold, static_cast<u32>(target), w);
        // Shared code: a call of it, or the way to the next block.
        if (kind == BranchKind::Call && &b_.code[o / 4] + la64::branch_offset(w) / 4 != region_.shared.indirect) {
            u64 from = reinterpret_cast<u64>(b_.code) + o, to = reinterpret_cast<u64>(region_.slot.data()) + as_.size();
            return as_.emit(*la64::relocated(w, from, to));
        }
        stub(To::Indirect, 0, w);
    }
    void write_stub(const Stub& s) {
        u32 here = static_cast<u32>(as_.size());
        u32* slot_word = region_.slot.data() + s.word / 4;
        i64 distance = static_cast<i64>(here) - s.word;
        bool direct = s.to == To::Cold;
        if (direct) {
            *slot_word = *la64::with_branch_offset(s.source, distance);
        } else {
            *slot_word = 0x5000'0000;  // b 0
            la64::retarget(slot_word, distance);
        }
        switch (s.to) {
            case To::Indirect:
                as_.li(la64::t0, gate::indirect);
                gate();
                break;
            case To::Address:
                as_.li(Gpr{static_cast<u8>(s.source & 31)}, store_.run_address(user_, b_.code + s.target / 4));
                as_.b(static_cast<i64>(s.word) + 4 - static_cast<i64>(as_.size()));
                break;
            case To::Cold: {
                for (unsigned n = 0; n < b_.exit_count; n++)
                    if (const Exit& e = store_.exit(b_, n).exit; e.begin == s.target) return copy_exit_tail(e, e.begin);
                // A slow path: its gate, to the call's end.
                for (u32 o = s.target; o < b_.code_bytes; o += 4) {
                    as_.emit(at(o));
                    bool call = user_ ? at(o) >> 15 == 0x56 : la64::branch_kind(at(o)) == BranchKind::Register;
                    if (call) break;
                }
            }
        }
    }

    static constexpr i64 gate_target_offset = offsetof(Vcpu, gate_target);
    const BlockInfo& b_;
    BlockStore& store_;
    const BlockStore::Region& region_;
    bool user_;
    u32 start_, end_;
    i64 last_ = 0;
    Assembler as_;
    Stub stubs_[64];
    unsigned stub_count_ = 0;
};

}  // namespace

bool Runtime::in_block_that_sets_if(u64 pc) {
    bool as_user = (v_.host.prmd & 3) == 3;
    const BlockStore::Region& r = store_.region(as_user);
    const u32* p = store_.pointer(as_user, pc);
    u32 id = store_.at(p >= r.shared.flag_bits && p < r.shared.indirect ? v_.host.temp[9] : pc);
    return id != no_block && store_.block(id).sets_if;
}

// In a routine of string_code.cpp every place is an instruction's boundary, once the updates of a piece are done.
bool Runtime::in_string_code(u64 pc) {
    bool as_user = (v_.host.prmd & 3) == 3;
    const BlockStore::Region& r = store_.region(as_user);
    const u32* p = store_.pointer(as_user, pc);
    return p >= r.shared.strings && p < r.shared.end;
}

void Runtime::finish_piece() {
    constexpr u32 addi_d = 0b0000001011;
    for (;;) {
        u32 w = host_word(v_.host.pc);
        if (w >> 22 != addi_d) return;
        host_register(w & 31) += static_cast<u64>(sign_extend(bits(w, 21, 10), 12));
        v_.host.pc += 4;
    }
}

bool Runtime::boundary_or_step(u64 pc) {
    bool as_user = (v_.host.prmd & 3) == 3;
    const BlockStore::Region& r = store_.region(as_user);
    const u32* p = store_.pointer(as_user, pc);
    if (in_string_code(pc)) {
        finish_piece();
        Place at = place_of(v_.host.pc);
        if (at.block == no_block) {
            lost("a string routine outside all blocks");
            return false;
        }
        const BlockInfo& b = store_.block(at.block);
        recover(b, store_.snapshot(b, at.snapshot));
        return true;
    }
    bool in_flag_bits = p >= r.shared.flag_bits && p < r.shared.indirect;
    if (p >= r.shared.indirect && p < r.shared.strings) {
        if (p == r.shared.no_prediction) v_.host.temp[host::return_ring.number - la64::t0.number] += 16;
        v_.rip = v_.host.temp[1];
        if (!reachable(v_.rip) && back_to_branch(block_called_from(v_.host.temp[9]), true)) interpret_one();
        return true;
    }
    u64 anchor = in_flag_bits ? v_.host.temp[9] : pc;
    u32 id = store_.at(anchor);
    if (id == no_block) return false;
    const BlockInfo& b = store_.block(id);
    if (b.key.mode.user() != as_user) return false;
    u64 far = static_cast<u64>(reinterpret_cast<u64>(store_.pointer(as_user, anchor)) - reinterpret_cast<u64>(b.code));
    if (far >= b.code_bytes) return false;
    u32 offset = static_cast<u32>(far);
    for (unsigned n = 0; n < b.exit_count; n++) {
        const Exit& e = store_.exit(b, n).exit;
        if (offset < e.begin || offset >= e.end) continue;
        if (offset >= e.check) {
            v_.rip = e.target;
            if (!reachable(e.target) && back_to_branch(id, false)) interpret_one();  // the branch faults, not what is there
            return true;
        }
        Copier c(b, store_, r, as_user, offset, e.check);
        c.copy_exit_tail(e, offset);
        step_ = {.active = true, .block = id, .end_snapshot = 0, .begin = offset, .end = e.check};
        v_.host.pc = store_.run_address(as_user, r.slot.data());
        host_.code_written();
        stats_.steps++;
        return false;
    }
    if (offset >= b.main_bytes) return false;  // a slow path's gate: C++ is about to be called

    unsigned n = 0;
    while (n + 1 < b.snapshot_count && store_.snapshot(b, n + 1).host_offset <= offset) n++;
    auto starts = [&](unsigned k) { return k == 0 || store_.snapshot(b, k - 1).insn != store_.snapshot(b, k).insn; };
    auto showable = [&](unsigned k) {
        const Snapshot& s = store_.snapshot(b, k);
        return s.flags.kind != FlagState::Kind::Dead && !s.shadowed;
    };
    if (!in_flag_bits && store_.snapshot(b, n).host_offset == offset && starts(n) && showable(n)) {
        recover(b, store_.snapshot(b, n));
        return true;
    }
    unsigned first = n, end = n + 1;
    while (!starts(first)) first--;
    while (end < b.snapshot_count && !(starts(end) && showable(end))) end++;
    bool to_boundary = end < b.snapshot_count;
    u32 from = store_.snapshot(b, first).host_offset, to = to_boundary ? store_.snapshot(b, end).host_offset : b.main_bytes;
    Copier c(b, store_, r, as_user, from, to);
    c.copy(to_boundary);
    if (c.overflowed()) return false;  // a later interrupt finds a better place
    step_ = {.active = true, .block = id, .end_snapshot = end, .begin = from, .end = to};
    u64 moved = store_.run_address(as_user, r.slot.data()) + offset - from;
    (in_flag_bits ? v_.host.temp[9] : v_.host.pc) = moved;
    host_.code_written();
    stats_.steps++;
    return false;
}

}  // namespace bmbt

// The guest's exact state from the host's, at any host instruction of a block.
#include <Zydis/Mnemonic.h>

#include "cpu/linear.hpp"
#include "cpu/operands.hpp"
#include "cpu/vcpu_offsets.inc"
#include "runtime/runtime.hpp"

namespace bmbt {

namespace {
// Where the Vcpu keeps what a host register holds while C++ runs, by host register; 0 is not kept.
constexpr auto place_in_vcpu = [] {
    struct { u16 at[32]; } t{};
    for (unsigned n = 0; n < 16; n++) t.at[host::guest[n].number] = static_cast<u16>(VCPU_GPR + 8 * n);
    t.at[host::flag_a.number] = VCPU_FLAGS;
    t.at[host::flag_b.number] = VCPU_FLAGS + 8;
    t.at[host::flag_kind.number] = VCPU_FLAGS + 16;
    t.at[host::segment_base.number] = VCPU_SEGMENT_BASE;
    for (unsigned n = 0; n < 9; n++) t.at[la64::t0.number + n] = static_cast<u16>(VCPU_HOST_TEMP + 8 * n);
    t.at[la64::ra.number] = VCPU_HOST_TEMP + 8 * 9;
    return t;
}();
}  // namespace

u64& Runtime::host_register(unsigned n) {
    static u64 zero;
    u16 at = place_in_vcpu.at[n];
    if (!at && n != host::guest[0].number) return zero = 0;
    return *reinterpret_cast<u64*>(reinterpret_cast<char*>(&v_) + at);
}

void Runtime::recover(const BlockInfo& b, const Snapshot& s) {
    const FlagState& f = s.flags;
    if (f.kind == FlagState::Kind::Known) {
        u64 a = host_register(f.a.number);
        u64 second = f.b_constant ? static_cast<u64>(static_cast<i64>(f.b_value)) : host_register(f.b.number);
        v_.flags = {a, second, flag_kind(f.op, f.size_log2)};
    }
    for (unsigned pending = s.pending; pending; pending &= pending - 1)
        v_.gpr[__builtin_ctz(pending)] &= 0xffff'ffff;
    v_.rip = b.key.rip + s.guest_offset;
    if (!b.key.mode.code64()) v_.rip &= 0xffff'ffff;  // 16-bit code may lie above 64 KiB of its segment
    if (s.x87.known || s.x87.remembered) recover_x87(b, s.x87);
}

// Writes what the block knows of the x87 and has not written.
void Runtime::recover_x87(const BlockInfo& b, const X87Record& lazy) {
    fpu::X87& x = vcpu_x87(v_);
    if (lazy.known) {
        x.status = static_cast<u16>((x.status & ~(0x3800 | (lazy.clear_c1 ? fpu::c1 : 0))) | lazy.top << 11);
        x.tag = lazy.tag;
    }
    if (!lazy.remembered) return;
    x.ip = b.key.rip + lazy.guest_offset;
    if (!b.key.mode.code64()) x.ip &= 0xffff'ffff;
    x.opcode = lazy.opcode;
    x.cs = v_.seg[x86::Cs].selector;
    if (lazy.has_segment) x.ds = v_.seg[lazy.segment].selector;
}

// An instruction may be there: a branch elsewhere is itself at fault.
bool Runtime::reachable(u64 rip) const { return v_.code64() ? canonical(rip) : rip <= v_.seg[x86::Cs].limit; }

// The block of the running privilege class from which shared code was called with this link, or no_block.
u32 Runtime::block_called_from(u64 link) {
    u32 id = store_.at(link - 4);
    return id != no_block && store_.block(id).key.mode.user() == user() ? id : no_block;
}

// v.rip is where a near branch has gone that must not go there. Source: Intel SDM vol. 2, "CALL", "JMP", "RET", "LOOP/LOOPcc": #GP names
// the branch. So what its code has done to registers is undone and v.rip names it; what a CALL has pushed lies below the
// stack pointer again. An indirect branch is the block's last instruction, another is known by its target.
// False: it is not to be found (a program can come to an exit in ways of its own), and v is as it was.
bool Runtime::back_to_branch(u32 id, bool indirect) {
    if (id == no_block) return false;
    const BlockInfo& b = store_.block(id);
    const u64 target = v_.rip, wrap = mode_.code64() ? ~u64{0} : 0xffff'ffff;
    for (unsigned n = b.snapshot_count; n-- > 0;) {
        v_.rip = b.key.rip + store_.snapshot(b, n).guest_offset & wrap;
        auto i = fetch(v_);
        if (!i) break;
        const x86::Operand& o = i->op[0];
        const bool relative = i->operands && o.is(x86::OperandKind::Relative);
        u64 to = v_.rip + i->length + static_cast<u64>(i->imm);
        if (i->operand_size < 8) to &= mask(i->operand_size * 8);
        if (indirect ? relative : !relative || to != target) {
            if (indirect) break;
            continue;
        }
        i64 stack = 0;
        if (i->mnemonic == ZYDIS_MNEMONIC_CALL) stack = i->operand_size;
        if (i->mnemonic == ZYDIS_MNEMONIC_RET) stack = -i64{i->operand_size} - (i->operands ? static_cast<u16>(i->imm) : 0);
        if (stack) set_gpr(v_, x86::Rsp, 1u << mode_.stack_log2(), v_.gpr[x86::Rsp] + static_cast<u64>(stack));
        const bool counts = i->mnemonic == ZYDIS_MNEMONIC_LOOP || i->mnemonic == ZYDIS_MNEMONIC_LOOPE || i->mnemonic == ZYDIS_MNEMONIC_LOOPNE;
        if (counts) set_gpr(v_, x86::Rcx, i->address_size, v_.gpr[x86::Rcx] + 1);
        return true;
    }
    v_.rip = target;
    return false;
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

// The instruction at a pc, or 0 (which is none) where no code of ours is: user code may have jumped anywhere.
u32 Runtime::host_word(u64 pc) {
    bool as_user = (v_.host.prmd & 3) == 3;
    const BlockStore::Region& r = store_.region(as_user);
    const u32* p = store_.pointer(as_user, pc);
    return pc % 4 == 0 && p >= r.begin && p < r.at ? *p : 0;
}

}  // namespace bmbt

#include "cpu/interpret.hpp"

#include <Zydis/Mnemonic.h>

#include "cpu/breakpoints.hpp"
#include "cpu/operands.hpp"
#include "cpu/semantics.hpp"

namespace bmbt {

using namespace x86;

CodeSize code_size(const Vcpu& v) {
    if (v.code64()) return CodeSize::Bits64;
    bool wide = v.seg[Cs].big() && !v.v8086();
    return wide ? CodeSize::Bits32 : CodeSize::Bits16;
}

namespace {

constexpr unsigned longest = 15;

// How many bytes from RIP on CS allows, at most 15.
unsigned allowed_by_limit(const Vcpu& v) {
    if (v.code64()) return longest;
    u64 rip = v.rip & 0xffff'ffff, limit = v.seg[Cs].limit;
    if (rip > limit) return 0;
    return limit - rip + 1 < longest ? limit - rip + 1 : longest;
}

// INT n and the system calls clear TF on their way, and with it their own single-step trap. Source: Intel SDM vol. 3,
// "Single-Step Exception Condition".
bool clears_trap(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_INT:
        case ZYDIS_MNEMONIC_INT1:
        case ZYDIS_MNEMONIC_INT3:
        case ZYDIS_MNEMONIC_INTO:
        case ZYDIS_MNEMONIC_SYSCALL:
        case ZYDIS_MNEMONIC_SYSENTER: return true;
        default: return false;
    }
}

}  // namespace

Guest<Insn> fetch(Vcpu& v) {
    const unsigned allowed = allowed_by_limit(v);
    if (!allowed || (v.code64() && !canonical(v.rip))) return gp();
    const u64 linear = v.code64() ? v.rip : (v.seg[Cs].base + v.rip) & 0xffff'ffff;
    const unsigned in_page = page_size - (linear & (page_size - 1));
    const Access access{.write = false, .fetch = true, .user = v.cpl == 3};

    u8 bytes[longest];
    unsigned have = in_page < allowed ? in_page : allowed;
    TRY(translate(v, linear, have, access)).load(v, bytes);
    Insn insn;
    auto decoded = [&](unsigned size) {
        return v.decodings ? v.decodings->decode(bytes, size, code_size(v), linear, insn) : decode(bytes, size, code_size(v), insn);
    };
    DecodeError e = decoded(have);
    // An instruction that is too long needs the next page as well before that is known.
    if ((e == DecodeError::Truncated || e == DecodeError::TooLong) && have < allowed) {
        u64 next = linear + have;
        if (!v.code64()) next &= 0xffff'ffff;
        else if (!canonical(next)) return gp();
        TRY(translate(v, next, allowed - have, access)).load(v, bytes + have);
        e = decoded(allowed);
    }
    switch (e) {
        case DecodeError::None: return insn;
        case DecodeError::Invalid: return ud();
        case DecodeError::TooLong:
        case DecodeError::Truncated: break;  // the limit of CS ended it
    }
    return gp();
}

Guest<> interpret(Vcpu& v) {
    const bool single_step = v.system_flags & flag::tf;
    const bool shadowed = v.shadow;
    const u64 at = v.rip, resumed = v.system_flags & flag::rf;
    const bool watched = breakpoints_enabled(v);
    if (!v.shadow_blocks_nmi) v.breakpoint_hits = 0;  // what MOV SS has hit is told after this instruction
    // An Intel processor does not stop between MOV SS and what follows.
    if (watched && !resumed && !v.shadow_blocks_nmi)
        if (u64 hit = instruction_breakpoints(v, v.code64() ? at : (v.seg[Cs].base + at) & 0xffff'ffff))
            return std::unexpected(Fault{.vector = Vector::Db, .dr6 = hit});
    const u64 hit_before = v.breakpoint_hits;
    Insn insn = TRY(fetch(v));
    v.shadow = v.shadow_blocks_nmi = false;
    v.next_rip = following_rip(v, insn);
    if (watched) v.system_flags &= ~flag::rf;  // IRET may set it anew
    auto done = semantics_of(insn)(v, insn);
    if (!done) {
        // A trap knows where it goes on: in a new task, too.
        if (!done.error().trap) v.next_rip = following_rip(v, insn);
        v.shadow = shadowed;
        v.system_flags |= resumed;
        v.breakpoint_hits = hit_before;
        return done;
    }
    const bool branched = v.next_rip != following_rip(v, insn);
    v.rip = v.next_rip;
    if (v.rip == at && (insn.rep || insn.repne)) v.system_flags |= resumed;  // it has not ended
    const bool cleared = clears_trap(insn) && !(v.system_flags & flag::tf);
    const bool steps = single_step && !cleared && (branched || !(v.debug_ctl & debug_ctl_btf));
    const u64 traps = v.breakpoint_hits | (steps ? 1 << 14 : 0);
    if (traps && !v.shadow_blocks_nmi) return std::unexpected(Fault{.vector = Vector::Db, .dr6 = traps, .trap = true});
    return {};
}

}  // namespace bmbt

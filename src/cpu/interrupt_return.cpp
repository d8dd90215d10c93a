// INT n and its kin, IRET, far RET.
#include <Zydis/Zydis.h>

#include <utility>

#include "cpu/operands.hpp"
#include "cpu/platform.hpp"
#include "cpu/transfer.hpp"

namespace bmbt {

using namespace x86;

Guest<> software_interrupt(Vcpu& v, const Insn& i) {
    u64 back = following_rip(v, i);
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_INTO:
            if (!(evaluate(v.flags) & flag::of)) return {};
            return deliver(v, 4, Event::Software, back);
        case ZYDIS_MNEMONIC_INT3: return deliver(v, 3, Event::Software, back);
        case ZYDIS_MNEMONIC_INT1:
            v.dr[6] |= std::exchange(v.breakpoint_hits, 0);  // what MOV SS has hit comes along
            return deliver(v, 1, Event::Exception, back);
        default:
            if (v.v8086() && flag_iopl(v) < 3) return gp();
            return deliver(v, i.imm, Event::Software, back);
    }
}

namespace {

// The bits of RFLAGS that IRET (or POPF) with a given size and privilege may change.
u64 writable_flags(const Vcpu& v, unsigned size) {
    u64 m = flag::arithmetic | flag::tf | flag::df | flag::nt;
    if (size > 2) m |= flag::rf | flag::ac | flag::id;
    if (v.cpl <= flag_iopl(v)) m |= flag::if_;
    if (v.cpl == 0) {
        m |= flag::iopl;
        if (size > 2) m |= flag::vif | flag::vip;
    }
    return m;
}

void load_flags(Vcpu& v, u64 flags, u64 writable) { set_rflags(v, (rflags(v) & ~writable) | (flags & writable)); }

Guest<> iret_real(Vcpu& v, unsigned size) {
    StackView s = current_stack(v);
    u64 rip = TRY(peek(v, s, 0, size)), cs = TRY(peek(v, s, 1, size)), flags = TRY(peek(v, s, 2, size));
    Segment to = real_segment(v, Cs, cs);
    CHECK(check_rip(v, to, rip));
    u64 writable = flag::arithmetic | flag::tf | flag::if_ | flag::df | flag::nt;
    if (!v.v8086()) writable |= flag::iopl;
    if (size > 2) writable |= flag::rf | flag::ac | flag::id;
    commit_sp(v, s, s.sp + 3 * size);
    commit(v, {.cs = to, .cpl = v.cpl, .rip = rip});
    load_flags(v, flags, writable);
    return {};
}

Guest<> iret_to_v8086(Vcpu& v, const StackView& s, u64 rip, u64 cs, u64 flags) {
    u64 item[6];
    for (unsigned n = 0; n < 6; n++) item[n] = TRY(peek(v, s, 3 + n, 4));  // ESP SS ES DS FS GS
    if ((rip & 0xffff) != rip) return gp();
    set_rflags(v, flags);
    commit(v, {.cs = real_segment(v, Cs, cs), .cpl = 3, .rip = rip & 0xffff});
    const Seg order[] = {Ss, Es, Ds, Fs, Gs};
    for (unsigned n = 0; n < 5; n++) set_segment(v, order[n], real_segment(v, order[n], item[1 + n]));
    v.gpr[Rsp] = item[0];
    v.platform->mode_changed(v);
    return {};
}

// After a return to an outer level, data segments that it may not use are nulled. FS and GS keep the base that 64-bit
// code goes on using: only their selectors and rights go.
void drop_inner_segments(Vcpu& v) {
    for (Seg seg : {Es, Ds, Fs, Gs}) {
        const Segment& s = v.seg[seg];
        bool conforming = s.is_code() && s.access & access::conforming;
        if (s.present() && s.dpl() < v.cpl && !conforming)
            set_segment(v, seg,
                        {.selector = 0, .access = 0, .limit = 0xffff, .base = seg >= Fs && v.long_mode() ? s.base : 0});
    }
}

// The stack that a return to an outer level (or any IRET in 64-bit mode) pops.
Guest<Segment> stack_for_return(Vcpu& v, u16 selector, const Segment& cs) {
    const unsigned cpl = cs.selector & 3;
    if (null_selector(selector)) {
        bool allowed = v.long_mode() && cs.long_code() && cpl != 3 && (selector & 3u) == cpl;
        if (!allowed) return gp();
        return Segment{.selector = selector, .access = static_cast<u16>(access::dpl(cpl)), .limit = 0xffff};
    }
    return stack_segment(v, selector, cpl, Vector::Gp);
}

// The common end of IRET and RETF: `at` is the index of ESP on the stack if SS:ESP are popped.
struct Return {
    Segment cs;
    u64 rip;
    bool pops_stack;
};

Guest<> finish_return(Vcpu& v, const Return& r, StackView s, unsigned items, unsigned size, u64 release) {
    const unsigned cpl = r.cs.selector & 3;
    const bool outward = cpl > v.cpl;
    if (!r.pops_stack) {
        CHECK(check_rip(v, r.cs, r.rip));
        commit_sp(v, s, s.sp + items * size + release);
        commit(v, {.cs = r.cs, .cpl = v.cpl, .rip = r.rip});
        return {};
    }
    StackView above = s;
    above.sp += release;
    u64 sp = TRY(peek(v, above, items, size)), ss = TRY(peek(v, above, items + 1, size));
    Segment stack = TRY(stack_for_return(v, ss, r.cs));
    CHECK(check_rip(v, r.cs, r.rip));
    commit(v, {.cs = r.cs, .cpl = cpl, .rip = r.rip});
    set_segment(v, Ss, stack);
    StackView to = current_stack(v);
    commit_sp(v, to, sp + (outward ? release : 0));
    if (outward) drop_inner_segments(v);
    return {};
}

}  // namespace

Guest<> iret(Vcpu& v, const Insn& i) {
    const unsigned size = i.operand_size;
    v.nmi_blocked = false;
    if (!v.protected_mode()) return iret_real(v, size);
    if (v.v8086()) return flag_iopl(v) == 3 ? iret_real(v, size) : gp();
    if (v.system_flags & flag::nt) {
        if (v.long_mode()) return gp();
        u16 link = TRY(read(v, v.tr.base & 0xffff'ffff, Width::Word, As::Supervisor));
        return switch_task(v, link, TaskSwitch::Return, following_rip(v, i), rflags(v) & ~flag::rf);
    }
    StackView s = current_stack(v);
    u64 rip = TRY(peek(v, s, 0, size)), selector = TRY(peek(v, s, 1, size)), flags = TRY(peek(v, s, 2, size));
    if (size == 4 && flags & flag::vm && v.cpl == 0 && !v.long_mode())
        return iret_to_v8086(v, s, rip, selector & 0xffff, flags);
    Segment cs = TRY(code_segment_for_return(v, selector));
    u64 writable = writable_flags(v, size);
    bool pops_stack = v.code64() || (cs.selector & 3u) > v.cpl;
    CHECK(finish_return(v, {cs, rip, pops_stack}, s, 3, size, 0));
    load_flags(v, flags, writable);
    return {};
}

Guest<> far_return(Vcpu& v, const Insn& i) {
    const unsigned size = i.operand_size;
    const u64 release = i.operands ? i.imm & 0xffff : 0;
    StackView s = current_stack(v);
    u64 rip = TRY(peek(v, s, 0, size)), selector = TRY(peek(v, s, 1, size));
    if (!v.protected_mode() || v.v8086()) {
        Segment cs = real_segment(v, Cs, selector);
        CHECK(check_rip(v, cs, rip));
        commit_sp(v, s, s.sp + 2 * size + release);
        commit(v, {.cs = cs, .cpl = v.cpl, .rip = rip});
        return {};
    }
    Segment cs = TRY(code_segment_for_return(v, selector));
    return finish_return(v, {cs, rip, (cs.selector & 3u) > v.cpl}, s, 2, size, release);
}

}  // namespace bmbt

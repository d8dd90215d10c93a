// Near branches, and far JMP, CALL and RET.
#include "cpu/transfer.hpp"

#include <Zydis/Zydis.h>

#include "cpu/conditions.hpp"
#include "cpu/operands.hpp"
#include "cpu/platform.hpp"

namespace bmbt {

using namespace x86;

Guest<> check_rip(const Vcpu& v, const Segment& cs, u64 rip) {
    if (v.long_mode() && cs.long_code()) {
        if (!canonical(rip)) return gp();
    } else if ((rip & 0xffff'ffff) > cs.limit) {
        return gp();
    }
    return {};
}

void commit(Vcpu& v, const CodeTarget& t) {
    set_code_segment(v, t.cs, t.cpl);
    v.next_rip = v.long_mode() && t.cs.long_code() ? t.rip : t.rip & 0xffff'ffff;
}

// --- Near

namespace {

Guest<> go_to(Vcpu& v, u64 rip, unsigned size) {
    rip &= mask(8 * size);
    CHECK(check_rip(v, v.seg[Cs], rip));
    v.next_rip = rip;
    return {};
}

Guest<u64> near_target(Vcpu& v, const Insn& i) {
    if (i.op[0].is(OperandKind::Relative)) return following_rip(v, i) + static_cast<u64>(i.imm);
    return get(v, i, 0);
}

// LOOP counts in CX, ECX or RCX by address size; the count is written only if the branch does not fault.
Guest<> loop(Vcpu& v, const Insn& i) {
    u64 count = (get_gpr(v, Rcx, i.address_size) - 1) & mask(8 * i.address_size);
    bool zf = evaluate(v.flags) & flag::zf;
    bool taken = count != 0;
    if (i.mnemonic == ZYDIS_MNEMONIC_LOOPE) taken = taken && zf;
    if (i.mnemonic == ZYDIS_MNEMONIC_LOOPNE) taken = taken && !zf;
    if (taken) CHECK(go_to(v, TRY(near_target(v, i)), i.operand_size));
    set_gpr(v, Rcx, i.address_size, count);
    return {};
}

}  // namespace

Guest<> near_branch(Vcpu& v, const Insn& i) {
    bool taken = true;
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_LOOP:
        case ZYDIS_MNEMONIC_LOOPE:
        case ZYDIS_MNEMONIC_LOOPNE: return loop(v, i);
        case ZYDIS_MNEMONIC_JCXZ:
        case ZYDIS_MNEMONIC_JECXZ:
        case ZYDIS_MNEMONIC_JRCXZ: taken = get_gpr(v, Rcx, i.address_size) == 0; break;
        case ZYDIS_MNEMONIC_JMP: break;
        default: taken = condition(v, i.opcode);
    }
    if (!taken) return {};
    return go_to(v, TRY(near_target(v, i)), i.operand_size);
}

Guest<> near_call(Vcpu& v, const Insn& i) {
    u64 to = TRY(near_target(v, i)) & mask(8 * i.operand_size);
    CHECK(check_rip(v, v.seg[Cs], to));
    CHECK(push(v, following_rip(v, i), i.operand_size));
    v.next_rip = to;
    return {};
}

Guest<> near_return(Vcpu& v, const Insn& i) {
    StackView s = current_stack(v);
    u64 to = TRY(peek(v, s, 0, i.operand_size));
    CHECK(go_to(v, to, i.operand_size));
    commit_sp(v, s, s.sp + i.operand_size + (i.operands ? i.imm & 0xffff : 0));
    return {};
}

// --- Far

Guest<Segment> code_segment_for_jump(Vcpu& v, u16 selector, DescriptorEntry& e) {
    const u32 error = selector & ~3u;
    if (!e.is_code()) return gp(error);
    if (e.conforming() ? e.dpl() > v.cpl : (selector & 3u) > v.cpl || e.dpl() != v.cpl) return gp(error);
    if (v.long_mode() && e.long_code() && e.big()) return gp(error);
    if (!e.present()) return fault(Vector::Np, error);
    CHECK(mark_accessed(v, e));
    return e.segment(error | v.cpl);
}

Guest<Segment> code_segment_for_return(Vcpu& v, u16 selector) {
    const u32 error = selector & ~3u;
    const unsigned rpl = selector & 3;
    if (null_selector(selector)) return gp();
    DescriptorEntry e = TRY(descriptor(v, selector));
    if (!e.is_code() || rpl < v.cpl) return gp(error);
    if (e.conforming() ? e.dpl() > rpl : e.dpl() != rpl) return gp(error);
    if (v.long_mode() && e.long_code() && e.big()) return gp(error);
    if (!e.present()) return fault(Vector::Np, error);
    CHECK(mark_accessed(v, e));
    return e.segment(selector);
}

namespace {

// What a far JMP or CALL names: the selector and offset of its operand.
struct FarPointer {
    u16 selector;
    u64 offset;
};
Guest<FarPointer> far_pointer(Vcpu& v, const Insn& i) {
    if (i.op[0].is(OperandKind::FarPointer))
        return FarPointer{static_cast<u16>(i.imm2), static_cast<u64>(i.imm) & mask(8 * i.operand_size)};
    u8 image[10] = {};
    CHECK(get_bytes(v, i, image, i.operand_size));
    CHECK(get_bytes(v, i, image + i.operand_size, 2, i.operand_size));
    u64 offset = 0;
    for (unsigned n = 0; n < i.operand_size; n++) offset |= u64{image[n]} << 8 * n;
    return FarPointer{static_cast<u16>(image[i.operand_size] | image[i.operand_size + 1] << 8), offset};
}

Guest<> push_return(Vcpu& v, StackView s, u64 rip, unsigned size) {
    u64 items[] = {v.seg[Cs].selector, rip};
    CHECK(push_frame(v, s, items, 2, size));
    commit_sp(v, s);
    return {};
}

Guest<> real_far(Vcpu& v, FarPointer to, bool call, u64 return_rip, unsigned size) {
    Segment cs = real_segment(v, Cs, to.selector);
    if (to.offset > cs.limit) return gp();
    if (call) CHECK(push_return(v, current_stack(v), return_rip, size));
    commit(v, {.cs = cs, .cpl = v.cpl, .rip = to.offset});
    return {};
}

struct Gate {
    DescriptorEntry entry;
    unsigned size;  // of what is pushed
    unsigned parameters;
};

Guest<Gate> call_gate(Vcpu& v, u16 selector, DescriptorEntry e) {
    const u32 error = selector & ~3u;
    if (e.dpl() < v.cpl || e.dpl() < (selector & 3u)) return gp(error);
    if (!e.present()) return fault(Vector::Np, error);
    CHECK(complete_system_descriptor(v, selector, e, Vector::Gp));
    unsigned size = v.long_mode() ? 8 : e.type() == system_type::call_gate32 ? 4 : 2;
    if (size == 2) e.low.raw &= mask(48);
    return Gate{e, size, v.long_mode() ? 0 : static_cast<unsigned>(bits(e.low.raw, 36, 32))};
}

// The code segment behind a call gate and the privilege level it will run at.
Guest<CodeTarget> gate_target(Vcpu& v, const Gate& g, bool call) {
    const u16 selector = g.entry.gate_selector();
    const u32 error = selector & ~3u;
    if (null_selector(selector)) return gp();
    DescriptorEntry e = TRY(descriptor(v, selector));
    if (!e.is_code() || e.dpl() > v.cpl) return gp(error);
    if (v.long_mode() && (!e.long_code() || e.big())) return gp(error);
    unsigned cpl = e.conforming() ? static_cast<unsigned>(v.cpl) : e.dpl();
    if (!call && cpl != v.cpl) return gp(error);
    if (!e.present()) return fault(Vector::Np, error);
    CHECK(mark_accessed(v, e));
    CodeTarget t{.cs = e.segment(error | cpl), .cpl = cpl, .rip = g.entry.gate_offset()};
    CHECK(check_rip(v, t.cs, t.rip));
    return t;
}

Guest<StackView> stack_for_gate(Vcpu& v, unsigned cpl) {
    if (!v.long_mode()) return inner_stack(v, cpl, 0);
    u64 rsp = TRY(tss64_rsp(v, cpl, 0));
    return StackView{.ss = flat_stack(cpl, cpl), .sp = rsp, .code64 = true, .as = As::Supervisor};
}

// Through a call gate to a more privileged level: the caller's SS:SP and its parameters are copied to the new stack.
Guest<> call_inward(Vcpu& v, const Gate& g, const CodeTarget& t, u64 return_rip) {
    StackView to = TRY(stack_for_gate(v, t.cpl));
    StackView from = current_stack(v);
    u64 items[40];
    unsigned count = 0;
    items[count++] = v.seg[Ss].selector;
    items[count++] = v.gpr[Rsp];
    for (unsigned n = g.parameters; n-- > 0;) items[count++] = TRY(peek(v, from, n, g.size));
    items[count++] = v.seg[Cs].selector;
    items[count++] = return_rip;
    CHECK(push_frame(v, to, items, count, g.size, v.long_mode() ? 0 : to.ss.selector & ~3u));
    commit(v, t);
    set_segment(v, Ss, to.ss);
    commit_sp(v, to);
    return {};
}

Guest<> through_gate(Vcpu& v, u16 selector, const DescriptorEntry& e, bool call, u64 return_rip) {
    Gate g = TRY(call_gate(v, selector, e));
    CodeTarget t = TRY(gate_target(v, g, call));
    if (call && t.cpl < v.cpl) return call_inward(v, g, t, return_rip);
    if (call) {
        StackView s = current_stack(v);
        if (v.long_mode()) s.code64 = true;  // the gate leads to 64-bit code, whose pushes these are
        CHECK(push_return(v, s, return_rip, g.size));
    }
    commit(v, t);
    return {};
}

Guest<> far(Vcpu& v, const Insn& i, bool call) {
    FarPointer to = TRY(far_pointer(v, i));
    u64 back = following_rip(v, i);
    if (!v.protected_mode() || v.v8086()) return real_far(v, to, call, back, i.operand_size);
    if (null_selector(to.selector)) return gp();
    DescriptorEntry e = TRY(descriptor(v, to.selector));
    if (!e.is_system()) {
        Segment cs = TRY(code_segment_for_jump(v, to.selector, e));
        CHECK(check_rip(v, cs, to.offset));
        if (call) CHECK(push_return(v, current_stack(v), back, i.operand_size));
        commit(v, {.cs = cs, .cpl = v.cpl, .rip = to.offset});
        return {};
    }
    const u32 error = to.selector & ~3u;
    switch (e.type()) {
        case system_type::call_gate32: return through_gate(v, to.selector, e, call, back);
        case system_type::call_gate16:
            if (v.long_mode()) return gp(error);
            return through_gate(v, to.selector, e, call, back);
        case system_type::tss16:
        case system_type::tss32:
        case system_type::task_gate: {
            if (v.long_mode() || e.dpl() < v.cpl || e.dpl() < (to.selector & 3u)) return gp(error);
            u16 tss = to.selector;
            if (e.type() == system_type::task_gate) {
                if (!e.present()) return fault(Vector::Np, error);
                tss = e.gate_selector();
            }
            return switch_task(v, tss, call ? TaskSwitch::Call : TaskSwitch::Jump, back, rflags(v) & ~flag::rf);
        }
        default: return gp(error);
    }
}

}  // namespace

Guest<> far_jump(Vcpu& v, const Insn& i) { return far(v, i, false); }
Guest<> far_call(Vcpu& v, const Insn& i) { return far(v, i, true); }

}  // namespace bmbt

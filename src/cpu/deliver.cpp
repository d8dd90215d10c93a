// Interrupts and exceptions through the IDT. Source: Intel SDM vol. 3, "Interrupt and Exception Handling".
#include "cpu/breakpoints.hpp"
#include "cpu/operands.hpp"
#include "cpu/platform.hpp"
#include "cpu/transfer.hpp"

namespace bmbt {

using namespace x86;

namespace {

struct Delivery {
    u8 vector;
    Event event;
    u64 return_rip;
    bool has_error;
    u32 error;

    u32 ext() const { return event == Event::Software ? 0 : 1; }
    u32 idt_error() const { return vector * 8u + 2 + ext(); }
};

// RFLAGS as pushed: a fault's image has RF set, so that a debugger's breakpoint does not hit twice. Else it is clear: an
// instruction that completes clears it, which is done in fact only while a breakpoint could hit.
u64 pushed_flags(const Vcpu& v, const Delivery& d) {
    bool fault_class = d.event == Event::Exception && d.vector != 1 && d.vector != 3 && d.vector != 4 && d.vector != 8;
    u64 flags = rflags(v);
    if (!breakpoints_enabled(v)) flags &= ~flag::rf;
    return flags | (fault_class ? flag::rf : 0);
}

void go_on(Vcpu& v) {
    v.shadow = v.shadow_blocks_nmi = false;
    v.halted = false;
    v.rip = v.next_rip;
}

void enter_handler(Vcpu& v, bool clear_if, u64 also_clear) {
    v.system_flags &= ~(flag::tf | flag::rf | also_clear | (clear_if ? flag::if_ : 0));
    go_on(v);
}

Guest<> deliver_real(Vcpu& v, const Delivery& d) {
    if (d.vector * 4u + 3 > v.idtr.limit) return gp();
    u64 entry = TRY(read(v, (v.idtr.base + d.vector * 4u) & 0xffff'ffff, Width::Dword, As::Supervisor));
    StackView s = current_stack(v);
    u64 items[] = {rflags(v), v.seg[Cs].selector, d.return_rip};
    CHECK(push_frame(v, s, items, 3, 2));
    commit_sp(v, s);
    commit(v, {.cs = real_segment(v, Cs, entry >> 16), .cpl = v.cpl, .rip = entry & 0xffff});
    enter_handler(v, true, flag::ac);
    v.paging.flags_ac = false;
    return {};
}

// --- Protected and long mode

struct IdtGate {
    u16 selector = 0;
    u64 offset = 0;
    bool clears_if = false;
    bool task = false;
    unsigned size = 0;  // of what is pushed
    unsigned ist = 0;
};

Guest<IdtGate> idt_gate(Vcpu& v, const Delivery& d) {
    const unsigned entry_size = v.long_mode() ? 16 : 8;
    if (d.vector * entry_size + entry_size - 1 > v.idtr.limit) return gp(d.idt_error());
    DescriptorEntry e;
    e.linear = v.idtr.base + d.vector * entry_size;
    if (!v.long_mode()) e.linear &= 0xffff'ffff;
    e.low.raw = TRY(read(v, e.linear, Width::Qword, As::Supervisor));
    const u8 type = e.type();
    const bool gate32 = type == system_type::interrupt_gate32 || type == system_type::trap_gate32;
    const bool gate16 = type == system_type::interrupt_gate16 || type == system_type::trap_gate16;
    const bool task = type == system_type::task_gate;
    if (!e.is_system() || !(gate32 || (!v.long_mode() && (gate16 || task)))) return gp(d.idt_error());
    if (d.event == Event::Software && e.dpl() < v.cpl) return gp(d.idt_error());
    if (!e.present()) return fault(Vector::Np, d.idt_error());
    if (v.long_mode()) e.high = TRY(read(v, e.linear + 8, Width::Dword, As::Supervisor));
    IdtGate g;
    g.selector = e.gate_selector();
    g.offset = gate16 ? e.gate_offset() & 0xffff : e.gate_offset();
    g.clears_if = !(type & 1);
    g.task = task;
    g.size = v.long_mode() ? 8 : gate32 ? 4 : 2;
    g.ist = v.long_mode() ? bits(e.low.raw, 34, 32) : 0;
    return g;
}

Guest<CodeTarget> handler_code(Vcpu& v, const Delivery& d, const IdtGate& g) {
    const u32 ext = d.ext(), error = (g.selector & ~3u) | ext;
    if (null_selector(g.selector)) return gp(ext);
    DescriptorEntry e = TRY(descriptor(v, g.selector, Vector::Gp, ext));
    if (!e.is_code() || e.dpl() > v.cpl) return gp(error);
    if (v.long_mode() && (!e.long_code() || e.big())) return gp(error);
    unsigned cpl = e.conforming() ? static_cast<unsigned>(v.cpl) : e.dpl();
    if (!e.present()) return fault(Vector::Np, error);
    if (v.v8086() && cpl != 0) return gp(error);
    CHECK(mark_accessed(v, e));
    CodeTarget t{.cs = e.segment((g.selector & ~3u) | cpl), .cpl = cpl, .rip = g.offset};
    if (auto ok = check_rip(v, t.cs, t.rip); !ok) return gp(ext);
    return t;
}

Guest<> deliver_long(Vcpu& v, const Delivery& d, const IdtGate& g) {
    CodeTarget t = TRY(handler_code(v, d, g));
    StackView s{.ss = v.seg[Ss], .sp = v.gpr[Rsp], .code64 = true, .as = t.cpl == 3 ? As::User : As::Supervisor};
    bool inward = t.cpl != v.cpl;
    if (g.ist)
        s.sp = TRY(tss64_rsp(v, 3 + g.ist, d.ext()));
    else if (inward)
        s.sp = TRY(tss64_rsp(v, t.cpl, d.ext()));
    s.sp &= ~u64{15};
    u64 items[6] = {v.seg[Ss].selector, v.gpr[Rsp], pushed_flags(v, d), v.seg[Cs].selector, d.return_rip, d.error};
    CHECK(push_frame(v, s, items, d.has_error ? 6 : 5, 8, d.ext()));
    commit(v, t);
    if (inward) set_segment(v, Ss, flat_stack(t.cpl, t.cpl));
    v.gpr[Rsp] = s.sp;
    enter_handler(v, g.clears_if, flag::nt | flag::vm);
    return {};
}

// From virtual-8086 mode the data segments are pushed too and nulled.
Guest<> deliver_from_v8086(Vcpu& v, const Delivery& d, const IdtGate& g, const CodeTarget& t) {
    StackView s = TRY(inner_stack(v, 0, d.ext()));
    u64 items[10] = {v.seg[Gs].selector, v.seg[Fs].selector, v.seg[Ds].selector, v.seg[Es].selector, v.seg[Ss].selector,
                     v.gpr[Rsp],         pushed_flags(v, d), v.seg[Cs].selector, d.return_rip,       d.error};
    // The stack is checked as protected mode has it, although the CPU is still in virtual-8086 mode.
    u64 flags = v.system_flags;
    v.system_flags &= ~flag::vm;
    auto pushed = push_frame(v, s, items, d.has_error ? 10 : 9, g.size, (s.ss.selector & ~3u) | d.ext());
    v.system_flags = flags;
    CHECK(pushed);
    v.system_flags &= ~flag::vm;
    commit(v, t);
    set_segment(v, Ss, s.ss);
    commit_sp(v, s);
    for (Seg seg : {Es, Ds, Fs, Gs}) set_segment(v, seg, {.selector = 0, .access = 0, .limit = 0xffff});
    enter_handler(v, g.clears_if, flag::nt | flag::vm);
    return {};
}

// The flags are the new task's own, TF and RF too. Its T bit traps behind the error code.
Guest<> deliver_to_task(Vcpu& v, const Delivery& d, const IdtGate& g) {
    auto switched = switch_task(v, g.selector, TaskSwitch::Gate, d.return_rip, pushed_flags(v, d), d.ext());
    if (!switched && !switched.error().trap) return switched;
    if (d.has_error) {
        StackView s = current_stack(v);
        const u64 error = d.error;
        CHECK(push_frame(v, s, &error, 1, v.tr.access & 8 ? 4 : 2, d.ext()));
        commit_sp(v, s);
    }
    go_on(v);
    return switched;
}

Guest<> deliver_protected(Vcpu& v, const Delivery& d) {
    IdtGate g = TRY(idt_gate(v, d));
    if (v.long_mode()) return deliver_long(v, d, g);
    if (g.task) return deliver_to_task(v, d, g);
    CodeTarget t = TRY(handler_code(v, d, g));
    if (v.v8086()) return deliver_from_v8086(v, d, g, t);
    if (t.cpl == v.cpl) {
        StackView s = current_stack(v);
        u64 items[] = {pushed_flags(v, d), v.seg[Cs].selector, d.return_rip, d.error};
        CHECK(push_frame(v, s, items, d.has_error ? 4 : 3, g.size, d.ext()));
        commit(v, t);
        commit_sp(v, s);
    } else {
        StackView s = TRY(inner_stack(v, t.cpl, d.ext()));
        u64 items[] = {v.seg[Ss].selector, v.gpr[Rsp], pushed_flags(v, d), v.seg[Cs].selector, d.return_rip, d.error};
        CHECK(push_frame(v, s, items, d.has_error ? 6 : 5, g.size, (s.ss.selector & ~3u) | d.ext()));
        commit(v, t);
        set_segment(v, Ss, s.ss);
        commit_sp(v, s);
    }
    enter_handler(v, g.clears_if, flag::nt | flag::vm);
    return {};
}

}  // namespace

Guest<> deliver(Vcpu& v, u8 vector, Event event, u64 return_rip, bool has_error, u32 error) {
    Delivery d{vector, event, return_rip, has_error, error};
    return v.protected_mode() ? deliver_protected(v, d) : deliver_real(v, d);
}

// --- Faults within faults. Intel SDM vol. 3, "Interrupt 8--Double Fault Exception".

namespace {

enum class Severity : u8 { Benign, Contributory, PageFault, DoubleFault };

Severity severity(Vector v) {
    switch (v) {
        case Vector::De:
        case Vector::Ts:
        case Vector::Np:
        case Vector::Ss:
        case Vector::Gp: return Severity::Contributory;
        case Vector::Pf: return Severity::PageFault;
        case Vector::Df: return Severity::DoubleFault;
        default: return Severity::Benign;
    }
}

// What a fault does besides running its handler.
void note(Vcpu& v, const Fault& f) {
    if (f.vector == Vector::Pf) v.cr2 = f.address;
    if (f.vector == Vector::Db) {
        v.dr[6] = (v.dr[6] & ~u64{15}) | f.dr6;
        v.dr[7] &= ~u64{1 << 13};
        v.debug_ctl &= ~debug_ctl_btf;
    }
}

// `first` failed to be delivered with `second`. What is to be delivered now; false: nothing, the CPU shuts down.
bool combine(Severity first, Fault& second) {
    Severity s = severity(second.vector);
    if (first == Severity::DoubleFault) return false;
    bool doubled = (first == Severity::Contributory && s == Severity::Contributory) ||
                   (first == Severity::PageFault && s != Severity::Benign);
    if (doubled) second = {.vector = Vector::Df, .has_error = true};
    return true;
}

void deliver_chain(Vcpu& v, Severity first, Fault f, u64 return_rip) {
    for (;;) {
        note(v, f);
        auto done = deliver(v, static_cast<u8>(f.vector), Event::Exception, return_rip,
                            f.has_error && v.protected_mode(), f.error);
        if (done) return;
        first = severity(f.vector);
        f = done.error();
        return_rip = v.rip;
        if (f.vector == Vector::Pf) v.cr2 = f.address;  // even if it becomes a double fault
        if (!combine(first, f)) {
            v.shutdown = true;
            return;
        }
    }
}

}  // namespace

void raise(Vcpu& v, const Fault& f) {
    // Told of by IRQ 13: the processor stands before the instruction until an interrupt comes.
    if (f.vector == Vector::Mf && !(v.paging.cr0 & cr0::ne)) {
        v.halted = true;
        return;
    }
    // INT3 and INTO through a gate that is too privileged fail like INT n; here only exceptions proper arrive.
    deliver_chain(v, Severity::Benign, f, f.trap ? v.next_rip : v.rip);
}

void interrupt(Vcpu& v, u8 vector) {
    if (vector == 2) v.nmi_blocked = true;
    auto done = deliver(v, vector, Event::Hardware, v.rip);
    if (!done) deliver_chain(v, Severity::Benign, done.error(), v.rip);
}

}  // namespace bmbt

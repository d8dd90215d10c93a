// The task-state segment: stacks of inner levels, and hardware task switches. Intel SDM vol. 3, "Task Management".
#include "cpu/operands.hpp"
#include "cpu/platform.hpp"
#include "cpu/transfer.hpp"

namespace bmbt {

using namespace x86;

namespace {

Guest<u64> tss_field(Vcpu& v, u64 offset, unsigned size, u32 ext) {
    if (!v.tr.present() || offset + size - 1 > v.tr.limit) return fault(Vector::Ts, (v.tr.selector & ~3u) | ext);
    u64 linear = v.tr.base + offset;
    if (!v.long_mode()) linear &= 0xffff'ffff;
    return TRY(translate(v, linear, size, false, As::Supervisor)).load(v);
}

bool is_tss32(const Segment& tr) { return tr.access & 8; }

}  // namespace

Guest<u64> tss64_rsp(Vcpu& v, unsigned index, u32 ext) {
    u64 offset = index < 3 ? 4 + 8 * index : 0x24 + 8 * (index - 4);
    u64 rsp = TRY(tss_field(v, offset, 8, ext));
    if (!canonical(rsp)) return fault(Vector::Ss, ext);
    return rsp;
}

Guest<StackView> inner_stack(Vcpu& v, unsigned cpl, u32 ext) {
    u64 sp, selector;
    if (is_tss32(v.tr)) {
        sp = TRY(tss_field(v, 4 + 8 * cpl, 4, ext));
        selector = TRY(tss_field(v, 8 + 8 * cpl, 2, ext));
    } else {
        sp = TRY(tss_field(v, 2 + 4 * cpl, 2, ext));
        selector = TRY(tss_field(v, 4 + 4 * cpl, 2, ext));
    }
    // RPL and DPL of the new stack must be the new level's.
    Segment ss = TRY(stack_segment(v, selector, cpl, Vector::Ts, ext));
    return StackView{.ss = ss, .sp = sp, .code64 = false, .as = As::Supervisor};
}

// --- Task switches

namespace {

// A TSS's register image, in either format.
struct TaskImage {
    u32 cr3 = 0, eip = 0, eflags = 0;
    u32 gpr[8] = {};
    u16 seg[6] = {};
    u16 ldt = 0;
    bool trap = false;
};

constexpr unsigned tss32_eip = 0x20, tss32_size = 0x68, tss16_ip = 0x0e, tss16_size = 0x2c;

Guest<TaskImage> load_image(Vcpu& v, u64 base, bool wide) {
    u8 bytes[tss32_size] = {};
    CHECK(read(v, base, bytes, wide ? tss32_size : tss16_size, As::Supervisor));
    auto word = [&](unsigned at) { return static_cast<u16>(bytes[at] | bytes[at + 1] << 8); };
    auto dword = [&](unsigned at) { return static_cast<u32>(word(at)) | static_cast<u32>(word(at + 2)) << 16; };
    TaskImage t;
    if (wide) {
        t.cr3 = dword(0x1c), t.eip = dword(0x20), t.eflags = dword(0x24);
        for (unsigned n = 0; n < 8; n++) t.gpr[n] = dword(0x28 + 4 * n);
        for (unsigned n = 0; n < 6; n++) t.seg[n] = word(0x48 + 4 * n);
        t.ldt = word(0x60), t.trap = word(0x64) & 1;
    } else {
        t.eip = word(0x0e), t.eflags = word(0x10);
        for (unsigned n = 0; n < 8; n++) t.gpr[n] = word(0x12 + 2 * n) | 0xffff'0000;
        for (unsigned n = 0; n < 4; n++) t.seg[n] = word(0x22 + 2 * n);
        t.ldt = word(0x2a);
    }
    return t;
}

// The dynamic part of the outgoing task: EIP to GS (IP to DS).
Guest<> save_image(Vcpu& v, bool wide, u32 eip, u32 eflags) {
    u8 bytes[0x60] = {};
    unsigned start = wide ? tss32_eip : tss16_ip, unit = wide ? 4 : 2, at = 0;
    auto add = [&](u32 value) {
        for (unsigned n = 0; n < unit; n++) bytes[at++] = value >> 8 * n;
    };
    add(eip), add(eflags);
    for (unsigned n = 0; n < 8; n++) add(v.gpr[n]);
    for (unsigned n = 0; n < (wide ? 6 : 4); n++) add(v.seg[n].selector);
    return write(v, (v.tr.base + start) & 0xffff'ffff, bytes, at, As::Supervisor);
}

// The new task's registers as its TSS has them: selectors without descriptors, which a fault in loading those shows.
void load_selectors(Vcpu& v, const TaskImage& t) {
    v.ldtr = {.selector = t.ldt, .access = 0, .limit = 0, .base = 0};
    if (v.v8086()) {
        for (Seg seg : {Es, Ss, Ds, Fs, Gs}) set_segment(v, seg, real_segment(v, seg, t.seg[seg]));
        return set_code_segment(v, real_segment(v, Cs, t.seg[Cs]), 3);
    }
    for (Seg seg : {Es, Ss, Ds, Fs, Gs}) set_segment(v, seg, {.selector = t.seg[seg], .access = 0, .limit = 0});
    set_code_segment(v, {.selector = t.seg[Cs], .access = 0, .limit = 0}, t.seg[Cs] & 3);
}

Guest<> load_task_segments(Vcpu& v, const TaskImage& t, u32 ext) {
    auto ts = [ext](u16 selector) { return fault(Vector::Ts, (selector & ~3u) | ext); };
    if (t.ldt & 4) return ts(t.ldt);
    if (!null_selector(t.ldt)) {
        DescriptorEntry e = TRY(descriptor(v, t.ldt, Vector::Ts, ext));
        if (!e.is_system() || e.type() != system_type::ldt || !e.present()) return ts(t.ldt);
        v.ldtr = e.segment(t.ldt);
    }
    if (v.v8086()) return {};
    const unsigned cpl = v.cpl;
    // Of SS the table of "Exception Conditions Checked During a Task Switch" has presence before levels.
    if (null_selector(t.seg[Ss])) return ts(0);
    DescriptorEntry stack = TRY(descriptor(v, t.seg[Ss], Vector::Ts, ext));
    if (!stack.writable_data()) return ts(t.seg[Ss]);
    if (!stack.present()) return fault(Vector::Ss, (t.seg[Ss] & ~3u) | ext);
    set_segment(v, Ss, TRY(stack_segment(v, t.seg[Ss], cpl, Vector::Ts, ext)));
    for (Seg seg : {Es, Ds, Fs, Gs}) {
        auto s = data_segment(v, seg, t.seg[seg]);
        if (!s && s.error().vector == Vector::Gp) return ts(t.seg[seg]);
        if (!s && s.error().vector == Vector::Np) return fault(Vector::Np, s.error().error | ext);
        if (!s) return std::unexpected(s.error());
        set_segment(v, seg, *s);
    }
    if (null_selector(t.seg[Cs])) return ts(0);
    DescriptorEntry e = TRY(descriptor(v, t.seg[Cs], Vector::Ts, ext));
    if (!e.is_code() || (e.conforming() ? e.dpl() > cpl : e.dpl() != cpl)) return ts(t.seg[Cs]);
    if (!e.present()) return fault(Vector::Np, (t.seg[Cs] & ~3u) | ext);
    CHECK(mark_accessed(v, e));
    set_code_segment(v, e.segment(t.seg[Cs]), cpl);
    return {};
}

}  // namespace

Guest<> switch_task(Vcpu& v, u16 selector, TaskSwitch kind, u64 return_rip, u64 flags, u32 ext) {
    const bool back = kind == TaskSwitch::Return, nests = kind == TaskSwitch::Call || kind == TaskSwitch::Gate;
    const Vector wrong = back ? Vector::Ts : Vector::Gp;
    const u32 error = (selector & ~3u) | ext;
    if (null_selector(selector) || selector & 4) return fault(wrong, error);
    DescriptorEntry e = TRY(descriptor(v, selector, wrong, ext));
    const bool busy = e.type() & 2, wide = e.type() & 8;
    if (!e.is_system() || (e.type() & 5) != 1 || busy != back) return fault(wrong, error);
    if (!e.present()) return fault(Vector::Np, error);
    if (e.low.limit() < (wide ? tss32_size : tss16_size) - 1) return fault(Vector::Ts, error);

    const Segment old = v.tr;
    TaskImage in = TRY(load_image(v, e.low.base(), wide));
    if (back) flags &= ~flag::nt;
    CHECK(save_image(v, is_tss32(old), return_rip, flags));
    if (!nests) {
        DescriptorEntry out = TRY(descriptor(v, old.selector, Vector::Ts));
        CHECK(change_type(v, out, 0, 2));
    }
    if (nests) {
        CHECK(write(v, e.low.base(), Width::Word, old.selector, As::Supervisor));
        in.eflags |= flag::nt;
    }
    if (!back) CHECK(change_type(v, e, 2, 0));

    // From here on faults belong to the new task.
    v.tr = e.segment(selector);
    v.tr.access |= 2;
    v.paging.cr0 |= cr0::ts;
    if (wide && v.paging.cr0 & cr0::pg && in.cr3 != v.paging.cr3) {
        v.paging.cr3 = in.cr3;
        if (v.paging.cr4 & cr4::pae) CHECK(load_pdptes(*v.physical, v.paging));
        v.platform->switch_address_space(v, false);
    }
    set_rflags(v, wide ? in.eflags : in.eflags | (flags & 0xffff'0000 & ~flag::vm));
    for (unsigned n = 0; n < 8; n++) v.gpr[n] = in.gpr[n];
    v.dr[7] &= ~u64{0x155};
    v.rip = v.next_rip = in.eip;
    load_selectors(v, in);
    CHECK(load_task_segments(v, in, ext));
    if (!check_rip(v, v.seg[Cs], in.eip)) return gp(ext);
    v.platform->mode_changed(v);
    if (in.trap) return std::unexpected(Fault{.vector = Vector::Db, .dr6 = 1 << 15, .trap = true});
    return {};
}

}  // namespace bmbt

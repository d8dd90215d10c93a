#include "cpu/segmentation.hpp"

#include "cpu/flags.hpp"
#include "cpu/linear.hpp"
#include "cpu/platform.hpp"

namespace bmbt {

using namespace x86;

namespace {

// What generated code assumes about a segment besides its base.
bool flat(const Segment& s) { return s.base == 0 && s.limit == ~u32{0} && s.present(); }

void update_pinned_base(Vcpu& v) { v.segment_base = v.cpl == 3 ? v.seg[Fs].base : v.seg[Gs].base; }

}  // namespace

void set_segment(Vcpu& v, Seg seg, const Segment& s) {
    const Segment old = v.seg[seg];
    v.seg[seg] = s;
    v.seg_base[seg] = s.base;
    if (seg >= Fs) update_pinned_base(v);
    if (flat(old) != flat(s) || (seg == Ss && old.big() != s.big())) v.platform->mode_changed(v);
}

void set_cpl(Vcpu& v, unsigned cpl) {
    if (v.cpl == cpl) return;
    v.cpl = cpl;
    update_pinned_base(v);
    v.platform->mode_changed(v);
}

void set_code_segment(Vcpu& v, const Segment& cs, unsigned cpl) {
    const Segment old = v.seg[Cs];
    // What made the flags is the outer level's: the inner one gets them evaluated, whatever a program left there.
    if (cpl < v.cpl) set_arithmetic(v, evaluate(v.flags));
    bool changed = v.cpl != cpl || old.access != cs.access || old.base != cs.base || old.limit != cs.limit;
    v.seg[Cs] = cs;
    v.seg_base[Cs] = cs.base;
    v.cpl = cpl;
    update_pinned_base(v);
    if (changed) v.platform->mode_changed(v);
}

// Real mode changes base and selector only: limits above 64 KiB stay ("big real mode").
Segment real_segment(const Vcpu& v, Seg seg, u16 selector) {
    Segment s = v.seg[seg];
    s.selector = selector;
    s.base = u64{selector} << 4;
    if (v.v8086()) {
        s.limit = 0xffff;
        s.access = 0xf3;
    } else if (!s.present()) {
        s.limit = 0xffff;
        s.access = 0x93;
    }
    return s;
}

Guest<DescriptorEntry> descriptor(Vcpu& v, u16 selector, Vector vector, u32 ext) {
    u32 error = (selector & ~3u) | ext;
    u64 base = v.gdtr.base;
    u32 limit = v.gdtr.limit;
    if (selector & 4) {
        if (!v.ldtr.present()) return fault(vector, error);
        base = v.ldtr.base;
        limit = v.ldtr.limit;
    }
    if ((selector | 7u) > limit) return fault(vector, error);
    DescriptorEntry e;
    e.linear = base + (selector & ~7u);
    if (!v.long_mode()) e.linear &= 0xffff'ffff;
    e.low.raw = TRY(read(v, e.linear, Width::Qword, As::Supervisor));
    return e;
}

Guest<> complete_system_descriptor(Vcpu& v, u16 selector, DescriptorEntry& e, Vector vector, u32 ext) {
    if (!v.long_mode()) return {};
    u32 limit = selector & 4 ? v.ldtr.limit : v.gdtr.limit;
    if ((selector | 7u) + 8 > limit) return fault(vector, (selector & ~3u) | ext);
    e.high = TRY(read(v, e.linear + 8, Width::Qword, As::Supervisor));
    if (bits(e.high, 44, 40)) return fault(vector, (selector & ~3u) | ext);
    e.high &= 0xffff'ffff;
    return {};
}

Guest<> change_type(Vcpu& v, DescriptorEntry& e, u8 set, u8 clear) {
    u8 old = bits(e.low.raw, 47, 40), wanted = (old | set) & ~clear;
    if (wanted == old) return {};
    CHECK(write(v, e.linear + 5, Width::Byte, wanted, As::Supervisor));
    e.low.raw = (e.low.raw & ~(u64{0xff} << 40)) | u64{wanted} << 40;
    return {};
}

Guest<> mark_accessed(Vcpu& v, DescriptorEntry& e) { return change_type(v, e, access::accessed, 0); }

Guest<Segment> stack_segment(Vcpu& v, u16 selector, unsigned cpl, Vector wrong, u32 ext) {
    u32 error = (selector & ~3u) | ext;
    if (null_selector(selector)) return fault(wrong, ext);
    DescriptorEntry e = TRY(descriptor(v, selector, wrong, ext));
    if ((selector & 3u) != cpl || !e.writable_data() || e.dpl() != cpl) return fault(wrong, error);
    if (!e.present()) return fault(Vector::Ss, error);
    CHECK(mark_accessed(v, e));
    return e.segment(selector);
}

Guest<Segment> data_segment(Vcpu& v, Seg seg, u16 selector) {
    if (!v.protected_mode() || v.v8086()) return real_segment(v, seg, selector);
    const u32 error = selector & ~3u;
    if (seg == Ss) {
        // 64-bit kernels run with a null SS.
        if (null_selector(selector) && v.code64() && v.cpl < 3 && (selector & 3) == v.cpl)
            return Segment{.selector = selector, .access = static_cast<u16>(access::dpl(v.cpl)), .limit = 0xffff};
        return stack_segment(v, selector, v.cpl, Vector::Gp);
    }
    if (null_selector(selector)) return Segment{.selector = selector, .access = 0, .limit = 0xffff};
    DescriptorEntry e = TRY(descriptor(v, selector));
    if (!e.readable()) return gp(error);
    if (!e.conforming() && ((selector & 3u) > e.dpl() || v.cpl > e.dpl())) return gp(error);
    if (!e.present()) return fault(Vector::Np, error);
    CHECK(mark_accessed(v, e));
    return e.segment(selector);
}

Guest<> load_segment(Vcpu& v, Seg seg, u16 selector) {
    set_segment(v, seg, TRY(data_segment(v, seg, selector)));
    return {};
}

namespace {

Guest<DescriptorEntry> system_descriptor(Vcpu& v, u16 selector) {
    if (selector & 4) return gp(selector & ~3u);  // LDTs and TSSs live in the GDT
    DescriptorEntry e = TRY(descriptor(v, selector));
    if (!e.is_system()) return gp(selector & ~3u);
    CHECK(complete_system_descriptor(v, selector, e, Vector::Gp));
    return e;
}

Guest<Segment> system_segment(const DescriptorEntry& e, u16 selector) {
    Segment s = e.segment(selector);
    s.base |= e.high << 32;
    if (!canonical(s.base)) return gp(selector & ~3u);
    return s;
}

}  // namespace

Guest<> load_ldtr(Vcpu& v, u16 selector) {
    if (null_selector(selector)) {
        v.ldtr = {.selector = selector, .access = 0, .limit = 0, .base = 0};
        return {};
    }
    DescriptorEntry e = TRY(system_descriptor(v, selector));
    if (e.type() != system_type::ldt) return gp(selector & ~3u);
    if (!e.present()) return fault(Vector::Np, selector & ~3u);
    v.ldtr = TRY(system_segment(e, selector));
    return {};
}

Guest<> load_tr(Vcpu& v, u16 selector) {
    if (null_selector(selector)) return gp();
    DescriptorEntry e = TRY(system_descriptor(v, selector));
    if (e.type() != system_type::tss32 && (e.type() != system_type::tss16 || v.long_mode())) return gp(selector & ~3u);
    if (!e.present()) return fault(Vector::Np, selector & ~3u);
    Segment s = TRY(system_segment(e, selector));
    CHECK(change_type(v, e, 2, 0));
    s.access |= 2;
    v.tr = s;
    return {};
}

}  // namespace bmbt

// Instructions that look at descriptors or move descriptor-table registers.
#include "cpu/operands.hpp"
#include "cpu/segmentation.hpp"

namespace bmbt {

using namespace x86;

namespace {

Guest<> need_protected(const Vcpu& v) {
    if (!v.protected_mode() || v.v8086()) return ud();
    return {};
}
Guest<> need_cpl0(const Vcpu& v) {
    if (v.cpl) return gp();
    return {};
}
// User-mode instruction prevention.
Guest<> need_umip(const Vcpu& v) {
    if (v.cpl && v.paging.cr4 & cr4::umip) return gp();
    return {};
}

void set_zf(Vcpu& v, bool zf) { set_arithmetic(v, (evaluate(v.flags) & ~flag::zf) | (zf ? flag::zf : 0)); }

bool privilege_allows(const Vcpu& v, const DescriptorEntry& e, u16 selector) {
    return e.conforming() || (v.cpl <= e.dpl() && (selector & 3u) <= e.dpl());
}

// The descriptor, or nothing where the instruction answers with ZF = 0. Page faults are faults.
Guest<bool> probe(Vcpu& v, u16 selector, DescriptorEntry& e) {
    if (null_selector(selector)) return false;
    auto found = descriptor(v, selector);
    if (!found) {
        if (found.error().vector == Vector::Gp) return false;
        return std::unexpected(found.error());
    }
    e = *found;
    return true;
}

constexpr u32 types(std::initializer_list<u8> list) {
    u32 set = 0;
    for (u8 t : list) set |= 1u << t;
    return set;
}
using namespace system_type;
constexpr u32 lar_types = types({tss16, ldt, tss16_busy, call_gate16, task_gate, tss32, tss32_busy, call_gate32});
constexpr u32 lar_types_long = types({ldt, tss32, tss32_busy, call_gate32});
constexpr u32 lsl_types = types({tss16, ldt, tss16_busy, tss32, tss32_busy});
constexpr u32 lsl_types_long = types({ldt, tss32, tss32_busy});

Guest<> load_rights(Vcpu& v, const Insn& i, bool limit) {
    CHECK(need_protected(v));
    u16 selector = TRY(get(v, i, 1));
    DescriptorEntry e;
    bool ok = TRY(probe(v, selector, e));
    if (ok && e.is_system()) {
        u32 allowed = limit ? (v.long_mode() ? lsl_types_long : lsl_types) : v.long_mode() ? lar_types_long : lar_types;
        ok = bit(allowed, e.type());
    }
    ok = ok && privilege_allows(v, e, selector);
    if (ok)
        set_register(v, i.op[0],
                     limit ? e.low.limit() : (e.low.raw >> 32) & (i.operand_size == 2 ? 0xff00 : 0x00f0'ff00));
    set_zf(v, ok);
    return {};
}

Guest<> verify(Vcpu& v, const Insn& i, bool write) {
    CHECK(need_protected(v));
    u16 selector = TRY(get(v, i, 0));
    DescriptorEntry e;
    bool ok = TRY(probe(v, selector, e));
    ok = ok && !e.is_system() && privilege_allows(v, e, selector) && (write ? e.writable_data() : e.readable());
    set_zf(v, ok);
    return {};
}

Guest<> store_table(Vcpu& v, const Insn& i, const TableRegister& t) {
    CHECK(need_umip(v));
    u8 image[10];
    for (unsigned n = 0; n < 2; n++) image[n] = t.limit >> 8 * n;
    for (unsigned n = 0; n < 8; n++) image[2 + n] = t.base >> 8 * n;
    // Two accesses as far as their alignment goes: "Segment Descriptor Tables".
    const unsigned base_size = v.code64() ? 8 : 4;
    const u64 at = TRY(operand_address(v, i, 2, true));
    CHECK(operand_address(v, i, base_size, true, 2));
    return write(v, at, image, 2 + base_size);
}

Guest<> load_table(Vcpu& v, const Insn& i, TableRegister& t) {
    CHECK(need_cpl0(v));
    u8 image[10] = {};
    CHECK(get_bytes(v, i, image, v.code64() ? 10 : 6));
    u64 base = 0;
    for (unsigned n = 0; n < 8; n++) base |= u64{image[2 + n]} << 8 * n;
    if (!v.code64() && i.operand_size == 2) base &= 0xff'ffff;
    if (!canonical(base)) return gp();
    t = {.base = base, .limit = static_cast<u32>(image[0] | image[1] << 8)};
    return {};
}

}  // namespace

Guest<> lar(Vcpu& v, const Insn& i) { return load_rights(v, i, false); }
Guest<> lsl(Vcpu& v, const Insn& i) { return load_rights(v, i, true); }
Guest<> verr(Vcpu& v, const Insn& i) { return verify(v, i, false); }
Guest<> verw(Vcpu& v, const Insn& i) { return verify(v, i, true); }

Guest<> arpl(Vcpu& v, const Insn& i) {
    CHECK(need_protected(v));
    u64 source = TRY(get(v, i, 1));
    u64 selector = TRY(get(v, i, 0));
    bool lower = (selector & 3) < (source & 3);
    if (lower) CHECK(put(v, i, 0, (selector & ~u64{3}) | (source & 3)));
    set_zf(v, lower);
    return {};
}

Guest<> sgdt(Vcpu& v, const Insn& i) { return store_table(v, i, v.gdtr); }
Guest<> sidt(Vcpu& v, const Insn& i) { return store_table(v, i, v.idtr); }
Guest<> lgdt(Vcpu& v, const Insn& i) { return load_table(v, i, v.gdtr); }
Guest<> lidt(Vcpu& v, const Insn& i) { return load_table(v, i, v.idtr); }

Guest<> sldt(Vcpu& v, const Insn& i) {
    CHECK(need_protected(v));
    CHECK(need_umip(v));
    return put(v, i, 0, v.ldtr.selector);
}
Guest<> str(Vcpu& v, const Insn& i) {
    CHECK(need_protected(v));
    CHECK(need_umip(v));
    return put(v, i, 0, v.tr.selector);
}
Guest<> lldt(Vcpu& v, const Insn& i) {
    CHECK(need_protected(v));
    CHECK(need_cpl0(v));
    return load_ldtr(v, TRY(get(v, i, 0)));
}
Guest<> ltr(Vcpu& v, const Insn& i) {
    CHECK(need_protected(v));
    CHECK(need_cpl0(v));
    return load_tr(v, TRY(get(v, i, 0)));
}

}  // namespace bmbt

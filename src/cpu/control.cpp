// Control registers: what may be written and what a change means.
#include "cpu/control.hpp"

#include "cpu/operands.hpp"
#include "cpu/platform.hpp"
#include "cpu/segmentation.hpp"

namespace bmbt {

using namespace x86;

namespace {

Guest<> need_cpl0(const Vcpu& v) {
    if (v.cpl) return gp();
    return {};
}

bool pae_paging(const PagingState& p) { return p.cr0 & cr0::pg && p.cr4 & cr4::pae && !(p.efer & efer::lma); }

constexpr u64 cr0_known =
    cr0::pe | cr0::mp | cr0::em | cr0::ts | cr0::ne | cr0::wp | cr0::am | cr0::nw | cr0::cd | cr0::pg;
constexpr u64 cr4_known = cr4::tsd | cr4::de | cr4::pse | cr4::pae | cr4::mce | cr4::pge | cr4::pce | cr4::osfxsr |
                          cr4::osxmmexcpt | cr4::umip | cr4::fsgsbase | cr4::pcide | cr4::osxsave | cr4::smep;

// Setting CR0.PG with EFER.LME enters long mode (compatibility mode until a far transfer), clearing it leaves.
Guest<> change_paging(const Vcpu& v, PagingState& next) {
    if (next.cr0 & cr0::pg) {
        if (!(next.efer & efer::lme)) return {};
        const bool tss16 = v.tr.present() && !(v.tr.access & 8);
        if (!(next.cr4 & cr4::pae) || v.seg[Cs].long_code() || tss16) return gp();
        next.efer |= efer::lma;
    } else {
        if (v.code64() || next.cr4 & cr4::pcide) return gp();
        next.efer &= ~efer::lma;
    }
    return {};
}

}  // namespace

Guest<> write_cr0(Vcpu& v, u64 value) {
    if (value >> 32) return gp();
    PagingState next = v.paging;
    next.cr0 = (value & cr0_known) | cr0::et;
    if (next.cr0 & cr0::pg && !(next.cr0 & cr0::pe)) return gp();
    if (next.cr0 & cr0::nw && !(next.cr0 & cr0::cd)) return gp();
    const u64 changed = next.cr0 ^ v.paging.cr0;
    if (changed & cr0::pg) CHECK(change_paging(v, next));
    if (changed & (cr0::pg | cr0::cd | cr0::nw) && pae_paging(next)) CHECK(load_pdptes(*v.physical, next));
    v.paging = next;
    if (changed & (cr0::pg | cr0::wp | cr0::pe)) v.platform->flush_all(v);
    if (changed) v.platform->mode_changed(v);
    return {};
}

Guest<> write_cr3(Vcpu& v, u64 value) {
    PagingState next = v.paging;
    const bool keep = v.paging.cr4 & cr4::pcide && bit(value, 63);
    if (v.paging.cr4 & cr4::pcide) value &= mask(63);
    if (v.long_mode() && value & ~mask(physical_address_bits)) return gp();
    next.cr3 = v.long_mode() ? value : value & 0xffff'ffff;
    if (pae_paging(next)) CHECK(load_pdptes(*v.physical, next));
    v.paging = next;
    v.platform->switch_address_space(v, keep);
    return {};
}

Guest<> write_cr4(Vcpu& v, u64 value) {
    if (value & ~cr4_known) return gp();
    PagingState next = v.paging;
    next.cr4 = value;
    const u64 changed = value ^ v.paging.cr4;
    if (v.long_mode() && !(value & cr4::pae)) return gp();
    if (changed & value & cr4::pcide && (!v.long_mode() || v.paging.cr3 & 0xfff)) return gp();
    constexpr u64 paging_bits = cr4::pae | cr4::pse | cr4::pge | cr4::smep | cr4::pcide;
    if (changed & paging_bits && pae_paging(next)) CHECK(load_pdptes(*v.physical, next));
    v.paging = next;
    if (changed & paging_bits) v.platform->flush_all(v);
    if (changed) v.platform->mode_changed(v);
    return {};
}

Guest<> mov_control(Vcpu& v, const Insn& i) {
    CHECK(need_cpl0(v));
    const bool to = i.op[0].is(OperandKind::Control);
    const unsigned n = i.op[to ? 0 : 1].reg;
    if (!to) {
        u64 value = 0;
        switch (n) {
            case 0: value = v.paging.cr0 | cr0::et; break;
            case 2: value = v.cr2; break;
            case 3: value = v.paging.cr3; break;
            case 4: value = v.paging.cr4; break;
            case 8: value = v.platform->read_tpr(v); break;
            default: return ud();
        }
        set_register(v, i.op[0], value);
        return {};
    }
    const u64 value = get_register(v, i.op[1]);
    switch (n) {
        case 0: return write_cr0(v, value);
        case 2: v.cr2 = value; return {};
        case 3: return write_cr3(v, value);
        case 4: return write_cr4(v, value);
        case 8:
            if (value & ~u64{15}) return gp();
            v.platform->write_tpr(v, value);
            return {};
        default: return ud();
    }
}

Guest<> mov_debug(Vcpu& v, const Insn& i) {
    CHECK(need_cpl0(v));
    const bool to = i.op[0].is(OperandKind::Debug);
    unsigned n = i.op[to ? 0 : 1].reg;
    if (n == 4 || n == 5) {
        if (v.paging.cr4 & cr4::de) return ud();
        n += 2;
    }
    if (n > 7) return ud();
    if (bit(v.dr[7], 13)) return std::unexpected(Fault{.vector = Vector::Db, .dr6 = 1 << 13});
    if (!to) {
        set_register(v, i.op[0], v.dr[n]);
        return {};
    }
    CHECK(write_debug(v, n, get_register(v, i.op[1])));
    if (n == 7) v.system_flags &= ~flag::rf;
    return {};
}

Guest<> write_debug(Vcpu& v, unsigned n, u64 value) {
    if (n >= 6) {
        if (value >> 32) return gp();
        value = n == 6 ? (value & 0xe00f) | 0xffff'0ff0 : (value & 0xffff'2fff) | 0x400;
    }
    v.dr[n] = value;
    if (n == 7) v.platform->mode_changed(v);
    return {};
}

Guest<> clts(Vcpu& v, const Insn&) {
    CHECK(need_cpl0(v));
    return write_cr0(v, v.paging.cr0 & ~cr0::ts);
}

Guest<> lmsw(Vcpu& v, const Insn& i) {
    CHECK(need_cpl0(v));
    u64 value = TRY(get(v, i, 0));
    return write_cr0(v, (v.paging.cr0 & ~u64{0xe}) | (value & 0xf));  // PE can be set, not cleared
}

Guest<> smsw(Vcpu& v, const Insn& i) {
    if (v.cpl && v.paging.cr4 & cr4::umip) return gp();
    return put(v, i, 0, v.paging.cr0 | cr0::et);
}

Guest<> invlpg(Vcpu& v, const Insn& i) {
    CHECK(need_cpl0(v));
    u64 linear = effective_offset(v, i);
    if (!v.code64())
        linear = (linear + v.seg[i.mem.seg].base) & 0xffff'ffff;
    else if (i.mem.seg >= Fs)
        linear += v.seg[i.mem.seg].base;
    if (canonical(linear)) v.platform->flush_page(v, linear);
    return {};
}

Guest<> invpcid(Vcpu& v, const Insn& i) {
    CHECK(need_cpl0(v));
    const u64 type = get_register(v, i.op[0]);
    struct {
        u64 pcid, linear;
    } d;
    CHECK(get_bytes(v, i, &d, 16));
    if (type > 3 || d.pcid >> 12) return gp();
    if (type < 2 && d.pcid && !(v.paging.cr4 & cr4::pcide)) return gp();
    if (type == 0 && !canonical(d.linear)) return gp();
    switch (type) {
        case 0: v.platform->flush_pcid_page(v, d.pcid, d.linear); break;
        case 1: v.platform->flush_pcid(v, d.pcid); break;
        default: v.platform->flush_all(v); break;  // type 3 may keep global pages, it need not
    }
    return {};
}

Guest<> cache_flush_all(Vcpu& v, const Insn&) { return need_cpl0(v); }

// The host's caches are coherent: CLFLUSH only has to fault where a read would.
Guest<> cache_line(Vcpu& v, const Insn& i) {
    u64 at = TRY(operand_address(v, i, 1, false));
    TRY(translate(v, at, 1, false));
    return {};
}

Guest<> xgetbv(Vcpu& v, const Insn&) {
    if (!(v.paging.cr4 & cr4::osxsave)) return ud();
    if (get_gpr(v, Rcx, 4)) return gp();
    v.gpr[Rax] = v.xcr0 & 0xffff'ffff;
    v.gpr[Rdx] = v.xcr0 >> 32;
    return {};
}

Guest<> xsetbv(Vcpu& v, const Insn&) {
    if (!(v.paging.cr4 & cr4::osxsave)) return ud();
    CHECK(need_cpl0(v));
    u64 value = get_gpr(v, Rax, 4) | get_gpr(v, Rdx, 4) << 32;
    if (get_gpr(v, Rcx, 4) || (value != 1 && value != 3)) return gp();
    v.xcr0 = value;
    return {};
}

Guest<> fs_gs_base(Vcpu& v, const Insn& i) {
    if (!v.code64() || !(v.paging.cr4 & cr4::fsgsbase)) return ud();
    const unsigned function = i.modrm >> 3 & 7;  // RDFSBASE, RDGSBASE, WRFSBASE, WRGSBASE
    const Seg seg = function & 1 ? Gs : Fs;
    Segment s = v.seg[seg];
    if (function < 2) {
        set_register(v, i.op[0], s.base);
        return {};
    }
    u64 base = get_register(v, i.op[0]);
    if (!canonical(base)) return gp();
    s.base = base;
    set_segment(v, seg, s);
    return {};
}

}  // namespace bmbt

// SYSCALL, SYSRET, SYSENTER, SYSEXIT, SWAPGS, as an Intel processor has them.
#include "cpu/operands.hpp"
#include "cpu/transfer.hpp"

namespace bmbt {

using namespace x86;

Guest<> syscall(Vcpu& v, const Insn& i) {
    if (!v.code64() || !(v.paging.efer & efer::sce)) return ud();
    v.gpr[Rcx] = following_rip(v, i);
    u64 flags = rflags(v);
    v.gpr[R11] = flags & ~flag::rf;
    set_rflags(v, flags & ~(v.fmask | flag::rf));
    u16 cs = bits(v.star, 47, 32) & ~3;
    commit(v, {.cs = flat_code(cs, 0, true), .cpl = 0, .rip = v.lstar});
    set_segment(v, Ss, flat_stack(cs + 8, 0));
    return {};
}

Guest<> sysret(Vcpu& v, const Insn& i) {
    if (!v.code64() || !(v.paging.efer & efer::sce)) return ud();
    if (v.cpl) return gp();
    const bool wide = i.operand_size == 8;
    u64 rip = wide ? v.gpr[Rcx] : v.gpr[Rcx] & 0xffff'ffff;
    if (!canonical(rip)) return gp();
    set_rflags(v, v.gpr[R11] & 0x3c'7fd7);
    u16 base = bits(v.star, 63, 48);
    commit(v, {.cs = flat_code((base + (wide ? 16 : 0)) | 3, 3, wide), .cpl = 3, .rip = rip});
    set_segment(v, Ss, flat_stack((base + 8) | 3, 3));
    return {};
}

Guest<> sysenter(Vcpu& v, const Insn&) {
    if (!v.protected_mode() || null_selector(v.sysenter_cs)) return gp();
    const bool wide = v.long_mode();
    u16 cs = v.sysenter_cs & ~3;
    set_rflags(v, rflags(v) & ~(flag::vm | flag::if_ | flag::rf));
    commit(v, {.cs = flat_code(cs, 0, wide), .cpl = 0, .rip = wide ? v.sysenter_eip : v.sysenter_eip & 0xffff'ffff});
    set_segment(v, Ss, flat_stack(cs + 8, 0));
    v.gpr[Rsp] = wide ? v.sysenter_esp : v.sysenter_esp & 0xffff'ffff;
    return {};
}

Guest<> sysexit(Vcpu& v, const Insn& i) {
    if (!v.protected_mode() || null_selector(v.sysenter_cs) || v.cpl) return gp();
    const bool wide = i.operand_size == 8;
    u64 rip = v.gpr[Rdx], rsp = v.gpr[Rcx];
    if (wide && (!canonical(rip) || !canonical(rsp))) return gp();
    u16 base = v.sysenter_cs & ~3;
    u16 cs = base + (wide ? 32 : 16);
    commit(v, {.cs = flat_code(cs | 3, 3, wide), .cpl = 3, .rip = wide ? rip : rip & 0xffff'ffff});
    set_segment(v, Ss, flat_stack((cs + 8) | 3, 3));
    v.gpr[Rsp] = wide ? rsp : rsp & 0xffff'ffff;
    return {};
}

Guest<> swapgs(Vcpu& v, const Insn&) {
    if (!v.code64()) return ud();
    if (v.cpl) return gp();
    Segment gs = v.seg[Gs];
    u64 other = v.kernel_gs_base;
    v.kernel_gs_base = gs.base;
    gs.base = other;
    set_segment(v, Gs, gs);
    return {};
}

}  // namespace bmbt

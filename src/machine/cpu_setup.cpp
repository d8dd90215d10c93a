#include "machine/cpu_setup.hpp"

#include "cpu/flags.hpp"

namespace bmbt {
namespace {

// All that the guest can see of its processor, as RESET# leaves it; the runtime's own fields are not touched.
void reset_processor(Vcpu& v) {
    const Vcpu fresh;
    for (unsigned n = 0; n < 16; ++n) v.xmm[n] = fresh.xmm[n];
    v.xmm_in_memory = true;
    v.next_rip = 0;
    v.cpl = 0;
    v.cr2 = v.cr8 = 0;
    v.paging = fresh.paging;
    for (unsigned n = 0; n < 8; ++n) v.dr[n] = fresh.dr[n];
    v.xcr0 = fresh.xcr0;
    v.star = v.lstar = v.cstar = v.fmask = v.kernel_gs_base = 0;
    v.sysenter_cs = v.sysenter_esp = v.sysenter_eip = 0;
    v.pat = fresh.pat;
    v.tsc_aux = v.tsc_offset = v.tsc_adjust = 0;
    v.misc_enable = fresh.misc_enable;
    v.spec_ctrl = v.debug_ctl = v.mcg_status = 0;
    for (u64& m : v.mtrr_fixed) m = 0;
    for (u64& m : v.mtrr_variable) m = 0;
    vcpu_x87(v) = fresh.own_x87;
    set_vcpu_mxcsr(v, fresh.mxcsr);
    v.ferr = false;
    v.shadow = v.shadow_blocks_nmi = v.halted = v.nmi_blocked = v.nmi_pending = v.shutdown = false;
    v.init_pending = v.startup_pending = v.waits_for_startup = false;
}

}  // namespace

void start_cpu(Vcpu& v, const CpuState& s) {
    reset_processor(v);
    for (unsigned n = 0; n < 16; ++n) v.gpr[n] = s.gpr[n];
    v.rip = v.next_rip = s.rip;
    set_rflags(v, s.rflags);
    for (unsigned n = 0; n < 6; ++n) {
        v.seg[n] = s.seg[n];
        v.seg_base[n] = s.seg[n].base;
    }
    v.segment_base = s.seg[x86::Gs].base;
    v.ldtr = s.ldtr;
    v.tr = s.tr;
    v.gdtr = s.gdtr;
    v.idtr = s.idtr;
    v.mtrr_def_type = s.mtrr_def_type;
    vcpu_x87(v).control = s.x87_control;
    vcpu_x87(v).tag = s.x87_tag;
    v.paging.cr0 = s.cr0;
    v.paging.cr3 = s.cr3;
    v.paging.cr4 = s.cr4;
    v.paging.efer = s.efer;
}

}  // namespace bmbt

// Model-specific registers. Source: Intel SDM vol. 4; what is not listed raises #GP(0).
#include "cpu/control.hpp"
#include "cpu/linear.hpp"
#include "cpu/operands.hpp"
#include "cpu/platform.hpp"
#include "cpu/segmentation.hpp"

namespace bmbt {

using namespace x86;

namespace {

// What this CPU is immune to, so that guests spend nothing on it: RDCL_NO, IBRS_ALL, SKIP_L1DFL_VMENTRY, SSB_NO,
// MDS_NO, IF_PSCHANGE_MC_NO, TAA_NO, SBDR_SSDP_NO, FBSDP_NO, PSDP_NO, BHI_NO, PBRSB_NO, GDS_NO, RFDS_NO, ITS_NO.
constexpr u64 arch_capabilities = 1 << 0 | 1 << 1 | 1 << 3 | 1 << 4 | 1 << 5 | 1 << 6 | 1 << 8 | 1 << 13 | 1 << 14 |
                                  1 << 15 | 1 << 20 | 1 << 24 | 1 << 26 | 1 << 27 | u64{1} << 62;
constexpr u32 p5_mc_addr = 0, p5_mc_type = 1, platform_id = 0x17, spec_ctrl = 0x48, pred_cmd = 0x49, smi_count = 0x34,
              platform_info = 0xce, arch_cap = 0x10a, debug_ctl = 0x1d9;
constexpr u64 mtrr_cap_value = 1 << 10 | 1 << 8 | 8;  // write-combining, fixed ranges, eight variable ones

bool apic_msr(u32 n) {
    return n == msr::apic_base || n == msr::tsc_deadline || (n >= msr::x2apic_first && n <= msr::x2apic_last);
}

u64* mtrr(Vcpu& v, u32 n) {
    if (n >= msr::mtrr_physbase0 && n < msr::mtrr_physbase0 + 16) return &v.mtrr_variable[n - msr::mtrr_physbase0];
    if (n == msr::mtrr_fix64k) return &v.mtrr_fixed[0];
    if (n == msr::mtrr_fix16k || n == msr::mtrr_fix16k + 1) return &v.mtrr_fixed[1 + n - msr::mtrr_fix16k];
    if (n >= msr::mtrr_fix4k && n < msr::mtrr_fix4k + 8) return &v.mtrr_fixed[3 + n - msr::mtrr_fix4k];
    if (n == msr::mtrr_def_type) return &v.mtrr_def_type;
    return nullptr;
}

bool memory_type(u8 t) { return t < 7 && t != 2 && t != 3; }

// Intel SDM vol. 3, "MTRR Feature Identification": which types there are and which bits are reserved.
bool mtrr_allows(u32 n, u64 value) {
    constexpr u64 reserved_address = ~mask(physical_address_bits);
    if (n == msr::mtrr_def_type) return !(value & ~u64{0xcff}) && memory_type(value);
    if (n >= msr::mtrr_fix64k) {
        for (unsigned at = 0; at < 64; at += 8)
            if (!memory_type(value >> at)) return false;
        return true;
    }
    if (n & 1) return !(value & (reserved_address | 0x7ff));
    return !(value & (reserved_address | 0xf00)) && memory_type(value);
}

Guest<> write_efer(Vcpu& v, u64 value) {
    constexpr u64 known = efer::sce | efer::lme | efer::lma | efer::nxe;
    if (value & ~known) return gp();
    const u64 old = v.paging.efer;
    if ((value ^ old) & efer::lme && v.paging.cr0 & cr0::pg) return gp();
    v.paging.efer = (value & ~efer::lma) | (old & efer::lma);
    const u64 changed = old ^ v.paging.efer;
    if (changed & efer::nxe) v.platform->flush_all(v);
    if (changed) v.platform->mode_changed(v);
    return {};
}

Guest<> write_pat(Vcpu& v, u64 value) {
    for (unsigned n = 0; n < 64; n += 8)
        if (u8 t = value >> n; !memory_type(t) && t != 7) return gp();  // 7: UC-, which only the PAT has
    v.pat = value;
    return {};
}

Guest<> write_base(Vcpu& v, Seg seg, u64 value) {
    if (!canonical(value)) return gp();
    Segment s = v.seg[seg];
    s.base = value;
    set_segment(v, seg, s);
    return {};
}

Guest<> write_address(u64& to, u64 value) {
    if (!canonical(value)) return gp();
    to = value;
    return {};
}

Guest<> write_narrow(u64& to, u64 value) {
    if (value >> 32) return gp();
    to = value;
    return {};
}

}  // namespace

u64 guest_tsc(Vcpu& v) { return v.platform->host_tsc() + v.tsc_offset; }

Guest<u64> read_msr(Vcpu& v, u32 n) {
    if (apic_msr(n)) {
        u64 value = 0;
        if (!v.platform->apic_msr_read(v, n, value)) return gp();
        return value;
    }
    if (const u64* m = mtrr(v, n)) return *m;
    switch (n) {
        case msr::tsc: return guest_tsc(v);
        case msr::tsc_adjust: return v.tsc_adjust;
        case msr::feature_control: return 1;  // locked: no VMX
        case msr::bios_sign: return u64{0x838} << 32;
        case msr::mtrr_cap: return mtrr_cap_value;
        case msr::sysenter_cs: return v.sysenter_cs;
        case msr::sysenter_esp: return v.sysenter_esp;
        case msr::sysenter_eip: return v.sysenter_eip;
        case msr::mcg_cap: return 0;  // no banks
        case msr::mcg_status: return v.mcg_status;
        case msr::misc_enable: return v.misc_enable;
        case msr::pat: return v.pat;
        case msr::efer: return v.paging.efer;
        case msr::star: return v.star;
        case msr::lstar: return v.lstar;
        case msr::cstar: return v.cstar;
        case msr::fmask: return v.fmask;
        case msr::fs_base: return v.seg[Fs].base;
        case msr::gs_base: return v.seg[Gs].base;
        case msr::kernel_gs_base: return v.kernel_gs_base;
        case msr::tsc_aux: return v.tsc_aux;
        case spec_ctrl: return v.spec_ctrl;
        case arch_cap: return arch_capabilities;
        case debug_ctl: return v.debug_ctl;
        case p5_mc_addr:  // a Pentium's handler of machine checks reads these; there is no bank behind them
        case p5_mc_type:
        case platform_id:
        case smi_count: return 0;
        case platform_info: return v.platform->tsc_hz() / 100'000'000 << 8;  // ratio to a bus of 100 MHz
        default: return gp();
    }
}

Guest<> write_msr(Vcpu& v, u32 n, u64 value) {
    if (apic_msr(n)) {
        if (!v.platform->apic_msr_write(v, n, value)) return gp();
        return {};
    }
    if (u64* m = mtrr(v, n)) {
        if (!mtrr_allows(n, value)) return gp();
        *m = value;
        return {};
    }
    switch (n) {
        case msr::tsc: {
            u64 delta = value - guest_tsc(v);
            v.tsc_offset += delta;
            v.tsc_adjust += delta;
            v.platform->tsc_moved(v);
            return {};
        }
        case msr::tsc_adjust:
            v.tsc_offset += value - v.tsc_adjust;
            v.tsc_adjust = value;
            v.platform->tsc_moved(v);
            return {};
        case msr::sysenter_cs: v.sysenter_cs = value & 0xffff; return {};
        case msr::sysenter_esp: return write_address(v.sysenter_esp, value);
        case msr::sysenter_eip: return write_address(v.sysenter_eip, value);
        case msr::mcg_status:
            if (value) return gp();
            v.mcg_status = 0;
            return {};
        case msr::misc_enable: v.misc_enable = value; return {};
        case msr::pat: return write_pat(v, value);
        case msr::efer: return write_efer(v, value);
        case msr::star: v.star = value; return {};
        case msr::lstar: return write_address(v.lstar, value);
        case msr::cstar: return write_address(v.cstar, value);
        case msr::fmask: return write_narrow(v.fmask, value);
        case msr::fs_base: return write_base(v, Fs, value);
        case msr::gs_base: return write_base(v, Gs, value);
        case msr::kernel_gs_base: return write_address(v.kernel_gs_base, value);
        case msr::tsc_aux: return write_narrow(v.tsc_aux, value);
        case spec_ctrl:
            if (value & ~u64{1}) return gp();  // IBRS
            v.spec_ctrl = value;
            return {};
        case pred_cmd:
            if (value & ~u64{1}) return gp();  // IBPB: nothing of ours predicts across it
            return {};
        case debug_ctl:
            if (value & ~(debug_ctl_lbr | debug_ctl_btf)) return gp();
            v.debug_ctl = value;  // branches are not recorded: there are no MSRs to read them from
            return {};
        case msr::bios_sign:
        case msr::bios_update: return {};  // microcode: nothing to load
        default: return gp();
    }
}

Guest<> rdmsr(Vcpu& v, const Insn&) {
    if (v.cpl) return gp();
    u64 value = TRY(read_msr(v, static_cast<u32>(v.gpr[Rcx])));
    v.platform->msr_accessed(v, "msr.read index value", static_cast<u32>(v.gpr[Rcx]), value);
    v.gpr[Rax] = value & 0xffff'ffff;
    v.gpr[Rdx] = value >> 32;
    return {};
}

Guest<> wrmsr(Vcpu& v, const Insn&) {
    if (v.cpl) return gp();
    const u32 index = static_cast<u32>(v.gpr[Rcx]);
    const u64 value = get_gpr(v, Rax, 4) | get_gpr(v, Rdx, 4) << 32;
    v.platform->msr_accessed(v, "msr.write index value", index, value);
    return write_msr(v, index, value);
}

Guest<> rdtsc(Vcpu& v, const Insn&) {
    if (v.cpl && v.paging.cr4 & cr4::tsd) return gp();
    u64 now = guest_tsc(v);
    v.gpr[Rax] = now & 0xffff'ffff;
    v.gpr[Rdx] = now >> 32;
    return {};
}

Guest<> rdtscp(Vcpu& v, const Insn& i) {
    CHECK(rdtsc(v, i));
    v.gpr[Rcx] = v.tsc_aux;
    return {};
}

// No performance counter exists.
Guest<> rdpmc(Vcpu&, const Insn&) { return gp(); }

}  // namespace bmbt

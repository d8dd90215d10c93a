// What control registers and MSRs may hold. Intel SDM vol. 3, "Control Registers", and vol. 2, "MOV--Move to/from
// Control Registers", "WRMSR", "XSETBV".
#include "long/tables.hpp"

namespace guest {
namespace {

CODE(64, to_cr0, "mov cr0, rax")
CODE(64, to_cr3, "mov cr3, rax")
CODE(64, to_cr4, "mov cr4, rax")
CODE(64, to_cr8, "mov cr8, rax")
CODE(64, from_cr8, "mov rax, cr8")
CODE(64, rdmsr_, "rdmsr")
CODE(64, wrmsr_, "wrmsr")
CODE(64, wrmsr_rdmsr, "wrmsr\nxor eax, eax\nxor edx, edx\nrdmsr")
CODE(64, lmsw_, "lmsw ax")
CODE(64, smsw_, "smsw rax")
CODE(64, clts_, "clts")
CODE(64, xgetbv_, ".byte 0x0f, 0x01, 0xd0")
CODE(64, xsetbv_, ".byte 0x0f, 0x01, 0xd1")

Regs with_rax(Regs r, u64 rax) {
    r.gpr[Rax] = rax;
    return r;
}

struct Bits {
    const char* name;
    u64 set, clear;
};

void check_cr0() {
    const u64 now = read_cr0();
    constexpr Bits bad[] = {{"PG without PE", 0, cr0::pe},
                            {"PG cleared in 64-bit mode", 0, cr0::pg},
                            {"NW without CD", cr0::nw, cr0::cd},
                            {"bit 32", 1ull << 32, 0},
                            {"bit 63", 1ull << 63, 0}};
    for (const Bits& b : bad) {
        Check c(Name("CR0") << b.name);
        if (b.clear & (cr0::pe | cr0::pg) && on_qemu())
            c.fatal_here("QEMU");
        else
            c.ends(run(with_rax(kernel(to_cr0()), (now & ~b.clear) | b.set)), to_cr0(), gp(0))
                .is("CR0", read_cr0(), now);
    }
    constexpr Bits good[] = {{"TS", cr0::ts, 0},
                             {"EM", cr0::em, 0},
                             {"MP", cr0::mp, 0},
                             {"WP", cr0::wp, 0},
                             {"AM", cr0::am, 0},
                             {"CD", cr0::cd, cr0::nw},
                             {"CD and NW", cr0::cd | cr0::nw, 0},
                             {"without NE", 0, cr0::ne}};
    for (const Bits& b : good) {
        const u64 wanted = (now & ~b.clear) | b.set;
        run(with_rax(kernel(to_cr0()), wanted));
        const u64 got = read_cr0();
        write_cr0(now);
        Check(Name("CR0") << b.name).ends(trapped, to_cr0(), done).is("CR0", got, wanted);
    }
    // ET is wired to 1, reserved bits of the lower half to 0.
    run(with_rax(kernel(to_cr0()), (now & ~cr0::et) | 1 << 6 | 1 << 15 | 1 << 17 | 1 << 19 | 1 << 28));
    Check("CR0 ET and reserved bits").ends(trapped, to_cr0(), done).is("CR0", read_cr0(), now | cr0::et);
    write_cr0(now);

    run(kernel(smsw_()));
    Check("SMSW").is("RAX", trapped.gpr[Rax], now);
    run(with_rax(kernel(lmsw_()), 0xffff));
    const u64 set = read_cr0();
    run(with_rax(kernel(lmsw_()), 0));
    const u64 cleared = read_cr0();
    write_cr0(now);
    Check("LMSW sets PE MP EM TS only").is("CR0", set, now | 15);
    Check("LMSW does not clear PE").is("CR0", cleared, now & ~14ull);
    write_cr0(now | cr0::ts);
    run(kernel(clts_()));
    Check("CLTS").is("CR0", read_cr0(), now & ~cr0::ts);
    write_cr0(now);
}

void check_cr3() {
    const u64 now = read_cr3();
    const unsigned physical = cpuid(0x80000008).eax & 0xff;
    for (unsigned bit = physical; bit < 64; ++bit) {
        // Bits 61 and 62 are LAM's where a processor has it.
        if (bit >= 61 && cpuid(7, 1).eax & 1 << 26 && bit < 63) continue;
        Check c(Name("CR3 reserved bit") << bit);
        if (on_qemu())
            c.fatal_here("QEMU");
        else
            c.ends(run(with_rax(kernel(to_cr3()), now | 1ull << bit)), to_cr3(), gp(0)).is("CR3", read_cr3(), now);
    }
    run(with_rax(kernel(to_cr3()), now | pte::pwt | pte::pcd));
    Check("CR3 PWT and PCD").ends(trapped, to_cr3(), done).is("CR3", read_cr3(), now | pte::pwt | pte::pcd);
    write_cr3(now);
}

void check_cr4() {
    const u64 now = read_cr4();
    constexpr Bits bad[] = {{"PAE cleared in long mode", 0, cr4::pae}, {"reserved bit 15", 1 << 15, 0},
                            {"reserved bit 29", 1 << 29, 0},           {"reserved bit 31", 1u << 31, 0},
                            {"reserved bit 40", 1ull << 40, 0},        {"reserved bit 63", 1ull << 63, 0}};
    for (const Bits& b : bad) {
        Check c(Name("CR4") << b.name);
        if (on_qemu())
            c.fatal_here("QEMU");
        else
            c.ends(run(with_rax(kernel(to_cr4()), (now & ~b.clear) | b.set)), to_cr4(), gp(0))
                .is("CR4", read_cr4(), now);
    }
    // A bit whose feature CPUID does not name is reserved.
    struct Feature {
        const char* name;
        u64 bit;
        bool there;
    };
    const Cpuid leaf1 = cpuid(1), leaf7 = cpuid(7);
    const Feature features[] = {{"VME", 1, bool(leaf1.edx & 2)},
                                {"TSD", cr4::tsd, true},
                                {"DE", cr4::de, true},
                                {"PSE", cr4::pse, true},
                                {"MCE", cr4::mce, true},
                                {"PGE", cr4::pge, true},
                                {"PCE", cr4::pce, true},
                                {"OSFXSR", cr4::osfxsr, true},
                                {"OSXMMEXCPT", cr4::osxmm, true},
                                {"UMIP", cr4::umip, bool(leaf7.ecx & 4)},
                                {"LA57", 1 << 12, false},
                                {"VMXE", 1 << 13, bool(leaf1.ecx & 32)},
                                {"SMXE", 1 << 14, bool(leaf1.ecx & 64)},
                                {"FSGSBASE", cr4::fsgsbase, bool(leaf7.ebx & 1)},
                                {"PCIDE", cr4::pcide, bool(leaf1.ecx & 1 << 17)},
                                {"OSXSAVE", cr4::osxsave, bool(leaf1.ecx & 1 << 26)},
                                {"SMEP", cr4::smep, bool(leaf7.ebx & 1 << 7)},
                                {"SMAP", cr4::smap, bool(leaf7.ebx & 1 << 20)},
                                {"PKE", 1 << 22, bool(leaf7.ecx & 8)}};
    for (const Feature& f : features) {
        if ((f.bit == cr4::smap || f.bit == cr4::smep) && f.there) continue;  // the pieces of code lie in user pages
        if (!f.there && f.bit != 1 << 12 && on_qemu()) {
            Check(Name("CR4") << f.name).fatal_here("QEMU");
            continue;
        }
        run(with_rax(kernel(to_cr4()), now ^ f.bit));
        const u64 got = read_cr4();
        write_cr4(now);
        Check(Name("CR4") << f.name)
            .ends(trapped, to_cr4(), f.there ? done : gp(0))
            .is("CR4", got, f.there ? now ^ f.bit : now);
    }
    if (leaf1.ecx & 1 << 17) {
        write_cr3(read_cr3() | pte::pwt);
        run(with_rax(kernel(to_cr4()), now | cr4::pcide));
        write_cr3(read_cr3() & ~0xfffull);
        Check("CR4 PCIDE with PCID 8 in CR3").ends(trapped, to_cr4(), gp(0));
        With pcid(With::Cr4, cr4::pcide);
        const u64 cr3 = read_cr3();
        run(with_rax(kernel(to_cr3()), cr3 | 1ull << 63 | 5));
        Check("CR3 bit 63 is not kept").ends(trapped, to_cr3(), done).is("CR3", read_cr3(), cr3 | 5);
        run(with_rax(kernel(to_cr3()), cr3 | 1ull << 62));
        Check("CR3 bit 62 with PCIDE").ends(trapped, to_cr3(), gp(0));
        write_cr3(cr3);
    }
}

void check_cr8() {
    for (unsigned n = 0; n < 16; ++n) {
        run(with_rax(kernel(to_cr8()), n));
        Check(Name("CR8") << n)
            .ends(trapped, to_cr8(), done)
            .is("CR8", read_cr8(), n)
            .is("TPR", at<u32>(0xfee00080), n << 4);
    }
    Check("CR8 16").ends(run(with_rax(kernel(to_cr8()), 16)), to_cr8(), gp(0));
    Check("CR8 bit 63").ends(run(with_rax(kernel(to_cr8()), 1ull << 63)), to_cr8(), gp(0));
    at<u32>(0xfee00080) = 0x75;
    run(kernel(from_cr8()));
    Check("CR8 is the TPR's upper half").is("RAX", trapped.gpr[Rax], 7);
    write_cr8(0);
}

Regs msr_regs(const Code& c, u32 index, u64 value = 0) {
    Regs r = kernel(c);
    r.gpr[Rcx] = index | 0xffff'ffff'0000'0000;  // only ECX counts
    r.gpr[Rax] = value & 0xffff'ffff, r.gpr[Rdx] = value >> 32;
    return r;
}

void check_wrmsr(const Name& name, u32 index, u64 value, bool good) {
    const u64 before = read_msr(index);
    run(msr_regs(wrmsr_rdmsr(), index, value));
    write_msr(index, before);
    Check c(name);
    c.ends(trapped, wrmsr_rdmsr(), good ? done : gp(0));
    if (good) c.is("value", (trapped.gpr[Rax] & 0xffff'ffff) | trapped.gpr[Rdx] << 32, value);
}

void check_msrs() {
    constexpr u32 unknown[] = {0x12345678, 0xc0010fff, 0xbadbad};
    for (u32 index : unknown) {
        Check(Name("RDMSR of unknown") << index).ends(run(msr_regs(rdmsr_(), index)), rdmsr_(), gp(0));
        Check(Name("WRMSR of unknown") << index).ends(run(msr_regs(wrmsr_(), index)), wrmsr_(), gp(0));
    }
    struct Address {
        const char* name;
        u32 index;
    };
    constexpr Address addresses[] = {{"FS_BASE", msr::fs_base},
                                     {"GS_BASE", msr::gs_base},
                                     {"KERNEL_GS_BASE", msr::kernel_gs_base},
                                     {"LSTAR", msr::lstar},
                                     {"CSTAR", msr::cstar},
                                     {"SYSENTER_ESP", msr::sysenter_esp},
                                     {"SYSENTER_EIP", msr::sysenter_eip}};
    for (auto [name, index] : addresses) {
        check_wrmsr(Name("WRMSR") << name << "highest lower address", index, 0x7fff'ffff'ffff, true);
        check_wrmsr(Name("WRMSR") << name << "lowest upper address", index, 0xffff'8000'0000'0000, true);
        check_wrmsr(Name("WRMSR") << name << "not canonical", index, 0x8000'0000'0000, false);
        check_wrmsr(Name("WRMSR") << name << "not canonical, bit 63", index, 1ull << 63, false);
    }
    check_wrmsr("WRMSR STAR", msr::star, 0x1234'5678'9abc'def0, true);
    check_wrmsr("WRMSR FMASK", msr::fmask, 0x47700, true);
    check_wrmsr("WRMSR FMASK upper half", msr::fmask, 1ull << 32, false);
    if (cpuid(0x80000001).edx & 1 << 27) {
        check_wrmsr("WRMSR TSC_AUX", msr::tsc_aux, 0xffff'ffff, true);
        check_wrmsr("WRMSR TSC_AUX upper half", msr::tsc_aux, 1ull << 32, false);
    }
    for (unsigned type = 0; type < 9; ++type) {
        const bool good = type < 2 || (type >= 4 && type < 8);
        for (unsigned entry = 0; entry < 8; ++entry)
            check_wrmsr(Name("WRMSR PAT entry") << entry << "type" << type, msr::pat,
                        (0x0007040600070406 & ~(0xffull << 8 * entry)) | u64{type} << 8 * entry, good);
    }
    const u64 efer = read_msr(msr::efer);
    check_wrmsr("WRMSR EFER without SCE", msr::efer, efer & ~1ull, true);
    check_wrmsr("WRMSR EFER without NXE", msr::efer, efer & ~0x800ull, true);
    check_wrmsr("WRMSR EFER LME cleared while paging", msr::efer, efer & ~0x100ull, false);
    check_wrmsr("WRMSR EFER reserved bit 1", msr::efer, efer | 2, false);
    check_wrmsr("WRMSR EFER reserved bit 9", msr::efer, efer | 1 << 9, false);
    check_wrmsr("WRMSR EFER reserved bit 63", msr::efer, efer | 1ull << 63, false);
    const u64 apic = read_msr(msr::apic_base);
    check_wrmsr("WRMSR APIC_BASE reserved bit 0", msr::apic_base, apic | 1, false);
    check_wrmsr("WRMSR APIC_BASE reserved bit 9", msr::apic_base, apic | 1 << 9, false);
    check_wrmsr("WRMSR APIC_BASE reserved bit 52", msr::apic_base, apic | 1ull << 52, false);
    // MTRRs. Intel SDM vol. 3, "Memory Type Range Registers".
    Check("WRMSR MTRRCAP").ends(run(msr_regs(wrmsr_(), 0xfe, read_msr(0xfe))), wrmsr_(), gp(0));
    for (unsigned type = 0; type < 8; ++type) {
        const bool good = type < 2 || (type >= 4 && type < 7);
        check_wrmsr(Name("WRMSR MTRR default type") << type, 0x2ff, type, good);
        check_wrmsr(Name("WRMSR MTRR variable type") << type, 0x200, 0x1000'0000 | type, good);
        check_wrmsr(Name("WRMSR MTRR fixed type") << type, 0x250, 0x0606060606060600ull | type, good);
    }
    check_wrmsr("WRMSR MTRR default reserved bit 8", 0x2ff, 1 << 8, false);
    check_wrmsr("WRMSR MTRR base reserved bit 8", 0x200, 1 << 8, false);
    check_wrmsr("WRMSR MTRR mask reserved bit 0", 0x201, 1, false);
    check_wrmsr("WRMSR MTRR base beyond the physical addresses", 0x200, 1ull << (cpuid(0x80000008).eax & 0xff), false);
}

void check_xcr0() {
    const bool there = cpuid(1).ecx & 1 << 26;
    auto regs = [](const Code& c, u32 index, u64 value) { return msr_regs(c, index, value); };
    {
        With without(With::Cr4, 0, cr4::osxsave);
        Check("XGETBV without OSXSAVE").ends(run(regs(xgetbv_(), 0, 0)), xgetbv_(), ud);
        Check("XSETBV without OSXSAVE").ends(run(regs(xsetbv_(), 0, 3)), xsetbv_(), ud);
        Check("CPUID shows no OSXSAVE").is("bit", cpuid(1).ecx >> 27 & 1, 0);
    }
    if (!there) return;
    With with(With::Cr4, cr4::osxsave);
    Check("CPUID shows OSXSAVE").is("bit", cpuid(1).ecx >> 27 & 1, 1);
    const Cpuid mask = cpuid(0xd);
    struct Row {
        const char* name;
        u32 index;
        u64 value;
        bool good;
    };
    const Row rows[] = {{"x87", 0, 1, true},
                        {"x87 and SSE", 0, 3, true},
                        {"nothing", 0, 0, false},
                        {"SSE without x87", 0, 2, false},
                        {"AVX without SSE", 0, 5, false},
                        {"AVX", 0, 7, bool(mask.eax & 4)},
                        {"bit 62", 0, 1ull << 62 | 3, false},
                        {"bit 63", 0, 1ull << 63 | 3, false},
                        {"register 1", 1, 3, false}};
    for (const Row& row : rows)
        Check(Name("XSETBV") << row.name)
            .ends(run(regs(xsetbv_(), row.index, row.value)), xsetbv_(), row.good ? done : gp(0));
    run(regs(xsetbv_(), 0, 3));
    run(regs(xgetbv_(), 0, 0));
    Check("XGETBV").ends(trapped, xgetbv_(), done).is("EAX", trapped.gpr[Rax], 3);
    Check("XGETBV of register 0x100").ends(run(regs(xgetbv_(), 0x100, 0)), xgetbv_(), gp(0));
    Regs r = user(xsetbv_());
    r.gpr[Rax] = 3;
    Check("XSETBV user").ends(run(r), xsetbv_(), gp(0));
    Check("XGETBV user").ends(run(user(xgetbv_())), xgetbv_(), done);
    run(regs(xsetbv_(), 0, 1));
}

}  // namespace

void check_control() {
    forget_tables();
    check_cr0();
    check_cr3();
    check_cr4();
    check_cr8();
    check_msrs();
    check_xcr0();
}

}  // namespace guest

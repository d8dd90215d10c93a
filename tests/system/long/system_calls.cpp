// SYSCALL, SYSRET, SYSENTER, SYSEXIT and SWAPGS. Intel SDM vol. 2, under their names.
#include "long/machine.hpp"

namespace guest {
namespace {

CODE(64, target, "nop")
CODE(64, syscall_, "syscall")
CODE(64, sysretq_, "sysretq")
CODE(64, sysretl_, ".byte 0x0f, 0x07")
CODE(64, sysenter_, "sysenter")
CODE(64, sysexitq_, "sysexitq")
CODE(64, sysexitl_, ".byte 0x0f, 0x35")
CODE(64, swapgs_, "swapgs\nnop")
CODE(32, target32, "nop")
CODE(32, syscall_compat, "syscall")
CODE(32, sysenter_compat, "sysenter")
CODE(32, swapgs_compat, ".byte 0x0f, 0x01, 0xf8")

void check_syscall() {
    write_msr(msr::star, u64{sel::user_code32} << 48 | u64{sel::kernel_code} << 32);
    write_msr(msr::lstar, target().begin);
    write_msr(msr::fmask, flag::if_ | flag::df | flag::tf);
    for (auto [level, mode] : levels) {
        Regs r = mode(syscall_());
        r.flags |= flag::if_ | flag::df | flag::of | flag::iopl3;
        run(r);
        Check(Name("SYSCALL") << level)
            .ends(trapped, target(), done)
            .is("CS", trapped.cs, sel::kernel_code)
            .is("SS", trapped.ss, sel::kernel_data)
            .is("RCX", trapped.gpr[Rcx], syscall_().end)
            .is("R11", trapped.gpr[R11], r.flags)
            .is("RSP", trapped.gpr[Rsp], r.gpr[Rsp])
            .is("flags", trapped.flags & ~flag::rf, flag::reserved1 | flag::of | flag::iopl3);
    }
    write_msr(msr::fmask, 0xffff'ffff);
    run(user(syscall_()));
    Check("SYSCALL with every bit of FMASK")
        .ends(trapped, target(), done)
        .is("flags", trapped.flags & ~flag::rf, flag::reserved1);
    write_msr(msr::fmask, 0);
    Regs r = user(syscall_());
    r.flags |= flag::rf;
    run(r);
    Check("SYSCALL does not save RF").is("R11", trapped.gpr[R11], flag::reserved1);
    Check("SYSCALL in compatibility mode").ends(run(compat(syscall_compat())), syscall_compat(), ud);
    const u64 efer = read_msr(msr::efer);
    write_msr(msr::efer, efer & ~1ull);
    run(user(syscall_()));
    write_msr(msr::efer, efer);
    Check("SYSCALL without SCE").ends(trapped, syscall_(), ud);
    write_msr(msr::efer, efer & ~1ull);
    run(kernel(sysretq_()));
    write_msr(msr::efer, efer);
    Check("SYSRET without SCE").ends(trapped, sysretq_(), ud);

    r = kernel(sysretq_());
    r.gpr[Rcx] = target().begin;
    r.gpr[R11] = 0xffff'ffff'ffff'ffff & ~flag::tf & ~flag::vm;
    run(r);
    Check("SYSRETQ")
        .ends(trapped, target(), done)
        .is("CS", trapped.cs, sel::user_code)
        .is("SS", trapped.ss, sel::user_data)
        .is("RSP", trapped.gpr[Rsp], r.gpr[Rsp])
        .is("flags", trapped.flags & ~flag::rf, 0x3c7fd7 & ~flag::tf & ~flag::vm);
    r = kernel(sysretl_());
    r.gpr[Rcx] = 0xffff'ffff'0000'0000 | target32().begin;
    r.gpr[R11] = 2;
    run(r);
    Check("SYSRETL")
        .ends(trapped, target32(), done)
        .is("CS", trapped.cs, sel::user_code32)
        .is("SS", trapped.ss, sel::user_data);
    r = kernel(sysretq_());
    r.gpr[Rcx] = 1ull << 47;
    Check("SYSRETQ to a non-canonical address").ends(run(r), sysretq_(), gp(0)).is("CS", trapped.cs, sel::kernel_code);
    // The GDT is not asked.
    const u64 user_code = gdt[5];
    gdt[5] = 0;
    r.gpr[Rcx] = target().begin, r.gpr[R11] = 2;
    run(r);
    gdt[5] = user_code;
    Check("SYSRETQ does not read descriptors").ends(trapped, target(), done).is("CS", trapped.cs, sel::user_code);
}

void check_sysenter() {
    Check off("SYSENTER with a null SYSENTER_CS");
    write_msr(msr::sysenter_cs, 0);
    off.ends(run(user(sysenter_())), sysenter_(), gp(0));
    Check("SYSEXIT with a null SYSENTER_CS").ends(run(kernel(sysexitl_())), sysexitl_(), gp(0));
    write_msr(msr::sysenter_cs, sel::kernel_code);
    write_msr(msr::sysenter_eip, target().begin);
    write_msr(msr::sysenter_esp, address(ring0_stack) + 0x800);
    struct Row {
        const char* name;
        Regs (*regs)(const Code&);
        Code (*code)();
    };
    constexpr Row rows[] = {{"64-bit mode", user, sysenter_},
                            {"compatibility mode", compat, sysenter_compat},
                            {"level 0", kernel, sysenter_}};
    for (const Row& row : rows) {
        Regs r = row.regs(row.code());
        r.flags |= flag::if_ | flag::of | flag::nt;
        run(r);
        Check(Name("SYSENTER") << row.name)
            .ends(trapped, target(), done)
            .is("CS", trapped.cs, sel::kernel_code)
            .is("SS", trapped.ss, sel::kernel_data)
            .is("RSP", trapped.gpr[Rsp], address(ring0_stack) + 0x800)
            .is("flags", trapped.flags & ~flag::rf, flag::reserved1 | flag::of | flag::nt);
    }
    Regs r = kernel(sysexitl_());
    r.gpr[Rdx] = target32().begin | 0xabcd'0000'0000'0000,
    r.gpr[Rcx] = 0xffff'ffff'0000'0000 | (address(user_stack) + 0x800);
    run(r);
    Check("SYSEXIT to 32 bits")
        .ends(trapped, target32(), done)
        .is("CS", trapped.cs, sel::user_code32)
        .is("SS", trapped.ss, sel::user_data)
        .is("RSP", trapped.gpr[Rsp], address(user_stack) + 0x800);
    r.rip = sysexitq_().begin;
    r.gpr[Rdx] = target().begin, r.gpr[Rcx] = address(user_stack) + 0x800;
    run(r);
    Check("SYSEXIT to 64 bits")
        .ends(trapped, target(), done)
        .is("CS", trapped.cs, sel::user_code)
        .is("SS", trapped.ss, sel::user_code + 8);
    r.gpr[Rdx] = 1ull << 47;
    Check("SYSEXIT to a non-canonical address").ends(run(r), sysexitq_(), gp(0));
    r.gpr[Rdx] = target().begin, r.gpr[Rcx] = 1ull << 47;
    Check("SYSEXIT to a non-canonical stack").ends(run(r), sysexitq_(), gp(0));
    Check("SYSEXIT user with a good SYSENTER_CS").ends(run(user(sysexitl_())), sysexitl_(), gp(0));
    write_msr(msr::sysenter_cs, 0);
}

CODE(64, swapgs_bases,
     "mov ecx, 0xc0000101\nmov eax, 0x1000\nmov edx, 0\nwrmsr\nmov ecx, 0xc0000102\nmov eax, 0x2000\nwrmsr\n"
     "swapgs\nrdmsr\nmov ebx, eax\nmov ecx, 0xc0000101\nrdmsr")

void check_swapgs() {
    run(kernel(swapgs_bases()));
    Check("SWAPGS")
        .ends(trapped, swapgs_bases(), trap_at(3, swapgs_bases().end + 1))
        .is("GS base", trapped.gpr[Rax], 0x2000)
        .is("KERNEL_GS_BASE", trapped.gpr[Rbx], 0x1000);
    Check("SWAPGS in compatibility mode").ends(run(compat(swapgs_compat())), swapgs_compat(), ud);
    Check("SWAPGS in 32-bit code of level 0").ends(run(kernel32(swapgs_compat())), swapgs_compat(), ud);
}

}  // namespace

void check_system_calls() {
    check_syscall();
    check_sysenter();
    check_swapgs();
}

}  // namespace guest

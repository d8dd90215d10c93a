// What refuses to enter long mode. Intel SDM vol. 3, "Initializing IA-32e Mode", "IA-32e Mode System Data Structures";
// vol. 2, "MOV--Move to/from Control Registers".
#include "legacy/tasks.hpp"

namespace guest {
namespace {

constexpr u32 efer = 0xc000'0080, lme = 1 << 8;
constexpr u16 spare = sel::spare;

CODE(32, to_cr0, "mov cr0, eax")
CODE(16, to_cr0_16, "mov cr0, eax")
CODE(32, to_cr4, "mov cr4, eax")

}  // namespace

void check_long_mode() {
    Check pae("paging with LME without PAE"), long_code("paging with LME in code with L"),
        tss16("paging with LME and a 16-bit TSS"), pcide("PCIDE outside long mode");
    if (on_qemu()) {
        pae.fatal_here("QEMU"), long_code.fatal_here("QEMU"), tss16.fatal_here("QEMU"), pcide.fatal_here("QEMU");
        return;
    }
    write_msr(efer, read_msr(efer) | lme);
    Regs r = kernel(to_cr0());
    r.gpr[Rax] = read_cr0() | cr0::pg;
    pae.ends(run(r), to_cr0(), gp(0));
    {
        With with(With::Cr4, cr4::pae);
        gdt[spare / 8] = descriptor(0, 0xfffff, 0x9b, 0xa);
        r = kernel16(to_cr0_16());
        r.cs = spare;
        r.gpr[Rax] = read_cr0() | cr0::pg;
        long_code.ends(run(r), to_cr0_16(), gp(0));
        gdt[spare / 8] = descriptor(static_cast<u32>(address(&tss)), 0x2b, 0x81, 0);
        asm volatile("ltr %w0" ::"r"(spare));
        r = kernel(to_cr0());
        r.gpr[Rax] = read_cr0() | cr0::pg;
        tss16.ends(run(r), to_cr0(), gp(0));
        own_task();
    }
    write_msr(efer, read_msr(efer) & ~u64{lme});
    r = kernel(to_cr4());
    r.gpr[Rax] = read_cr4() | 1 << 17;
    pcide.ends(run(r), to_cr4(), gp(0));
}

}  // namespace guest

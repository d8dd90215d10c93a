// Leaving long mode and coming back, and what refuses a wrong order. Intel SDM vol. 3, "Initializing IA-32e Mode",
// "Switching Out of IA-32e Mode Operation"; vol. 2, "MOV--Move to/from Control Registers".
#include "long/machine.hpp"

extern "C" {
extern const guest::u8 low_begin[], low_end[];
extern const guest::u32 handler21_at;
void leave_long();
}

namespace guest {
namespace {

constexpr uptr low_base = 0x1000;
volatile u32* const left = reinterpret_cast<volatile u32*>(0x598);  // as leave.S has it
constexpr u32 lme = 1 << 8, lma = 1 << 10;

CODE(32, to_cr0, "mov cr0, eax")
CODE(32, to_cr4, "mov cr4, eax")
CODE(32, wrmsr_, "wrmsr")
CODE(64, nothing, "nop")

void check_round_trip() {
    memcpy(reinterpret_cast<void*>(low_base), low_begin, address(low_end) - address(low_begin));
    at<u32>(0x21 * 4) = handler21_at;
    at<u8>(0x12340) = 0;
    const u64 cr0 = read_cr0();
    for (unsigned turn = 0; turn < 2; ++turn) {
        for (unsigned n = 0; n < 12; ++n) left[n] = 0;
        at<u8>(0x12340) = 0;
        asm volatile("call leave_long" ::: "memory", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
        const char* again = turn ? "again" : "first";
        Check(Name("paging off ends long mode") << again).is("EFER", left[0] & (lme | lma), lme);
        Check(Name("32-bit code after long mode") << again).is("EAX", left[1], 0x42);
        Check(Name("paging on with LME is long mode") << again).is("EFER", left[2] & (lme | lma), lme | lma);
        Check(Name("LME cleared without paging") << again).is("EFER", left[3] & (lme | lma), 0);
        Check(Name("PAE cleared after long mode") << again).is("CR4", left[4] & cr4::pae, 0);
        Check(Name("real mode after long mode") << again)
            .is("INT 21h", left[5], 0x5a)
            .is("CR0", left[6], (cr0 & ~(cr0::pg | cr0::pe)))
            .is("memory", at<u8>(0x12340), 0x77)
            .is("SP", left[7] & 0xffff, 0x7000);
        Check(Name("long mode again") << again).is("EFER", left[8] & (lme | lma), lme | lma).is("CR0", read_cr0(), cr0);
    }
    // All is as it was.
    Check("user code after the way back").ends(run(user(nothing())), nothing(), done);
}

void check_refusals() {
    Regs r = kernel32(to_cr4());
    r.gpr[Rax] = read_cr4() & ~cr4::pae;
    Check clear_pae("PAE cleared in compatibility mode");
    if (on_qemu())
        clear_pae.fatal_here("QEMU");
    else
        clear_pae.ends(run(r), to_cr4(), gp(0));
    Check with_pcid("paging off with PCIDE in compatibility mode");
    if (!(cpuid(1).ecx & 1 << 17)) {
        with_pcid.skip();
    } else {
        With pcide(With::Cr4, cr4::pcide);
        r = kernel32(to_cr0());
        r.gpr[Rax] = read_cr0() & ~cr0::pg;
        with_pcid.ends(run(r), to_cr0(), gp(0));
    }
    r = kernel32(wrmsr_());
    r.gpr[Rcx] = msr::efer, r.gpr[Rax] = read_msr(msr::efer) & ~u64{lme};
    Check("LME cleared in compatibility mode").ends(run(r), wrmsr_(), gp(0));
    // Levels 1 to 3 may not.
    constexpr Regs (*modes[])(const Code&) = {compat, compat1, compat2};
    for (auto mode : modes) {
        r = mode(to_cr0());
        r.gpr[Rax] = read_cr0() & ~cr0::pg;
        Check(Name("paging off in compatibility mode of level") << static_cast<unsigned>(r.cs & 3))
            .ends(run(r), to_cr0(), gp(0));
    }
}

}  // namespace

void check_leaving() {
    check_round_trip();
    check_refusals();
}

}  // namespace guest

// INIT and resets, from every source that a PC has: what stays, what the processor begins with, and what holds INIT
// back. The ROM keeps the registers that it was entered with and comes back here. Intel SDM vol. 3, "Processor State
// After Reset", "IA-32 and Intel 64 Processor States Following Power-up, Reset, or INIT", "Local APIC State After It
// Receives an INIT Reset"; PIIX, "Reset Control Register", "INIT".
#include "long/apic.hpp"

extern "C" {
extern guest::u8 resume_gdtr[], resume_idtr[];
extern guest::u32 resume_cr0, resume_cr3, resume_cr4;
void resume();
}

namespace guest {
namespace {

// As start.inc has it.
struct [[gnu::packed]] Started {
    u32 gpr[8];  // EAX ECX EDX EBX ESP EBP ESI EDI
    u32 flags, cr0, cr2, cr3, cr4, dr0, dr6, dr7;
    u16 gdt_limit;
    u32 gdt_base;
    u16 unused0, idt_limit;
    u32 idt_base;
    u16 unused1, segments[6];
    u8 port92, unused2[3];
    u32 efer;
};
volatile Started& started = *reinterpret_cast<volatile Started*>(0x530);
volatile u32 &expected = at<u32>(0x528), &go_on_at = at<u32>(0x52c);
constexpr u32 expected_magic = 0x45585045;
constexpr u64 by_reset = 0x100;  // in place of a vector

using namespace apic_at;

#define WAIT "\nmov ecx, 10000000\n1: dec ecx\njnz 1b"
CODE(64, by_message, "mov [rdi], eax" WAIT)
CODE(64, by_port92, "in al, 0x92\nand al, 0xfe\nout 0x92, al\nor al, 1\nout 0x92, al" WAIT)
CODE(64, with_a20_closed, "in al, 0x92\nand al, 0xfc\nout 0x92, al\nor al, 1\nout 0x92, al" WAIT)
CODE(32, by_port92_compat, "in al, 0x92\nand al, 0xfe\nout 0x92, al\nor al, 1\nout 0x92, al" WAIT)
CODE(64, by_keyboard, "2: in al, 0x64\ntest al, 2\njnz 2b\nmov al, 0xfe\nout 0x64, al" WAIT)
CODE(64, by_cf9, "mov dx, 0xcf9\nmov al, 0\nout dx, al\nmov al, 4\nout dx, al" WAIT)
CODE(64, by_cf9_hard, "mov dx, 0xcf9\nmov al, 2\nout dx, al\nmov al, 6\nout dx, al" WAIT)
CODE(64, by_triple_fault, "lidt [rbx]\nud2")
CODE(64, after_ss, "in al, 0x92\nand al, 0xfe\nout 0x92, al\nor al, 1\nmov ss, bx\nout 0x92, al\nmov [rdi], eax" WAIT)
CODE(64, startup, "mov [rdi], eax\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop")

alignas(16) u8 fpu_before[512], fpu_after[512];

void save_fpu(u8* where) {
    With sse(With::Cr4, cr4::osfxsr);
    asm volatile("fxsave64 (%0)" ::"r"(where) : "memory");
}
void load_fpu(const u8* where) {
    With sse(With::Cr4, cr4::osfxsr);
    asm volatile("fxrstor64 (%0)" ::"r"(where) : "memory");
}

// All of x87 and SSE, with numbers of its own.
void fill_fpu() {
    asm volatile("fninit");
    save_fpu(fpu_before);
    for (unsigned n = 0; n < 8; ++n)
        for (unsigned k = 0; k < 10; ++k) fpu_before[32 + 16 * n + k] = static_cast<u8>(n + k);
    for (unsigned n = 0; n < 256; ++n) fpu_before[160 + n] = static_cast<u8>(n * 3);
    at<u16>(address(fpu_before)) = 0xe7f;             // FCW
    at<u8>(address(fpu_before) + 4) = 0xf0;           // FTW
    at<u32>(address(fpu_before) + 24) = 0x1f80 | 64;  // MXCSR: DAZ
    load_fpu(fpu_before);
    save_fpu(fpu_before);
}

constexpr u32 kept_msrs[] = {msr::sysenter_cs, msr::sysenter_esp, msr::sysenter_eip, msr::pat,
                             msr::star,        msr::lstar,        msr::fmask,        msr::kernel_gs_base};
constexpr const char* msr_names[] = {"SYSENTER_CS", "SYSENTER_ESP", "SYSENTER_EIP", "PAT",
                                     "STAR",        "LSTAR",        "FMASK",        "KERNEL_GS_BASE"};
constexpr u64 msr_values[] = {0x8,  0x1234'5678, 0x9abc'def0, 0x0006'0406'0007'0401, 0x0013'0008'0000'0000,
                              0x42, 0x4700,      0x1357};

u64 tsc() {
    u32 low, high;
    asm volatile("rdtsc" : "=a"(low), "=d"(high));
    return low | u64{high} << 32;
}

// Runs the piece until the ROM brings it back; what the processor began with is in `started` then.
bool run_to_reset(const Regs& r) {
    asm volatile("sgdt %0\nsidt %1" : "=m"(resume_gdtr), "=m"(resume_idtr));
    resume_cr0 = static_cast<u32>(read_cr0()), resume_cr4 = static_cast<u32>(read_cr4());
    resume_cr3 = static_cast<u32>(read_cr3());
    go_on_at = static_cast<u32>(address(reinterpret_cast<const void*>(&resume)));
    expected = expected_magic;
    trapped.vector = by_reset;
    run(r);
    const bool came = trapped.vector == by_reset;
    expected = 0;
    if (!came) return false;
    gdt[sel::tss / 8] &= ~(2ull << 40);
    asm volatile("ltr %w0" ::"r"(sel::tss));
    return true;
}

void set_registers(Regs& r) {
    for (unsigned n = 0; n < 16; ++n)
        if (n != Rsp && n != Rdi && n != Rbx && n != Rax) r.gpr[n] = 0x1111'1111ull * (n + 1);
}

// What power-up, reset and INIT have in common.
void ask_registers(const char* how) {
    Check c(Name(how) << "registers");
    c.is("EAX", started.gpr[Rax], 0)
        .is("EBX", started.gpr[Rbx], 0)
        .is("ECX", started.gpr[Rcx], 0)
        .is("family of EDX", started.gpr[Rdx] >> 8 & 0xff, 6)
        .is("ESP", started.gpr[Rsp], 0)
        .is("EBP", started.gpr[Rbp], 0)
        .is("ESI", started.gpr[Rsi], 0)
        .is("EDI", started.gpr[Rdi], 0)
        .is("EFLAGS", started.flags, 2);
    Check(Name(how) << "segments")
        .is("DS", started.segments[0], 0)
        .is("ES", started.segments[1], 0)
        .is("FS", started.segments[2], 0)
        .is("GS", started.segments[3], 0)
        .is("SS", started.segments[4], 0)
        .is("GDTR's base", started.gdt_base, 0)
        .is("GDTR's limit", started.gdt_limit, 0xffff)
        .is("IDTR's base", started.idt_base, 0)
        .is("IDTR's limit", started.idt_limit, 0xffff);
    Check(Name(how) << "control registers")
        .is("CR2", started.cr2, 0)
        .is("CR3", started.cr3, 0)
        .is("CR4", started.cr4, 0)
        .is("LMA", started.efer & 0x400, 0)
        .is("DR0", started.dr0, 0)
        .is("DR6", started.dr6, 0xffff0ff0)
        .is("DR7", started.dr7, 0x400);
}

void ask_apic(const char* how) {
    Check(Name(how) << "local APIC")
        .is("base", read_msr(msr::apic_base), apic | 0x900)
        .is("TPR", apic_register(tpr), 0)
        .is("LDR", apic_register(ldr), 0)
        .is("DFR", apic_register(dfr), ~0u)
        .is("SVR", apic_register(spurious), 0xff)
        .is("timer", apic_register(lvt_timer), 0x1'0000)
        .is("LINT0", apic_register(lint0), 0x1'0000)
        .is("initial count", apic_register(timer_initial), 0);
}

void set_apic() {
    apic_register(spurious) = 0x1ff;
    apic_register(tpr) = 0x50;
    apic_register(ldr) = 0x0100'0000;
    apic_register(lvt_timer) = 0x1'0055;
    apic_register(timer_initial) = 1'000'000;
}

struct Source {
    const char* name;
    Code (*code)();
    Regs (*regs)(const Code&);
    bool keeps_port92;
};
constexpr Source sources[] = {{"INIT by a message to itself", by_message, kernel, false},
                              {"INIT by port 92h", by_port92, kernel, true},
                              {"INIT by port 92h at level 3", by_port92, user, true},
                              {"INIT by port 92h in compatibility mode", by_port92_compat, compat, true},
                              {"INIT by the keyboard controller", by_keyboard, kernel, false},
                              {"INIT by port CF9h", by_cf9, kernel, false},
                              {"INIT by a triple fault", by_triple_fault, kernel, false}};

Regs prepared(const Source& s) {
    Regs r = s.regs(s.code());
    set_registers(r);
    r.flags |= flag::iopl3 | flag::nt | flag::ac | flag::cf;
    r.gpr[Rdi] = apic + icr, r.gpr[Rax] = 0x4500;
    // A table without entries for the triple fault.
    r.gpr[Rbx] = address(user_page);
    for (unsigned n = 0; n < 16; ++n) user_page[n] = 0;
    apic_register(icr_high) = apic_register(id);
    return r;
}

void check_init() {
    for (unsigned turn = 0; const Source& s : sources) {
        for (unsigned n = 0; n < sizeof kept_msrs / 4; ++n) write_msr(kept_msrs[n], msr_values[n]);
        set_apic();
        write_dr0(0x1000);
        write_dr7(0x700);
        const Regs r = prepared(s);
        at<u32>(frame_pool) = 0xcafe'f00d;
        fill_fpu();
        const u64 caches = turn++ & 1 ? cr0::cd : 0, before = tsc();
        const bool came = [&] {
            With with(With::Cr0, caches, cr0::cd | cr0::nw);
            return run_to_reset(r);
        }();
        save_fpu(fpu_after);
        const u64 after = tsc();
        Check(s.name).is("came", came, 1);
        if (!came) continue;
        ask_registers(s.name);
        u64 upper = 0;
        for (unsigned n = 8; n < 16; ++n) upper |= trapped.gpr[n];
        Check(Name(s.name) << "R8 to R15").is("together", upper, 0);
        Check(Name(s.name) << "CR0").is("CD and NW as they were", started.cr0, caches | 0x10);
        bool same = true;
        for (unsigned n = 0; n < 416; ++n) same &= fpu_before[n] == fpu_after[n];
        Check(Name(s.name) << "keeps x87 and SSE").is("same", same, 1);
        Check m(Name(s.name) << "keeps MSRs");
        for (unsigned n = 0; n < sizeof kept_msrs / 4; ++n) m.is(msr_names[n], read_msr(kept_msrs[n]), msr_values[n]);
        Check(Name(s.name) << "keeps memory and the TSC")
            .is("memory", at<u32>(frame_pool), 0xcafe'f00d)
            .is("TSC", after > before, 1);
        if (s.keeps_port92) Check(Name(s.name) << "keeps port 92h").is("bit 0", started.port92 & 1, 1);
        ask_apic(s.name);
    }
    write_msr(msr::pat, 0x0007'0406'0007'0406);
    write_msr(msr::star, u64{sel::user_code32 | 0u} << 48 | u64{sel::kernel_code} << 32);
}

void check_details() {
    if (cpuid(1).ecx & 1 << 26) {
        With with(With::Cr4, cr4::osxsave);
        asm volatile("xsetbv" ::"a"(3), "d"(0), "c"(0));
        const bool came = run_to_reset(prepared(sources[1]));
        u32 low, high;
        asm volatile("xgetbv" : "=a"(low), "=d"(high) : "c"(0));
        Check("INIT keeps XCR0").is("came", came, 1).is("XCR0", low, 3);
        asm volatile("xsetbv" ::"a"(1), "d"(0), "c"(0));
    }
    // The ROM is found all the same.
    Regs closed = prepared(sources[1]);
    closed.rip = with_a20_closed().begin;
    Check("INIT with the A20 gate closed").is("came", run_to_reset(closed), 1);
    // A SIPI means nothing to a processor that does not wait for one.
    apic_register(icr_high) = apic_register(id);
    Regs r = kernel(startup());
    r.gpr[Rdi] = apic + icr, r.gpr[Rax] = 0x4608;
    Check("a SIPI that nobody waits for").ends(run(r), startup(), done);
    // De-asserting INIT is a message that nobody has heard of since the Pentium 4.
    r.gpr[Rax] = 0x8500;
    Check("INIT level de-assert").ends(run(r), startup(), done);
}

// The column "Reset" of the table.
void check_hard() {
    fill_fpu();
    set_apic();
    write_dr0(0x1000);
    Regs r = prepared(sources[1]);
    r.rip = by_cf9_hard().begin;
    at<u32>(frame_pool) = 0xcafe'f00d;
    const bool came = run_to_reset(r);
    save_fpu(fpu_after);
    Check("reset by port CF9h").is("came", came, 1);
    if (!came) return;
    ask_registers("reset");
    Check("reset CR0").is("CR0", started.cr0, 0x6000'0010);
    Check("reset port 92h").is("bit 0", started.port92 & 1, 0);
    u64 xmm = 0;
    for (unsigned n = 160; n < 416; ++n) xmm |= fpu_after[n];
    Check("reset x87 and SSE")
        .is("FCW", at<u16>(address(fpu_after)), 0x40)
        .is("FSW", at<u16>(address(fpu_after) + 2), 0)
        .is("FTW", at<u8>(address(fpu_after) + 4), 0xff)
        .is("MXCSR", at<u32>(address(fpu_after) + 24), 0x1f80)
        .is("XMM", xmm, 0);
    ask_apic("reset");
}

}  // namespace

void check_reset() {
    check_init();
    check_details();
    check_hard();
}

}  // namespace guest

// Interrupts of the local APIC: when they come, which first, and what holds them back. Intel SDM vol. 3, "Masking
// Maskable Hardware Interrupts", "Handling Multiple NMIs", "Interrupt Priority in Legacy APIC"; vol. 2, "STI", "MOV".
#include "common/kernel_round.hpp"
#include "long/apic.hpp"

namespace guest {
namespace {

using namespace apic_at;
constexpr u32 to_self = 1 << 18;

bool bit_of(unsigned bank, unsigned vector) { return apic_register(bank + vector / 32 * 16) >> vector % 32 & 1; }

void send(unsigned vector) { apic_register(icr) = to_self | vector; }

CODE(64, nothing, "nop\nnop\nnop\nnop")
CODE(64, sti_nop, "sti\nnop\nnop")
CODE(64, sti_cli, "sti\ncli\nnop")
CODE(64, sti_sti, "sti\nsti\nnop\nnop")
CODE(64, popf_, "push rax\npopfq\nnop\nnop")
CODE(64, sti_hlt, "sti\nhlt\nnop")
CODE(64, store, "mov [rdi], eax\nnop")
CODE(64, ipi, "mov [rdi], eax\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop")
CODE(64, tpr_lowered, "mov cr8, rax\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop")
CODE(64, loop_forever, "1: jmp 1b")
CODE(64, count_forever, "1: inc rcx\nmov [rbx], rcx\njmp 1b")

#define DIVIDE_BY_ZERO "fninit\npush 0x37b\nfldcw [rsp]\npop rax\nfld1\nfldz\nfdivp\nnop"
CODE_AT(64, x87_error, DIVIDE_BY_ZERO, "fwait")
CODE_AT(64, mmx_error, DIVIDE_BY_ZERO, "movd eax, mm0")
CODE(64, x87_ignored, "fwait\nfld1\nfaddp\nfnstsw ax\nfnclex")
CODE(64, mmx_ignored, "movq mm0, mm1\nfnstsw ax")
CODE(64, x87_load, "fxrstor [rbx]")
CODE_AT(64, x87_again, "fxrstor [rbx]", "fwait")
CODE(64, x87_quiet, "fld1\nfnstsw ax")

// Leaves nothing pending and nothing in service.
void settle() {
    write_cr8(0);
    for (unsigned n = 0; n < 256; ++n) {
        bool serving = false, waiting = false;
        for (unsigned bank = 0; bank < 0x80; bank += 16)
            serving |= apic_register(isr + bank) != 0, waiting |= apic_register(irr + bank) != 0;
        if (!serving && !waiting) return;
        if (serving) {
            apic_register(eoi) = 0;
            continue;
        }
        Regs r = kernel(nothing());
        r.flags |= flag::if_;
        run(r);
    }
}

void check_shadows() {
    struct Row {
        const char* name;
        Code (*code)();
        unsigned after;  // where it comes, from the first instruction
    };
    constexpr Row rows[] = {{"STI", sti_nop, 2}, {"STI STI", sti_sti, 2}, {"POPF", popf_, 2}};
    for (const Row& row : rows) {
        settle();
        send(0x40);
        Regs r = kernel(row.code());
        r.gpr[Rax] = row.code == popf_ ? flag::if_ | flag::reserved1 : sel::kernel_data;
        run(r);
        Check(Name("interrupt after") << row.name)
            .ends(trapped, row.code(), trap_at(0x40, row.code().at + row.after))
            .is("handler's IF", trapped.handler_flags & flag::if_, 0);
    }
    settle();
    send(0x40);
    run(kernel(sti_cli()));
    Check("STI CLI lets no interrupt in").ends(trapped, sti_cli(), done).is("IRR", bit_of(irr, 0x40), 1);
    for (auto [level, mode] : levels) {
        Regs r = mode(nothing());
        r.flags |= flag::if_;
        run(r);
        Check(Name("interrupt after IRETQ") << level)
            .ends(trapped, nothing(), trap_at(0x40, nothing().begin))
            .is("ISR", bit_of(isr, 0x40), 1)
            .is("IRR", bit_of(irr, 0x40), 0);
        settle();
        send(0x40);
        // With TF: the trap of STI comes before the interrupt that it allows.
        r = mode(sti_nop());
        r.flags |= flag::tf | flag::iopl3;
        run(r);
        Check(Name("TF and STI with an interrupt waiting") << level)
            .ends(trapped, sti_nop(), trap_at(1, sti_nop().at + 1));
    }
    for (auto [level, mode] : levels) {
        settle();
        send(0x40);
        Regs r = mode(store());
        r.flags |= flag::if_;
        r.gpr[Rdi] = address(user_page), r.gpr[Rax] = 0x1234;
        at<u32>(address(user_page)) = 0;
        run(r);
        Check(Name("interrupt before the first store") << level)
            .ends(trapped, store(), trap_at(0x40, store().begin))
            .is("memory", at<u32>(address(user_page)), 0);
    }
    settle();
    Regs r = kernel(ipi());
    r.flags |= flag::if_;
    r.gpr[Rdi] = apic + icr, r.gpr[Rax] = to_self | 0x41;
    run(r);
    Check("interrupt sent to itself with IF").is("vector", trapped.vector, 0x41);
    settle();
}

void check_priorities() {
    auto arriving = [](bool user_mode = false) {
        Regs r = user_mode ? user(nothing()) : kernel(nothing());
        r.flags |= flag::if_;
        return run(r).vector;
    };
    send(0x40), send(0x62), send(0x61);
    Check("highest vector first").is("vector", arriving(), 0x62);
    Check("nothing of the same class while in service").is("vector", arriving(), 3).is("PPR", apic_register(ppr), 0x60);
    send(0x70);
    Check("a higher class comes through").is("vector", arriving(), 0x70);
    apic_register(eoi) = 0;
    Check("the EOI ends the highest").is("PPR", apic_register(ppr), 0x60);
    apic_register(eoi) = 0;
    Check("then the next of the class").is("vector", arriving(), 0x61);
    apic_register(eoi) = 0;
    Check("then the lower class").is("vector", arriving(), 0x40);
    settle();
    for (unsigned task = 3; task < 7; ++task) {
        write_cr8(task);
        send(0x50);
        const u64 got = arriving(true);
        write_cr8(0);
        Check(Name("vector 50h and TPR") << task).is("vector", got, task < 5 ? 0x50 : 3);
        if (got == 3) arriving();
        settle();
    }
    write_cr8(15);
    send(0x90);
    Regs r = kernel(tpr_lowered());
    r.flags |= flag::if_;
    run(r);
    Check("lowering CR8 lets it in")
        .is("vector", trapped.vector, 0x90)
        .is("RIP", trapped.rip >= tpr_lowered().begin + 4, 1);
    settle();
    apic_register(esr) = 0;
    apic_register(icr) = to_self | 5;
    apic_register(esr) = 0;
    Check("a vector below 16 is an error").is("ESR", (apic_register(esr) & 0x60) != 0, 1);
    settle();
}

void check_timer() {
    settle();
    apic_register(timer_divide) = 0xb;
    apic_register(lvt_timer) = 0x55;
    apic_register(timer_initial) = 1000;
    run(kernel(sti_hlt()));
    Check("HLT ends with the timer").ends(trapped, sti_hlt(), trap_at(0x55, sti_hlt().at + 2));
    settle();
    apic_register(timer_initial) = 100'000;
    Regs r = user(loop_forever());
    r.flags |= flag::if_;
    run(r);
    Check("the timer interrupts a jump to itself").ends(trapped, loop_forever(), trap_at(0x55, loop_forever().at));
    settle();
    apic_register(timer_initial) = 100'000;
    r = user(count_forever());
    r.flags |= flag::if_;
    r.gpr[Rbx] = address(user_page);
    at<u64>(address(user_page)) = 0;
    run(r);
    const u64 stored = at<u64>(address(user_page)), counted = trapped.gpr[Rcx],
              where = trapped.rip - count_forever().begin;
    // At an instruction's boundary, with the state that belongs to it.
    Check("the timer's interrupt comes between instructions")
        .is("vector", trapped.vector, 0x55)
        .is("boundary", where == 0 || where == 3 || where == 6, 1)
        .is("stored", stored, where == 3 ? counted - 1 : counted);
    settle();
    apic_register(lvt_timer) = 1 << 16 | 0x55;
    apic_register(timer_initial) = 100;
    for (unsigned n = 0; n < 1000 && apic_register(0x390); ++n) {
    }
    Check("a masked timer sends nothing").is("IRR", bit_of(irr, 0x55), 0);
}

// --- NMIs
extern "C" volatile u64 nmi_count;
volatile u64 nmi_count;
// The handler sends another one at its first call, and ends the run at its second.
CODE(64, nmi_handler,
     "inc qword ptr [nmi_count]\ncmp qword ptr [nmi_count], 2\nje nmi_handler_end\nmov [rdi], eax\nnop\nnop\nnop\nnop\n"
     "nop\nnop\nnop\nnop\nmov ebx, 0x1234\niretq")
CODE(64, nmi_sent, "mov [rdi], eax\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nnop\nud2")

CODE(64, halts, "hlt")

// By a device: the HPET's pin of the I/O APIC.
void check_nmi_of_device() {
    Watchdog::start();
    Regs r = kernel(halts());
    r.flags &= ~flag::if_;
    run(r);
    Watchdog::stop();
    Check("NMI ends HLT with IF clear").is("vector", trapped.vector, 2).is("RIP", trapped.rip, halts().end);
}

void check_nmi() {
    apic_register(icr_high) = apic_register(id);
    Regs r = kernel(nmi_sent());
    r.gpr[Rdi] = apic + icr, r.gpr[Rax] = 0x400;
    run(r);
    Check("NMI with IF clear").is("vector", trapped.vector, 2);
    nmi_count = 0;
    set_gate(2, nmi_handler().begin, sel::kernel_code, 0x8e, 0);
    run(r);
    reset_gate(2);
    Check("NMIs are blocked until IRETQ")
        .ends(trapped, nmi_handler(), done)
        .is("count", nmi_count, 2)
        .is("RBX", trapped.gpr[Rbx], 0x1234);
}

// The second NMI comes where the first one's handler ends an interrupt of its own by IRETQ, and counts to 2 there.
CODE_AT(64, nmi_nested,
        "inc qword ptr [nmi_count]\ncmp qword ptr [nmi_count], 2\nje nmi_nested_end\nmov [rdi], eax\nnop\nnop\nnop\nnop\n"
        "nop\nnop\nnop\nnop\nint 0x21",
        "mov ebx, 0x1234\niretq")
CODE(64, returns, "iretq")
// IRETQ to a null selector: #GP, but NMIs are let in before the handler's first instruction.
CODE(64, nmi_faulting,
     "inc qword ptr [nmi_count]\ncmp qword ptr [nmi_count], 2\nje nmi_faulting_end\nmov [rdi], eax\nnop\nnop\nnop\nnop\n"
     "nop\nnop\nnop\nnop\nxor ecx, ecx\npush rcx\npush rcx\npush rcx\npush rcx\npush rcx\niretq")

void check_nmi_blocking() {
    struct Row {
        const char* name;
        Code (*code)();
        uptr after;  // where the second one comes
    };
    const Row rows[] = {{"IRETQ of any handler lets NMIs in", nmi_nested, nmi_nested().at},
                        {"IRETQ that faults lets NMIs in", nmi_faulting, stub(13)}};
    set_gate(0x21, returns().begin, sel::kernel_code, 0x8e, 0);
    for (const Row& row : rows) {
        nmi_count = 0;
        set_gate(2, row.code().begin, sel::kernel_code, 0x8e, 0);
        apic_register(icr_high) = apic_register(id);
        Regs r = kernel(nmi_sent());
        r.gpr[Rdi] = apic + icr, r.gpr[Rax] = 0x400;
        run(r);
        reset_gate(2);
        Check(row.name).ends(trapped, row.code(), done).is("count", nmi_count, 2).is("RIP", at<u64>(trapped.gpr[Rsp]), row.after);
    }
    reset_gate(0x21);
}

CODE(64, open, "sti\nnop\nnop\nnop\nnop")

// Requests that go away before they are acknowledged. Intel 8259A, "Interrupt Sequence"; Intel SDM vol. 3, "Spurious
// Interrupt". Nothing may come, or the vector that says so; never the device's own.
void check_spurious() {
    settle();
    constexpr u8 commands[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 1},    {0xa0, 0x11},
                                  {0xa1, 0x28}, {0xa1, 2},    {0xa1, 1}, {0x21, 0xfa}, {0xa1, 0xfe}};
    for (auto [port, value] : commands) outb(port, value);
    apic_register(lint0) = 0x700;  // ExtINT
    auto waits = [](u16 pic) {
        outb(pic, 0x0a);
        for (unsigned n = 0; n < 1'000'000; ++n)
            if (inb(pic) & 1) return true;
        return false;
    };
    auto serving = [](u16 pic) {
        outb(pic, 0x0b);
        return inb(pic);
    };
    outb(0x43, 0x30), outb(0x40, 0x10), outb(0x40, 0x00);  // OUT goes high when the count ends
    const bool timer = waits(0x20);
    outb(0x43, 0x30);  // and low
    run(kernel(open()));
    Check("a request of IRQ 0 that went away")
        .is("came", timer, 1)
        .is("nothing or IRQ 7", trapped.vector == 3 || trapped.vector == 0x27, 1)
        .is("in service", serving(0x20), 0);
    outb(0x20, 0x20);
    // The clock's periodic interrupt: its line falls when register C is read.
    outb(0x70, 0x8c), inb(0x71);
    outb(0x70, 0x8a);
    const u8 a = inb(0x71);
    outb(0x70, 0x8a), outb(0x71, 0x26);
    outb(0x70, 0x8b);
    const u8 b = inb(0x71);
    outb(0x70, 0x8b), outb(0x71, static_cast<u8>(b | 0x40));
    const bool clock = waits(0xa0);
    outb(0x70, 0x8b), outb(0x71, b);
    outb(0x70, 0x8c), inb(0x71);
    run(kernel(open()));
    const u64 vector = trapped.vector;
    const u8 slave = serving(0xa0), master = serving(0x20);
    Check("a request of IRQ 8 that went away")
        .is("came", clock, 1)
        .is("nothing, IRQ 15 or IRQ 7", vector == 3 || vector == 0x2f || vector == 0x27, 1)
        .is("slave in service", slave, 0)
        .is("master in service but IRQ 2", master & ~4, 0);
    outb(0x20, 0x20), outb(0xa0, 0x20), outb(0x20, 0x20);
    outb(0x70, 0x8a), outb(0x71, a);
    outb(0x70, 0x0d), inb(0x71);
    // Polling says by bit 7 that there is a request.
    outb(0x20, 0x0c);
    Check("polling the 8259 without a request").is("bit 7", inb(0x20) >> 7, 0);
    outb(0x21, 0xff), outb(0xa1, 0xff);
    apic_register(lint0) = 1 << 16;
    // The task priority rises over a request: it waits, and the spurious vector is never in service.
    settle();
    send(0x50);
    write_cr8(15);
    run(kernel(open()));
    Check("a request below the task priority")
        .is("nothing or the spurious vector", trapped.vector == 3 || trapped.vector == 0xff, 1)
        .is("IRR", bit_of(irr, 0x50), 1)
        .is("ISR of the spurious vector", bit_of(isr, 0xff), 0);
    write_cr8(0);
    run(kernel(open()));
    Check("which then comes").is("vector", trapped.vector, 0x50);
    settle();
}

// The 8259 pair, with the local APIC passing its line on.
void check_pic() {
    settle();
    constexpr u8 commands[][2] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 1},    {0xa0, 0x11},
                                  {0xa1, 0x28}, {0xa1, 2},    {0xa1, 1}, {0x21, 0xfe}, {0xa1, 0xff}};
    for (auto [port, value] : commands) outb(port, value);
    apic_register(lint0) = 0x700;  // ExtINT
    outb(0x43, 0x30), outb(0x40, 0x00), outb(0x40, 0x10);
    run(kernel(sti_hlt()));
    Check("the PIT's interrupt through the 8259").ends(trapped, sti_hlt(), trap_at(0x20, sti_hlt().at + 2));
    outb(0x20, 0x0b);
    Check("the 8259's in-service bit").is("ISR", inb(0x20), 1);
    outb(0x20, 0x20);
    outb(0x20, 0x0b);
    Check("the 8259's EOI").is("ISR", inb(0x20), 0);
    outb(0x21, 0xff);
    outb(0x43, 0x30), outb(0x40, 0x00), outb(0x40, 0x01);
    apic_register(lvt_timer) = 0x55;
    apic_register(timer_initial) = 10'000'000;
    run(kernel(sti_hlt()));
    Check("a masked line does not come").is("vector", trapped.vector, 0x55);
    settle();
}

// With CR0.NE = 0 the x87's exceptions come as IRQ 13. Intel SDM vol. 1, "MS-DOS Compatibility Sub-mode".
void check_fpu_error() {
    constexpr struct {
        u16 port;
        u8 value;
    } setup[] = {{0x20, 0x11}, {0x21, 0x20}, {0x21, 4}, {0x21, 1}, {0xa0, 0x11}, {0xa1, 0x28}, {0xa1, 2}, {0xa1, 1}, {0x21, 0xfb}, {0xa1, 0xdf}};
    for (auto [port, value] : setup) outb(port, value);
    apic_register(lint0) = 0x700;  // ExtINT
    With no_ne(With::Cr0, cr0::mp, cr0::ne | cr0::ts | cr0::em);
    auto open = [](const Code& c) {
        Regs r = kernel(c);
        r.flags |= flag::if_;
        return r;
    };
    constexpr Piece pieces[] = {{"FWAIT", x87_error}, {"an MMX instruction", mmx_error}};
    for (auto [name, code] : pieces) {
        run(open(code()));
        Check(Name("IRQ 13 at") << name).ends(trapped, code(), trap_at(0x2d, code().at));
        outb(0xa0, 0x20), outb(0x20, 0x20);
        outb(0xf0, 0);
        run(open(mmx_ignored()));
        Check(Name("MMX behind IGNNE# at") << name).ends(trapped, mmx_ignored(), done).is("status", trapped.gpr[Rax] & 0x3884, 0x84);
        run(open(x87_ignored()));
        Check(Name("IGNNE# after port F0h at") << name).ends(trapped, x87_ignored(), done).is("status", trapped.gpr[Rax] & 0x84, 0x84);
        // FNCLEX was the last: FERR# is down, and rises again.
        const uptr image = address(user_page);
        for (unsigned k = 0; k < 512; k += 8) at<u64>(image + k) = 0;
        at<u32>(image) = 0x0084'037b;
        at<u32>(image + 24) = 0x1f80;
        Regs again = open(x87_again());
        again.gpr[Rbx] = image;
        run(again);
        Check(Name("IRQ 13 at FWAIT after that, and after") << name).ends(trapped, x87_again(), trap_at(0x2d, x87_again().at));
        outb(0xa0, 0x20), outb(0x20, 0x20);
        outb(0xf0, 0);
        // The same when an image without one was the last.
        at<u32>(image) = 0x37b;
        Regs load = open(x87_load());
        load.gpr[Rbx] = image;
        run(load);
        at<u32>(image) = 0x0084'037b;
        run(again);
        Check(Name("IRQ 13 at FWAIT after a clean FXRSTOR, and after") << name).ends(trapped, x87_again(), trap_at(0x2d, x87_again().at));
        outb(0xa0, 0x20), outb(0x20, 0x20);
        outb(0xf0, 0);
        run(open(x87_ignored()));
        run(open(x87_quiet()));
        Check(Name("FNCLEX ends it at") << name).ends(trapped, x87_quiet(), done).is("status", trapped.gpr[Rax] & 0x84, 0);
    }
    outb(0x21, 0xff), outb(0xa1, 0xff);
    apic_register(lint0) = 1 << 16;
    asm volatile("fninit");
    settle();
}

}  // namespace

void check_interrupts() {
    apic_register(spurious) = 0x1ff;
    apic_register(lint0) = 1 << 16;
    check_shadows();
    check_priorities();
    check_timer();
    check_nmi();
    check_nmi_of_device();
    check_nmi_blocking();
    check_pic();
    check_spurious();
    check_fpu_error();
}

}  // namespace guest

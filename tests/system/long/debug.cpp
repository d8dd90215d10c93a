// Single steps and breakpoints. Intel SDM vol. 3, "Debug Registers" and "Debug Exceptions".
#include "long/tables.hpp"

namespace guest {
namespace {

// --- Single steps: of each kind of instruction, since an engine may leave its fast path for any of them
#define STEPPED(name, text) CODE(64, step_##name, text)
STEPPED(nop, "nop")
STEPPED(add, "add rax, rbx")
STEPPED(load, "mov rax, [rbx]")
STEPPED(store, "mov [rbx], rax")
STEPPED(modify, "lock add [rbx], rax")
STEPPED(push, "push rax")
STEPPED(pop, "pop rax")
STEPPED(jump, "jmp 1f\n1:")
STEPPED(jump_taken, "xor eax, eax\njz 1f\n1:")
STEPPED(call, "call 1f\n1:")
STEPPED(cpuid, "cpuid")
STEPPED(rdtsc, "rdtsc")
STEPPED(pushf, "pushfq")
STEPPED(cmpxchg16b, "lock cmpxchg16b [rbx]")
STEPPED(x87, "fninit")
STEPPED(leave, "mov rbp, rbx\nleave")
STEPPED(enter, "enter 16, 1")
STEPPED(lea, "lea rax, [rbx + 8]")
STEPPED(div, "mov ecx, 1\ndiv ecx")
STEPPED(bsf, "bsf rax, rbx")
STEPPED(lods, "lodsb")
STEPPED(load_segment, "mov ds, ecx")
STEPPED(cr0, "mov rax, cr0")
STEPPED(cr0_write, "mov rax, cr0\nmov cr0, rax")
STEPPED(cr3_write, "mov rax, cr3\nmov cr3, rax")
STEPPED(rdmsr, "mov ecx, 0xc0000080\nrdmsr")
STEPPED(invlpg, "invlpg [rbx]")
STEPPED(clts, "clts")
STEPPED(in, "in al, 0x80")
STEPPED(out, "out 0x80, al")
STEPPED(lgdt, "sgdt [rbx]\nlgdt [rbx]")
STEPPED(cli, "cli")
STEPPED(sti, "sti")
STEPPED(swapgs, "swapgs")
STEPPED(dr, "mov rax, dr7")
struct Stepped {
    Piece piece;
    bool kernel_only;
    unsigned before;  // instructions before the one that counts
};
constexpr Stepped stepped[] = {{{"NOP", step_nop}, false, 0},
                               {{"ADD", step_add}, false, 0},
                               {{"load", step_load}, false, 0},
                               {{"store", step_store}, false, 0},
                               {{"LOCK ADD", step_modify}, false, 0},
                               {{"PUSH", step_push}, false, 0},
                               {{"POP", step_pop}, false, 0},
                               {{"JMP", step_jump}, false, 0},
                               {{"JZ", step_jump_taken}, false, 1},
                               {{"CALL", step_call}, false, 0},
                               {{"CPUID", step_cpuid}, false, 0},
                               {{"RDTSC", step_rdtsc}, false, 0},
                               {{"PUSHF", step_pushf}, false, 0},
                               {{"CMPXCHG16B", step_cmpxchg16b}, false, 0},
                               {{"FNINIT", step_x87}, false, 0},
                               {{"LEAVE", step_leave}, false, 1},
                               {{"ENTER", step_enter}, false, 0},
                               {{"LEA", step_lea}, false, 0},
                               {{"DIV", step_div}, false, 1},
                               {{"BSF", step_bsf}, false, 0},
                               {{"LODSB", step_lods}, false, 0},
                               {{"MOV DS", step_load_segment}, false, 0},
                               {{"MOV from CR0", step_cr0}, true, 0},
                               {{"MOV to CR0", step_cr0_write}, true, 1},
                               {{"MOV to CR3", step_cr3_write}, true, 1},
                               {{"RDMSR", step_rdmsr}, true, 1},
                               {{"INVLPG", step_invlpg}, true, 0},
                               {{"CLTS", step_clts}, true, 0},
                               {{"IN", step_in}, true, 0},
                               {{"OUT", step_out}, true, 0},
                               {{"LGDT", step_lgdt}, true, 1},
                               {{"CLI", step_cli}, true, 0},
                               {{"STI", step_sti}, true, 0},
                               {{"SWAPGS", step_swapgs}, true, 0},
                               {{"MOV from DR7", step_dr}, true, 0}};

constexpr u64 bs = 1 << 14, bd = 1 << 13;
u64 b_bits() { return trapped.dr6 & 0xe00f; }

Regs prepared(Regs r) {
    r.gpr[Rbx] = r.gpr[Rsi] = r.gpr[Rdi] = address(user_page);
    r.gpr[Rcx] = r.ds;
    r.gpr[Rsp] -= 64;
    return r;
}

void check_steps() {
    for (const Stepped& s : stepped)
        for (auto [level, mode] : levels) {
            if (s.kernel_only && mode == user) continue;
            const Code code = s.piece.code();
            Regs r = prepared(mode(code));
            if (s.before) {
                // What stands before it runs unstepped: step twice.
                r.flags |= flag::tf;
                run(r);
                for (unsigned n = 0; n < gpr_count; ++n) r.gpr[n] = trapped.gpr[n];
                r.rip = trapped.rip;
                r.flags = trapped.flags;
            }
            r.flags |= flag::tf;
            run(r);
            if (trapped.vector == 1 && trapped.handler_flags & flag::tf) trapped.vector = 0xff;
            Check(Name("TF") << s.piece.name << level)
                .ends(trapped, code, trap_at(1, code.end))
                .is("DR6", b_bits(), bs)
                .is("pushed TF", trapped.flags & flag::tf, flag::tf);
        }
}

CODE(64, popf_set, "push rax\npopfq\nnop\nnop")
CODE(64, popf_clear, "push rax\npopfq\nnop")
CODE(64, rep_movs, "rep movsb")
CODE(64, rep_stos, "rep stosb")
CODE(64, int_20, "int 0x20")
CODE(64, int3_, "nop")
CODE(64, move_ss, "mov ss, eax\nnop\nnop")
CODE(64, pop_undefined, "ud2")
CODE(64, iretq_, "iretq")
CODE(64, nothing, "nop\nnop")
CODE(64, syscall_, "syscall")
CODE(64, icebp, ".byte 0xf1")

void check_tf() {
    Regs r = kernel(popf_set());
    r.gpr[Rax] = flag::tf | flag::reserved1;
    run(r);
    Check("TF set by POPF traps after the next instruction").ends(trapped, popf_set(), trap_at(1, popf_set().at + 3));
    r = kernel(popf_clear());
    r.gpr[Rax] = flag::reserved1;
    r.flags |= flag::tf;
    run(r);
    r.rip = trapped.rip, r.gpr[Rsp] = trapped.gpr[Rsp];
    run(r);
    Check("TF cleared by POPF traps once more")
        .ends(trapped, popf_clear(), trap_at(1, popf_clear().at + 2))
        .is("TF", trapped.flags & flag::tf, 0);
    const Piece strings[] = {{"REP MOVSB", rep_movs}, {"REP STOSB", rep_stos}};
    for (auto [name, code] : strings)
        for (unsigned count = 0; count < 4; ++count) {
            r = prepared(user(code()));
            r.gpr[Rcx] = count;
            r.flags |= flag::tf;
            run(r);
            Check(Name("TF") << name << "of" << count)
                .ends(trapped, code(), trap_at(1, count > 1 ? code().at : code().end))
                .is("RCX", trapped.gpr[Rcx], count ? count - 1 : 0)
                .is("RDI", trapped.gpr[Rdi], r.gpr[Rdi] + (count ? 1 : 0));
        }
    set_gate(0x20, stub(0x20), sel::kernel_code, 0xee);
    r = user(int_20());
    r.flags |= flag::tf;
    run(r);
    Check("TF and INT 20h, no trap")
        .ends(trapped, int_20(), trap_at(0x20, int_20().end))
        .is("pushed TF", trapped.flags & flag::tf, flag::tf);
    reset_gate(0x20);
    r = user(int3_());
    r.rip = int3_().end;
    r.flags |= flag::tf;
    run(r);
    Check("TF and INT3, no trap").ends(trapped, int3_(), done);
    for (auto [level, mode] : levels) {
        r = mode(move_ss());
        r.gpr[Rax] = r.ss;
        r.flags |= flag::tf;
        run(r);
        Check(Name("TF and MOV SS, trap after the next instruction") << level)
            .ends(trapped, move_ss(), trap_at(1, move_ss().at + 3));
    }
    r = user(pop_undefined());
    r.flags |= flag::tf;
    run(r);
    Check("TF and a fault, no trap")
        .ends(trapped, pop_undefined(), ud)
        .is("pushed TF", trapped.flags & flag::tf, flag::tf)
        .is("handler's TF", trapped.handler_flags & flag::tf, 0);
    r = kernel(iretq_());
    r.gpr[Rsp] -= 64;
    const u64 frame[] = {nothing().begin, sel::user_code, flag::tf | flag::reserved1, address(user_stack) + 4096,
                         sel::user_data};
    for (unsigned n = 0; n < 5; ++n) at<u64>(r.gpr[Rsp] + 8 * n) = frame[n];
    run(r);
    Check("TF set by IRETQ traps after the next instruction").ends(trapped, nothing(), trap_at(1, nothing().at + 1));
    write_msr(msr::star, u64{sel::user_code32} << 48 | u64{sel::kernel_code} << 32);
    write_msr(msr::lstar, nothing().begin);
    write_msr(msr::fmask, flag::tf);
    r = user(syscall_());
    r.flags |= flag::tf;
    run(r);
    Check("TF and SYSCALL with TF in FMASK, no trap")
        .ends(trapped, nothing(), done)
        .is("R11", trapped.gpr[R11], flag::tf | flag::reserved1);
    run(user(icebp()));
    Check("INT1 sets no bit of DR6").ends(trapped, icebp(), trap_at(1, icebp().end)).is("DR6", b_bits(), 0);
}

// --- Breakpoints
constexpr u64 enable(unsigned n, unsigned kind, unsigned length, bool global = false) {
    return 1ull << (2 * n + global) | u64{kind | length << 2} << (16 + 4 * n);
}
enum KindOf { Execute = 0, Writes = 1, Ports = 2, Accesses = 3 };
constexpr unsigned length_code[] = {0, 0, 1, 0, 3, 0, 0, 0, 2};

// Registers that are not enabled may be named in DR6, too.
void forget_breakpoints() { write_dr0(0), write_dr1(0), write_dr2(0), write_dr3(0); }

void set_breakpoint(unsigned n, u64 where) {
    switch (n) {
        case 0: return write_dr0(where);
        case 1: return write_dr1(where);
        case 2: return write_dr2(where);
        default: return write_dr3(where);
    }
}

const Trap& run_with(u64 dr7, const Regs& r) {
    entering = r;
    write_dr6(0xffff0ff0);
    write_dr7(dr7 | 0x400);
    asm volatile("call enter" ::: "memory", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
    write_dr7(0x400);
    return trapped;
}

CODE_AT(64, marked, "nop", "inc eax\nnop")
CODE(64, load1, "mov al, [rbx]")
CODE(64, load2, "mov ax, [rbx]")
CODE(64, load4, "mov eax, [rbx]")
CODE(64, load8, "mov rax, [rbx]")
CODE(64, store1, "mov [rbx], al")
CODE(64, store2, "mov [rbx], ax")
CODE(64, store4, "mov [rbx], eax")
CODE(64, store8, "mov [rbx], rax")
CODE(64, add4, "add [rbx], eax")
CODE(64, push8, "push rax")
CODE(64, jump_to_itself, "1: jmp 1b")
CODE(64, in_b, "in al, dx")
CODE(64, out_b, "out dx, al")
CODE(64, in_d, "in eax, dx")
CODE(64, move_ss_memory, "mov ss, [rbx]\nnop\nnop")
CODE_AT(64, enabled_behind_ss, "mov ss, ecx\nnop\nmov dr7, rax", "nop\nnop")
CODE(64, read_dr0, "mov rax, dr0")
CODE(64, write_dr4, "mov dr4, rax")
CODE(64, read_dr4, "mov rax, dr4")
CODE(64, read_dr5, "mov rax, dr5")
CODE(64, to_dr6, "mov dr6, rax")
CODE(64, to_dr7, "mov dr7, rax")

void check_execution() {
    for (unsigned n = 0; n < 4; ++n)
        for (unsigned global = 0; global < 2; ++global)
            for (auto [level, mode] : levels) {
                forget_breakpoints();
                set_breakpoint(n, marked().at);
                run_with(enable(n, Execute, 0, global), mode(marked()));
                Check(Name("breakpoint at an instruction, register") << n << (global ? "global" : "local") << level)
                    .ends(trapped, marked(), fault(1))
                    .is("DR6", b_bits(), 1u << n)
                    .is("RF", trapped.flags & flag::rf, 0)
                    .is("EAX", trapped.gpr[Rax], 0);
            }
    set_breakpoint(0, marked().at);
    run_with(0, user(marked()));
    Check("breakpoint not enabled").ends(trapped, marked(), done);
    Regs r = user(marked());
    r.rip = marked().at, r.flags |= flag::rf;
    run_with(enable(0, Execute, 0), r);
    Check("breakpoint passed with RF").ends(trapped, marked(), done);
    r.rip = marked().begin;
    run_with(enable(0, Execute, 0), r);
    Check("RF is for one instruction").ends(trapped, marked(), fault(1));
    // Ended by the breakpoint alone: an RF that stayed would let it jump for ever.
    set_breakpoint(0, jump_to_itself().at);
    r = user(jump_to_itself());
    r.flags |= flag::rf;
    run_with(enable(0, Execute, 0), r);
    Check("RF is for one jump to itself").ends(trapped, jump_to_itself(), fault(1));
    set_breakpoint(0, marked().at + 1);
    run_with(enable(0, Execute, 0), user(marked()));
    Check("breakpoint within an instruction").ends(trapped, marked(), done);
    forget_breakpoints();
    set_breakpoint(0, marked().at), set_breakpoint(2, marked().at);
    run_with(enable(0, Execute, 0) | enable(2, Execute, 0), user(marked()));
    Check("two breakpoints at an instruction").ends(trapped, marked(), fault(1)).is("DR6", b_bits(), 5);
    forget_breakpoints();
    set_breakpoint(0, enabled_behind_ss().at);
    r = kernel(enabled_behind_ss());
    r.gpr[Rax] = enable(0, Execute, 0) | 0x400;
    r.gpr[Rcx] = sel::kernel_data;
    run_with(0, r);
    Check("breakpoint enabled where MOV SS holds nothing back any more").ends(trapped, enabled_behind_ss(), fault(1));
    // A single step's trap comes first, then the next instruction's breakpoint has its own.
    forget_breakpoints();
    set_breakpoint(0, marked().at);
    r = user(marked());
    r.flags |= flag::tf;
    run_with(enable(0, Execute, 0), r);
    Check("single step up to a breakpoint")
        .ends(trapped, marked(), trap_at(1, marked().at))
        .is("BS", trapped.dr6 & bs, bs);
}

void check_data() {
    struct Access {
        const char* name;
        Code (*code)();
        unsigned size;
        bool writes;
    };
    constexpr Access accesses[] = {
        {"load 1", load1, 1, false},  {"load 2", load2, 2, false},  {"load 4", load4, 4, false},
        {"load 8", load8, 8, false},  {"store 1", store1, 1, true}, {"store 2", store2, 2, true},
        {"store 4", store4, 4, true}, {"store 8", store8, 8, true}, {"ADD 4", add4, 4, true}};
    const uptr base = address(user_page) + 64;
    for (const Access& a : accesses)
        for (unsigned length = 1; length <= 8; length *= 2)
            for (unsigned kind = Writes; kind <= Accesses; kind += 2) {
                Check c(Name("breakpoint of length")
                        << length << (kind == Writes ? "write" : "access") << "and" << a.name);
                set_breakpoint(1, base);
                for (int offset = -8; offset < 9; ++offset) {
                    Regs r = user(a.code());
                    r.gpr[Rbx] = base + static_cast<uptr>(offset);
                    run_with(enable(1, kind, length_code[length]), r);
                    const bool overlaps = offset < static_cast<int>(length) && offset + static_cast<int>(a.size) > 0;
                    const bool hits = overlaps && (kind == Accesses || a.writes);
                    c.ends(trapped, a.code(), hits ? trap_at(1, a.code().end) : done);
                    if (hits) c.is("DR6", b_bits(), 2);
                }
            }
    set_breakpoint(0, address(user_stack) + 4096 - 8);
    run_with(enable(0, Writes, 2), user(push8()));
    Check("breakpoint hit by PUSH").ends(trapped, push8(), trap_at(1, push8().end));
    set_breakpoint(0, address(user_page) + 1);
    Regs r = prepared(user(rep_stos()));
    r.gpr[Rcx] = 4;
    run_with(enable(0, Writes, 0), r);
    Check("breakpoint hit by REP STOSB")
        .ends(trapped, rep_stos(), trap_at(1, rep_stos().at))
        .is("RCX", trapped.gpr[Rcx], 2);
    set_breakpoint(0, address(user_page));
    at<u16>(address(user_page)) = sel::user_data;
    r = prepared(user(move_ss_memory()));
    run_with(enable(0, Accesses, 1), r);
    Check("breakpoint hit by MOV SS waits for the next instruction")
        .ends(trapped, move_ss_memory(), trap_at(1, move_ss_memory().at + 3));
    // DR0 to DR3 enabled, two hit.
    set_breakpoint(0, base), set_breakpoint(3, base + 2);
    r.rip = store4().begin, r.gpr[Rbx] = base;
    run_with(enable(0, Writes, 1) | enable(3, Accesses, 1), r);
    Check("two breakpoints hit by one store").ends(trapped, store4(), trap_at(1, store4().end)).is("DR6", b_bits(), 9);
    r.flags |= flag::tf;
    run_with(enable(0, Writes, 1), r);
    Check("breakpoint and single step together")
        .ends(trapped, store4(), trap_at(1, store4().end))
        .is("DR6", b_bits(), bs | 1);
    // A faulting store hits nothing.
    r = user(store4());
    r.gpr[Rbx] = 0x90'0000'0000;
    set_breakpoint(0, 0x90'0000'0000);
    run_with(enable(0, Writes, 3), r);
    Check("breakpoint on a page that faults").ends(trapped, store4(), pf(6, 0x90'0000'0000));
}

void check_ports() {
    With de(With::Cr4, cr4::de);
    struct Row {
        const char* name;
        Code (*code)();
        unsigned size;
    };
    constexpr Row rows[] = {{"IN", in_b, 1}, {"OUT", out_b, 1}, {"IN dword", in_d, 4}};
    for (const Row& row : rows) {
        Check c(Name("I/O breakpoint and") << row.name);
        for (unsigned port = 0x7c; port < 0x88; ++port) {
            set_breakpoint(2, 0x82);
            Regs r = kernel(row.code());
            r.gpr[Rdx] = port;
            run_with(enable(2, Ports, 1), r);
            const bool hits = port < 0x84 && port + row.size > 0x82;
            c.ends(trapped, row.code(), hits ? trap_at(1, row.code().end) : done);
            if (hits) c.is("DR6", b_bits(), 4);
        }
    }
}

void check_registers() {
    run_with(1 << 13, kernel(read_dr0()));
    Check("DR7.GD and MOV from DR0").ends(trapped, read_dr0(), fault(1)).is("DR6", b_bits(), bd);
    Regs r = kernel(write_dr4());
    r.gpr[Rax] = 0xffff0ff1;
    run(r);
    Check("DR4 is DR6").ends(trapped, write_dr4(), done).is("DR6", trapped.dr6, 0xffff0ff1);
    run(kernel(read_dr5()));
    Check("DR5 is DR7").ends(trapped, read_dr5(), done).is("RAX", trapped.gpr[Rax], 0x400);
    {
        With de(With::Cr4, cr4::de);
        Check("DR4 with DE").ends(run(kernel(read_dr4())), read_dr4(), ud);
        Check("DR5 with DE").ends(run(kernel(read_dr5())), read_dr5(), ud);
    }
    struct Row {
        const char* name;
        Code (*code)();
        u64 value;
    };
    constexpr Row rows[] = {{"DR6 upper half", to_dr6, 1ull << 32},
                            {"DR6 bit 63", to_dr6, 1ull << 63},
                            {"DR7 upper half", to_dr7, 1ull << 32},
                            {"DR7 bit 63", to_dr7, 1ull << 63}};
    for (const Row& row : rows) {
        r = kernel(row.code());
        r.gpr[Rax] = row.value;
        Check(row.name).ends(run(r), row.code(), gp(0));
    }
    write_dr7(0xd000);
    Check("DR7's wired bits").is("DR7", read_dr7(), 0x400);
    write_dr7(0x400);
    write_dr6(0);
    Check("DR6's wired bits").is("DR6", read_dr6() & ~0x1'0800ull, 0xfffe'07f0);
    write_dr6(0xffff0ff0);
}

}  // namespace

void check_debug() {
    forget_tables();
    check_steps();
    check_tf();
    check_registers();
    check_execution();
    check_data();
    check_ports();
}

}  // namespace guest

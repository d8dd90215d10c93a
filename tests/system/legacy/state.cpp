// Instructions that only 32- and 16-bit code has, in the middle of which a fault comes; code that changes itself there;
// the A20 gate. Intel SDM vol. 2, "PUSHA", "POPA", "ENTER", "BOUND", "LDS"; vol. 3, "Self-Modifying Code".
#include "legacy/machine.hpp"

namespace guest {
namespace {

CODE(32, pusha_, "pushad")
CODE(32, popa_, "popad")
CODE(32, enter_, "enter 16, 0")
CODE(32, enter_nested, "enter 16, 3")
CODE(32, leave_, "leave")
CODE(32, call_, "call 1f\n1:")
CODE(32, push_memory, "push dword ptr [ebx]")
CODE(32, pop_memory, "pop dword ptr [ebx]")
CODE(32, bound_, "bound eax, [ebx]")
CODE(32, into_, "into")
CODE(32, aam_0, ".byte 0xd4, 0")
CODE(32, aam_10, "aam")
CODE(32, les_, ".byte 0xc4, 0x03")
CODE(32, lss_, ".byte 0x0f, 0xb2, 0x23")
CODE(32, lfs_, ".byte 0x0f, 0xb4, 0x03")
CODE(32, rep_movsd, "rep movsd")
CODE(32, cmpxchg8b_, "lock cmpxchg8b [ebx]")
CODE(32, pop_es, ".byte 0x07")
CODE(32, push_cs, ".byte 0x0e")
CODE(32, mov_cs, ".byte 0x8e, 0xc8")
CODE(32, far_jump_register, ".byte 0xff, 0xe8")
CODE(32, lea_register, ".byte 0x8d, 0xc0")
CODE(32, syscall_, ".byte 0x0f, 0x05")
CODE(32, swapgs_, ".byte 0x0f, 0x01, 0xf8")
CODE(32, too_long, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90")

constexpr u32 linear = 0x8000'0000, page_size = 4096;

// One page at `linear`, nothing on either side.
struct Page {
    Page() : paging(Kind::Bits32) {
        for (unsigned n = 0; n < page_size; n += 4) at<u32>(table_pool + n) = 0;
        at<u32>(table_pool + 8 * 4) = frame_pool | 7;
        at<u32>(directory()) = table_pool | 7;
        write_cr3(read_cr3());
    }
    ~Page() {
        at<u32>(directory()) = 0;
        write_cr3(read_cr3());
    }
    static uptr directory() { return (read_cr3() & ~0xfffu) + (linear >> 22) * 4; }

    Paging paging;
};
constexpr u32 page = linear + 8 * page_size, behind = page + page_size;

void check_stacks() {
    const Page mapped;
    struct Row {
        const char* name;
        Code (*code)();
        u32 esp, fault;
        bool write;
    };
    constexpr Row rows[] = {{"PUSHA", pusha_, page + 12, page - 4, true},
                            {"POPA", popa_, behind - 12, behind, false},
                            {"ENTER", enter_, page, page - 4, true},
                            {"ENTER nested", enter_nested, page + 8, page - 4, true},
                            {"CALL", call_, page, page - 4, true},
                            {"PUSH memory", push_memory, page, page - 4, true},
                            {"POP memory", pop_memory, behind, behind, false}};
    for (const Row& row : rows) {
        Regs r = user(row.code());
        for (unsigned n = 0; n < 8; ++n) r.gpr[n] = 0x100 + n;
        r.gpr[Rsp] = row.esp, r.gpr[Rbx] = address(user_page), r.gpr[Rbp] = page + 2048;
        run(r);
        Check c(Name(row.name) << "at the stack's end");
        c.ends(trapped, row.code(), pf(row.write ? 6 : 4, row.fault));
        for (unsigned n = 0; n < 8; ++n) c.is("register", trapped.gpr[n], r.gpr[n]);
    }
    Regs r = user(leave_());
    r.gpr[Rbp] = behind, r.gpr[Rsp] = page + 64;
    Check("LEAVE to an absent page")
        .ends(run(r), leave_(), pf(4, behind))
        .is("ESP", trapped.gpr[Rsp], page + 64)
        .is("EBP", trapped.gpr[Rbp], behind);
    r = user(rep_movsd());
    r.gpr[Rsi] = page, r.gpr[Rdi] = behind - 12, r.gpr[Rcx] = 9;
    run(r);
    Check("REP MOVSD into an absent page")
        .ends(trapped, rep_movsd(), pf(6, behind))
        .is("ECX", trapped.gpr[Rcx], 6)
        .is("ESI", trapped.gpr[Rsi], page + 12)
        .is("EDI", trapped.gpr[Rdi], behind);
    r = user(cmpxchg8b_());
    r.gpr[Rbx] = behind - 4, r.gpr[Rax] = 1;
    at<u32>(frame_pool + page_size - 4) = 0x1234;
    run(r);
    Check("CMPXCHG8B into an absent page")
        .ends(trapped, cmpxchg8b_(), pf(6, behind))
        .is("memory", at<u32>(frame_pool + page_size - 4), 0x1234)
        .is("EAX", trapped.gpr[Rax], 1);
    // A far pointer over the page's end: neither the register nor the segment is loaded.
    constexpr Piece pointers[] = {{"LES", les_}, {"LFS", lfs_}, {"LSS", lss_}};
    for (auto [name, code] : pointers) {
        r = user(code());
        r.gpr[Rbx] = behind - 4;
        run(r);
        Check(Name(name) << "into an absent page")
            .ends(trapped, code(), pf(4, behind))
            .is("ESP", trapped.gpr[Rsp], r.gpr[Rsp])
            .is("EAX", trapped.gpr[Rax], 0)
            .is("ES", trapped.es, r.es);
    }
}

CODE_AT(16, undefined16, "mov ax, 1\nsmsw bx", "ud2")
CODE(16, runs16, "smsw bx\ninc ax\nlea cx, [bx]\nsmsw bx\nnop")

void check_exceptions() {
    constexpr Regs (*modes[])(const Code&) = {kernel16, user16};
    for (auto mode : modes) {
        const char* level = mode == user16 ? "user" : "kernel";
        Check(Name("16-bit code above 64 KiB") << level).ends(run(mode(runs16())), runs16(), done);
        Check(Name("#UD in 16-bit code above 64 KiB") << level).ends(run(mode(undefined16())), undefined16(), ud);
    }
    for (const Level& level : levels) {
        auto bounded = [&](u32 value) {
            at<u32>(address(user_page)) = 0xffff'fffe;
            at<u32>(address(user_page) + 4) = 7;
            Regs r = level.regs(bound_());
            r.gpr[Rax] = value, r.gpr[Rbx] = address(user_page);
            return r;
        };
        Check(Name("BOUND at its beginning") << level.name).ends(run(bounded(0xffff'fffe)), bound_(), done);
        Check(Name("BOUND below") << level.name).ends(run(bounded(0xffff'fffd)), bound_(), fault(5));
        Check(Name("BOUND at its end") << level.name).ends(run(bounded(7)), bound_(), done);
        Check(Name("BOUND above") << level.name).ends(run(bounded(8)), bound_(), fault(5));
        Regs r = level.regs(into_());
        Check(Name("INTO without OF") << level.name).ends(run(r), into_(), done);
        r.flags |= flag::of;
        Check(Name("INTO with OF") << level.name).ends(run(r), into_(), trap_at(4, into_().end));
        Check(Name("AAM 0") << level.name).ends(run(level.regs(aam_0())), aam_0(), fault(0));
        Check(Name("AAM") << level.name).ends(run(level.regs(aam_10())), aam_10(), done);
        constexpr Piece undefined[] = {{"MOV CS", mov_cs},
                                       {"far JMP register", far_jump_register},
                                       {"LEA register", lea_register},
                                       {"SWAPGS", swapgs_}};
        for (auto [name, code] : undefined)
            Check(Name("#UD") << name << level.name).ends(run(level.regs(code())), code(), ud);
        Check(Name("SYSCALL in legacy mode, as Intel has it") << level.name)
            .ends(run(level.regs(syscall_())), syscall_(), ud);
        Check(Name("instruction of 16 bytes") << level.name).ends(run(level.regs(too_long())), too_long(), gp(0));
    }
    set_gate(4, stub(4), sel::kernel_code, 0x8e);
    Regs r = user(into_());
    r.flags |= flag::of;
    Check("INTO through a gate of DPL 0").ends(run(r), into_(), gp(4 * 8 + 2));
    reset_gate(4);
    // LES that faults for its selector leaves both registers.
    at<u32>(address(user_page)) = 0x1234'5678;
    at<u16>(address(user_page) + 4) = sel::tss;
    r = user(les_());
    r.gpr[Rbx] = address(user_page);
    Check("LES of a TSS").ends(run(r), les_(), gp(sel::tss)).is("EAX", trapped.gpr[Rax], 0).is("ES", trapped.es, r.es);
    r = user(pop_es());
    r.gpr[Rsp] -= 4;
    at<u32>(r.gpr[Rsp]) = sel::kernel_code;
    Check("POP ES of code of level 0")
        .ends(run(r), pop_es(), gp(sel::kernel_code))
        .is("ESP", trapped.gpr[Rsp], r.gpr[Rsp]);
    r = user(push_cs());
    at<u32>(r.gpr[Rsp] - 4) = 0;
    run(r);
    Check("PUSH CS")
        .ends(trapped, push_cs(), done)
        .is("ESP", trapped.gpr[Rsp], r.gpr[Rsp] - 4)
        .is("memory", at<u16>(trapped.gpr[Rsp]), sel::user_code);
}

// A fault whose delivery faults. Intel SDM vol. 3, "Interrupt 8--Double Fault Exception".
void check_double_faults() {
    struct Row {
        const char* name;
        Code (*code)();
        unsigned vector;
        Want want;
    };
    const Row rows[] = {{"#UD with an absent gate is #NP", mov_cs, 6, np(6 * 8 + 3)},
                        {"#DE with an absent gate is #DF", aam_0, 0, fault(8, 0)},
                        {"#GP with an absent gate is #DF", too_long, 13, fault(8, 0)}};
    for (const Level& level : levels)
        for (const Row& row : rows) {
            set_gate(row.vector, stub(row.vector), sel::kernel_code, 0x0e);
            run(level.regs(row.code()));
            reset_gate(row.vector);
            Check(Name(row.name) << level.name).ends(trapped, row.code(), row.want);
        }
}

// --- Code that changes itself
CODE(32, by_mov, "call 2f\n2: pop ecx\nmov byte ptr [ecx + 8], 2\njmp 1f\n1: .byte 0xb8, 1, 0, 0, 0\n")
CODE(32, by_stosb, "call 2f\n2: pop edi\nadd edi, 10\nmov al, 2\nstosb\njmp 1f\n1: .byte 0xb8, 1, 0, 0, 0\n")
CODE(16, by_mov16, "call 2f\n2: pop bx\nmov byte ptr cs:[bx + 9], 2\njmp 1f\n1: .byte 0xb8, 1, 0\n")
CODE(16, by_inc16, "call 2f\n2: pop bx\ninc byte ptr cs:[bx + 8]\njmp 1f\n1: .byte 0xb8, 1, 0\n")

void check_self_modifying() {
    constexpr Piece pieces[] = {{"MOV", by_mov}, {"STOSB", by_stosb}};
    for (const Level& level : levels)
        for (auto [name, code] : pieces)
            for (unsigned again = 0; again < 2; ++again) {
                const Code c = code();
                at<u8>(c.end - 4) = 1;
                run(level.regs(c));
                Check(Name("32-bit code changed by") << name << level.name << again)
                    .ends(trapped, c, done)
                    .is("EAX", trapped.gpr[Rax], 2);
            }
    constexpr Piece pieces16[] = {{"MOV", by_mov16}, {"INC", by_inc16}};
    for (auto [name, code] : pieces16)
        for (unsigned again = 0; again < 2; ++again) {
            Code c = copied_low(code());
            run_real(real(c));
            Check(Name("real-mode code changed by") << name << again)
                .ends(trapped, c, done)
                .is("AX", trapped.gpr[Rax] & 0xffff, 2);
            c = copied_low(code());
            run_real(real(c));
            Regs r = v8086(c);
            at<u8>(low_code + c.end - 2) = 1;
            run(r);
            Check(Name("virtual-8086 code changed by") << name << again)
                .ends(trapped, c, done)
                .is("AX", trapped.gpr[Rax] & 0xffff, 2);
        }
}

// --- A20, by port 92h. Nothing of this program lies in an odd mebibyte but itself, so the test runs from real mode.
CODE(16, wrapped,
     "in al, 0x92\nmov cl, al\nand al, 0xfd\nout 0x92, al\nmov ax, 0xffff\nmov ds, ax\nmov bl, [0x610]\nmov al, cl\nor "
     "al, 2\nout 0x92, al\n"
     "mov bh, [0x610]")

void check_a20() {
    constexpr u8 above = 0x5a;
    at<u8>(0x10'0600) = above;
    const Code c = copied_low(wrapped());
    run_real(real(c));
    // FFFF:0610 is 100600h. real.S has its registers at 600h: EAX, which is 0.
    Check("A20 closed and open")
        .ends(trapped, c, done)
        .is("open", trapped.gpr[Rbx] >> 8 & 0xff, above)
        .is("closed", trapped.gpr[Rbx] & 0xff, 0);
}

}  // namespace

void check_state() {
    check_stacks();
    check_exceptions();
    check_double_faults();
    check_self_modifying();
    check_a20();
}

}  // namespace guest

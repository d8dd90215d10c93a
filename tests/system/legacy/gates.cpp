// Call, interrupt and trap gates of protected mode, returns between levels, I/O rights. Intel SDM vol. 3, "Gate
// Descriptors", "Accessing a Code Segment Through a Call Gate", "Stack Switching"; vol. 2, "IRET", "RET".
#include "legacy/machine.hpp"

namespace guest {
namespace {

CODE(32, target, "nop")
CODE(16, target16, "nop")
CODE(32, call_gate, ".byte 0x9a, 0, 0, 0, 0, 0x8b, 0")  // CALL FAR spare|3
CODE(32, jump_gate, ".byte 0xea, 0, 0, 0, 0, 0x8b, 0")
CODE(32, call_with_words, "push 0x11111111\npush 0x22222222\n.byte 0x9a, 0, 0, 0, 0, 0x8b, 0")
CODE(32, int_20, "int 0x20")
CODE(32, return_8, ".byte 0xca, 8, 0")
CODE(32, return_0, ".byte 0xcb")
CODE(32, iretd_, "iretd")
CODE(32, in_al, "in al, dx")
CODE(32, cli_, "cli")
CODE(32, sti_, "sti")
CODE(32, hlt_, "hlt")
CODE(32, lgdt_, "lgdt [ebx]")

constexpr u16 spare = sel::spare;
u32 word(uptr where) { return at<u32>(where); }

struct Ring {
    const char* name;
    Regs (*regs)(const Code&);
    unsigned cpl;
    u16 code, data;
};
constexpr Ring rings[] = {{"0", kernel, 0, sel::kernel_code, sel::kernel_data},
                          {"1", level1, 1, sel::code1, sel::data1},
                          {"2", level2, 2, sel::code2, sel::data2},
                          {"3", user, 3, sel::user_code, sel::user_data}};

u32 stack_of(unsigned level) { return level == 0 ? tss.esp0 : level == 1 ? tss.esp1 : tss.esp2; }
u32 segment_of(unsigned level) { return level == 0 ? tss.ss0 : level == 1 ? tss.ss1 : tss.ss2; }

// From each level to each level, by gates of each DPL.
void check_call_matrix() {
    for (const Ring& from : rings)
        for (const Ring& to : rings)
            for (unsigned dpl = 0; dpl < 4; ++dpl) {
                gdt[spare / 8] = gate(to.code, static_cast<u32>(target().begin), static_cast<u8>(0x8c | dpl << 5));
                Regs r = from.regs(call_gate());
                run(r);
                Check c(Name("call gate from level") << from.name << "to" << to.name << "DPL" << dpl);
                if (dpl < 3) {  // the selector's RPL is 3
                    c.ends(trapped, call_gate(), gp(spare));
                    continue;
                }
                if (to.cpl > from.cpl) {
                    c.ends(trapped, call_gate(), gp(to.code & ~3));
                    continue;
                }
                c.ends(trapped, target(), done).is("CS", trapped.cs, (to.code & ~3u) | to.cpl);
                if (to.cpl == from.cpl) {
                    c.is("ESP", trapped.gpr[Rsp], r.gpr[Rsp] - 8);
                    continue;
                }
                const u32 top = stack_of(to.cpl);
                c.is("ESP", trapped.gpr[Rsp], top - 16)
                    .is("SS", trapped.ss, segment_of(to.cpl))
                    .is("pushed SS", word(top - 4), from.data)
                    .is("pushed ESP", word(top - 8), r.gpr[Rsp])
                    .is("pushed CS", word(top - 12), from.code)
                    .is("pushed EIP", word(top - 16), call_gate().end);
            }
    for (const Ring& to : rings) {
        gdt[spare / 8] = gate(to.code, static_cast<u32>(target().begin), 0xec);
        Check c(Name("JMP by a call gate from level 3 to") << to.name);
        c.ends(run(user(jump_gate())), to.cpl == 3 ? target() : jump_gate(), to.cpl == 3 ? done : gp(to.code & ~3));
    }
}

void check_call_details() {
    for (unsigned count = 0; count < 3; ++count) {
        gdt[spare / 8] = gate(sel::kernel_code, static_cast<u32>(target().begin), 0xec, static_cast<u8>(count));
        run(user(call_with_words()));
        const u32 top = tss.esp0;
        Check c(Name("call gate with parameters") << count);
        c.ends(trapped, target(), done).is("ESP", trapped.gpr[Rsp], top - 16 - 4 * count);
        if (count) c.is("last", word(top - 8 - 4 * count), 0x22222222);
        if (count == 2) c.is("first", word(top - 12), 0x11111111);
        gdt[spare / 8] =
            gate(sel::kernel_code16, static_cast<u32>(target16().begin) & 0xffff, 0xe4, static_cast<u8>(count));
        gdt[spare / 8 + 1] = descriptor(static_cast<u32>(target16().begin) & ~0xffffu, 0xffff, 0x9b, 0);
        gdt[spare / 8] = gate(spare + 8, static_cast<u32>(target16().begin) & 0xffff, 0xe4, static_cast<u8>(count));
        run(user(call_with_words()));
        Check w(Name("16-bit call gate with parameters") << count);
        w.is("vector", trapped.vector, 3)
            .is("CS", trapped.cs, spare + 8)
            .is("ESP", trapped.gpr[Rsp], top - 8 - 2 * count);
        w.is("pushed CS", at<u16>(top - 6 - 2 * count), sel::user_code);
    }
    // The new stack.
    struct Row {
        const char* name;
        u16 ss0;
        Want want;
    };
    gdt[spare / 8 + 1] = descriptor(0, 0xfffff, 0x32, 0xc);
    gdt[spare / 8 + 2] = descriptor(0, 0xfffff, 0x90, 0xc);
    const Row rows[] = {{"null", 0, ts(0)},
                        {"of RPL 3", sel::kernel_data | 3, ts(sel::kernel_data)},
                        {"of DPL 3", sel::user_data & ~3, ts(sel::user_data & ~3)},
                        {"of code", sel::kernel_code, ts(sel::kernel_code)},
                        {"read-only", spare + 16, ts(spare + 16)},
                        {"not present", (spare + 8) | 1, ss(spare + 8)},
                        {"beyond the GDT", 0x2000, ts(0x2000)}};
    gdt[spare / 8] = gate(sel::code1, static_cast<u32>(target().begin), 0xec);
    for (const Row& row : rows) {
        // To level 1, so that the handler's own stack stays good.
        const u16 selector = row.ss0;
        tss.ss1 = selector == (sel::kernel_data | 3) ? static_cast<u16>(sel::data1 | 3) : selector;
        Want want = row.want;
        if (selector == (sel::kernel_data | 3)) want = ts(sel::data1 & ~3);
        run(user(call_gate()));
        Check(Name("call gate to a stack segment") << row.name).ends(trapped, call_gate(), want);
    }
    tss.ss1 = sel::data1;
    struct Bad {
        const char* name;
        u64 gate;
        Want want;
    };
    const u32 to = static_cast<u32>(target().begin);
    const Bad bad[] = {{"not present", gate(sel::kernel_code, to, 0x6c), np(spare)},
                       {"to null", gate(0, to, 0xec), gp(0)},
                       {"to data", gate(sel::kernel_data, to, 0xec), gp(sel::kernel_data)},
                       {"beyond the GDT", gate(0x2000, to, 0xec), gp(0x2000)},
                       {"of interrupt type", gate(sel::kernel_code, to, 0xee), gp(spare)},
                       {"of trap type", gate(sel::kernel_code, to, 0xef), gp(spare)}};
    for (const Bad& b : bad) {
        gdt[spare / 8] = b.gate;
        Check(Name("call gate") << b.name).ends(run(user(call_gate())), call_gate(), b.want);
    }
    gdt[spare / 8] = gate(spare + 8, to, 0xec);
    gdt[spare / 8 + 1] = descriptor(0, 0xfffff, 0x1b, 0xc);
    Check("call gate to absent code").ends(run(user(call_gate())), call_gate(), np(spare + 8));
    gdt[spare / 8 + 1] = descriptor(0, 0xff, 0x9b, 4);
    Check("call gate beyond the code's limit").ends(run(user(call_gate())), call_gate(), gp(0));
    gdt[spare / 8 + 1] = descriptor(0, 0xfffff, 0x9f, 0xc);
    run(user(call_gate()));
    Check("call gate to conforming code").ends(trapped, target(), done).is("CS", trapped.cs, (spare + 8) | 3);
}

void check_interrupts() {
    for (const Ring& from : rings)
        for (const Ring& to : rings)
            for (unsigned trap = 0; trap < 2; ++trap) {
                set_gate(0x20, static_cast<u32>(target().begin), to.code, static_cast<u8>(0xee | trap));
                Regs r = from.regs(int_20());
                r.flags |= flag::if_ | flag::nt;
                run(r);
                Check c(Name(trap ? "trap gate" : "interrupt gate") << "from level" << from.name << "to" << to.name);
                if (to.cpl > from.cpl) {
                    c.ends(trapped, int_20(), gp(to.code & ~3));
                    continue;
                }
                c.ends(trapped, target(), done)
                    .is("CS", trapped.cs, (to.code & ~3u) | to.cpl)
                    .is("IF", trapped.flags & flag::if_, trap ? flag::if_ : 0)
                    .is("NT", trapped.flags & flag::nt, 0);
                const bool inward = to.cpl < from.cpl;
                const u32 top = inward ? stack_of(to.cpl) : static_cast<u32>(r.gpr[Rsp]);
                const u32 frame = top - (inward ? 20 : 12);
                c.is("ESP", trapped.gpr[Rsp], frame)
                    .is("pushed EIP", word(frame), int_20().end)
                    .is("pushed CS", word(frame + 4), from.code)
                    .is("pushed flags", word(frame + 8), r.flags);
                if (inward)
                    c.is("pushed ESP", word(frame + 12), r.gpr[Rsp]).is("pushed SS", word(frame + 16), from.data);
            }
    // 16-bit gates push words.
    gdt[spare / 8] = descriptor(static_cast<u32>(target16().begin) & ~0xffffu, 0xffff, 0x9b, 0);
    for (u8 type = 6; type < 8; ++type) {
        set_gate(0x20, static_cast<u32>(target16().begin) & 0xffff, spare, static_cast<u8>(0xe0 | type));
        Regs r = user(int_20());
        r.flags |= flag::if_;
        run(r);
        const u32 top = tss.esp0;
        Check(Name(type == 6 ? "16-bit interrupt gate" : "16-bit trap gate"))
            .is("vector", trapped.vector, 3)
            .is("ESP", trapped.gpr[Rsp], top - 10)
            .is("pushed IP", at<u16>(top - 10), static_cast<u16>(int_20().end))
            .is("pushed CS", at<u16>(top - 8), sel::user_code)
            .is("pushed SS", at<u16>(top - 2), sel::user_data)
            .is("IF", trapped.flags & flag::if_, type == 6 ? 0 : flag::if_);
    }
    reset_gate(0x20);
    asm volatile("" ::: "memory");
}

void check_returns() {
    for (const Ring& to : rings) {
        if (!to.cpl) continue;
        Regs r = kernel(return_8());
        r.gpr[Rsp] -= 128;
        const u32 frame[] = {
            static_cast<u32>(target().begin), to.code, 1, 2, static_cast<u32>(address(user_stack)) + 0x800, to.data};
        for (unsigned n = 0; n < 6; ++n) at<u32>(r.gpr[Rsp] + 4 * n) = frame[n];
        r.es = sel::user_data;
        run(r);
        Check(Name("RETF 8 to level") << to.name)
            .ends(trapped, target(), done)
            .is("ESP", trapped.gpr[Rsp], frame[4] + 8)
            .is("CS", trapped.cs, to.code)
            .is("SS", trapped.ss, to.data)
            .is("DS of level 0 is null", trapped.ds, 0)
            .is("ES of level 3 stays", trapped.es, sel::user_data);
        for (unsigned iopl = 0; iopl < 4; ++iopl) {
            r = kernel(iretd_());
            r.gpr[Rsp] -= 128;
            const u32 flags = static_cast<u32>(flag::reserved1 | flag::iopl(iopl) | flag::if_);
            const u32 iret_frame[] = {static_cast<u32>(target().begin), to.code, flags, frame[4], to.data};
            for (unsigned n = 0; n < 5; ++n) at<u32>(r.gpr[Rsp] + 4 * n) = iret_frame[n];
            run(r);
            Check(Name("IRET to level") << to.name << "IOPL" << iopl)
                .ends(trapped, target(), done)
                .is("flags", trapped.flags & ~flag::rf, flags)
                .is("ESP", trapped.gpr[Rsp], frame[4]);
            // CLI, STI and ports at that level.
            const bool may = to.cpl <= iopl;
            constexpr Piece pieces[] = {{"CLI", cli_}, {"STI", sti_}, {"IN", in_al}};
            for (auto [name, code] : pieces) {
                r = to.regs(code());
                r.flags |= flag::iopl(iopl);
                r.gpr[Rdx] = 0x80;
                Check(Name(name) << "at level" << to.name << "IOPL" << iopl).ends(run(r), code(), may ? done : gp(0));
            }
        }
        constexpr Piece level0[] = {{"HLT", hlt_}, {"LGDT", lgdt_}};
        for (auto [name, code] : level0) {
            r = to.regs(code());
            r.gpr[Rbx] = address(user_page);
            Check(Name(name) << "at level" << to.name).ends(run(r), code(), gp(0));
        }
    }
    for (const Ring& from : rings) {
        if (from.cpl == 0) continue;
        Regs r = from.regs(return_0());
        r.gpr[Rsp] -= 8;
        at<u32>(r.gpr[Rsp]) = static_cast<u32>(target().begin);
        at<u32>(r.gpr[Rsp] + 4) = sel::kernel_code;
        Check(Name("RETF inward from level") << from.name)
            .ends(run(r), return_0(), gp(sel::kernel_code))
            .is("ESP", trapped.gpr[Rsp], r.gpr[Rsp]);
    }
}

}  // namespace

void check_gates() {
    check_call_matrix();
    check_call_details();
    check_interrupts();
    check_returns();
}

}  // namespace guest

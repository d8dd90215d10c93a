// Levels 1 and 2 in long mode: for pages they are supervisor, for all else they are not. Intel SDM vol. 3, "Privilege
// Levels", "Paging and Page-Level Protection", "Stack Switching in IA-32e Mode", "Privileged Instructions".
#include "long/tables.hpp"

namespace guest {
namespace {

constexpr uptr linear = 0x80'0000'0000;
constexpr u16 gate = sel::own;

CODE(64, nothing, "nop")
CODE(32, nothing32, "nop")
CODE(64, load, "mov eax, [rbx]")
CODE(64, store, "mov [rbx], eax")
CODE(64, int_20, "int 0x20")
CODE(32, int_20_compat, "int 0x20")
CODE(64, undefined, "ud2")
CODE(32, undefined32, "ud2")
CODE(64, call_far, ".byte 0x48, 0xff, 0x1b")
CODE(64, iretq_, "iretq")
CODE(64, return_far, ".byte 0x48, 0xcb")
CODE(64, load_ss, "mov ss, ax")
CODE(32, load_ss32, "mov ss, ax")
CODE(64, load_es, "mov es, ax")
CODE(64, syscall_, "syscall")
CODE(64, misaligned, "mov eax, [rbx + 1]")

struct Inner {
    const char* name;
    unsigned level;
    Regs (*regs)(const Code&);
    Regs (*compat)(const Code&);
    u16 code, data, code32;
    const u8* stack;
};
constexpr Inner inner[] = {{"level 1", 1, level1, compat1, sel::code1, sel::data1, sel::code1_32, ring1_stack},
                           {"level 2", 2, level2, compat2, sel::code2, sel::data2, sel::code2_32, ring2_stack}};

u64 word(uptr where) { return at<u64>(where); }

void check_modes() {
    for (const Inner& i : inner) {
        run(i.regs(nothing()));
        Check(Name(i.name) << "in 64-bit mode")
            .ends(trapped, nothing(), done)
            .is("CS", trapped.cs, i.code)
            .is("SS", trapped.ss, i.data);
        run(i.compat(nothing32()));
        Check(Name(i.name) << "in compatibility mode").ends(trapped, nothing32(), done).is("CS", trapped.cs, i.code32);
        // An exception's handler is on RSP0, and SS is null there.
        for (unsigned wide = 0; wide < 2; ++wide) {
            const Code c = wide ? undefined() : undefined32();
            set_gate(6, stub(6), sel::kernel_code, 0x8e, 0);
            const Regs r = wide ? i.regs(c) : i.compat(c);
            run(r);
            reset_gate(6);
            Check(Name(i.name) << "exception" << (wide ? "from 64-bit mode" : "from compatibility mode"))
                .ends(trapped, c, ud)
                .is("handler's CS", trapped.handler_cs, sel::kernel_code)
                .is("handler's SS", trapped.handler_ss, 0)
                .is("frame", trapped.frame, tss.rsp[0] - 40)
                .is("CS", trapped.cs, r.cs)
                .is("SS", trapped.ss, r.ss)
                .is("RSP", trapped.gpr[Rsp], r.gpr[Rsp]);
        }
        Regs r = i.regs(misaligned());
        r.gpr[Rbx] = address(user_page);
        r.flags |= flag::ac;
        With am(With::Cr0, cr0::am);
        Check(Name(i.name) << "misaligned with AM and AC").ends(run(r), misaligned(), done);
    }
}

void check_pages() {
    forget_tables();
    const Mapping m(linear, frame_pool);
    const bool smep = cpuid(7).ebx & 1 << 7;
    struct Row {
        const char* name;
        u64 clear, set;
        bool write, wp;
        Want want;
    };
    const Row rows[] = {{"load from a supervisor page", pte::u, 0, false, true, done},
                        {"store to a supervisor page", pte::u, 0, true, true, done},
                        {"store to a read-only supervisor page", pte::u | pte::w, 0, true, true, pf(3, linear)},
                        {"store to a read-only supervisor page without WP", pte::u | pte::w, 0, true, false, done},
                        {"store to a read-only user page", pte::w, 0, true, true, pf(3, linear)},
                        {"store to a read-only user page without WP", pte::w, 0, true, false, done},
                        {"load from an absent page", pte::p, 0, false, true, pf(0, linear)},
                        {"store to an absent page", pte::p, 0, true, true, pf(2, linear)}};
    for (const Inner& i : inner) {
        for (const Row& row : rows) {
            m[Pte] = ((frame_pool | pte::p | pte::w | pte::u) & ~row.clear) | row.set;
            m.flush();
            const Code c = row.write ? store() : load();
            Regs r = i.regs(c);
            r.gpr[Rbx] = linear;
            With wp(With::Cr0, row.wp ? cr0::wp : 0, cr0::wp);
            Check(Name(i.name) << row.name).ends(run(r), c, row.want);
        }
        const Code there{linear, linear, linear};
        at<u8>(frame_pool) = 0xcc;
        m[Pte] = frame_pool | pte::p;
        m.flush();
        Check(Name(i.name) << "fetch from a supervisor page").ends(run(i.regs(there)), there, done);
        m[Pte] = frame_pool | pte::p | pte::nx;
        m.flush();
        Check(Name(i.name) << "fetch from an NX page").ends(run(i.regs(there)), there, pf(0x11, linear));
        m[Pte] = frame_pool | pte::p | pte::u;
        m.flush();
        Check(Name(i.name) << "fetch from a user page").ends(run(i.regs(there)), there, done);
        Check s(Name(i.name) << "fetch from a user page, SMEP");
        if (!smep) {
            s.skip();
            continue;
        }
        With with(With::Cr4, cr4::smep);
        s.ends(run(i.regs(there)), there, pf(0x11, linear));
    }
    forget_tables();
}

void set_call_gate(u16 selector) {
    const u64 offset = address(nothing_code);
    gdt[gate / 8] = (offset & 0xffff) | u64{selector} << 16 | u64{0xec} << 40 | (offset >> 16 & 0xffff) << 48;
    gdt[gate / 8 + 1] = offset >> 32;
}

void check_gates() {
    auto far_call = [](Regs r) {
        at<u64>(address(user_page)) = 0;
        at<u16>(address(user_page) + 8) = gate | 3;
        r.gpr[Rbx] = address(user_page);
        return r;
    };
    for (const Inner& to : inner)
        for (const Ring& from : rings) {
            set_call_gate(to.code & ~3);
            Regs r = far_call(from.regs(call_far()));
            run(r);
            Check c(Name("call gate to") << to.name << "from" << from.name);
            const uptr top = tss.rsp[to.level];
            if (from.cpl < to.level) {
                c.ends(trapped, call_far(), gp(to.code & ~3));
            } else if (from.cpl == to.level) {
                c.ends(trapped, nothing(), done)
                    .is("RSP", trapped.gpr[Rsp], r.gpr[Rsp] - 16)
                    .is("SS", trapped.ss, r.ss);
            } else {
                c.ends(trapped, nothing(), done)
                    .is("CS", trapped.cs, to.code)
                    .is("SS", trapped.ss, to.level)
                    .is("RSP", trapped.gpr[Rsp], top - 32)
                    .is("pushed SS", word(top - 8), r.ss)
                    .is("pushed RSP", word(top - 16), r.gpr[Rsp])
                    .is("pushed CS", word(top - 24), r.cs);
            }
            set_gate(0x20, nothing().begin, to.code & ~3, 0xee, 0);
            r = from.regs(int_20());
            run(r);
            reset_gate(0x20);
            Check g(Name("interrupt gate to") << to.name << "from" << from.name);
            if (from.cpl < to.level) {
                g.ends(trapped, int_20(), gp(to.code & ~3));
            } else if (from.cpl == to.level) {
                g.ends(trapped, nothing(), done).is("RSP", trapped.gpr[Rsp], r.gpr[Rsp] - 40);
            } else {
                g.ends(trapped, nothing(), done)
                    .is("CS", trapped.cs, to.code)
                    .is("SS", trapped.ss, to.level)
                    .is("RSP", trapped.gpr[Rsp], top - 40)
                    .is("pushed SS", word(top - 8), r.ss);
            }
        }
    // The gate's DPL against each level.
    for (const Ring& from : rings)
        for (unsigned dpl = 0; dpl < 4; ++dpl) {
            set_gate(0x20, stub(0x20), sel::kernel_code, static_cast<u8>(0x8e | dpl << 5));
            run(from.regs(int_20()));
            reset_gate(0x20);
            Check(Name("INT through a gate of DPL") << dpl << "from" << from.name)
                .ends(trapped, int_20(), from.cpl <= dpl ? trap_at(0x20, int_20().end) : gp(0x20 * 8 + 2));
        }
    for (const Inner& i : inner) {
        set_gate(0x20, stub(0x20), sel::kernel_code, static_cast<u8>(0x8e | i.level << 5));
        Check(Name("INT from compatibility mode of") << i.name)
            .ends(run(i.compat(int_20_compat())), int_20_compat(), trap_at(0x20, int_20_compat().end));
        reset_gate(0x20);
        write_msr(msr::star, u64{sel::kernel_code} << 32);
        write_msr(msr::lstar, nothing().begin);
        run(i.regs(syscall_()));
        Check(Name("SYSCALL from") << i.name).ends(trapped, nothing(), done).is("CS", trapped.cs, sel::kernel_code);
    }
}

struct Frame {
    u64 rip, cs, flags, rsp, ss;
};

void check_returns() {
    struct Row {
        const char* name;
        Regs (*from)(const Code&);
        u16 cs, ss;
        bool wide;
        Want want;
    };
    const Row rows[] = {
        {"from 0 to 1", kernel, sel::code1, sel::data1, true, done},
        {"from 0 to 2", kernel, sel::code2, sel::data2, true, done},
        {"from 1 to 2", level1, sel::code2, sel::data2, true, done},
        {"from 2 to 3", level2, sel::user_code, sel::user_data, true, done},
        {"from 0 to 1 with a null SS of RPL 1", kernel, sel::code1, 1, true, done},
        {"from 0 to 2 with a null SS of RPL 2", kernel, sel::code2, 2, true, done},
        {"from 1 to 3 with a null SS", level1, sel::user_code, 3, true, gp(0)},
        {"from 0 to compatibility mode of 1", kernel, sel::code1_32, sel::data1, false, done},
        {"from 0 to compatibility mode of 2", kernel, sel::code2_32, sel::data2, false, done},
        {"from 0 to compatibility mode of 1 with a null SS", kernel, sel::code1_32, 1, false, gp(0)},
        {"from 0 to 1 with SS of DPL 2", kernel, sel::code1, (sel::data2 & ~3) | 1, true, gp(sel::data2 & ~3)},
        {"from 0 to 1 with SS of RPL 2", kernel, sel::code1, (sel::data1 & ~3) | 2, true, gp(sel::data1 & ~3)},
        {"from 1 to 0", level1, sel::kernel_code, sel::kernel_data, true, gp(sel::kernel_code)},
        {"from 2 to 1", level2, sel::code1, sel::data1, true, gp(sel::code1 & ~3)},
        {"from 3 to 2", user, sel::code2, sel::data2, true, gp(sel::code2 & ~3)}};
    for (const Row& row : rows)
        for (unsigned far = 0; far < 2; ++far) {
            const Code to = row.wide ? nothing() : nothing32(), c = far ? return_far() : iretq_();
            Regs r = row.from(c);
            r.gpr[Rsp] -= 128;
            const uptr stack = address(user_stack) + 0x800;
            if (far) {
                at<u64>(r.gpr[Rsp]) = to.begin;
                at<u64>(r.gpr[Rsp] + 8) = row.cs;
                at<u64>(r.gpr[Rsp] + 16) = stack;
                at<u64>(r.gpr[Rsp] + 24) = row.ss;
            } else {
                *reinterpret_cast<Frame*>(r.gpr[Rsp]) = {to.begin, row.cs, 2, stack, row.ss};
            }
            run(r);
            Check k(Name(far ? "RETF" : "IRETQ") << row.name);
            k.ends(trapped, row.want.vector == 3 ? to : c, row.want);
            if (row.want.vector == 3)
                k.is("CS", trapped.cs, row.cs).is("SS", trapped.ss, row.ss).is("RSP", trapped.gpr[Rsp], stack);
        }
}

void check_loads() {
    for (const Inner& i : inner) {
        auto with_ax = [&](const Code& c, u16 selector, bool wide = true) {
            Regs r = wide ? i.regs(c) : i.compat(c);
            r.gpr[Rax] = selector;
            return r;
        };
        for (u16 rpl = 0; rpl < 4; ++rpl) {
            Check(Name("load SS with null of RPL") << rpl << "at" << i.name)
                .ends(run(with_ax(load_ss(), rpl)), load_ss(), rpl == i.level ? done : gp(0));
            Check(Name("load SS with null of RPL") << rpl << "in compatibility mode of" << i.name)
                .ends(run(with_ax(load_ss32(), rpl, false)), load_ss32(), gp(0));
            for (const Inner& s : inner) {
                const u16 selector = static_cast<u16>((s.data & ~3) | rpl);
                const Want no = gp(s.data & ~3);
                Check(Name("load SS with data of") << s.name << "RPL" << rpl << "at" << i.name)
                    .ends(run(with_ax(load_ss(), selector)), load_ss(),
                          rpl == i.level && s.level == i.level ? done : no);
                Check(Name("load ES with data of") << s.name << "RPL" << rpl << "at" << i.name)
                    .ends(run(with_ax(load_es(), selector)), load_es(),
                          rpl <= s.level && i.level <= s.level ? done : no);
            }
        }
        Check(Name("load ES with data of level 0 at") << i.name)
            .ends(run(with_ax(load_es(), sel::kernel_data)), load_es(), gp(sel::kernel_data));
    }
}

}  // namespace

void check_rings() {
    check_modes();
    check_pages();
    check_gates();
    check_returns();
    check_loads();
}

}  // namespace guest

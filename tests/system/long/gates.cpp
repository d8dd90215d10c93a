// Far transfers, gates and returns of long mode. Intel SDM vol. 2, "CALL", "JMP", "IRET", "INT n"; vol. 3, "64-Bit Mode
// IDT", "Interrupt Stack Table", "Call Gates" of IA-32e mode.
#include "long/machine.hpp"

namespace guest {
namespace {

CODE(64, nothing, "nop")
CODE(64, call_far, ".byte 0x48, 0xff, 0x1b")
CODE(64, jump_far, ".byte 0x48, 0xff, 0x2b")
CODE(64, return_far, ".byte 0x48, 0xcb")
CODE(64, return_far_8, ".byte 0x48, 0xca, 8, 0")
CODE(64, iretq_, "iretq")
CODE(64, iretd_, "iretd")
CODE(64, int_20, "int 0x20")
CODE(32, nothing32, "nop")
CODE(32, call_far_compat, ".byte 0xff, 0x1b")
CODE(32, int_20_compat, "int 0x20")

constexpr u16 gate = sel::spare;

struct [[gnu::packed]] FarPointer {
    u64 offset;
    u16 selector;
};

void set_call_gate(u64 offset, u16 selector, u8 access) {
    gdt[gate / 8] = (offset & 0xffff) | u64{selector} << 16 | u64{access} << 40 | (offset >> 16 & 0xffff) << 48;
    gdt[gate / 8 + 1] = offset >> 32;
}

Regs far_regs(Regs r, u16 selector, u64 offset = 0) {
    auto& pointer = *reinterpret_cast<volatile FarPointer*>(user_page);
    pointer.offset = offset;
    pointer.selector = selector;
    r.gpr[Rbx] = address(user_page);
    return r;
}

uptr word_at(uptr where) { return at<uptr>(where); }

void check_call_gates() {
    set_call_gate(address(nothing_code), sel::kernel_code, 0xec);
    // Inward: the new stack is RSP0, SS is null, and holds the old SS, RSP, CS and the return address.
    Regs r = far_regs(user(call_far()), gate | 3);
    const uptr top = tss.rsp[0];
    run(r);
    Check("call gate inward")
        .ends(trapped, nothing(), done)
        .is("CS", trapped.cs, sel::kernel_code)
        .is("SS", trapped.ss, 0)
        .is("RSP", trapped.gpr[Rsp], top - 32)
        .is("pushed SS", word_at(top - 8), sel::user_data)
        .is("pushed RSP", word_at(top - 16), r.gpr[Rsp])
        .is("pushed CS", word_at(top - 24), sel::user_code)
        .is("pushed RIP", word_at(top - 32), call_far().end);
    r.gpr[Rsp] -= 8;
    run(r);
    Check("call gate inward does not align the stack").is("RSP", trapped.gpr[Rsp], top - 32);
    r = far_regs(compat(call_far_compat()), gate | 3);
    r.gpr[Rbx] = address(user_page);
    at<u32>(address(user_page)) = 0;
    at<u16>(address(user_page) + 4) = gate | 3;
    run(r);
    Check("call gate from compatibility mode")
        .ends(trapped, nothing(), done)
        .is("CS", trapped.cs, sel::kernel_code)
        .is("pushed RIP", word_at(top - 32), call_far_compat().end);
    Check("JMP through a call gate inward")
        .ends(run(far_regs(user(jump_far()), gate | 3)), jump_far(), gp(sel::kernel_code));
    r = far_regs(kernel(call_far()), gate);
    run(r);
    Check("call gate on the same level")
        .ends(trapped, nothing(), done)
        .is("RSP", trapped.gpr[Rsp], r.gpr[Rsp] - 16)
        .is("pushed CS", word_at(trapped.gpr[Rsp] + 8), sel::kernel_code)
        .is("pushed RIP", word_at(trapped.gpr[Rsp]), call_far().end);
    Check("JMP through a call gate on the same level").ends(run(far_regs(kernel(jump_far()), gate)), nothing(), done);

    struct Row {
        const char* name;
        u64 offset;
        u16 selector;
        u8 access;
        u16 rpl;
        Want want;
    };
    const u64 good = address(nothing_code);
    const Row rows[] = {{"DPL below CPL", good, sel::kernel_code, 0x8c, 3, gp(gate)},
                        {"not present", good, sel::kernel_code, 0x6c, 3, np(gate)},
                        {"to a null selector", good, 0, 0xec, 3, gp(0)},
                        {"to data", good, sel::kernel_data, 0xec, 3, gp(sel::kernel_data)},
                        {"to 32-bit code", good, sel::kernel_code32, 0xec, 3, gp(sel::kernel_code32)},
                        {"to a selector beyond the GDT", good, 0x2000, 0xec, 3, gp(0x2000)},
                        {"to a non-canonical offset", 1ull << 47, sel::kernel_code, 0xec, 3, gp(0)},
                        {"of 16 bits", good, sel::kernel_code, 0xe4, 3, gp(gate)},
                        {"task gate", good, sel::kernel_code, 0xe5, 3, gp(gate)},
                        {"interrupt gate", good, sel::kernel_code, 0xee, 3, gp(gate)}};
    for (const Row& row : rows) {
        set_call_gate(row.offset, row.selector, row.access);
        Check(Name("call gate") << row.name)
            .ends(run(far_regs(user(call_far()), static_cast<u16>(gate | row.rpl))), call_far(), row.want);
    }
    set_call_gate(good, sel::kernel_code, 0xcc);
    Check("call gate with RPL of its DPL").ends(run(far_regs(kernel(call_far()), gate | 2)), nothing(), done);
    Check("call gate with RPL above its DPL").ends(run(far_regs(kernel(call_far()), gate | 3)), call_far(), gp(gate));
    set_call_gate(good, sel::kernel_code, 0xec);
    gdt[gate / 8 + 1] |= 1ull << 40;
    Check("call gate with a type in its upper half")
        .ends(run(far_regs(user(call_far()), gate | 3)), call_far(), gp(gate));
    set_call_gate(good, sel::kernel_code, 0xec);
    const u64 rsp0 = tss.rsp[0];
    tss.rsp[0] = 1ull << 47;
    Check("call gate to a non-canonical stack").ends(run(far_regs(user(call_far()), gate | 3)), call_far(), ss(0));
    tss.rsp[0] = 0x90'0000'1000;
    Check("call gate to an absent stack")
        .ends(run(far_regs(user(call_far()), gate | 3)), call_far(), pf(2, 0x90'0000'0ff8));
    tss.rsp[0] = rsp0;
}

void check_far_direct() {
    Regs r = far_regs(user(jump_far()), sel::user_code, nothing().begin);
    Check("far JMP on the same level").ends(run(r), nothing(), done);
    r = far_regs(user(call_far()), sel::user_code, nothing().begin);
    run(r);
    Check("far CALL on the same level")
        .ends(trapped, nothing(), done)
        .is("RSP", trapped.gpr[Rsp], r.gpr[Rsp] - 16)
        .is("pushed RIP", word_at(trapped.gpr[Rsp]), call_far().end)
        .is("pushed CS", word_at(trapped.gpr[Rsp] + 8), sel::user_code);
    run(far_regs(user(jump_far()), sel::user_code32, nothing32().begin));
    Check("far JMP to compatibility mode").ends(trapped, nothing32(), done).is("CS", trapped.cs, sel::user_code32);
    struct Row {
        const char* name;
        u16 selector;
        Want want;
    };
    gdt[gate / 8] = descriptor(0, 0xfffff, 0x7b, 0xa);
    gdt[gate / 8 + 1] = descriptor(0, 0xfffff, 0xfb, 0xe);
    const Row rows[] = {{"inward", sel::kernel_code, gp(sel::kernel_code)},
                        {"to a null selector", 3, gp(0)},
                        {"to data", sel::user_data, gp(sel::user_data & ~3)},
                        {"to absent code", gate | 3, np(gate)},
                        {"to code with L and D", (gate + 8) | 3, gp(gate + 8)},
                        {"to a TSS", sel::tss, gp(sel::tss)},
                        {"beyond the GDT", 0x3000, gp(0x3000)},
                        {"beyond the LDT", 0x3004, gp(0x3004)}};
    for (const Row& row : rows) {
        Check(Name("far JMP") << row.name)
            .ends(run(far_regs(user(jump_far()), row.selector, nothing().begin)), jump_far(), row.want);
        Check(Name("far CALL") << row.name)
            .ends(run(far_regs(user(call_far()), row.selector, nothing().begin)), call_far(), row.want);
    }
    Check("far JMP to a non-canonical address")
        .ends(run(far_regs(kernel(jump_far()), sel::kernel_code, 1ull << 47)), jump_far(), gp(0));
    Check("far JMP outward")
        .ends(run(far_regs(kernel(jump_far()), sel::user_code, nothing().begin)), jump_far(), gp(sel::user_code & ~3));
    gdt[gate / 8] = descriptor(0, 0xfffff, 0x9e, 0xa);
    run(far_regs(user(jump_far()), gate | 3, nothing().begin));
    Check("far JMP to conforming code of an inner level")
        .ends(trapped, nothing(), done)
        .is("CS", trapped.cs, gate | 3)
        .is("accessed bit", gdt[gate / 8] >> 40 & 1, 1);
    gdt[gate / 8] = descriptor(0, 0xfffff, 0xfe, 0xa);
    Check("far JMP to conforming code of an outer level")
        .ends(run(far_regs(kernel(jump_far()), gate, nothing().begin)), jump_far(), gp(gate));
}

// Frames for IRETQ and RETF, on the kernel's stack.
struct Frame {
    u64 rip, cs, flags, rsp, ss;
};

Regs iret_regs(const Code& c, const Frame& f) {
    Regs r = kernel(c);
    r.gpr[Rsp] -= sizeof f + 64;
    *reinterpret_cast<Frame*>(r.gpr[Rsp]) = f;
    return r;
}
Regs retf_regs(const Code& c, const Frame& f) {
    Regs r = kernel(c);
    r.gpr[Rsp] -= 128;
    at<u64>(r.gpr[Rsp]) = f.rip;
    at<u64>(r.gpr[Rsp] + 8) = f.cs;
    at<u64>(r.gpr[Rsp] + 16) = f.rsp;
    at<u64>(r.gpr[Rsp] + 24) = f.ss;
    return r;
}

void check_returns() {
    const uptr stack = address(user_stack + sizeof user_stack);
    const Frame to_user{nothing().begin, sel::user_code, 0x202, stack, sel::user_data};
    run(iret_regs(iretq_(), to_user));
    Check("IRETQ outward")
        .ends(trapped, nothing(), done)
        .is("CS", trapped.cs, sel::user_code)
        .is("SS", trapped.ss, sel::user_data)
        .is("RSP", trapped.gpr[Rsp], stack)
        .is("DS", trapped.ds, 0)
        .is("ES", trapped.es, 0)
        .is("FS", trapped.fs, 0)
        .is("GS", trapped.gs, 0)
        .is("IF", trapped.flags & flag::if_, flag::if_);
    run(retf_regs(return_far(), to_user));
    Check("RETF outward")
        .ends(trapped, nothing(), done)
        .is("CS", trapped.cs, sel::user_code)
        .is("SS", trapped.ss, sel::user_data)
        .is("RSP", trapped.gpr[Rsp], stack)
        .is("DS", trapped.ds, 0);
    Regs r = iret_regs(iretq_(), to_user);
    r.ds = r.es = sel::user_data;
    run(r);
    Check("IRETQ outward keeps segments of the outer level")
        .is("DS", trapped.ds, sel::user_data)
        .is("ES", trapped.es, sel::user_data);
    Frame f = to_user;
    f.cs = sel::user_code32, f.rip = nothing32().begin;
    run(iret_regs(iretq_(), f));
    Check("IRETQ to compatibility mode").ends(trapped, nothing32(), done).is("CS", trapped.cs, sel::user_code32);
    f = to_user, f.cs = sel::kernel_code, f.ss = sel::kernel_data;
    run(iret_regs(iretq_(), f));
    Check("IRETQ on the same level pops RSP and SS").ends(trapped, nothing(), done).is("RSP", trapped.gpr[Rsp], stack);
    f.ss = 0;
    run(iret_regs(iretq_(), f));
    Check("IRETQ to level 0 with a null SS").ends(trapped, nothing(), done).is("SS", trapped.ss, 0);
    // 32-bit frames work in 64-bit mode too.
    r = kernel(iretd_());
    r.gpr[Rsp] -= 64;
    const u32 words[] = {static_cast<u32>(nothing().begin), sel::kernel_code, 2, static_cast<u32>(stack),
                         sel::kernel_data};
    for (unsigned n = 0; n < 5; ++n) at<u32>(r.gpr[Rsp] + 4 * n) = words[n];
    run(r);
    Check("IRETD in 64-bit mode").ends(trapped, nothing(), done).is("RSP", trapped.gpr[Rsp], stack);

    // The stack pointer is not changed by what faults, nor flags.
    struct Row {
        const char* name;
        Frame frame;
        Want want;
        bool both;  // RETF says the same
    };
    gdt[gate / 8] = descriptor(0, 0xfffff, 0x7b, 0xa);      // absent code, DPL 3
    gdt[gate / 8 + 1] = descriptor(0, 0xfffff, 0x73, 0xc);  // absent data, DPL 3
    gdt[gate / 8 + 2] = descriptor(0, 0xfffff, 0xf1, 0xc);  // read-only data, DPL 3
    gdt[gate / 8 + 3] = descriptor(0, 0xfffff, 0xfb, 0xe);  // L and D
    const u64 rip = nothing().begin;
    const Row rows[] = {
        {"to a null CS", {rip, 0, 2, stack, sel::user_data}, gp(0), true},
        {"to a null CS of RPL 3", {rip, 3, 2, stack, sel::user_data}, gp(0), true},
        {"to data", {rip, sel::user_data, 2, stack, sel::user_data}, gp(sel::user_data & ~3), true},
        {"with RPL other than DPL", {rip, sel::kernel_code | 3, 2, stack, sel::user_data}, gp(sel::kernel_code), true},
        {"to absent code", {rip, gate | 3, 2, stack, sel::user_data}, np(gate), true},
        {"to code with L and D", {rip, (gate + 24) | 3, 2, stack, sel::user_data}, gp(gate + 24), true},
        {"beyond the GDT", {rip, 0x2003, 2, stack, sel::user_data}, gp(0x2000), true},
        {"outward with a null SS", {rip, sel::user_code, 2, stack, 3}, gp(0), true},
        {"outward with SS of RPL 0",
         {rip, sel::user_code, 2, stack, sel::user_data & ~3},
         gp(sel::user_data & ~3),
         true},
        {"outward with SS of DPL 0", {rip, sel::user_code, 2, stack, sel::kernel_data | 3}, gp(sel::kernel_data), true},
        {"outward with read-only SS", {rip, sel::user_code, 2, stack, (gate + 16) | 3}, gp(gate + 16), true},
        {"outward with absent SS", {rip, sel::user_code, 2, stack, (gate + 8) | 3}, ss(gate + 8), true},
        {"outward with SS beyond the GDT", {rip, sel::user_code, 2, stack, 0x2003}, gp(0x2000), true},
        {"to a non-canonical RIP", {1ull << 47, sel::user_code, 2, stack, sel::user_data}, gp(0), true},
        {"to a non-canonical RIP, level 0", {1ull << 47, sel::kernel_code, 2, stack, sel::kernel_data}, gp(0), false}};
    for (const Row& row : rows) {
        r = iret_regs(iretq_(), row.frame);
        Check(Name("IRETQ") << row.name).ends(run(r), iretq_(), row.want).is("RSP", trapped.gpr[Rsp], r.gpr[Rsp]);
        if (!row.both) continue;
        r = retf_regs(return_far(), row.frame);
        Check(Name("RETF") << row.name).ends(run(r), return_far(), row.want).is("RSP", trapped.gpr[Rsp], r.gpr[Rsp]);
    }
    r = iret_regs(iretq_(), to_user);
    r.flags |= flag::nt;
    Check("IRETQ with NT").ends(run(r), iretq_(), gp(0));
    // Level 3 may not return inward, nor change IOPL, nor IF by IOPL.
    r = user(iretq_());
    r.gpr[Rsp] -= 128;
    f = to_user, f.cs = sel::kernel_code, f.ss = sel::kernel_data;
    *reinterpret_cast<Frame*>(r.gpr[Rsp]) = f;
    Check("IRETQ inward").ends(run(r), iretq_(), gp(sel::kernel_code));
    for (unsigned iopl = 0; iopl < 4; iopl += 3) {
        f = to_user, f.flags = flag::if_ | flag::iopl(iopl ^ 3) | flag::reserved1 | flag::ac;
        *reinterpret_cast<Frame*>(r.gpr[Rsp]) = f;
        r.flags = flag::reserved1 | flag::iopl(iopl);
        run(r);
        Check(Name("IRETQ flags at level 3 IOPL") << iopl)
            .ends(trapped, nothing(), done)
            .is("flags", trapped.flags & ~flag::rf,
                flag::reserved1 | flag::ac | flag::iopl(iopl) | (iopl ? flag::if_ : 0));
    }
    // RF comes back by IRETQ.
    f = to_user, f.flags = flag::reserved1 | flag::rf, f.rip = address(nothing_end);
    run(iret_regs(iretq_(), f));
    Check("IRETQ sets RF for one instruction").is("RIP", trapped.rip, address(nothing_end) + 1);

    r = retf_regs(return_far_8(), to_user);
    at<u64>(r.gpr[Rsp] + 24) = stack;
    at<u64>(r.gpr[Rsp] + 32) = sel::user_data;
    run(r);
    Check("RETF 8 outward").ends(trapped, nothing(), done).is("RSP", trapped.gpr[Rsp], stack + 8);
}

CODE(32, iretd_compat, "iretd")
CODE(32, iretw_compat, ".byte 0x66, 0xcf")
CODE(32, retf_compat, ".byte 0xcb")

// Returns from 32-bit code of level 0, on a stack of doublewords.
void check_compatibility_returns() {
    const u32 stack = static_cast<u32>(address(user_stack) + 0x800);
    struct Row {
        const char* name;
        u32 rip, cs, flags, ss;
        bool wide;
        Want want;
    };
    const u32 rip = static_cast<u32>(nothing().begin), rip32 = static_cast<u32>(nothing32().begin);
    const Row rows[] = {{"to 64-bit code of level 3", rip, sel::user_code, 2, sel::user_data, true, done},
                        {"to 64-bit code of level 0", rip, sel::kernel_code, 2, 0, true, done},
                        {"to 64-bit code of level 1", rip, sel::code1, 2, sel::data1, true, done},
                        {"to 32-bit code of level 3", rip32, sel::user_code32, 2, sel::user_data, false, done},
                        {"to 32-bit code of level 0", rip32, sel::kernel_code32, 2, 0, false, done},
                        {"to 32-bit code of level 2", rip32, sel::code2_32, 2, sel::data2, false, done},
                        {"with VM in its frame", rip32, sel::kernel_code32, 2 | flag::vm, 0, false, done},
                        {"to 64-bit code of level 1 with a null SS", rip, sel::code1, 2, 1, true, done},
                        {"to 32-bit code of level 3 with a null SS", rip32, sel::user_code32, 2, 3, false, gp(0)},
                        {"to a null CS", rip32, 0, 2, sel::user_data, false, gp(0)},
                        {"to data", rip32, sel::user_data, 2, sel::user_data, false, gp(sel::user_data & ~3)}};
    for (const Row& row : rows)
        for (unsigned far = 0; far < 2; ++far) {
            const Code c = far ? retf_compat() : iretd_compat();
            Regs r = kernel32(c);
            r.gpr[Rsp] -= 128;
            const u32 iret_words[] = {row.rip, row.cs, row.flags, stack, row.ss},
                      ret_words[] = {row.rip, row.cs, stack, row.ss, 0};
            for (unsigned n = 0; n < 5; ++n) at<u32>(r.gpr[Rsp] + 4 * n) = far ? ret_words[n] : iret_words[n];
            run(r);
            Check k(Name("32-bit") << (far ? "RETF" : "IRETD") << row.name);
            const bool good = row.want.vector == 3;
            k.ends(trapped, !good ? c : row.wide ? nothing() : nothing32(), row.want);
            if (!good) continue;
            const bool outward = row.cs & 3;
            k.is("CS", trapped.cs, row.cs)
                .is("VM", trapped.flags & flag::vm, 0)
                .is("RSP", trapped.gpr[Rsp], outward ? stack : r.gpr[Rsp] + (far ? 8 : 12))
                .is("SS", trapped.ss, outward ? row.ss : r.ss);
        }
    Regs r = kernel32(iretd_compat());
    r.gpr[Rsp] -= 128;
    r.flags |= flag::nt;
    Check("32-bit IRETD with NT").ends(run(r), iretd_compat(), gp(0));
    r = compat(iretd_compat());
    r.gpr[Rsp] -= 128;
    r.flags |= flag::nt;
    Check("compatibility mode IRETD with NT").ends(run(r), iretd_compat(), gp(0));
    // 16-bit frames reach the first 64 KiB.
    r = kernel32(iretw_compat());
    r.gpr[Rsp] -= 128;
    at<u8>(0x3000) = 0xcc;
    at<u16>(r.gpr[Rsp]) = 0x3000;
    at<u16>(r.gpr[Rsp] + 2) = sel::kernel_code32;
    at<u16>(r.gpr[Rsp] + 4) = 2 | flag::cf;
    run(r);
    Check("32-bit IRET of 16 bits")
        .is("vector", trapped.vector, 3)
        .is("RIP", trapped.rip, 0x3001)
        .is("CF", trapped.flags & 1, 1);
}

void check_interrupt_gates() {
    // Stack: RSP0 for level 3, aligned to 16 on the same level, or what IST names.
    set_gate(0x20, nothing().begin, sel::kernel_code, 0xee, 0);
    Regs r = user(int_20());
    r.flags |= flag::if_ | flag::nt | flag::ac;
    run(r);
    const uptr top = tss.rsp[0];
    Check("interrupt gate from level 3")
        .ends(trapped, nothing(), done)
        .is("CS", trapped.cs, sel::kernel_code)
        .is("SS", trapped.ss, 0)
        .is("RSP", trapped.gpr[Rsp], top - 40)
        .is("flags", trapped.flags & ~flag::rf, flag::reserved1 | flag::ac)
        .is("pushed RIP", word_at(top - 40), int_20().end)
        .is("pushed CS", word_at(top - 32), sel::user_code)
        .is("pushed flags", word_at(top - 24), r.flags)
        .is("pushed RSP", word_at(top - 16), r.gpr[Rsp])
        .is("pushed SS", word_at(top - 8), sel::user_data);
    set_gate(0x20, nothing().begin, sel::kernel_code, 0xef, 0);
    run(r);
    Check("trap gate keeps IF").ends(trapped, nothing(), done).is("IF", trapped.flags & flag::if_, flag::if_);
    for (unsigned low = 0; low < 16; ++low) {
        r = kernel(int_20());
        r.gpr[Rsp] -= low;
        run(r);
        Check(Name("interrupt on the same level aligns RSP") << low)
            .ends(trapped, nothing(), done)
            .is("RSP", trapped.gpr[Rsp], (r.gpr[Rsp] & ~15ul) - 40)
            .is("pushed RSP", word_at(trapped.gpr[Rsp] + 24), r.gpr[Rsp])
            .is("pushed SS", word_at(trapped.gpr[Rsp] + 32), sel::kernel_data);
    }
    for (unsigned ist = 1; ist < 8; ++ist) {
        const u64 before = tss.ist[ist - 1];
        tss.ist[ist - 1] = address(ring0_stack) + 0x800 + ist;
        set_gate(0x20, nothing().begin, sel::kernel_code, 0xee, static_cast<u8>(ist));
        run(kernel(int_20()));
        tss.ist[ist - 1] = before;
        Check(Name("IST") << ist)
            .ends(trapped, nothing(), done)
            .is("RSP", trapped.gpr[Rsp], address(ring0_stack) + 0x800 - 40);
    }
    set_gate(0x20, nothing().begin, sel::kernel_code, 0xee, 0);
    r = compat(int_20_compat());
    run(r);
    Check("interrupt gate from compatibility mode")
        .ends(trapped, nothing(), done)
        .is("pushed CS", word_at(top - 32), sel::user_code32)
        .is("pushed RIP", word_at(top - 40), int_20_compat().end);
    r = kernel32(int_20_compat());
    run(r);
    Check("interrupt gate from 32-bit code of level 0")
        .ends(trapped, nothing(), done)
        .is("RSP", trapped.gpr[Rsp], r.gpr[Rsp] - 40)
        .is("pushed CS", word_at(r.gpr[Rsp] - 32), sel::kernel_code32);
    // To conforming code the level stays.
    gdt[gate / 8] = descriptor(0, 0xfffff, 0x9f, 0xa);
    set_gate(0x20, nothing().begin, gate, 0xee, 0);
    r = user(int_20());
    run(r);
    Check("interrupt gate to conforming code").ends(trapped, nothing(), done).is("CS", trapped.cs, gate | 3);
    reset_gate(0x20);
}

}  // namespace

void check_gates() {
    check_call_gates();
    check_far_direct();
    check_returns();
    check_compatibility_returns();
    check_interrupt_gates();
}

}  // namespace guest

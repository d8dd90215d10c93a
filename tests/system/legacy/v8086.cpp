// Virtual-8086 mode: entered by IRET, left by interrupts; what IOPL takes from it. Intel SDM vol. 3, "Virtual-8086
// Mode".
#include "legacy/machine.hpp"

namespace guest {
namespace {

CODE(16, nothing, "nop")
CODE(16, undefined, "ud2")
CODE(16, cli_, "cli")
CODE(16, sti_, "sti")
CODE(16, pushf_, "pushf")
CODE(16, popf_, "popf")
CODE(16, pushfd_, "pushfd")
CODE(16, popfd_, "popfd")
CODE(16, int_21, "int 0x21")
CODE(16, into_, "into")
CODE(16, iret_, "iret")
CODE(16, in_al, "in al, dx")
CODE(16, out_al, "out dx, al")
CODE(16, insb_, "insb")
CODE(16, hlt_, "hlt")
CODE(16, to_cr0, "mov cr0, eax")
CODE(16, from_cr0, "mov eax, cr0")
CODE(16, lgdt_, "lgdt [bx]")
CODE(16, lmsw_, "lmsw ax")
CODE(16, smsw_, "smsw ax")
CODE(16, sgdt_, "sgdt [bx]")
CODE(16, clts_, "clts")
CODE(16, lldt_, "lldt ax")
CODE(16, ltr_, "ltr ax")
CODE(16, sldt_, "sldt ax")
CODE(16, str_, "str ax")
CODE(16, lar_, "lar ax, bx")
CODE(16, lsl_, "lsl ax, bx")
CODE(16, verr_, "verr ax")
CODE(16, arpl_, "arpl ax, bx")
CODE(16, invlpg_, "invlpg [bx]")
CODE(16, wbinvd_, "wbinvd")
CODE(16, load_word_bx, "mov ax, [bx]")
CODE(16, load_ebx, ".byte 0x67, 0x8a, 0x03")
CODE(16, segments, "mov ax, 0x1234\nmov es, ax\nmov ax, 0x800\nmov ds, ax\nmov bx, es")
CODE(16, far_jump, ".byte 0xea, 5, 0, 0, 8\nnop")
CODE(32, target, "nop")
CODE(32, iretd_, "iretd")

void check_iopl() {
    constexpr Piece sensitive[] = {{"CLI", cli_},       {"STI", sti_},     {"PUSHF", pushf_},   {"POPF", popf_},
                                   {"PUSHFD", pushfd_}, {"POPFD", popfd_}, {"INT 21h", int_21}, {"IRET", iret_}};
    set_gate(0x21, stub(0x21), sel::kernel_code, 0xee);
    for (unsigned iopl = 0; iopl < 4; ++iopl)
        for (auto [name, code] : sensitive) {
            const Code c = copied_low(code());
            Regs r = v8086(c);
            r.flags |= flag::iopl(iopl);
            r.gpr[Rsp] -= 16;
            at<u16>(low_stack + r.gpr[Rsp]) = 2;
            if (code == iret_) {
                at<u16>(low_stack + r.gpr[Rsp]) = static_cast<u16>(c.end);
                at<u16>(low_stack + r.gpr[Rsp] + 2) = low_code >> 4;
                at<u16>(low_stack + r.gpr[Rsp] + 4) = 2;
            }
            run(r);
            Want want = gp(0);
            if (iopl == 3) want = code == int_21 ? trap_at(0x21, c.end) : done;
            Check(Name("virtual 8086") << name << "IOPL" << iopl).ends(trapped, c, want);
        }
    reset_gate(0x21);
    // INT3, INTO and INT1 do not look at IOPL.
    Code c = copied_low(nothing());
    Check("virtual 8086 INT3").ends(run(v8086(c)), c, done);
    c = copied_low(into_());
    Regs r = v8086(c);
    r.flags |= flag::of;
    Check("virtual 8086 INTO").ends(run(r), c, trap_at(4, c.end));
    // Ports by the bitmap alone.
    for (unsigned iopl = 0; iopl < 4; iopl += 3)
        for (unsigned open = 0; open < 2; ++open) {
            tss.map[0x80 / 8] = open ? 0xfe : 0xff;
            constexpr Piece ports[] = {{"IN", in_al}, {"OUT", out_al}, {"INSB", insb_}};
            for (auto [name, code] : ports) {
                c = copied_low(code());
                r = v8086(c);
                r.flags |= flag::iopl(iopl);
                r.gpr[Rdx] = 0x80;
                Check(Name("virtual 8086") << name << (open ? "open" : "denied") << "IOPL" << iopl)
                    .ends(run(r), c, open ? done : gp(0));
            }
        }
    tss.map[0x80 / 8] = 0xff;
}

void check_instructions() {
    constexpr Piece privileged[] = {{"HLT", hlt_},       {"MOV to CR0", to_cr0}, {"MOV from CR0", from_cr0},
                                    {"LGDT", lgdt_},     {"LMSW", lmsw_},        {"CLTS", clts_},
                                    {"INVLPG", invlpg_}, {"WBINVD", wbinvd_}};
    for (auto [name, code] : privileged) {
        const Code c = copied_low(code());
        Regs r = v8086(c);
        r.flags |= flag::iopl3;
        Check(Name("virtual 8086") << name).ends(run(r), c, gp(0));
    }
    constexpr Piece unknown[] = {{"UD2", undefined}, {"LLDT", lldt_}, {"LTR", ltr_},   {"SLDT", sldt_}, {"STR", str_},
                                 {"LAR", lar_},      {"LSL", lsl_},   {"VERR", verr_}, {"ARPL", arpl_}};
    for (auto [name, code] : unknown) {
        const Code c = copied_low(code());
        Check(Name("virtual 8086") << name).ends(run(v8086(c)), c, ud);
    }
    constexpr Piece allowed[] = {{"SMSW", smsw_}, {"SGDT", sgdt_}, {"far JMP", far_jump}};
    for (auto [name, code] : allowed) {
        const Code c = copied_low(code());
        Check(Name("virtual 8086") << name).ends(run(v8086(c)), c, done);
    }
    Code c = copied_low(load_word_bx());
    Regs r = v8086(c);
    r.gpr[Rbx] = 0xffff;
    Check("virtual 8086 word at FFFFh").ends(run(r), c, gp(0));
    c = copied_low(load_ebx());
    r = v8086(c);
    r.gpr[Rbx] = 0x10000;
    Check("virtual 8086 byte at 10000h").ends(run(r), c, gp(0));
    c = copied_low(segments());
    run(v8086(c));
    Check("virtual 8086 segment loads")
        .ends(trapped, c, done)
        .is("ES", trapped.es, 0x1234)
        .is("DS", trapped.ds, 0x800)
        .is("BX", trapped.gpr[Rbx], 0x1234);
}

void check_frames() {
    const Code c = copied_low(undefined());
    Regs r = v8086(c);
    r.es = 0x1111, r.fs = 0x2222, r.gs = 0x3333, r.flags |= flag::if_ | flag::nt;
    set_gate(6, static_cast<u32>(target().begin), sel::kernel_code, 0x8e);
    run(r);
    reset_gate(6);
    const u32 top = tss.esp0;
    auto word = [](u32 where) { return at<u32>(where); };
    Check("interrupt out of virtual 8086")
        .ends(trapped, target(), done)
        .is("CS", trapped.cs, sel::kernel_code)
        .is("SS", trapped.ss, sel::kernel_data)
        .is("ESP", trapped.gpr[Rsp], top - 36)
        .is("pushed GS", word(top - 4) & 0xffff, 0x3333)
        .is("pushed FS", word(top - 8) & 0xffff, 0x2222)
        .is("pushed DS", word(top - 12) & 0xffff, low_data >> 4)
        .is("pushed ES", word(top - 16) & 0xffff, 0x1111)
        .is("pushed SS", word(top - 20) & 0xffff, low_stack >> 4)
        .is("pushed ESP", word(top - 24), r.gpr[Rsp])
        .is("pushed flags", word(top - 28) & ~flag::rf, r.flags)
        .is("pushed CS", word(top - 32) & 0xffff, low_code >> 4)
        .is("pushed EIP", word(top - 36), 0)
        .is("DS", trapped.ds, 0)
        .is("ES", trapped.es, 0)
        .is("FS", trapped.fs, 0)
        .is("GS", trapped.gs, 0)
        .is("flags", trapped.flags & (flag::vm | flag::if_ | flag::nt | flag::tf), 0);
    // Only to level 0.
    set_gate(6, static_cast<u32>(target().begin), sel::code1, 0x8e);
    run(v8086(c));
    reset_gate(6);
    Check("interrupt out of virtual 8086 to level 1").ends(trapped, c, gp((sel::code1 & ~3) | 1));
    // IRET at level 3 cannot set VM.
    r = user(iretd_());
    r.gpr[Rsp] -= 64;
    at<u32>(r.gpr[Rsp]) = static_cast<u32>(target().begin);
    at<u32>(r.gpr[Rsp] + 4) = sel::user_code;
    at<u32>(r.gpr[Rsp] + 8) = flag::reserved1 | flag::vm;
    run(r);
    Check("IRET at level 3 does not set VM").ends(trapped, target(), done).is("VM", trapped.flags & flag::vm, 0);
    const Code n = copied_low(nothing());
    r = v8086(n);
    r.flags |= flag::tf;
    Check("virtual 8086 TF").ends(run(r), n, trap_at(1, 1));
    r = v8086(n);
    r.rip = 0x1'0000;
    Check("IRET to virtual 8086 beyond FFFFh").is("vector", run(r).vector, 13);
}

}  // namespace

void check_v8086() {
    check_iopl();
    check_instructions();
    check_frames();
}

}  // namespace guest

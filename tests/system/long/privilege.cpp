// Instructions that only level 0 has, and those that CR4 or IOPL take from or give to the others. Intel SDM vol. 3,
// "Privileged Instructions"; vol. 1, "I/O Permission Bit Map".
#include "long/machine.hpp"

namespace guest {
namespace {

CODE(64, hlt_, "hlt")
CODE(64, clts_, "clts")
CODE(64, lgdt_, "lgdt [rbx]")
CODE(64, lidt_, "lidt [rbx]")
CODE(64, lldt_, "lldt ax")
CODE(64, ltr_, "ltr ax")
CODE(64, lmsw_, "lmsw ax")
CODE(64, to_cr0, "mov cr0, rax")
CODE(64, to_cr2, "mov cr2, rax")
CODE(64, to_cr3, "mov cr3, rax")
CODE(64, to_cr4, "mov cr4, rax")
CODE(64, to_cr8, "mov cr8, rax")
CODE(64, from_cr0, "mov rax, cr0")
CODE(64, from_cr2, "mov rax, cr2")
CODE(64, from_cr3, "mov rax, cr3")
CODE(64, from_cr4, "mov rax, cr4")
CODE(64, from_cr8, "mov rax, cr8")
CODE(64, to_dr0, "mov dr0, rax")
CODE(64, from_dr0, "mov rax, dr0")
CODE(64, to_dr7, "mov dr7, rax")
CODE(64, from_dr6, "mov rax, dr6")
CODE(64, invlpg_, "invlpg [rbx]")
CODE(64, invd_, "invd")
CODE(64, wbinvd_, "wbinvd")
CODE(64, rdmsr_, "rdmsr")
CODE(64, wrmsr_, "wrmsr")
CODE(64, swapgs_, "swapgs")
CODE(64, sysret_, "sysretq")
CODE(64, sysexit_, "sysexitq")
CODE(64, invpcid_, "invpcid rax, [rbx]")
CODE(64, rdpmc_, "rdpmc")
constexpr Piece privileged[] = {{"HLT", hlt_},
                                {"CLTS", clts_},
                                {"LGDT", lgdt_},
                                {"LIDT", lidt_},
                                {"LLDT", lldt_},
                                {"LTR", ltr_},
                                {"LMSW", lmsw_},
                                {"MOV to CR0", to_cr0},
                                {"MOV to CR2", to_cr2},
                                {"MOV to CR3", to_cr3},
                                {"MOV to CR4", to_cr4},
                                {"MOV to CR8", to_cr8},
                                {"MOV from CR0", from_cr0},
                                {"MOV from CR2", from_cr2},
                                {"MOV from CR3", from_cr3},
                                {"MOV from CR4", from_cr4},
                                {"MOV from CR8", from_cr8},
                                {"MOV to DR0", to_dr0},
                                {"MOV from DR0", from_dr0},
                                {"MOV to DR7", to_dr7},
                                {"MOV from DR6", from_dr6},
                                {"INVLPG", invlpg_},
                                {"INVD", invd_},
                                {"WBINVD", wbinvd_},
                                {"RDMSR", rdmsr_},
                                {"WRMSR", wrmsr_},
                                {"SWAPGS", swapgs_},
                                {"SYSRET", sysret_},
                                {"SYSEXIT", sysexit_},
                                {"INVPCID", invpcid_},
                                {"RDPMC without PCE", rdpmc_}};

CODE(64, sgdt_, "sgdt [rbx]")
CODE(64, sidt_, "sidt [rbx]")
CODE(64, sldt_, "sldt eax")
CODE(64, str_, "str eax")
CODE(64, smsw_, "smsw eax")
CODE(64, sldt_memory, "sldt word ptr [rbx]")
CODE(64, str_memory, "str word ptr [rbx]")
CODE(64, smsw_memory, "smsw word ptr [rbx]")
constexpr Piece stores[] = {{"SGDT", sgdt_},
                            {"SIDT", sidt_},
                            {"SLDT", sldt_},
                            {"STR", str_},
                            {"SMSW", smsw_},
                            {"SLDT to memory", sldt_memory},
                            {"STR to memory", str_memory},
                            {"SMSW to memory", smsw_memory}};

CODE(64, rdtsc_, "rdtsc")
CODE(64, rdtscp_, "rdtscp")

CODE(64, cli_, "cli\npushfq\npop rax")
CODE(64, sti_, "sti\npushfq\npop rax")
CODE(64, popf_, "push rax\npopfq\npushfq\npop rax")
CODE(64, popf16, "push ax\n.byte 0x66, 0x9d\npushfq\npop rax")
CODE(64, in_b, "in al, dx")
CODE(64, in_w, "in ax, dx")
CODE(64, in_d, "in eax, dx")
CODE(64, in_immediate, "in al, 0x80")
CODE(64, out_b, "out dx, al")
CODE(64, ins_b, "insb")
CODE(64, outs_b, "outsb")
CODE(64, rep_outs_none, "rep outsb")
constexpr Piece ports[] = {{"IN byte", in_b},
                           {"IN word", in_w},
                           {"IN dword", in_d},
                           {"OUT byte", out_b},
                           {"INSB", ins_b},
                           {"OUTSB", outs_b},
                           {"REP OUTSB of none", rep_outs_none}};

CODE(64, rdfsbase_, "rdfsbase rax")
CODE(64, rdgsbase_, "rdgsbase rax")
CODE(64, wrfsbase_, "wrfsbase rax\nrdfsbase rcx")
CODE(64, wrgsbase_, "wrgsbase rax\nrdgsbase rcx")
constexpr Piece bases[] = {
    {"RDFSBASE", rdfsbase_}, {"RDGSBASE", rdgsbase_}, {"WRFSBASE", wrfsbase_}, {"WRGSBASE", wrgsbase_}};

Regs prepared(Regs r) {
    r.gpr[Rbx] = r.gpr[Rsi] = r.gpr[Rdi] = address(user_page);
    r.gpr[Rdx] = 0x80;
    return r;
}

void check_flags() {
    for (unsigned iopl = 0; iopl < 4; ++iopl)
        for (auto [level, mode, cpl] : rings) {
            const bool may = cpl <= iopl;
            Regs r = mode(cli_());
            r.flags |= flag::iopl(iopl);
            run(r);
            Check c(Name("CLI") << level << "IOPL" << iopl);
            c.ends(trapped, cli_(), may ? done : gp(0));
            r.rip = sti_().begin;
            run(r);
            Check s(Name("STI") << level << "IOPL" << iopl);
            s.ends(trapped, sti_(), may ? done : gp(0));
            if (may) s.is("IF", trapped.gpr[Rax] & flag::if_, flag::if_);
            // POPF: IF changes by IOPL, IOPL at level 0 only; no fault.
            r.rip = popf_().begin;
            const u64 wanted = flag::if_ | flag::iopl(iopl ^ 1) | flag::nt | flag::ac | flag::id;
            r.gpr[Rax] = wanted | flag::vm | flag::rf | 0xffff'ffff'0000'0000 | 3 << 19;
            run(r);
            Check(Name("POPFQ") << level << "IOPL" << iopl)
                .ends(trapped, popf_(), done)
                .is("flags", trapped.gpr[Rax],
                    flag::reserved1 | flag::nt | flag::ac | flag::id | (may ? flag::if_ : 0) |
                        flag::iopl(cpl ? iopl : iopl ^ 1));
            r.rip = popf16().begin;
            run(r);
            Check(Name("POPF of 16 bits") << level << "IOPL" << iopl)
                .ends(trapped, popf16(), done)
                .is("flags", trapped.gpr[Rax],
                    flag::reserved1 | flag::nt | (may ? flag::if_ : 0) | flag::iopl(cpl ? iopl : iopl ^ 1));
        }
}

void check_ports() {
    for (auto [level, mode, cpl] : rings)
        for (unsigned iopl = 0; iopl < 4; ++iopl)
            for (auto [name, code] : ports) {
                Regs r = prepared(mode(code()));
                r.flags |= flag::iopl(iopl);
                Check(Name(name) << level << "IOPL" << iopl).ends(run(r), code(), iopl >= cpl ? done : gp(0));
            }
    // The bitmap: each bit of the access's ports must be clear. The map may end with the segment.
    struct Row {
        const char* name;
        Code (*code)();
        unsigned size;
    };
    constexpr Row sizes[] = {{"byte", in_b, 1}, {"word", in_w, 2}, {"dword", in_d, 4}};
    for (const Row& row : sizes)
        for (unsigned forbidden = 0; forbidden < 6; ++forbidden) {
            // Ports 85h to 8Ah: the access at 86h crosses a byte of the map.
            for (unsigned port = 0x80; port < 0x90; ++port)
                tss.map[port / 8] = static_cast<u8>(tss.map[port / 8] & ~(1 << port % 8));
            const unsigned bad = 0x85 + forbidden;
            tss.map[bad / 8] = static_cast<u8>(tss.map[bad / 8] | 1 << bad % 8);
            Regs r = user(row.code());
            r.gpr[Rdx] = 0x86;
            const bool hit = bad >= 0x86 && bad < 0x86 + row.size;
            Check(Name("I/O bitmap") << row.name << "port" << forbidden << "of 85h denied")
                .ends(run(r), row.code(), hit ? gp(0) : done);
        }
    for (unsigned n = 0; n < 8192; ++n) tss.map[n] = 0;
    Regs r = user(in_b());
    r.gpr[Rdx] = 0xffff;
    Check("I/O bitmap last port").ends(run(r), in_b(), done);
    r = user(in_w());
    r.gpr[Rdx] = 0xffff;
    Check("I/O bitmap word at the last port").ends(run(r), in_w(), gp(0));
    r = prepared(user(in_b()));
    tss.map_base = sizeof tss;
    Check("I/O bitmap beyond the limit").ends(run(r), in_b(), gp(0));
    // The processor reads two bytes of the map, so the second one must lie within the limit too.
    tss.map_base = sizeof tss - 1 - 0x80 / 8;
    Check("I/O bitmap whose second byte is beyond the limit").ends(run(r), in_b(), gp(0));
    tss.map_base = sizeof tss - 2 - 0x80 / 8;
    tss.map[sizeof tss.map - 1] = 0;
    Check("I/O bitmap that just fits").ends(run(r), in_b(), done);
    tss.map_base = __builtin_offsetof(Tss, map);
    for (u8& byte : tss.map) byte = 0xff;
}

}  // namespace

void check_privilege() {
    for (auto [level, mode, cpl] : rings)
        for (auto [name, code] : privileged) {
            if (!cpl) continue;
            Check c(Name(name) << level);
            if (code == invpcid_ && !(cpuid(7).ebx & 1 << 10))
                c.skip();
            else
                c.ends(run(prepared(mode(code()))), code(), gp(0));
        }
    const bool umip = cpuid(7).ecx & 4;
    for (auto [level, mode, cpl] : rings)
        for (auto [name, code] : stores) {
            Check(Name(name) << level).ends(run(prepared(mode(code()))), code(), done);
            Check c(Name(name) << level << "UMIP");
            if (!umip) {
                c.skip();
                continue;
            }
            With with(With::Cr4, cr4::umip);
            c.ends(run(prepared(mode(code()))), code(), cpl ? gp(0) : done);
        }
    constexpr Piece clocks[] = {{"RDTSC", rdtsc_}, {"RDTSCP", rdtscp_}};
    for (auto [level, mode, cpl] : rings)
        for (auto [name, code] : clocks) {
            Check(Name(name) << level).ends(run(mode(code())), code(), done);
            With tsd(With::Cr4, cr4::tsd);
            Check(Name(name) << level << "TSD").ends(run(mode(code())), code(), cpl ? gp(0) : done);
        }
    for (auto [name, code] : bases)
        for (auto [level, mode, cpl] : rings) {
            Check off(Name(name) << level << "without FSGSBASE"), on(Name(name) << level),
                wild(Name(name) << level << "not canonical");
            {
                With without(With::Cr4, 0, cr4::fsgsbase);
                off.ends(run(mode(code())), code(), ud);
            }
            if (!(cpuid(7).ebx & 1)) {
                on.skip(), wild.skip();
                continue;
            }
            With with(With::Cr4, cr4::fsgsbase);
            Regs r = mode(code());
            r.gpr[Rax] = 0xffff'8000'1234'5678;
            run(r);
            on.ends(trapped, code(), done);
            if (name[0] == 'W') on.is("base", trapped.gpr[Rcx], 0xffff'8000'1234'5678);
            r.gpr[Rax] = 1ull << 47;
            wild.ends(run(r), code(), name[0] == 'W' ? gp(0) : done);
            write_msr(msr::fs_base, 0), write_msr(msr::gs_base, 0);
        }
    check_flags();
    check_ports();
}

}  // namespace guest

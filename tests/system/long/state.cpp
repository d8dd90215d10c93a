// What an exception in the middle of an instruction leaves: string instructions, several stores, the x87 and SSE
// exceptions, alignment checks. Intel SDM vol. 3, "Exception and Interrupt Reference"; vol. 2, under the instructions'
// names.
#include "long/tables.hpp"

namespace guest {
namespace {

constexpr uptr linear = 0x80'0000'0000;  // a page, behind which nothing is mapped
constexpr u64 arithmetic = 0x8d5;        // flags OF, SF, ZF, AF, PF and CF

// --- String instructions: registers as of the element that faults, flags as before the first
// ("REP/REPE/REPZ/REPNE/REPNZ")
CODE(64, rep_movsb, "rep movsb")
CODE(64, rep_movsw, "rep movsw")
CODE(64, rep_movsd, "rep movsd")
CODE(64, rep_movsq, "rep movsq")
CODE(64, rep_stosb, "rep stosb")
CODE(64, rep_stosq, "rep stosq")
CODE(64, rep_lodsb, "rep lodsb")
CODE(64, rep_lodsd, "rep lodsd")
CODE(64, repne_scasb, "repne scasb")
CODE(64, repne_scasq, "repne scasq")
CODE(64, repe_cmpsb, "repe cmpsb")
CODE(64, repe_cmpsd, "repe cmpsd")
struct String {
    const char* name;
    Code (*code)();
    unsigned size;
    bool source, destination, writes;
};
constexpr String strings[] = {
    {"REP MOVSB", rep_movsb, 1, true, true, true},       {"REP MOVSW", rep_movsw, 2, true, true, true},
    {"REP MOVSD", rep_movsd, 4, true, true, true},       {"REP MOVSQ", rep_movsq, 8, true, true, true},
    {"REP STOSB", rep_stosb, 1, false, true, true},      {"REP STOSQ", rep_stosq, 8, false, true, true},
    {"REP LODSB", rep_lodsb, 1, true, false, false},     {"REP LODSD", rep_lodsd, 4, true, false, false},
    {"REPNE SCASB", repne_scasb, 1, false, true, false}, {"REPNE SCASQ", repne_scasq, 8, false, true, false},
    {"REPE CMPSB", repe_cmpsb, 1, true, true, false},    {"REPE CMPSD", repe_cmpsd, 4, true, true, false}};

void check_strings() {
    forget_tables();
    const Mapping m(linear, frame_pool), n(linear + 0x10'0000, frame_pool + 4096);
    for (const String& s : strings)
        for (auto [level, mode] : levels)
            for (unsigned back = 0; back < 2; ++back)
                for (unsigned at_destination = 0; at_destination < 2; ++at_destination) {
                    if (at_destination ? !s.destination : !s.source) continue;
                    for (unsigned k = 0; k < 8192; k += 8) at<u64>(frame_pool + k) = 0;
                    // Three elements are good, the fourth lies in the page beyond.
                    const uptr edge = back ? linear + 2 * s.size : linear + 4096 - 3 * s.size;
                    const uptr middle = linear + 0x10'0800;
                    Regs r = mode(s.code());
                    r.gpr[Rsi] = at_destination ? middle : edge, r.gpr[Rdi] = at_destination ? edge : middle;
                    r.gpr[Rcx] = 10, r.gpr[Rax] = 0x1111'1111'1111'1111;
                    if (back) r.flags |= flag::df;
                    r.flags |= flag::cf | flag::of;  // no comparison of these elements sets them
                    run(r);
                    const uptr step = back ? -3ul * s.size : 3ul * s.size;
                    const u64 address_of = back ? linear - s.size : linear + 4096;
                    const u64 error = (s.writes && at_destination ? 2 : 0) | (mode == user ? 4 : 0);
                    Check(Name(s.name) << (at_destination ? "destination" : "source") << (back ? "down" : "up")
                                       << level)
                        .ends(trapped, s.code(), pf(error, address_of))
                        .is("RCX", trapped.gpr[Rcx], 7)
                        .is("flags", trapped.flags & arithmetic, r.flags & arithmetic)
                        .is("RSI", trapped.gpr[Rsi], r.gpr[Rsi] + (s.source ? step : 0))
                        .is("RDI", trapped.gpr[Rdi], r.gpr[Rdi] + (s.destination ? step : 0));
                }
}

// --- Instructions with several accesses
CODE(64, push_memory, "push qword ptr [rbx]")
CODE(64, pop_memory, "pop qword ptr [rbx]")
CODE(64, enter_, "enter 32, 0")
CODE(64, enter_nested, "enter 32, 4")
CODE(64, leave_, "leave")
CODE(64, call_, "call 1f\n1:")
CODE(64, call_memory, "call [rbx]")
CODE(64, return_, "ret")
CODE(64, xchg_, "xchg [rbx], rax")
CODE(64, xadd_, "lock xadd [rbx], rax")
CODE(64, cmpxchg_, "lock cmpxchg [rbx], rcx")
CODE(64, cmpxchg16b_, "lock cmpxchg16b [rbx]")
CODE(64, add_, "add [rbx], rax")
CODE(64, bts_, "bts [rbx], rax")
CODE(64, shld_, "shld [rbx], rax, 4")
CODE(64, fxsave_, "fxsave [rbx]")
CODE(64, movups_, "movups [rbx], xmm0")
struct Store {
    const char* name;
    Code (*code)();
};
constexpr Store read_modify_write[] = {{"XCHG", xchg_}, {"XADD", xadd_}, {"CMPXCHG", cmpxchg_},
                                       {"ADD", add_},   {"BTS", bts_},   {"SHLD", shld_}};

Regs with_values(Regs r) {
    r.gpr[Rax] = 3, r.gpr[Rcx] = 0x2222, r.gpr[Rdx] = 0x3333, r.gpr[Rbx] = linear;
    return r;
}

void check_stores() {
    forget_tables();
    const Mapping m(linear, frame_pool);
    for (auto [name, code] : read_modify_write)
        for (auto [level, mode] : levels) {
            With wp(With::Cr0, cr0::wp);
            at<u64>(frame_pool) = 0x5555;
            m[Pte] = m[Pte] & ~pte::w;
            m.flush();
            Regs r = with_values(mode(code()));
            r.flags |= flag::cf | flag::of;
            run(r);
            Check c(Name(name) << "of a read-only page" << level);
            c.ends(trapped, code(), pf(mode == user ? 7 : 3, linear))
                .is("memory", at<u64>(frame_pool), 0x5555)
                .is("RAX", trapped.gpr[Rax], 3);
            // Flags are those before it.
            c.is("CF and OF", trapped.flags & (flag::cf | flag::of), flag::cf | flag::of);
            m[Pte] = m[Pte] | pte::w;
            m.flush();
            r.gpr[Rbx] = linear + 4092;
            at<u32>(frame_pool + 4092) = 0x7777;
            run(r);
            if (code == bts_) continue;
            Check(Name(name) << "into an absent page" << level)
                .ends(trapped, code(), pf(mode == user ? 6 : 2, linear + 4096))
                .is("memory", at<u32>(frame_pool + 4092), 0x7777)
                .is("RAX", trapped.gpr[Rax], 3);
        }
    // A compare that fails writes what it read: the page must be writable all the same.
    m[Pte] = m[Pte] & ~pte::w;
    m.flush();
    Regs r = with_values(user(cmpxchg16b_()));
    Check("CMPXCHG16B that fails, read-only page")
        .ends(run(r), cmpxchg16b_(), pf(7, linear))
        .is("RAX", trapped.gpr[Rax], 3)
        .is("RDX", trapped.gpr[Rdx], 0x3333);
    m[Pte] = m[Pte] | pte::w;
    m.flush();
    r.gpr[Rbx] = linear + 8;
    Check("CMPXCHG16B not aligned").ends(run(r), cmpxchg16b_(), gp(0));

    // The stack's end: RSP and RBP stay.
    struct Row {
        const char* name;
        Code (*code)();
        u64 rsp, fault;
        bool write;
    };
    constexpr Row rows[] = {{"PUSH", push_memory, linear, linear - 8, true},
                            {"CALL", call_, linear, linear - 8, true},
                            {"CALL memory", call_memory, linear, linear - 8, true},
                            {"RET", return_, linear + 4096, linear + 4096, false},
                            {"POP memory", pop_memory, linear + 4096, linear + 4096, false},
                            {"ENTER", enter_, linear, linear - 8, true}};
    for (const Row& row : rows) {
        r = user(row.code());
        r.gpr[Rsp] = row.rsp, r.gpr[Rbx] = address(user_page), r.gpr[Rbp] = 0x1234;
        at<u64>(address(user_page)) = row.code().end;
        run(r);
        Check(Name(row.name) << "at the stack's end")
            .ends(trapped, row.code(), pf(row.write ? 6 : 4, row.fault))
            .is("RSP", trapped.gpr[Rsp], row.rsp)
            .is("RBP", trapped.gpr[Rbp], 0x1234);
    }
    r = user(pop_memory());
    r.gpr[Rsp] = linear + 8, r.gpr[Rbx] = 0x99'0000'0000;
    Check("POP to an absent page")
        .ends(run(r), pop_memory(), pf(6, 0x99'0000'0000))
        .is("RSP", trapped.gpr[Rsp], linear + 8);
    r = user(leave_());
    r.gpr[Rbp] = linear + 4096, r.gpr[Rsp] = linear + 64;
    Check("LEAVE to an absent page")
        .ends(run(r), leave_(), pf(4, linear + 4096))
        .is("RSP", trapped.gpr[Rsp], linear + 64)
        .is("RBP", trapped.gpr[Rbp], linear + 4096);
    // ENTER with levels: the third push has no room.
    r = user(enter_nested());
    r.gpr[Rsp] = linear + 16, r.gpr[Rbp] = linear + 2048;
    Check("ENTER 32, 4 that runs out of stack")
        .ends(run(r), enter_nested(), pf(6, linear - 8))
        .is("RSP", trapped.gpr[Rsp], linear + 16)
        .is("RBP", trapped.gpr[Rbp], linear + 2048);
    // ENTER probes the end of its frame: the last byte it would have, written or not.
    r = user(enter_());
    r.gpr[Rsp] = linear + 32;
    Check("ENTER whose frame ends in an absent page")
        .ends(run(r), enter_(), pf(6, linear - 8))
        .is("RSP", trapped.gpr[Rsp], linear + 32);
}

// --- x87 and SSE
CODE(64, fld1_, "fld1")
CODE(64, fwait_, "fwait")
CODE(64, fninit_, "fninit")
CODE(64, fnstsw_, "fnstsw ax")
CODE(64, fxrstor_, "fxrstor [rbx]")
CODE(64, movaps_, "movaps xmm0, [rbx]")
CODE(64, movups_load, "movups xmm0, [rbx]")
CODE(64, paddb_mmx, "paddb mm0, mm1")
CODE(64, emms_, "emms")
CODE(64, ldmxcsr_, "ldmxcsr [rbx]")
CODE(64, stmxcsr_, "stmxcsr [rbx]")
CODE(64, movnti_, "movnti [rbx], rax")
CODE(64, prefetch_, "prefetcht0 [rbx]")
CODE(64, sfence_, "sfence")
CODE(64, cvt_load, "cvtps2pi mm0, [rbx]\nemms")
CODE(64, cvtt_load, "cvttpd2pi mm0, [rbx]\nemms")
CODE(64, cvt_xmm, "cvtps2pi mm0, xmm0\nemms")
CODE(64, crc32_, "crc32 eax, ebx")
CODE(64, popcnt_, "popcnt eax, ebx")
CODE_AT(64, divide_pending, "fninit\npush 0x37b\nfldcw [rsp]\npop rcx\nfldz\nfld1\nfdivrp", "fld1\nfninit")
CODE_AT(64, divide_wait, "fninit\npush 0x37b\nfldcw [rsp]\npop rcx\nfldz\nfld1\nfdivrp", "fwait\nfninit")
CODE(64, divide_no_wait, "fninit\npush 0x37b\nfldcw [rsp]\npop rcx\nfldz\nfld1\nfdivrp\nfnstsw ax\nfnclex\nfninit")
CODE_AT(64, sse_divide, "push 0x1d80\nldmxcsr [rsp]\npop rcx\nxorps xmm0, xmm0\nmov ecx, 1\ncvtsi2ss xmm1, ecx",
        "divss xmm1, xmm0")
CODE(64, sse_reset, "push 0x1f80\nldmxcsr [rsp]\npop rcx")

struct Unit {
    const char* name;
    Code (*code)();
    enum { X87, Wait, Mmx, Sse, Plain } kind;
};
constexpr Unit units[] = {{"FLD1", fld1_, Unit::X87},
                          {"FNINIT", fninit_, Unit::X87},
                          {"FNSTSW", fnstsw_, Unit::X87},
                          {"FWAIT", fwait_, Unit::Wait},
                          {"FXSAVE", fxsave_, Unit::X87},
                          {"PADDB of MMX", paddb_mmx, Unit::Mmx},
                          {"EMMS", emms_, Unit::Mmx},
                          {"MOVUPS", movups_load, Unit::Sse},
                          {"LDMXCSR", ldmxcsr_, Unit::Sse},
                          {"CVTPS2PI of memory", cvt_load, Unit::Sse},
                          {"CVTTPD2PI of memory", cvtt_load, Unit::Sse},
                          {"CVTPS2PI", cvt_xmm, Unit::Sse},
                          {"STMXCSR", stmxcsr_, Unit::Sse},
                          {"MOVNTI", movnti_, Unit::Plain},
                          {"PREFETCHT0", prefetch_, Unit::Plain},
                          {"SFENCE", sfence_, Unit::Plain},
                          {"CRC32", crc32_, Unit::Plain},
                          {"POPCNT", popcnt_, Unit::Plain}};

Regs at_page(Regs r, uptr offset = 0) {
    r.gpr[Rbx] = address(user_page) + offset;
    return r;
}

// Intel SDM vol. 3, "Interrupt 7--Device Not Available Exception (#NM)", and "Emulation of x87 FPU/MMX/SSE".
void check_unavailable() {
    struct Mode {
        const char* name;
        u64 cr0, cr4;
    };
    constexpr Mode modes[] = {{"as usual", 0, cr4::osfxsr | cr4::osxmm},
                              {"TS", cr0::ts, cr4::osfxsr},
                              {"MP", cr0::mp, cr4::osfxsr},
                              {"TS and MP", cr0::ts | cr0::mp, cr4::osfxsr},
                              {"EM", cr0::em, cr4::osfxsr},
                              {"EM and TS", cr0::em | cr0::ts, cr4::osfxsr},
                              {"no OSFXSR", 0, 0},
                              {"no OSFXSR and TS", cr0::ts, 0}};
    for (const Mode& mode : modes)
        for (const Unit& u : units) {
            at<u32>(address(user_page)) = 0x1f80;
            Check c(Name(u.name) << mode.name);
            With set0(With::Cr0, mode.cr0, cr0::ts | cr0::em | cr0::mp);
            With set4(With::Cr4, mode.cr4, cr4::osfxsr | cr4::osxmm);
            const bool ts = mode.cr0 & cr0::ts, em = mode.cr0 & cr0::em;
            Want want = done;
            switch (u.kind) {
                case Unit::X87: want = ts || em ? fault(7) : done; break;
                case Unit::Wait: want = ts && mode.cr0 & cr0::mp ? fault(7) : done; break;
                case Unit::Mmx: want = em ? ud : ts ? fault(7) : done; break;
                case Unit::Sse: want = em || !(mode.cr4 & cr4::osfxsr) ? ud : ts ? fault(7) : done; break;
                case Unit::Plain: break;
            }
            c.ends(run(at_page(user(u.code()))), u.code(), want);
        }
}

void check_numeric() {
    With set0(With::Cr0, cr0::ne, cr0::ts | cr0::em);
    With set4(With::Cr4, cr4::osfxsr | cr4::osxmm);
    Check("#MF comes with the next x87 instruction").ends(run(user(divide_pending())), divide_pending(), fault(16));
    run(user(fninit_()));
    Check("#MF comes with FWAIT").ends(run(user(divide_wait())), divide_wait(), fault(16));
    run(user(fninit_()));
    Check("FNSTSW and FNCLEX do not raise #MF")
        .ends(run(user(divide_no_wait())), divide_no_wait(), done)
        .is("ZE", trapped.gpr[Rax] & 0x84, 0x84);
    Check("#XM").ends(run(user(sse_divide())), sse_divide(), fault(19));
    {
        With without(With::Cr4, 0, cr4::osxmm);
        Check("#UD for #XM without OSXMMEXCPT").ends(run(user(sse_divide())), sse_divide(), ud);
    }
    run(user(sse_reset()));
    for (unsigned bit = 16; bit < 32; ++bit) {
        at<u32>(address(user_page)) = 0x1f80u | 1u << bit;
        Check(Name("LDMXCSR reserved bit") << bit).ends(run(at_page(user(ldmxcsr_()))), ldmxcsr_(), gp(0));
    }
    Check("FXSAVE not aligned").ends(run(at_page(user(fxsave_()), 8)), fxsave_(), gp(0));
    Check("FXRSTOR not aligned").ends(run(at_page(user(fxrstor_()), 8)), fxrstor_(), gp(0));
    Check("MOVAPS not aligned").ends(run(at_page(user(movaps_()), 8)), movaps_(), gp(0));
    run(at_page(user(fxsave_())));
    at<u32>(address(user_page) + 24) = 0xffff'ffff;
    Check("FXRSTOR of a bad MXCSR").ends(run(at_page(user(fxrstor_()))), fxrstor_(), gp(0));
    forget_tables();
    const Mapping m(linear, frame_pool);
    Regs r = user(fxsave_());
    r.gpr[Rbx] = linear + 4096 - 256;
    Check("FXSAVE into an absent page").ends(run(r), fxsave_(), pf(6, linear + 4096));
    r = user(movups_());
    r.gpr[Rbx] = linear + 4096 - 8;
    at<u64>(frame_pool + 4096 - 8) = 0x1234;
    Check("MOVUPS into an absent page")
        .ends(run(r), movups_(), pf(6, linear + 4096))
        .is("memory", at<u64>(frame_pool + 4096 - 8), 0x1234);
}

// --- Alignment. Intel SDM vol. 3, "Interrupt 17--Alignment Check Exception (#AC)".
CODE(64, load2, "mov ax, [rbx]")
CODE(64, load4, "mov eax, [rbx]")
CODE(64, load8, "mov rax, [rbx]")
CODE(64, store2, "mov [rbx], ax")
CODE(64, store4, "mov [rbx], eax")
CODE(64, store8, "mov [rbx], rax")
CODE(64, fld8, "fld qword ptr [rbx]\nfninit")
void check_alignment() {
    struct Row {
        const char* name;
        Code (*code)();
        unsigned size;
    };
    constexpr Row rows[] = {{"load 2", load2, 2},   {"load 4", load4, 4},   {"load 8", load8, 8},
                            {"store 2", store2, 2}, {"store 4", store4, 4}, {"store 8", store8, 8},
                            {"XADD 8", xadd_, 8},   {"FLD 8", fld8, 8}};
    for (const Row& row : rows)
        for (unsigned am = 0; am < 2; ++am)
            for (unsigned ac = 0; ac < 2; ++ac)
                for (auto [level, mode] : levels) {
                    With set(With::Cr0, am ? cr0::am : 0, am ? 0 : cr0::am);
                    Check c(Name("alignment") << row.name << (am ? "AM" : "no AM") << (ac ? "AC" : "no AC") << level);
                    for (unsigned offset = 0; offset < 16; ++offset) {
                        Regs r = at_page(mode(row.code()), offset);
                        if (ac) r.flags |= flag::ac;
                        c.ends(run(r), row.code(), am && ac && mode == user && offset % row.size ? fault(17, 0) : done);
                    }
                }
    With set(With::Cr0, cr0::am);
    Regs r = user(push_memory());
    r.gpr[Rbx] = address(user_page), r.gpr[Rsp] -= 4, r.flags |= flag::ac;
    Check("alignment of PUSH").ends(run(r), push_memory(), fault(17, 0)).is("RSP", trapped.gpr[Rsp], r.gpr[Rsp]);
}

}  // namespace

void check_state() {
    check_strings();
    check_stores();
    check_unavailable();
    check_numeric();
    check_alignment();
    forget_tables();
}

}  // namespace guest

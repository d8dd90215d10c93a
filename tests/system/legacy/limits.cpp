// Limits and rights of segments, and instructions that look at descriptors. Intel SDM vol. 3, "Limit Checking", "Type
// Checking", "Privilege Level Checking"; vol. 2, "LAR", "LSL", "VERR", "ARPL".
#include "legacy/machine.hpp"

namespace guest {
namespace {

// Through FS, which is loaded by the way into guest code.
CODE(32, load1, "mov al, fs:[ebx]")
CODE(32, load2, "mov ax, fs:[ebx]")
CODE(32, load4, "mov eax, fs:[ebx]")
CODE(32, store1, "mov fs:[ebx], al")
CODE(32, store2, "mov fs:[ebx], ax")
CODE(32, store4, "mov fs:[ebx], eax")
CODE(32, add4, "add fs:[ebx], eax")
CODE_AT(32, stack_load, "mov ss, ecx\nmov esp, ebx", "mov eax, [esp]")
CODE_AT(32, stack_push, "mov ss, ecx\nmov esp, ebx", "push eax")
CODE_AT(32, stack_pop, "mov ss, ecx\nmov esp, ebx", "pop eax")
CODE_AT(32, stack_call, "mov ss, ecx\nmov esp, ebx", "call 1f\n1:")
CODE(32, jump_ebx, "jmp ebx")
CODE(32, call_ebx, "call ebx")
CODE(32, load_code, "mov eax, cs:[ebx]")
CODE(32, store_code, "mov cs:[ebx], eax")
CODE(32, lar_, "lar ebx, eax")
CODE(32, lsl_, "lsl ebx, eax")
CODE(32, verr_, "verr ax")
CODE(32, verw_, "verw ax")
CODE(32, arpl_, "arpl ax, bx")

struct Access {
    const char* name;
    Code (*code)();
    unsigned size;
    bool writes;
};
constexpr Access accesses[] = {{"load 1", load1, 1, false},  {"load 2", load2, 2, false},  {"load 4", load4, 4, false},
                               {"store 1", store1, 1, true}, {"store 2", store2, 2, true}, {"store 4", store4, 4, true},
                               {"ADD 4", add4, 4, true}};

struct Segment {
    const char* name;
    u32 base, limit;
    u8 access, flags;
    u32 first, last;  // offsets that are good
    bool writable;
};

void check_data() {
    const u32 page = static_cast<u32>(address(user_page));
    const Segment segments[] = {{"data of 100h bytes", page, 0xff, 0xf2, 4, 0, 0xff, true},
                                {"read-only data of 100h bytes", page, 0xff, 0xf0, 4, 0, 0xff, false},
                                {"data of a page", page, 0, 0xf2, 0xc, 0, 0xfff, true},
                                {"readable code", page, 0xff, 0xfa, 4, 0, 0xff, false},
                                {"expand-down from 100h, 16 bits", page, 0xff, 0xf6, 0, 0x100, 0xffff, true},
                                {"expand-down from 100h, 32 bits", page, 0xff, 0xf6, 4, 0x100, 0xffff'ffff, true},
                                {"data of 1 byte", page, 0, 0xf2, 4, 0, 0, true}};
    for (const Segment& s : segments)
        for (const Access& a : accesses)
            for (const Level& level : levels) {
                Check c(Name(s.name) << a.name << level.name);
                gdt[sel::spare / 8] = descriptor(s.base, s.limit, s.access, s.flags);
                const u32 edges[] = {0, 1, 0xfc, 0xfd, 0xfe, 0xff, 0x100, 0x101, 0xffc, 0xffd, 0xfff, 0x1000};
                for (u32 offset : edges) {
                    Regs r = level.regs(a.code());
                    r.fs = sel::spare | 3, r.gpr[Rbx] = offset;
                    const bool good = offset >= s.first && offset <= s.last && offset + a.size - 1 <= s.last &&
                                      (s.writable || !a.writes);
                    c.ends(run(r), a.code(), good ? done : gp(0));
                }
            }
    for (const Access& a : accesses) {
        Regs r = user(a.code());
        r.fs = 0;
        Check(Name("null FS") << a.name).ends(run(r), a.code(), gp(0));
    }
    Regs r = kernel(load_code());
    r.gpr[Rbx] = page;
    Check("load by CS").ends(run(r), load_code(), done);
    r.rip = store_code().begin;
    Check("store by CS").ends(run(r), store_code(), gp(0));
}

void check_stacks() {
    const u32 page = static_cast<u32>(address(user_page));
    constexpr Piece pieces[] = {{"load", stack_load}, {"PUSH", stack_push}, {"POP", stack_pop}, {"CALL", stack_call}};
    for (unsigned down = 0; down < 2; ++down)
        for (auto [name, code] : pieces) {
            Check c(Name("stack") << (down ? "expand-down from 100h" : "of 100h bytes") << name);
            gdt[sel::spare / 8] = descriptor(page, 0xff, down ? 0xf6 : 0xf2, 4);
            const bool pushes = name[1] == 'U' || name[1] == 'A';
            const u32 edges[] = {0xfb, 0xfc, 0xfd, 0xff, 0x100, 0x101, 0x104, 0x105};
            for (u32 offset : edges) {
                Regs r = user(code());
                r.gpr[Rcx] = sel::spare | 3, r.gpr[Rbx] = offset;
                const u32 first = pushes ? offset - 4 : offset;
                const bool good = down ? first >= 0x100 : first + 3 <= 0xff;
                run(r);
                c.ends(trapped, code(), good ? done : ss(0));
                if (!good) c.is("ESP", trapped.gpr[Rsp], offset);
            }
        }
    // A stack of 64 KiB, whose last bytes are no neighbours of its first.
    for (auto [name, code] : pieces) {
        Check c(Name("stack of 64 KiB") << name);
        gdt[sel::spare / 8] = descriptor(frame_pool, 0xffff, 0xf2, 0);
        const bool pushes = name[1] == 'U' || name[1] == 'A';
        const u32 edges[] = {0, 1, 2, 3, 4, 5, 0xfffb, 0xfffc, 0xfffd, 0xfffe, 0xffff};
        for (u32 offset : edges) {
            Regs r = user(code());
            r.gpr[Rcx] = sel::spare | 3, r.gpr[Rbx] = offset;
            const u32 first = (pushes ? offset - 4 : offset) & 0xffff;
            const bool good = first <= 0xfffc;
            run(r);
            c.ends(trapped, code(), good ? done : ss(0));
            if (!good) c.is("ESP", trapped.gpr[Rsp], offset);
        }
    }
    // A 16-bit stack wraps at 64 KiB.
    gdt[sel::spare / 8] = descriptor(page & ~0xffffu, 0xffff, 0xf2, 0);
    Regs r = user(stack_push());
    r.gpr[Rcx] = sel::spare | 3, r.gpr[Rbx] = 0x1234'0000 | ((page & 0xffff) + 0x100);
    run(r);
    Check("16-bit stack keeps ESP's upper half")
        .ends(trapped, stack_push(), done)
        .is("ESP", trapped.gpr[Rsp], r.gpr[Rbx] - 4);
}

void check_code() {
    gdt[sel::spare / 8] = descriptor(0, 0x1ff, 0xfa, 0xc);  // code up to 1FFFFFh
    Regs r = user(jump_ebx());
    r.cs = sel::spare | 3, r.gpr[Rbx] = 0x20'0000;
    Check("JMP beyond CS").ends(run(r), jump_ebx(), gp(0));
    r.gpr[Rbx] = jump_ebx().end;
    Check("JMP within CS").ends(run(r), jump_ebx(), done);

    r = user(call_ebx());
    r.cs = sel::spare | 3, r.gpr[Rbx] = 0x20'0000;
    at<u32>(r.gpr[Rsp] - 4) = 0x1234'5678;
    Check("CALL beyond CS").ends(run(r), call_ebx(), gp(0)).is("the stack", at<u32>(r.gpr[Rsp] - 4), 0x1234'5678).is("ESP", trapped.gpr[Rsp], r.gpr[Rsp]);

    user_page[0] = 0xe8;
    const u32 distance = 0x20'0000 - (address(user_page) + 5);
    memcpy(user_page + 1, &distance, sizeof distance);
    const Code direct{address(user_page), address(user_page), address(user_page) + 5};
    r.rip = direct.begin;
    at<u32>(r.gpr[Rsp] - 4) = 0x1234'5678;
    Check("direct CALL beyond CS").ends(run(r), direct, gp(0)).is("the stack", at<u32>(r.gpr[Rsp] - 4), 0x1234'5678).is("ESP", trapped.gpr[Rsp], r.gpr[Rsp]);

    // MOV AL, 5Ah in the last byte of a segment that ends with a page, and the first of the next.
    gdt[sel::spare / 8] = descriptor(address(user_page), 0xfff, 0xfa, 4);
    const u8 over[] = {0xb0, 0x5a, 0xcc};
    memcpy(user_page + 0xfff, over, sizeof over);
    const Code last{0xfff, 0xfff, 0x1001};
    r = user(last);
    r.cs = sel::spare | 3;
    Check("instruction over the end of CS and of a page").ends(run(r), last, gp(0));

    // The same code, once its segment is smaller.
    const u8 three[] = {0x90, 0x90, 0xcc};
    memcpy(user_page, three, sizeof three);
    const Code piece{0, 2, 2};
    r.rip = 0;
    Check("code within its segment").ends(run(r), piece, done);
    gdt[sel::spare / 8] = descriptor(address(user_page), 1, 0xfa, 4);
    Check("the same code over the end of a smaller segment").ends(run(r), piece, gp(0));

    // 16-bit code does not go round to offset 0, where INT3 waits.
    gdt[sel::spare / 8] = descriptor(frame_pool, 0xffff, 0xfa, 0);
    at<u8>(frame_pool + 0xffff) = 0x90;
    at<u8>(frame_pool) = 0xcc;
    const Code end{0xffff, 0x1'0000, 0x1'0000};
    r.rip = end.begin;
    Check("16-bit code that runs off its segment").ends(run(r), end, gp(0));
}

// --- LAR, LSL, VERR, VERW
void check_looks() {
    for (unsigned type = 0; type < 32; ++type)
        for (const Level& level : levels) {
            const unsigned cpl = level.regs == user ? 3 : 0;
            Check lar(Name("LAR of type") << type << level.name), lsl(Name("LSL of type") << type << level.name),
                verr(Name("VERR of type") << type << level.name), verw(Name("VERW of type") << type << level.name);
            for (unsigned dpl = 0; dpl < 4; ++dpl)
                for (unsigned rpl = 0; rpl < 4; rpl += 3) {
                    const u8 access = static_cast<u8>(type | dpl << 5);
                    gdt[sel::spare / 8] = descriptor(0x12345678, 0x4321, access, 0xd);
                    const bool memory = type & 16, code = memory && type & 8, conforming = code && type & 4;
                    const bool reachable = conforming || (cpl <= dpl && rpl <= dpl);
                    // The manual leaves bits 19 to 16 of LAR's value open; they are the limit's, here 0.
                    constexpr u32 lar_types = 0x1a3e, lsl_types = 0x0a0e;  // system types, by bit
                    auto looked = [&](Check& c, const Code& code_piece, bool good, bool has_value, u32 value) {
                        Regs r = level.regs(code_piece);
                        r.gpr[Rax] = sel::spare | rpl, r.gpr[Rbx] = 0xdeadbeef;
                        run(r);
                        c.ends(trapped, code_piece, done).is("ZF", trapped.flags >> 6 & 1, good);
                        if (has_value) c.is("EBX", trapped.gpr[Rbx], good ? value : 0xdeadbeef);
                    };
                    looked(lar, lar_(), reachable && (memory || lar_types >> type & 1), true,
                           0x00d0'0000 | u32{access} << 8);
                    looked(lsl, lsl_(), reachable && (memory || lsl_types >> type & 1), true, 0x4321fff);
                    looked(verr, verr_(), reachable && memory && (!code || type & 2), false, 0);
                    looked(verw, verw_(), reachable && memory && !code && type & 2, false, 0);
                }
        }
    constexpr Piece all[] = {{"LAR", lar_}, {"LSL", lsl_}, {"VERR", verr_}, {"VERW", verw_}};
    for (auto [name, code] : all) {
        Check c(Name(name) << "of null and beyond");
        const u32 selectors[] = {0, 3, 0xfff8, 0x7ffc};
        for (u32 s : selectors) {
            Regs r = user(code());
            r.gpr[Rax] = s, r.flags |= 0x40;
            run(r);
            c.ends(trapped, code(), done).is("ZF", trapped.flags >> 6 & 1, 0);
        }
    }
    for (unsigned to = 0; to < 4; ++to)
        for (unsigned from = 0; from < 4; ++from) {
            Regs r = user(arpl_());
            r.gpr[Rax] = 0x120 | to, r.gpr[Rbx] = 0x450 | from;
            run(r);
            Check(Name("ARPL") << to << from)
                .ends(trapped, arpl_(), done)
                .is("AX", trapped.gpr[Rax], 0x120 | (from > to ? from : to))
                .is("ZF", trapped.flags >> 6 & 1, from > to);
        }
}

}  // namespace

void check_limits() {
    check_data();
    check_stacks();
    check_code();
    check_looks();
}

}  // namespace guest

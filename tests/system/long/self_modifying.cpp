// Code that changes: by itself, by another mapping, by another level, by tables. Intel SDM vol. 3, "Handling Self- and
// Cross-Modifying Code": a jump or a serializing instruction stands between the change and what is changed.
#include "long/tables.hpp"

namespace guest {
namespace {

constexpr uptr linear = 0x80'0000'0000, alias = 0x80'4000'0000;

// Each writes 2 over the immediate 1 of the MOV behind it.
#define CHANGED "\njmp 1f\n1: .byte 0xb8, 1, 0, 0, 0\n"
CODE(64, by_mov, "mov byte ptr [rip + 1f + 1], 2" CHANGED)
CODE(64, by_mov_dword, "mov dword ptr [rip + 1f + 1], 2" CHANGED)
CODE(64, by_mov_qword, "mov rcx, [rip + 1f]\nmov ecx, 0x2b8\nmov dword ptr [rip + 1f], ecx" CHANGED)
CODE(64, by_stosb, "lea rdi, [rip + 1f + 1]\nmov al, 2\nstosb" CHANGED)
CODE(64, by_rep_stosb, "lea rdi, [rip + 1f + 1]\nmov al, 2\nmov ecx, 1\nrep stosb" CHANGED)
CODE(64, by_rep_movsb,
     "lea rdi, [rip + 1f + 1]\nlea rsi, [rip + 2f]\nmov ecx, 4\nrep movsb\njmp 1f\n2: .long 2\n1: .byte 0xb8, 1, 0, 0, "
     "0\n")
CODE(64, by_xchg, "mov cl, 2\nxchg [rip + 1f + 1], cl" CHANGED)
CODE(64, by_add, "add byte ptr [rip + 1f + 1], 1" CHANGED)
CODE(64, by_lock_inc, "lock inc byte ptr [rip + 1f + 1]" CHANGED)
CODE(64, by_cmpxchg, "mov al, 1\nmov cl, 2\nlock cmpxchg [rip + 1f + 1], cl" CHANGED)
CODE(64, by_push,
     "mov rdx, rsp\nlea rsp, [rip + 1f + 9]\nmov rcx, [rip + 1f + 1]\nmov cl, 2\npush rcx\nmov rsp, rdx\njmp 1f\n"
     "1: .byte 0xb8, 1, 0, 0, 0\nnop\nnop\nnop\nnop\n")
CODE(64, by_pop,
     "push 2\npop rcx\nmov rdx, rsp\nlea rax, [rip + 1f + 1]\npush rcx\n.byte 0x66, 0x8f, 0x00\nmov rsp, rdx" CHANGED)
CODE(64, by_setcc,
     "xor ecx, ecx\ninc byte ptr [rip + 1f + 1]\nsete byte ptr [rip + 2f]\njmp 1f\n2: .byte 0\n1: .byte 0xb8, 1, 0, 0, "
     "0\n")
CODE(64, by_bts, "btr dword ptr [rip + 1f + 1], 0\nbts dword ptr [rip + 1f + 1], 1" CHANGED)
CODE(64, by_cpuid, "mov byte ptr [rip + 1f + 1], 2\nxor eax, eax\ncpuid\n1: .byte 0xb8, 1, 0, 0, 0\n")
CODE(64, backwards, "xor ecx, ecx\n1: mov eax, 1\ninc ecx\nmov byte ptr [rip + 1b + 1], 2\ncmp ecx, 2\njne 1b\n")
CODE(64, loop_changed,
     "xor ecx, ecx\nxor edx, edx\n1: mov eax, 1\nadd edx, eax\ninc ecx\nmov byte ptr [rip + 1b + 1], cl\ncmp ecx, "
     "100\njne 1b\n"
     "mov byte ptr [rip + 1b + 1], 1\nmov eax, edx\n")
constexpr Piece pieces[] = {{"MOV", by_mov},
                            {"MOV dword", by_mov_dword},
                            {"MOV over the opcode", by_mov_qword},
                            {"STOSB", by_stosb},
                            {"REP STOSB", by_rep_stosb},
                            {"REP MOVSB", by_rep_movsb},
                            {"XCHG", by_xchg},
                            {"ADD", by_add},
                            {"LOCK INC", by_lock_inc},
                            {"CMPXCHG", by_cmpxchg},
                            {"PUSH", by_push},
                            {"POP", by_pop},
                            {"INC before SETE", by_setcc},
                            {"BTS", by_bts},
                            {"MOV and CPUID", by_cpuid},
                            {"a jump back", backwards}};

CODE(64, store_byte, "mov [rdi], al")
CODE(64, call_twice, "call rbx\nmov ecx, eax\nmov [rdi], dl\ncall rbx\nadd eax, ecx")

// "mov eax, N; ret" at a place in a frame.
void write_function(uptr where, u8 n) {
    const u8 bytes[] = {0xb8, n, 0, 0, 0, 0xc3};
    for (unsigned k = 0; k < sizeof bytes; ++k) at<u8>(where + k) = bytes[k];
}

u64 call(uptr where, bool as_user) {
    const Code c{where, where, where};
    Regs r = as_user ? user(c) : kernel(c);
    r.gpr[Rsp] -= 8;
    at<u64>(r.gpr[Rsp]) = store_byte().end;
    run(r);
    return trapped.vector == 3 ? trapped.gpr[Rax] : 0xfa00 + trapped.vector;
}

void check_own_code() {
    for (auto [level, mode] : levels) {
        for (auto [name, code] : pieces)
            for (unsigned again = 0; again < 2; ++again) {
                // The second time from a fresh copy at the same place, with the first one's code known.
                static u8 copy[128];
                const Code c = code();
                const uptr size = c.end - c.begin;
                if (!again)
                    for (uptr k = 0; k < size; ++k) copy[k] = at<u8>(c.begin + k);
                run(mode(c));
                Check(Name("code changed by") << name << level << (again ? "again" : "first"))
                    .ends(trapped, c, done)
                    .is("EAX", trapped.gpr[Rax] & 0xff, 2);
                for (uptr k = 0; k < size; ++k) at<u8>(c.begin + k) = copy[k];
            }
        run(mode(loop_changed()));
        // 1, then 1 to 99.
        Check(Name("loop that changes itself") << level)
            .ends(trapped, loop_changed(), done)
            .is("EAX", trapped.gpr[Rax], 1 + 99 * 100 / 2);
    }
}

void check_other_mappings() {
    forget_tables();
    const Mapping m(linear, frame_pool), n(alias, frame_pool);
    const Mapping next(linear + 4096, frame_pool + 4096);
    for (unsigned as_user = 0; as_user < 2; ++as_user) {
        const char* level = as_user ? "user" : "kernel";
        write_function(frame_pool + 0x100, 1);
        const u64 before = call(linear + 0x100, as_user);
        at<u8>(frame_pool + 0x101) = 2;
        Check(Name("code changed by the kernel's mapping") << level)
            .is("before", before, 1)
            .is("after", call(linear + 0x100, as_user), 2);
        Regs r = as_user ? user(store_byte()) : kernel(store_byte());
        r.gpr[Rdi] = alias + 0x101, r.gpr[Rax] = 3;
        run(r);
        Check(Name("code changed by an alias") << level).is("after", call(linear + 0x100, as_user), 3);
        r = as_user ? user(call_twice()) : kernel(call_twice());
        r.gpr[Rbx] = linear + 0x100, r.gpr[Rdi] = alias + 0x101, r.gpr[Rdx] = 5;
        run(r);
        Check(Name("code changed by an alias between two calls") << level)
            .ends(trapped, call_twice(), done)
            .is("EAX", trapped.gpr[Rax], 8);
        // A read-only mapping runs it, a writable one changes it.
        m[Pte] = m[Pte] & ~pte::w;
        m.flush();
        call(linear + 0x100, as_user);
        r.gpr[Rdx] = 6;
        run(r);
        Check(Name("code in a read-only page changed by an alias") << level).is("EAX", trapped.gpr[Rax], 11);
        m[Pte] = m[Pte] | pte::w;
        m.flush();
        // An instruction over two pages: either half changes.
        write_function(frame_pool + 0xffd, 7);
        const u64 first = call(linear + 0xffd, as_user);
        at<u8>(frame_pool + 0xffe) = 8;
        const u64 low = call(linear + 0xffd, as_user);
        at<u8>(frame_pool + 0x1001) = 1;
        const u64 high = call(linear + 0xffd, as_user);
        Check(Name("instruction over two pages changed") << level)
            .is("first", first, 7)
            .is("low half", low, 8)
            .is("high half", high, 0x0100'0008);
        // The same with one frame at both addresses.
        next[Pte] = frame_pool | pte::p | pte::w | pte::u;
        next.flush();
        write_function(frame_pool + 0xffd, 7);
        at<u32>(frame_pool) = 0xc3'0000;
        const u64 one = call(linear + 0xffd, as_user);
        at<u8>(frame_pool + 0xffe) = 8;
        const u64 two = call(linear + 0xffd, as_user);
        at<u8>(frame_pool + 1) = 1;
        const u64 three = call(linear + 0xffd, as_user);
        Check(Name("instruction over two pages of one frame changed") << level)
            .is("first", one, 7)
            .is("low half", two, 8)
            .is("high half", three, 0x0100'0008);
        next[Pte] = (frame_pool + 4096) | pte::p | pte::w | pte::u;
        next.flush();
        // Another frame at the same address.
        write_function(frame_pool + 0x2100, 9);
        m[Pte] = (frame_pool + 0x2000) | pte::p | pte::w | pte::u;
        m.flush();
        Check(Name("another frame with other code") << level).is("EAX", call(linear + 0x100, as_user), 9);
        m[Pte] = frame_pool | pte::p | pte::w | pte::u;
        m.flush();
        Check(Name("the first frame again") << level).is("EAX", call(linear + 0x100, as_user), 6);
        // The second page of an instruction gets another frame.
        next[Pte] = (frame_pool + 0x3000) | pte::p | pte::w | pte::u;
        at<u8>(frame_pool + 0x3000) = 0;
        at<u8>(frame_pool + 0x3001) = 2;
        at<u8>(frame_pool + 0x3002) = 0xc3;
        next.flush();
        Check(Name("instruction whose second page moved") << level)
            .is("EAX", call(linear + 0xffd, as_user), 0x0200'0008);
        next[Pte] = (frame_pool + 0x1000) | pte::p | pte::w | pte::u;
        next.flush();
        m[Pte] = m[Pte] | pte::nx;
        m.flush();
        Check(Name("code whose page becomes NX") << level).is("fault", call(linear + 0x100, as_user), 0xfa0e);
        m[Pte] = m[Pte] & ~pte::nx;
        m.flush();
    }
    // The kernel changes what the user runs, hundreds of times.
    write_function(frame_pool + 0x200, 0);
    u64 sum = 0;
    for (unsigned k = 0; k < 200; ++k) {
        at<u8>(frame_pool + 0x201) = static_cast<u8>(k);
        sum += call(linear + 0x200, true);
    }
    Check("code changed 200 times").is("sum", sum, 199 * 200 / 2);
    // A byte of data beside the code changes: the code runs on as it is.
    sum = 0;
    for (unsigned k = 0; k < 200; ++k) {
        at<u8>(frame_pool + 0x20f) = static_cast<u8>(k);
        sum += call(linear + 0x200, true);
    }
    Check("data beside code changed 200 times").is("sum", sum, 199 * 200);
}

// An instruction that the one just before it rewrites, with nothing between, in code of each width. Intel SDM vol. 3,
// "Self-Modifying Code": the check is by linear address, and what was fetched is fetched again.
struct Bytes {
    void add(u8 byte) { at<u8>(where++) = byte; }
    template <unsigned size>
    void add(const u8 (&bytes)[size]) {
        for (u8 byte : bytes) add(byte);
    }
    uptr where;
};

void check_next_instruction() {
    struct Width {
        const char* name;
        unsigned bits;
        Regs (*regs)(const Code&);
    };
    constexpr Width widths[] = {{"64-bit code", 64, user},
                                {"64-bit code of level 0", 64, kernel},
                                {"compatibility mode", 32, compat},
                                {"32-bit code of level 0", 32, kernel32},
                                {"16-bit code", 16, compat16}};
    struct Change {
        const char* name;
        u8 size, bytes[3];
        u8 changed;  // bytes from RDI on
    };
    // AL is 2 and so are all bytes at RSI, RCX is 2.
    constexpr Change changes[] = {{"MOV", 2, {0x88, 0x07}, 1},       {"MOV word", 3, {0x66, 0x89, 0x07}, 2},
                                  {"STOSB", 1, {0xaa}, 1},           {"REP STOSB", 2, {0xf3, 0xaa}, 2},
                                  {"REP MOVSB", 2, {0xf3, 0xa4}, 2}, {"XCHG", 2, {0x86, 0x07}, 1},
                                  {"INC", 2, {0xfe, 0x07}, 1},       {"LOCK INC", 3, {0xf0, 0xfe, 0x07}, 1}};
    constexpr u16 code16 = sel::own | 3;
    gdt[code16 / 8] = descriptor(static_cast<u32>(address(user_page)), 0x1fff, 0xfb, 0);
    const uptr source = address(user_stack), page = address(user_page);
    for (const Width& w : widths)
        for (const Change& c : changes)
            for (unsigned over = 0; over < 2; ++over)
                for (unsigned again = 0; again < 2; ++again) {
                    // "mov eax, 1": all in one page, or with the first byte that changes in the second page.
                    const uptr target = page + (over ? 4094 : 0x800);
                    const unsigned first = over ? 2 : 1;
                    const bool prefix = w.bits == 16, word16 = w.bits == 16 && c.bytes[0] == 0x66;
                    Bytes b{target - c.size - prefix + word16};
                    const uptr begin = b.where;
                    if (prefix) b.add(0x67);
                    for (unsigned n = word16; n < c.size; ++n) b.add(c.bytes[n]);
                    if (w.bits == 16)
                        b.add({0xb8, 1, 0, 0x90, 0xcc});
                    else
                        b.add({0xb8, 1, 0, 0, 0, 0xcc});
                    const bool longer = c.changed == 2 && !over;
                    if (w.bits == 16 && c.changed == 2 && over)
                        at<u8>(target + 3) = 2;  // "ADD DL, AH" in place of the NOP
                    const Code code{begin, begin, b.where - 1};
                    Regs r = w.regs(code);
                    if (w.bits == 16) r.cs = code16, r.rip = begin - page;
                    r.gpr[Rax] = 0x202, r.gpr[Rcx] = 2, r.gpr[Rsi] = source, r.gpr[Rdi] = target + first;
                    at<u16>(source) = 0x202;
                    run(r);
                    const bool incremented = c.bytes[c.size - 2] == 0xfe;
                    const u32 byte = incremented ? (over ? 1 : 2) : 2;
                    u32 wanted = over ? 1 | byte << 8 : byte;
                    if (longer) wanted |= 0x200;
                    if (c.changed == 2 && over && w.bits != 16) wanted |= 0x20000;
                    Check k(Name("next instruction rewritten by")
                            << c.name << "in" << w.name << (over ? "over two pages" : "in one page")
                            << (again ? "again" : "first"));
                    k.is("vector", trapped.vector, 3)
                        .is("EAX", trapped.gpr[Rax] & (w.bits == 16 ? 0xffff : 0xffff'ffff), wanted);
                }
}

}  // namespace

void check_self_modifying() {
    check_next_instruction();
    check_own_code();
    check_other_mappings();
    forget_tables();
}

}  // namespace guest

// All of the linear address space is the guest's: the last address, every top-level slot, one frame at two addresses. Intel SDM
// vol. 1, "Canonical Addressing"; vol. 2, "RET", "REP/REPE/REPZ/REPNE/REPNZ"; vol. 3, "4-Level Paging".
#include "long/tables.hpp"

namespace guest {
namespace {

CODE(64, return_near, "ret")
// 40 calls deep with a number on the x87's stack; then its status, control word and the number.
CODE(64, deep_calls,
     "fninit\nfld1\nmov ecx, 40\ncall 1f\njmp 2f\n1: dec ecx\njz 3f\ncall 1b\n3: ret\n2: fnstsw ax\nfnstcw [rbx]\n"
     "fistp dword ptr [rbx + 4]")
CODE(64, load_store, "mov rax, [rbx]\nmov [rbx + 8], rax")
CODE(64, call_in_loop, "mov ecx, 50\n1: call 2f\ndec ecx\njnz 1b\njmp 3f\n2: ret\n3: nop")
CODE(64, move_bytes, "rep movsb")
CODE(64, move_words, "rep movsw")
CODE(64, move_doublewords, "rep movsd")
CODE(64, move_quadwords, "rep movsq")

constexpr uptr last_address = ~uptr{0};

volatile u64& entry_of_address_0() {
    volatile u64* table = pml4;
    for (unsigned level = Pml4e; level > Pte; --level) table = &at<u64>(table[0] & 0xffff'ffff'f000);
    return table[0];
}

// What a processor remembers of calls must not be led astray by returns to where no call came from.
void check_returns() {
    forget_tables();
    for (unsigned as_user = 0; as_user < 2; ++as_user) {
        const char* level = as_user ? "user" : "kernel";
        Regs r = as_user ? user(return_near()) : kernel(return_near());
        r.gpr[Rsp] -= 8;
        const u64 error = as_user ? 0x14 : 0x10;
        for (unsigned n = 0; n < 5; ++n) {
            at<u64>(r.gpr[Rsp]) = last_address;
            run(r);
            Check(Name("RET to the last address") << level << n)
                .is("vector", trapped.vector, 14)
                .is("error", trapped.error, error)
                .is("CR2", trapped.cr2, last_address)
                .is("RIP", trapped.rip, last_address);
        }
        // Checks count in page 0.
        at<u64>(r.gpr[Rsp]) = 0;
        const u64 before = entry_of_address_0();
        entry_of_address_0() = 0;
        asm volatile("invlpg (%0)" ::"r"(0ul) : "memory");
        run(r);
        entry_of_address_0() = before;
        asm volatile("invlpg (%0)" ::"r"(0ul) : "memory");
        Check(Name("RET to address 0, absent") << level).is("vector", trapped.vector, 14).is("error", trapped.error, error).is("CR2", trapped.cr2, 0);
        Regs deep = as_user ? user(deep_calls()) : kernel(deep_calls());
        deep.gpr[Rbx] = address(user_page);
        Check(Name("deep calls behind returns to the last address") << level)
            .ends(run(deep), deep_calls(), done)
            .is("x87 status", trapped.gpr[Rax] & 0xffff, 0x3800)
            .is("x87 control", at<u16>(address(user_page)), 0x37f)
            .is("x87 number", at<u32>(address(user_page) + 4), 1);
    }
}

// Nothing lies at any of them but what the tables say, at either level and in pages of each size.
void check_slots() {
    constexpr unsigned slots[] = {255, 256, 257, 258, 300, 384, 510, 511};
    constexpr uptr large_frame = 0xe0'0000;
    struct Place {
        const char* name;
        uptr offset;
        Level4 leaf;
    };
    constexpr Place places[] = {{"its begin", 0, Pte},
                                {"64 KiB", 0x1'0000, Pte},
                                {"its large page", 0x100'0000, Pde},
                                {"64 GiB", 1ull << 36, Pte},
                                {"64 GiB and a page", (1ull << 36) + 0x1000, Pte},
                                {"128 GiB", 1ull << 37, Pte},
                                {"its last page", (1ull << 39) - 0x1000, Pte}};
    forget_tables();
    run(user(call_in_loop()));
    for (unsigned slot : slots) {
        const uptr base = slot < 256 ? uptr{slot} << 39 : uptr{slot} << 39 | 0xffff'0000'0000'0000;
        unsigned k = 0;
        for (auto [name, offset, leaf] : places) {
            const u64 frame = leaf == Pde ? large_frame : frame_pool + 0x1000 * ++k;
            const Mapping m(base + offset, frame, leaf);
            for (unsigned as_user = 0; as_user < 2; ++as_user) {
                at<u64>(frame) = 0x1234'5678'0000 + slot + as_user;
                at<u64>(frame + 8) = 0;
                Regs r = as_user ? user(load_store()) : kernel(load_store());
                r.gpr[Rbx] = base + offset;
                Check(Name("slot") << slot << name << (as_user ? "user" : "kernel"))
                    .ends(run(r), load_store(), done)
                    .is("loaded", trapped.gpr[Rax], 0x1234'5678'0000 + slot + as_user)
                    .is("stored", at<u64>(frame + 8), 0x1234'5678'0000 + slot + as_user)
                    .ends(run(user(call_in_loop())), call_in_loop(), done);
            }
            m[m.leaf] = m[m.leaf] & ~pte::u;
            m.flush();
            Regs r = user(load_store());
            r.gpr[Rbx] = base + offset;
            Check(Name("slot") << slot << name << "supervisor's").ends(run(r), load_store(), pf(5, base + offset));
        }
        Check(Name("user calls with slot taken") << slot).ends(run(user(call_in_loop())), call_in_loop(), done);
    }
    forget_tables();
}

// The source and the destination of a move overlap in memory, not by their addresses: it goes on element by element.
void check_moves_of_aliases() {
    constexpr uptr linear = 0x80'0000'0000, alias = 0x80'4000'0000;
    constexpr unsigned bytes = 640;
    forget_tables();
    const Mapping a0(linear, frame_pool), a1(linear + 4096, frame_pool + 4096);
    const Mapping b0(alias, frame_pool), b1(alias + 4096, frame_pool + 4096);
    const struct {
        const char* name;
        Code code;
        unsigned size;
    } moves[] = {{"MOVSB", move_bytes(), 1}, {"MOVSW", move_words(), 2}, {"MOVSD", move_doublewords(), 4}, {"MOVSQ", move_quadwords(), 8}};
    constexpr int distances[] = {-255, -100, -32, -8, -7, -1, 0, 1, 2, 3, 7, 8, 9, 16, 31, 32, 64, 100, 255, 256};
    static u8 wanted[8192];
    u8* memory = reinterpret_cast<u8*>(frame_pool);
    const auto fill = [&] {
        for (unsigned n = 0; n < sizeof wanted; ++n) memory[n] = wanted[n] = static_cast<u8>(n * 7 + n / 256);
    };
    const auto copy = [&](unsigned to, unsigned from, unsigned count, unsigned size) {
        for (unsigned n = 0; n < count; n += size) {
            u8 element[8];
            for (unsigned b = 0; b < size; ++b) element[b] = wanted[from + n + b];
            for (unsigned b = 0; b < size; ++b) wanted[to + n + b] = element[b];
        }
    };
    const auto different = [&] {
        u64 count = 0;
        for (unsigned n = 0; n < sizeof wanted; ++n) count += memory[n] != wanted[n];
        return count;
    };
    for (const auto& m : moves)
        for (int distance : distances) {
            const unsigned from = 0xe00, to = static_cast<unsigned>(static_cast<int>(from) + distance);
            fill(), copy(to, from, bytes, m.size);
            Regs r = user(m.code);
            r.gpr[Rsi] = linear + from, r.gpr[Rdi] = alias + to, r.gpr[Rcx] = bytes / m.size;
            const unsigned away = static_cast<unsigned>(distance < 0 ? -distance : distance);
            Check(Name("REP") << m.name << "to an alias" << away << (distance < 0 ? "below" : "above"))
                .ends(run(r), m.code, done)
                .is("RCX", trapped.gpr[Rcx], 0)
                .is("different bytes", different(), 0);
        }
    // A fault at the end of the destination's page: what is before it has been moved, once.
    b1[Pte] = 0;
    b1.flush();
    constexpr unsigned above[] = {8, 32, 96};
    for (unsigned distance : above) {
        fill(), copy(0xf80, 0xf80 + distance, 0x80, 1);
        Regs r = user(move_bytes());
        r.gpr[Rsi] = linear + 0xf80 + distance, r.gpr[Rdi] = alias + 0xf80, r.gpr[Rcx] = bytes;
        Check(Name("REP MOVSB to an alias that ends, source above by") << distance)
            .ends(run(r), move_bytes(), pf(6, alias + 4096))
            .is("RCX", trapped.gpr[Rcx], bytes - 0x80)
            .is("different bytes", different(), 0);
    }
}

}  // namespace

void check_addresses() {
    check_returns();
    check_slots();
    check_moves_of_aliases();
    forget_tables();
}

}  // namespace guest

// What may be remembered of page tables, and what makes the processor forget it. Intel SDM vol. 3, "Caching Translation
// Information".
#include "long/tables.hpp"

namespace guest {
namespace {

// Twice, since a machine may keep translations for its frequent instructions and for the others apart.
CODE(64, load, "mov rax, [rbx]\nmovq mm0, [rbx]\nmovq rcx, mm0\nemms")
CODE(64, store, "mov [rbx], rax")
CODE(64, invlpg_, "invlpg [rbx]")
CODE(64, invpcid_, "invpcid rax, [rbx]")
CODE(64, invpcid_register, ".byte 0x66, 0x0f, 0x38, 0x82, 0xc3")

constexpr uptr linear = 0x80'0000'0000;

void fill_frames() {
    for (unsigned n = 0; n < 1024; ++n) at<u64>(frame_pool + n * 4096ul) = n;
}

u64 value_loaded(Regs r, uptr where) {
    r.gpr[Rbx] = where;
    run(r);
    if (trapped.vector != 3) return 0xfa00 + trapped.vector;
    return trapped.gpr[Rax] == trapped.gpr[Rcx] ? trapped.gpr[Rax] : 0xbad0'0000'0000 | trapped.gpr[Rcx];
}
u64 value_at(uptr where) { return value_loaded(kernel(load()), where); }
u64 user_value_at(uptr where) { return value_loaded(user(load()), where); }
const Trap& write_at(uptr where, bool as_user = false) {
    Regs r = as_user ? user(store()) : kernel(store());
    r.gpr[Rbx] = where;
    return run(r);
}
constexpr u64 frame(unsigned n) { return frame_pool + n * 4096ull; }
constexpr u64 all = pte::p | pte::w | pte::u;
constexpr u64 faulted = 0xfa0e;

void flush_by_cr3() { write_cr3(read_cr3()); }
void flush_by_pge() { With toggled(With::Cr4, cr4::pge); }

struct Flush {
    const char* name;
    void (*flush)(const Mapping&);
};
void with_invlpg(const Mapping& m) { m.flush(); }
void with_cr3(const Mapping&) { flush_by_cr3(); }
void with_pge(const Mapping&) { flush_by_pge(); }
constexpr Flush flushes[] = {{"INVLPG", with_invlpg}, {"CR3", with_cr3}, {"CR4.PGE", with_pge}};

void check_changes() {
    for (auto [name, flush] : flushes) {
        forget_tables();
        const Mapping m(linear, frame(1));
        value_at(linear);
        m[Pte] = frame(2) | all;
        flush(m);
        Check(Name("another frame after") << name).is("value", value_at(linear), 2);
        user_value_at(linear);
        m[Pte] = frame(2) | pte::p | pte::w;
        flush(m);
        Check(Name("U taken away after") << name)
            .is("value", user_value_at(linear), faulted)
            .is("error", trapped.error, 5);
        m[Pte] = frame(2) | pte::p | pte::u;
        flush(m);
        write_at(linear, true);
        Check(Name("W taken away after") << name).is("vector", trapped.vector, 14).is("error", trapped.error, 7);
        m[Pte] = 0;
        flush(m);
        Check(Name("P taken away after") << name).is("value", value_at(linear), faulted).is("error", trapped.error, 0);
        // An entry that was not present is not remembered.
        m[Pte] = frame(3) | all;
        Check(Name("P given, no flush, after") << name).is("value", value_at(linear), 3);
        // Upper levels.
        m[Pde] = m[Pde] & ~pte::w;
        flush(m);
        write_at(linear, true);
        Check(Name("W taken away from the PDE after") << name)
            .is("vector", trapped.vector, 14)
            .is("error", trapped.error, 7);
        m[Pde] = m[Pde] | pte::w;
        flush(m);
        m[Pdpte] = 0;
        flush(m);
        Check(Name("P taken away from the PDPTE after") << name).is("value", value_at(linear), faulted);
        // A and D are set anew.
        forget_tables();
        const Mapping n(linear, frame(1));
        write_at(linear);
        n[Pte] = n[Pte] & ~(pte::a | pte::d);
        flush(n);
        value_at(linear);
        Check(Name("A set anew after") << name).is("A and D", n[Pte] & (pte::a | pte::d), pte::a);
        flush(n);
        write_at(linear);
        Check(Name("D set anew after") << name).is("A and D", n[Pte] & (pte::a | pte::d), pte::a | pte::d);
    }
    // A right that is given needs no flush, but one spurious fault is allowed.
    forget_tables();
    const Mapping m(linear, frame(1));
    m[Pte] = frame(1) | pte::p | pte::u;
    m.flush();
    user_value_at(linear);
    m[Pte] = frame(1) | all;
    write_at(linear, true);
    if (trapped.vector == 14) write_at(linear, true);
    Check("W given without a flush").is("vector", trapped.vector, 3);
    at<u64>(frame(1)) = 1;
    m[Pte] = frame(1) | pte::p | pte::w;
    m.flush();
    value_at(linear);
    m[Pte] = frame(1) | all;
    u64 value = user_value_at(linear);
    if (value == faulted) value = user_value_at(linear);
    Check("U given without a flush").is("value", value, 1);
    // WP takes effect at once.
    m[Pte] = frame(1) | pte::p;
    m.flush();
    write_at(linear);
    Check("store to a read-only page, WP=0").is("vector", trapped.vector, 3);
    {
        With wp(With::Cr0, cr0::wp);
        write_at(linear);
        Check("store to a read-only page, WP=1").is("vector", trapped.vector, 14);
    }
    write_at(linear);
    Check("store to a read-only page, WP=0 again").is("vector", trapped.vector, 3);
    at<u64>(frame(1)) = 1;
    Regs r = kernel(invlpg_());
    r.gpr[Rbx] = 1ull << 47;
    Check("INVLPG of a non-canonical address").ends(run(r), invlpg_(), done);
    r.gpr[Rbx] = 0x99'0000'0000;
    Check("INVLPG of what is not mapped").ends(run(r), invlpg_(), done);
}

void check_global() {
    for (auto [name, flush] : flushes) {
        if (name[2] == '3') continue;  // CR3 leaves global pages, which need not stay
        With pge(With::Cr4, cr4::pge);
        forget_tables();
        With on(With::Cr4, cr4::pge);
        const Mapping m(linear, frame(1));
        m[Pte] = frame(1) | all | pte::g;
        m.flush();
        value_at(linear);
        m[Pte] = frame(2) | all | pte::g;
        if (flush == with_pge)
            write_cr4(read_cr4() & ~cr4::pge), write_cr4(read_cr4() | cr4::pge);
        else
            flush(m);
        Check(Name("global page after") << name).is("value", value_at(linear), 2);
    }
    With pge(With::Cr4, cr4::pge);
    const Mapping m(linear, frame(1));
    m[Pte] = frame(1) | all;
    m.flush();
    value_at(linear);
    m[Pte] = frame(2) | all;
    flush_by_cr3();
    Check("not global page after CR3 with PGE").is("value", value_at(linear), 2);
}

// A large page becomes a table and the other way round. One INVLPG of any address in it forgets all of it.
void check_sizes() {
    constexpr uptr offsets[] = {0, 0x1000, 0x2000, 0x10'0000, 0x1f'f000};
    for (uptr flushed : offsets) {
        forget_tables();
        const Mapping large(linear, frame_pool, Pde);
        for (uptr o : offsets) value_at(linear + o);
        u64* table = reinterpret_cast<u64*>(frame_pool + 0x40'0000);
        for (unsigned n = 0; n < 512; ++n) table[n] = frame((n + 7) % 512) | all;
        large[Pde] = address(table) | all;
        asm volatile("invlpg (%0)" ::"r"(linear + flushed) : "memory");
        Check c(Name("large page split, INVLPG at page") << static_cast<unsigned>(flushed >> 12));
        for (uptr o : offsets) c.is("value", value_at(linear + o), ((o >> 12) + 7) % 512);
    }
    forget_tables();
    const Mapping small(linear, frame(3));
    for (unsigned n = 0; n < 8; ++n) Mapping(linear + n * 4096ul, frame(n + 3));
    for (unsigned n = 0; n < 8; ++n) value_at(linear + n * 4096ul);
    small[Pde] = frame_pool | all | pte::ps;
    for (unsigned n = 0; n < 8; ++n) asm volatile("invlpg (%0)" ::"r"(linear + n * 4096ul) : "memory");
    Check joined("small pages joined");
    for (unsigned n = 0; n < 8; ++n) joined.is("value", value_at(linear + n * 4096ul), n);
    forget_tables();
    const Mapping huge(linear, 0, Pdpte);
    value_at(linear + frame(5));
    huge[Pdpte] = 0;
    huge.flush();
    Check("1 GiB page taken away").is("value", value_at(linear + frame(5)), faulted);
    // The first GiB of memory in pages of 4 KiB that are all the pool's, in another order.
    forget_tables();
    const Mapping split(linear, 0, Pdpte);
    u64* directory = reinterpret_cast<u64*>(frame_pool + 0x40'0000);
    u64* table = directory + 512;
    for (unsigned n = 0; n < 512; ++n) {
        directory[n] = address(table) | all;
        table[n] = frame((n + 7) % 512) | all;
    }
    for (uptr o : offsets) value_at(linear + frame_pool + o);
    split[Pdpte] = address(directory) | all;
    asm volatile("invlpg (%0)" ::"r"(linear + 0x3000) : "memory");
    Check pieces("1 GiB page split, INVLPG of another address");
    for (uptr o : offsets) pieces.is("value", value_at(linear + frame_pool + o), ((o >> 12) + 7) % 512);
}

// --- Process-context identifiers
struct Pcids {
    Pcids() { write_cr4(read_cr4() | cr4::pcide); }
    ~Pcids() {
        write_cr3(address(pml4));
        write_cr4(read_cr4() & ~cr4::pcide);
    }
};
alignas(4096) u64 other_pml4[512];
constexpr u64 keep = 1ull << 63;

void invpcid(u64 type, u64 pcid, u64 where) {
    struct {
        u64 pcid, linear;
    } d{pcid, where};
    asm volatile("invpcid %0, %1" ::"m"(d), "r"(type) : "memory");
}

void check_pcids() {
    if (!(cpuid(1).ecx & 1 << 17)) {
        Check("PCIDs").skip();
        return;
    }
    forget_tables();
    const Mapping m(linear, frame(1));
    for (unsigned n = 0; n < 512; ++n) other_pml4[n] = pml4[n];
    // The other address space has tables of its own for this address.
    u64* tables = reinterpret_cast<u64*>(frame_pool + 0x50'0000);
    for (unsigned n = 0; n < 3 * 512; ++n) tables[n] = 0;
    other_pml4[1] = address(tables) | all;
    tables[0] = address(tables + 512) | all;
    tables[512] = address(tables + 1024) | all;
    tables[1024] = frame(2) | all;
    Pcids on;
    const u64 one = address(pml4) | 1, two = address(other_pml4) | 2;
    write_cr3(one);
    const u64 first = value_at(linear);
    write_cr3(two);
    const u64 second = value_at(linear);
    write_cr3(one | keep);
    const u64 third = value_at(linear);
    write_cr3(two | keep);
    const u64 fourth = value_at(linear);
    Check("two PCIDs do not mix")
        .is("first", first, 1)
        .is("second", second, 2)
        .is("third", third, 1)
        .is("fourth", fourth, 2);
    tables[1024] = frame(4) | all;
    write_cr3(two);
    Check("CR3 without bit 63 forgets its PCID").is("value", value_at(linear), 4);
    write_cr3(one | keep);
    m[Pte] = frame(5) | all;
    m.flush();
    Check("INVLPG in a PCID").is("value", value_at(linear), 5);
    // CR3 of another PCID without bit 63 forgets that one only; what is changed here needs its own.
    m[Pte] = frame(6) | all;
    write_cr3(two);
    write_cr3(one);
    Check("CR3 back to a PCID without bit 63").is("value", value_at(linear), 6);
    if (!(cpuid(7).ebx & 1 << 10)) {
        Check("INVPCID").skip();
        return;
    }
    // From the other PCID, since a processor may always forget more.
    for (unsigned type = 0; type < 4; ++type) {
        write_cr3(one | keep);
        m[Pte] = frame(8) | all;
        m.flush();
        value_at(linear);
        write_cr3(two | keep);
        m[Pte] = frame(9 + type) | all;
        invpcid(type, type < 2 ? 1 : 0, linear);
        write_cr3(one | keep);
        Check(Name("INVPCID of another PCID, type") << type).is("value", value_at(linear), 9 + type);
    }
    auto invpcid_regs = [](u64 type, u64 pcid, u64 where) {
        Regs r = kernel(invpcid_());
        r.gpr[Rax] = type, r.gpr[Rbx] = address(user_page);
        at<u64>(address(user_page)) = pcid;
        at<u64>(address(user_page) + 8) = where;
        return r;
    };
    Check("INVPCID type 4").ends(run(invpcid_regs(4, 0, 0)), invpcid_(), gp(0));
    Check("INVPCID type with upper bits").ends(run(invpcid_regs(1ull << 32, 0, 0)), invpcid_(), gp(0));
    for (u64 type = 0; type < 4; ++type)
        Check(Name("INVPCID reserved bit 12, type") << static_cast<unsigned>(type))
            .ends(run(invpcid_regs(type, 1 << 12, 0)), invpcid_(), gp(0));
    Check("INVPCID type 0 of a non-canonical address").ends(run(invpcid_regs(0, 0, 1ull << 47)), invpcid_(), gp(0));
    Check("INVPCID type 1 does not look at the address").ends(run(invpcid_regs(1, 0, 1ull << 47)), invpcid_(), done);
    Regs r = invpcid_regs(0, 0, 0);
    r.gpr[Rbx] = 0x99'0000'0000;
    Check("INVPCID descriptor not mapped").ends(run(r), invpcid_(), pf(0, 0x99'0000'0000));
    r.gpr[Rbx] = 1ull << 47;
    Check("INVPCID descriptor not canonical").ends(run(r), invpcid_(), gp(0));
    Check("INVPCID of a register").ends(run(kernel(invpcid_register())), invpcid_register(), ud);
}

void check_without_pcids() {
    if (!(cpuid(7).ebx & 1 << 10)) return;
    for (u64 type = 0; type < 4; ++type) {
        Regs r = kernel(invpcid_());
        r.gpr[Rax] = type, r.gpr[Rbx] = address(user_page);
        at<u64>(address(user_page)) = 5;
        at<u64>(address(user_page) + 8) = 0;
        Check(Name("INVPCID of PCID 5 without PCIDE, type") << static_cast<unsigned>(type))
            .ends(run(r), invpcid_(), type < 2 ? gp(0) : done);
    }
}

}  // namespace

void check_invalidation() {
    fill_frames();
    check_changes();
    check_global();
    check_sizes();
    check_without_pcids();
    check_pcids();
    forget_tables();
}

}  // namespace guest

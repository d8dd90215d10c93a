// Paging with 32-bit and with PAE entries: rights at every level, large pages, reserved bits. Intel SDM vol. 3, "32-Bit
// Paging", "PAE Paging", "Access Rights", "Page-Fault Exceptions".
#include "common/page_access.hpp"
#include "legacy/machine.hpp"

namespace guest {
namespace {

CODE(32, load, "mov al, [ebx]")
CODE(32, store, "mov [ebx], al")
CODE(32, load4, "mov eax, [ebx]")

constexpr u32 linear = 0x8000'0000;

// One address's entries below the kind's own tables, from the pool.
struct Map {
    Map(Kind kind, bool large) : kind(kind), large(large) {
        clear(table_pool, 8192);
        if (kind == Kind::Bits32) {
            directory = (read_cr3() & ~0xfffu) + (linear >> 22) * 4;
            table = table_pool;
        } else {
            // A directory of its own for the third gibibyte.
            at<u64>(read_cr3() + 8 * (linear >> 30)) = (table_pool + 4096) | pte::p;
            directory = table_pool + 4096;
            table = table_pool;
        }
        set(true, large ? frame() | pte::p | pte::w | pte::u | pte::ps : table | pte::p | pte::w | pte::u);
        set(false, frame_pool | pte::p | pte::w | pte::u);
        write_cr3(read_cr3());
    }
    ~Map() {
        if (kind == Kind::Pae)
            at<u64>(read_cr3() + 8 * (linear >> 30)) = 0;
        else
            set(true, 0);
        write_cr3(read_cr3());
    }
    static void clear(uptr where, unsigned size) {
        for (unsigned n = 0; n < size; n += 4) at<u32>(where + n) = 0;
    }
    static constexpr u64 frame() { return frame_pool; }  // the beginning of a large page of either size
    u64 get(bool upper) const {
        const uptr where = upper ? directory : table;
        return kind == Kind::Pae ? at<u64>(where) : at<u32>(where);
    }
    void set(bool upper, u64 value) {
        const uptr where = upper ? directory : table;
        if (kind == Kind::Pae)
            at<u64>(where) = value;
        else
            at<u32>(where) = static_cast<u32>(value);
    }

    Kind kind;
    bool large;
    uptr directory, table;
};

void check_matrix(Kind kind, const char* name, bool large) {
    const bool pae = kind == Kind::Pae, smep = cpuid(7).ebx & 1 << 7;
    if (pae) write_msr(0xc0000080, read_msr(0xc0000080) | 0x800);
    Paging on(kind);
    With pse(With::Cr4, cr4::pse);
    for (unsigned upper = large; upper < 2; ++upper)
        for (const EntryChange& change : entry_changes)
            for (const PageAccess& w : page_accesses) {
                if (!pae && (change.set || (w.smep && !smep))) continue;
                Check c(Name(name) << (upper ? "PDE" : "PTE") << change.name << w.name);
                if (w.smep && !smep) {
                    c.skip();
                    continue;
                }
                Map m(kind, large);
                m.set(upper, (m.get(upper) | change.set) & ~change.clear);
                write_cr3(read_cr3());
                at<u8>(frame_pool) = 0xcc;
                const Code code = w.access == Read    ? load()
                                  : w.access == Write ? store()
                                                      : Code{linear, linear, linear};
                Regs r = w.user ? user(code) : kernel(code);
                r.gpr[Rbx] = linear;
                {
                    With wp(With::Cr0, w.wp ? cr0::wp : 0, cr0::wp);
                    With with_smep(With::Cr4, w.smep ? cr4::smep : 0, smep ? cr4::smep : 0);
                    run(r);
                }
                const bool tells_fetch = pae || w.smep;
                const u64 base =
                    (w.access == Write ? 2 : 0) | (w.user ? 4 : 0) | (w.access == Fetch && tells_fetch ? 16 : 0);
                const bool readable = !(change.clear & pte::u), writable = !(change.clear & pte::w);
                bool good = !w.user || readable;
                if (w.access == Write && !writable) good = good && !w.user && !w.wp;
                if (w.access == Fetch) good = good && !(change.set & pte::nx) && !(w.smep && !w.user && readable);
                if (change.clear & pte::p) {
                    c.ends(trapped, code, pf(base, linear));
                } else if (change.set == 1ull << 51) {
                    c.ends(trapped, code, pf(base | 9, linear));
                } else if (!good) {
                    c.ends(trapped, code, pf(base | 1, linear));
                } else {
                    c.ends(trapped, code, done).is("PDE's A", m.get(true) & pte::a, pte::a);
                    c.is("D", m.get(large) & pte::d, w.access == Write ? pte::d : 0);
                }
            }
    if (pae) write_msr(0xc0000080, read_msr(0xc0000080) & ~0x800ull);
}

void check_details() {
    {
        Paging on(Kind::Bits32);
        // Without PSE the PS bit means nothing: the entry names a table.
        Map m(Kind::Bits32, false);
        m.set(true, m.get(true) | pte::ps);
        write_cr3(read_cr3());
        Regs r = kernel(load4());
        r.gpr[Rbx] = linear;
        at<u32>(frame_pool) = 0x600dcafe;
        run(r);
        Check("PS without CR4.PSE").ends(trapped, load4(), done).is("EAX", trapped.gpr[Rax], 0x600dcafe);
        With pse(With::Cr4, cr4::pse);
        // PSE-36: bits 20 to 13 are the address's 39 to 32; bit 21 is reserved.
        m.set(true, frame_pool | pte::p | pte::w | pte::ps | 1 << 21);
        write_cr3(read_cr3());
        Check("4 MiB page, reserved bit 21").ends(run(r), load4(), pf(9, linear));
        // The processor caches no entry that is not present, and INVLPG forgets a 4 MiB page.
        m.set(true, frame_pool | pte::p | pte::w | pte::ps);
        write_cr3(read_cr3());
        run(r);
        m.set(true, (frame_pool + 0x40'0000) | pte::p | pte::w | pte::ps);
        at<u32>(frame_pool + 0x40'0000) = 0x5ec0d;
        asm volatile("invlpg (%0)" ::"r"(linear + 0x12'3000) : "memory");
        run(r);
        Check("INVLPG of another address in a 4 MiB page").is("EAX", trapped.gpr[Rax], 0x5ec0d);
    }
    // A large page becomes a table: one INVLPG of any address in it forgets all of it.
    constexpr Kind kinds[] = {Kind::Bits32, Kind::Pae};
    for (Kind kind : kinds) {
        Paging on(kind);
        With pse(With::Cr4, cr4::pse);
        Map m(kind, true);
        constexpr u32 offsets[] = {0, 0x1000, 0x1f'f000}, moved = 0x1000;
        Regs r = kernel(load4());
        for (u32 o : offsets) {
            at<u32>(frame_pool + o) = o;
            at<u32>(frame_pool + o + moved) = o + 1;
            r.gpr[Rbx] = linear + o;
            run(r);
        }
        for (unsigned n = 0; n < 512; ++n) {
            const u32 entry = (frame_pool + n * 4096 + moved) | pte::p | pte::w | pte::u;
            if (kind == Kind::Pae)
                at<u64>(m.table + 8 * n) = entry;
            else
                at<u32>(m.table + 4 * n) = entry;
        }
        m.set(true, m.table | pte::p | pte::w | pte::u);
        asm volatile("invlpg (%0)" ::"r"(linear + 0x12'3000) : "memory");
        Check c(Name(kind == Kind::Pae ? "2 MiB page" : "4 MiB page") << "split, INVLPG of another address");
        for (u32 o : offsets) {
            r.gpr[Rbx] = linear + o;
            run(r);
            c.is("EAX", trapped.gpr[Rax], at<u32>(frame_pool + o + moved));
        }
    }
    {
        Paging on(Kind::Pae);
        Map m(Kind::Pae, false);
        Regs r = kernel(load4());
        r.gpr[Rbx] = linear;
        run(r);
        Check("PAE PDPTE").ends(trapped, load4(), done);
        // PDPTEs are registers: a change counts from the next load of CR3 on.
        const uptr where = read_cr3() + 8 * (linear >> 30);
        const u64 entry = at<u64>(where);
        at<u64>(where) = 0;
        asm volatile("invlpg (%0)" ::"r"(linear) : "memory");
        Check("PAE PDPTE changed in memory").ends(run(r), load4(), done);
        write_cr3(read_cr3());
        Check("PAE PDPTE changed and CR3 loaded").ends(run(r), load4(), pf(0, linear));
        at<u64>(where) = entry;
        write_cr3(read_cr3());
        Check("PAE PDPTE back").ends(run(r), load4(), done);
    }
}

// PSE-36: above 4 GiB there is no memory here, but what is there must not be the memory below. Intel SDM vol. 3,
// "32-Bit Paging", the table of entries that map 4 MiB pages.
void check_pse36() {
    const bool offered = cpuid(1).edx & 1 << 17;
    const unsigned width = cpuid(0x8000'0008).eax & 0xff, limit = width < 40 ? width : 40;
    Paging on(Kind::Bits32);
    With pse(With::Cr4, cr4::pse);
    Map m(Kind::Bits32, false);
    for (unsigned bit = 13; bit < 22; ++bit) {
        Check c(Name("4 MiB page, address bit") << (bit + 19));
        if (!offered) {
            c.skip();
            continue;
        }
        m.set(true, frame_pool | pte::p | pte::w | pte::ps | 1u << bit);
        write_cr3(read_cr3());
        at<u32>(frame_pool) = 0x600d'cafe;
        Regs r = kernel(load4());
        r.gpr[Rbx] = linear;
        if (bit + 19 >= limit) {
            c.ends(run(r), load4(), pf(9, linear));
            continue;
        }
        run(r);
        c.ends(trapped, load4(), done).is("memory below", trapped.gpr[Rax] == 0x600d'cafe, 0);
        r = kernel(store());
        r.gpr[Rbx] = linear, r.gpr[Rax] = 0x11;
        run(r);
        c.ends(trapped, store(), done).is("memory below", at<u32>(frame_pool), 0x600d'cafe);
    }
}

CODE(32, to_cr3, "mov cr3, eax")
CODE(32, to_cr0, "mov cr0, eax")

// Intel SDM vol. 3, "PDPTE Registers": reserved bits of any of the four refuse MOV to CR3 and to CR0.
void check_pdptes() {
    constexpr unsigned bits[] = {1, 2, 5, 6, 7, 8, 51, 63};
    for (unsigned bit : bits) {
        Paging on(Kind::Pae);
        const uptr where = read_cr3() + 24;
        at<u64>(where) = 1ull << bit | pte::p;
        Regs r = kernel(to_cr3());
        r.gpr[Rax] = read_cr3();
        run(r);
        Check c(Name("PDPTE reserved bit") << bit);
        c.ends(trapped, to_cr3(), gp(0));
        at<u64>(where) = 1ull << bit;
        run(r);
        Check d(Name("PDPTE not present with reserved bit") << bit);
        d.ends(trapped, to_cr3(), done);
        at<u64>(where) = 0;
    }
    struct Row {
        const char* name;
        u32 set, clear;
    };
    const u32 now = read_cr0();
    constexpr Row rows[] = {{"PG without PE", cr0::pg, cr0::pe}, {"NW without CD", cr0::nw, cr0::cd}};
    for (const Row& row : rows) {
        Check c(Name("MOV to CR0") << row.name);
        if (on_qemu()) {
            c.fatal_here("QEMU");
            continue;
        }
        Regs r = kernel(to_cr0());
        r.gpr[Rax] = (now | row.set) & ~row.clear;
        c.ends(run(r), to_cr0(), gp(0));
    }
}

}  // namespace

void check_pages() {
    check_matrix(Kind::Bits32, "2-level 4K", false);
    check_matrix(Kind::Bits32, "2-level 4M", true);
    check_matrix(Kind::Pae, "PAE 4K", false);
    check_matrix(Kind::Pae, "PAE 2M", true);
    check_details();
    check_pse36();
    check_pdptes();
}

}  // namespace guest

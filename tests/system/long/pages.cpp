// The rights of pages at every level of the tables. Intel SDM vol. 3, "Access Rights", "Page-Fault Exceptions" and
// "Accessed and Dirty Flags" of 4-level paging.
#include "common/page_access.hpp"
#include "long/tables.hpp"

namespace guest {
namespace {

CODE(64, load, "mov al, [rbx]")
CODE(64, store, "mov [rbx], al")
CODE(64, load8, "mov rax, [rbx]")
CODE(64, store8, "mov [rbx], rax")
CODE(64, modify, "add dword ptr [rbx], 1")

constexpr uptr linear = 0x80'0000'0000;  // slot 1 of the PML4

constexpr const char* level_names[] = {"PTE", "PDE", "PDPTE", "PML4E"};

// What the manual says of one access.
struct Verdict {
    bool faults;
    u64 error;
};
Verdict verdict(const Mapping& m, const PageAccess& k) {
    u64 all = pte::w | pte::u, nx = 0;
    const u64 base = (k.access == Write ? 2 : 0) | (k.user ? 4 : 0) | (k.access == Fetch ? 16 : 0);
    for (int level = Pml4e; level >= static_cast<int>(m.leaf); --level) {
        const u64 e = m[level];
        if (!(e & pte::p)) return {true, base};
        if (e & 1ull << 51) return {true, base | 9};
        all &= e;
        nx |= e & pte::nx;
    }
    bool ok = !k.user || all & pte::u;
    if (k.access == Write && !(all & pte::w)) ok = ok && !k.user && !k.wp;
    if (k.access == Fetch) ok = ok && !nx && !(k.smep && !k.user && all & pte::u);
    return {!ok, base | 1};
}

const Trap& access(const PageAccess& k, uptr where) {
    With wp(With::Cr0, k.wp ? cr0::wp : 0, cr0::wp);
    With smep(With::Cr4, k.smep ? cr4::smep : 0, cr4::smep);
    // With SMEP the kernel's own piece of code, in a user page, could not run; a fetch starts at the page itself.
    Code code = k.access == Read ? load() : store();
    if (k.access == Fetch) code = {where, where, where};
    Regs r = k.user ? user(code) : kernel(code);
    r.gpr[Rbx] = where;
    return run(r);
}

void check(const char* size, Level4 leaf, bool has_smep) {
    for (unsigned level = leaf; level <= Pml4e; ++level)
        for (const EntryChange& change : entry_changes)
            for (const PageAccess& k : page_accesses) {
                if (level != leaf && change.set == 0 && change.clear == 0) continue;
                Check c(Name(size) << level_names[level] << change.name << k.name);
                if (k.smep && !has_smep) {
                    c.skip();
                    continue;
                }
                forget_tables();
                const Mapping m(linear, leaf == Pte ? frame_pool : 0, leaf);
                m[level] = (m[level] | change.set) & ~change.clear;
                m.flush();
                uptr where = linear;
                if (leaf != Pte) {
                    // A large page that has the frame somewhere in it.
                    where += frame_pool % (leaf == Pde ? 0x20'0000 : 0x4000'0000);
                    if (leaf == Pde) m[leaf] = m[leaf] + frame_pool;
                    m.flush();
                }
                at<u8>(frame_pool) = 0xcc;
                const Verdict v = verdict(m, k);
                const Code code = k.access == Read ? load() : k.access == Write ? store() : Code{where, where, where};
                const Trap& t = access(k, where);
                if (v.faults) {
                    c.ends(t, code, pf(v.error, where));
                    c.is("D", m[leaf] & pte::d, 0);
                    continue;
                }
                c.ends(t, code, done);
                for (unsigned n = leaf; n <= Pml4e; ++n) c.is(level_names[n], m[n] & pte::a, pte::a);
                c.is("D", m[leaf] & pte::d, k.access == Write ? pte::d : 0);
            }
}

// Reserved bits that only some entries have.
void check_reserved() {
    struct Row {
        const char* name;
        Level4 leaf;
        unsigned level;
        u64 bit;
    };
    constexpr Row rows[] = {{"PML4E PS", Pte, Pml4e, pte::ps},
                            {"PDPTE bit 13 of a 1 GiB page", Pdpte, Pdpte, 1 << 13},
                            {"PDPTE bit 29 of a 1 GiB page", Pdpte, Pdpte, 1 << 29},
                            {"PDE bit 13 of a 2 MiB page", Pde, Pde, 1 << 13},
                            {"PDE bit 20 of a 2 MiB page", Pde, Pde, 1 << 20}};
    for (const Row& row : rows) {
        forget_tables();
        const Mapping m(linear, 0, row.leaf);
        m[row.level] = m[row.level] | row.bit;
        m.flush();
        Regs r = kernel(load());
        r.gpr[Rbx] = linear;
        Check(Name("reserved") << row.name).ends(run(r), load(), pf(9, linear));
    }
    // Without EFER.NXE bit 63 is reserved.
    for (unsigned level = Pte; level <= Pml4e; ++level) {
        forget_tables();
        const Mapping m(linear, frame_pool);
        m[level] = m[level] | pte::nx;
        write_msr(msr::efer, read_msr(msr::efer) & ~0x800ull);
        m.flush();
        Regs r = kernel(load());
        r.gpr[Rbx] = linear;
        run(r);
        write_msr(msr::efer, read_msr(msr::efer) | 0x800);
        Check(Name("reserved bit 63 without NXE") << level_names[level]).ends(trapped, load(), pf(9, linear));
    }
    // A reserved bit does not matter in an entry that is not present.
    forget_tables();
    const Mapping m(linear, frame_pool);
    m[Pte] = 1ull << 51;
    m.flush();
    Regs r = kernel(load());
    r.gpr[Rbx] = linear;
    Check("not present is told before reserved").ends(run(r), load(), pf(0, linear));
    // A fetch without NXE and SMEP does not set I/D in the error code.
    m[Pte] = 0;
    write_msr(msr::efer, read_msr(msr::efer) & ~0x800ull);
    m.flush();
    const Code code{linear, linear, linear};
    run(kernel(code));
    write_msr(msr::efer, read_msr(msr::efer) | 0x800);
    Check("error code of a fetch without NXE").ends(trapped, code, pf(0, linear));
}

// An access over a page boundary: which page is named, and that nothing is written when the second one faults.
void check_crossing() {
    for (auto [level, mode] : levels)
        for (unsigned offset = 4089; offset < 4096; ++offset) {
            forget_tables();
            const Mapping low(linear, frame_pool), high(linear + 4096, frame_pool + 4096);
            const u64 error = mode == user ? 4 : 0;
            Regs r = mode(load8());
            r.gpr[Rbx] = linear + offset;
            at<u64>(frame_pool + offset) = 0x1122334455667788;
            Check(Name("page crossing load") << level << offset)
                .ends(run(r), load8(), done)
                .is("RAX", trapped.gpr[Rax], 0x1122334455667788);
            high[Pte] = 0;
            high.flush();
            Check(Name("page crossing load, second not present") << level << offset)
                .ends(run(r), load8(), pf(error, linear + 4096));
            r.rip = store8().begin;
            r.gpr[Rax] = 0x99aabbccddeeff00;
            Check(Name("page crossing store, second not present") << level << offset)
                .ends(run(r), store8(), pf(error | 2, linear + 4096))
                .is("memory", at<u64>(frame_pool + offset), 0x1122334455667788);
            low[Pte] = 0;
            low.flush();
            Check(Name("page crossing store, both not present") << level << offset)
                .ends(run(r), store8(), pf(error | 2, linear + offset));
        }
    // A read-modify-write of a read-only page faults as a write.
    forget_tables();
    const Mapping m(linear, frame_pool);
    m[Pte] = m[Pte] & ~pte::w;
    m.flush();
    Regs r = user(modify());
    r.gpr[Rbx] = linear;
    Check("read-modify-write of a read-only page").ends(run(r), modify(), pf(7, linear));
    m[Pte] = 0;
    m.flush();
    Check("read-modify-write of an absent page").ends(run(r), modify(), pf(6, linear));
    // An instruction that begins in one page and ends in the next, which is absent: CR2 is the next one's first byte.
    forget_tables();
    const Mapping first(linear, frame_pool);
    at<u8>(frame_pool + 4095) = 0x0f;
    const Code code{linear + 4095, linear + 4095, linear + 4095};
    Check("fetch over a page boundary, second absent").ends(run(user(code)), code, pf(20, linear + 4096));
    const Mapping second(linear + 4096, frame_pool + 4096);
    second[Pte] = second[Pte] | pte::nx;
    second.flush();
    Check("fetch over a page boundary, second NX").ends(run(user(code)), code, pf(21, linear + 4096));
    second[Pte] = second[Pte] & ~(pte::nx | pte::u);
    second.flush();
    Check("fetch over a page boundary, second supervisor").ends(run(user(code)), code, pf(21, linear + 4096));
    at<u8>(frame_pool + 4096) = 0x0b;  // 0F 0B: UD2
    second[Pte] = second[Pte] | pte::u;
    second.flush();
    Check("instruction over a page boundary").ends(run(user(code)), code, ud);
}

}  // namespace

void check_pages() {
    const bool smep = cpuid(7).ebx & 1 << 7, pages_1g = cpuid(0x80000001).edx & 1 << 26;
    check("4K", Pte, smep);
    check("2M", Pde, smep);
    if (pages_1g) check("1G", Pdpte, smep);
    check_reserved();
    check_crossing();
    forget_tables();
}

}  // namespace guest

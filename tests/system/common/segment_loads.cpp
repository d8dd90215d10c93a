// Each segment register loaded with each type of descriptor. Intel SDM vol. 2, "MOV", and vol. 3, "Privilege Level
// Checking When Accessing Data Segments".
#include "machine.hpp"

namespace guest {
namespace {

#ifdef __x86_64__
#define BITS 64
#else
#define BITS 32
#endif
#define LOAD(name, reg) LOAD_(BITS, name, reg)
#define LOAD_(bits, name, reg) CODE(bits, name, "mov " reg ", eax\nnop")
LOAD(load_ds, "ds")
LOAD(load_es, "es")
LOAD(load_fs, "fs")
LOAD(load_gs, "gs")
LOAD(load_ss, "ss")
constexpr Piece loads[] = {{"DS", load_ds}, {"ES", load_es}, {"FS", load_fs}, {"GS", load_gs}, {"SS", load_ss}};

const char* const types[] = {"type 0",
                             "16-bit TSS",
                             "LDT",
                             "busy 16-bit TSS",
                             "16-bit call gate",
                             "task gate",
                             "16-bit interrupt gate",
                             "16-bit trap gate",
                             "type 8",
                             "TSS",
                             "type 10",
                             "busy TSS",
                             "call gate",
                             "type 13",
                             "interrupt gate",
                             "trap gate",
                             "read-only data",
                             "read-only data accessed",
                             "data",
                             "data accessed",
                             "read-only expand-down",
                             "read-only expand-down accessed",
                             "expand-down",
                             "expand-down accessed",
                             "execute-only code",
                             "execute-only code accessed",
                             "code",
                             "code accessed",
                             "execute-only conforming",
                             "execute-only conforming accessed",
                             "conforming",
                             "conforming accessed"};

// What the manual says of loading a selector that names a descriptor.
Want wanted(bool stack, unsigned type, unsigned dpl, bool present, unsigned rpl, unsigned cpl, u16 selector) {
    const i64 error = selector & ~3;
    const bool memory = type & 16, code = type & 8, readable = !code || type & 2, conforming = code && type & 4;
    if (stack) {
        if (rpl != cpl || !memory || code || !(type & 2) || dpl != cpl) return gp(error);
        return present ? done : ss(error);
    }
    if (!memory || !readable) return gp(error);
    if (!conforming && (rpl > dpl || cpl > dpl)) return gp(error);
    return present ? done : np(error);
}

void check_one(const char* name, Code (*code)(), const Level& level, unsigned type) {
    const bool stack = name[0] == 'S';
    const unsigned cpl = level.regs == user ? 3 : 0;
    Check c(Name("load") << name << "with" << types[type] << level.name);
    for (unsigned dpl = 0; dpl < 4; ++dpl)
        for (unsigned present = 0; present < 2; ++present)
            for (unsigned rpl = 0; rpl < 4; ++rpl) {
                u64& entry = gdt[sel::spare / 8];
                const u8 access = static_cast<u8>(type | dpl << 5 | present << 7);
                // An expand-down segment ends where the limit says, all others begin there.
                entry = descriptor(0, (type & 28) == 20 ? 0 : 0xfffff, access, 0xc);
                Regs r = level.regs(code());
                const u16 selector = static_cast<u16>(sel::spare | rpl);
                r.gpr[Rax] = selector;
                const Want want = wanted(stack, type, dpl, present, rpl, cpl, selector);
                c.ends(run(r), code(), want);
                const bool loaded = want.vector == done.vector;
                // The accessed bit is set when it loads, and the rest of the descriptor stays.
                c.is("access byte", entry >> 40 & 0xff, access | (loaded ? 1 : 0));
            }
}

void check_special() {
    for (const Level& level : levels) {
        const unsigned cpl = level.regs == user ? 3 : 0;
        for (auto [name, code] : loads)
            for (unsigned rpl = 0; rpl < 4; ++rpl) {
                Regs r = level.regs(code());
                r.gpr[Rax] = rpl;
                const bool stack = name[0] == 'S';
                // Only 64-bit code of an inner level may have a null SS, and only with its own level.
                const bool good = !stack || (sizeof(uptr) == 8 && cpl < 3 && rpl == cpl);
                Check(Name("load") << name << "with null" << rpl << level.name)
                    .ends(run(r), code(), good ? done : gp(0));
            }
        for (auto [name, code] : loads) {
            Regs r = level.regs(code());
            r.gpr[Rax] = 0xfff8 | cpl;
            Check(Name("load") << name << "beyond the GDT" << level.name).ends(run(r), code(), gp(0xfff8));
            r.gpr[Rax] = 0x7ffc | cpl;
            Check(Name("load") << name << "beyond the LDT" << level.name).ends(run(r), code(), gp(0x7ffc));
        }
    }
}

}  // namespace

void check_segment_loads() {
    for (auto [name, code] : loads)
        for (const Level& level : levels)
            for (unsigned type = 0; type < 32; ++type) check_one(name, code, level, type);
    check_special();
}

}  // namespace guest

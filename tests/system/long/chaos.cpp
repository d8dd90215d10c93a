// Random bytes as programs, in 64-, 32- and 16-bit code, over random page tables and descriptors, with random system instructions
// between: nothing of it may stop the machine or reach what the page tables keep from it. Each round is ended by an exception
// or by the local APIC's timer. There is no expectation of what a round does; the vectors ask that of a real processor.
#include "common/random.hpp"
#include "long/apic.hpp"
#include "long/machine.hpp"

extern "C" const guest::u64 _start[], rodata_end[];

namespace guest {
namespace {

constexpr uptr area = 0x1000'0000;  // linear: 32 pages of random rights, and 4 GiB above it nothing
constexpr unsigned pages = 32, frames = 64, kept_frames = 8;
constexpr uptr kept = frame_pool + 0x20'0000;  // frames that only the kernel may touch, outside the large page
constexpr u64 kept_word = 0x1122'3344'5566'7788;
constexpr u16 ldt_selector = 0x60, code16 = 0x73, data16 = 0x7b;  // of the GDT
constexpr u8 timer_vector = 0x40;

alignas(4096) u64 table[512];
alignas(16) u64 ldt[32];
alignas(16) u8 fpu[512];
Random* numbers;  // of this run

u64 random() { return numbers->next(); }
u32 below(u32 n) { return numbers->below(n); }
bool one_in(u32 n) { return numbers->one_in(n); }

u64 random_entry() {
    const u64 frame = frame_pool + u64{below(frames)} * 4096;
    constexpr u64 open = pte::p | pte::w | pte::u;
    const u64 used = random() & (pte::a | pte::d);
    switch (below(20)) {
        case 0: return 0;
        case 1: return random() & ~pte::p;
        case 2: return frame | pte::p | pte::u | used;                               // read-only
        case 3: return (kept + u64{below(kept_frames)} * 4096) | pte::p | pte::w | used;  // the kernel's
        case 4: return frame | open | pte::nx | used;
        case 5: return frame | open | u64{1} << (40 + below(12));  // reserved bits
        case 6: return 0xd000'0000 | open | used;                  // nothing is there
        case 7: return (0xffff'0000 + u64{below(16)} * 4096) | open | used;  // ROM
        case 8: return frame | open | pte::g | pte::pcd | pte::pwt | used;
        default: return frame | open | used;
    }
}

void new_tables() {
    u64* directory = &const_cast<u64&>(at<u64>(at<u64>(pml4[0] & ~0xfffull) & 0xffff'ffff'f000));
    u64& entry = directory[area >> 21];
    entry = one_in(12) ? frame_pool | pte::p | pte::w | pte::u | pte::ps : address(table) | pte::p | pte::w | pte::u;
    for (unsigned n = 0; n < pages; ++n) table[n] = random_entry();
    write_cr3(address(pml4));
}

// Code and data of the round's level, but no gate and no system segment that leads to the kernel.
u64 random_descriptor() {
    const u32 base = one_in(2) ? static_cast<u32>(area) : static_cast<u32>(random());
    const u8 access = static_cast<u8>(0x10 | (random() & 0xef) | (one_in(4) ? 0 : 0xe0));
    return descriptor(base, static_cast<u32>(random()), access, random() & 15);
}

void new_descriptors() {
    for (u64& e : ldt) e = random_descriptor();
    // A call gate back to user code, which takes two entries.
    ldt[4] = (area & 0xffff) | u64{sel::user_code} << 16 | u64{0xec} << 40 | (area >> 16 & 0xffff) << 48;
    ldt[5] = 0;
}

void new_bytes() {
    static constexpr u8 usual[] = {0x01, 0x03, 0x29, 0x2b, 0x31, 0x39, 0x85, 0x89, 0x8b, 0x88, 0x8a, 0x8d, 0x50, 0x58, 0x72, 0x75,
                                   0xeb, 0xe8, 0xc3, 0xa4, 0xa5, 0xaa, 0xab, 0xae, 0xa6, 0xd1, 0xd3, 0xc1, 0xf7, 0xff, 0x87, 0x0f};
    for (unsigned f = 0; f < 8; ++f) {
        u8* bytes = reinterpret_cast<u8*>(frame_pool + below(frames) * 4096);
        const bool pure = one_in(3);
        for (unsigned n = 0; n + 8 <= 4096; n += 8) {
            u64 word = random();
            // Mostly opcodes that programs have, with operands near their registers.
            if (!pure) word = (word & ~0x80ffull) | usual[word >> 56 & 31];
            __builtin_memcpy(bytes + n, &word, 8);
        }
    }
}

void new_fpu() {
    for (unsigned n = 0; n < sizeof fpu; n += 8) {
        u64 word = random();
        __builtin_memcpy(fpu + n, &word, 8);
    }
    const u16 control = one_in(4) ? static_cast<u16>(random()) : 0x37f;
    const u32 mxcsr = one_in(4) ? static_cast<u32>(random() & 0xffff) : 0x1f80;
    __builtin_memcpy(fpu, &control, 2);
    __builtin_memcpy(fpu + 24, &mxcsr, 4);
    asm volatile("fxrstor %0" ::"m"(fpu));
}

Regs new_registers() {
    const Code code{area + below(pages * 4096), 0, 0};
    Regs r;
    switch (below(3)) {
        case 0: r = user(code); break;
        case 1: r = compat(code); break;
        default:
            r = compat16(code);
            r.cs = code16, r.rip &= 0xffff;
            r.ss = r.ds = r.es = data16;
    }
    for (unsigned n = 0; n < gpr_count; ++n) {
        const u64 inside = area + below(pages * 4096);
        r.gpr[n] = one_in(4) ? random() : one_in(4) ? below(64) : r.ss == data16 ? inside & 0xffff : inside;
    }
    if (one_in(4)) r.ds = below(32) << 3 | 7;
    if (one_in(4)) r.fs = below(32) << 3 | 7;
    r.flags = flag::reserved1 | flag::if_ | (random() & 0xcd5);
    if (one_in(20)) r.flags |= flag::ac;
    if (one_in(20)) r.flags |= flag::tf;
    if (one_in(20)) r.flags |= flag::rf;
    return r;
}

// A selector that cannot be loaded is no way into the guest.
bool loads(u64 selector, const u64* entries) {
    const u64 d = entries[selector >> 3];
    const u64 type = d >> 40 & 31;
    return (d >> 47 & 1) && (type & 0x10) && !((type & 8) && !(type & 2)) && ((d >> 45 & 3) == 3 || (type & 12) == 12);
}

CODE(64, chaos_wrmsr, "wrmsr")
CODE(64, chaos_rdmsr, "rdmsr")
CODE(64, chaos_cr0, "mov cr0, rax")
CODE(64, chaos_cr4, "mov cr4, rax")
CODE(64, chaos_cr8, "mov cr8, rax")
CODE(64, chaos_dr7, "mov dr0, rcx\nmov dr7, rax")
CODE(64, chaos_invlpg, "invlpg [rax]")
CODE(64, chaos_invpcid, "push rdx\npush rcx\ninvpcid rax, [rsp]")
CODE(64, chaos_xsetbv, "xsetbv")
CODE(64, chaos_in, "in al, dx\nin ax, dx\nin eax, dx")
CODE(64, chaos_out, "out dx, al\nout dx, ax\nout dx, eax")
CODE(64, chaos_lar, "lar rcx, ax\nlsl rcx, ax\nverr ax\nverw ax")
CODE(64, chaos_ltr, "ltr ax")
CODE(64, chaos_smsw, "smsw rcx\nlmsw ax")

// What would stop the machine, move its ROM, start a transfer to memory, or make the test's own devices others.
bool left_alone(u16 port) {
    static constexpr u16 ranges[][2] = {{0x1d, 0x21},   {0x3d, 0x43},   {0x5d, 0x64},   {0x6d, 0x71},   {0x8f, 0x92},  {0x9d, 0xa1},
                                        {0xaf, 0xb3},   {0xe6, 0xf4},   {0x3f5, 0x3ff}, {0x3ff, 0x402}, {0x50d, 0x51b}, {0x5fd, 0x64f},
                                        {0xcf5, 0xcff}, {0xaddd, 0xafff}, {0xb000, 0xb0ff}};
    for (auto [first, last] : ranges)
        if (port >= first && port <= last) return true;
    return port >= 0xfffc;
}

u64 random_msr() {
    for (;;) {
        const u64 index = one_in(2) ? below(0x600) : one_in(2) ? 0xc000'0080 + below(0x90) : random() & 0xffff'ffff;
        static constexpr u32 others[] = {msr::apic_base, msr::efer, msr::fs_base, msr::gs_base, msr::lstar, msr::cstar, msr::sysenter_eip};
        bool free = true;
        for (u32 other : others) free = free && index != other;
        if (free) return index;
    }
}

void system_instruction() {
    static constexpr Code (*kinds[])() = {chaos_wrmsr, chaos_rdmsr,   chaos_cr0,    chaos_cr4, chaos_cr8, chaos_dr7, chaos_invlpg,
                                          chaos_invpcid, chaos_xsetbv, chaos_in, chaos_out, chaos_lar, chaos_ltr, chaos_smsw};
    const auto kind = kinds[below(sizeof kinds / sizeof *kinds)];
    const u64 cr0 = read_cr0(), cr4 = read_cr4();
    Regs r = kernel(kind());
    for (unsigned n = 0; n < gpr_count; ++n)
        if (n != Rsp) r.gpr[n] = one_in(3) ? random() : one_in(2) ? below(0x100) : u64{1} << below(64);
    if (kind == chaos_wrmsr || kind == chaos_rdmsr) r.gpr[Rcx] = random_msr();
    if (kind == chaos_cr0) r.gpr[Rax] = one_in(2) ? cr0 ^ u64{1} << below(32) : random();
    if (kind == chaos_cr4) r.gpr[Rax] = one_in(2) ? cr4 ^ u64{1} << below(32) : random();
    if (kind == chaos_in || kind == chaos_out)
        do r.gpr[Rdx] = below(0x10000);
        while (left_alone(static_cast<u16>(r.gpr[Rdx])));
    if (kind == chaos_ltr) r.gpr[Rax] = sel::spare + 8 * below(8);  // never the one that is in use
    run(r);
    write_dr7(0x400);
    write_cr8(0);
    write_cr0(cr0);
    write_cr4(cr4);
}

u64 sum_of_program() {
    u64 sum = 0;
    for (const u64* p = _start; p < rodata_end; ++p) sum = sum * 31 + *p;
    return sum;
}

}  // namespace

void chaos(u64 seed, u64 rounds) {
    Random generator(seed);
    numbers = &generator;
    for (uptr n = 0; n < kept_frames * 512; ++n) at<u64>(kept + 8 * n) = kept_word;
    gdt[ldt_selector >> 3] = descriptor(static_cast<u32>(address(ldt)), sizeof ldt - 1, 0x82, 0);
    gdt[(ldt_selector >> 3) + 1] = 0;
    gdt[code16 >> 3] = descriptor(area, 0xffff, 0xfb, 0);
    gdt[data16 >> 3] = descriptor(area, 0xffff, 0xf3, 0);
    asm volatile("lldt %w0" ::"r"(ldt_selector));
    With control(With::Cr4, cr4::osfxsr | cr4::osxmm | cr4::tsd | cr4::de);
    With errors(With::Cr0, cr0::ne | cr0::mp | cr0::am, cr0::ts | cr0::em);
    // What programs may call in the kernel is not there.
    write_msr(msr::lstar, 0x2000'0000), write_msr(msr::cstar, 0x2000'0000), write_msr(msr::sysenter_eip, 0x2000'0000);
    apic_register(apic_at::spurious) = 0x1ff;
    apic_register(apic_at::lvt_timer) = timer_vector;
    apic_register(apic_at::timer_divide) = 0xb;
    const u64 sum = sum_of_program();
    u32 ended_by[256] = {};
    for (u64 round = 0; round < rounds;) {
        new_tables();
        new_bytes();
        for (unsigned n = 0; n < 20; ++n, ++round) {
            if (one_in(4)) new_descriptors();
            if (one_in(4)) system_instruction();
            new_fpu();
            Regs r = new_registers();
            if (r.ds & 4 && !loads(r.ds, ldt)) r.ds = sel::user_data;
            if (r.fs & 4 && !loads(r.fs, ldt)) r.fs = sel::user_data;
            apic_register(apic_at::timer_initial) = 20'000 + below(200'000);
            const Trap& t = run(r);
            ++ended_by[t.vector & 255];
            if (t.vector >= 32) apic_register(apic_at::eoi) = 0;
            apic_register(apic_at::timer_initial) = 0;
        }
        if (round % 1000) continue;
        Check check(Name("chaos") << static_cast<unsigned>(round) << "rounds");
        check.is("the program's own bytes", sum_of_program(), sum);
        u64 foreign = 0;
        for (uptr n = 0; n < kept_frames * 512; ++n) foreign += at<u64>(kept + 8 * n) != kept_word;
        check.is("words of the kernel's own pages that were changed", foreign, 0);
    }
    // Both ways out must have been met, or the rounds did nothing.
    Check("chaos ends").is("by exceptions", ended_by[6] && ended_by[13] && ended_by[14], 1).is("by the timer", ended_by[timer_vector] != 0, 1);
}

}  // namespace guest

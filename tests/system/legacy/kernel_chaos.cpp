// Random code of level 0 without long mode: 32 and 16 bits without paging and with both kinds of it over random tables,
// and real mode; virtual-8086 mode, which is level 3, beside them. See common/kernel_round.hpp.
#include "common/kernel_round.hpp"
#include "legacy/machine.hpp"

namespace guest {

void prepare_real_mode();
const Trap& run_real(const Regs&);

namespace {

constexpr uptr area = 0x2'0000;   // where real mode reaches it, too
constexpr uptr alias = 0x4'0000;  // with pages, the same frames for the round itself
constexpr u16 code16 = sel::spare, data16 = sel::spare + 8, below16 = sel::spare + 16, code32 = sel::spare + 24;
u32 usual_cr0, usual_cr3, usual_cr4;
u64 usual_mtrr;

void restore_registers() {
    write_cr0(usual_cr0);
    write_cr4(usual_cr4);
    write_cr3(usual_cr3);
    write_dr7(0x400);
    restore_descriptors();
}

Code code_at_rip(uptr rip) { return {rip, rip, rip}; }
Regs regs32(uptr rip) { return kernel(code_at_rip(rip)); }
// Without pages the segments alone keep code from running over all memory.
Regs regs32_short(uptr rip) {
    Regs r = kernel(code_at_rip(rip));
    r.cs = code32;
    r.ss = r.ds = r.es = r.fs = data16, r.gs = below16;
    return r;
}
Regs regs16(uptr rip) {
    Regs r = regs32_short(rip);
    r.cs = code16;
    return r;
}
Regs regs_real(uptr rip) {
    Regs r = real(code_at_rip(rip));
    r.cs = r.ss = r.ds = r.es = r.fs = r.gs = area >> 4;
    return r;
}
Regs regs_v8086(uptr rip) {
    Regs r = regs_real(rip);
    r.flags |= flag::vm | flag::iopl3;
    return r;
}

constexpr KernelMode flat{"32", 32, area, regs32, run}, with_limits{"32", 32, 0, regs32_short, run},
    with_bases{"16", 16, 0, regs16, run}, in_real{"real", 16, 0, regs_real, run_real},
    in_v8086{"v8086", 16, 0, regs_v8086, run};

// The arena's pages and as many behind it.
void new_tables(Random& r) {
    for (unsigned n = 0; n < 2 * arena_frames; ++n) {
        const u64 frame = area + u64{n < arena_frames && r.one_in(2) ? n : r.below(arena_frames)} * 4096;
        u64 e = frame | pte::p | pte::w | (r.next() & (pte::a | pte::d));
        switch (n < 2 ? 9 : r.below(10)) {
            case 0: e = 0; break;
            case 1: e = frame | pte::p; break;
            case 2: e = frame | pte::p | pte::w | pte::u; break;
            case 3: e = 0xd000'0000 | pte::p | pte::w; break;
            default: break;
        }
        if (n < 2) e = (area + n * 4096) | pte::p | pte::w | pte::u;
        low_tables[0][(area >> 12) + n] = static_cast<u32>(e);
        pae_tables[0][(area >> 12) + n] = e;
    }
    for (unsigned n = 0; n < arena_frames; ++n) {
        const u32 e = (area + n * 4096) | pte::p | pte::w;
        low_tables[0][(alias >> 12) + n] = e;
        pae_tables[0][(alias >> 12) + n] = e;
    }
    write_cr3(read_cr3());
}

// What code may leave for the rounds after it, which are to be the same whatever was before them.
void reset_state() {
    constexpr u64 usual_pat = 0x0007'0406'0007'0406;
    constexpr u32 zeros[] = {0x174,       0x175,       0x176,       0x200,       0xc000'0081, 0xc000'0082,
                             0xc000'0084, 0xc000'0100, 0xc000'0101, 0xc000'0102, 0xc000'0103};
    for (u32 index : zeros) write_msr(index, 0);
    write_msr(0x277, usual_pat), write_msr(0x2ff, usual_mtrr);
    asm volatile("mov %0, %%dr0\nmov %0, %%dr1\nmov %0, %%dr2\nmov %0, %%dr3" ::"r"(0));
    constexpr u32 osxsave = 1 << 18;
    write_cr4(usual_cr4 | osxsave);
    asm volatile("xsetbv" ::"c"(0), "a"(1), "d"(0));
    write_cr4(usual_cr4);
}

}  // namespace

void legacy_chaos(const Orders& given) {
    const Orders orders = given;
    prepare_real_mode();
    usual_cr0 = (read_cr0() | cr0::ne | cr0::mp | cr0::wp | cr0::cd | cr0::nw) & ~(cr0::ts | cr0::em | cr0::am);
    write_cr0(usual_cr0);
    write_cr4(read_cr4() | cr4::osfxsr | cr4::osxmm);
    usual_mtrr = read_msr(0x2ff), usual_cr3 = read_cr3(), usual_cr4 = read_cr4();
    const u32 plain_cr4 = read_cr4(), plain_cr3 = read_cr3();
    at<u32>(0xfee0'00f0) = 0x1ff;
    gdt[code16 >> 3] = descriptor(area, 0xffff, 0x9b, 0);
    gdt[data16 >> 3] = descriptor(area, 0xffff, 0x93, 0);
    gdt[code32 >> 3] = descriptor(area, 0xffff, 0x9b, 4);
    gdt[below16 >> 3] = descriptor(area, 0x2fff, 0x97, 0);
    u64 usual_gdt[64];
    for (unsigned n = 0; n < 64; ++n) usual_gdt[n] = gdt[n];
    clear_memory();
    Progress progress(orders);
    while (progress.next() < orders.first + orders.rounds) {
        const u64 number = progress.begin();
        Random r(orders.seed, number);
        for (unsigned n = 0; n < 64; ++n) gdt[n] = usual_gdt[n];
        outb(0x92, 2);  // a program may have closed the A20 gate
        restore_tables();
        // All that real mode reaches, also what no program has ever written and the boot's orders.
        memset(reinterpret_cast<void*>(0x400), 0, 0x100);
        memset(reinterpret_cast<void*>(0x508), 0, 0xa'0000 - 0x508);
        memset(reinterpret_cast<void*>(0xb'8000), 0, 0x8000);
        memset(reinterpret_cast<void*>(0x10'0000), 0, 0x1'0000);
        prepare_real_mode();
        reset_state();
        const KernelMode& mode = r.one_in(3)   ? in_real
                                 : r.one_in(4) ? in_v8086
                                 : r.one_in(3) ? with_bases
                                 : r.one_in(3) ? with_limits
                                               : flat;
        KernelRound round{r, mode, reinterpret_cast<u8*>(area), restore_registers, orders.told(number)};
        Sum sum;
        print_number(static_cast<u32>(number)), print(":");
        bool ended;
        const auto run_round = [&] {
            usual_cr0 = read_cr0(), usual_cr3 = read_cr3(), usual_cr4 = read_cr4();
            ended = round.run(sum);
        };
        round.fill();
        if (mode.run == run_real || (&mode != &flat && r.one_in(3))) {
            run_round();
        } else {
            new_tables(r);
            const bool pae = r.one_in(2);
            Paging paging(pae ? Kind::Pae : Kind::Bits32);
            round.frames = reinterpret_cast<u8*>(alias);
            run_round();
        }
        round.frames = reinterpret_cast<u8*>(area);
        write_cr0(read_cr0() & ~cr0::pg), write_cr4(plain_cr4), write_cr3(plain_cr3);
        usual_cr0 = read_cr0(), usual_cr3 = plain_cr3, usual_cr4 = plain_cr4;
        round.add_memory(sum);
        if (ended)
            print_hex(sum.value(), 8);
        else
            print("-");
        print(number % 8 == 7 ? "\n" : " ");
    }
    print("\nchaos ends\n");
}

}  // namespace guest

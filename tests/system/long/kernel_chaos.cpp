// Random code of level 0 in long mode, 64-bit and both compatibility modes, over random page tables; see
// common/kernel_round.hpp.
#include "common/kernel_round.hpp"
#include "long/apic.hpp"
#include "long/machine.hpp"

namespace guest {
namespace {

constexpr uptr area = 0x1000'0000;
constexpr unsigned pages = 16;
constexpr u16 code16 = sel::spare, data16 = sel::spare + 8;
alignas(4096) u64 table[512];
constexpr unsigned low_pages = 256;
u64* lowest;
u64 usual_cr0, usual_cr3, usual_cr4, usual_efer, usual_mtrr;
constexpr u32 mtrr_base0 = 0x200, mtrr_default = 0x2ff;

struct [[gnu::packed]] TableRegister {
    u16 limit;
    u64 base;
};

// Not what lies in memory, but what registers hold.
void restore_registers() {
    write_cr0(usual_cr0);
    write_cr4(usual_cr4);
    write_msr(msr::efer, usual_efer);
    write_cr3(usual_cr3);
    write_dr7(0x400);
    write_cr8(0);
    TableRegister t{sizeof gdt - 1, address(gdt)};
    asm volatile("lgdt %0" ::"m"(t));
    t = {sizeof idt - 1, address(idt)};
    asm volatile("lidt %0" ::"m"(t));
    gdt[sel::tss / 8] = descriptor(static_cast<u32>(address(&tss)), sizeof tss - 1, 0x89, 0);
    asm volatile("ltr %w0\nlldt %w1" ::"r"(sel::tss), "r"(0));
}

// What code may leave for the rounds after it, which are to be the same whatever was before them.
void reset_state(Random& r) {
    constexpr u64 usual_pat = 0x0007'0406'0007'0406;
    const struct {
        u32 index;
        u64 value;
    } msrs[] = {{msr::kernel_gs_base, area + r.below(arena_bytes)},
                {msr::star, u64{0x10} << 48 | u64{0x08} << 32},
                {msr::lstar, area + code_at + 0x20},
                {msr::cstar, area + code_at},
                {msr::fmask, r.next() & 0x3f7fd5},
                {msr::sysenter_cs, 0},
                {msr::sysenter_esp, 0},
                {msr::sysenter_eip, 0},
                {msr::tsc_aux, 0},
                {msr::pat, usual_pat},
                {mtrr_base0, 0},
                {mtrr_default, usual_mtrr}};
    for (const auto& m : msrs) write_msr(m.index, m.value);
    write_dr0(0), write_dr1(0), write_dr2(0), write_dr3(0);
    write_cr4(usual_cr4 | cr4::osxsave);
    asm volatile("xsetbv" ::"c"(0), "a"(1), "d"(0));
    write_cr4(usual_cr4);
}

void new_tables(Random& r) {
    constexpr u64 open = pte::p | pte::w;
    for (unsigned n = 0; n < pages; ++n) {
        const u64 frame = frame_pool + u64{n < arena_frames && r.one_in(2) ? n : r.below(arena_frames)} * 4096;
        u64& e = table[n];
        const u64 used = r.next() & (pte::a | pte::d);
        switch (n < 2 ? 8 : n < 4 ? 9 : r.below(12)) {
            case 0: e = 0; break;
            case 1: e = frame | pte::p | used; break;
            case 2: e = frame | open | pte::u | used; break;
            case 3: e = frame | open | pte::nx | used; break;
            case 4: e = frame | open | u64{1} << (40 + r.below(12)); break;
            case 5: e = 0xd000'0000 | open | used; break;
            case 6: e = (0xffff'0000 + u64{r.below(16)} * 4096) | open | used; break;
            case 7: e = frame | open | pte::g | used; break;
            case 8: e = (frame_pool + n * 4096) | open | used; break;
            default: e = frame | open | used;
        }
    }
    u64* pdpt = &const_cast<u64&>(at<u64>(pml4[0] & 0xffff'ffff'f000));
    u64* directory = &const_cast<u64&>(at<u64>(pdpt[0] & 0xffff'ffff'f000));
    lowest = &const_cast<u64&>(at<u64>(directory[0] & 0xffff'ffff'f000));
    directory[area >> 21] = address(table) | open | pte::u;
    // What 16-bit addresses reach is not there, so that nothing is left in it for later rounds.
    for (unsigned n = 0; n < low_pages; ++n) lowest[n] = 0;
    write_cr3(read_cr3());
}

Regs regs64(uptr rip) {
    Regs r = kernel({rip, rip, rip});
    r.fs = r.gs = data16;
    return r;
}
Regs regs32(uptr rip) {
    Regs r = kernel32({rip, rip, rip});
    r.fs = r.gs = data16;
    return r;
}
Regs regs16(uptr rip) {
    Regs r = kernel32({rip, rip, rip});
    r.cs = code16;
    r.ss = r.ds = r.es = r.fs = r.gs = data16;
    return r;
}

constexpr KernelMode modes[] = {
    {"64", 64, area, regs64, run}, {"32", 32, area, regs32, run}, {"16", 16, 0, regs16, run}};

}  // namespace

void kernel_chaos(const Orders& orders) {
    usual_cr4 = read_cr4() | cr4::osfxsr | cr4::osxmm;
    usual_cr0 = (read_cr0() | cr0::ne | cr0::mp | cr0::wp | cr0::cd | cr0::nw) & ~(cr0::ts | cr0::em | cr0::am);
    usual_cr3 = read_cr3(), usual_efer = read_msr(msr::efer), usual_mtrr = read_msr(mtrr_default);
    write_cr0(usual_cr0), write_cr4(usual_cr4);
    apic_register(apic_at::spurious) = 0x1ff;
    u64 restored[64];
    gdt[code16 >> 3] = descriptor(area, 0xffff, 0x9b, 0);
    gdt[data16 >> 3] = descriptor(area, 0xffff, 0x93, 0);
    for (unsigned n = 0; n < 64; ++n) restored[n] = gdt[n];
    clear_memory();
    Progress progress(orders);
    while (progress.next() < orders.first + orders.rounds) {
        const u64 number = progress.begin();
        Random r(orders.seed, number);
        for (unsigned n = 0; n < 64; ++n) gdt[n] = restored[n];
        for (unsigned n = 0; n < 256; ++n) reset_gate(n);
        tss.ist[0] = address(ist_stack + sizeof ist_stack);
        new_tables(r);
        reset_state(r);
        KernelRound round{r, modes[r.below(2) ? 0 : r.below(3)], reinterpret_cast<u8*>(frame_pool), restore_registers,
                          orders.told(number)};
        Sum sum;
        print_number(static_cast<u32>(number)), print(":");
        round.fill();
        const bool ended = round.run(sum);
        round.add_memory(sum);
        if (ended)
            print_hex(sum.value(), 8);
        else
            print("-");
        print(number % 8 == 7 ? "\n" : " ");
    }
    for (u64 n = 0; lowest && n < low_pages; ++n) lowest[n] = n * 4096 | pte::p | pte::w;
    write_cr3(read_cr3());
    print("\nchaos ends\n");
}

}  // namespace guest

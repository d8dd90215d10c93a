#include "long/machine.hpp"

#include "common/random.hpp"

namespace guest {

alignas(16) u64 gdt[64];
alignas(16) u64 idt[512];
alignas(16) Tss tss;
alignas(4096) u64 pml4[512];
[[gnu::section(".user")]] alignas(4096) u8 user_page[8192];
[[gnu::section(".user")]] alignas(4096) u8 user_stack[4096];
alignas(16) u8 kernel_stack[4096], ist_stack[4096], ring0_stack[4096], ring1_stack[4096], ring2_stack[4096];
const char program[] = "long";
Regs entering;
Trap trapped;

extern "C" const u8 stubs[], user_begin[], user_end[];

namespace {

alignas(4096) u64 pdpt[512], low_pd[512], high_pd[512], low_pt[8][512];

void make_tables() {
    pml4[0] = address(pdpt) | pte::p | pte::w | pte::u;
    pdpt[0] = address(low_pd) | pte::p | pte::w | pte::u;
    pdpt[3] = address(high_pd) | pte::p | pte::w;
    for (unsigned n = 0; n < 8; ++n) low_pd[n] = address(low_pt[n]) | pte::p | pte::w | pte::u;
    for (uptr page = 0; page < 8 * 512; ++page) {
        const uptr where = page << 12;
        const bool open = where >= address(user_begin) && where < address(user_end);
        low_pt[page / 512][page % 512] = where | pte::p | pte::w | (open ? pte::u : 0);
    }
    constexpr u64 places[] = {0xfec0'0000, 0xfee0'0000};  // the I/O APIC and the HPET, the local APIC
    for (u64 devices : places) high_pd[devices >> 21 & 511] = devices | pte::p | pte::w | pte::pcd | pte::ps;
    write_cr3(address(pml4));
}

void make_descriptors() {
    gdt[1] = descriptor(0, 0xfffff, 0x9b, 0xa);
    gdt[2] = descriptor(0, 0xfffff, 0x93, 0xc);
    gdt[3] = descriptor(0, 0xfffff, 0xfb, 0xc);
    gdt[4] = descriptor(0, 0xfffff, 0xf3, 0xc);
    gdt[5] = descriptor(0, 0xfffff, 0xfb, 0xa);
    gdt[6] = descriptor(0, 0xfffff, 0x9b, 0xc);
    gdt[7] = descriptor(0, 0xfffff, 0x9b, 0x8);
    gdt[8] = descriptor(0, 0xfffff, 0xfb, 0x8);
    gdt[9] = descriptor(static_cast<u32>(address(&tss)), sizeof tss - 1, 0x89, 0);
    gdt[10] = 0;
    gdt[sel::code1 / 8] = descriptor(0, 0xfffff, 0xbb, 0xa);
    gdt[sel::data1 / 8] = descriptor(0, 0xfffff, 0xb3, 0xc);
    gdt[sel::code2 / 8] = descriptor(0, 0xfffff, 0xdb, 0xa);
    gdt[sel::data2 / 8] = descriptor(0, 0xfffff, 0xd3, 0xc);
    gdt[sel::code1_32 / 8] = descriptor(0, 0xfffff, 0xbb, 0xc);
    gdt[sel::code2_32 / 8] = descriptor(0, 0xfffff, 0xdb, 0xc);
    gdt[sel::code64k / 8] = descriptor(0, 0xffff, 0x9b, 0);
    gdt[sel::data64k / 8] = descriptor(0, 0xffff, 0x93, 0);
    tss.rsp[0] = address(ring0_stack + sizeof ring0_stack);
    tss.rsp[1] = address(ring1_stack + sizeof ring1_stack);
    tss.rsp[2] = address(ring2_stack + sizeof ring2_stack);
    tss.ist[0] = address(ist_stack + sizeof ist_stack);
    tss.map_base = __builtin_offsetof(Tss, map);
    for (u8& byte : tss.map) byte = 0xff;
    struct [[gnu::packed]] {
        u16 limit;
        u64 base;
    } table{sizeof gdt - 1, address(gdt)};
    asm volatile("lgdt %0" ::"m"(table));
    asm volatile("ltr %w0" ::"r"(sel::tss));
    for (unsigned n = 0; n < 256; ++n) reset_gate(n);
    table = {sizeof idt - 1, address(idt)};
    asm volatile("lidt %0" ::"m"(table));
}

}  // namespace

uptr stub(unsigned vector) { return address(stubs) + 16 * vector; }

void set_gate(unsigned vector, u64 offset, u16 selector, u8 access, u8 ist) {
    idt[2 * vector] =
        (offset & 0xffff) | u64{selector} << 16 | u64{ist} << 32 | u64{access} << 40 | (offset >> 16 & 0xffff) << 48;
    idt[2 * vector + 1] = offset >> 32;
}

// Interrupt gates on a stack of their own. User mode may call #BP, with which its pieces of code end, and #OF.
void reset_gate(unsigned vector) {
    set_gate(vector, stub(vector), sel::kernel_code, vector == 3 || vector == 4 ? 0xee : 0x8e);
}

namespace {

Regs at_code(const Code& c, u16 cs, u16 ss) {
    Regs r{};
    r.rip = c.begin, r.cs = cs, r.flags = flag::reserved1, r.ss = ss;
    const unsigned level = cs & 3;
    r.gpr[Rsp] = 4096 + (level == 3   ? address(user_stack)
                         : level == 2 ? address(ring2_stack)
                         : level      ? address(ring1_stack)
                                      : address(kernel_stack));
    r.ds = r.es = r.fs = r.gs = level ? sel::user_data : sel::kernel_data;
    return r;
}

}  // namespace

Regs kernel(const Code& c) { return at_code(c, sel::kernel_code, sel::kernel_data); }
Regs user(const Code& c) { return at_code(c, sel::user_code, sel::user_data); }
Regs level1(const Code& c) { return at_code(c, sel::code1, sel::data1); }
Regs level2(const Code& c) { return at_code(c, sel::code2, sel::data2); }
Regs compat1(const Code& c) { return at_code(c, sel::code1_32, sel::data1); }
Regs compat2(const Code& c) { return at_code(c, sel::code2_32, sel::data2); }
Regs compat(const Code& c) { return at_code(c, sel::user_code32, sel::user_data); }
Regs compat16(const Code& c) { return at_code(c, sel::user_code16, sel::user_data); }
Regs kernel32(const Code& c) { return at_code(c, sel::kernel_code32, sel::kernel_data); }

const Trap& run(const Regs& r) {
    entering = r;
    write_cr2(0);
    write_dr6(0xffff0ff0);
    asm volatile("call enter" ::: "memory", "rax", "rcx", "rdx", "rsi", "rdi", "r8", "r9", "r10", "r11", "cc");
    return trapped;
}

void check_pages();
void check_addresses();
void check_segment_loads();
void check_faults();
void check_late_faults();
void check_control();
void check_machine_check();
void check_debug();
void check_interrupts();
void check_gates();
void check_segments();
void check_system_calls();
void check_invalidation();
void check_self_modifying();
void check_privilege();
void check_state();
void check_reset();
void check_rings();
void check_leaving();
void chaos(u64 seed, u64 rounds);
void kernel_chaos(const Orders&);
void device_chaos(const Orders&);

extern "C" void main() {
    make_tables();
    make_descriptors();
    if (const Orders o = orders(); o.rounds) {
        switch (o.kind) {
            case Orders::Kernel: kernel_chaos(o); break;
            case Orders::Devices: device_chaos(o); break;
            default: chaos(o.seed, o.rounds);
        }
        return print_summary();
    }
    check_segment_loads();
    check_faults();
    check_late_faults();
    check_pages();
    check_addresses();
    check_control();
    check_machine_check();
    check_privilege();
    check_gates();
    check_system_calls();
    check_interrupts();
    check_debug();
    check_invalidation();
    check_self_modifying();
    check_state();
    check_rings();
    check_leaving();
    check_reset();
    print_summary();
}

}  // namespace guest

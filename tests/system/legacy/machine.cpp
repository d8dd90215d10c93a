#include "legacy/machine.hpp"

#include "common/random.hpp"

namespace guest {

const char program[] = "legacy";
alignas(16) u64 gdt[64];
alignas(16) u64 ldt[16];
alignas(16) u64 idt[256];
alignas(16) Tss tss, double_fault_tss;
[[gnu::section(".user")]] alignas(4096) u8 user_page[8192];
[[gnu::section(".user")]] alignas(4096) u8 user_stack[4096];
[[gnu::section(".user")]] alignas(4096) u8 ring1_stack[4096], ring2_stack[4096];
alignas(4096) u8 kernel_stack[4096], ring0_stack[4096];
alignas(16) u8 double_fault_stack[4096];
alignas(4096) u32 low_tables[4][1024];
alignas(4096) u64 pae_tables[8][512];
Regs entering;
Trap trapped;

extern "C" const u8 stubs[], user_begin[], user_end[];
extern "C" void double_fault();

namespace {

alignas(4096) u32 directory[1024];
alignas(32) u64 pdpt[4];
alignas(4096) u64 pae_directory[512], high_directory[512];
alignas(4096) u32 high_table[1024];

struct [[gnu::packed]] Table {
    u16 limit;
    u32 base;
};

u64 low_entry(uptr page) {
    const uptr where = page << 12;
    const bool open = where < 0x100000 || (where >= address(user_begin) && where < address(user_end));
    return where | pte::p | pte::w | (open ? pte::u : 0);
}

void make_tables() {
    for (uptr page = 0; page < 4096; ++page) {
        low_tables[page / 1024][page % 1024] = static_cast<u32>(low_entry(page));
        pae_tables[page / 512][page % 512] = low_entry(page);
    }
    for (unsigned n = 0; n < 4; ++n) directory[n] = address(low_tables[n]) | pte::p | pte::w | pte::u;
    for (unsigned n = 0; n < 8; ++n) pae_directory[n] = address(pae_tables[n]) | pte::p | pte::w | pte::u;
    pdpt[0] = address(pae_directory) | pte::p;
}

void make_tss(Tss& t) {
    t.ss0 = sel::kernel_data, t.esp0 = address(ring0_stack + sizeof ring0_stack);
    t.ss1 = sel::data1, t.esp1 = address(ring1_stack + sizeof ring1_stack);
    t.ss2 = sel::data2, t.esp2 = address(ring2_stack + sizeof ring2_stack);
    t.map_base = __builtin_offsetof(Tss, map);
    for (u8& byte : t.map) byte = 0xff;
}

void make_double_fault_task() {
    Tss& t = double_fault_tss;
    make_tss(t);
    t.eip = address(reinterpret_cast<const void*>(&double_fault));
    t.eflags = 2;
    t.gpr[Rsp] = address(double_fault_stack + sizeof double_fault_stack);
    for (u32& seg : t.seg) seg = sel::kernel_data;
    t.seg[1] = sel::kernel_code;
    t.cr3 = read_cr3();
    gdt[sel::double_fault / 8] = descriptor(address(&t), tss_size - 1, 0x89, 0);
}

void make_descriptors() {
    gdt[1] = descriptor(0, 0xfffff, 0x9b, 0xc);
    gdt[2] = descriptor(0, 0xfffff, 0x93, 0xc);
    gdt[3] = descriptor(0, 0xfffff, 0xfb, 0xc);
    gdt[4] = descriptor(0, 0xfffff, 0xf3, 0xc);
    gdt[5] = descriptor(0, 0xfffff, 0x9b, 0x8);
    gdt[6] = descriptor(0, 0xfffff, 0x93, 0x8);
    gdt[7] = descriptor(0, 0xfffff, 0xfb, 0x8);
    gdt[8] = descriptor(address(&tss), sizeof tss - 1, 0x89, 0);
    gdt[10] = descriptor(0, 0xfffff, 0xbb, 0xc);
    gdt[11] = descriptor(0, 0xfffff, 0xb3, 0xc);
    gdt[12] = descriptor(0, 0xfffff, 0xdb, 0xc);
    gdt[13] = descriptor(0, 0xfffff, 0xd3, 0xc);
    gdt[14] = descriptor(address(ldt), sizeof ldt - 1, 0x82, 0);
    gdt[15] = descriptor(0, 0xffff, 0x9b, 0);
    gdt[16] = descriptor(0, 0xffff, 0x93, 0);
    make_tss(tss);
    make_double_fault_task();
    load_gdt();
    asm volatile("ljmp %0, $1f\n1: mov %1, %%ds\nmov %1, %%es\nmov %1, %%fs\nmov %1, %%gs\nmov %1, %%ss" ::"i"(8),
                 "r"(16));
    asm volatile("ltr %w0" ::"r"(sel::tss));
    for (unsigned n = 0; n < 256; ++n) reset_gate(n);
    const Table table{sizeof idt - 1, address(idt)};
    asm volatile("lidt %0" ::"m"(table));
}

}  // namespace

void restore_descriptors() {
    gdt[8] = descriptor(address(&tss), sizeof tss - 1, 0x89, 0);
    load_gdt();
    const Table table{sizeof idt - 1, address(idt)};
    asm volatile("lidt %0\nltr %w1" ::"m"(table), "r"(sel::tss));
    load_ldt();
}

void restore_tables() {
    make_tables();
    constexpr u32 from = 0xfec0'0000;  // I/O APIC, HPET, local APIC
    for (u32 n = 0; n < 1024; ++n) high_table[n] = (from + n * 4096) | pte::p | pte::w | pte::pcd;
    directory[from >> 22] = address(high_table) | pte::p | pte::w;
    for (u32 n = 0; n < 2; ++n) high_directory[(from >> 21 & 511) + n] = (from + n * 0x20'0000) | pte::p | pte::w | pte::ps;
    pdpt[3] = address(high_directory) | pte::p;
    make_tss(tss);
    make_double_fault_task();
    for (unsigned n = 0; n < 256; ++n) reset_gate(n);
}

void load_gdt(u32 limit) {
    const Table table{static_cast<u16>(limit), address(gdt)};
    asm volatile("lgdt %0" ::"m"(table));
}

void load_ldt(u32 limit) {
    gdt[14] = descriptor(address(ldt), limit, 0x82, 0);
    asm volatile("lldt %w0" ::"r"(sel::ldt));
}

uptr stub(unsigned vector) { return address(stubs) + 16 * vector; }
void set_gate(unsigned vector, u32 offset, u16 selector, u8 access) { idt[vector] = gate(selector, offset, access); }
void reset_gate(unsigned vector) {
    if (vector == 8)
        set_gate(8, 0, sel::double_fault, 0x85);
    else
        set_gate(vector, stub(vector), sel::kernel_code, vector == 3 || vector == 4 ? 0xee : 0x8e);
}

// What the double fault's task found in the TSS of the one before.
extern "C" void double_fault_registers() {
    Trap& t = trapped;
    for (unsigned n = 0; n < 8; ++n) t.gpr[n] = tss.gpr[n];
    t.rip = tss.eip, t.flags = tss.eflags;
    t.es = tss.seg[0], t.cs = tss.seg[1], t.ss = tss.seg[2], t.ds = tss.seg[3], t.fs = tss.seg[4], t.gs = tss.seg[5];
    gdt[sel::tss / 8] &= ~(2ull << 40);
    asm volatile("ltr %w0" ::"r"(sel::tss));
    make_double_fault_task();
}

namespace {

Regs at_code(const Code& c, u16 cs, u16 ss, u16 ds, u8* stack) {
    Regs r{};
    r.rip = c.begin, r.cs = cs, r.flags = flag::reserved1, r.ss = ss;
    r.gpr[Rsp] = address(stack + 4096);
    r.ds = r.es = r.fs = r.gs = ds;
    return r;
}

}  // namespace

Regs kernel(const Code& c) { return at_code(c, sel::kernel_code, sel::kernel_data, sel::kernel_data, kernel_stack); }
Regs user(const Code& c) { return at_code(c, sel::user_code, sel::user_data, sel::user_data, user_stack); }
Regs level1(const Code& c) { return at_code(c, sel::code1, sel::data1, sel::user_data, ring1_stack); }
Regs level2(const Code& c) { return at_code(c, sel::code2, sel::data2, sel::user_data, ring2_stack); }
Regs kernel16(const Code& c) {
    return at_code(c, sel::kernel_code16, sel::kernel_data, sel::kernel_data, kernel_stack);
}
Regs user16(const Code& c) { return at_code(c, sel::user_code16, sel::user_data, sel::user_data, user_stack); }

Code copied_low(const Code& c) {
    memcpy(reinterpret_cast<void*>(low_code), reinterpret_cast<const void*>(c.begin), c.end + 1 - c.begin);
    return {0, c.at - c.begin, c.end - c.begin};
}

Regs real(const Code& c) {
    Regs r{};
    r.rip = c.begin, r.cs = low_code >> 4, r.flags = flag::reserved1;
    r.ss = low_stack >> 4, r.gpr[Rsp] = 0x1000;
    r.ds = r.es = r.fs = r.gs = low_data >> 4;
    return r;
}
Regs v8086(const Code& c) {
    Regs r = real(c);
    r.flags |= flag::vm;
    return r;
}

extern "C" {
uptr entering_stack[2];  // ESP and SS, for LSS
}

const Trap& run(const Regs& r) {
    entering = r;
    entering_stack[0] = r.gpr[Rsp], entering_stack[1] = r.ss;
    write_cr2(0);
    write_dr6(0xffff0ff0);
    asm volatile("call enter" ::: "memory", "cc");
    // A processor may push a segment register as a word and leave what is above it.
    uptr* const segments[] = {&trapped.cs, &trapped.ss, &trapped.ds, &trapped.es, &trapped.fs, &trapped.gs};
    for (uptr* s : segments) *s &= 0xffff;
    return trapped;
}

Paging::Paging(Kind kind) {
    if (kind == Kind::Pae) write_cr4(read_cr4() | cr4::pae);
    write_cr3(kind == Kind::Pae ? address(pdpt) : address(directory));
    double_fault_tss.cr3 = read_cr3();
    write_cr0(read_cr0() | cr0::pg);
}
Paging::~Paging() {
    write_cr0(read_cr0() & ~cr0::pg);
    write_cr4(read_cr4() & ~cr4::pae);
}

void check_segment_loads();
void check_real();
void check_limits();
void check_gates();
void check_tasks();
void check_tasks16();
void check_late_faults();
void check_long_mode();
void check_v8086();
void check_pages();
void check_state();
void legacy_chaos(const Orders&);

extern "C" void main() {
    make_tables();
    make_descriptors();
    load_ldt();
    if (const Orders o = orders(); o.rounds) {
        legacy_chaos(o);
        print_summary();
        for (;;) asm volatile("cli\nhlt");
    }
    check_segment_loads();
    check_real();
    check_limits();
    check_gates();
    check_tasks();
    check_tasks16();
    check_late_faults();
    check_long_mode();
    check_v8086();
    check_pages();
    check_state();
}

}  // namespace guest

#include "loader/cpu_state.hpp"

namespace bmbt {
namespace {

using namespace x86;

// Access bytes as Segment::access has them: present, DPL 0.
constexpr u16 data16 = 0x0093, code16 = 0x009b, data32 = 0xc093, code32 = 0xc09b, code64 = 0xa09b, ldt = 0x0082,
              busy_tss = 0x008b;

// IA32_MTRR_DEF_TYPE.
constexpr u64 mtrrs_on = 1 << 11, write_back = 6;

// A descriptor with base 0 and limit 4 GiB - 1.
constexpr u64 flat_descriptor(u16 access) {
    return 0x000f'0000'0000'ffffull | u64{access & 0xffu} << 40 | u64{access & 0xf000u} << 40;
}

void write_gdt(PhysicalMap& memory, CpuState& s, u64 gdt, u16 code) {
    const u64 table[] = {0, 0, flat_descriptor(code), flat_descriptor(data32)};
    memory.write(gdt, table, sizeof table);
    s.gdtr = {gdt, sizeof table - 1};
}

CpuState flat_state(u16 code) {
    CpuState s;
    for (Segment& seg : s.seg) seg = {.selector = 0x18, .access = data32, .limit = 0xffff'ffff};
    s.seg[Cs] = {.selector = 0x10, .access = code, .limit = 0xffff'ffff};
    s.ldtr = {.access = ldt, .limit = 0};
    s.tr = {.access = busy_tss, .limit = 0x67};
    s.cr0 = cr0::pe | cr0::et;
    s.mtrr_def_type = mtrrs_on | write_back;
    return s;
}

}  // namespace

CpuState real_mode_state(u16 cs, u16 ip) {
    CpuState s;
    for (Segment& seg : s.seg) seg = {.access = data16, .limit = 0xffff};
    s.seg[Cs] = {.selector = cs, .access = code16, .limit = 0xffff, .base = u64{cs} << 4};
    s.ldtr = {.access = ldt, .limit = 0xffff};
    s.tr = {.access = busy_tss, .limit = 0xffff};
    s.gdtr = {0, 0xffff};
    s.idtr = {0, 0xffff};
    s.cr0 = cr0::cd | cr0::nw | cr0::et;
    s.rip = ip;
    return s;
}

CpuState reset_state() {
    CpuState s = real_mode_state(0xf000, 0xfff0);
    s.seg[Cs].base = 0xffff'0000;
    s.gpr[Rdx] = 0x600;  // a processor of family 6
    s.x87_control = 0x40;
    s.x87_tag = 0xff;  // tag word 5555h: each holds zero
    return s;
}

CpuState flat_protected_state(PhysicalMap& memory, u64 gdt) {
    CpuState s = flat_state(code32);
    write_gdt(memory, s, gdt, code32);
    return s;
}

CpuState flat_long_state(PhysicalMap& memory, u64 gdt, u64 tables) {
    CpuState s = flat_state(code64);
    write_gdt(memory, s, gdt, code64);

    constexpr u64 present_writable = 3, large = 1 << 7, directories = 4;
    auto put = [&](u64 table, u64 index, u64 entry) { memory.write(table + index * 8, &entry, sizeof entry); };
    const u64 pml4 = tables, pdpt = tables + page_size, pd = tables + 2 * page_size;
    memory.fill(tables, 0, identity_table_size);
    put(pml4, 0, pdpt | present_writable);
    for (u64 i = 0; i < directories; ++i) put(pdpt, i, (pd + i * page_size) | present_writable);
    for (u64 i = 0; i < directories * 512; ++i) put(pd, i, i << 21 | large | present_writable);

    s.cr0 |= cr0::pg;
    s.cr3 = pml4;
    s.cr4 = cr4::pae;
    s.efer = efer::lme | efer::lma;
    return s;
}

}  // namespace bmbt

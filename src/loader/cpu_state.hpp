// The registers a guest starts with: what a loader hands to whoever owns the vCPU.
#pragma once
#include "base/types.hpp"
#include "memory/physical_map.hpp"
#include "x86/registers.hpp"
#include "x86/segment.hpp"

namespace bmbt {

struct CpuState {
    u64 gpr[16] = {};
    u64 rip = 0, rflags = x86::flag::reserved1;
    x86::Segment seg[6], ldtr, tr;
    x86::TableRegister gdtr, idtr;
    u64 cr0 = x86::cr0::et, cr3 = 0, cr4 = 0, efer = 0;
    u64 mtrr_def_type = 0;
    u16 x87_control = 0x37f;  // as FNINIT leaves it, with no register in use
    u8 x87_tag = 0;
};

// Real mode at cs:ip, the other segments 0. Source: Intel SDM vol. 3, "Processor State After Reset".
CpuState real_mode_state(u16 cs, u16 ip);
// The first instruction of a PC: F000:FFF0 with CS based at 0xFFFF0000.
CpuState reset_state();

// Flat protected mode without paging, or long mode over an identity mapping of the first 4 GiB, both with CS = 0x10 and
// data segments 0x18, and all memory write-back as firmware leaves it. The tables they need are written to guest
// memory: GDT at `gdt`, page tables (six pages) at `tables`.
constexpr u64 identity_table_size = 6 * page_size;
CpuState flat_protected_state(PhysicalMap&, u64 gdt);
CpuState flat_long_state(PhysicalMap&, u64 gdt, u64 tables);

}  // namespace bmbt

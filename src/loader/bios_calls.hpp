// What a kernel that goes back to real mode finds of a BIOS after a direct boot: a vector table, the memory map by
// INT 15h E820h, a counted timer interrupt, and for the rest the answer that a call is not supported. Enough for GRUB, which asks for no more
// without disks.
#pragma once
#include "loader/memory_map.hpp"
#include "memory/physical_map.hpp"

namespace bmbt {

// Writes the vectors at 0 and their code and the map into the reserved memory at FE000h.
void place_bios_calls(PhysicalMap&, const MemoryMap&);

}  // namespace bmbt

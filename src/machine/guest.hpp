// One start of a guest: its memory mapped, its files in place, the registers it begins with.
#pragma once
#include <span>

#include "base/result.hpp"
#include "loader/cpu_state.hpp"
#include "machine/pc.hpp"

namespace bmbt {

// The files where the host has them.
struct GuestFiles {
    std::span<const u8> kernel, initrd;
};

// Maps the guest's address space anew, as it is at power-on: RAM (`ram` is its host-physical address, all of it in one
// piece), the legacy hole, and below 4 GiB the firmware's ROM (host-physical; size 0: none).
void map_guest_memory(PhysicalMap&, const RamLayout&, u64 ram, Range rom);

// Fails when firmware of this size cannot be shown at the reset vector.
Result<> check_firmware(std::span<const u8> rom);

// Loads what config.boot says into mapped memory and tells where the processor begins.
Result<CpuState> load_guest(const Config&, const GuestFiles&, PhysicalMap&, Pc&);

}  // namespace bmbt

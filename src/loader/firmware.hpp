// A firmware ROM and a raw 16-bit image: what runs without a loader's help.
#pragma once
#include "loader/boot_request.hpp"

namespace bmbt {

// Where a PC shows its ROM: whole below 4 GiB, its last 128 KiB also below 1 MiB.
struct RomPlacement {
    u64 high = 0;           // guest-physical address of the ROM's first byte
    u64 shadow = 0;         // guest-physical address of the copy below 1 MiB
    u64 shadow_offset = 0;  // of the copy in the ROM
    u64 shadow_size = 0;
};
Result<RomPlacement> place_rom(std::span<const u8> rom);

// Copies a flat image to `address` and starts it in real mode at address >> 4 : address & 15.
Result<CpuState> load_raw(PhysicalMap&, std::span<const u8> image, u64 address);

}  // namespace bmbt

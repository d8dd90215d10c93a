#include "loader/firmware.hpp"

#include <algorithm>

namespace bmbt {
namespace {

constexpr u64 rom_unit = 64_KiB, rom_largest = 16_MiB, shadow_largest = 128_KiB;
constexpr Error empty{"the file is empty; give an image with code in it"};
constexpr Error not_a_rom{"the firmware is no ROM image: its size must be a multiple of 64 KiB, 16 MiB at most"};
constexpr Error raw_too_high{"the raw image's address must lie below 1 MiB; give another with --raw FILE@ADDR"};
constexpr Error raw_does_not_fit{"the raw image does not end below 1 MiB; give a lower address with --raw FILE@ADDR"};

}  // namespace

Result<RomPlacement> place_rom(std::span<const u8> rom) {
    const u64 size = rom.size();
    if (size == 0) return std::unexpected(empty);
    if (size % rom_unit || size > rom_largest) return std::unexpected(not_a_rom);
    const u64 shadow = std::min(size, shadow_largest);
    return RomPlacement{
        .high = 4_GiB - size, .shadow = 1_MiB - shadow, .shadow_offset = size - shadow, .shadow_size = shadow};
}

Result<CpuState> load_raw(PhysicalMap& memory, std::span<const u8> image, u64 address) {
    if (image.empty()) return std::unexpected(empty);
    if (address >= 1_MiB) return std::unexpected(raw_too_high);
    if (image.size() > 1_MiB - address || !memory.write(address, image.data(), image.size()))
        return std::unexpected(raw_does_not_fit);
    return real_mode_state(address >> 4, address & 15);
}

}  // namespace bmbt

// Multiboot images, of the ELF and of the a.out kind. Source: Multiboot Specification 0.6.96.
#pragma once
#include <optional>

#include "loader/boot_request.hpp"

namespace bmbt {

struct MultibootHeader {
    u64 offset = 0;  // in the file
    u32 flags = 0;
    // The address fields, with flag 16.
    u32 header = 0, load = 0, load_end = 0, bss_end = 0, entry = 0;
};

std::optional<MultibootHeader> find_multiboot_header(std::span<const u8> image);
// The initrd becomes the one module.
Result<CpuState> load_multiboot(PhysicalMap&, const BootRequest&);

}  // namespace bmbt

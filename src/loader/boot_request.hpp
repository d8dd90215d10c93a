// What a loader is given: the files where the host has them, the command line, and the guest's memory.
#pragma once
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "loader/cpu_state.hpp"
#include "loader/memory_map.hpp"

namespace bmbt {

struct BootRequest {
    std::span<const u8> kernel, initrd;
    std::string_view command_line;
    const MemoryMap& map;
    u64 acpi_rsdp = 0;  // guest-physical; 0: none
};

// Low memory that direct boot uses for itself; usable RAM for the guest once it has read it.
namespace low_memory {
constexpr u64 gdt = 0x1000, boot_params = 0x2000, page_tables = 0x3000, command_line = 0x1'0000,
              command_line_room = 0x1'0000;
}

}  // namespace bmbt

// Linux bzImages by the 64-bit and the 32-bit boot protocol. Source: Linux, "The Linux/x86 Boot Protocol".
#pragma once
#include "loader/boot_request.hpp"

namespace bmbt {

// The fields of the setup header that matter here, bounds-checked but not yet believed.
struct LinuxHeader {
    u16 version = 0;
    u64 setup_size = 0;  // bytes of boot sector and real-mode code in front of the kernel proper
    u64 code_size = 0;   // bytes of the kernel proper
    u64 header_end = 0;  // file offset behind the setup header
    bool boots_64 = false, above_4g = false, relocatable = false;
    u64 alignment = 1;
    u64 preferred = 0;          // load address
    u64 memory_size = 0;        // bytes needed from the load address on
    u64 initrd_top = 0;         // one past the highest byte an initrd may use
    u64 command_line_size = 0;  // without the terminating zero
};

bool is_linux(std::span<const u8> image);
Result<LinuxHeader> read_linux_header(std::span<const u8> image);
Result<CpuState> load_linux(PhysicalMap&, const BootRequest&);

}  // namespace bmbt

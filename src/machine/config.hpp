// What the launcher asks for, in the image's command line, and the guest's memory that follows from it.
#pragma once
#include <optional>
#include <string_view>

#include "base/result.hpp"
#include "base/trace.hpp"
#include "gdb/description.hpp"
#include "loader/memory_map.hpp"

namespace bmbt {

enum class Boot : u8 { None, Linux, Multiboot, Bios, Raw };

struct Config {
    u64 memory = 0;  // bytes
    Boot boot = Boot::None;
    Range kernel, initrd, vectors;  // host-physical
    u64 raw_address = 0;
    bool stats = false, marks = false, no_reboot = false, gdb = false, test_devices = false, exact_mxcsr = false;
    std::optional<gdb::Arch> gdb_arch;  // what debuggers are told; by the guest's mode if there is none
    TraceSet trace;
    std::string_view command_line;  // the guest kernel's; points into the parsed text
};

// Words, separated by blanks: memory=N boot=linux|multiboot|bios|raw kernel=ADDR,SIZE initrd=ADDR,SIZE
// vectors=ADDR,SIZE raw-address=N stats marks no-reboot exact-mxcsr gdb gdb-arch=x86-64|i386|i8086 test-devices
// trace=E[,E], and last cmdline= with the rest of the line.
// Numbers are decimal or 0x.
Result<Config> parse_config(std::string_view text);

// Where the guest's RAM lies: from 0 up to the hole for devices below 4 GiB, and the rest from 4 GiB on.
struct RamLayout {
    explicit RamLayout(u64 memory);
    u64 low = 0, high = 0;  // bytes below the hole and above 4 GiB
    u64 frames() const;     // of a frame table that reaches RAM and the ROM below 4 GiB

    static constexpr u64 hole = 0xc000'0000, above = 4_GiB;
    static constexpr u64 conventional = 0x9'fc00, extended_bios = 0x9'fc00, video = 0xa'0000, option_roms = 0xc'0000,
                         firmware = 0xe'0000;
};

// The memory map that a directly booted guest gets; firmware makes its own.
MemoryMap direct_boot_map(const RamLayout&);

}  // namespace bmbt

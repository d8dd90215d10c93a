// What the machine under us has, as firmware tells it. Nothing about a board is known beforehand.
#pragma once
#include <array>
#include <span>
#include <string_view>

#include "base/result.hpp"
#include "host/loongarch/arena.hpp"
#include "host/loongarch/fdt.hpp"
#include "host/loongarch/power.hpp"

namespace bmbt::host {

using Range = Fdt::Range;

struct UartInfo {
    u64 base = 0;  // physical
    u32 clock_hz = 0;
    u32 line = 0;  // of the PCH-PIC
    u8 shift = 0;  // registers lie 1 << shift bytes apart
};

struct PciInfo {
    Range ecam;  // configuration space of the buses below
    u8 first_bus = 0, last_bus = 0;
    Range memory, io;                           // CPU addresses of the windows
    u64 memory_bus = 0, io_bus = 0;             // what their first byte is on the bus
    std::array<std::array<u32, 4>, 32> line{};  // PCH-PIC line of [device on the root bus][pin A..D]
};

struct InterruptInfo {
    u64 eiointc = 0;         // I/O CSR offset of its registers
    u32 cpu_line = 0;        // ESTAT.IS bit that it raises
    u64 pch_pic = 0;         // physical
    u32 pch_pic_vector = 0;  // vector of its line 0
    u64 msi_doorbell = 0;    // physical; 0: none
    u32 msi_first = 0, msi_count = 0;
};

struct HostInfo {
    std::array<Range, 16> ram_store{};
    unsigned ram_count = 0;
    std::span<const Range> ram() const { return {ram_store.data(), ram_count}; }

    std::array<UartInfo, 8> uart_store{};
    unsigned uart_count = 0;
    std::span<const UartInfo> uarts() const { return {uart_store.data(), uart_count}; }
    UartInfo console;

    u64 rtc = 0;  // LS7A RTC registers, physical; 0: none
    u32 rtc_line = 0;
    InterruptInfo interrupts;
    PciInfo pci;
    PowerRegister power_off, reset;
    u64 fw_cfg = 0;  // physical; 0: not QEMU

    Range initrd;                   // what the boot loader gave, physical; size 0: nothing
    std::string_view command_line;  // stays where firmware put it
    Range image;                    // ourselves
    unsigned cpus = 0;
    u64 timer_hz = 0;
    bool lasx = false;
};

// Entry registers as start.S got them.
struct BootRegisters {
    u64 efi_boot, command_line, system_table;
};

// Reads the device tree and CPUCFG. The console is opened as soon as it is known, so that errors can be seen.
Result<> find_host(const BootRegisters&, HostInfo&);

// The low RAM behind the image, without the initrd: what BMBT itself lives from.
Result<Arena> boot_arena(const HostInfo&);

}  // namespace bmbt::host

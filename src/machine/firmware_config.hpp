// What firmware and direct boots are told about the machine: fw_cfg's files and the ACPI tables.
#pragma once
#include "device/acpi_tables.hpp"
#include "device/fw_cfg.hpp"
#include "machine/config.hpp"
#include "memory/physical_map.hpp"

namespace bmbt {

class FirmwareConfig {
 public:
    FirmwareConfig(PhysicalMap& memory, const Config& config, const RamLayout& ram, const AcpiConfig& acpi);

    Port& port() { return fw_cfg_; }
    // Puts the ACPI tables where a PC has its firmware; returns the address of the root pointer.
    u64 place_tables();

 private:
    void add_files(const Config& config, const RamLayout& ram);

    PhysicalMap& memory_;
    FwCfg fw_cfg_;
    AcpiConfig acpi_config_;
    AcpiTables acpi_;
    MemoryMap map_;               // RAM as firmware is told of it
    u16 serial_console_ = 0x3f8;  // SeaBIOS shows its screen there
    u32 fail_wait_ms_ = 0;        // until SeaBIOS tries again to boot; ~0: never
    u8 boot_order_ = 0;           // an empty list
};

}  // namespace bmbt

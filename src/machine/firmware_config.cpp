#include "machine/firmware_config.hpp"

namespace bmbt {
namespace {

template <class T>
std::span<const u8> bytes_of(const T& value) {
    return {reinterpret_cast<const u8*>(&value), sizeof value};
}

}  // namespace

FirmwareConfig::FirmwareConfig(PhysicalMap& memory, const Config& config, const RamLayout& ram, const AcpiConfig& acpi)
    : memory_(memory), fw_cfg_(memory), acpi_config_(acpi) {
    fw_cfg_.add_number(FwCfg::RamSize, config.memory, 8);
    fw_cfg_.add_number(FwCfg::NbCpus, 1, 2);
    fw_cfg_.add_number(FwCfg::MaxCpus, 1, 2);
    fw_cfg_.add_number(FwCfg::BootMenu, 0, 2);
    if (config.boot == Boot::Bios) add_files(config, ram);
}

// The names are those that SeaBIOS looks for ("Runtime config" in its documentation).
void FirmwareConfig::add_files(const Config& config, const RamLayout& ram) {
    map_.add({0, ram.low}, MemoryType::Ram);
    map_.add({RamLayout::above, ram.high}, MemoryType::Ram);
    const auto entries = map_.entries();
    fw_cfg_.add_file("etc/e820", {reinterpret_cast<const u8*>(entries.data()), entries.size_bytes()});
    fw_cfg_.add_file("etc/sercon-port", bytes_of(serial_console_));
    fw_cfg_.add_file("bootorder", bytes_of(boot_order_));
    acpi_.build(acpi_config_, 0);
    fw_cfg_.add_file("etc/acpi/rsdp", acpi_.rsdp());
    fw_cfg_.add_file("etc/acpi/tables", acpi_.tables());
    fw_cfg_.add_file("etc/table-loader", acpi_.loader());
    // A run that ends at the first reset is not kept waiting for it.
    fail_wait_ms_ = config.no_reboot ? 1000 : ~u32{0};
    fw_cfg_.add_file("etc/boot-fail-wait", bytes_of(fail_wait_ms_));
}

u64 FirmwareConfig::place_tables() {
    constexpr u64 tables = RamLayout::firmware, root_pointer = 0xf'0000;
    acpi_.build(acpi_config_, tables);
    memory_.write(tables, acpi_.tables().data(), acpi_.tables().size());
    memory_.write(root_pointer, acpi_.rsdp().data(), acpi_.rsdp().size());
    return root_pointer;
}

}  // namespace bmbt

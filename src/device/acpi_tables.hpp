// The ACPI tables of this PC: for direct boots with their final addresses, for SeaBIOS and OVMF as the files of QEMU's
// table loader, which place them.
#pragma once
#include <array>
#include <span>

#include "base/types.hpp"

namespace bmbt {

// Where the machine has put things.
struct AcpiConfig {
    unsigned cpus = 1;  // local APIC IDs 0 to cpus - 1
    u64 lapic_base = 0xfee0'0000;
    u32 ioapic_base = 0xfec0'0000;
    u8 ioapic_id = 0;
    u64 hpet_base = 0xfed0'0000;  // 0: no HPET
    u16 pm_base = 0x600;
    u8 sci_irq = 9;
    bool keyboard = true;
    std::array<u16, 4> pirq_irqs{10, 10, 11, 11};  // what the ISA bridge's router is set to, for guests without APICs
    u32 pci_gsi = 16;                              // the four PIRQ lines at the I/O APIC
    u32 pci_window = 0xc000'0000, pci_window_end = 0xfebf'ffff;  // inclusive
    u64 pci_window64 = 0, pci_window64_end = 0;                  // 0: none
};

class AcpiTables {
 public:
    static constexpr usize tables_size = 0x4000, loader_size = 0x1000, rsdp_size = 36;

    // Builds everything for tables that lie at `tables_gpa`, a multiple of 64; 0 for the loader's files, whose
    // pointers are offsets and whose checksums firmware fills in. False: too many processors for the space.
    bool build(const AcpiConfig& config, u64 tables_gpa);

    std::span<const u8> tables() const { return std::span(tables_).first(used_); }  // etc/acpi/tables
    std::span<const u8> rsdp() const { return rsdp_; }                              // etc/acpi/rsdp; in F0000h-FFFFFh
    std::span<const u8> loader() const { return std::span(loader_).first(loader_used_); }  // etc/table-loader

 private:
    friend class AcpiWriter;
    alignas(64) std::array<u8, tables_size> tables_{};
    std::array<u8, rsdp_size> rsdp_{};
    std::array<u8, loader_size> loader_{};
    usize used_ = 0, loader_used_ = 0;
};

// The differentiated system description's body; for AcpiTables. The size, or 0 when it does not fit.
usize build_dsdt(const AcpiConfig& config, std::span<u8> body);

}  // namespace bmbt

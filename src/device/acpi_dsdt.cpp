// The differentiated system description: the PC's devices that cannot be found by probing.
#include "device/acpi_tables.hpp"
#include "device/aml.hpp"
#include "device/pirq.hpp"
#include "device/pm.hpp"

namespace bmbt {

namespace {

constexpr unsigned pci_devices = 32, pins = 4;

// One _PRT: address, pin, no link device, and the interrupt.
template <class F>
void routing(Aml& a, const char* name, F&& interrupt_of_pirq) {
    a.name(name);
    a.package(pci_devices * pins, [&] {
        for (unsigned device = 0; device < pci_devices; device++)
            for (unsigned pin = 0; pin < pins; pin++)
                a.package(4, [&] {
                    a.integer(device << 16 | 0xffff);
                    a.integer(pin);
                    a.integer(0);
                    a.integer(interrupt_of_pirq(pirq_of(device, pin)));
                });
    });
}

void isa_device(Aml& a, const char* name, const char* hid, auto&& crs) {
    a.device(name, [&] {
        a.id("_HID", hid);
        a.resources("_CRS", crs);
    });
}

void isa_devices(Aml& a, const AcpiConfig& c) {
    isa_device(a, "PIC_", "PNP0000", [&] {
        a.io(0x20, 2);
        a.io(0xa0, 2);
        a.io(0x4d0, 2);
        a.irq(2);
    });
    isa_device(a, "PIT_", "PNP0100", [&] {
        a.io(0x40, 4);
        if (!c.hpet_base) a.irq(0);
    });
    isa_device(a, "RTC_", "PNP0B00", [&] {
        a.io(0x70, 2);
        if (!c.hpet_base) a.irq(8);
    });
    isa_device(a, "SPKR", "PNP0800", [&] { a.io(0x61, 1); });
    if (c.keyboard) {
        isa_device(a, "PS2K", "PNP0303", [&] {
            a.io(0x60, 1);
            a.io(0x64, 1);
            a.irq(1);
        });
        isa_device(a, "PS2M", "PNP0F13", [&] { a.irq(12); });
    }
    a.device("COM1", [&] {
        a.id("_HID", "PNP0501");
        a.name("_UID", 1);
        a.resources("_CRS", [&] {
            a.io(0x3f8, 8);
            a.irq(4);
        });
    });
    // Ports of the board that no other device owns: power management, fw_cfg, delay, reset.
    a.device("MBRD", [&] {
        a.id("_HID", "PNP0C02");
        a.resources("_CRS", [&] {
            a.io(c.pm_base, PmLayout::size);
            a.io(0x510, 12);
            a.io(0x80, 1);
            a.io(0x92, 1);
        });
    });
    if (c.hpet_base)
        isa_device(a, "HPET", "PNP0103", [&] {
            a.irq(0);
            a.irq(8);
            a.memory32(static_cast<u32>(c.hpet_base), 0x400, false);
        });
}

void pci_bus(Aml& a, const AcpiConfig& c) {
    a.device("PCI0", [&] {
        a.id("_HID", "PNP0A03");
        a.name("_UID", 0);
        a.name("_BBN", 0);
        a.resources("_CRS", [&] {
            a.bus_numbers(0, 0xff);
            a.io(0xcf8, 8);
            a.word_io(0x0000, 0x0cf7);
            a.word_io(0x0d00, 0xffff);
            a.dword_memory(0xa0000, 0xbffff, true);
            if (c.pci_window_end > c.pci_window) a.dword_memory(c.pci_window, c.pci_window_end, false);
            if (c.pci_window64_end > c.pci_window64) a.qword_memory(c.pci_window64, c.pci_window64_end);
        });
        routing(a, "PRTP", [&](unsigned pirq) { return u64{c.pirq_irqs[pirq]}; });
        routing(a, "PRTA", [&](unsigned pirq) { return u64{c.pci_gsi} + pirq; });
        a.method("_PRT", 0, [&] {
            a.if_true([&] {
                a.path("\\PICM");
                a.return_name("PRTA");
            });
            a.return_name("PRTP");
        });
        a.device("ISA_", [&] {
            a.name("_ADR", 0x0001'0000);
            isa_devices(a, c);
        });
    });
}

}  // namespace

usize build_dsdt(const AcpiConfig& c, std::span<u8> body) {
    Aml a(body);
    // The guest says which interrupt controllers it uses: 0 the 8259 pair, 1 the APICs.
    a.name("PICM", 0);
    a.method("\\_PIC", 1, [&] { a.store_argument0("\\PICM"); });
    a.name("\\_S5_");
    a.package(4, [&] {
        for (int i = 0; i < 4; i++) a.integer(PmLayout::sleep_type_off);
    });
    a.scope("\\_SB_", [&] {
        for (unsigned i = 0; i < c.cpus; i++) {
            const char digits[] = "0123456789ABCDEF";
            const char name[] = {'C', 'P', digits[i / 16 & 15], digits[i % 16]};
            a.device({name, 4}, [&] {
                a.name("_HID");
                a.string("ACPI0007");
                a.name("_UID", i);
            });
        }
        pci_bus(a, c);
    });
    return a.overflowed() ? 0 : a.size();
}

}  // namespace bmbt

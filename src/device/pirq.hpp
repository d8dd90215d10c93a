// The board's wiring of PCI interrupts: which of the four PIRQ lines a slot's pin (0-3 for INTA#-INTD#) goes to. The
// ISA bridge, firmware and the ACPI tables agree on it.
#pragma once

namespace bmbt {

constexpr unsigned pirq_of(unsigned device, unsigned pin) { return (device + 3 + pin) & 3; }

}  // namespace bmbt

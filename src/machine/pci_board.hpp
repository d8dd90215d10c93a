// The PCI bus of this PC: 440FX host bridge, PIIX3 ISA bridge, PIIX4 power management, and what their registers move.
#pragma once
#include "device/pm.hpp"
#include "machine/isa_irqs.hpp"
#include "machine/port_bus.hpp"
#include "machine/shadow.hpp"
#include "pci/i440fx.hpp"
#include "pci/piix.hpp"

namespace bmbt {

class PciBoard final : private ShadowRam, private PmWindow {
 public:
    PciBoard(Shadow& shadow, PortBus& ports, Pm& pm, IsaIrqs& irqs, Port& reset_control)
        : shadow_(shadow),
          ports_(ports),
          pm_(pm),
          host_bridge_(*this),
          isa_bridge_(lines_of(irqs)),
          power_(*this),
          config_ports_(bus_, reset_control) {
        bus_.attach(0, 0, host_bridge_);
        bus_.attach(1, 0, isa_bridge_);
        bus_.attach(1, 3, power_);
        ports_.attach(0xcf8, 8, config_ports_);
    }
    PciBoard(const PciBoard&) = delete;
    PciBoard& operator=(const PciBoard&) = delete;

    // What firmware programs: RAM in place of ROM, and the power management registers at `base`.
    void prepare_direct_boot(u16 base) {
        for (u16 pam = 0x59; pam <= 0x5f; ++pam) host_bridge_.write(pam, Width::Byte, 0x33);
        power_.write(0x40, Width::Dword, base | 1u);
        power_.write(0x80, Width::Byte, 1);
    }

 private:
    static std::array<Line*, 16> lines_of(IsaIrqs& irqs) {
        std::array<Line*, 16> lines{};
        for (unsigned n = 0; n < lines.size(); ++n) lines[n] = &irqs[n];
        return lines;
    }
    void shadow(u32 base, u32 size, bool readable, bool writable) override {
        shadow_.set(base, size, readable, writable);
    }
    void smram(bool) override {}  // nothing enters system management mode
    // Other devices' ports, over which the datasheet leaves open who answers, stay theirs: CF8h has to move it away.
    void pm_window(u16 base, bool enabled) override {
        ports_.detach(pm_);
        if (enabled) ports_.attach_where_free(base, PmLayout::size, pm_);
    }

    Shadow& shadow_;
    PortBus& ports_;
    Pm& pm_;
    PciBus bus_;
    I440fx host_bridge_;
    Piix3 isa_bridge_;
    Piix4Pm power_;
    PciConfigPorts config_ports_;
};

}  // namespace bmbt

// Message signalled interrupts: writes to FEExxxxxh ("Message Signalled Interrupts", Intel SDM volume 3).
#pragma once
#include "base/bits.hpp"
#include "device/apic_bus.hpp"

namespace bmbt {

constexpr bool is_msi_address(u64 address) { return address >> 20 == 0xfee; }

inline bool deliver_msi(u64 address, u32 data, ApicBus& bus) {
    constexpr Field destination{12, 8};
    constexpr Bit redirect{3}, logical{2};
    constexpr Field vector{0, 8}, delivery{8, 3};
    constexpr Bit level{15};
    if (!is_msi_address(address)) return false;
    ApicMessage m{.destination = apic_destination(static_cast<u8>(destination.of(address)), logical.of(address)),
                  .logical = logical.of(address),
                  .delivery = static_cast<Delivery>(delivery.of(data)),
                  .vector = static_cast<u8>(vector.of(data)),
                  .level = level.of(data)};
    // The redirection hint asks for one processor of a logical set.
    if (redirect.of(address) && m.logical && m.delivery == Delivery::Fixed) m.delivery = Delivery::LowestPriority;
    return bus.send(m);
}

}  // namespace bmbt

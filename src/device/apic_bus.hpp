// Interrupt messages between I/O APIC, MSI, and local APICs ("Advanced Programmable Interrupt Controller (APIC)",
// Intel SDM volume 3).
#pragma once
#include "base/types.hpp"

namespace bmbt {

enum class Delivery : u8 { Fixed, LowestPriority, Smi, Reserved, Nmi, Init, Startup, ExtInt };
// What a halted processor hears though EFLAGS.IF is clear.
constexpr bool ignores_if(Delivery d) { return d == Delivery::Nmi || d == Delivery::Init; }

struct ApicMessage {
    static constexpr u32 everyone = ~u32{0};
    static constexpr u32 nobody = ~u32{0} - 1;

    u32 destination = everyone;
    bool logical = false;
    Delivery delivery = Delivery::Fixed;
    u8 vector = 0;
    bool level = false;   // level-triggered: the I/O APIC wants to hear of the EOI
    u32 except = nobody;  // the sender's ID in "all excluding self"
};

class ApicBus {
 public:
    virtual bool send(const ApicMessage& message) = 0;  // false: nobody took it
    virtual void end_of_interrupt(u8 vector) = 0;       // of a level-triggered one, to the I/O APICs
    virtual bool requested(u8 vector) const = 0;        // a processor has it in its IRR

 protected:
    ~ApicBus() = default;
};

// Destination of a message with an eight-bit field.
constexpr u32 apic_destination(u8 field, bool logical) {
    return field == 0xff && !logical ? ApicMessage::everyone : field;
}

}  // namespace bmbt

// The I/O APIC with 24 pins ("82093AA I/O Advanced Programmable Interrupt Controller", Intel), with the EOI register
// of version 20h.
#pragma once
#include <array>

#include "base/bits.hpp"
#include "device/apic_bus.hpp"
#include "host/line.hpp"

namespace bmbt {

class IoApic final : public Mmio {
 public:
    static constexpr unsigned pins = 24;

    IoApic(u8 id, ApicBus& bus);

    // A pin's line is high when its source asks, whatever the polarity of the wire: the polarity bit of an entry is
    // kept for the guest and changes nothing.
    Line& pin(unsigned n) { return pins_[n]; }
    u64 read(u64 offset, Width w) override;
    void write(u64 offset, Width w, u64 value) override;
    void end_of_interrupt(u8 vector);  // the broadcast of a local APIC, or the EOI register
    bool may_signal() const;           // a pin is let through as NMI or INIT

 private:
    static constexpr Field vector{0, 8}, delivery{8, 3}, destination{56, 8};
    static constexpr Bit logical{11}, remote_irr{14}, level_triggered{15}, masked{16};
    static constexpr u64 writable = 0xff00'0000'0001'afff;

    class Pin final : public Line {
     public:
        void bind(IoApic& apic, unsigned n) {
            apic_ = &apic;
            n_ = n;
        }
        void set(bool level) override;
        bool waiting() const override;
        bool level() const { return level_; }

     private:
        IoApic* apic_ = nullptr;
        unsigned n_ = 0;
        bool level_ = false;
    };

    static bool is_level(u64 entry);
    u32 read_register(u8 index) const;
    void write_register(u8 index, u32 value);
    void service_level(unsigned n);
    bool deliver(u64 entry);

    ApicBus& bus_;
    std::array<Pin, pins> pins_;
    std::array<u64, pins> entries_;
    u8 id_;
    u8 index_ = 0;
};

}  // namespace bmbt

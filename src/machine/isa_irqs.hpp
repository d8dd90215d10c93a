// The sixteen ISA interrupts, each wired to the 8259 pair and to the I/O APIC.
#pragma once
#include <array>

#include "device/ioapic.hpp"
#include "device/pic.hpp"

namespace bmbt {

class IsaIrqs {
 public:
    // The timer's IRQ 0 is pin 2 of the I/O APIC, as the MADT's override says; the others are pins of the same number.
    IsaIrqs(Pic& pic, IoApic& ioapic) {
        for (unsigned n = 0; n < wires_.size(); ++n)
            wires_[n].connect(pic.irq(n), ioapic.pin(n == 0 ? timer_pin : n), n != 2);
    }
    Line& operator[](unsigned n) { return wires_[n]; }

 private:
    static constexpr unsigned timer_pin = 2;
    class Wire final : public Line {
     public:
        void connect(Line& pic, Line& apic, bool used) { pic_ = &pic, apic_ = &apic, used_ = used; }
        void set(bool level) override {
            if (!used_) return;  // IRQ 2 is the cascade
            pic_->set(level);
            apic_->set(level);
        }
        bool waiting() const override { return used_ && (pic_->waiting() || apic_->waiting()); }

     private:
        Line* pic_ = nullptr;
        Line* apic_ = nullptr;
        bool used_ = false;
    };
    std::array<Wire, 16> wires_;
};

}  // namespace bmbt

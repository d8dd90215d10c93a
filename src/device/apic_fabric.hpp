// The bus that all APICs of a machine share.
#pragma once
#include <array>

#include "device/ioapic.hpp"
#include "device/lapic.hpp"

namespace bmbt {

class ApicFabric final : public ApicBus {
 public:
    static constexpr unsigned max_cpus = 64;

    void add(Lapic& apic);
    void add(IoApic& apic) { ioapic_ = &apic; }

    bool send(const ApicMessage& message) override;
    void end_of_interrupt(u8 vector) override {
        if (ioapic_) ioapic_->end_of_interrupt(vector);
    }
    bool requested(u8 vector) const override {
        for (unsigned i = 0; i < count_; i++)
            if (lapics_[i]->requested(vector)) return true;
        return false;
    }

 private:
    bool send_to_lowest(const ApicMessage& message);

    std::array<Lapic*, max_cpus> lapics_{};
    unsigned count_ = 0;
    unsigned turn_ = 0;  // among processors of equal priority they take turns
    IoApic* ioapic_ = nullptr;
};

}  // namespace bmbt

#include "device/apic_fabric.hpp"

namespace bmbt {

void ApicFabric::add(Lapic& apic) {
    if (count_ < max_cpus) lapics_[count_++] = &apic;
}

bool ApicFabric::send(const ApicMessage& message) {
    if (message.delivery == Delivery::LowestPriority) return send_to_lowest(message);
    bool taken = false;
    for (unsigned i = 0; i < count_; i++)
        if (lapics_[i]->accepts(message) && lapics_[i]->receive(message)) taken = true;
    return taken;
}

bool ApicFabric::send_to_lowest(const ApicMessage& message) {
    Lapic* best = nullptr;
    unsigned best_index = 0;
    for (unsigned k = 1; k <= count_; k++) {
        const unsigned i = (turn_ + k) % count_;
        Lapic* candidate = lapics_[i];
        if (!candidate->accepts(message) || !candidate->software_enabled()) continue;
        if (best && candidate->priority() >= best->priority()) continue;
        best = candidate;
        best_index = i;
    }
    if (!best) return false;
    turn_ = best_index;
    return best->receive(message);
}

}  // namespace bmbt

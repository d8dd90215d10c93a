// From the local APIC to the one processor.
#pragma once
#include <algorithm>
#include <utility>

#include "device/lapic.hpp"
#include "machine/pc_signals.hpp"

namespace bmbt {

// What the local APIC does to the processor. Interrupts are asked for, the rest is remembered until it is taken.
// Without firmware nothing is at the address where INIT leads to: then it resets the machine, as firmware would in the
// end.
class CpuPins final : public LapicCpu {
 public:
    CpuPins(StopRequest& stop, const Clock& clock, const u64& tsc_offset, bool firmware)
        : stop_(stop), clock_(clock), tsc_offset_(tsc_offset), firmware_(firmware) {}

    void interrupt(bool deliverable) override { deliverable_ = deliverable; }
    void nmi() override { signals_.nmi = true; }
    void smi() override {}  // there is no system management mode
    void init() override {
        if (!firmware_) return stop_.ask(Stop::Reset, "INIT without firmware");
        signals_.init = true;
        signals_.startup = false;
    }
    void startup(u8 page) override { signals_.startup = true, signals_.startup_page = page; }
    u64 time_of_tsc(u64 tsc) override {  // it counts nanoseconds
        const u64 now = clock_.now(), tsc_now = now + tsc_offset_;
        return tsc <= tsc_now ? now : now + std::min(tsc - tsc_now, ~now);
    }

    bool deliverable() const { return deliverable_; }
    bool firmware() const { return firmware_; }
    CpuSignals take() { return std::exchange(signals_, {}); }

 private:
    StopRequest& stop_;
    const Clock& clock_;
    const u64& tsc_offset_;
    const bool firmware_;
    bool deliverable_ = false;
    CpuSignals signals_;
};

}  // namespace bmbt

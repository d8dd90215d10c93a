// From the local APIC to the one processor.
#pragma once
#include "device/lapic.hpp"
#include "machine/pc_signals.hpp"

namespace bmbt {

// What the local APIC does to the processor. Interrupts are asked for, NMIs are remembered until they are taken.
class CpuPins final : public LapicCpu {
 public:
    CpuPins(StopRequest& stop, const u64& tsc_offset) : stop_(stop), tsc_offset_(tsc_offset) {}

    void interrupt(bool deliverable) override { deliverable_ = deliverable; }
    void nmi() override { nmi_ = true; }
    void smi() override {}  // there is no system management mode
    void init() override { stop_.ask(Stop::Reset, "INIT"); }
    void startup(u8) override {}  // the bootstrap processor waits for none
    u64 time_of_tsc(u64 tsc) override {
        const u64 ns = tsc - tsc_offset_;  // the TSC counts nanoseconds
        return static_cast<i64>(ns) < 0 ? 0 : ns;
    }

    bool deliverable() const { return deliverable_; }
    bool take_nmi() {
        const bool was = nmi_;
        nmi_ = false;
        return was;
    }

 private:
    StopRequest& stop_;
    const u64& tsc_offset_;
    bool deliverable_ = false, nmi_ = false;
};

}  // namespace bmbt

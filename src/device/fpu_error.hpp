// The PC/AT's way of telling of x87 exceptions, for CR0.NE = 0: the processor's FERR# output sets IRQ 13, and a write
// to port F0h clears that and lets the processor ignore the exception (IGNNE#) until FERR# falls. Source: Intel SDM
// vol. 1, "MS-DOS Compatibility Sub-mode"; PIIX, "Coprocessor Error Register".
#pragma once
#include "device/byte_port.hpp"
#include "host/line.hpp"

namespace bmbt {

class FpuError final : public BytePort {
 public:
    static constexpr u16 count = 1;
    explicit FpuError(Line& irq13) : irq13_(irq13) {}

    // FERR# changes; returns IGNNE#.
    bool set(bool ferr) {
        if (ferr && !ferr_) irq13_.set(true);
        ferr_ = ferr;
        ignne_ = ignne_ && ferr;
        return ignne_;
    }

 private:
    u8 read8(u16) override { return 0xff; }
    void write8(u16, u8) override {
        irq13_.set(false);
        ignne_ = ferr_;
    }

    Line& irq13_;
    bool ferr_ = false, ignne_ = false;
};

}  // namespace bmbt

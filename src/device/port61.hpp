// Port 61h, "NMI Status and Control Register" of the PIIX: the speaker's gate and what PC programs time delays with.
#pragma once
#include "device/pit.hpp"

namespace bmbt {

class Port61 final : public BytePort {
 public:
    Port61(Clock& clock, Pit& pit) : clock_(clock), pit_(pit) {}

 private:
    static constexpr u64 refresh_ns = 15085;  // 18 ticks of channel 1

    u8 read8(u16 offset) override {
        if (offset) return 0xff;
        return static_cast<u8>(control_ | (clock_.now() / refresh_ns & 1) << 4 | u8{pit_.output2()} << 5);
    }
    void write8(u16 offset, u8 value) override {
        if (offset) return;
        control_ = value & 0x0f;  // gate 2, speaker data, SERR# and IOCHK# checks off
        pit_.set_gate2(value & 0x01);
    }

    Clock& clock_;
    Pit& pit_;
    u8 control_ = 0;
};

}  // namespace bmbt

// Ports that a byte goes out of to whoever watches the guest: the tiny kernels' F1h, the marks' E9h, firmware's 402h.
#pragma once
#include "device/byte_port.hpp"

namespace bmbt {

// What is written goes to a sink; what is read is E9h, which tells firmware that the debug console is there.
class OutputPort final : public BytePort {
 public:
    explicit OutputPort(CharSink& out) : out_(out) {}

 private:
    u8 read8(u16 offset) override { return offset ? 0xff : 0xe9; }
    void write8(u16 offset, u8 value) override {
        if (!offset) out_.put(value);
    }
    CharSink& out_;
};

// Characters that nobody wants to see.
class Silence final : public CharSink {
 public:
    void put(u8) override {}
};

}  // namespace bmbt

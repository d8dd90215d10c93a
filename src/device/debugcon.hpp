// The debug console at port 402h: firmware knows it by E9h when read, and writes its messages there.
#pragma once
#include "device/byte_port.hpp"

namespace bmbt {

class DebugConsole final : public BytePort {
 public:
    explicit DebugConsole(CharSink& out) : out_(out) {}

 private:
    u8 read8(u16 offset) override { return offset ? 0xff : 0xe9; }
    void write8(u16 offset, u8 value) override {
        if (!offset) out_.put(value);
    }

    CharSink& out_;
};

}  // namespace bmbt

// The A20 gate and the reset line with the small ports that drive them: 92h, CF9h; and the diagnostic port 80h.
#pragma once
#include "device/byte_port.hpp"

namespace bmbt {

// One gate behind both of its controls, port 92h and the keyboard controller: the last one written decides. Open at
// power-on.
class A20Gate {
 public:
    explicit A20Gate(Line& out) : out_(out) {}
    bool open() const { return open_; }
    void set(bool open) {
        if (open != open_) out_.set(open_ = open);
    }

 private:
    Line& out_;  // told of changes only
    bool open_ = true;
};

// Port 92h: bit 1 is the gate, a rising bit 0 resets the processor.
class Port92 final : public BytePort {
 public:
    Port92(A20Gate& a20, Line& reset) : a20_(a20), reset_(reset) {}

 private:
    u8 read8(u16 offset) override {
        return offset ? 0xff : static_cast<u8>((control_ & ~2u) | (a20_.open() ? 2u : 0u));
    }
    void write8(u16 offset, u8 value) override {
        if (offset) return;
        const bool reset = value & ~control_ & 1;
        control_ = value;
        a20_.set(value & 2);
        if (reset) reset_.set(true);
    }

    A20Gate& a20_;
    Line& reset_;
    u8 control_ = 0;
};

// Port 80h, where firmware shows its progress and everyone else wastes a microsecond.
class Post80 final : public BytePort {
 public:
    u8 code() const { return code_; }

 private:
    u8 read8(u16 offset) override { return offset ? 0xff : code_; }
    void write8(u16 offset, u8 value) override {
        if (!offset) code_ = value;
    }

    u8 code_ = 0;
};

// Port CF9h, "Reset Control Register" of the PIIX: bit 1 hard, a rising bit 2 resets.
class ResetControl final : public BytePort {
 public:
    explicit ResetControl(Line& reset) : reset_(reset) {}

 private:
    u8 read8(u16 offset) override { return offset ? 0xff : control_; }
    void write8(u16 offset, u8 value) override {
        if (offset) return;
        const bool reset = value & ~control_ & 4;
        control_ = value & 0x0e;
        if (reset) reset_.set(true);
    }

    Line& reset_;
    u8 control_ = 0;
};

}  // namespace bmbt

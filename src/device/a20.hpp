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

// Port 92h: bit 1 is the gate, a rising bit 0 signals INIT.
class Port92 final : public BytePort {
 public:
    Port92(A20Gate& a20, Line& init) : a20_(a20), init_(init) {}

 private:
    u8 read8(u16 offset) override {
        return offset ? 0xff : static_cast<u8>((control_ & ~2u) | (a20_.open() ? 2u : 0u));
    }
    void write8(u16 offset, u8 value) override {
        if (offset) return;
        const bool init = value & ~control_ & 1;
        control_ = value;
        a20_.set(value & 2);
        if (init) init_.set(true);
    }

    A20Gate& a20_;
    Line& init_;
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

// Port CF9h, "Reset Control Register" of the PIIX: a rising bit 2 resets the machine if bit 1 is set, else it signals
// INIT.
class ResetControl final : public BytePort {
 public:
    ResetControl(Line& reset, Line& init) : reset_(reset), init_(init) {}

 private:
    u8 read8(u16 offset) override { return offset ? 0xff : control_; }
    void write8(u16 offset, u8 value) override {
        if (offset) return;
        const bool reset = value & ~control_ & 4;
        control_ = value & 0x0e;
        if (reset) (value & 2 ? reset_ : init_).set(true);
    }

    Line &reset_, &init_;
    u8 control_ = 0;
};

}  // namespace bmbt

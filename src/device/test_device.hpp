// What test kernels expect of a PC made for them, as QEMU's pc-testdev and isa-debug-exit have it: ports and memory
// that keep what is written, every interrupt line by hand, and an end with an exit code. A machine has them only when
// asked.
#pragma once
#include <array>
#include <cstring>

#include "base/bits.hpp"
#include "device/byte_port.hpp"

namespace bmbt {

// Four bytes, seen at offsets 0-3 and again at 8-11. Offsets 4-7 ask the host to drop a page of the guest's memory and
// bring it back, which changes nothing for a guest whose memory is never paged out.
class TestPorts final : public Port {
 public:
    static constexpr u16 count = 12;
    u32 read(u16 offset, Width w) override {
        return offset / 4 == 1 ? mask(8 * bytes(w)) : data_ >> shift(offset) & mask(8 * bytes(w));
    }
    void write(u16 offset, Width w, u32 value) override {
        if (offset / 4 == 1) return;
        const u32 bits = static_cast<u32>(mask(8 * bytes(w))) << shift(offset);
        data_ = (data_ & ~bits) | (value << shift(offset) & bits);
    }

 private:
    static unsigned shift(u16 offset) { return 8 * (offset % 4); }

    u32 data_ = 0;
};

// One port for each interrupt line: a byte written is its level.
class TestLines final : public BytePort {
 public:
    static constexpr u16 count = 24;
    void connect(unsigned n, Line& line) { lines_[n] = &line; }

 private:
    u8 read8(u16) override { return 0xff; }
    void write8(u16 offset, u8 value) override {
        if (offset < count && lines_[offset]) lines_[offset]->set(value != 0);
    }

    std::array<Line*, count> lines_{};
};

// Device memory: as RAM, but every access goes over the bus.
class TestMemory final : public Mmio {
 public:
    static constexpr u64 size = 64_KiB;
    u64 read(u64 offset, Width w) override {
        u64 value = 0;
        std::memcpy(&value, &bytes_[offset], bytes(w));
        return value;
    }
    void write(u64 offset, Width w, u64 value) override { std::memcpy(&bytes_[offset], &value, bytes(w)); }

 private:
    std::array<u8, size> bytes_{};
};

// A value v ends the machine with exit code 2v + 1: never 0, which says that it powered off.
class TestExit final : public Port {
 public:
    static constexpr u16 count = 4;
    explicit TestExit(CharSink& code) : code_(code) {}
    u32 read(u16, Width w) override { return static_cast<u32>(mask(8 * bytes(w))); }
    void write(u16, Width, u32 value) override { code_.put(static_cast<u8>(value << 1 | 1)); }

 private:
    CharSink& code_;
};

}  // namespace bmbt

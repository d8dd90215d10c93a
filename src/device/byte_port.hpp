// Ports of an eight-bit device: a wider access becomes byte accesses, lowest address first, as the ISA bus does it.
#pragma once
#include "host/line.hpp"

namespace bmbt {

class BytePort : public Port {
 public:
    u32 read(u16 offset, Width w) final {
        u32 value = 0;
        for (unsigned i = 0; i < bytes(w); i++) value |= u32{read8(static_cast<u16>(offset + i))} << 8 * i;
        return value;
    }
    void write(u16 offset, Width w, u32 value) final {
        for (unsigned i = 0; i < bytes(w); i++) write8(static_cast<u16>(offset + i), static_cast<u8>(value >> 8 * i));
    }

 protected:
    ~BytePort() = default;
    virtual u8 read8(u16 offset) = 0;  // 0xff where nothing answers
    virtual void write8(u16 offset, u8 value) = 0;
};

}  // namespace bmbt

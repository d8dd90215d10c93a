// What a device is wired to: an interrupt line, ports, memory-mapped registers, a character stream.
#pragma once
#include "base/types.hpp"

namespace bmbt {

// An interrupt line; set() may repeat a level.
class Line {
 public:
    virtual void set(bool level) = 0;
    // The last edge was taken by an interrupt controller and waits there: one more now would be the same one.
    virtual bool waiting() const { return false; }

 protected:
    ~Line() = default;
};

// A block of I/O ports. The offset is from the block's base; a device knows no addresses.
class Port {
 public:
    virtual u32 read(u16 offset, Width w) = 0;
    virtual void write(u16 offset, Width w, u32 value) = 0;

 protected:
    ~Port() = default;
};

// A block of memory-mapped registers.
class Mmio {
 public:
    virtual u64 read(u64 offset, Width w) = 0;
    virtual void write(u64 offset, Width w, u64 value) = 0;

 protected:
    ~Mmio() = default;
};

// Where a character device's output goes.
class CharSink {
 public:
    virtual void put(u8 c) = 0;

 protected:
    ~CharSink() = default;
};

// Guest-physical memory as a bus-mastering model (fw_cfg DMA) sees it. False: not RAM, nothing was transferred.
class GuestMemory {
 public:
    virtual bool read(u64 gpa, void* to, u64 size) = 0;
    virtual bool write(u64 gpa, const void* from, u64 size) = 0;
    virtual bool fill(u64 gpa, u8 byte, u64 size) = 0;

 protected:
    ~GuestMemory() = default;
};

}  // namespace bmbt

// I/O ports to devices: one table look-up a port. What nobody answers reads all ones.
#pragma once
#include <array>

#include "base/bits.hpp"
#include "host/line.hpp"

namespace bmbt {

class PortBus {
 public:
    // Ports [base, base + count) are the device's, with offsets from base. A later device takes ports from an earlier
    // one.
    void attach(u16 base, u32 count, Port& device) {
        const u8 slot = take_slot(base, device);
        for (u32 i = 0; slot && i < count && base + i < 0x1'0000; ++i) slot_of_[base + i] = slot;
    }
    // The same for a device that the guest moves: it gets the ports that are nobody's.
    void attach_where_free(u16 base, u32 count, Port& device) {
        const u8 slot = take_slot(base, device);
        for (u32 i = 0; slot && i < count && base + i < 0x1'0000; ++i)
            if (!slot_of_[base + i]) slot_of_[base + i] = slot;
    }
    // The device answers nowhere any more.
    void detach(const Port& device) {
        for (u8 slot = 1; slot < room; ++slot) {
            if (slots_[slot].device != &device) continue;
            slots_[slot] = {};
            for (u8& s : slot_of_)
                if (s == slot) s = 0;
        }
    }

    u32 read(u16 port, Width w) {
        if (same_slot(port, w)) {
            const Slot& s = slots_[slot_of_[port]];
            return s.device ? s.device->read(port - s.base, w) & mask(8 * bytes(w)) : mask(8 * bytes(w));
        }
        u32 value = 0;  // an access over several devices reaches each with its bytes
        for (unsigned i = 0; i < bytes(w); ++i) value |= read(port + i, Width::Byte) << 8 * i;
        return value;
    }
    void write(u16 port, Width w, u32 value) {
        if (same_slot(port, w)) {
            const Slot& s = slots_[slot_of_[port]];
            if (s.device) s.device->write(port - s.base, w, value & mask(8 * bytes(w)));
            return;
        }
        for (unsigned i = 0; i < bytes(w); ++i) write(port + i, Width::Byte, value >> 8 * i);
    }

 private:
    struct Slot {
        Port* device = nullptr;
        u16 base = 0;
    };
    u8 take_slot(u16 base, Port& device) {  // 0: there is none left
        u8 slot = 1;
        while (slot < room && slots_[slot].device) ++slot;
        if (slot == room) return 0;
        slots_[slot] = {&device, base};
        return slot;
    }
    bool same_slot(u16 port, Width w) const {
        for (unsigned i = 1; i < bytes(w); ++i)
            if (slot_of_[static_cast<u16>(port + i)] != slot_of_[port]) return false;
        return true;
    }

    static constexpr u8 room = 64;
    std::array<Slot, room> slots_{};  // slot 0 is nobody
    std::array<u8, 0x1'0000> slot_of_{};
};

}  // namespace bmbt

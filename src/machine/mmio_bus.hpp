// Guest-physical addresses to devices' registers. What nobody answers reads all ones.
#pragma once
#include <array>

#include "base/bits.hpp"
#include "host/line.hpp"

namespace bmbt {

class MmioBus {
 public:
    // The first device attached to an address answers. An access that leaves the range belongs to nobody.
    void attach(u64 base, u64 size, Mmio& device) {
        if (used_ < room) windows_[used_++] = {base, size, &device};
    }

    u64 read(u64 gpa, Width w) {
        const Window* at = find(gpa, w);
        return at ? at->device->read(gpa - at->base, w) & mask(8 * bytes(w)) : mask(8 * bytes(w));
    }
    void write(u64 gpa, Width w, u64 value) {
        if (const Window* at = find(gpa, w)) at->device->write(gpa - at->base, w, value & mask(8 * bytes(w)));
    }

 private:
    struct Window {
        u64 base = 0, size = 0;
        Mmio* device = nullptr;
    };
    const Window* find(u64 gpa, Width w) const {
        for (usize i = 0; i < used_; ++i)
            if (gpa - windows_[i].base < windows_[i].size && bytes(w) <= windows_[i].size - (gpa - windows_[i].base))
                return &windows_[i];
        return nullptr;
    }

    static constexpr usize room = 16;
    std::array<Window, room> windows_{};
    usize used_ = 0;
};

}  // namespace bmbt

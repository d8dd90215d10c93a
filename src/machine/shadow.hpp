// The kilobytes from C0000h to FFFFFh: ROM or the RAM behind it, as the host bridge's attribute registers say.
// Source: Intel 440FX datasheet, "PAM - Programmable Attribute Map Registers".
#pragma once
#include <span>

#include "machine/map_listener.hpp"
#include "memory/physical_map.hpp"

namespace bmbt {

class Shadow final : public Mmio {
 public:
    static constexpr u64 base = 0xc'0000, size = 0x4'0000;

    // `ram` is the host-physical address of the RAM at `base`; `rom` (host-physical, page aligned) shows at the end of
    // the range, and before it is nothing.
    Shadow(PhysicalMap& memory, MapListener& listener, u64 ram, u64 rom, u64 rom_size)
        : memory_(memory), listener_(listener), ram_(ram), rom_(rom), rom_size_(rom_size < size ? rom_size : size) {}

    // Reads and writes of [gpa, gpa + size) go to RAM, or reads to the ROM and writes nowhere. Page aligned, in the
    // range.
    void set(u64 gpa, u64 size, bool read_ram, bool write_ram);

    // Accesses to pages whose reads and writes go to different places, and to missing ROM; offsets from `base`.
    u64 read(u64 offset, Width w) override;
    void write(u64 offset, Width w, u64 value) override;

 private:
    static constexpr u64 pages = size / page_size;
    u64 rom_page(u64 page) const;  // host-physical, 0: nothing there

    PhysicalMap& memory_;
    MapListener& listener_;
    u64 ram_, rom_, rom_size_;
    bool write_only_[pages] = {};
};

}  // namespace bmbt

#include "machine/shadow.hpp"

#include <cstring>

namespace bmbt {

u64 Shadow::rom_page(u64 page) const {
    const u64 offset = page * page_size, start = size - rom_size_;
    return offset < start ? 0 : rom_ + (offset - start);
}

void Shadow::set(u64 gpa, u64 bytes, bool read_ram, bool write_ram) {
    for (u64 page = (gpa - base) / page_size; page < (gpa - base + bytes) / page_size; ++page) {
        const u64 at = base + page * page_size, rom = rom_page(page), ram = ram_ + page * page_size;
        write_only_[page] = write_ram && !read_ram;
        if (read_ram)
            memory_.map(at, page_size, write_ram ? FrameKind::Ram : FrameKind::Rom, ram);
        else if (rom && !write_ram)
            memory_.map(at, page_size, FrameKind::Rom, rom);
        else
            memory_.map(at, page_size, FrameKind::Device, 0);
    }
    listener_.map_changed(gpa, bytes);
}

u64 Shadow::read(u64 offset, Width w) {
    const u64 rom = rom_page(offset / page_size), in_page = offset % page_size;
    u64 value = ~u64{0};
    if (rom && in_page + bytes(w) <= page_size)
        std::memcpy(&value, reinterpret_cast<const u8*>(memory_.window() + rom + in_page), bytes(w));
    return value;
}

void Shadow::write(u64 offset, Width w, u64 value) {
    const u64 in_page = offset % page_size;
    if (!write_only_[offset / page_size] || in_page + bytes(w) > page_size) return;
    std::memcpy(reinterpret_cast<u8*>(memory_.window() + ram_ + offset), &value, bytes(w));
}

}  // namespace bmbt

#include "host/loongarch/fw_cfg.hpp"

#include <bit>

#include "host/loongarch/direct.hpp"

namespace bmbt::host {

namespace {
constexpr u64 data_register = 0, selector_register = 8, dma_register = 16;
constexpr u16 directory = 0x19;
constexpr u32 dma_error = 1, dma_read = 2, dma_select = 8;

u32 be(u32 v) { return std::byteswap(v); }

struct DirectoryEntry {
    u32 size;
    u16 selector, reserved;
    char name[56];
};
}  // namespace

std::optional<FwCfg::File> FwCfg::find(std::string_view name) const {
    Uncached io;
    auto bytes = [&](void* to, u64 n) {
        for (auto* p = static_cast<u8*>(to); n--; p++) *p = io.read<u8>(base_ + data_register);
    };
    io.write<u16>(base_ + selector_register, std::byteswap(directory));
    u32 count = 0;
    bytes(&count, sizeof count);
    for (count = be(count); count--;) {
        DirectoryEntry e;
        bytes(&e, sizeof e);
        std::string_view s(e.name, sizeof e.name);
        if (s.substr(0, s.find('\0')) == name) return File{std::byteswap(e.selector), be(e.size)};
    }
    return {};
}

bool FwCfg::read(File f, void* to, u32 size) const {
    struct alignas(8) {
        u32 control, length;
        u64 address;
    } volatile command{be(u32{f.selector} << 16 | dma_select | dma_read), be(size), std::byteswap(physical_of(to))};
    asm volatile("dbar 0" : : : "memory");
    Uncached().write<u64>(base_ + dma_register, std::byteswap(physical_of(const_cast<const u32*>(&command.control))));
    while (be(command.control) & ~dma_error) {
    }
    asm volatile("dbar 0" : : : "memory");
    return !(be(command.control) & dma_error);
}

}  // namespace bmbt::host

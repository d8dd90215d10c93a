#include "loader/linux.hpp"

#include <algorithm>

#include "base/bits.hpp"
#include "loader/bytes.hpp"

namespace bmbt {
namespace {

// Offsets in the boot parameters; the setup header lies at the same offsets in the file.
namespace at {
constexpr u64 alt_mem_k = 0x1e0, acpi_rsdp = 0x70, ext_ramdisk_image = 0xc0, ext_ramdisk_size = 0xc4,
              e820_entries = 0x1e8, header = 0x1f1, setup_sects = 0x1f1, syssize = 0x1f4, vid_mode = 0x1fa,
              boot_flag = 0x1fe, jump = 0x201, magic = 0x202, version = 0x206, type_of_loader = 0x210,
              loadflags = 0x211, code32_start = 0x214, ramdisk_image = 0x218, ramdisk_size = 0x21c, heap_end = 0x224,
              cmd_line = 0x228, initrd_addr_max = 0x22c, kernel_alignment = 0x230, relocatable = 0x234,
              xloadflags = 0x236, cmdline_size = 0x238, hardware_subarch = 0x23c, setup_data = 0x250,
              pref_address = 0x258, init_size = 0x260, e820_table = 0x2d0;
}
constexpr u32 header_magic = 0x53726448;  // "HdrS"
constexpr u8 loaded_high = 1, quiet_flag = 1 << 5, keep_segments = 1 << 6, can_use_heap = 1 << 7;
constexpr u16 xlf_kernel_64 = 1, xlf_above_4g = 2;
constexpr u64 classic_address = 1_MiB, entry_64_offset = 0x200;
constexpr u8 loader_undefined = 0xff;
constexpr usize e820_room = 128;

constexpr Error not_a_kernel{
    "the kernel is not a bzImage (no setup header); give a Linux bzImage or a multiboot image"};
constexpr Error too_old{"the kernel's boot protocol is older than 2.02; give a bzImage of Linux 2.4 or later"};
constexpr Error zimage{"the kernel is a zImage, which loads low; give a bzImage"};
constexpr Error truncated{"the kernel is truncated: its header announces more than the file holds; copy it again"};
constexpr Error malformed{"the kernel's setup header is malformed; copy the kernel again"};
constexpr Error kernel_does_not_fit{"the kernel does not fit into guest memory; give more with --memory"};
constexpr Error initrd_does_not_fit{
    "the initrd does not fit into guest memory beside the kernel; give more with --memory "
    "or a smaller initrd"};
constexpr Error initrd_too_large{
    "the initrd does not fit below the address this kernel allows; give a smaller initrd or "
    "a 64-bit kernel"};
constexpr Error command_line_too_long{"the kernel command line is longer than this kernel takes; shorten --append"};

// Where the kernel goes: where it wants to, else (if it can) at the lowest place with enough room.
Result<u64> place_kernel(const LinuxHeader& h, const MemoryMap& map) {
    if (map.is_ram({h.preferred, h.memory_size}) && h.preferred >= classic_address &&
        h.preferred + h.memory_size <= 4_GiB)
        return h.preferred;
    if (h.relocatable)
        if (auto place = map.lowest(h.memory_size, h.alignment, classic_address, 4_GiB, {})) return *place;
    return std::unexpected(kernel_does_not_fit);
}

// As high as the kernel allows; above 4 GiB only if that is permitted and below is no room.
Result<u64> place_initrd(const LinuxHeader& h, const MemoryMap& map, u64 size, Range kernel) {
    const Range taken[] = {kernel};
    if (auto place = map.highest(size, page_size, classic_address, h.initrd_top, taken)) return *place;
    if (h.above_4g)
        if (auto place = map.highest(size, page_size, classic_address, ~u64{0}, taken)) return *place;
    bool elsewhere = map.highest(size, page_size, classic_address, ~u64{0}, taken).has_value();
    return std::unexpected(elsewhere ? initrd_too_large : initrd_does_not_fit);
}

void put_memory_map(u8* params, const MemoryMap& map) {
    auto entries = map.entries().first(std::min(map.entries().size(), e820_room));
    std::memcpy(params + at::e820_table, entries.data(), entries.size_bytes());
    put_at<u8>(params, at::e820_entries, entries.size());
    put_at<u32>(params, at::alt_mem_k, std::min<u64>(map.extended() >> 10, 0xffff'ffff));
}

Result<> put_command_line(PhysicalMap& memory, u8* params, const LinuxHeader& h, std::string_view line) {
    if (line.size() > h.command_line_size || line.size() >= low_memory::command_line_room)
        return std::unexpected(command_line_too_long);
    const u8 zero = 0;
    memory.write(low_memory::command_line, line.data(), line.size());
    memory.write(low_memory::command_line + line.size(), &zero, 1);
    put_at<u32>(params, at::cmd_line, low_memory::command_line);
    return {};
}

void put_initrd(u8* params, u64 address, u64 size) {
    put_at<u32>(params, at::ramdisk_image, address);
    put_at<u32>(params, at::ramdisk_size, size);
    put_at<u32>(params, at::ext_ramdisk_image, address >> 32);
    put_at<u32>(params, at::ext_ramdisk_size, size >> 32);
}

}  // namespace

bool is_linux(std::span<const u8> image) {
    Bytes file(image);
    return file.u16_at(at::boot_flag) == 0xaa55 && file.u32_at(at::magic) == header_magic;
}

Result<LinuxHeader> read_linux_header(std::span<const u8> image) {
    Bytes file(image);
    if (!is_linux(image)) return std::unexpected(not_a_kernel);
    LinuxHeader h;
    h.version = file.u16_at(at::version);
    if (h.version < 0x202) return std::unexpected(too_old);
    if (!(file.u8_at(at::loadflags) & loaded_high)) return std::unexpected(zimage);
    h.header_end = at::magic + file.u8_at(at::jump);

    u64 sectors = file.u8_at(at::setup_sects);
    h.setup_size = ((sectors ? sectors : 4) + 1) * 512;
    u64 announced = u64{h.version >= 0x204 ? file.u32_at(at::syssize) : file.u16_at(at::syssize)} * 16;
    // The announced size is rounded up to 16 bytes.
    if (h.setup_size >= file.size() || !file.has(h.setup_size, announced > 15 ? announced - 15 : announced))
        return std::unexpected(truncated);
    h.code_size = file.size() - h.setup_size;

    h.preferred = h.version >= 0x20a ? file.u64_at(at::pref_address) : classic_address;
    h.memory_size = std::max<u64>(h.version >= 0x20a ? file.u32_at(at::init_size) : 0, h.code_size);
    h.relocatable = h.version >= 0x205 && file.u8_at(at::relocatable);
    h.alignment = h.relocatable ? file.u32_at(at::kernel_alignment) : 1;
    if (h.alignment == 0 || (h.alignment & (h.alignment - 1)) || h.preferred > 4_GiB) return std::unexpected(malformed);
    h.alignment = std::max<u64>(h.alignment, page_size);

    u16 flags = h.version >= 0x20c ? file.u16_at(at::xloadflags) : 0;
    h.boots_64 = flags & xlf_kernel_64;
    h.above_4g = h.boots_64 && (flags & xlf_above_4g);
    h.initrd_top = u64{h.version >= 0x203 ? file.u32_at(at::initrd_addr_max) : 0x37ff'ffff} + 1;
    h.command_line_size = h.version >= 0x206 ? file.u32_at(at::cmdline_size) : 255;
    return h;
}

Result<CpuState> load_linux(PhysicalMap& memory, const BootRequest& r) {
    const LinuxHeader h = TRY(read_linux_header(r.kernel));
    const u64 kernel = TRY(place_kernel(h, r.map));

    alignas(8) u8 params[page_size] = {};
    const u64 header_size = std::min<u64>(h.header_end, at::e820_table) - at::header;
    if (!Bytes(r.kernel).has(at::header, header_size)) return std::unexpected(truncated);
    std::memcpy(params + at::header, r.kernel.data() + at::header, header_size);
    put_at<u8>(params, at::type_of_loader, loader_undefined);
    put_at<u8>(params, at::loadflags, (params[at::loadflags] | can_use_heap) & ~(keep_segments | quiet_flag));
    put_at<u16>(params, at::heap_end, 0xfe00);
    put_at<u16>(params, at::vid_mode, 0xffff);
    put_at<u32>(params, at::code32_start, kernel);
    put_at<u32>(params, at::hardware_subarch, 0);
    put_at<u64>(params, at::setup_data, 0);
    put_at<u64>(params, at::acpi_rsdp, r.acpi_rsdp);
    put_memory_map(params, r.map);
    CHECK(put_command_line(memory, params, h, r.command_line));

    u64 initrd = 0;
    if (!r.initrd.empty()) {
        initrd = TRY(place_initrd(h, r.map, r.initrd.size(), {kernel, h.memory_size}));
        put_initrd(params, initrd, r.initrd.size());
    }
    if (!memory.write(kernel, r.kernel.data() + h.setup_size, h.code_size)) return std::unexpected(kernel_does_not_fit);
    if (initrd && !memory.write(initrd, r.initrd.data(), r.initrd.size())) return std::unexpected(initrd_does_not_fit);
    memory.write(low_memory::boot_params, params, sizeof params);

    CpuState s = h.boots_64 ? flat_long_state(memory, low_memory::gdt, low_memory::page_tables)
                            : flat_protected_state(memory, low_memory::gdt);
    s.rip = h.boots_64 ? kernel + entry_64_offset : kernel;
    s.gpr[x86::Rsi] = low_memory::boot_params;
    return s;
}

}  // namespace bmbt

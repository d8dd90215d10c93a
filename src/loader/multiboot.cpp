#include "loader/multiboot.hpp"

#include <algorithm>
#include <array>

#include "base/bits.hpp"
#include "loader/elf.hpp"

namespace bmbt {
namespace {

constexpr u32 header_magic = 0x1bad'b002, boot_magic = 0x2bad'b002;
constexpr u64 search_limit = 8192;
constexpr u32 wants_known =
    7;  // page-aligned modules, memory information, a video mode (which a PC without a screen lacks)
constexpr u32 has_addresses = 1 << 16;

// The information structure's flags and offsets.
namespace info {
constexpr u32 memory = 1 << 0, command_line = 1 << 2, modules = 1 << 3, memory_map = 1 << 6, loader_name = 1 << 9;
constexpr u64 mem_lower = 4, mem_upper = 8, cmdline = 16, mods_count = 20, mods_addr = 24, mmap_length = 44,
              mmap_addr = 48, boot_loader_name = 64, size = 120;
}  // namespace info

constexpr Error not_multiboot{"the kernel is neither a bzImage nor a multiboot image; give one of these"};
constexpr Error wants_more{
    "the kernel's multiboot header requires a feature that no multiboot loader of version 1 has"};
constexpr Error truncated{
    "the kernel is truncated: its multiboot header announces more than the file holds; copy it again"};
constexpr Error malformed{"the kernel's multiboot header is malformed: its addresses contradict each other"};
constexpr Error does_not_fit{"the kernel does not fit into guest memory; give more with --memory"};
constexpr Error initrd_does_not_fit{
    "the initrd does not fit into guest memory beside the kernel; give more with --memory "
    "or a smaller initrd"};
constexpr Error command_line_too_long{"the kernel command line is too long; shorten --append"};
constexpr Error no_low_room{"the kernel leaves no room below 640 KiB for the multiboot information; link it higher"};

// What is copied where, whichever kind of image it is.
struct Image {
    std::array<ElfSegment, Elf::room> segments;
    std::array<Range, Elf::room + 2> taken;
    usize count = 0;
    u64 entry = 0;
    std::span<const Range> ranges() const { return {taken.data(), count}; }
};

Result<Image> aout_image(Bytes file, const MultibootHeader& h) {
    if (h.load > h.header || h.header - h.load > h.offset) return std::unexpected(malformed);
    const u64 offset = h.offset - (h.header - h.load);
    if (h.load_end && h.load_end < h.load) return std::unexpected(malformed);
    const u64 size = h.load_end ? h.load_end - h.load : file.size() - offset;
    if (!file.has(offset, size)) return std::unexpected(truncated);
    if (h.bss_end && h.bss_end < h.load + size) return std::unexpected(malformed);
    Image image;
    image.segments[0] = {.offset = offset,
                         .file_size = size,
                         .physical = h.load,
                         .memory_size = h.bss_end ? h.bss_end - h.load : size,
                         .linear = h.load};
    image.count = 1;
    image.entry = h.entry;
    return image;
}

Result<Image> elf_image(Bytes file) {
    const Elf elf = TRY(read_elf({file.data(), file.size()}));
    Image image;
    image.segments = elf.segments;
    image.count = elf.count;
    image.entry = elf.entry;
    return image;
}

Result<> copy_in(PhysicalMap& memory, const MemoryMap& map, Bytes file, Image& image) {
    for (usize i = 0; i < image.count; ++i) {
        const ElfSegment& s = image.segments[i];
        image.taken[i] = {s.physical, s.memory_size};
        if (s.physical + s.memory_size < s.physical || !map.is_ram(image.taken[i]))
            return std::unexpected(does_not_fit);
        if (!memory.write(s.physical, file.data() + s.offset, s.file_size) ||
            !memory.fill(s.physical + s.file_size, 0, s.memory_size - s.file_size))
            return std::unexpected(does_not_fit);
    }
    return {};
}

// Lays the information structure and all it points to into one low block.
class InfoBlock {
 public:
    InfoBlock(PhysicalMap& memory, u64 base) : memory_(memory), base_(base), next_(base + info::size) {}

    u32 text(std::string_view s) {
        const u8 zero = 0;
        u32 at = take(s.size() + 1, 1);
        memory_.write(at, s.data(), s.size());
        memory_.write(at + s.size(), &zero, 1);
        return at;
    }
    void command_line(std::string_view line) { set(info::command_line, info::cmdline, text(line)); }
    void loader_name(std::string_view name) { set(info::loader_name, info::boot_loader_name, text(name)); }
    void module(u64 begin, u64 size) {
        const u32 entry[] = {static_cast<u32>(begin), static_cast<u32>(begin + size), text("initrd"), 0};
        u32 at = take(sizeof entry, 4);
        memory_.write(at, entry, sizeof entry);
        put_at<u32>(page_, info::mods_count, 1);
        set(info::modules, info::mods_addr, at);
    }
    void memory_map(const MemoryMap& map) {
        put_at<u32>(page_, info::mem_lower, 639);
        set(info::memory, info::mem_upper, std::min<u64>(map.extended() >> 10, 0xffff'ffff));
        const u32 entry_size = sizeof(E820Entry);  // not counting itself
        const u32 length = map.entries().size() * (entry_size + 4), start = take(length, 4);
        for (u32 at = start; const E820Entry& e : map.entries()) {
            memory_.write(at, &entry_size, 4);
            memory_.write(at + 4, &e, sizeof e);
            at += 4 + entry_size;
        }
        put_at<u32>(page_, info::mmap_length, length);
        set(info::memory_map, info::mmap_addr, start);
    }
    void finish() { memory_.write(base_, page_, info::size); }

 private:
    u32 take(u64 size, u64 align) {
        u64 at = align_up(next_, align);
        next_ = at + size;
        return at;
    }
    void set(u32 flag, u64 offset, u32 value) {
        flags_ |= flag;
        put_at<u32>(page_, 0, flags_);
        put_at<u32>(page_, offset, value);
    }
    PhysicalMap& memory_;
    u64 base_, next_;
    u32 flags_ = 0;
    u8 page_[info::size] = {};
};

}  // namespace

std::optional<MultibootHeader> find_multiboot_header(std::span<const u8> image) {
    Bytes f(image);
    for (u64 at = 0; at + 12 <= std::min(search_limit, f.size()); at += 4) {
        if (f.u32_at(at) != header_magic) continue;
        const u32 flags = f.u32_at(at + 4);
        if (static_cast<u32>(header_magic + flags + f.u32_at(at + 8)) != 0) continue;
        return MultibootHeader{.offset = at,
                               .flags = flags,
                               .header = f.u32_at(at + 12),
                               .load = f.u32_at(at + 16),
                               .load_end = f.u32_at(at + 20),
                               .bss_end = f.u32_at(at + 24),
                               .entry = f.u32_at(at + 28)};
    }
    return {};
}

Result<CpuState> load_multiboot(PhysicalMap& memory, const BootRequest& r) {
    const auto header = find_multiboot_header(r.kernel);
    if (!header) return std::unexpected(not_multiboot);
    if (header->flags & 0xffff & ~wants_known) return std::unexpected(wants_more);

    const Bytes file(r.kernel);
    if ((header->flags & has_addresses) && !file.has(header->offset, 32)) return std::unexpected(truncated);
    Image image = TRY(header->flags & has_addresses ? aout_image(file, *header) : elf_image(file));
    if (image.entry > 0xffff'ffff) return std::unexpected(malformed);
    CHECK(copy_in(memory, r.map, file, image));

    if (r.command_line.size() > 4096) return std::unexpected(command_line_too_long);
    constexpr u64 info_room = 4 * page_size, low_top = 0x9'f000;
    const auto low = r.map.highest(info_room, page_size, low_memory::gdt, low_top, image.ranges());
    if (!low) return std::unexpected(no_low_room);
    image.taken[image.count++] = {*low, info_room};

    InfoBlock block(memory, *low + page_size);
    block.memory_map(r.map);
    block.command_line(r.command_line);
    block.loader_name("bmbt");
    if (!r.initrd.empty()) {
        const auto place = r.map.highest(r.initrd.size(), page_size, 1_MiB, 4_GiB, image.ranges());
        if (!place || !memory.write(*place, r.initrd.data(), r.initrd.size()))
            return std::unexpected(initrd_does_not_fit);
        block.module(*place, r.initrd.size());
    }
    block.finish();

    CpuState s = flat_protected_state(memory, *low);
    s.rip = image.entry;
    s.gpr[x86::Rax] = boot_magic;
    s.gpr[x86::Rbx] = *low + page_size;
    return s;
}

}  // namespace bmbt

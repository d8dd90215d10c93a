#include "loader/elf.hpp"

namespace bmbt {
namespace {

constexpr u32 elf_magic = 0x464c'457f;
constexpr u8 class_32 = 1, class_64 = 2, little_endian = 1;
constexpr u16 machine_386 = 3, machine_x86_64 = 62, type_executable = 2, type_shared = 3;
constexpr u32 load = 1;

constexpr Error not_for_pc{"the kernel is an ELF file, but no x86 executable; give one linked for i386 or x86-64"};
constexpr Error truncated{
    "the kernel is truncated: its ELF program headers announce more than the file holds; copy it again"};
constexpr Error too_many{"the kernel has more than 64 loadable ELF segments; link it with fewer"};
constexpr Error nothing{"the kernel has no loadable ELF segment; link it as an executable"};

ElfSegment segment_32(Bytes f, u64 at) {
    return {.offset = f.u32_at(at + 4),
            .file_size = f.u32_at(at + 16),
            .physical = f.u32_at(at + 12),
            .memory_size = f.u32_at(at + 20),
            .linear = f.u32_at(at + 8)};
}
ElfSegment segment_64(Bytes f, u64 at) {
    return {.offset = f.u64_at(at + 8),
            .file_size = f.u64_at(at + 32),
            .physical = f.u64_at(at + 24),
            .memory_size = f.u64_at(at + 40),
            .linear = f.u64_at(at + 16)};
}

// Kernels linked high name their entry by its linear address; what runs first has paging off.
u64 physical_entry(const Elf& elf, u64 entry) {
    for (const ElfSegment& s : elf.loads())
        if (entry >= s.linear && entry - s.linear < s.memory_size) return s.physical + (entry - s.linear);
    return entry;
}

}  // namespace

bool is_elf(std::span<const u8> image) { return Bytes(image).u32_at(0) == elf_magic; }

Result<Elf> read_elf(std::span<const u8> image) {
    Bytes f(image);
    const u8 width = f.u8_at(4);
    const u16 type = f.u16_at(16), machine = f.u16_at(18);
    const bool wide = width == class_64;
    if (!is_elf(image) || (width != class_32 && !wide) || f.u8_at(5) != little_endian ||
        machine != (wide ? machine_x86_64 : machine_386) || (type != type_executable && type != type_shared))
        return std::unexpected(not_for_pc);

    const u64 headers = wide ? f.u64_at(32) : f.u32_at(28);
    const u64 header_size = f.u16_at(wide ? 54 : 42), count = f.u16_at(wide ? 56 : 44);
    if (!f.has(headers, header_size * count) || (count && header_size < (wide ? 56 : 32)))
        return std::unexpected(truncated);

    Elf elf;
    for (u64 i = 0; i < count; ++i) {
        const u64 at = headers + i * header_size;
        if (f.u32_at(at) != load) continue;
        ElfSegment s = wide ? segment_64(f, at) : segment_32(f, at);
        if (s.memory_size == 0) continue;
        if (!f.has(s.offset, s.file_size) || s.file_size > s.memory_size) return std::unexpected(truncated);
        if (elf.count == Elf::room) return std::unexpected(too_many);
        elf.segments[elf.count++] = s;
    }
    if (elf.count == 0) return std::unexpected(nothing);
    elf.entry = physical_entry(elf, wide ? f.u64_at(24) : f.u32_at(24));
    return elf;
}

}  // namespace bmbt

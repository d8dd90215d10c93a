#include "machine/guest.hpp"

#include "loader/bios_calls.hpp"
#include "loader/firmware.hpp"
#include "loader/linux.hpp"
#include "loader/multiboot.hpp"

namespace bmbt {

void map_guest_memory(PhysicalMap& memory, const RamLayout& layout, u64 ram, Range rom) {
    constexpr u64 text_screen = 0xb'8000;  // programs write there without asking
    memory.a20_mask = ~u64{0};
    memory.map(0, memory.frames() * page_size, FrameKind::Absent, 0);
    memory.map(0, layout.low, FrameKind::Ram, ram);
    memory.map(RamLayout::above, layout.high, FrameKind::Ram, ram + layout.low);
    memory.map(RamLayout::video, text_screen - RamLayout::video, FrameKind::Absent, 0);
    if (rom.size) memory.map(RamLayout::above - rom.size, rom.size, FrameKind::Rom, rom.base);
}

Result<> check_firmware(std::span<const u8> rom) {
    CHECK(place_rom(rom));
    return {};
}

Result<CpuState> load_guest(const Config& config, const GuestFiles& files, PhysicalMap& memory, Pc& pc) {
    if (config.boot == Boot::Bios) return reset_state();
    if (config.boot == Boot::Raw) return load_raw(memory, files.kernel, config.raw_address);

    const MemoryMap map = direct_boot_map(RamLayout(config.memory));
    const BootRequest request{.kernel = files.kernel,
                              .initrd = files.initrd,
                              .command_line = config.command_line,
                              .map = map,
                              .acpi_rsdp = pc.prepare_direct_boot()};
    if (is_linux(files.kernel)) return load_linux(memory, request);
    place_bios_calls(memory, map);
    pc.start_bios_interrupts();
    return load_multiboot(memory, request);
}

}  // namespace bmbt

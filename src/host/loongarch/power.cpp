#include "host/loongarch/power.hpp"

#include "host/loongarch/console.hpp"
#include "host/loongarch/direct.hpp"
#include "host/loongarch/host_info.hpp"

namespace bmbt::host {

namespace {

PowerRegister off, restart;
bool emulated;
u64 pvpanic_config, pvpanic_address;  // physical; 0: there is none
u64 pvpanic_bus_address;

constexpr u32 pvpanic_id = 0x0011'1b36;  // device 0011h of vendor 1b36h, Red Hat
constexpr u64 config_command = 4, config_bar0 = 0x10;
constexpr u8 pvpanic_panicked = 1;

[[noreturn]] void sleep_for_good() {
    for (;;) asm volatile("idle 0");
}

[[noreturn]] void write_and_wait(const PowerRegister& r) {
    {
        Uncached io;
        if (r.width == 1)
            io.write<u8>(r.address, static_cast<u8>(r.value));
        else
            io.write<u32>(r.address, r.value);
    }
    sleep_for_good();
}

}  // namespace

void prepare_power(const HostInfo& info) {
    off = info.power_off;
    restart = info.reset;
    emulated = info.fw_cfg != 0;
    if (!info.pci.ecam.size || !info.pci.memory.size) return;
    Uncached io;
    for (u64 device = 0; device < 32; device++) {
        u64 config = info.pci.ecam.base + (device << 15);
        if (io.read<u32>(config) != pvpanic_id) continue;
        // The last page of the window: nobody else who hands out addresses gets there first.
        pvpanic_config = config;
        pvpanic_address = info.pci.memory.base + info.pci.memory.size - 4096;
        pvpanic_bus_address = info.pci.memory_bus + info.pci.memory.size - 4096;
    }
}

void power_off() {
    if (off.address) write_and_wait(off);
    say("this machine names no way to switch itself off: switch it off by hand");
    sleep_for_good();
}

void reset() {
    if (restart.address) write_and_wait(restart);
    say("this machine names no way to reset itself: reset it by hand");
    sleep_for_good();
}

void fail_exit() {
    if (pvpanic_config) {
        Uncached io;
        io.write<u32>(pvpanic_config + config_bar0, static_cast<u32>(pvpanic_bus_address));
        io.write<u16>(pvpanic_config + config_command, 2);
        io.write<u8>(pvpanic_address, pvpanic_panicked);
        sleep_for_good();
    }
    // Under an emulator a stopped machine would look like a hang; on a desk the message should stay on the screen.
    if (emulated) power_off();
    sleep_for_good();
}

}  // namespace bmbt::host

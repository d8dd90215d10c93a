// 16-bit code that asks what a direct boot leaves of a BIOS.
#include "loader/bios_calls.hpp"

#include <gtest/gtest.h>

#include "machine/interpreted_machine.hpp"

namespace bmbt {
namespace {

using namespace test;

// Asks for the memory map until it ends, for a key and for a call that does not exist; last for the size of
// conventional memory, which it writes to 8000h if all was as it should be.
const u8 asker[] = {
    0xfa,                                // cli
    0xbc, 0x00, 0x70,                    // mov sp, 7000h
    0xbf, 0x00, 0x90,                    // mov di, 9000h
    0x66, 0x31, 0xdb,                    // xor ebx, ebx
    0x66, 0xb8, 0x20, 0xe8, 0x00, 0x00,  // 1: mov eax, E820h
    0x66, 0xba, 'P',  'A',  'M',  'S',   // mov edx, "SMAP"
    0x66, 0xb9, 0x18, 0x00, 0x00, 0x00,  // mov ecx, 24
    0xcd, 0x15,                          // int 15h
    0x72, 0x19,                          // jc 9f
    0x83, 0xc7, 0x14,                    // add di, 20
    0x66, 0x85, 0xdb,                    // test ebx, ebx
    0x75, 0xe2,                          // jnz 1b
    0xb4, 0x01,                          // mov ah, 1
    0xcd, 0x16,                          // int 16h
    0x75, 0x0b,                          // jnz 9f
    0xb4, 0x88,                          // mov ah, 88h
    0xcd, 0x15,                          // int 15h
    0x73, 0x05,                          // jnc 9f
    0xcd, 0x12,                          // int 12h
    0xa3, 0x00, 0x80,                    // mov [8000h], ax
    0xf4,                                // 9: hlt
};

TEST(BiosCalls, GiveTheMemoryMapAndRefuseTheRest) {
    Config config;
    config.memory = 16_MiB;
    config.boot = Boot::Raw;
    config.raw_address = 0x7c00;
    StringSink console;
    InterpretedMachine machine(config, {asker, {}}, console, console);
    ASSERT_TRUE(machine.power_on());
    const MemoryMap map = direct_boot_map(RamLayout(config.memory));
    place_bios_calls(machine.physical(), map);
    EXPECT_EQ(machine.run(10'000, [] { return false; }), InterpretedMachine::End::Halted);

    const auto wanted = map.entries();
    std::vector<u8> got(wanted.size_bytes() + 1);
    machine.physical().read(0x9000, got.data(), got.size());
    EXPECT_EQ(std::memcmp(got.data(), wanted.data(), wanted.size_bytes()), 0);
    EXPECT_EQ(got.back(), 0);
    u16 kib = 0;
    machine.physical().read(0x8000, &kib, sizeof kib);
    EXPECT_EQ(kib, 639);
}

// Waits for three ticks and writes their count, which began at 5, to 8000h.
const u8 waiter[] = {
    0xbc, 0x00, 0x70,                                      // mov sp, 7000h
    0x66, 0xc7, 0x06, 0x6c, 0x04, 0x05, 0x00, 0x00, 0x00,  // mov dword [46Ch], 5
    0xb4, 0x77,                                            // mov ah, 77h
    0xfb, 0xf4,                                            // sti; hlt
    0xf4,                                                  // hlt
    0xf4,                                                  // hlt
    0xfa,                                                  // cli
    0x80, 0xfc, 0x77,                                      // cmp ah, 77h
    0x75, 0x06,                                            // jne 1f
    0xa1, 0x6c, 0x04,                                      // mov ax, [46Ch]
    0xa3, 0x00, 0x80,                                      // mov [8000h], ax
    0xf4,                                                  // 1: hlt
};

TEST(BiosCalls, TheTimerTicks) {
    Config config;
    config.memory = 16_MiB;
    config.boot = Boot::Raw;
    config.raw_address = 0x7c00;
    StringSink console;
    InterpretedMachine machine(config, {waiter, {}}, console, console);
    ASSERT_TRUE(machine.power_on());
    place_bios_calls(machine.physical(), direct_boot_map(RamLayout(config.memory)));
    machine.pc().start_bios_interrupts();
    EXPECT_EQ(machine.run(10'000, [] { return false; }), InterpretedMachine::End::Halted);
    u16 ticks = 0;
    machine.physical().read(0x8000, &ticks, sizeof ticks);
    EXPECT_EQ(ticks, 8);
    EXPECT_NEAR(static_cast<double>(machine.clock.now()), 2 * 54.9e6, 1e6) << "the first comes with the setting";
}

}  // namespace
}  // namespace bmbt

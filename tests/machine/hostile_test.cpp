// Guests that do nonsense: every port, register and MSR with any value, and random bytes as code. Nothing of ours may
// break, hang or touch memory that is not the guest's; sanitizers watch.
#include <gtest/gtest.h>

#include <random>

#include "machine/interpreted_machine.hpp"

namespace bmbt {
namespace {

using namespace test;

struct Bench {
    explicit Bench(std::span<const u8> image, Boot boot = Boot::Raw)
        : machine(make_config(boot), {image, {}}, console, console) {}
    static Config make_config(Boot boot) {
        Config c;
        c.memory = 16_MiB;
        c.boot = boot;
        return c;
    }
    StringSink console;
    InterpretedMachine machine;
};

const u8 nothing[] = {0xf4};

TEST(Hostile, EveryPortTakesEverything) {
    Bench b(nothing);
    std::mt19937 random(3);
    for (unsigned round = 0; round < 3; ++round) {
        ASSERT_TRUE(b.machine.power_on());
        for (u32 port = 0; port < 0x1'0000; ++port)
            for (Width w : {Width::Byte, Width::Word, Width::Dword}) {
                b.machine.port_in(port, w);
                b.machine.port_out(port, w, round == 0 ? 0xffff'ffff : random());
                b.machine.port_in(port, w);
            }
        b.machine.clock.skipped += 1'000'000'000;
        b.machine.pc().run_timers();
        while (b.machine.pc().interrupt_pending() && random() % 1000) b.machine.pc().acknowledge_interrupt();
        b.console.text.clear();
    }
}

TEST(Hostile, BusyPortsTakeLongSequences) {
    Bench b(nothing);
    std::mt19937 random(4);
    const u16 ports[] = {0x20,  0x21,  0x40,  0x42,  0x43,  0x60,  0x61,  0x64,  0x70,  0x71,
                         0x92,  0xa0,  0xa1,  0x3f8, 0x3f9, 0x3fa, 0x3fb, 0x3fc, 0x4d0, 0x510,
                         0x511, 0x514, 0x518, 0x600, 0x602, 0x604, 0x608, 0xcf8, 0xcfc, 0xcfe};
    for (unsigned round = 0; round < 20; ++round) {
        ASSERT_TRUE(b.machine.power_on());
        for (unsigned n = 0; n < 20'000; ++n) {
            const u16 port = ports[random() % std::size(ports)] + (random() % 8 == 0);
            const Width w = static_cast<Width>(1 << random() % 3);
            if (random() % 2)
                b.machine.port_in(port, w);
            else
                b.machine.port_out(port, w, port == 0xcf8 ? 0x8000'0000 | (random() & 0xffff) : random());
            b.machine.clock.skipped += random() % 100'000;
            if (random() % 16 == 0) b.machine.pc().run_timers();
            if (random() % 16 == 0 && b.machine.pc().interrupt_pending()) b.machine.pc().acknowledge_interrupt();
            if (random() % 64 == 0 && b.machine.pc().serial_room()) b.machine.pc().serial_input(random());
        }
        b.console.text.clear();
    }
}

TEST(Hostile, DeviceRegistersTakeEverything) {
    Bench b(nothing);
    std::mt19937_64 random(5);
    for (unsigned round = 0; round < 10; ++round) {
        ASSERT_TRUE(b.machine.power_on());
        for (unsigned n = 0; n < 20'000; ++n) {
            const u64 bases[] = {0xfee0'0000, 0xfec0'0000, 0xfed0'0000, 0xc0000, 0xfffff, 0xd000'0000};
            const u64 at =
                bases[random() % std::size(bases)] + (random() % 2 ? random() % 0x400 : random() % 0x40 * 16);
            const Width w = static_cast<Width>(1 << random() % 4);
            if (random() % 2)
                b.machine.mmio_read(at, w);
            else
                b.machine.mmio_write(at, w, random() % 4 ? random() % 0x400 : random());
            b.machine.clock.skipped += random() % 100'000;
            if (random() % 16 == 0) b.machine.pc().run_timers();
            if (random() % 16 == 0 && b.machine.pc().interrupt_pending()) b.machine.pc().acknowledge_interrupt();
        }
    }
}

TEST(Hostile, ApicRegistersAsMsrs) {
    Bench b(nothing);
    std::mt19937_64 random(6);
    for (unsigned round = 0; round < 10; ++round) {
        ASSERT_TRUE(b.machine.power_on());
        Pc& pc = b.machine.pc();
        for (unsigned n = 0; n < 20'000; ++n) {
            const u32 chosen[] = {x86::msr::apic_base, x86::msr::tsc_deadline};
            const u32 index = random() % 8 ? 0x800 + random() % 0x100 : chosen[random() % 2];
            u64 value = random() % 4 ? random() % 0x1000 : random();
            if (index == x86::msr::apic_base) value = 0xfee0'0000 | (value & 0xd00);
            random() % 2 ? pc.apic_msr_read(index, value) : pc.apic_msr_write(index, value);
            b.machine.clock.skipped += random() % 10'000;
            if (random() % 16 == 0) pc.run_timers();
            if (random() % 16 == 0 && pc.interrupt_pending()) pc.acknowledge_interrupt();
        }
    }
}

// Random code finds its way through real mode's instructions, ports and, with luck, into protected mode.
TEST(Hostile, RandomCode) {
    std::mt19937 random(7);
    for (unsigned round = 0; round < 45; ++round) {
        std::vector<u8> image(0x9'0000);
        for (u8& byte : image) byte = random();
        if (round % 3 == 1)  // protected mode with random tables: lgdt [0x100]; mov cr0, 1 from there on
            for (u8 prologue[] = {0x0f, 0x01, 0x16, 0x00, 0x01, 0x0f, 0x20, 0xc0, 0x0c, 0x01, 0x0f, 0x22, 0xc0};
                 u8 & p : prologue)
                image[&p - prologue] = p;
        if (round % 3 == 2)  // paging over random tables
            for (u8 prologue[] = {0x66, 0xb8, 0x00, 0x10, 0x00, 0x00, 0x0f, 0x22, 0xd8, 0x0f, 0x20,
                                  0xc0, 0x66, 0x0d, 0x01, 0x00, 0x00, 0x80, 0x0f, 0x22, 0xc0};
                 u8 & p : prologue)
                image[&p - prologue] = p;
        Bench b(image);
        ASSERT_TRUE(b.machine.power_on());
        b.machine.run(20'000, [] { return false; });
    }
}

}  // namespace
}  // namespace bmbt

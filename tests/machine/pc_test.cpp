// The PC's wiring: what answers where, and which interrupt goes where. The devices have tests of their own.
#include <gtest/gtest.h>

#include "machine/machine_fixture.hpp"

namespace bmbt {
namespace {

using namespace test;

class PcTest : public ::testing::Test {
 protected:
    explicit PcTest(Boot boot = Boot::Raw, u64 rom_size = 0) {
        config.memory = 32_MiB;
        config.boot = boot;
        rom.assign(rom_size, 0);
        for (u64 i = 0; i < rom_size; ++i) rom[i] = i >> 12 | 0x80;
        memory = std::make_unique<MachineMemory>(config, rom);
        pc = std::make_unique<Pc>(config, PcHost{clock, day, console, marks, trace, memory->map(), listener, cpu,
                                                 memory->shadow_ram(), memory->rom()});
    }
    void out(u16 port, u32 value, Width w = Width::Byte) { pc->port_out(port, w, value); }
    u32 in(u16 port, Width w = Width::Byte) { return pc->port_in(port, w); }
    void start_pics() {
        for (auto [port, value] : {std::pair<u16, u8>{0x20, 0x11},
                                   {0x21, 0x20},
                                   {0x21, 4},
                                   {0x21, 1},
                                   {0x21, 0},
                                   {0xa0, 0x11},
                                   {0xa1, 0x28},
                                   {0xa1, 2},
                                   {0xa1, 1},
                                   {0xa1, 0}})
            out(port, value);
    }
    void pass(u64 ns) {
        clock.time += ns;
        pc->run_timers();
    }

    Config config;
    StillClock clock;
    SomeDay day;
    StringSink console, marks, trace;
    NoListener listener;
    Vcpu cpu;
    std::vector<u8> rom;
    std::unique_ptr<MachineMemory> memory;
    std::unique_ptr<Pc> pc;
};

TEST_F(PcTest, NobodyAnswersWithOnes) {
    EXPECT_EQ(in(0x1234), 0xffu);
    EXPECT_EQ(in(0x1234, Width::Word), 0xffffu);
    EXPECT_EQ(in(0xffff, Width::Dword), 0xffff'ffffu);
    EXPECT_EQ(pc->mmio_read(0xd000'0000, Width::Qword), ~u64{0});
    out(0x1234, 5);
    pc->mmio_write(0xd000'0000, Width::Dword, 5);
}

TEST_F(PcTest, BytesReachConsoleAndMarks) {
    out(0xf1, 'a');
    out(0x3f8, 'b');
    out(0xe9, 'c');
    EXPECT_EQ(console.text, "ab");
    EXPECT_EQ(marks.text, "c");
}

TEST_F(PcTest, TimerInterruptsThroughThe8259Pair) {
    out(0x43, 0x34);
    out(0x40, 0xa9);  // 1193 ticks: 1 ms
    out(0x40, 0x04);
    start_pics();  // forgets the edge that setting the mode made
    EXPECT_FALSE(pc->interrupt_pending());
    EXPECT_LT(pc->next_timer(), clock.time + 1'100'000);
    pass(1'100'000);
    ASSERT_TRUE(pc->interrupt_pending());
    EXPECT_EQ(pc->acknowledge_interrupt(), 0x20);
    EXPECT_FALSE(pc->interrupt_pending());
}

TEST_F(PcTest, TimerIsPin2OfTheIoApic) {
    pc->mmio_write(0xfee0'00f0, Width::Dword, 0x1ff);
    pc->mmio_write(0xfee0'0350, Width::Dword, 0x10000);
    pc->mmio_write(0xfec0'0000, Width::Dword, 0x10 + 2 * 2);
    pc->mmio_write(0xfec0'0010, Width::Dword, 0x35);
    out(0x43, 0x34);
    out(0x40, 0);
    out(0x40, 0x10);
    pass(5'000'000);
    ASSERT_TRUE(pc->interrupt_pending());
    EXPECT_EQ(pc->acknowledge_interrupt(), 0x35);
}

// Both controllers tell whether a tick still waits, so a slow processor gets all of them.
TEST_F(PcTest, NoTickOfTheTimerIsLost) {
    auto count = [&](auto eoi) {
        unsigned n = 0;
        for (; pc->interrupt_pending() && n < 1000; n++) {
            pc->acknowledge_interrupt();
            eoi();
        }
        return n;
    };
    start_pics();
    out(0x43, 0x34);
    out(0x40, 0xa9);  // 1193 ticks: 1 ms
    out(0x40, 0x04);
    count([&] { out(0x20, 0x20); });
    pass(50'500'000);
    EXPECT_EQ(count([&] { out(0x20, 0x20); }), 50u);

    out(0x21, 0xff);
    pc->mmio_write(0xfee0'00f0, Width::Dword, 0x1ff);
    pc->mmio_write(0xfee0'0350, Width::Dword, 0x10000);
    pc->mmio_write(0xfec0'0000, Width::Dword, 0x10 + 2 * 2);
    pc->mmio_write(0xfec0'0010, Width::Dword, 0x35);
    for (int n = 0; n < 30; n++) pass(1'000'000);
    EXPECT_EQ(count([&] { pc->mmio_write(0xfee0'00b0, Width::Dword, 0); }), 30u);

    pc->mmio_write(0xfec0'0010, Width::Dword, 0x10035);  // edges on a masked pin are lost
    pass(50'000'000);
    pc->mmio_write(0xfec0'0010, Width::Dword, 0x35);
    pass(1'000'000);
    EXPECT_LE(count([&] { pc->mmio_write(0xfee0'00b0, Width::Dword, 0); }), 2u);
}

// A periodic HPET timer in the PIT's place, through either controller.
TEST_F(PcTest, HpetTicksThroughThe8259Pair) {
    start_pics();
    pc->mmio_write(0xfed0'0100, Width::Dword, 0x14c);
    pc->mmio_write(0xfed0'0108, Width::Dword, 100'000);
    pc->mmio_write(0xfed0'0108, Width::Dword, 100'000);  // 1 ms
    pc->mmio_write(0xfed0'0010, Width::Dword, 3);
    pass(20'500'000);
    unsigned n = 0;
    for (; pc->interrupt_pending() && n < 100; n++) {
        EXPECT_EQ(pc->acknowledge_interrupt(), 0x20);
        out(0x20, 0x20);
    }
    EXPECT_EQ(n, 20u);
}

TEST_F(PcTest, ATscDeadlineMovesWithTheTsc) {
    constexpr u32 tsc_deadline_mode = 0x40040;
    pc->mmio_write(0xfee0'00f0, Width::Dword, 0x1ff);
    pc->mmio_write(0xfee0'0320, Width::Dword, tsc_deadline_mode);
    const u64 now = clock.time;
    ASSERT_TRUE(pc->apic_msr_write(x86::msr::tsc_deadline, now + 1'000'000));
    EXPECT_EQ(pc->next_timer(), now + 1'000'000);
    cpu.tsc_offset = 400'000;
    pc->tsc_moved();
    EXPECT_EQ(pc->next_timer(), now + 600'000);
    cpu.tsc_offset = 5'000'000;
    pc->tsc_moved();
    EXPECT_TRUE(pc->interrupt_pending());
}

// Deadlines and the TSC are unsigned: one that is further away than the clock can tell never comes.
TEST_F(PcTest, ATscDeadlineFarAwayDoesNotFire) {
    pc->mmio_write(0xfee0'00f0, Width::Dword, 0x1ff);
    pc->mmio_write(0xfee0'0320, Width::Dword, 0x40040);
    pass(5'000'000'000);
    for (u64 offset : {u64{0}, u64{0} - clock.time, u64{1} << 62}) {  // the second: the guest has written 0 to its TSC
        cpu.tsc_offset = offset;
        for (u64 deadline : {~u64{0}, u64{1} << 63, ~u64{0} - 1000}) {
            ASSERT_TRUE(pc->apic_msr_write(x86::msr::tsc_deadline, deadline));
            pass(1'000'000);
            EXPECT_FALSE(pc->interrupt_pending()) << offset << " " << deadline;
            u64 armed = 0;
            ASSERT_TRUE(pc->apic_msr_read(x86::msr::tsc_deadline, armed));
            EXPECT_EQ(armed, deadline);
        }
    }
    ASSERT_TRUE(pc->apic_msr_write(x86::msr::tsc_deadline, 1000));
    EXPECT_TRUE(pc->interrupt_pending());
}

TEST_F(PcTest, SerialInputInterruptsOnIrq4) {
    start_pics();
    out(0x3f9, 1);
    out(0x3fc, 8);
    EXPECT_GT(pc->serial_room(), 0u);
    pc->serial_input('x');
    ASSERT_TRUE(pc->interrupt_pending());
    EXPECT_EQ(pc->acknowledge_interrupt(), 0x24);
    EXPECT_EQ(in(0x3f8), u32{'x'});
}

// Nothing is there where INIT leads to.
TEST_F(PcTest, InitWithoutFirmwareResets) {
    out(0x64, 0xfe);
    EXPECT_EQ(pc->stop(), Stop::Reset);
    EXPECT_STREQ(pc->stop_reason(), "INIT without firmware");
    EXPECT_FALSE(pc->take_signals().init);
    EXPECT_FALSE(pc->shut_down());
}
class PcWithFirmware : public PcTest {
 protected:
    PcWithFirmware() : PcTest(Boot::Bios, 256 << 10) {}
    bool init_by(u16 port, u32 value) {
        out(port, value);
        return pc->stop() == Stop::None && pc->take_signals().init;
    }
};
TEST_F(PcWithFirmware, InitComesFromChipsetAndKeyboardController) {
    EXPECT_TRUE(init_by(0x64, 0xfe));
    EXPECT_TRUE(init_by(0x92, 3));
    EXPECT_FALSE(init_by(0x92, 3)) << "it needs a rise";
    EXPECT_FALSE(init_by(0xcf9, 0));
    EXPECT_TRUE(init_by(0xcf9, 4));
    EXPECT_TRUE(pc->shut_down());
    EXPECT_TRUE(pc->take_signals().init);
    EXPECT_FALSE(pc->take_signals().init);
}
TEST_F(PcWithFirmware, InitByMessageResetsTheApicFirst) {
    pc->mmio_write(0xfee0'00f0, Width::Dword, 0x1ff);
    pc->mmio_write(0xfee0'0300, Width::Dword, 0x4'4500);
    EXPECT_TRUE(pc->take_signals().init);
    EXPECT_EQ(pc->mmio_read(0xfee0'00f0, Width::Dword), 0xffu);
    EXPECT_TRUE(pc->bootstrap());
    pc->mmio_write(0xfee0'0300, Width::Dword, 0x4'4612);
    const CpuSignals s = pc->take_signals();
    EXPECT_TRUE(s.startup);
    EXPECT_EQ(s.startup_page, 0x12);
}
TEST_F(PcTest, ResetsByPortCf9) {
    out(0xcf9, 2);
    EXPECT_EQ(pc->stop(), Stop::None);
    out(0xcf9, 6);
    EXPECT_EQ(pc->stop(), Stop::Reset);
}
TEST_F(PcTest, PowersOffByAcpi) {
    out(0x604, 0x2000 | PmLayout::sleep_type_off << 10, Width::Word);
    EXPECT_EQ(pc->stop(), Stop::PowerOff);
}

// The guest may move the power management block over other devices.
TEST_F(PcTest, PmBlockLeavesOtherPortsAlone) {
    auto move_to = [&](u32 base) {
        out(0xcf8, 0x8000'0b40, Width::Dword);
        out(0xcfc, base | 1, Width::Dword);
    };
    out(0x21, 0x5a);
    move_to(0);
    EXPECT_EQ(in(0x21), 0x5au);
    EXPECT_EQ(in(0x04, Width::Word), 1u);  // ACPI is on
    EXPECT_EQ(in(0x604, Width::Word), 0xffffu);
    move_to(0xcc0);
    EXPECT_EQ(in(0x04, Width::Word), 0xffffu);
    EXPECT_EQ(in(0xcc4, Width::Word), 1u);
    EXPECT_EQ(in(0x21), 0x5au);
    move_to(0x600);
    EXPECT_EQ(in(0xcc4, Width::Word), 0xffffu);
    EXPECT_EQ(in(0x604, Width::Word), 1u);
    out(0xcf9, 6);
    EXPECT_EQ(pc->stop(), Stop::Reset);
}

class TestDevices : public PcTest {
 protected:
    TestDevices() {
        config.test_devices = true;
        pc = std::make_unique<Pc>(config, PcHost{clock, day, console, marks, trace, memory->map(), listener, cpu,
                                                 memory->shadow_ram(), memory->rom()});
    }
};
TEST_F(PcTest, HasNoTestDevicesUnasked) {
    out(0xf4, 0);
    EXPECT_EQ(pc->stop(), Stop::None);
    pc->mmio_write(0xff00'0000, Width::Byte, 1);
    EXPECT_EQ(pc->mmio_read(0xff00'0000, Width::Byte), 0xffu);
}
TEST_F(TestDevices, AnswerWhereTestKernelsLook) {
    out(0xe0, 0x1234'5678, Width::Dword);
    EXPECT_EQ(in(0xe9), 0x56u);
    pc->mmio_write(0xff00'fff8, Width::Qword, 0x1122'3344'5566'7788);
    EXPECT_EQ(pc->mmio_read(0xff00'fffc, Width::Dword), 0x1122'3344u);
    start_pics();
    out(0x2004, 1);
    ASSERT_TRUE(pc->interrupt_pending());
    EXPECT_EQ(pc->acknowledge_interrupt(), 0x24);
}
TEST_F(TestDevices, EndWithTheFirstCode) {
    out(0xf4, 7, Width::Dword);
    out(0xf4, 0, Width::Dword);
    EXPECT_EQ(pc->stop(), Stop::Exit);
    EXPECT_EQ(pc->exit_code(), 15);
}

TEST_F(PcTest, A20FoldsAddresses) {
    const unsigned before = listener.changes;
    out(0x92, 0);
    EXPECT_EQ(memory->map().a20_mask, ~u64{1_MiB});
    EXPECT_EQ(listener.changes, before + 1);
    out(0x92, 2);
    EXPECT_EQ(memory->map().a20_mask, ~u64{0});
}

TEST_F(PcTest, CmosTellsTheMemory) {
    auto cmos = [&](u8 n) { return out(0x70, n), in(0x71); };
    EXPECT_EQ(cmos(0x34) | cmos(0x35) << 8, (32_MiB - 16_MiB) >> 16);
    EXPECT_EQ(cmos(0x17) | cmos(0x18) << 8, 31u * 1024);
}

TEST_F(PcTest, TscNeverRepeats) {
    u64 first = pc->tsc();
    EXPECT_GT(pc->tsc(), first);
    clock.time += 5'000'000'000;
    EXPECT_GE(pc->tsc(), first + 5'000'000'000);
}

TEST_F(PcTest, ApicMovesWithItsBase) {
    u64 base = 0;
    ASSERT_TRUE(pc->apic_msr_read(x86::msr::apic_base, base));
    EXPECT_EQ(base & ~0xfffull, 0xfee0'0000u);
    EXPECT_NE(pc->mmio_read(0xfee0'0030, Width::Dword), 0xffff'ffffu);
    ASSERT_TRUE(pc->apic_msr_write(x86::msr::apic_base, base - 0xfee0'0000 + 0xd000'0000));
    EXPECT_NE(pc->mmio_read(0xd000'0030, Width::Dword), 0xffff'ffffu);
}

class FirmwarePcTest : public PcTest {
 protected:
    FirmwarePcTest() : PcTest(Boot::Bios, 256_KiB) {}
};

TEST_F(FirmwarePcTest, RomShowsAtBothPlaces) {
    PhysicalMap& m = memory->map();
    u8 high = 0, low = 0;
    m.read(0xffff'f000, &high, 1);
    m.read(0xff000, &low, 1);
    EXPECT_EQ(high, 0x80 | 63);
    EXPECT_EQ(low, high);
    m.read(0xe0000, &low, 1);
    EXPECT_EQ(low, 0x80 | 32);
    EXPECT_FALSE(m.write(0xff000, &low, 1));
    EXPECT_EQ(memory->map().frame(0xa0000).kind(), FrameKind::Absent);
    EXPECT_TRUE(memory->map().frame(0xb8000).ram());
}

TEST_F(FirmwarePcTest, HostBridgeShadowsTheRom) {
    PhysicalMap& m = memory->map();
    auto pam0 = [&](u8 value) {
        out(0xcf8, 0x8000'0058, Width::Dword);
        out(0xcfd, value);
    };
    u8 byte = 0x11;
    pam0(0x20);  // writes to RAM, reads from ROM
    pc->mmio_write(0xf0005, Width::Byte, 0x77);
    EXPECT_EQ(pc->mmio_read(0xf0005, Width::Byte), 0x80u | 48);
    pam0(0x30);
    ASSERT_TRUE(m.read(0xf0005, &byte, 1));
    EXPECT_EQ(byte, 0x77);
    EXPECT_TRUE(m.write(0xf0006, &byte, 1));
    pam0(0x10);
    EXPECT_FALSE(m.write(0xf0006, &byte, 1));
    m.read(0xf0006, &byte, 1);
    EXPECT_EQ(byte, 0x77);
    pam0(0);
    m.read(0xf0005, &byte, 1);
    EXPECT_EQ(byte, 0x80 | 48);
}

TEST_F(FirmwarePcTest, FirmwareFindsItsFiles) {
    auto next = [&] { return in(0x511); };
    out(0x510, 0x19, Width::Word);
    u32 files = 0;
    for (int i = 0; i < 4; ++i) files = files << 8 | next();
    EXPECT_GE(files, 6u);
}

class LinuxPcTest : public PcTest {
 protected:
    LinuxPcTest() : PcTest(Boot::Linux) {}
};

TEST_F(LinuxPcTest, TablesLieWhereKernelsLook) {
    const u64 rsdp = pc->prepare_direct_boot();
    char name[8];
    memory->map().read(rsdp, name, sizeof name);
    EXPECT_EQ(std::string_view(name, 8), "RSD PTR ");
    u64 xsdt = 0;
    memory->map().read(rsdp + 24, &xsdt, 8);
    memory->map().read(xsdt, name, 4);
    EXPECT_EQ(std::string_view(name, 4), "XSDT");
}

}  // namespace
}  // namespace bmbt

#include <gtest/gtest.h>

#include "device/a20.hpp"
#include "fakes.hpp"
#include "pci/i440fx.hpp"
#include "pci/piix.hpp"

namespace bmbt::test {
namespace {

struct FakeShadow final : ShadowRam {
    void shadow(u32 base, u32 size, bool readable, bool writable) override {
        events.push_back({base, size, readable, writable});
    }
    void smram(bool open) override { smram_open = open; }
    std::vector<std::tuple<u32, u32, bool, bool>> events;
    bool smram_open = false;
};

struct FakeWindow final : PmWindow {
    void pm_window(u16 b, bool e) override {
        base = b;
        enabled = e;
    }
    u16 base = 0;
    bool enabled = false;
};

struct PciTest : testing::Test {
    PciTest() : piix3(outputs()) {
        bus.attach(0, 0, host);
        bus.attach(1, 0, piix3);
        bus.attach(1, 3, pm);
    }
    std::array<Line*, 16> outputs() {
        std::array<Line*, 16> lines;
        for (unsigned i = 0; i < 16; i++) lines[i] = &irq[i];
        return lines;
    }
    void address(unsigned device, unsigned function, unsigned reg) {
        ports.write(0, Width::Dword, 0x80000000u | device << 11 | function << 8 | reg);
    }
    u32 get(unsigned device, unsigned function, unsigned reg, Width w = Width::Dword) {
        address(device, function, reg);
        return ports.read(static_cast<u16>(4 + (reg & 3)), w);
    }
    void put(unsigned device, unsigned function, unsigned reg, Width w, u32 value) {
        address(device, function, reg);
        ports.write(static_cast<u16>(4 + (reg & 3)), w, value);
    }

    FakeLine irq[16], reset, init;
    FakeShadow shadow;
    FakeWindow window;
    I440fx host{shadow};
    Piix3 piix3;
    Piix4Pm pm{window};
    PciBus bus;
    ResetControl reset_control{reset, init};
    PciConfigPorts ports{bus, reset_control};
};

TEST_F(PciTest, MechanismOne) {
    EXPECT_EQ(get(0, 0, 0), 0x12378086u);
    EXPECT_EQ(ports.read(0, Width::Dword), 0x80000000u);
    EXPECT_EQ(get(0, 0, 2, Width::Word), 0x1237u);
    EXPECT_EQ(get(0, 0, 1, Width::Byte), 0x80u);
    EXPECT_EQ(get(0, 0, 0x2c), 0x11001af4u);
    EXPECT_EQ(get(2, 0, 0), 0xffffffffu);
    EXPECT_EQ(get(1, 1, 0, Width::Word), 0xffffu);
    EXPECT_EQ(get(1, 0, 0), 0x70008086u);
    EXPECT_EQ(get(1, 0, 0x0e, Width::Byte), 0x80u);
    EXPECT_EQ(get(1, 3, 0), 0x71138086u);
    ports.write(0, Width::Dword, 0x00000800);  // not enabled
    EXPECT_EQ(ports.read(4, Width::Dword), 0xffffffffu);
    ports.write(0, Width::Dword, 0x80010000);  // bus 1
    EXPECT_EQ(ports.read(4, Width::Dword), 0xffffffffu);
    ports.write(0, Width::Word, 0x1234);  // only a dword sets the address
    EXPECT_EQ(ports.read(0, Width::Dword), 0x80010000u);
    EXPECT_EQ(ports.read(0, Width::Word), 0xffffu);
}

TEST_F(PciTest, ResetControlIsByteCf9) {
    ports.write(1, Width::Byte, 0x02);
    ports.write(1, Width::Byte, 0x06);
    EXPECT_TRUE(reset.level);
    EXPECT_EQ(ports.read(1, Width::Byte), 0x06u);
}

TEST_F(PciTest, ReadOnlyBytesStay) {
    put(0, 0, 0, Width::Dword, 0);
    EXPECT_EQ(get(0, 0, 0), 0x12378086u);
    put(0, 0, 4, Width::Word, 0xffff);
    EXPECT_EQ(get(0, 0, 4, Width::Word), 0x0106u);
    put(0, 0, 0x3c, Width::Byte, 9);
    EXPECT_EQ(get(0, 0, 0x3c, Width::Byte), 0u);
    put(1, 3, 0x3c, Width::Byte, 9);
    EXPECT_EQ(get(1, 3, 0x3c, Width::Word), 0x0109u);
}

TEST_F(PciTest, PamChangesAreReported) {
    put(0, 0, 0x59, Width::Byte, 0x30);
    ASSERT_EQ(shadow.events.size(), 1u);
    EXPECT_EQ(shadow.events[0], std::tuple(0xf0000u, 0x10000u, true, true));
    shadow.events.clear();
    put(0, 0, 0x5c, Width::Dword, 0x13003321);
    ASSERT_EQ(shadow.events.size(), 6u);
    EXPECT_EQ(shadow.events[0], std::tuple(0xd0000u, 0x4000u, true, false));
    EXPECT_EQ(shadow.events[1], std::tuple(0xd4000u, 0x4000u, false, true));
    EXPECT_EQ(shadow.events[3], std::tuple(0xdc000u, 0x4000u, true, true));
    EXPECT_EQ(shadow.events[4], std::tuple(0xe8000u, 0x4000u, true, true));
    EXPECT_EQ(shadow.events[5], std::tuple(0xec000u, 0x4000u, true, false));
    shadow.events.clear();
    put(0, 0, 0x59, Width::Byte, 0x30);
    EXPECT_TRUE(shadow.events.empty());
}

TEST_F(PciTest, SmramOpensUntilLocked) {
    EXPECT_EQ(get(0, 0, 0x72, Width::Byte), 0x02u);
    put(0, 0, 0x72, Width::Byte, 0x4a);
    EXPECT_TRUE(shadow.smram_open);
    put(0, 0, 0x72, Width::Byte, 0x5a);
    EXPECT_FALSE(shadow.smram_open);
    put(0, 0, 0x72, Width::Byte, 0x4a);
    EXPECT_FALSE(shadow.smram_open);
    EXPECT_EQ(get(0, 0, 0x72, Width::Byte), 0x1au);
}

TEST_F(PciTest, InterruptRouter) {
    piix3.pirq(0).set(true);
    for (const FakeLine& l : irq) EXPECT_FALSE(l.level);
    put(1, 0, 0x60, Width::Byte, 10);
    EXPECT_TRUE(irq[10].level);
    put(1, 0, 0x61, Width::Byte, 10);
    piix3.pirq(1).set(true);
    piix3.pirq(0).set(false);
    EXPECT_TRUE(irq[10].level);
    put(1, 0, 0x61, Width::Byte, 11);
    EXPECT_FALSE(irq[10].level);
    EXPECT_TRUE(irq[11].level);
    put(1, 0, 0x61, Width::Byte, 0x8b);
    EXPECT_FALSE(irq[11].level);
    put(1, 0, 0x61, Width::Byte, 8);  // IRQ 8 is not for PCI
    EXPECT_EQ(piix3.routed(1), 0u);
    EXPECT_EQ(pirq_of(1, 0), 0u);
    EXPECT_EQ(pirq_of(3, 2), 0u);
}

TEST_F(PciTest, PmBlockMoves) {
    EXPECT_TRUE(get(1, 3, 0x58) & 1u << 25);
    put(1, 3, 0x40, Width::Dword, 0x0601);
    EXPECT_EQ(get(1, 3, 0x40), 0x0601u);
    EXPECT_FALSE(window.enabled);
    put(1, 3, 0x80, Width::Byte, 1);
    EXPECT_TRUE(window.enabled);
    EXPECT_EQ(window.base, 0x600);
    put(1, 3, 0x40, Width::Dword, 0xb001);
    EXPECT_EQ(window.base, 0xb000);
    put(1, 3, 0x80, Width::Byte, 0);
    EXPECT_FALSE(window.enabled);
}

}  // namespace
}  // namespace bmbt::test

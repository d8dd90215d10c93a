#include <gtest/gtest.h>

#include "apic_machine.hpp"

namespace bmbt::test {
namespace {

struct IoApicTest : testing::Test, ApicMachine {
    IoApicTest() : ApicMachine(2) {
        enable(0);
        enable(1);
    }
};

TEST_F(IoApicTest, Registers) {
    auto reg = [this](u8 index) {
        ioapic.write(0, Width::Byte, index);
        return ioapic.read(0x10, Width::Dword);
    };
    EXPECT_EQ(reg(1), 0x00170020u);
    EXPECT_EQ(reg(0), 0u);
    ioapic.write(0x10, Width::Dword, 0x05000000);
    EXPECT_EQ(reg(0), 0x05000000u);
    EXPECT_EQ(reg(3), 0xffffffffu);
    EXPECT_EQ(ioapic.read(0x20, Width::Dword), 0xffffffffu);
    EXPECT_EQ(ioapic.read(0, Width::Dword), 3u);
    for (unsigned pin = 0; pin < 24; pin++) EXPECT_EQ(redirection(pin), 0x10000u);
    redirect(3, ~u64{0});
    EXPECT_EQ(redirection(3), 0xff0000000001afffu);
}

TEST_F(IoApicTest, Edge) {
    redirect(4, 0x31);
    ioapic.pin(4).set(true);
    EXPECT_EQ(lapic().acknowledge(), 0x31);
    eoi();
    ioapic.pin(4).set(true);
    EXPECT_FALSE(cpu[0].deliverable);
    ioapic.pin(4).set(false);
    redirect(4, 0x10031);
    ioapic.pin(4).set(true);  // lost
    redirect(4, 0x31);
    EXPECT_FALSE(cpu[0].deliverable);
}

TEST_F(IoApicTest, LevelWaitsForEoi) {
    redirect(16, u64{1} << 56 | 0xa041);
    ioapic.pin(16).set(true);
    EXPECT_EQ(redirection(16) & 0x4000, 0x4000u);
    EXPECT_EQ(lapic(1).acknowledge(), 0x41);
    EXPECT_EQ(get(0x1a0, 1), 2u);  // TMR
    ioapic.pin(16).set(false);
    ioapic.pin(16).set(true);
    EXPECT_FALSE(cpu[1].deliverable);
    eoi(1);
    EXPECT_TRUE(cpu[1].deliverable);
    EXPECT_EQ(lapic(1).acknowledge(), 0x41);
    ioapic.pin(16).set(false);
    eoi(1);
    EXPECT_FALSE(cpu[1].deliverable);
    EXPECT_EQ(redirection(16) & 0x4000, 0u);
}

TEST_F(IoApicTest, MaskedLevelIsDeliveredWhenUnmasked) {
    redirect(16, 0x18041);
    ioapic.pin(16).set(true);
    EXPECT_FALSE(cpu[0].deliverable);
    redirect(16, 0x8041);
    EXPECT_TRUE(cpu[0].deliverable);
}

TEST_F(IoApicTest, EoiRegisterAndTheEdgeTrick) {
    redirect(16, 0x8041);
    ioapic.pin(16).set(true);
    lapic().acknowledge();
    ioapic.pin(16).set(false);
    ioapic.write(0x40, Width::Dword, 0x41);
    EXPECT_EQ(redirection(16) & 0x4000, 0u);
    ioapic.pin(16).set(true);
    EXPECT_NE(redirection(16) & 0x4000, 0u);
    ioapic.pin(16).set(false);
    redirect(16, 0x10041);
    EXPECT_EQ(redirection(16) & 0x4000, 0u);
}

TEST_F(IoApicTest, OtherDeliveryModes) {
    redirect(5, u64{1} << 56 | 0x0400);
    ioapic.pin(5).set(true);
    EXPECT_EQ(cpu[1].nmis, 1u);
    redirect(6, u64{1} << 56 | 0x0500);
    ioapic.pin(6).set(true);
    EXPECT_EQ(cpu[1].inits, 1u);
    put(0xd0, 1u << 24);
    redirect(7, u64{0xff} << 56 | 0x0951);  // lowest priority, logical
    ioapic.pin(7).set(true);
    EXPECT_EQ(lapic().acknowledge(), 0x51);
}

TEST_F(IoApicTest, SignalsAreEdgesThoughProgrammedLevel) {
    redirect(5, 0x8400);
    for (unsigned n = 1; n <= 3; n++) {
        ioapic.pin(5).set(true);
        EXPECT_EQ(cpu[0].nmis, n);
        EXPECT_EQ(redirection(5), 0x8400u);
        redirect(5, 0x8400);
        EXPECT_EQ(cpu[0].nmis, n);
        ioapic.pin(5).set(false);
    }
    redirect(6, u64{1} << 56 | 0x8500);
    for (unsigned n = 1; n <= 2; n++) {
        ioapic.pin(6).set(true);
        ioapic.pin(6).set(false);
        EXPECT_EQ(cpu[1].inits, n);
    }
}

TEST_F(IoApicTest, ExtIntAsksTheOldPair) {
    init_pic();
    redirect(0, 0x0700);
    pic.irq(1).set(true);
    EXPECT_FALSE(cpu[0].deliverable);  // LINT0 is masked
    ioapic.pin(0).set(true);
    EXPECT_TRUE(cpu[0].deliverable);
    EXPECT_EQ(lapic().acknowledge(), 0x21);
    EXPECT_FALSE(cpu[0].deliverable);
}

}  // namespace
}  // namespace bmbt::test

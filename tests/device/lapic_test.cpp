#include <gtest/gtest.h>

#include "apic_machine.hpp"

namespace bmbt::test {
namespace {

enum : unsigned {
    Id = 0x20,
    Version = 0x30,
    Tpr = 0x80,
    Ppr = 0xa0,
    Eoi = 0xb0,
    Ldr = 0xd0,
    Dfr = 0xe0,
    Spiv = 0xf0,
    Isr = 0x100,
    Tmr = 0x180,
    Irr = 0x200,
    Esr = 0x280,
    IcrLow = 0x300,
    IcrHigh = 0x310,
    LvtTimer = 0x320,
    LvtLint0 = 0x350,
    LvtLint1 = 0x360,
    LvtError = 0x370,
    Initial = 0x380,
    Current = 0x390,
    Divide = 0x3e0
};

struct LapicTest : testing::Test, ApicMachine {
    LapicTest() : ApicMachine(3) {
        for (unsigned i = 0; i < 3; i++) enable(i);
    }
    void self_ipi(u8 vector) { put(IcrLow, 0x40000u | vector); }
};

TEST(Lapic, PowerOnState) {
    ApicMachine m(2);
    EXPECT_EQ(m.lapic().base(), 0xfee00900u);
    EXPECT_EQ(m.lapic(1).base(), 0xfee00800u);
    EXPECT_EQ(m.get(Id, 1), 0x01000000u);
    EXPECT_EQ(m.get(Version), 0x00050014u);
    EXPECT_EQ(m.get(Spiv), 0xffu);
    EXPECT_EQ(m.get(Dfr), 0xffffffffu);
    for (unsigned r = LvtTimer; r <= LvtError; r += 0x10) EXPECT_EQ(m.get(r), 0x10000u);
    m.put(LvtLint0, 0x700);  // masked as long as the APIC is disabled by software
    EXPECT_EQ(m.get(LvtLint0), 0x10700u);
}

TEST_F(LapicTest, PrioritiesAndNesting) {
    self_ipi(0x41);
    EXPECT_TRUE(cpu[0].deliverable);
    EXPECT_EQ(get(Irr + 0x20), 2u);
    EXPECT_EQ(lapic().acknowledge(), 0x41);
    EXPECT_EQ(get(Isr + 0x20), 2u);
    EXPECT_EQ(get(Ppr), 0x40u);
    EXPECT_FALSE(cpu[0].deliverable);
    self_ipi(0x4f);  // the same class waits
    EXPECT_FALSE(cpu[0].deliverable);
    self_ipi(0x50);
    EXPECT_EQ(lapic().pending(), 0x50);
    lapic().acknowledge();
    eoi();
    EXPECT_EQ(lapic().pending(), -1);
    eoi();
    EXPECT_EQ(lapic().acknowledge(), 0x4f);
    eoi();
    eoi();  // nothing in service
    EXPECT_EQ(get(Ppr), 0u);
}

TEST_F(LapicTest, TaskPriorityAndCr8) {
    put(Tpr, 0x60);
    self_ipi(0x61);
    EXPECT_FALSE(cpu[0].deliverable);
    EXPECT_EQ(lapic().cr8(), 6);
    lapic().set_cr8(5);
    EXPECT_TRUE(cpu[0].deliverable);
    EXPECT_EQ(get(Tpr), 0x50u);
    lapic().set_cr8(15);
    EXPECT_EQ(lapic().acknowledge(), 0xff);  // raced with a higher priority: spurious, nothing in service
    EXPECT_EQ(get(Isr + 0x30), 0u);
}

TEST_F(LapicTest, SoftwareDisableMasksAndStops) {
    put(LvtTimer, 0x30);
    put(Spiv, 0xff);
    EXPECT_EQ(get(LvtTimer), 0x10030u);
    put(IcrLow, 0x40031);
    EXPECT_FALSE(cpu[0].deliverable);
}

TEST_F(LapicTest, OneShotTimer) {
    put(Divide, 0x0b);
    put(LvtTimer, 0x31);
    put(Initial, 1000);
    clock.advance(4000);
    EXPECT_EQ(get(Current), 600u);
    EXPECT_FALSE(cpu[0].deliverable);
    clock.advance(6000);
    EXPECT_EQ(get(Current), 0u);
    EXPECT_EQ(lapic().acknowledge(), 0x31);
    eoi();
    clock.advance(100'000);
    EXPECT_FALSE(cpu[0].deliverable);
    EXPECT_EQ(get(Initial), 1000u);
}

TEST_F(LapicTest, PeriodicTimerAndDivider) {
    put(Divide, 0x03);  // by 16
    put(LvtTimer, 0x20031);
    put(Initial, 1000);
    for (int i = 0; i < 3; i++) {
        clock.advance(160'000);
        EXPECT_EQ(lapic().acknowledge(), 0x31);
        EXPECT_EQ(get(Current), 1000u);
        eoi();
    }
    clock.stall(160'000 * 5 + 80'000);
    EXPECT_EQ(lapic().acknowledge(), 0x31);
    eoi();
    EXPECT_EQ(get(Current), 500u);
    clock.advance(79'999);
    EXPECT_FALSE(cpu[0].deliverable);
    clock.advance(1);
    EXPECT_TRUE(cpu[0].deliverable);
    put(Initial, 0);
    EXPECT_EQ(get(Current), 0u);
}

TEST_F(LapicTest, AMaskedPeriodicTimerCountsWithoutAlarms) {
    put(Divide, 0x0b);
    put(LvtTimer, 0x30031);
    put(Initial, 1000);
    EXPECT_EQ(clock.queue.next(), AlarmQueue::never);
    clock.advance(10'000 * 7 + 4000);
    EXPECT_EQ(get(Current), 600u);
    put(LvtTimer, 0x20031);
    EXPECT_EQ(get(Current), 600u);
    EXPECT_FALSE(cpu[0].deliverable);
    clock.advance(5999);
    EXPECT_FALSE(cpu[0].deliverable);
    clock.advance(1);
    EXPECT_EQ(lapic().acknowledge(), 0x31);
    eoi();
    put(Spiv, 0xff);
    EXPECT_EQ(clock.queue.next(), AlarmQueue::never);
    clock.advance(12'000);
    enable();
    put(LvtTimer, 0x31);  // the rest of the period is its last
    EXPECT_EQ(get(Current), 800u);
    clock.advance(8000);
    EXPECT_EQ(lapic().acknowledge(), 0x31);
    EXPECT_EQ(clock.queue.next(), AlarmQueue::never);
}

TEST_F(LapicTest, AShortPeriodLeavesTimeToRun) {
    put(Divide, 0x0b);
    put(LvtTimer, 0x20031);
    put(Initial, 1);
    clock.advance(10);
    EXPECT_EQ(lapic().acknowledge(), 0x31);
    eoi();
    EXPECT_EQ(clock.queue.next(), clock.now() + shortest_repeat_ns);
    clock.advance(shortest_repeat_ns);
    EXPECT_EQ(lapic().acknowledge(), 0x31);
}

// The alarm of a short period rings late; what is over by then has requested its interrupt.
TEST_F(LapicTest, MaskingDoesNotLoseAnExpiryThatIsOver) {
    for (auto [reg, value] : {std::pair{LvtTimer, 0x30031u}, {Divide, 0x00u}}) {
        put(Divide, 0x0b);
        put(LvtTimer, 0x20031);
        put(Initial, 100);
        clock.advance(1000);
        EXPECT_EQ(lapic().acknowledge(), 0x31);
        eoi();
        clock.advance(1500);
        EXPECT_EQ(lapic().pending(), -1);
        put(reg, value);
        EXPECT_EQ(lapic().acknowledge(), 0x31);
        eoi();
        put(Initial, 0);
    }
}

TEST_F(LapicTest, DividerChangeKeepsTheCount) {
    put(Divide, 0x0b);
    put(Initial, 100);
    clock.advance(500);
    put(Divide, 0x00);
    EXPECT_EQ(get(Current), 50u);
    clock.advance(500);
    EXPECT_EQ(get(Current), 25u);
}

TEST_F(LapicTest, TscDeadline) {
    put(LvtTimer, 0x40031);
    lapic().set_tsc_deadline(20'000);
    EXPECT_EQ(lapic().tsc_deadline(), 20'000u);
    put(Initial, 5);
    EXPECT_EQ(get(Current), 0u);
    clock.advance(9'999);
    EXPECT_FALSE(cpu[0].deliverable);
    clock.advance(1);
    EXPECT_EQ(lapic().acknowledge(), 0x31);
    EXPECT_EQ(lapic().tsc_deadline(), 0u);
    eoi();
    lapic().set_tsc_deadline(100);  // in the past
    EXPECT_EQ(lapic().acknowledge(), 0x31);
    eoi();
    lapic().set_tsc_deadline(50'000);
    put(LvtTimer, 0x31);
    EXPECT_EQ(lapic().tsc_deadline(), 0u);
    lapic().set_tsc_deadline(50'000);
    EXPECT_EQ(lapic().tsc_deadline(), 0u);
    clock.advance(100'000);
    EXPECT_FALSE(cpu[0].deliverable);
}

TEST_F(LapicTest, InterprocessorInterrupts) {
    put(IcrHigh, 1u << 24);
    put(IcrLow, 0x44);
    EXPECT_FALSE(cpu[0].deliverable);
    EXPECT_TRUE(cpu[1].deliverable);
    EXPECT_EQ(get(IcrLow), 0x44u);
    put(IcrLow, 0xc0055);  // all but self
    EXPECT_FALSE(cpu[0].deliverable);
    EXPECT_EQ(lapic(2).acknowledge(), 0x55);
    put(IcrLow, 0x80066);  // all
    EXPECT_EQ(lapic(0).acknowledge(), 0x66);
    put(IcrHigh, 2u << 24);
    put(IcrLow, 0x4500);
    EXPECT_EQ(cpu[2].inits, 1u);
    put(IcrLow, 0x8500);  // de-assert
    EXPECT_EQ(cpu[2].inits, 1u);
    EXPECT_EQ(get(Spiv, 2), 0xffu);
    put(IcrLow, 0x4608);
    EXPECT_EQ(cpu[2].started_at, 8);
    put(IcrLow, 0x4400);
    EXPECT_EQ(cpu[2].nmis, 1u);
}

TEST_F(LapicTest, ReservedDeliveryModesSendNothing) {
    init_pic();
    for (u32 mode : {0x300u, 0x700u}) {
        put(IcrLow, 0x80040 | mode);
        for (const FakeCpu& c : cpu) EXPECT_FALSE(c.deliverable);
        EXPECT_EQ(get(IcrLow), 0x80040 | mode);
    }
}

TEST_F(LapicTest, LogicalDestinations) {
    for (unsigned i = 0; i < 3; i++) put(Ldr, 1u << (24 + i), i);
    put(IcrHigh, 0x06u << 24);
    put(IcrLow, 0x0850);
    EXPECT_FALSE(cpu[0].deliverable);
    EXPECT_TRUE(cpu[1].deliverable && cpu[2].deliverable);
    for (unsigned i = 0; i < 3; i++) {  // cluster model: clusters 0, 0, 1
        put(Dfr, 0x0fffffff, i);
        put(Ldr, (i < 2 ? 1u << i : 0x11u) << 24, i);
    }
    put(IcrHigh, 0x11u << 24);
    put(IcrLow, 0x0870);
    EXPECT_EQ(lapic(2).pending(), 0x70);
    EXPECT_EQ(lapic(1).pending(), 0x50);
    put(IcrHigh, 0x01u << 24);
    put(IcrLow, 0x0871);
    EXPECT_EQ(lapic(0).pending(), 0x71);
}

// In both models, and by those that have no logical ID.
TEST_F(LapicTest, AllOnesAsLogicalDestinationIsABroadcast) {
    put(IcrHigh, 0xffu << 24);
    for (u32 dfr : {~u32{0}, 0x0fffffffu}) {
        for (unsigned i = 0; i < 3; i++) put(Dfr, dfr, i);
        put(IcrLow, 0x0850);
        for (unsigned i = 0; i < 3; i++) {
            EXPECT_EQ(lapic(i).acknowledge(), 0x50);
            eoi(i);
        }
    }
}

TEST_F(LapicTest, LowestPriorityTakesTurns) {
    put(Tpr, 0x20, 1);
    for (unsigned i = 0; i < 3; i++) put(Ldr, 1u << (24 + i), i);
    put(IcrHigh, 0xffu << 24);
    put(IcrLow, 0x0981);
    put(IcrLow, 0x0981);
    EXPECT_TRUE(cpu[0].deliverable && cpu[2].deliverable);
    EXPECT_FALSE(cpu[1].deliverable);
}

TEST_F(LapicTest, ErrorsAreLatchedAndInterrupt) {
    put(LvtError, 0xe0);
    self_ipi(0x05);
    EXPECT_EQ(get(Esr), 0u);
    put(Esr, 0);
    EXPECT_EQ(get(Esr), 0x20u);
    EXPECT_EQ(lapic().acknowledge(), 0xe0);
    put(Esr, 0);
    EXPECT_EQ(get(Esr), 0u);
    get(0x40);
    put(Esr, 0);
    EXPECT_EQ(get(Esr), 0x80u);
    put(LvtTimer, 0x05);
    put(Initial, 1);
    clock.advance(20);
    put(Esr, 0);
    EXPECT_EQ(get(Esr), 0x40u);
}

TEST_F(LapicTest, VirtualWireThroughLint0) {
    init_pic();
    pic.irq(0).set(true);
    EXPECT_FALSE(cpu[0].deliverable);
    put(LvtLint0, 0x8700);
    EXPECT_TRUE(cpu[0].deliverable);
    EXPECT_EQ(lapic().pending(), -1);
    EXPECT_EQ(lapic().acknowledge(), 0x20);
    EXPECT_FALSE(cpu[0].deliverable);
    EXPECT_EQ(get(Isr + 0x10), 0u);
    put(LvtLint0, 0x18700);
    out(pic.master(), 0, 0x20);
    pic.irq(1).set(true);
    EXPECT_FALSE(cpu[0].deliverable);
}

TEST_F(LapicTest, DisabledApicIsAPlainProcessor) {
    init_pic();
    EXPECT_TRUE(lapic().set_base(0xfee00000));
    EXPECT_EQ(get(Version), 0xffffffffu);
    pic.irq(3).set(true);
    EXPECT_TRUE(cpu[0].deliverable);
    EXPECT_EQ(lapic().acknowledge(), 0x23);
    lapic().lint1().set(true);
    EXPECT_EQ(cpu[0].nmis, 1u);
    EXPECT_EQ(lapic().base(), 0xfee00100u);
    EXPECT_TRUE(lapic().set_base(0xfee00800));
    EXPECT_EQ(get(Spiv), 0xffu);
}

TEST_F(LapicTest, NmiThroughLint1AndDirectBoot) {
    put(Spiv, 0xff);
    lapic().enter_virtual_wire();
    EXPECT_EQ(get(LvtLint0), 0x700u);
    lapic().lint1().set(true);
    lapic().lint1().set(true);
    EXPECT_EQ(cpu[0].nmis, 1u);
}

TEST_F(LapicTest, LevelLintKeepsRemoteIrr) {
    put(LvtLint1, 0x8045);
    lapic().lint1().set(true);
    EXPECT_EQ(get(LvtLint1), 0xc045u);
    EXPECT_EQ(lapic().acknowledge(), 0x45);
    eoi();
    EXPECT_TRUE(cpu[0].deliverable);
    lapic().lint1().set(false);
    lapic().acknowledge();
    eoi();
    EXPECT_FALSE(cpu[0].deliverable);
    EXPECT_EQ(get(LvtLint1), 0x8045u);
}

TEST_F(LapicTest, BaseTransitions) {
    Lapic& a = lapic();
    EXPECT_FALSE(a.set_base(a.base() | 1));
    EXPECT_FALSE(a.set_base(a.base() | u64{1} << 40));
    EXPECT_FALSE(a.set_base(0xfee00500));  // x2APIC without enable
    EXPECT_TRUE(a.set_base(0xfee00d00));
    EXPECT_TRUE(a.x2apic());
    EXPECT_FALSE(a.xapic());
    EXPECT_EQ(get(Id), 0xffffffffu);
    EXPECT_FALSE(a.set_base(0xfee00900));
    EXPECT_TRUE(a.set_base(0xfee00100));
    EXPECT_FALSE(a.set_base(0xfee00d00));
    EXPECT_TRUE(a.set_base(0xfed00900));
    EXPECT_EQ(a.page(), 0xfed00000u);
}

TEST_F(LapicTest, X2ApicRegisters) {
    Lapic& a = lapic(1);
    u64 v = 0;
    EXPECT_FALSE(a.read_msr(0x802, v));
    ASSERT_TRUE(a.set_base(0xfee00c00));
    EXPECT_TRUE(a.read_msr(0x802, v));
    EXPECT_EQ(v, 1u);
    EXPECT_TRUE(a.read_msr(0x80d, v));
    EXPECT_EQ(v, 2u);
    EXPECT_TRUE(a.read_msr(0x80f, v));
    EXPECT_EQ(v, 0x1ffu);
    for (u32 bad : {0x80bu, 0x80eu, 0x831u, 0x83fu, 0x800u, 0x8ffu}) EXPECT_FALSE(a.read_msr(bad, v)) << bad;
    for (u32 bad : {0x802u, 0x803u, 0x80au, 0x80du, 0x80eu, 0x810u, 0x831u, 0x839u}) EXPECT_FALSE(a.write_msr(bad, 0));
    EXPECT_FALSE(a.write_msr(0x808, 0x100));
    EXPECT_FALSE(a.write_msr(0x80b, 1));
    EXPECT_FALSE(a.write_msr(0x828, 1));
    EXPECT_FALSE(a.write_msr(0x838, u64{1} << 32));
    EXPECT_TRUE(a.write_msr(0x83f, 0x77));
    EXPECT_EQ(a.acknowledge(), 0x77);
    EXPECT_TRUE(a.write_msr(0x80b, 0));
    EXPECT_TRUE(a.write_msr(0x830, u64{2} << 32 | 0x88));
    EXPECT_EQ(lapic(2).acknowledge(), 0x88);
    EXPECT_TRUE(a.read_msr(0x830, v));
    EXPECT_EQ(v, u64{2} << 32 | 0x88);
    ASSERT_TRUE(lapic(2).set_base(0xfee00c00));
    EXPECT_TRUE(a.write_msr(0x830, u64{4} << 32 | 0x0899));  // logical: cluster 0, processor 2
    EXPECT_EQ(lapic(2).pending(), 0x99);
}

TEST_F(LapicTest, Msi) {
    EXPECT_TRUE(deliver_msi(0xfee01000, 0x4061, fabric));
    EXPECT_EQ(lapic(1).acknowledge(), 0x61);
    EXPECT_FALSE(deliver_msi(0xfee09000, 0x4061, fabric));
    EXPECT_FALSE(deliver_msi(0xfed01000, 0x4061, fabric));
    put(Ldr, 0x01000000);
    EXPECT_TRUE(deliver_msi(0xfee0100c, 0x0062, fabric));
    EXPECT_EQ(lapic(0).acknowledge(), 0x62);
    EXPECT_TRUE(deliver_msi(0xfee00000, 0x0400, fabric));
    EXPECT_EQ(cpu[0].nmis, 1u);
}

}  // namespace
}  // namespace bmbt::test

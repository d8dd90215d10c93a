#include "device/hpet.hpp"

#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bmbt::test {
namespace {

constexpr u64 config(unsigned timer) { return 0x100 + 0x20 * timer; }
constexpr u64 comparator(unsigned timer) { return 0x108 + 0x20 * timer; }

struct HpetTest : testing::Test {
    FakeClock clock;
    FakeLine irq0, irq8, pins[4];
    Hpet hpet{clock, clock.queue, irq0, irq8, {&pins[0], &pins[1], &pins[2], &pins[3]}};

    u64 get(u64 offset) { return hpet.read(offset, Width::Qword); }
    void put(u64 offset, u64 value) { hpet.write(offset, Width::Qword, value); }
    void put32(u64 offset, u32 value) { hpet.write(offset, Width::Dword, value); }
    void ticks(u64 n) { clock.advance(n * 10); }
};

TEST_F(HpetTest, Capabilities) {
    EXPECT_EQ(get(0), 0x0098'9680'8086'a201u);
    EXPECT_EQ(hpet.read(4, Width::Dword), 10'000'000u);
    EXPECT_EQ(get(config(0)), 0x00f0'0000'0000'0030u);
    EXPECT_EQ(get(config(1)), 0x00f0'0000'0000'0020u);
    EXPECT_EQ(get(comparator(2)), ~u64{0});
    EXPECT_EQ(get(0x160), ~u64{0});
    EXPECT_EQ(hpet.read(0x400, Width::Dword), 0xffff'ffffu);
}

TEST_F(HpetTest, ConfigurationReadsBackWhatItCanBe) {
    put(config(0), 0x4c);
    EXPECT_EQ(get(config(0)) & 0xffff, 0x3cu);  // the accumulator's bit reads 0
    put(config(1), 0x4c);
    EXPECT_EQ(get(config(1)) & 0xffff, 0x24u);
    for (u64 pin = 0; pin < 32; pin++) {
        put(config(2), pin << 9);
        EXPECT_EQ(get(config(2)) >> 9 & 31, pin >= 20 && pin < 24 ? pin : 0);
    }
}

TEST_F(HpetTest, CounterRunsStopsAndIsSet) {
    ticks(100);
    EXPECT_EQ(get(0xf0), 0u);
    put(0x10, 1);
    ticks(50);
    EXPECT_EQ(get(0xf0), 50u);
    put(0x10, 0);
    ticks(50);
    EXPECT_EQ(get(0xf0), 50u);
    put(0xf0, 0x1'0000'0000);
    put(0x10, 1);
    ticks(5);
    EXPECT_EQ(hpet.read(0xf0, Width::Dword), 5u);
    EXPECT_EQ(hpet.read(0xf4, Width::Dword), 1u);
}

TEST_F(HpetTest, OneShotEdgeOnAPin) {
    put(config(2), 22u << 9 | 4);
    EXPECT_EQ(get(config(2)) & 0xffff'ffff, 0x2c24u);
    put(comparator(2), 1000);
    put(0x10, 1);
    ticks(999);
    EXPECT_EQ(pins[2].rises, 0u);
    ticks(1);
    EXPECT_EQ(pins[2].rises, 1u);
    EXPECT_FALSE(pins[2].level);
    EXPECT_EQ(get(0x20), 0u);
    ticks(100000);
    EXPECT_EQ(pins[2].rises, 1u);
}

TEST_F(HpetTest, LevelStaysUntilCleared) {
    put(config(0), 20u << 9 | 6);
    put(comparator(0), 10);
    put(0x10, 1);
    ticks(10);
    EXPECT_TRUE(pins[0].level);
    EXPECT_EQ(get(0x20), 1u);
    put(0x20, 1);
    EXPECT_FALSE(pins[0].level);
    EXPECT_EQ(get(0x20), 0u);
}

TEST_F(HpetTest, TimersShareAPin) {
    for (unsigned n : {0u, 1u}) {
        put(config(n), 20u << 9 | 6);
        put(comparator(n), 100 + 100 * n);
    }
    put(0x10, 1);
    ticks(200);
    EXPECT_EQ(get(0x20), 3u);
    put(0x20, 2);
    EXPECT_TRUE(pins[0].level);
    put(config(0), 21u << 9 | 6);
    EXPECT_FALSE(pins[0].level);
    EXPECT_TRUE(pins[1].level);
    put(0x20, 1);
    EXPECT_FALSE(pins[1].level);
}

// As Linux sets a periodic tick: value-set, the first time, then the period.
TEST_F(HpetTest, PeriodicWithAccumulator) {
    put(0x10, 1);
    ticks(5000);
    put32(config(0), 20u << 9 | 0x14c);
    put32(comparator(0), 15'000);
    put32(comparator(0), 10'000);
    EXPECT_EQ(get(config(0)) & 0x40, 0u);
    ticks(9999);
    EXPECT_EQ(pins[0].rises, 0u);
    ticks(1);
    EXPECT_EQ(pins[0].rises, 1u);
    EXPECT_EQ(get(comparator(0)), 25'000u);
    ticks(100'000);
    EXPECT_EQ(pins[0].rises, 11u);
    clock.stall(10 * 55'000);
    EXPECT_EQ(pins[0].rises, 12u);
    ticks(5000);
    EXPECT_EQ(pins[0].rises, 13u);
}

TEST_F(HpetTest, MissedTicksAreGivenOneByOne) {
    irq0.latches = true;
    put32(config(0), 0x14c);
    put32(comparator(0), 10'000);
    put32(comparator(0), 10'000);
    put(0x10, 3);
    clock.stall(10 * 75'000);
    unsigned taken = 0;
    for (; irq0.take(); taken++) hpet.interrupt_taken();
    EXPECT_EQ(taken, 7u);
    ticks(5000);
    EXPECT_TRUE(irq0.take());
    clock.stall(10 * 75'000);
    put32(config(0), 0x148);  // interrupts off
    irq0.take();
    hpet.interrupt_taken();
    EXPECT_FALSE(irq0.take());
}

TEST_F(HpetTest, ATimerWhoseInterruptIsOffNeedsNoAlarm) {
    put32(config(0), 0x148);
    put32(comparator(0), 1000);
    put32(comparator(0), 1000);
    put(config(1), 21u << 9 | 2);
    put(comparator(1), 5000);
    put(0x10, 1);
    EXPECT_EQ(clock.queue.next(), AlarmQueue::never);
    ticks(4500);
    EXPECT_EQ(get(comparator(0)), 5000u);
    EXPECT_EQ(get(0x20), 0u);
    ticks(500);
    EXPECT_EQ(get(0x20), 2u);
    EXPECT_EQ(pins[1].rises, 0u);
    ticks(500);
    put32(config(0), 20u << 9 | 0x10c);
    ticks(499);
    EXPECT_EQ(pins[0].rises, 0u);
    ticks(1);
    EXPECT_EQ(pins[0].rises, 1u);
}

TEST_F(HpetTest, AShortPeriodLeavesTimeToRun) {
    put32(config(0), 0x14c);
    put32(comparator(0), 1);
    put32(comparator(0), 1);
    put(0x10, 3);
    ticks(1);
    EXPECT_EQ(irq0.rises, 1u);
    EXPECT_EQ(clock.queue.next(), clock.now() + shortest_repeat_ns);
    clock.advance(shortest_repeat_ns);
    EXPECT_EQ(irq0.rises, 2u);
    EXPECT_EQ(get(comparator(0)), get(0xf0) + 1);
}

// The next match comes while the last one is dealt with.
TEST_F(HpetTest, AMatchThatIsNearIsNotPassedBy) {
    put32(config(0), 0x14c);
    put32(comparator(0), 10'000);
    put32(comparator(0), 10'000);
    put(0x10, 3);
    clock.creep = 7;
    for (u64 n = 0; n < 50; n++) {
        const u64 at = get(comparator(0));
        clock.stall(10 * (at - get(0xf0) + 9990) + n);
        clock.creep = 0;
        irq0.rises = 0;
        ticks(30'000);
        EXPECT_GE(irq0.rises, 3u) << n;
        clock.creep = 7;
    }
}

// The 8259 pair forgets a request whose line falls before it is acknowledged.
TEST_F(HpetTest, AnEdgeOnTheLegacyRouteStaysHigh) {
    put(config(0), 4);
    put(comparator(0), 100);
    put(0x10, 3);
    ticks(100);
    EXPECT_TRUE(irq0.level);
    put(0x10, 0);
    EXPECT_FALSE(irq0.level);
}

TEST_F(HpetTest, PeriodicOfOneWriteAnd64Bits) {
    put(config(0), 21u << 9 | 0x4c);
    put32(comparator(0), 7000);
    put32(comparator(0) + 4, 0);
    put(0x10, 1);
    ticks(21'000);
    EXPECT_EQ(pins[1].rises, 3u);
}

TEST_F(HpetTest, A32BitTimerWraps) {
    put(0xf0, 0xffff'fff0);
    put(config(1), 23u << 9 | 0x104);
    put(comparator(1), 5);
    put(0x10, 1);
    ticks(20);
    EXPECT_EQ(pins[3].rises, 0u);
    ticks(1);
    EXPECT_EQ(pins[3].rises, 1u);
}

// With a comparator that equals the counter, the match is over and the next a lap of 2^32 ticks away.
TEST_F(HpetTest, A32BitTimerMatchesAgainAfterALap) {
    constexpr u64 lap = u64{1} << 32;
    put(config(2), 20u << 9 | 0x104);
    put(comparator(2), 1000);
    put(0x10, 1);
    ticks(1000);
    EXPECT_EQ(pins[0].rises, 1u);
    ticks(lap - 1);
    EXPECT_EQ(pins[0].rises, 1u);
    ticks(1);
    EXPECT_EQ(pins[0].rises, 2u);
    ticks(10);
    EXPECT_EQ(pins[0].rises, 2u);

    pins[1].latches = true;
    put32(config(0), 21u << 9 | 0x14c);
    put32(comparator(0), hpet.read(0xf0, Width::Dword));
    put32(comparator(0), 100'000);
    ticks(lap);
    EXPECT_TRUE(pins[1].take());
    hpet.interrupt_taken();
    EXPECT_FALSE(pins[1].take());
    ticks(100'000);
    EXPECT_TRUE(pins[1].take());
}

TEST_F(HpetTest, LegacyRouteReplacesPitAndRtc) {
    hpet.pit_input().set(true);
    EXPECT_TRUE(irq0.level);
    put(config(0), 4);
    put(config(1), 4);
    put(comparator(0), 100);
    put(comparator(1), 200);
    put(0x10, 3);
    EXPECT_FALSE(irq0.level);
    hpet.pit_input().set(false);
    hpet.pit_input().set(true);
    hpet.rtc_input().set(true);
    EXPECT_EQ(irq0.rises, 1u);
    EXPECT_EQ(irq8.rises, 0u);
    ticks(200);
    EXPECT_EQ(irq0.rises, 2u);
    EXPECT_EQ(irq8.rises, 1u);
    put(0x10, 1);
    EXPECT_TRUE(irq0.level && irq8.level);
}

// Time goes by within each access; wherever a match falls, the timer goes on.
TEST_F(HpetTest, AccessesNearAMatchDoNotLoseIt) {
    constexpr u64 period = 10'000;
    for (u64 before = 0; before < 1000; before += 50) {
        FakeClock other;
        FakeLine line0, line8, apic[4];
        Hpet timer{other, other.queue, line0, line8, {&apic[0], &apic[1], &apic[2], &apic[3]}};
        auto write = [&](u64 offset, u64 value) { timer.write(offset, Width::Qword, value); };
        write(config(0), u64{20} << 9 | 0x4c);
        write(comparator(0), period);
        write(0x10, 1);
        for (u64 offset : {config(0), comparator(0), u64{0x10}, u64{0xf0}}) {
            other.advance(period * 10 - before);
            other.creep = 100;
            const u64 value = offset == config(0)       ? u64{20} << 9 | 0xc
                              : offset == comparator(0) ? period
                              : offset == 0x10          ? 1
                                                        : timer.read(0xf0, Width::Qword);
            write(offset, value);
            other.creep = 0;
            EXPECT_NE(other.queue.next(), ~u64{0}) << std::hex << offset << " " << std::dec << before;
        }
    }
}

// Nobody looks at a timer whose interrupt is off for longer than its 32 bits last.
TEST_F(HpetTest, A32BitPeriodKeepsItsPhaseOverLaps) {
    constexpr u64 period = 3'000'000'019;
    put(config(0), u64{20} << 9 | 0x148);
    put(comparator(0), period);
    put(0x10, 1);
    ticks(period * 7 + 5);
    EXPECT_EQ(get(comparator(0)), period * 8 & 0xffff'ffff);
}

TEST_F(HpetTest, StoppedTimerDoesNotFire) {
    put(config(2), 20u << 9 | 4);
    put(comparator(2), 100);
    put(0x10, 1);
    ticks(50);
    put(0x10, 0);
    ticks(500);
    EXPECT_EQ(pins[0].rises, 0u);
    put(0x10, 1);
    ticks(50);
    EXPECT_EQ(pins[0].rises, 1u);
}

}  // namespace
}  // namespace bmbt::test

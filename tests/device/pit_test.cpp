#include "device/pit.hpp"

#include <gtest/gtest.h>

#include "device/port61.hpp"
#include "fakes.hpp"

namespace bmbt::test {
namespace {

struct PitTest : testing::Test {
    FakeClock clock;
    FakeLine irq0;
    Pit pit{clock, clock.queue, irq0};
    Port61 port61{clock, pit};

    void to_tick(u64 tick) { clock.advance(ns_of_pit_ticks(tick) - clock.now()); }
    void ticks(u64 n) { to_tick(pit_ticks(clock.now()) + n); }
    void program(unsigned channel, unsigned mode, u16 count, bool bcd = false) {
        out(pit, 3, static_cast<u8>(channel << 6 | 0x30 | mode << 1 | unsigned{bcd}));
        out(pit, static_cast<u16>(channel), static_cast<u8>(count));
        out(pit, static_cast<u16>(channel), static_cast<u8>(count >> 8));
    }
    u16 read(unsigned channel) {
        const u8 low = in(pit, static_cast<u16>(channel));
        return static_cast<u16>(low | in(pit, static_cast<u16>(channel)) << 8);
    }
    u16 latched(unsigned channel) {
        out(pit, 3, static_cast<u8>(channel << 6));
        return read(channel);
    }
    u8 status(unsigned channel) {
        out(pit, 3, static_cast<u8>(0xe0 | 2 << channel));
        return in(pit, static_cast<u16>(channel));
    }
};

TEST_F(PitTest, RateGeneratorGivesAnEdgeEachPeriod) {
    program(0, 2, 11932);
    EXPECT_TRUE(irq0.level);
    irq0.rises = 0;
    clock.advance(1'000'000'000);
    EXPECT_EQ(irq0.rises, 99u);  // 99.998 Hz
    clock.advance(59'000'000'000);
    EXPECT_EQ(irq0.rises, 5999u);
}

TEST_F(PitTest, LateHostLosesTicksButKeepsTheirPhase) {
    program(0, 2, 1000);
    irq0.rises = 0;
    clock.stall(ns_of_pit_ticks(10'500));
    EXPECT_EQ(irq0.rises, 1u);
    clock.advance(ns_of_pit_ticks(502));
    EXPECT_EQ(irq0.rises, 2u);
}

// How often the processor is interrupted when it takes all that comes.
unsigned interrupts(FakeLine& line, auto& device) {
    unsigned n = 0;
    while (line.take()) {
        n++;
        device.interrupt_taken();
    }
    return n;
}

TEST_F(PitTest, MissedTicksAreGivenOneByOne) {
    irq0.latches = true;
    for (unsigned mode : {2u, 3u}) {
        program(0, mode, 1000);
        irq0.take();
        clock.stall(ns_of_pit_ticks(10'300));  // ten periods, and not the half of one more
        EXPECT_EQ(interrupts(irq0, pit), 10u);
        ticks(1000);
        EXPECT_EQ(interrupts(irq0, pit), 1u);
        ticks(5000);  // the processor has interrupts off
        EXPECT_EQ(interrupts(irq0, pit), 5u);
        ticks(500);
        EXPECT_EQ(interrupts(irq0, pit), 0u);
    }
}

TEST_F(PitTest, TicksOlderThanASecondAreLost) {
    irq0.latches = true;
    program(0, 2, 11932);  // 100 Hz
    irq0.take();
    clock.stall(60'000'000'000);
    EXPECT_EQ(interrupts(irq0, pit), 100u);
}

// The host comes late for the end of the period after which a new count is loaded.
TEST_F(PitTest, PeriodsBeforeAndAfterANewCountAreToldApart) {
    irq0.latches = true;
    const auto change = [&](unsigned mode, u16 from, u16 phase, u16 to, u64 late) {
        program(0, mode, from);
        ticks(1 + 2 * from + phase);
        interrupts(irq0, pit);
        out(pit, 0, static_cast<u8>(to));
        out(pit, 0, static_cast<u8>(to >> 8));
        clock.stall(ns_of_pit_ticks(late));
        return interrupts(irq0, pit);
    };
    for (unsigned mode : {2u, 3u}) {
        EXPECT_EQ(change(mode, 100, 80, 60'000, 12'000), 1u) << mode;
        EXPECT_EQ(change(mode, 10'000, 9'000, 1000, 12'200), 12u) << mode;  // 1000 ticks are left, then eleven periods
    }
    EXPECT_EQ(change(3, 10'000, 4'000, 1000, 11'700), 11u);  // 1000 ticks to the half, half a new period, ten periods
    EXPECT_EQ(change(3, 1000, 400, 60'000, 12'000), 0u);     // the half of the new period is not over
}

TEST_F(PitTest, AShortPeriodLeavesTimeToRun) {
    irq0.latches = true;
    program(0, 2, 2);
    interrupts(irq0, pit);
    clock.advance(5000);
    interrupts(irq0, pit);
    unsigned rings = 0;
    for (const u64 end = clock.now() + 1'000'000; clock.now() < end; rings++) {
        EXPECT_GE(clock.queue.next(), clock.now() + shortest_repeat_ns / 2);
        clock.advance(clock.queue.next() - clock.now());
    }
    EXPECT_LE(rings, 51u);
    EXPECT_NEAR(interrupts(irq0, pit), 1'000'000 / 1676, 20);  // periods of 1676 ns
}

// The next edge comes while the last one is dealt with.
TEST_F(PitTest, AnEdgeThatIsNearIsNotPassedBy) {
    program(0, 2, 1000);
    for (u64 n = 0; n < 50; n++) {
        clock.creep = 50;
        clock.stall(ns_of_pit_ticks(pit_ticks(clock.now()) / 1000 * 1000 + 1999) - clock.now() + 20 * n);
        clock.creep = 0;
        irq0.rises = 0;
        ticks(3000);
        EXPECT_GE(irq0.rises, 3u) << n;
    }
}

TEST_F(PitTest, AReprogrammedChannelOwesNothing) {
    irq0.latches = true;
    program(0, 2, 1000);
    clock.stall(ns_of_pit_ticks(10'500));
    program(0, 2, 1000);
    EXPECT_EQ(interrupts(irq0, pit), 1u);
    ticks(1001);
    EXPECT_EQ(interrupts(irq0, pit), 1u);
}

TEST_F(PitTest, SquareWave) {
    program(0, 3, 1001);
    EXPECT_TRUE(irq0.level);
    ticks(501);
    EXPECT_TRUE(irq0.level);
    ticks(1);
    EXPECT_FALSE(irq0.level);
    ticks(499);
    EXPECT_FALSE(irq0.level);
    ticks(1);
    EXPECT_TRUE(irq0.level);
}

TEST_F(PitTest, SquareWaveCountsByTwo) {
    program(2, 3, 100);
    out(port61, 0, 1);
    ticks(1);
    EXPECT_EQ(latched(2), 100);
    ticks(10);
    EXPECT_EQ(latched(2), 80);
    ticks(45);
    EXPECT_EQ(latched(2), 90);
}

TEST_F(PitTest, OneShotOfMode0) {
    program(0, 0, 50);
    EXPECT_FALSE(irq0.level);
    ticks(50);
    EXPECT_FALSE(irq0.level);
    ticks(1);
    EXPECT_TRUE(irq0.level);
    EXPECT_EQ(read(0), 0);
    ticks(1);
    EXPECT_EQ(read(0), 0xffff);
    EXPECT_TRUE(irq0.level);
    program(0, 0, 50);
    EXPECT_FALSE(irq0.level);
}

TEST_F(PitTest, FirstByteOfMode0StopsCounting) {
    program(0, 0, 500);
    ticks(100);
    out(pit, 0, 20);
    ticks(1000);
    EXPECT_FALSE(irq0.level);
    out(pit, 0, 0);
    ticks(21);
    EXPECT_TRUE(irq0.level);
}

TEST_F(PitTest, GatePausesMode0) {
    program(2, 0, 100);
    ticks(10);
    EXPECT_EQ(latched(2), 100);  // gate still low
    out(port61, 0, 1);
    ticks(30);
    EXPECT_EQ(latched(2), 70);
    out(port61, 0, 0);
    ticks(500);
    EXPECT_EQ(latched(2), 70);
    out(port61, 0, 1);
    ticks(69);
    EXPECT_FALSE(in(port61, 0) & 0x20);
    ticks(1);
    EXPECT_TRUE(in(port61, 0) & 0x20);
}

TEST_F(PitTest, HardwareOneShot) {
    program(2, 1, 10);
    EXPECT_TRUE(pit.output2());
    out(port61, 0, 1);
    ticks(1);
    EXPECT_FALSE(pit.output2());
    ticks(5);
    out(port61, 0, 0);
    out(port61, 0, 1);  // retriggered
    ticks(10);
    EXPECT_FALSE(pit.output2());
    ticks(1);
    EXPECT_TRUE(pit.output2());
}

TEST_F(PitTest, StrobesAreOneTickLong) {
    program(0, 4, 8);
    ticks(8);
    EXPECT_TRUE(irq0.level);
    ticks(1);
    EXPECT_FALSE(irq0.level);
    ticks(1);
    EXPECT_TRUE(irq0.level);

    program(2, 5, 8);
    out(port61, 0, 1);
    ticks(8);
    EXPECT_TRUE(pit.output2());
    ticks(1);
    EXPECT_FALSE(pit.output2());
    ticks(1);
    EXPECT_TRUE(pit.output2());
}

TEST_F(PitTest, LatchHoldsUntilRead) {
    program(1, 2, 0);
    ticks(11);
    out(pit, 3, 0x40);
    ticks(1000);
    out(pit, 3, 0x40);  // ignored, the first is not read yet
    EXPECT_EQ(read(1), 0x10000 - 10);
    EXPECT_EQ(latched(1), 0x10000 - 1010);
}

TEST_F(PitTest, ReadBackGivesStatusThenCount) {
    program(0, 3, 200);
    ticks(51);
    out(pit, 3, 0xc2);
    EXPECT_EQ(in(pit, 0), 0xb6);
    EXPECT_EQ(read(0), 100);
    out(pit, 3, 0x36);
    EXPECT_EQ(status(0), 0xf6);  // null count: none written yet
}

TEST_F(PitTest, NewCountWaitsForTheEndOfThePeriod) {
    program(0, 2, 100);
    ticks(51);
    out(pit, 0, 40);
    out(pit, 0, 0);
    EXPECT_EQ(latched(0), 50);
    EXPECT_EQ(status(0), 0xf4);
    irq0.rises = 0;
    ticks(50);
    EXPECT_EQ(irq0.rises, 1u);
    EXPECT_EQ(latched(0), 40);
    EXPECT_EQ(status(0), 0xb4);
    ticks(40);
    EXPECT_EQ(irq0.rises, 2u);
}

TEST_F(PitTest, NewCountOfASquareWaveWaitsForTheHalf) {
    program(0, 3, 1000);
    ticks(101);
    out(pit, 0, 200);
    out(pit, 0, 0);
    ticks(399);
    EXPECT_TRUE(irq0.level);
    ticks(1);
    EXPECT_FALSE(irq0.level);
    ticks(99);
    EXPECT_FALSE(irq0.level);
    ticks(1);
    EXPECT_TRUE(irq0.level);
    ticks(100);
    EXPECT_FALSE(irq0.level);
}

// A host that is always as late does not find a short square wave low for ever.
TEST_F(PitTest, AShortSquareWaveInterruptsOnALateHost) {
    for (u16 reload : {20, 26, 34, 37, 38}) {
        program(0, 3, reload);
        unsigned without = 0, most = 0;
        for (unsigned n = 0; n < 2000; n++) {
            const unsigned before = irq0.rises;
            clock.stall(clock.queue.next() - clock.now() + 8'500);
            without = irq0.rises == before ? without + 1 : 0;
            most = std::max(most, without);
        }
        EXPECT_LT(most, 20u) << reload;
    }
}

TEST_F(PitTest, StatusKnowsThatTheNewCountIsLoaded) {
    program(1, 2, 100);
    ticks(51);
    out(pit, 1, 40);
    out(pit, 1, 0);
    EXPECT_EQ(status(1), 0xf4);
    ticks(50);
    EXPECT_EQ(status(1), 0xb4);
}

TEST_F(PitTest, BcdCountsDecimal) {
    program(1, 0, 0x1234, true);
    ticks(36);
    EXPECT_EQ(latched(1), 0x1199);
}

TEST_F(PitTest, SingleByteAccess) {
    out(pit, 3, 0x10);  // channel 0, low byte only
    out(pit, 0, 5);
    ticks(3);
    EXPECT_EQ(in(pit, 0), 3);
    EXPECT_EQ(in(pit, 0), 3);
    out(pit, 3, 0x20);
    out(pit, 0, 2);
    ticks(1);
    EXPECT_EQ(in(pit, 0), 2);
    ticks(1);
    EXPECT_EQ(in(pit, 0), 1);
    EXPECT_EQ(in(pit, 3), 0xff);
}

TEST_F(PitTest, RefreshBitToggles) {
    const u8 before = in(port61, 0) & 0x10;
    clock.advance(15085);
    EXPECT_NE(in(port61, 0) & 0x10, before);
    out(port61, 0, 0xff);
    EXPECT_EQ(in(port61, 0) & 0xcf, 0x0f);
}

}  // namespace
}  // namespace bmbt::test

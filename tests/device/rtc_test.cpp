#include "device/rtc.hpp"

#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bmbt::test {
namespace {

constexpr u64 ms = 1'000'000, second = 1000 * ms;

struct RtcTest : testing::Test {
    FakeClock clock;
    FakeLine irq8;
    Rtc rtc{clock, clock.queue, clock, irq8};

    u8 get(u8 index) {
        out(rtc, 0, index);
        return in(rtc, 1);
    }
    void put(u8 index, u8 value) {
        out(rtc, 0, index);
        out(rtc, 1, value);
    }
    void expect_time(u8 h, u8 m, u8 s) {
        EXPECT_EQ(get(4), h);
        EXPECT_EQ(get(2), m);
        EXPECT_EQ(get(0), s);
    }
    void expect_date(u8 century, u8 year, u8 month, u8 day) {
        EXPECT_EQ(get(0x32), century);
        EXPECT_EQ(get(9), year);
        EXPECT_EQ(get(8), month);
        EXPECT_EQ(get(7), day);
    }
};

TEST_F(RtcTest, StartsFromTheWallClock) {
    expect_time(0x22, 0x13, 0x20);
    expect_date(0x20, 0x23, 0x11, 0x14);
    EXPECT_EQ(get(6), 3);  // Tuesday
    EXPECT_EQ(get(0x0d), 0x80);
    clock.advance(3600 * second * 2);
    expect_time(0x00, 0x13, 0x20);
    expect_date(0x20, 0x23, 0x11, 0x15);
    EXPECT_EQ(get(6), 4);
}

TEST_F(RtcTest, BinaryAndTwelveHours) {
    put(0x0b, 0x06);
    expect_time(22, 13, 20);
    put(0x0b, 0x04);
    expect_time(0x80 | 10, 13, 20);
    put(0x0b, 0x00);
    expect_time(0x90, 0x13, 0x20);
    clock.advance(2 * 3600 * second);
    expect_time(0x12, 0x13, 0x20);
}

TEST_F(RtcTest, SetAsLinuxDoes) {
    clock.advance(700 * ms);
    put(0x0b, 0x82);
    put(0x0a, 0x76);
    for (auto [i, v] : {std::pair{0, 0x58}, {2, 0x59}, {4, 0x23}, {7, 0x28}, {8, 0x02}, {9, 0x24}, {0x32, 0x20}})
        put(static_cast<u8>(i), static_cast<u8>(v));
    clock.advance(5 * second);
    expect_time(0x23, 0x59, 0x58);
    put(0x0b, 0x02);
    put(0x0a, 0x26);
    clock.advance(499 * ms);
    expect_time(0x23, 0x59, 0x58);
    clock.advance(2 * ms);
    expect_time(0x23, 0x59, 0x59);
    clock.advance(second);
    expect_time(0x00, 0x00, 0x00);
    expect_date(0x20, 0x24, 0x02, 0x29);
    EXPECT_EQ(rtc.unix_seconds(), 1709164800);
}

TEST_F(RtcTest, SetBitKeepsTheFraction) {
    clock.advance(900 * ms);
    put(0x0b, 0x82);
    put(0, 0x30);
    put(0x0b, 0x02);
    clock.advance(100 * ms);
    EXPECT_EQ(get(0), 0x31);
}

TEST_F(RtcTest, UpdateInProgressComesBeforeTheSecond) {
    EXPECT_FALSE(get(0x0a) & 0x80);
    clock.advance(second - 2 * ms);
    EXPECT_TRUE(get(0x0a) & 0x80);
    put(0x0b, 0x82);
    EXPECT_FALSE(get(0x0a) & 0x80);
    put(0x0b, 0x02);
    clock.advance(2 * ms);
    EXPECT_FALSE(get(0x0a) & 0x80);
}

TEST_F(RtcTest, UpdateEndedInterrupt) {
    put(0x0b, 0x12);
    clock.advance(second - 1);
    EXPECT_FALSE(irq8.level);
    clock.advance(1);
    EXPECT_TRUE(irq8.level);
    EXPECT_EQ(get(0x0c), 0xd0);  // the periodic flag comes too, without its interrupt
    EXPECT_FALSE(irq8.level);
    EXPECT_EQ(get(0x0c), 0);
    clock.advance(3 * second);  // unread, the line stays and makes no more edges
    EXPECT_EQ(irq8.rises, 2u);
}

TEST_F(RtcTest, FlagsComeWithoutInterrupts) {
    clock.advance(second);
    EXPECT_EQ(get(0x0c), 0x50);  // update ended, periodic; no IRQF
    EXPECT_EQ(irq8.rises, 0u);
}

TEST_F(RtcTest, AlarmAtATime) {
    put(5, 0x23);
    put(3, 0x00);
    put(1, 0x05);
    put(0x0b, 0x22);
    clock.advance((46 * 60 + 44) * second);
    EXPECT_FALSE(irq8.level);
    clock.advance(second);
    EXPECT_TRUE(irq8.level);
    expect_time(0x23, 0x00, 0x05);
    EXPECT_EQ(get(0x0c) & 0xb0, 0xb0);
}

TEST_F(RtcTest, AlarmBytesThatMatchAnything) {
    put(5, 0xff);
    put(3, 0xff);
    put(1, 0x10);
    put(0x0b, 0x22);
    for (int i = 0; i < 3; i++) {
        clock.advance(60 * second);
        EXPECT_TRUE(get(0x0c) & 0x20);
    }
    EXPECT_EQ(irq8.rises, 3u);
    put(1, 0xc0);
    clock.advance(second);
    EXPECT_TRUE(get(0x0c) & 0x20);
}

// The bytes are compared, so 1Ah is not the second 20.
TEST_F(RtcTest, AlarmBytesThatNeverMatch) {
    put(5, 0xff);
    put(3, 0xff);
    put(0x0b, 0x22);
    for (u8 never : {0x1a, 0x60, 0x7f}) {
        put(1, never);
        clock.advance(3600 * second);
        EXPECT_FALSE(get(0x0c) & 0x20) << unsigned{never};
    }
    put(1, 0x59);
    put(3, 0x12);
    clock.advance(59 * 60 * second);
    EXPECT_FALSE(get(0x0c) & 0x20);
    clock.advance(60 * second);
    EXPECT_TRUE(get(0x0c) & 0x20);
    EXPECT_EQ(irq8.rises, 1u);
}

TEST_F(RtcTest, PeriodicInterrupt) {
    put(0x0b, 0x42);
    unsigned seen = 0;
    for (int i = 0; i < 1000; i++) {
        clock.advance(ms);
        if (irq8.level) seen++, get(0x0c);
    }
    EXPECT_NEAR(seen, 1000, 1);  // 1024 Hz looked at every ms
    put(0x0a, 0x2f);             // 2 Hz
    get(0x0c);
    irq8.rises = 0;
    for (int i = 0; i < 1000; i++) {
        clock.advance(10 * ms);
        get(0x0c);
    }
    EXPECT_EQ(irq8.rises, 20u);
    put(0x0a, 0x20);
    clock.advance(second);
    EXPECT_EQ(irq8.rises, 20u);
}

TEST_F(RtcTest, SetClearsUpdateInterruptEnable) {
    put(0x0b, 0x92);
    EXPECT_EQ(get(0x0b), 0x82);
}

TEST_F(RtcTest, MemoryAndNmiMask) {
    rtc.set_cmos(0x34, 0x55);
    EXPECT_EQ(get(0x34), 0x55);
    put(0x80 | 0x35, 0xaa);
    EXPECT_EQ(rtc.cmos(0x35), 0xaa);
    EXPECT_TRUE(rtc.nmi_masked());
    put(0x0d, 0);
    EXPECT_EQ(get(0x0d), 0x80);
    EXPECT_FALSE(rtc.nmi_masked());
    EXPECT_EQ(in(rtc, 0), 0xff);
}

TEST_F(RtcTest, ResetKeepsTimeAndMemory) {
    put(0x0b, 0x72);
    put(0x40, 1);
    clock.advance(second);
    rtc.reset();
    EXPECT_FALSE(irq8.level);
    EXPECT_EQ(get(0x0b), 0x02);
    EXPECT_EQ(get(0x40), 1);
    EXPECT_EQ(get(0), 0x21);
}

TEST_F(RtcTest, WeekdayAsTheGuestSetsIt) {
    put(6, 7);
    EXPECT_EQ(get(6), 7);
    clock.advance(86400 * second);
    EXPECT_EQ(get(6), 1);
}

// The weekday is a counter of its own: it counts on from what the guest set, in whatever order it set the date.
TEST_F(RtcTest, WeekdayBeforeTheDate) {
    put(0x0b, 0x82);
    for (auto [i, v] : {std::pair{0, 0}, {2, 0}, {4, 0x12}, {6, 6}, {7, 0x02}, {8, 0x01}, {9, 0x26}, {0x32, 0x20}})
        put(static_cast<u8>(i), static_cast<u8>(v));
    put(0x0b, 0x02);
    EXPECT_EQ(get(6), 6);  // Friday
    clock.advance(86400 * second);
    EXPECT_EQ(get(6), 7);
    expect_date(0x20, 0x26, 0x01, 0x03);
}

TEST_F(RtcTest, DateOfARunningClockByteByByte) {
    put(7, 0x31);
    expect_date(0x20, 0x23, 0x11, 0x31);  // a day that November has not
    put(8, 0x02);
    expect_date(0x20, 0x23, 0x02, 0x31);
    put(7, 0x15);
    expect_date(0x20, 0x23, 0x02, 0x15);
    put(7, 0x30);
    clock.advance(7200 * second);
    expect_date(0x20, 0x23, 0x03, 0x01);
}

TEST_F(RtcTest, AnyCenturyAndYear) {
    put(0x32, 0x19);
    put(9, 0x69);
    clock.advance(7200 * second);
    expect_date(0x19, 0x69, 0x11, 0x15);
    put(0x0b, 0x86);
    for (auto [i, v] : {std::pair{7, 31}, {8, 12}, {9, 0}, {0x32, 26}}) put(static_cast<u8>(i), static_cast<u8>(v));
    put(0x0b, 0x16);
    expect_date(26, 0, 12, 31);
    clock.advance(86400 * second);
    expect_date(26, 1, 1, 1);
    EXPECT_TRUE(irq8.level);
}

}  // namespace
}  // namespace bmbt::test

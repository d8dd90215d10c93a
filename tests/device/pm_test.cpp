#include "device/pm.hpp"

#include <gtest/gtest.h>

#include "device/pit.hpp"
#include "fakes.hpp"

namespace bmbt::test {
namespace {

struct PmTest : testing::Test {
    FakeClock clock;
    FakeLine sci, off;
    Pm pm{clock, clock.queue, sci, off};
};

TEST_F(PmTest, TimerRunsAtThreeTimesThePit) {
    clock.advance(1'000'000'000);
    EXPECT_EQ(pm.read(8, Width::Dword), 3'579'545u);
    EXPECT_EQ(pm.read(8, Width::Word) | pm.read(10, Width::Word) << 16, 3'579'545u);
    clock.advance(u64{3599} * 1'000'000'000);
    EXPECT_EQ(pm.read(8, Width::Dword), static_cast<u32>(12'886'363'636));
    EXPECT_EQ(pit_ticks(clock.now()) * 3 / 10, 12'886'363'636u / 10);
}

// The timer's low byte turns over while it is read.
TEST_F(PmTest, AWordOfTheTimerIsOfOneTime) {
    clock.advance(0x1'0000 * 17600 / 63);
    clock.creep = 300;  // a little more than a tick
    u32 last = 0;
    for (int i = 0; i < 1000; i++) {
        const u32 now = pm.read(8, Width::Word);
        EXPECT_LT(now - last, 0x40u);
        last = now;
    }
}

TEST_F(PmTest, OverflowRaisesSci) {
    pm.write(2, Width::Word, 1);
    clock.advance(599'930'000'000);
    EXPECT_FALSE(sci.level);
    clock.advance(10'000'000);
    EXPECT_TRUE(sci.level);
    EXPECT_EQ(pm.read(0, Width::Word), 1u);
    pm.write(0, Width::Word, 1);
    EXPECT_FALSE(sci.level);
    EXPECT_EQ(pm.read(0, Width::Word), 0u);
    clock.advance(600'000'000'000);
    EXPECT_TRUE(sci.level);
}

TEST_F(PmTest, PowerButton) {
    pm.press_power_button();
    EXPECT_FALSE(sci.level);
    pm.write(0, Width::Dword, 0x0100'0000);
    EXPECT_TRUE(sci.level);
    EXPECT_EQ(pm.read(0, Width::Dword), 0x0100'0100u);
    pm.write(1, Width::Byte, 1);
    EXPECT_FALSE(sci.level);
}

TEST_F(PmTest, SleepTypeOfS5PowersOff) {
    EXPECT_EQ(pm.read(4, Width::Word), 1u);  // ACPI is on
    pm.write(4, Width::Word, 0x2401);        // another sleep state
    EXPECT_FALSE(off.level);
    pm.write(4, Width::Word, 0x0001);
    EXPECT_FALSE(off.level);
    pm.write(4, Width::Word, 0x2001);
    EXPECT_TRUE(off.level);
}

TEST_F(PmTest, GeneralEventsAreNone) {
    EXPECT_EQ(pm.read(0xc, Width::Word), 0u);
    pm.write(0xe, Width::Word, 0x1234);
    EXPECT_EQ(pm.read(0xe, Width::Word), 0x1234u);
    EXPECT_EQ(pm.read(0x40, Width::Byte), 0xffu);
}

}  // namespace
}  // namespace bmbt::test

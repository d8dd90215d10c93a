#include "device/fpu_error.hpp"

#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bmbt::test {
namespace {

TEST(FpuError, SetsTheInterruptOnceAndIgnoresUntilTheErrorIsGone) {
    FakeLine irq13;
    FpuError e(irq13);
    EXPECT_FALSE(e.set(true));
    EXPECT_TRUE(irq13.level);
    EXPECT_FALSE(e.set(true)) << "asked again while it waits";
    EXPECT_EQ(irq13.rises, 1u);
    out(e, 0, 0);
    EXPECT_FALSE(irq13.level);
    EXPECT_TRUE(e.set(true)) << "IGNNE# from the write on";
    EXPECT_FALSE(irq13.level);
    EXPECT_FALSE(e.set(false));
    EXPECT_FALSE(e.set(true)) << "a new one is not ignored";
    EXPECT_EQ(irq13.rises, 2u);
}

TEST(FpuError, AWriteWithoutAnErrorIgnoresNothing) {
    FakeLine irq13;
    FpuError e(irq13);
    out(e, 0, 0);
    EXPECT_FALSE(e.set(true));
    EXPECT_TRUE(irq13.level);
    EXPECT_EQ(in(e, 0), 0xff);
}

}  // namespace
}  // namespace bmbt::test

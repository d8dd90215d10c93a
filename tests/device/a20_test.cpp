#include "device/a20.hpp"

#include <gtest/gtest.h>

#include "device/split.hpp"
#include "fakes.hpp"

namespace bmbt::test {
namespace {

TEST(Port92, DrivesTheGateAndReset) {
    FakeLine a20, reset;
    a20.level = true;
    A20Gate gate(a20);
    Port92 port(gate, reset);
    EXPECT_EQ(in(port, 0), 0x02);
    out(port, 0, 0x00);
    EXPECT_FALSE(a20.level);
    EXPECT_EQ(in(port, 0), 0x00);
    out(port, 0, 0x02);
    EXPECT_TRUE(a20.level);
    EXPECT_EQ(reset.rises, 0u);
    out(port, 0, 0x03);
    EXPECT_EQ(reset.rises, 1u);
    EXPECT_EQ(in(port, 1), 0xff);
}

TEST(ResetControl, NeedsARisingBit2) {
    FakeLine reset, init;
    ResetControl port(reset, init);
    out(port, 0, 0x02);
    EXPECT_FALSE(reset.level);
    out(port, 0, 0x06);
    EXPECT_TRUE(reset.level);
    EXPECT_FALSE(init.level) << "bit 1: a reset, not INIT";
    out(port, 0, 0);
    out(port, 0, 0x04);
    EXPECT_TRUE(init.level);
    EXPECT_EQ(reset.rises, 1u);
    out(port, 0, 0x06);
    EXPECT_EQ(in(port, 0), 0x06);
}

TEST(Post80, RemembersTheCode) {
    Post80 port;
    out(port, 0, 0x37);
    EXPECT_EQ(port.code(), 0x37);
    EXPECT_EQ(in(port, 0), 0x37);
}

TEST(Wiring, SplitAndShared) {
    FakeLine a, b;
    Split both(a, b);
    both.set(true);
    EXPECT_TRUE(a.level && b.level);
    FakeLine o;
    Shared<3> any(o);
    any.input(0).set(true);
    any.input(2).set(true);
    any.input(0).set(false);
    EXPECT_TRUE(o.level);
    any.input(2).set(false);
    EXPECT_FALSE(o.level);
    EXPECT_EQ(o.rises, 1u);
}

}  // namespace
}  // namespace bmbt::test

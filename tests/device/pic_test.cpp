#include "device/pic.hpp"

#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bmbt::test {
namespace {

struct PicTest : testing::Test {
    FakeLine intr;
    Pic pic{intr};

    void init(u8 icw4 = 0x01) {
        for (auto [port, base, icw3] : {std::tuple{&pic.master(), 0x20, 0x04}, {&pic.slave(), 0x28, 0x02}}) {
            out(*port, 0, 0x11);
            out(*port, 1, static_cast<u8>(base));
            out(*port, 1, static_cast<u8>(icw3));
            out(*port, 1, icw4);
        }
    }
    void raise(unsigned n) { pic.irq(n).set(true); }
    void lower(unsigned n) { pic.irq(n).set(false); }
    void eoi_master(u8 ocw2 = 0x20) { out(pic.master(), 0, ocw2); }
    void eoi_slave(u8 ocw2 = 0x20) { out(pic.slave(), 0, ocw2); }
    u8 isr(Port& p) {
        out(p, 0, 0x0b);
        return in(p, 0);
    }
    u8 irr(Port& p) {
        out(p, 0, 0x0a);
        return in(p, 0);
    }
};

TEST_F(PicTest, EdgeIsDeliveredOnceAndBlocksLowerUntilEoi) {
    init();
    raise(3);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(irr(pic.master()), 0x08);
    EXPECT_EQ(pic.acknowledge(), 0x23);
    EXPECT_FALSE(intr.level);
    EXPECT_EQ(isr(pic.master()), 0x08);
    EXPECT_EQ(irr(pic.master()), 0);
    raise(4);
    EXPECT_FALSE(intr.level);
    raise(1);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x21);
    eoi_master();  // ends 1, not 3
    EXPECT_EQ(isr(pic.master()), 0x08);
    eoi_master();
    EXPECT_EQ(pic.acknowledge(), 0x24);
    eoi_master();
    EXPECT_FALSE(intr.level);  // all inputs are still high, without a new edge
}

TEST_F(PicTest, MaskHoldsBack) {
    init();
    out(pic.master(), 1, 0xff);
    raise(0);
    EXPECT_FALSE(intr.level);
    out(pic.master(), 1, 0xfe);
    EXPECT_EQ(in(pic.master(), 1), 0xfe);
    EXPECT_TRUE(intr.level);
}

TEST_F(PicTest, SlaveGoesThroughTheCascade) {
    init();
    raise(14);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x2e);
    EXPECT_EQ(isr(pic.master()), 0x04);
    EXPECT_EQ(isr(pic.slave()), 0x40);
    raise(8);
    EXPECT_FALSE(intr.level);  // master is not in special fully nested mode
    eoi_slave();
    eoi_master();
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x28);
}

TEST_F(PicTest, SpecialFullyNestedLetsTheSlaveInterruptAgain) {
    init(0x11);
    raise(14);
    pic.acknowledge();
    raise(8);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x28);
}

TEST_F(PicTest, SpecialFullyNestedHoldsBackWhatIsLowerThanTheSlave) {
    init(0x11);
    raise(12);
    EXPECT_EQ(pic.acknowledge(), 0x2c);
    raise(5);
    EXPECT_FALSE(intr.level);
    raise(14);
    EXPECT_FALSE(intr.level);
    raise(1);
    EXPECT_EQ(pic.acknowledge(), 0x21);
    raise(8);
    EXPECT_FALSE(intr.level);
    eoi_master();
    EXPECT_EQ(pic.acknowledge(), 0x28);
}

// The third initialization word of a slave is its number, 2, not a set of inputs.
TEST_F(PicTest, ASlaveHasNoSlaves) {
    init(0x11);
    raise(9);
    EXPECT_EQ(pic.acknowledge(), 0x29);
    raise(10);
    EXPECT_FALSE(intr.level);
    lower(9);
    raise(9);
    EXPECT_FALSE(intr.level);
    eoi_slave();
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x29);
}

TEST_F(PicTest, TwoSlaveRequestsGiveTwoEdges) {
    init();
    raise(9);
    raise(10);
    EXPECT_EQ(pic.acknowledge(), 0x29);
    eoi_slave();
    eoi_master();
    EXPECT_EQ(pic.acknowledge(), 0x2a);
    eoi_slave();
    eoi_master();
    EXPECT_FALSE(intr.level);
}

TEST_F(PicTest, RequestThatGoesAwayEndsAsSeven) {
    init();
    for (unsigned n : {3u, 12u}) {
        raise(n);
        lower(n);
        EXPECT_FALSE(intr.level);
        EXPECT_EQ(pic.acknowledge(), 0x27);
        EXPECT_EQ(isr(pic.master()), 0);
    }
}

TEST_F(PicTest, SlaveRequestThatGoesAwayBetweenTheCyclesEndsAsFifteen) {
    init();
    raise(12);
    out(pic.master(), 0, 0x0c);  // the poll is the master's cycle alone
    EXPECT_EQ(in(pic.master(), 0), 0x82);
    EXPECT_EQ(isr(pic.master()), 0x04);
    lower(12);
    out(pic.slave(), 0, 0x0c);
    EXPECT_EQ(in(pic.slave(), 0), 0);
    EXPECT_EQ(isr(pic.slave()), 0);
}

TEST_F(PicTest, LevelRepeatsUntilTheLineFalls) {
    init();
    out(pic.elcr(), 1, 0xff);
    EXPECT_EQ(in(pic.elcr(), 1), 0xde);
    out(pic.elcr(), 0, 0xff);
    EXPECT_EQ(in(pic.elcr(), 0), 0xf8);
    EXPECT_EQ(pic.elcr().read(0, Width::Word), 0xdef8u);
    raise(11);
    EXPECT_EQ(pic.acknowledge(), 0x2b);
    eoi_slave();
    eoi_master();
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x2b);
    lower(11);
    eoi_slave();
    eoi_master();
    EXPECT_FALSE(intr.level);
}

TEST_F(PicTest, AutoEoiAndItsRotation) {
    init(0x03);
    raise(3);
    EXPECT_EQ(pic.acknowledge(), 0x23);
    EXPECT_EQ(isr(pic.master()), 0);
    lower(3);
    out(pic.master(), 0, 0x80);  // rotate in automatic EOI mode
    raise(3);
    pic.acknowledge();
    lower(3);
    raise(3);
    raise(4);
    EXPECT_EQ(pic.acknowledge(), 0x24);
    EXPECT_EQ(pic.acknowledge(), 0x23);
}

TEST_F(PicTest, RotationOnEoiAndSetPriority) {
    init();
    raise(0);
    pic.acknowledge();
    eoi_master(0xa0);  // rotate on non-specific EOI: 0 is now lowest
    lower(0);
    raise(0);
    raise(7);
    EXPECT_EQ(pic.acknowledge(), 0x27);
    eoi_master(0x67);
    eoi_master(0xc4);  // 4 lowest, 5 highest
    raise(5);
    EXPECT_EQ(pic.acknowledge(), 0x25);
    eoi_master(0xe5);  // specific, and 5 lowest
    EXPECT_EQ(pic.acknowledge(), 0x20);
}

TEST_F(PicTest, SpecialMaskLetsLowerThrough) {
    init();
    raise(2 + 1);
    pic.acknowledge();
    raise(6);
    EXPECT_FALSE(intr.level);
    out(pic.master(), 1, 0x08);
    out(pic.master(), 0, 0x68);
    EXPECT_TRUE(intr.level);
    EXPECT_EQ(pic.acknowledge(), 0x26);
    eoi_master();  // the masked 3 is passed over
    EXPECT_EQ(isr(pic.master()), 0x08);
    out(pic.master(), 0, 0x48);
    eoi_master();
    EXPECT_EQ(isr(pic.master()), 0);
}

TEST_F(PicTest, PollAcknowledges) {
    init();
    out(pic.master(), 0, 0x0c);
    EXPECT_EQ(in(pic.master(), 0), 0);
    raise(5);
    out(pic.master(), 0, 0x0c);
    EXPECT_EQ(in(pic.master(), 0), 0x85);
    EXPECT_EQ(isr(pic.master()), 0x20);
}

TEST_F(PicTest, InitializationForgetsEdgesAndClearsMask) {
    init();
    out(pic.master(), 1, 0xff);
    raise(1);
    init();
    EXPECT_EQ(in(pic.master(), 1), 0);
    EXPECT_FALSE(intr.level);
    lower(1);
    raise(1);
    EXPECT_TRUE(intr.level);
}

TEST_F(PicTest, SingleChipHasNoThirdWord) {
    out(pic.master(), 0, 0x13);
    out(pic.master(), 1, 0x40);
    out(pic.master(), 1, 0x01);
    out(pic.master(), 1, 0xfd);
    EXPECT_EQ(in(pic.master(), 1), 0xfd);
    raise(1);
    EXPECT_EQ(pic.acknowledge(), 0x41);
}

}  // namespace
}  // namespace bmbt::test

#include "device/i8042.hpp"

#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bmbt::test {
namespace {

struct I8042Test : testing::Test {
    FakeLine irq1, irq12, a20_line, reset;
    A20Gate a20{a20_line};
    I8042 kbc{irq1, irq12, a20, reset};

    void command(u8 c) { out(kbc, 4, c); }
    void command(u8 c, u8 parameter) {
        out(kbc, 4, c);
        out(kbc, 0, parameter);
    }
    void data(u8 c) { out(kbc, 0, c); }
    u8 status() { return in(kbc, 4); }
    int get() { return status() & 1 ? in(kbc, 0) : -1; }
};

TEST_F(I8042Test, SelfTests) {
    EXPECT_EQ(get(), -1);
    command(0xaa);
    EXPECT_EQ(get(), 0x55);
    EXPECT_TRUE(status() & 4);
    command(0xab);
    EXPECT_EQ(get(), 0);
    command(0xa9);
    EXPECT_EQ(get(), 0);
    command(0xa4);
    EXPECT_EQ(get(), 0xf1);
    EXPECT_EQ(in(kbc, 1), 0xff);
}

TEST_F(I8042Test, CommandByte) {
    command(0x60, 0x74);
    command(0x20);
    EXPECT_EQ(get(), 0x74);
    command(0xa8);
    command(0xae);
    command(0x20);
    EXPECT_EQ(get(), 0x44);
    command(0xa7);
    command(0xad);
    command(0x20);
    EXPECT_EQ(get(), 0x74);
    command(0x65, 0x12);
    command(0x25);
    EXPECT_EQ(get(), 0x12);
}

TEST_F(I8042Test, KeyboardAnswers) {
    command(0x60, 0x01);  // no translation
    data(0xff);
    EXPECT_TRUE(irq1.level);
    EXPECT_EQ(get(), 0xfa);
    EXPECT_EQ(irq1.rises, 2u);
    EXPECT_EQ(get(), 0xaa);
    EXPECT_FALSE(irq1.level);
    data(0xf2);
    EXPECT_EQ(get(), 0xfa);
    EXPECT_EQ(get(), 0xab);
    EXPECT_EQ(get(), 0x83);
    data(0xed);
    EXPECT_EQ(get(), 0xfa);
    data(0x07);
    EXPECT_EQ(get(), 0xfa);
    data(0xf0);
    get();
    data(0x00);
    EXPECT_EQ(get(), 0xfa);
    EXPECT_EQ(get(), 0x02);
    data(0xee);
    EXPECT_EQ(get(), 0xee);
    data(0xf4);
    EXPECT_EQ(get(), 0xfa);
    data(0x00);
    EXPECT_EQ(get(), 0xfe);
    EXPECT_EQ(get(), -1);
}

TEST_F(I8042Test, KeysAreTranslated) {
    EXPECT_TRUE(kbc.key(0x1c));  // A
    EXPECT_EQ(get(), 0x1e);
    kbc.key(0xf0);
    kbc.key(0x1c);
    EXPECT_EQ(get(), 0x9e);
    EXPECT_EQ(get(), -1);
    data(0xf2);
    EXPECT_EQ(get(), 0xfa);
    EXPECT_EQ(get(), 0xab);
    EXPECT_EQ(get(), 0x41);
    data(0xf5);
    EXPECT_FALSE(kbc.key(0x1c));
}

TEST_F(I8042Test, DisabledKeyboardWaits) {
    command(0xad);
    kbc.key(0x1c);
    EXPECT_EQ(get(), -1);
    command(0x20);  // the controller itself still answers
    EXPECT_EQ(get(), 0x55);
    command(0xae);
    EXPECT_EQ(get(), 0x1e);
}

TEST_F(I8042Test, AuxiliaryLoopAndMouse) {
    command(0x60, 0x47);
    command(0xd3, 0xa5);
    EXPECT_TRUE(irq12.level);
    EXPECT_EQ(status() & 0x21, 0x21);
    EXPECT_EQ(get(), 0xa5);
    EXPECT_FALSE(irq12.level);
    command(0xd4, 0xff);
    EXPECT_EQ(get(), 0xfa);
    EXPECT_EQ(get(), 0xaa);
    EXPECT_EQ(status() & 0x21, 0x21);
    EXPECT_EQ(get(), 0x00);
    command(0xd4, 0xf2);
    EXPECT_EQ(get(), 0xfa);
    EXPECT_EQ(get(), 0x00);
    command(0xd4, 0xf3);
    EXPECT_EQ(get(), 0xfa);
    command(0xd4, 200);
    EXPECT_EQ(get(), 0xfa);
    command(0xd4, 0xe9);
    EXPECT_EQ(get(), 0xfa);
    EXPECT_EQ(get(), 0x00);
    EXPECT_EQ(get(), 0x02);
    EXPECT_EQ(get(), 200);
    command(0xd4, 0xe1);
    EXPECT_EQ(get(), 0xfe);
    command(0xd2, 0x42);
    EXPECT_EQ(status() & 0x21, 0x01);
    EXPECT_EQ(get(), 0x42);
}

TEST_F(I8042Test, OutputPortDrivesA20AndReset) {
    command(0xd0);
    EXPECT_EQ(get() & 3, 3);
    command(0xd1, 0xdd);
    EXPECT_FALSE(a20.open());
    command(0xd0);
    EXPECT_EQ(get() & 3, 1);
    command(0xdf);
    EXPECT_TRUE(a20.open());
    command(0xff);
    EXPECT_FALSE(reset.level);
    command(0xfe);
    EXPECT_TRUE(reset.level);
    reset.level = false;
    command(0xd1, 0xfe);
    EXPECT_TRUE(reset.level);
}

}  // namespace
}  // namespace bmbt::test

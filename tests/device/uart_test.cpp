#include "device/uart.hpp"

#include <gtest/gtest.h>

#include "fakes.hpp"

namespace bmbt::test {
namespace {

enum : u16 { Data, Ier, Iir, Lcr, Mcr, Lsr, Msr, Scr };

struct UartTest : testing::Test {
    FakeClock clock;
    FakeLine irq;
    FakeSink sink;
    Uart uart{clock, clock.queue, irq, sink};

    u8 get(u16 r) { return in(uart, r); }
    void put(u16 r, u8 v) { out(uart, r, v); }
    void fifos(u8 more = 0) { put(Fcr, static_cast<u8>(0x01 | more)); }
    static constexpr u16 Fcr = Iir;
    void SetUp() override { put(Mcr, 0x0b); }
};

TEST_F(UartTest, Transmits) {
    EXPECT_EQ(get(Lsr), 0x60);
    for (char c : std::string("hello")) put(Data, static_cast<u8>(c));
    EXPECT_EQ(sink.text, "hello");
    EXPECT_EQ(get(Lsr), 0x60);
    EXPECT_EQ(irq.rises, 0u);
}

TEST_F(UartTest, DivisorLatchAndRegisters) {
    put(Lcr, 0x83);
    put(Data, 0x01);
    put(Ier, 0x02);
    EXPECT_EQ(get(Data), 0x01);
    EXPECT_EQ(get(Ier), 0x02);
    put(Lcr, 0x03);
    EXPECT_EQ(get(Ier), 0x00);
    put(Ier, 0xff);
    EXPECT_EQ(get(Ier), 0x0f);
    put(Ier, 0);
    put(Scr, 0xa5);
    EXPECT_EQ(get(Scr), 0xa5);
    EXPECT_EQ(get(Iir), 0x01);
    fifos();
    EXPECT_EQ(get(Iir), 0xc1);
    put(Fcr, 0);
    EXPECT_EQ(get(Iir), 0x01);
    EXPECT_EQ(get(8), 0xff);
    EXPECT_TRUE(sink.text.empty());
}

// The order of accesses in Linux's check for a transmitter interrupt that is not raised again.
TEST_F(UartTest, EnablingTheTransmitterInterruptRaisesItEachTime) {
    put(Ier, 0x02);
    EXPECT_TRUE(irq.level);
    EXPECT_EQ(get(Iir), 0x02);
    EXPECT_FALSE(irq.level);
    EXPECT_EQ(get(Iir), 0x01);
    put(Ier, 0x00);
    put(Ier, 0x02);
    EXPECT_EQ(get(Iir), 0x02);
    put(Ier, 0x02);  // already on
    EXPECT_EQ(get(Iir), 0x01);
}

TEST_F(UartTest, EachWriteGivesATransmitterEdge) {
    put(Ier, 0x02);
    irq.rises = 0;
    put(Data, 'a');
    EXPECT_EQ(irq.rises, 1u);
    put(Data, 'b');
    EXPECT_EQ(irq.rises, 2u);
    EXPECT_EQ(get(Iir), 0x02);
    EXPECT_FALSE(irq.level);
}

TEST_F(UartTest, InterruptNeedsOut2) {
    put(Mcr, 0x03);
    put(Ier, 0x02);
    EXPECT_FALSE(irq.level);
    put(Mcr, 0x0b);
    EXPECT_TRUE(irq.level);
}

TEST_F(UartTest, ReceivesOneWithoutFifos) {
    put(Ier, 0x05);
    EXPECT_EQ(uart.room(), 1u);
    uart.receive('x');
    EXPECT_EQ(uart.room(), 0u);
    EXPECT_TRUE(irq.level);
    EXPECT_EQ(get(Iir), 0x04);
    EXPECT_EQ(get(Lsr), 0x61);
    uart.receive('y');  // overrun
    EXPECT_EQ(get(Iir), 0x06);
    EXPECT_EQ(get(Lsr), 0x63);
    EXPECT_EQ(get(Lsr), 0x61);
    EXPECT_EQ(get(Data), 'y');
    EXPECT_FALSE(irq.level);
    EXPECT_EQ(get(Lsr), 0x60);
}

TEST_F(UartTest, FifoTriggerAndTimeout) {
    put(Lcr, 0x83);
    put(Data, 1);
    put(Lcr, 0x03);
    fifos(0x80);  // 8
    put(Ier, 0x01);
    for (int i = 0; i < 7; i++) uart.receive(static_cast<u8>('0' + i));
    EXPECT_FALSE(irq.level);
    EXPECT_TRUE(get(Lsr) & 1);
    clock.advance(340'000);
    EXPECT_FALSE(irq.level);
    clock.advance(10'000);  // four characters at 115200 take 347 us
    EXPECT_TRUE(irq.level);
    EXPECT_EQ(get(Iir), 0xcc);
    EXPECT_EQ(get(Data), '0');
    EXPECT_FALSE(irq.level);
    uart.receive('7');
    uart.receive('8');
    EXPECT_EQ(get(Iir), 0xc4);
    for (int i = 1; i < 9; i++) EXPECT_EQ(get(Data), '0' + i);
    EXPECT_EQ(get(Iir), 0xc1);
    clock.advance(1'000'000);
    EXPECT_FALSE(irq.level);
}

TEST_F(UartTest, FifoOverrunKeepsTheFirstSixteen) {
    fifos();
    FakeLine room;
    uart.watch_room(&room);
    for (u8 i = 0; i < 17; i++) uart.receive(i);
    EXPECT_EQ(uart.room(), 0u);
    EXPECT_EQ(get(Lsr), 0x63);
    for (u8 i = 0; i < 16; i++) EXPECT_EQ(get(Data), i);
    EXPECT_TRUE(room.level);
    EXPECT_EQ(uart.room(), 16u);
    uart.receive(1);
    put(Fcr, 0x03);
    EXPECT_EQ(get(Lsr), 0x60);
}

TEST_F(UartTest, TellsRoomHoweverItComes) {
    FakeLine room;
    uart.watch_room(&room);
    const auto told = [&] { return std::exchange(room.level, false); };
    uart.receive('a');
    EXPECT_EQ(uart.room(), 0u);
    fifos();
    EXPECT_TRUE(told());
    for (u8 i = 0; i < 16; i++) uart.receive(i);
    put(Mcr, 0x0b);
    EXPECT_FALSE(told());
    fifos(0x02);
    EXPECT_TRUE(told());
    EXPECT_EQ(uart.room(), 16u);
    put(Mcr, 0x1b);
    EXPECT_EQ(uart.room(), 0u);
    put(Data, 'x');
    get(Data);
    EXPECT_FALSE(told());
    put(Mcr, 0x0b);
    EXPECT_TRUE(told());
}

TEST_F(UartTest, LoopbackAsLinuxProbesIt) {
    put(Mcr, 0x1a);
    EXPECT_EQ(get(Msr) & 0xf0, 0x90);
    put(Mcr, 0x10);
    EXPECT_EQ(get(Msr), 0x09);
    EXPECT_EQ(get(Msr), 0x00);
    put(Mcr, 0x14);
    EXPECT_EQ(get(Msr), 0x40);
    put(Mcr, 0x10);
    EXPECT_EQ(get(Msr), 0x04);
    put(Lcr, 0x03);
    put(Data, 'q');
    EXPECT_EQ(get(Lsr), 0x61);
    EXPECT_EQ(get(Data), 'q');
    EXPECT_TRUE(sink.text.empty());
    EXPECT_EQ(uart.room(), 0u);
    put(Mcr, 0x0b);
    EXPECT_EQ(get(Msr) & 0xf0, 0xb0);
}

TEST_F(UartTest, BreakInLoopback) {
    fifos();
    put(Mcr, 0x10);
    put(Lcr, 0x43);
    EXPECT_EQ(get(Lsr), 0xf1);
    EXPECT_EQ(get(Lsr), 0xe1);
    EXPECT_EQ(get(Data), 0);
    EXPECT_EQ(get(Lsr), 0x60);
}

TEST_F(UartTest, ModemStatusInterruptComesLast) {
    get(Msr);
    put(Ier, 0x08);
    put(Mcr, 0x10);
    put(Mcr, 0x0b);
    EXPECT_TRUE(irq.level);
    EXPECT_EQ(get(Iir), 0x00);
    get(Msr);
    EXPECT_FALSE(irq.level);
    EXPECT_EQ(get(Iir), 0x01);
}

}  // namespace
}  // namespace bmbt::test

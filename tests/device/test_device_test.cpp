#include "device/test_device.hpp"

#include <gtest/gtest.h>

#include "device/fakes.hpp"

namespace bmbt::test {
namespace {

TEST(TestPorts, KeepWhatIsWrittenAndShowItTwice) {
    TestPorts ports;
    ports.write(0, Width::Dword, 0x12345678);
    EXPECT_EQ(ports.read(0, Width::Dword), 0x12345678u);
    EXPECT_EQ(in(ports, 1), 0x56);
    EXPECT_EQ(ports.read(8, Width::Dword), 0x12345678u);
    EXPECT_EQ(ports.read(10, Width::Word), 0x1234u);
    out(ports, 11, 0xab);
    ports.write(0, Width::Word, 0xcdef);
    EXPECT_EQ(ports.read(0, Width::Dword), 0xab34cdefu);
}

TEST(TestPorts, DroppingAPageChangesNothing) {
    TestPorts ports;
    ports.write(0, Width::Dword, 0x12345678);
    ports.write(4, Width::Dword, 0x9000);
    EXPECT_EQ(ports.read(4, Width::Dword), 0xffffffffu);
    EXPECT_EQ(ports.read(0, Width::Dword), 0x12345678u);
}

TEST(TestLines, SetTheLineOfTheirNumber) {
    TestLines ports;
    FakeLine first, last;
    ports.connect(0, first);
    ports.connect(23, last);
    out(ports, 23, 1);
    EXPECT_TRUE(last.level);
    EXPECT_FALSE(first.level);
    out(ports, 0, 0x80);
    out(ports, 23, 0);
    out(ports, 5, 1);  // leads nowhere
    EXPECT_TRUE(first.level);
    EXPECT_FALSE(last.level);
}

TEST(TestMemory, KeepsEveryWidthUpToItsEnd) {
    TestMemory memory;
    memory.write(0x100, Width::Qword, 0x1122334455667788);
    memory.write(0x102, Width::Byte, 0xee);
    EXPECT_EQ(memory.read(0x100, Width::Dword), 0x55ee7788u);
    EXPECT_EQ(memory.read(0x104, Width::Word), 0x3344u);
    memory.write(TestMemory::size - 8, Width::Qword, ~u64{0});
    EXPECT_EQ(memory.read(TestMemory::size - 1, Width::Byte), 0xffu);
}

TEST(TestExit, ShiftsTheValueAsItsModelDoes) {
    FakeSink codes;
    TestExit exit(codes);
    exit.write(0, Width::Dword, 0);
    exit.write(0, Width::Byte, 5);
    exit.write(0, Width::Dword, 0x81);
    EXPECT_EQ(codes.text, "\x01\x0b\x03");
    EXPECT_EQ(exit.read(0, Width::Byte), 0xffu);
}

}  // namespace
}  // namespace bmbt::test

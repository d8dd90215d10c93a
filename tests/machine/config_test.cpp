#include "machine/config.hpp"

#include <gtest/gtest.h>

namespace bmbt {
namespace {

TEST(Config, ReadsEveryWord) {
    auto c = parse_config(
        "memory=536870912 boot=linux kernel=0xa0000000,1234 initrd=0xa1000000,77 stats marks no-reboot exact-mxcsr gdb gdb-arch=i386 test-devices "
        "trace=irq,bios cmdline=console=ttyS0  quiet");
    ASSERT_TRUE(c);
    EXPECT_EQ(c->memory, 512_MiB);
    EXPECT_EQ(c->boot, Boot::Linux);
    EXPECT_EQ(c->kernel.base, 0xa000'0000u);
    EXPECT_EQ(c->initrd.size, 77u);
    EXPECT_TRUE(c->stats && c->marks && c->no_reboot && c->exact_mxcsr && c->gdb && c->test_devices);
    EXPECT_TRUE(c->trace.has(TraceEvent::Irq) && c->trace.has(TraceEvent::Bios) && !c->trace.has(TraceEvent::Block));
    EXPECT_EQ(c->gdb_arch, gdb::Arch::I386);
    EXPECT_EQ(c->command_line, "console=ttyS0  quiet");
}

TEST(Config, RefusesNonsense) {
    for (const char* text :
         {"", "memory=1G boot=raw kernel=1,1", "memory=16777216 boot=floppy kernel=1,1", "speed=5", "gdb-arch=i486",
          "memory=16777216 boot=raw", "memory=1048576 boot=raw kernel=1,1",
          "memory=16777216 boot=raw kernel=0xffffffffffffffff,2", "trace=all", "memory=0x boot=raw kernel=1,1",
          "memory=99999999999999999999 boot=raw kernel=1,1", "cmdline=boot=raw"})
        EXPECT_FALSE(parse_config(text)) << text;
}

TEST(RamLayout, LeavesAHoleForDevices) {
    RamLayout small(512_MiB), large(6_GiB);
    EXPECT_EQ(small.high, 0u);
    EXPECT_EQ(large.low, 3_GiB);
    EXPECT_EQ(large.high, 3_GiB);
    MemoryMap map = direct_boot_map(large);
    EXPECT_TRUE(map.is_ram({1_MiB, 3_GiB - 1_MiB}));
    EXPECT_TRUE(map.is_ram({4_GiB, 3_GiB}));
    EXPECT_FALSE(map.is_ram({0xa0000, 1}));
    EXPECT_FALSE(map.is_ram({3_GiB, 1}));
}

}  // namespace
}  // namespace bmbt

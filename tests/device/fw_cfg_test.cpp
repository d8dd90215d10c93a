#include "device/fw_cfg.hpp"

#include <gtest/gtest.h>

#include "device/debugcon.hpp"
#include "fakes.hpp"

namespace bmbt::test {
namespace {

struct FwCfgTest : testing::Test {
    FakeMemory memory{0x10000};
    FwCfg cfg{memory};

    void select(u16 key) { cfg.write(0, Width::Word, key); }
    std::string bytes(usize n) {
        std::string s;
        for (usize i = 0; i < n; i++) s += static_cast<char>(cfg.read(1, Width::Byte));
        return s;
    }
    u32 be32(u64 at) const {
        u32 v;
        std::memcpy(&v, memory.bytes.data() + at, 4);
        return __builtin_bswap32(v);
    }
    u32 dma(u32 control, u32 length, u64 address) {
        const u32 head[2] = {__builtin_bswap32(control), __builtin_bswap32(length)};
        address = __builtin_bswap64(address);
        std::memcpy(&memory.bytes[0x100], head, 8);
        std::memcpy(&memory.bytes[0x108], &address, 8);
        cfg.write(4, Width::Dword, 0);
        cfg.write(8, Width::Dword, __builtin_bswap32(0x100));
        return be32(0x100);
    }
};

TEST_F(FwCfgTest, SignatureAndId) {
    select(FwCfg::Signature);
    EXPECT_EQ(bytes(5), std::string("QEMU\0", 5));
    select(FwCfg::Id);
    EXPECT_EQ(bytes(4), std::string("\3\0\0\0", 4));
    EXPECT_EQ(cfg.read(4, Width::Dword), 0x554d4551u);  // "QEMU" in memory order
    EXPECT_EQ(cfg.read(8, Width::Dword), 0x47464320u);
    EXPECT_EQ(cfg.read(0, Width::Word), 0xffffu);
    select(0x1234);
    EXPECT_EQ(bytes(2), std::string(2, '\0'));
}

TEST_F(FwCfgTest, Numbers) {
    EXPECT_TRUE(cfg.add_number(FwCfg::RamSize, 0x1'8000'0000, 8));
    EXPECT_TRUE(cfg.add_number(FwCfg::NbCpus, 1, 2));
    select(FwCfg::RamSize);
    EXPECT_EQ(bytes(8), std::string("\0\0\0\x80\1\0\0\0", 8));
    EXPECT_TRUE(cfg.add_number(FwCfg::NbCpus, 2, 2));
    select(FwCfg::NbCpus);
    EXPECT_EQ(cfg.read(1, Width::Word), 2u);
}

TEST_F(FwCfgTest, DirectoryAndFiles) {
    const u8 one[] = {'h', 'i'};
    const std::vector<u8> two(300, 7);
    EXPECT_TRUE(cfg.add_file("etc/one", one));
    EXPECT_TRUE(cfg.add_file("etc/two", two));
    EXPECT_FALSE(cfg.add_file(std::string(56, 'x'), two));
    select(FwCfg::FileDirectory);
    const std::string dir = bytes(4 + 2 * 64);
    EXPECT_EQ(dir.substr(0, 4), std::string("\0\0\0\2", 4));
    EXPECT_EQ(dir.substr(4, 8), std::string("\0\0\0\2\0\x20\0\0", 8));
    EXPECT_STREQ(dir.c_str() + 12, "etc/one");
    EXPECT_EQ(dir.substr(68, 8), std::string("\0\0\1\x2c\0\x21\0\0", 8));
    EXPECT_STREQ(dir.c_str() + 76, "etc/two");
    select(0x20);
    EXPECT_EQ(bytes(3), std::string("hi\0", 3));
}

TEST_F(FwCfgTest, Dma) {
    const u8 text[] = {'a', 'b', 'c', 'd', 'e', 'f'};
    cfg.add_file("f", text);
    memory.bytes[0x1007] = 0x55;
    EXPECT_EQ(dma(0x20'000a, 4, 0x1000), 0u);  // select and read
    EXPECT_EQ(std::memcmp(&memory.bytes[0x1000], "abcd", 4), 0);
    EXPECT_EQ(dma(0x02, 4, 0x1004), 0u);  // goes on, zeros after the end
    EXPECT_EQ(std::memcmp(&memory.bytes[0x1000], "abcdef\0\0", 8), 0);
    EXPECT_EQ(dma(0x20'000c, 2, 0), 0u);  // select and skip
    EXPECT_EQ(bytes(1), "c");
    EXPECT_EQ(dma(0x20'000a, 4, 0xffff), 1u);
    EXPECT_EQ(dma(0x20'0018, 4, 0x1000), 1u);  // not writable
    EXPECT_EQ(dma(0x19'000a, 4 + 64, 0x2000), 0u);
    EXPECT_EQ(be32(0x2000), 1u);
    EXPECT_EQ(memory.bytes[0x200c], 'f');
}

TEST_F(FwCfgTest, WritableFile) {
    std::array<u8, 8> answer{};
    cfg.add_writable_file("etc/answer", answer);
    memory.bytes[0x300] = 9;
    EXPECT_EQ(dma(0x20'0018, 8, 0x300), 0u);
    EXPECT_EQ(answer[0], 9);
    EXPECT_EQ(dma(0x20'0018, 9, 0x300), 1u);
}

TEST_F(FwCfgTest, TableIsFinite) {
    const u8 x[] = {1};
    unsigned n = 0;
    while (cfg.add_file("x", x)) n++;
    EXPECT_EQ(n, FwCfg::capacity - 2);
}

TEST(DebugConsole, KnownByItsByte) {
    FakeSink sink;
    DebugConsole port(sink);
    EXPECT_EQ(in(port, 0), 0xe9);
    out(port, 0, 'x');
    EXPECT_EQ(sink.text, "x");
}

}  // namespace
}  // namespace bmbt::test

#include "cpu/linear.hpp"

#include <gtest/gtest.h>

#include "cpu/machine.hpp"

namespace bmbt {
namespace {

using namespace x86;
using test::Machine;

Vector vector_of(const Guest<u64>& g) { return g ? Vector::De : g.error().vector; }

TEST(Linear, ReadsAndWritesAcrossPagesAndDevices) {
    Machine m;
    m.flat32();
    ASSERT_TRUE(write(m.v, 0x1ffc, Width::Qword, 0x1122'3344'5566'7788));
    EXPECT_EQ(m.ram.get<u32>(0x1ffc), 0x5566'7788u);
    EXPECT_EQ(m.ram.get<u32>(0x2000), 0x1122'3344u);
    EXPECT_EQ(*read(m.v, 0x1fff, Width::Word), 0x4455u);
    EXPECT_EQ(*read(m.v, 0xf0'0000, Width::Dword), 0xffff'ffffu);
    ASSERT_TRUE(write(m.v, 0xf0'0002, Width::Dword, 0xaabb'ccdd));
    EXPECT_EQ(m.platform.log,
              (std::vector<std::string>{"mmio_read f00000 4", "mmio_write f00002 2 ccdd", "mmio_write f00004 2 aabb"}));
}

TEST(Linear, NothingIsWrittenWhenTheSecondPageFaults) {
    Machine m;
    m.long_mode(3);
    m.ram.put<u64>(1_MiB - 4_KiB + 8 * 2, 0x2000 | 5);  // page 2 is read-only
    auto r = write(m.v, 0x1ffe, Width::Dword, ~u64{0});
    ASSERT_FALSE(r);
    EXPECT_EQ(r.error().address, 0x2000u);
    EXPECT_EQ(r.error().error, 7u);
    EXPECT_EQ(m.ram.get<u16>(0x1ffe), 0);
    m.ram.put<u64>(1_MiB - 4_KiB + 8 * 2, 0x2000 | 3);
    EXPECT_TRUE(write(m.v, 0x1ffe, Width::Dword, ~u64{0}, As::Supervisor));
}

TEST(Linear, TellsOfDataAccessesThatCannotFault) {
    struct Recorder final : AccessWatch {
        bool watches(u64, u64) const override { return true; }
        void accessed(u64 linear, u64 size, bool write) override { log.push_back({linear, size, write}); }
        std::vector<std::tuple<u64, u64, bool>> log;
    } recorder;
    Machine m;
    m.long_mode(3);
    m.v.watch = &recorder;
    ASSERT_TRUE(read(m.v, 0x1ffe, Width::Dword));
    ASSERT_TRUE(write(m.v, 0x1008, Width::Byte, 1));
    ASSERT_TRUE(translate(m.v, 0x1000, 4, Access{.write = false, .fetch = true, .user = true}));
    m.ram.put<u64>(1_MiB - 4_KiB + 8 * 2, 0);
    ASSERT_FALSE(write(m.v, 0x1ffe, Width::Dword, 1));
    EXPECT_EQ(recorder.log, (std::vector<std::tuple<u64, u64, bool>>{{0x1ffe, 4, false}, {0x1008, 1, true}}));
}

TEST(Linear, RomWritesReachTheBus) {
    Machine m;
    m.flat32();
    m.ram.map.map(0x8000, page_size, FrameKind::Rom, m.ram.map.frame(0x8000).host());
    ASSERT_TRUE(write(m.v, 0x8000, Width::Byte, 7));
    EXPECT_EQ(*read(m.v, 0x8000, Width::Byte), 0u);
    EXPECT_EQ(m.platform.log.at(0), "mmio_write 8000 1 7");
}

TEST(Linear, LimitsOfRealMode) {
    Machine m;
    m.real_mode();
    m.set(Ds, 0x1000, test::data16, 0xffff, 0x10000);
    EXPECT_EQ(*linear_address(m.v, Ds, 0xfffe, 2, true), 0x1fffeu);
    EXPECT_EQ(vector_of(linear_address(m.v, Ds, 0xffff, 2, true)), Vector::Gp);
    EXPECT_EQ(vector_of(linear_address(m.v, Ss, 0xffff, 2, true)), Vector::Ss);
    m.v.seg[Ds].limit = ~u32{0};
    EXPECT_EQ(*linear_address(m.v, Ds, 0x12'0000, 2, true), 0x13'0000u);
    EXPECT_TRUE(linear_address(m.v, Cs, 0, 2, true)) << "real mode writes through CS";
}

TEST(Linear, TypesOfProtectedMode) {
    Machine m;
    m.flat32();
    EXPECT_EQ(vector_of(linear_address(m.v, Cs, 0, 1, true)), Vector::Gp);
    EXPECT_TRUE(linear_address(m.v, Cs, 0, 1, false));
    m.set(Cs, 8, 0xc099, ~u32{0}, 0);
    EXPECT_EQ(vector_of(linear_address(m.v, Cs, 0, 1, false)), Vector::Gp) << "execute-only";
    m.set(Ds, 0x10, 0xc091, ~u32{0}, 0);
    EXPECT_EQ(vector_of(linear_address(m.v, Ds, 0, 1, true)), Vector::Gp) << "read-only";
    m.set(Es, 0, 0, 0, 0);
    EXPECT_EQ(vector_of(linear_address(m.v, Es, 0, 1, false)), Vector::Gp) << "null";
    m.set(Fs, 0x10, 0x4097, 0xfff, 0x1000);  // expand-down, big
    EXPECT_EQ(vector_of(linear_address(m.v, Fs, 0xfff, 1, false)), Vector::Gp);
    EXPECT_EQ(*linear_address(m.v, Fs, 0x1000, 4, false), 0x2000u);
    EXPECT_EQ(vector_of(linear_address(m.v, Fs, 0xffff'ffff, 2, false)), Vector::Gp);
    m.v.seg[Fs].access = 0x97;
    EXPECT_EQ(vector_of(linear_address(m.v, Fs, 0xffff, 2, false)), Vector::Gp);
    m.set(Gs, 0x10, test::data32, ~u32{0}, 0xffff'f000);
    EXPECT_EQ(*linear_address(m.v, Gs, 0x2000, 4, true), 0x1000u) << "wraps at 4 GiB";
}

TEST(Linear, SixtyFourBitModeKnowsOnlyFsAndGs) {
    Machine m;
    m.long_mode();
    m.set(Ds, 0, 0, 0, 0x5000);
    m.set(Gs, 0, 0, 0, 0xffff'8000'0000'0000);
    EXPECT_EQ(*linear_address(m.v, Ds, 0x1234, 8, true), 0x1234u);
    EXPECT_EQ(*linear_address(m.v, Gs, 0x10, 8, true), 0xffff'8000'0000'0010u);
    EXPECT_EQ(vector_of(linear_address(m.v, Ds, 0x7fff'ffff'fffc, 8, true)), Vector::Gp);
    EXPECT_EQ(vector_of(linear_address(m.v, Ss, u64{1} << 47, 8, true)), Vector::Ss);
    EXPECT_EQ(*linear_address(m.v, Ds, 0x7fff'ffff'fff8, 8, true), 0x7fff'ffff'fff8u);
}

}  // namespace
}  // namespace bmbt

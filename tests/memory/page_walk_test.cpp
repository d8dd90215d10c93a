#include "memory/page_walk.hpp"

#include <gtest/gtest.h>

#include "memory/guest_ram.hpp"

namespace bmbt {
namespace {

using namespace x86;
using test::GuestRam;

constexpr u64 p = 1, rw = 2, us = 4, a = 0x20, d = 0x40, ps = 0x80, g = 0x100, nx = u64{1} << 63;

class PageWalk : public testing::Test {
 protected:
    GuestRam ram{1_MiB, 16_MiB};
    PagingState s;
    Guest<Translation> to(u64 linear, Access access = {}) { return walk(ram.map, s, linear, access); }
    // The #PF error code, or -1 when the access succeeds.
    int code(u64 linear, Access access = {}) {
        auto t = to(linear, access);
        return t ? -1 : static_cast<int>(t.error().error);
    }
    void long_mode() {
        s = {.cr0 = cr0::pe | cr0::pg | cr0::wp,
             .cr3 = 0x1000,
             .cr4 = cr4::pae | cr4::pge,
             .efer = efer::lme | efer::lma | efer::nxe};
        ram.put<u64>(0x1000, 0x2000 | p | rw | us);
        ram.put<u64>(0x2000, 0x3000 | p | rw | us);
        ram.put<u64>(0x3000, 0x4000 | p | rw | us);
    }
};

TEST_F(PageWalk, WithoutPagingTheLinearAddressIsPhysical) {
    EXPECT_EQ(to(0x1'2345'6789)->gpa, 0x2345'6789u);
    ram.map.a20_mask = ~u64{1_MiB};
    EXPECT_EQ(to(0x10'0010)->gpa, 0x10u);
}

TEST_F(PageWalk, FourLevelsSetAccessedEverywhereAndDirtyInTheLeaf) {
    long_mode();
    ram.put<u64>(0x4008, 0x7000 | p | rw | us | g);
    EXPECT_EQ(to(0x1234)->gpa, 0x7234u);
    EXPECT_EQ(ram.get<u64>(0x1000), 0x2000 | p | rw | us | a);
    EXPECT_EQ(ram.get<u64>(0x3000), 0x4000 | p | rw | us | a);
    EXPECT_EQ(ram.get<u64>(0x4008), 0x7000 | p | rw | us | g | a);
    auto t = to(0x1234, {.write = true});
    EXPECT_TRUE(t->dirty && t->global && t->writable && t->user);
    EXPECT_EQ(t->page_size, 4_KiB);
    EXPECT_EQ(ram.get<u64>(0x4008), 0x7000 | p | rw | us | g | a | d);
}

TEST_F(PageWalk, PeekChangesNothing) {
    long_mode();
    ram.put<u64>(0x4008, 0x7000 | p);
    EXPECT_EQ(peek_walk(ram.map, s, 0x1234)->gpa, 0x7234u);
    EXPECT_EQ(ram.get<u64>(0x4008), 0x7000 | p);
    EXPECT_EQ(ram.get<u64>(0x1000), 0x2000 | p | rw | us);
    EXPECT_FALSE(peek_walk(ram.map, s, 0x2000));
}

TEST_F(PageWalk, ATraceHasTheEntriesOnTheWay) {
    long_mode();
    ram.put<u64>(0x4008, 0x7000 | p);
    WalkTrace trace;
    EXPECT_EQ(peek_walk(ram.map, s, 0x1234, trace)->gpa, 0x7234u);
    ASSERT_EQ(trace.count, 4u);
    const u64 at[] = {0x1000, 0x2000, 0x3000, 0x4008};
    const unsigned shift[] = {39, 30, 21, 12};
    for (unsigned n = 0; n < 4; n++) {
        EXPECT_EQ(trace.step[n].at, at[n]);
        EXPECT_EQ(trace.step[n].entry, ram.get<u64>(at[n]));
        EXPECT_EQ(trace.step[n].shift, shift[n]);
    }
    // To the entry where it ends, present or not, large or not.
    WalkTrace absent, large;
    EXPECT_FALSE(peek_walk(ram.map, s, u64{1} << 21, absent));
    EXPECT_EQ(absent.count, 3u);
    EXPECT_EQ(absent.step[2].at, 0x3008u);
    EXPECT_EQ(absent.step[2].entry, 0u);
    ram.put<u64>(0x3008, 0x40'0000 | p | ps);
    EXPECT_EQ(peek_walk(ram.map, s, u64{1} << 21, large)->page_size, 2_MiB);
    EXPECT_EQ(large.count, 3u);
    WalkTrace off;
    s = {};
    EXPECT_TRUE(peek_walk(ram.map, s, 0x1234, off));
    EXPECT_EQ(off.count, 0u);
}

TEST_F(PageWalk, ErrorCodesSayWhy) {
    long_mode();
    ram.put<u64>(0x4000, 0x7000 | p);  // supervisor, read-only
    ram.put<u64>(0x4008, 0x7000 | p | rw | us | nx);
    ram.put<u64>(0x4010, 0x7000 | p | u64{1} << 45);
    EXPECT_EQ(code(0x0, {.write = true}), 3);
    EXPECT_EQ(code(0x0, {.user = true}), 5);
    EXPECT_EQ(code(0x1000, {.fetch = true}), 0x11);
    EXPECT_EQ(code(0x1000, {.write = true, .user = true}), -1);
    EXPECT_EQ(code(0x2000, {.user = true}), 0xd);
    EXPECT_EQ(code(0x3000, {.write = true, .user = true}), 6);
    EXPECT_EQ(code(0x3000, {.fetch = true}), 0x10);
    EXPECT_EQ(code(u64{1} << 39), 0);
    EXPECT_EQ(to(0x3abc).error().address, 0x3abcu);
    EXPECT_EQ(ram.get<u64>(0x4000) & a, 0u) << "a refused access leaves the leaf alone";
}

TEST_F(PageWalk, AFaultLeavesNoTraceInTheTables) {
    long_mode();
    ram.put<u64>(0x4000, 0x7000 | p);
    EXPECT_EQ(code(0x1000), 0);                     // nothing there
    EXPECT_EQ(code(0x0, {.write = true}), 3);       // no right
    for (u64 table : {0x1000, 0x2000, 0x3000}) EXPECT_EQ(ram.get<u64>(table) & a, 0u);
    EXPECT_EQ(code(0x0), -1);
    for (u64 table : {0x1000, 0x2000, 0x3000}) EXPECT_EQ(ram.get<u64>(table) & a, a);
}

TEST_F(PageWalk, WriteProtectBindsTheSupervisorOnlyWhenSet) {
    long_mode();
    ram.put<u64>(0x4000, 0x7000 | p | us);
    s.cr0 &= ~cr0::wp;
    EXPECT_EQ(code(0, {.write = true}), -1);
    EXPECT_EQ(code(0, {.write = true, .user = true}), 7);
}

TEST_F(PageWalk, SmepKeepsTheSupervisorOutOfUserCode) {
    long_mode();
    s.cr4 |= cr4::smep;
    ram.put<u64>(0x4000, 0x7000 | p | us);
    EXPECT_EQ(code(0, {.fetch = true}), 0x11);
    EXPECT_EQ(code(0, {.fetch = true, .user = true}), -1);
    EXPECT_EQ(code(0), -1);
}

TEST_F(PageWalk, NoExecuteIsReservedUntilEnabled) {
    long_mode();
    s.efer &= ~efer::nxe;
    ram.put<u64>(0x4000, 0x7000 | p | nx);
    EXPECT_EQ(code(0), 9);
}

TEST_F(PageWalk, LargePagesOfLongMode) {
    long_mode();
    ram.put<u64>(0x3008, 0x20'0000 | p | rw | ps);
    EXPECT_EQ(to(0x20'0000 + 0x12345)->gpa, 0x21'2345u);
    EXPECT_EQ(to(0x20'0000)->page_size, 2_MiB);
    ram.put<u64>(0x3008, 0x20'2000 | p | rw | ps);
    EXPECT_EQ(code(0x20'0000), 9);
    ram.put<u64>(0x2008, 0x4000'0000 | p | rw | ps);
    EXPECT_EQ(to(0x4123'4567)->gpa, 0x4123'4567u);
    EXPECT_EQ(to(0x4123'4567)->page_size, 1_GiB);
    ram.put<u64>(0x1008, 0x2000 | p | ps);
    EXPECT_EQ(code(u64{1} << 39), 9) << "PS is reserved in a PML4E";
}

TEST_F(PageWalk, TwoLevels) {
    s = {.cr0 = cr0::pe | cr0::pg, .cr3 = 0x1000};
    ram.put<u32>(0x1000, 0x2000 | p | rw | us);
    ram.put<u32>(0x2004, 0x9000 | p | us);
    EXPECT_EQ(to(0xffff'ffff'0000'1010)->gpa, 0x9010u) << "only 32 bits count";
    EXPECT_EQ(code(0x1000, {.write = true, .user = true}), 7);
    EXPECT_EQ(code(0x1000, {.write = true}), -1);
    EXPECT_EQ(ram.get<u32>(0x2004), 0x9000 | p | us | a | d);
    EXPECT_EQ(ram.get<u32>(0x2008), 0u);
    EXPECT_EQ(code(0x40'0000, {.fetch = true}), 0);
}

TEST_F(PageWalk, FourMegabytePagesReachAbove4GiB) {
    s = {.cr0 = cr0::pe | cr0::pg, .cr3 = 0x1000, .cr4 = cr4::pse};
    ram.put<u32>(0x1004, 0x80'0000 | 0x12 << 13 | p | rw | ps);
    EXPECT_EQ(to(0x40'1234)->gpa, 0x12'0080'1234u);
    EXPECT_EQ(to(0x40'1234)->page_size, 4_MiB);
    ram.put<u32>(0x1004, 0x80'0000 | 1 << 21 | p | rw | ps);
    EXPECT_EQ(code(0x40'0000), 9);
    s.cr4 = 0;
    ram.put<u32>(0x1004, 0x2000 | p | rw | ps);
    ram.put<u32>(0x2000, 0x5000 | p);
    EXPECT_EQ(to(0x40'0000)->gpa, 0x5000u) << "without CR4.PSE the bit is ignored";
}

TEST_F(PageWalk, PaeUsesTheLoadedPdptes) {
    s = {.cr0 = cr0::pe | cr0::pg, .cr3 = 0x1020, .cr4 = cr4::pae};
    ram.put<u64>(0x1038, 0x2000 | p);
    ram.put<u64>(0x2000, 0x3000 | p | rw | us);
    ram.put<u64>(0x3000, 0x8000 | p | rw | us);
    EXPECT_EQ(code(0xc000'0000), 0);
    ASSERT_TRUE(load_pdptes(ram.map, s));
    EXPECT_EQ(to(0xc000'0123)->gpa, 0x8123u);
    ram.put<u64>(0x3000, 0x8000 | p | u64{1} << 60);
    EXPECT_EQ(code(0xc000'0000), 9);
    ram.put<u64>(0x1020, 0x2000 | p | rw);
    auto bad = load_pdptes(ram.map, s);
    ASSERT_FALSE(bad);
    EXPECT_EQ(bad.error().vector, Vector::Gp);
}

TEST_F(PageWalk, TablesOutsideRamReadAsOnes) {
    long_mode();
    ram.put<u64>(0x3000, 0x80'0000 | p);  // inside the frame table, but nothing is there
    EXPECT_EQ(code(0), 9);
    s.cr3 = 0xff'ffff'f000;  // beyond it
    EXPECT_EQ(code(0), 9);
}

struct Watcher : PhysicalMap::CodeWatcher {
    u64 seen = 0;
    void code_written(u64 gpa, u64) override { seen = gpa; }
};

TEST_F(PageWalk, SettingAccessedInAFrameWithCodeIsReported) {
    long_mode();
    Watcher w;
    ram.map.watch(&w);
    ram.put<u64>(0x4000, 0x7000 | p);
    ram.map.frame_ref(0x4000).raw |= Frame::holds_code_.mask();
    EXPECT_EQ(code(0), -1);
    EXPECT_EQ(w.seen, 0x4000u);
}

TEST_F(PageWalk, DevicesReachOnlyRam) {
    u8 buffer[8192] = {1, 2, 3};
    EXPECT_TRUE(ram.map.write(0xff0, buffer, 8192));
    EXPECT_EQ(ram.get<u8>(0xff1), 2);
    EXPECT_FALSE(ram.map.write(1_MiB - 4, buffer, 8));
    EXPECT_EQ(ram.get<u8>(1_MiB - 4), 0) << "nothing was transferred";
    ram.map.map(0x8000, page_size, FrameKind::Rom, ram.map.frame(0x8000).host());
    EXPECT_FALSE(ram.map.fill(0x8000, 1, 1));
    EXPECT_TRUE(ram.map.read(0x8000, buffer, 16));
}

}  // namespace
}  // namespace bmbt

#include "memory/walk_cache.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace bmbt {
namespace {

constexpr u64 linear = 0xffff'8880'1234'5678;
constexpr Access read, write{.write = true}, user{.user = true}, fetch{.fetch = true};

class WalkCacheTest : public testing::Test {
 protected:
    void add(u64 at, Access access, u64 size = 4_KiB) {
        cache->add(at, access, {.gpa = 0x7000 + at % 4_KiB, .page_size = size}, bytes + at % 4_KiB);
    }
    bool has(u64 at, Access access) { return cache->find(at, access); }

    std::unique_ptr<WalkCache> cache = std::make_unique<WalkCache>();
    u8 bytes[4_KiB];
};

TEST_F(WalkCacheTest, KnowsThePageOfWhatWasAdded) {
    EXPECT_FALSE(has(linear, read));
    add(linear, read);
    const WalkCache::Page* p = cache->find(linear + 8, read);
    ASSERT_TRUE(p);
    EXPECT_EQ(p->host, bytes);
    EXPECT_EQ(p->gpa, 0x7000u);
    EXPECT_FALSE(has(linear + 4_KiB, read));
    EXPECT_FALSE(has(linear & 0xffff'ffff, read));
}

TEST_F(WalkCacheTest, OneKindOfAccessSaysNothingOfAnother) {
    add(linear, read);
    for (Access other : {write, user, fetch, Access{.write = true, .user = true}}) EXPECT_FALSE(has(linear, other));
}

TEST_F(WalkCacheTest, ForgetsOnePageInAllKinds) {
    for (Access a : {read, write, user, fetch}) {
        add(linear, a);
        add(linear + 8_KiB, a);
        cache->forget_page(linear);
        EXPECT_FALSE(has(linear, a));
        EXPECT_TRUE(has(linear + 8_KiB, a));
    }
}

TEST_F(WalkCacheTest, ForgetsLargePagesWithAnyPage) {
    add(linear, read, 2_MiB);
    EXPECT_TRUE(has(linear, read));
    cache->forget_page(linear + 64_KiB);
    EXPECT_FALSE(has(linear, read));
    add(linear, read, 2_MiB);
    EXPECT_TRUE(has(linear, read));
}

TEST_F(WalkCacheTest, ForgetsAllHoweverOften) {
    add(linear, read);
    for (u64 n = 0; n < 1 << 10; n++) {
        cache->forget_all();
        ASSERT_FALSE(has(linear, read));
    }
    // Generations begin anew after 2^25.
    for (u64 n = 0; n < (1 << 25) - 2; n++) cache->forget_all();
    add(linear, write);
    EXPECT_FALSE(has(linear, read));
    EXPECT_TRUE(has(linear, write));
    EXPECT_FALSE(has(0, read));
}

}  // namespace
}  // namespace bmbt

#include "memory/large_pages.hpp"

#include <gtest/gtest.h>

#include <memory>

namespace bmbt {
namespace {

constexpr u64 kernel = 0xffff'8880'4000'0000;

TEST(LargePages, AnyAddressOfAMarkedPageIsMarked) {
    for (u64 size : {2_MiB, 4_MiB, 1_GiB}) {
        auto pages = std::make_unique<LargePages>();
        EXPECT_FALSE(pages->marked(kernel));
        pages->mark(kernel + 0x1234, size);
        EXPECT_TRUE(pages->marked(kernel));
        EXPECT_TRUE(pages->marked(kernel + size - 1));
        EXPECT_FALSE(pages->marked(kernel + size));
        EXPECT_FALSE(pages->marked(kernel - 1));
    }
}

TEST(LargePages, SmallPagesAreNot) {
    auto pages = std::make_unique<LargePages>();
    pages->mark(kernel, 4_KiB);
    EXPECT_FALSE(pages->marked(kernel));
}

TEST(LargePages, ClearForgetsAllHoweverOften) {
    auto pages = std::make_unique<LargePages>();
    pages->mark(kernel, 2_MiB);
    for (unsigned n = 0; n < 1000; ++n) {
        pages->clear();
        ASSERT_FALSE(pages->marked(kernel)) << n;
        ASSERT_FALSE(pages->marked(0)) << n;
    }
    pages->mark(kernel, 2_MiB);
    EXPECT_TRUE(pages->marked(kernel));
}

}  // namespace
}  // namespace bmbt

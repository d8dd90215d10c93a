// Lazy flags against the flags that this machine's own processor makes.
#include "cpu/flags.hpp"

#include <gtest/gtest.h>

#include <random>

namespace bmbt {
namespace {

using namespace x86::flag;

enum class Native { Add, Sub, Adc, Sbb, Inc, Dec, And };

template <class T>
u64 native(Native op, T a, T b, bool carry, T& result) {
    u64 flags;
    result = a;
#define RUN(text) \
    asm("bt $0, %k3\n\t" text "\n\tpushfq\n\tpopq %0" : "=r"(flags), "+r"(result) : "r"(b), "r"(u32{carry}) : "cc")
    switch (op) {
        case Native::Add: RUN("add %2, %1"); break;
        case Native::Sub: RUN("sub %2, %1"); break;
        case Native::Adc: RUN("adc %2, %1"); break;
        case Native::Sbb: RUN("sbb %2, %1"); break;
        case Native::Inc: RUN("inc %1"); break;
        case Native::Dec: RUN("dec %1"); break;
        case Native::And: RUN("and %2, %1"); break;
    }
#undef RUN
    return flags & arithmetic;
}

template <class T>
void compare(T a, T b, bool carry) {
    unsigned size = __builtin_ctz(sizeof(T));
    u64 junk = 0xdead'beef'0123'4567 & ~mask(8 * sizeof(T));
    T r;
    u64 wide_a = a | junk, wide_b = b | junk;
    auto same = [&](FlagOp op, u64 x, u64 y, u64 expected, u64 care = arithmetic) {
        EXPECT_EQ(evaluate({x, y, flag_kind(op, size)}) & care, expected & care)
            << "op " << int(op) << " size " << sizeof(T) << " a " << std::hex << u64{a} << " b " << u64{b};
    };
    u64 f = native(Native::Add, a, b, false, r);
    same(FlagOp::Add, wide_a, wide_b, f);
    same(FlagOp::AddR, r | junk, wide_b, f);
    f = native(Native::Sub, a, b, false, r);
    same(FlagOp::Sub, wide_a, wide_b, f);
    same(FlagOp::SubR, r | junk, wide_b, f);
    same(FlagOp::Adc, wide_a, wide_b, native(Native::Adc, a, b, true, r));
    same(FlagOp::Sbb, wide_a, wide_b, native(Native::Sbb, a, b, true, r));
    f = native(Native::Inc, a, b, carry, r);
    same(FlagOp::Inc, r | junk, carry, f);
    f = native(Native::Dec, a, b, carry, r);
    same(FlagOp::Dec, r | junk, carry, f);
    f = native(Native::And, a, b, carry, r);
    same(FlagOp::Logic, r | junk, 0, f, arithmetic & ~af);
    same(FlagOp::Result, r | junk, cf | of, (f & (zf | sf | pf)) | cf | of);
}

TEST(Flags, AreThoseOfTheProcessor) {
    std::mt19937_64 random(1);
    const u64 edges[] = {0,           1,           0x7f,        0x80,         0xff,         0x7fff,  0x8000, 0xffff,
                         0x7fff'ffff, 0x8000'0000, 0xffff'ffff, ~u64{0} >> 1, u64{1} << 63, ~u64{0}, 0xf,    0x10};
    auto both = [&](u64 a, u64 b) {
        bool carry = random() & 1;
        compare<u8>(a, b, carry);
        compare<u16>(a, b, carry);
        compare<u32>(a, b, carry);
        compare<u64>(a, b, carry);
    };
    for (u64 a : edges)
        for (u64 b : edges) both(a, b);
    for (int n = 0; n < 2000; n++) both(random(), random());
}

TEST(Flags, BitsAreTheFlagsThemselves) { EXPECT_EQ(evaluate({cf | of | df, 0, 0}), cf | of); }

TEST(Flags, RflagsGoInAndOutWhole) {
    Vcpu v;
    set_rflags(v, ~u64{0});
    EXPECT_EQ(rflags(v), arithmetic | system | reserved1);
    EXPECT_EQ(v.direction, ~u64{0});
    EXPECT_TRUE(v.paging.flags_ac);
    set_rflags(v, 0);
    EXPECT_EQ(rflags(v), reserved1);
    EXPECT_EQ(v.direction, 1u);
}

}  // namespace
}  // namespace bmbt

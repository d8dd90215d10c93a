// The memory images of the x87 state: FXSAVE and the 16-bit FSAVE against the processor's, real-mode forms by hand.
#include <gtest/gtest.h>

#include "unit/fpu_native.hpp"

namespace bmbt::fpu::test {
namespace {

X87 random_machine(Random& r) {
    X87 x;
    x.control = static_cast<u16>((r.next() & 0xf3f) | 0x7f);
    x.status = static_cast<u16>(r.next() & 0x7f7f);
    x.tag = static_cast<u8>(r.next());
    for (auto& st : x.st) st = random_number(r, random_exponent(r));
    return x;
}

void expect_same(const X87& a, const X87& b) {
    EXPECT_EQ(a.control, b.control);
    EXPECT_EQ(a.status, b.status);
    EXPECT_EQ(a.tag, b.tag);
    EXPECT_EQ(a.ip, b.ip);
    EXPECT_EQ(a.dp, b.dp);
    EXPECT_EQ(a.opcode, b.opcode);
    EXPECT_EQ(a.cs, b.cs);
    EXPECT_EQ(a.ds, b.ds);
    for (unsigned i = 0; i < 8; ++i) EXPECT_EQ(text(a.st[i]), text(b.st[i])) << i;
}

TEST(X87Image, EveryFormatComesBack) {
    Random r(11);
    for (int n = 0; n < 200; ++n) {
        X87 x = random_machine(r);
        x.opcode = static_cast<u16>(r.next() & 0x7ff);
        x.cs = static_cast<u16>(r.next()), x.ds = static_cast<u16>(r.next());
        x.ip = static_cast<u32>(r.next()), x.dp = static_cast<u32>(r.next());
        u8 image[512] = {};
        X87 back;
        save_state(x, ImageFormat::Protected32, image);
        load_state(back, ImageFormat::Protected32, image);
        expect_same(x, back);
        fxsave(x, false, image);
        fxrstor(back, false, image);
        expect_same(x, back);
        x.ip = r.next(), x.dp = r.next();
        fxsave(x, true, image);
        fxrstor(back, true, image);
        x.cs = x.ds = 0;
        expect_same(x, back);
        x.ip &= 0xfffff, x.dp &= 0xfffff;
        save_state(x, ImageFormat::Real16, image);
        load_state(back, ImageFormat::Real16, image);
        expect_same(x, back);
        x.ip = r.next() & 0xffffffff, x.dp = r.next() & 0xffffffff;
        save_state(x, ImageFormat::Real32, image);
        load_state(back, ImageFormat::Real32, image);
        expect_same(x, back);
    }
}

// "Real Mode x87 FPU State Image in Memory": linear addresses, the opcode beside the instruction's.
TEST(X87Image, RealModeFields) {
    X87 x;
    x.cs = 0x1234, x.ip = 0x5678, x.ds = 0xf000, x.dp = 0xfff0, x.opcode = 0x5d8;
    u8 image[28];
    save_environment(x, ImageFormat::Real16, image);
    EXPECT_EQ(image[6] | image[7] << 8, 0x79b8);
    EXPECT_EQ(image[8] | image[9] << 8, 0x15d8);
    EXPECT_EQ(image[10] | image[11] << 8, 0xfff0);
    EXPECT_EQ(image[12] | image[13] << 8, 0xf000);
    save_environment(x, ImageFormat::Real32, image);
    EXPECT_EQ(image[12] | image[13] << 8, 0x79b8);
    EXPECT_EQ(image[16] | image[17] << 8 | image[18] << 16, 0x15d8);
    EXPECT_EQ(image[24] | image[25] << 8 | image[26] << 16, 0xf000);
}

TEST(X87Image, PendingExceptionWaits) {
    X87 x;
    x.control = 0x037b;  // zero divide unmasked
    EXPECT_EQ(fld(x, one80), Mf::None);
    EXPECT_EQ(fld(x, zero80), Mf::None);
    EXPECT_EQ(arith(x, Arith::Div, 1, 0, true), Mf::None);
    EXPECT_TRUE(x.pending());
    EXPECT_EQ(x.status & (error_summary | busy | zero_divide), error_summary | busy | zero_divide);
    EXPECT_EQ(x.reg(1), one80);  // unchanged, and nothing popped
    EXPECT_EQ(fld(x, one80), Mf::Pending);
    EXPECT_EQ(fst_m64(x).mf, Mf::Pending);
    const X87 before = x;
    EXPECT_EQ(arith(x, Arith::Add, 0, 1, false), Mf::Pending);
    expect_same(before, x);
    fnclex(x);
    EXPECT_FALSE(x.pending());
    EXPECT_EQ(fld(x, one80), Mf::None);
}

#if defined(__x86_64__)
TEST(X87Image, FxsaveAsTheProcessor) {
    Random r(12);
    for (int n = 0; n < 5000; ++n) {
        X87 x = random_machine(r);
        u8 state[108], native[512] __attribute__((aligned(16))), model[512];
        save_state(x, ImageFormat::Protected32, state);
        asm volatile("frstor %1; fxsave64 %0; fninit" : "=m"(native) : "m"(state));
        fxsave(x, true, model);
        ASSERT_EQ(std::memcmp(native, model, 6), 0);
        for (unsigned i = 0; i < 8; ++i) ASSERT_EQ(std::memcmp(native + 32 + 16 * i, model + 32 + 16 * i, 10), 0);
        u8 again[108], expected[108];
        asm volatile("fxrstor64 %1; fnsave %0" : "=m"(again) : "m"(native));
        X87 back;
        fxrstor(back, true, native);
        save_state(back, ImageFormat::Protected32, expected);
        ASSERT_EQ(std::memcmp(again, expected, 12), 0);
        ASSERT_EQ(std::memcmp(again + 28, expected + 28, 80), 0);
    }
}

TEST(X87Image, SixteenBitAsTheProcessor) {
    Random r(13);
    for (int n = 0; n < 5000; ++n) {
        const X87 x = random_machine(r);
        u8 state[108], native[94], model[94];
        save_state(x, ImageFormat::Protected32, state);
        asm volatile("frstor %1; .byte 0x66; fnsave %0" : "=m"(native) : "m"(state));
        save_state(x, ImageFormat::Protected16, model);
        ASSERT_EQ(std::memcmp(native, model, 6), 0);
        ASSERT_EQ(std::memcmp(native + 14, model + 14, 80), 0);
        u8 again[108];
        asm volatile(".byte 0x66; frstor %1; fnsave %0" : "=m"(again) : "m"(native));
        X87 back;
        load_state(back, ImageFormat::Protected16, native);
        u8 expected[108];
        save_state(back, ImageFormat::Protected32, expected);
        ASSERT_EQ(std::memcmp(again, expected, 12), 0);
        ASSERT_EQ(std::memcmp(again + 28, expected + 28, 80), 0);
    }
}
#endif

}  // namespace
}  // namespace bmbt::fpu::test

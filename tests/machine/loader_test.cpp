// The loaders over synthetic files: what they place where, and that malformed files end in an error.
#include <gtest/gtest.h>

#include <random>
#include <string>

#include "loader/bytes.hpp"
#include "loader/elf.hpp"
#include "loader/firmware.hpp"
#include "loader/linux.hpp"
#include "loader/multiboot.hpp"
#include "machine/guest_memory.hpp"

namespace bmbt {
namespace {

using test::TestMemory;

MemoryMap small_map(u64 top) {
    MemoryMap map;
    map.add({0, 0x9fc00}, MemoryType::Ram);
    map.add({0x9fc00, 0x400}, MemoryType::Reserved);
    map.add({0xf0000, 0x10000}, MemoryType::Reserved);
    map.add({1_MiB, top - 1_MiB}, MemoryType::Ram);
    return map;
}

// A bzImage with a recognizable body of `body` bytes.
std::vector<u8> bzimage(u64 body = 0x4000) {
    std::vector<u8> f(0x800 + body);
    f[0x1f1] = 3;
    put_at<u32>(f.data(), 0x1f4, body / 16);
    put_at<u16>(f.data(), 0x1fe, 0xaa55);
    f[0x201] = 0x6a;
    put_at<u32>(f.data(), 0x202, 0x53726448);
    put_at<u16>(f.data(), 0x206, 0x20f);
    f[0x211] = 1;
    put_at<u32>(f.data(), 0x22c, 0x7fff'ffff);
    put_at<u32>(f.data(), 0x230, 0x20'0000);
    f[0x234] = 1;
    put_at<u16>(f.data(), 0x236, 3);
    put_at<u32>(f.data(), 0x238, 2047);
    put_at<u64>(f.data(), 0x258, 0x100'0000);
    put_at<u32>(f.data(), 0x260, 0x10'0000);
    for (u64 i = 0; i < body; ++i) f[0x800 + i] = i * 7;
    return f;
}

TEST(MemoryMap, FindsPlacesAroundWhatIsTaken) {
    MemoryMap map = small_map(32_MiB);
    const Range taken[] = {{31_MiB, 512_KiB}};
    EXPECT_EQ(map.highest(1_MiB, 4096, 0, 4_GiB, taken), 30_MiB);
    EXPECT_EQ(map.highest(256_KiB, 4096, 0, 4_GiB, taken), 32_MiB - 256_KiB);
    EXPECT_EQ(map.highest(64_MiB, 4096, 0, 4_GiB, taken), std::nullopt);
    EXPECT_EQ(map.lowest(1_MiB, 2_MiB, 1_MiB, 4_GiB, {}), 2_MiB);
    EXPECT_FALSE(map.is_ram({~u64{0} - 10, 100}));
    EXPECT_TRUE(map.is_ram({1_MiB, 31_MiB}));
    EXPECT_FALSE(map.is_ram({1_MiB, 31_MiB + 1}));
}

TEST(Linux, LoadsAtItsPreferredAddressAndStartsIn64Bit) {
    TestMemory memory(64_MiB);
    MemoryMap map = small_map(64_MiB);
    auto kernel = bzimage();
    std::vector<u8> initrd(100'000, 0x5a);
    auto s = load_linux(memory.map(), {kernel, initrd, "console=ttyS0 quiet", map, 0xf0000});
    ASSERT_TRUE(s) << s.error().what;
    EXPECT_EQ(s->rip, 0x100'0200u);
    EXPECT_EQ(s->cr0, 0x8000'0011u);
    EXPECT_EQ(s->efer, 0x500u);
    EXPECT_EQ(memory.get<u64>(s->gdtr.base + 0x10), 0x00af'9b00'0000'ffffu);
    EXPECT_EQ(memory.get<u64>(s->gdtr.base + 0x18), 0x00cf'9300'0000'ffffu);
    EXPECT_EQ(memory.get<u8>(0x100'0000 + 100), u8(700));
    // 3 GiB + 2 MiB is mapped to itself.
    u64 pdpt = memory.get<u64>(s->cr3) & ~0xfffull, pd = memory.get<u64>(pdpt + 3 * 8) & ~0xfffull;
    EXPECT_EQ(memory.get<u64>(pd + 8), 3_GiB + 2_MiB + 0x83);

    u64 params = s->gpr[x86::Rsi];
    EXPECT_EQ(memory.get<u32>(params + 0x202), 0x53726448u);
    EXPECT_EQ(memory.get<u8>(params + 0x1e8), 4);
    EXPECT_EQ(memory.get<u64>(params + 0x2d0 + 3 * 20), 1_MiB);
    EXPECT_EQ(memory.get<u64>(params + 0x70), 0xf0000u);
    EXPECT_EQ(memory.get<u8>(params + 0x210), 0xff);
    u32 at = memory.get<u32>(params + 0x218);
    EXPECT_EQ(memory.get<u32>(params + 0x21c), initrd.size());
    EXPECT_EQ(at, align_down(64_MiB - initrd.size(), 4096));
    EXPECT_EQ(memory.get<u8>(at + initrd.size() - 1), 0x5a);
    char text[20] = {};
    memory.map().read(memory.get<u32>(params + 0x228), text, sizeof text);
    EXPECT_STREQ(text, "console=ttyS0 quiet");
}

TEST(Linux, Starts32BitKernelsInProtectedMode) {
    TestMemory memory(64_MiB);
    MemoryMap map = small_map(64_MiB);
    auto kernel = bzimage();
    put_at<u16>(kernel.data(), 0x236, 0);
    auto s = load_linux(memory.map(), {kernel, {}, "", map});
    ASSERT_TRUE(s);
    EXPECT_EQ(s->rip, 0x100'0000u);
    EXPECT_EQ(s->cr0, 0x11u);
    EXPECT_EQ(s->seg[x86::Cs].access, 0xc09b);
    EXPECT_EQ(memory.get<u64>(s->gdtr.base + 0x10), 0x00cf'9b00'0000'ffffu);
}

TEST(Linux, MovesARelocatableKernelIntoLittleMemory) {
    TestMemory memory(16_MiB);
    MemoryMap map = small_map(16_MiB);
    auto kernel = bzimage();
    auto s = load_linux(memory.map(), {kernel, {}, "", map});
    ASSERT_TRUE(s);
    EXPECT_EQ(s->rip, 2_MiB + 0x200);
    kernel[0x234] = 0;
    EXPECT_STREQ(load_linux(memory.map(), {kernel, {}, "", map}).error().what,
                 "the kernel does not fit into guest memory; give more with --memory");
}

TEST(Linux, PutsAnInitrdAboveItsLimitOnlyWhenAllowed) {
    TestMemory memory(64_MiB);
    MemoryMap map = small_map(64_MiB);
    auto kernel = bzimage();
    put_at<u32>(kernel.data(), 0x22c, 0x10f'ffff);  // one page less than the kernel takes
    std::vector<u8> initrd(20_MiB, 1);
    auto s = load_linux(memory.map(), {kernel, initrd, "", map});
    ASSERT_TRUE(s);
    EXPECT_EQ(memory.get<u32>(0x2000 + 0x218), 44_MiB);
    put_at<u16>(kernel.data(), 0x236, 1);
    EXPECT_FALSE(load_linux(memory.map(), {kernel, initrd, "", map}));
    std::vector<u8> large(60_MiB);
    put_at<u16>(kernel.data(), 0x236, 3);
    EXPECT_STREQ(
        load_linux(memory.map(), {kernel, large, "", map}).error().what,
        "the initrd does not fit into guest memory beside the kernel; give more with --memory or a smaller initrd");
}

TEST(Linux, RefusesWhatIsNoWholeKernel) {
    TestMemory memory(64_MiB);
    MemoryMap map = small_map(64_MiB);
    auto kernel = bzimage();
    for (usize size : {usize{0}, usize{1}, usize{0x1f1}, usize{0x205}, usize{0x264}, usize{0x7ff}, usize{0x800},
                       kernel.size() - 100}) {
        std::span<const u8> cut(kernel.data(), size);
        EXPECT_FALSE(load_linux(memory.map(), {cut, {}, "", map})) << size;
    }
    std::string line(2048, 'x');
    EXPECT_FALSE(load_linux(memory.map(), {kernel, {}, line, map}));
    EXPECT_TRUE(load_linux(memory.map(), {kernel, {}, std::string_view(line).substr(1), map}));
}

TEST(Linux, SurvivesRandomHeaders) {
    TestMemory memory(32_MiB);
    MemoryMap map = small_map(32_MiB);
    std::mt19937_64 random(1);
    std::vector<u8> initrd(5000);
    for (int round = 0; round < 3000; ++round) {
        auto kernel = bzimage(0x400);
        for (int i = 0; i < 4; ++i) put_at<u32>(kernel.data(), 0x206 + random() % 0x60, random());
        (void)load_linux(memory.map(), {kernel, initrd, "a", map});
    }
}

std::vector<u8> aout(u32 load = 1_MiB) {
    std::vector<u8> f(0x2000, 0xcc);
    const u32 header[] = {0x1badb002,    0x10003,    0u - 0x1badb002u - 0x10003u, load + 0x40, load, load + 0x1000,
                          load + 0x3000, load + 0x80};
    std::memcpy(f.data() + 0x140, header, sizeof header);
    return f;
}

TEST(Multiboot, LoadsAnImageOfTheAoutKind) {
    TestMemory memory(16_MiB);
    MemoryMap map = small_map(16_MiB);
    auto kernel = aout();
    memory.base()[1_MiB + 0x1800] = 9;
    std::vector<u8> initrd(5000, 0x77);
    auto s = load_multiboot(memory.map(), {kernel, initrd, "hello", map});
    ASSERT_TRUE(s) << s.error().what;
    EXPECT_EQ(s->rip, 1_MiB + 0x80);
    EXPECT_EQ(s->gpr[x86::Rax], 0x2badb002u);
    EXPECT_EQ(memory.get<u32>(1_MiB + 0x40), 0x1badb002u);
    EXPECT_EQ(memory.get<u8>(1_MiB + 0xfff), 0xcc);
    EXPECT_EQ(memory.get<u8>(1_MiB + 0x1800), 0);
    u32 info = s->gpr[x86::Rbx];
    EXPECT_EQ(memory.get<u32>(info), 0x24du);
    EXPECT_EQ(memory.get<u32>(info + 8), 15u * 1024);
    char text[6] = {};
    memory.map().read(memory.get<u32>(info + 16), text, 6);
    EXPECT_STREQ(text, "hello");
    u32 module = memory.get<u32>(info + 24);
    EXPECT_EQ(memory.get<u32>(module + 4) - memory.get<u32>(module), 5000u);
    EXPECT_EQ(memory.get<u8>(memory.get<u32>(module)), 0x77);
    u32 entries = memory.get<u32>(info + 48);
    EXPECT_EQ(memory.get<u32>(info + 44), 4u * 24);
    EXPECT_EQ(memory.get<u64>(entries + 3 * 24 + 4), 1_MiB);
}

TEST(Multiboot, LoadsAnElfByPhysicalAddresses) {
    TestMemory memory(16_MiB);
    MemoryMap map = small_map(16_MiB);
    std::vector<u8> f(0x1000);
    const u8 ident[] = {0x7f, 'E', 'L', 'F', 1, 1, 1};
    std::memcpy(f.data(), ident, sizeof ident);
    put_at<u16>(f.data(), 16, 2);
    put_at<u16>(f.data(), 18, 3);
    put_at<u32>(f.data(), 24, 0xc010'0010);  // linear
    put_at<u32>(f.data(), 28, 52);
    put_at<u16>(f.data(), 42, 32);
    put_at<u16>(f.data(), 44, 1);
    const u32 segment[] = {1, 0x800, 0xc010'0000, 0x10'0000, 0x100, 0x400, 7, 0x1000};
    std::memcpy(f.data() + 52, segment, sizeof segment);
    const u32 header[] = {0x1badb002, 0, 0u - 0x1badb002u};
    std::memcpy(f.data() + 0x800, header, sizeof header);
    auto s = load_multiboot(memory.map(), {f, {}, "", map});
    ASSERT_TRUE(s) << s.error().what;
    EXPECT_EQ(s->rip, 0x10'0010u);
    EXPECT_EQ(memory.get<u32>(0x10'0000), 0x1badb002u);

    std::mt19937_64 random(2);
    for (int round = 0; round < 3000; ++round) {
        auto g = f;
        for (int i = 0; i < 3; ++i) put_at<u32>(g.data(), 4 + random() % 80, random());
        (void)load_multiboot(memory.map(), {g, {}, "", map});
    }
}

TEST(Multiboot, RefusesHostileAddresses) {
    TestMemory memory(16_MiB);
    MemoryMap map = small_map(16_MiB);
    for (int field = 0; field < 5; ++field)
        for (u32 value : {0u, 1u, 0x7fff'ffffu, 0xffff'ffffu, 0xffff'f000u}) {
            auto f = aout();
            put_at<u32>(f.data(), 0x140 + 12 + field * 4, value);
            (void)load_multiboot(memory.map(), {f, {}, "", map});
        }
    auto f = aout();
    EXPECT_FALSE(load_multiboot(memory.map(), {std::span(f).first(0x150), {}, "", map}));
    EXPECT_FALSE(load_multiboot(memory.map(), {std::span(f).first(0x800), {}, "", map}));
    EXPECT_FALSE(load_multiboot(memory.map(), {{}, {}, "", map}));
}

TEST(Firmware, PlacesARomAtTheTopAndBelowOneMebibyte) {
    std::vector<u8> rom(256_KiB);
    auto p = place_rom(rom);
    ASSERT_TRUE(p);
    EXPECT_EQ(p->high, 0xfffc'0000u);
    EXPECT_EQ(p->shadow, 0xe0000u);
    EXPECT_EQ(p->shadow_offset, 0x20000u);
    EXPECT_FALSE(place_rom(std::span(rom).first(1000)));
    EXPECT_FALSE(place_rom({}));
}

TEST(Firmware, StartsARawImageInRealMode) {
    TestMemory memory(2_MiB);
    std::vector<u8> image(100, 0x90);
    auto s = load_raw(memory.map(), image, 0x7c05);
    ASSERT_TRUE(s);
    EXPECT_EQ(s->seg[x86::Cs].selector, 0x7c0);
    EXPECT_EQ(s->seg[x86::Cs].base, 0x7c00u);
    EXPECT_EQ(s->rip, 5u);
    EXPECT_FALSE(load_raw(memory.map(), image, 1_MiB - 99));
    EXPECT_TRUE(load_raw(memory.map(), image, 1_MiB - 100));
    EXPECT_FALSE(load_raw(memory.map(), image, 1_MiB));
    EXPECT_FALSE(load_raw(memory.map(), {}, 0));
}

}  // namespace
}  // namespace bmbt

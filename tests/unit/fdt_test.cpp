// The device tree reader on trees made here, and on broken ones.
#include "host/loongarch/fdt.hpp"

#include <gtest/gtest.h>

#include <map>
#include <random>
#include <string>
#include <vector>

#include "host/loongarch/format.hpp"

namespace bmbt::host {
namespace {

// Writes a blob as the specification says.
class Writer {
 public:
    Writer& open(std::string_view name) {
        word(1);
        bytes(std::string(name) + '\0');
        return *this;
    }
    Writer& close() { return word(2), *this; }
    Writer& cells(std::string_view name, std::vector<u32> v) {
        std::string s;
        for (u32 x : v)
            for (int shift = 24; shift >= 0; shift -= 8) s += static_cast<char>(x >> shift);
        return property(name, s);
    }
    Writer& text(std::string_view name, std::string_view s) { return property(name, std::string(s) + '\0'); }
    Writer& property(std::string_view name, const std::string& value) {
        word(3);
        word(static_cast<u32>(value.size()));
        auto [at, fresh] = names_.try_emplace(std::string(name), strings_.size());
        if (fresh) strings_ += std::string(name) + '\0';
        word(static_cast<u32>(at->second));
        bytes(value);
        return *this;
    }
    Writer& nop() { return word(4), *this; }

    std::vector<u8> blob() {
        word(9);
        std::string body = std::move(structure_);
        structure_.clear();
        u32 structure = 56, strings = structure + static_cast<u32>(body.size());
        u32 total = strings + static_cast<u32>(strings_.size());
        for (u32 v : {Fdt::magic, total, structure, strings, 40u, 17u, 16u, 0u, static_cast<u32>(strings_.size()),
                      static_cast<u32>(body.size()), 0u, 0u, 0u, 0u})
            word(v);
        std::string all = structure_ + body + strings_;
        return {all.begin(), all.end()};
    }

 private:
    void word(u32 v) {
        for (int shift = 24; shift >= 0; shift -= 8) structure_ += static_cast<char>(v >> shift);
    }
    void bytes(const std::string& s) {
        structure_ += s;
        while (structure_.size() % 4) structure_ += '\0';
    }
    std::string structure_, strings_;
    std::map<std::string, usize> names_;
};

std::vector<u8> machine() {
    Writer w;
    w.open("").cells("#address-cells", {2}).cells("#size-cells", {2}).cells("interrupt-parent", {7});
    w.open("memory@80000000").text("device_type", "memory").cells("reg", {0, 0x80000000, 0, 0xf0000000}).close();
    w.nop();
    w.open("soc").cells("#address-cells", {1}).cells("#size-cells", {1});
    w.cells("ranges", {0x1000, 0, 0x18001000, 0x2000}).property("dma-coherent", "");
    w.open("serial@1100").property("compatible", std::string("vendor,uart\0ns16550a\0", 21));
    w.cells("reg", {0x1100, 0x100}).cells("interrupts", {2, 4}).close();
    w.open("serial@1200").text("compatible", "ns16550a").cells("reg", {0x1200, 0x100}).close();
    w.open("far@9000").cells("reg", {0x9000, 0x10}).close();
    w.close();
    w.open("pic").cells("phandle", {7}).close();
    w.open("chosen").text("stdout-path", "/soc/serial@1200:115200n8").close();
    w.close();
    return w.blob();
}

TEST(Fdt, FindsNodesAndProperties) {
    auto blob = machine();
    auto tree = Fdt::parse(blob);
    ASSERT_TRUE(tree) << tree.error().what;
    auto memory = tree->child(tree->root(), "memory");
    ASSERT_TRUE(memory);
    EXPECT_EQ(tree->name(memory), "memory@80000000");
    EXPECT_EQ(tree->reg(memory)->base, 0x80000000u);
    EXPECT_EQ(tree->reg(memory)->size, 0xf0000000u);
    EXPECT_FALSE(tree->reg(memory, 1));
    EXPECT_EQ(tree->name(tree->next_sibling(memory)), "soc");
    EXPECT_FALSE(tree->property(memory, "phandle"));
    EXPECT_EQ(tree->name(tree->phandle(7)), "pic");
    EXPECT_FALSE(tree->phandle(8));
    EXPECT_EQ(tree->name(tree->interrupt_parent(memory)), "pic");
}

TEST(Fdt, MovesAddressesThroughRanges) {
    auto blob = machine();
    auto tree = Fdt::parse(blob);
    ASSERT_TRUE(tree);
    auto uart = tree->compatible("ns16550a");
    ASSERT_TRUE(uart);
    EXPECT_EQ(tree->name(uart), "serial@1100");
    EXPECT_EQ(tree->reg(uart)->base, 0x18001100u);
    EXPECT_EQ(tree->property(uart, "interrupts").cell(0), 2u);
    EXPECT_EQ(tree->property(uart, "interrupts").cell(9), 0u);
    auto second = tree->compatible("ns16550a", uart);
    EXPECT_EQ(tree->name(second), "serial@1200");
    EXPECT_FALSE(tree->compatible("ns16550a", second));
    EXPECT_EQ(tree->name(tree->parent(second)), "soc");
    EXPECT_EQ(tree->reg(tree->path("/soc/far"))->base, 0x9000u);  // no range holds it
    EXPECT_TRUE(tree->property(tree->path("/soc"), "dma-coherent"));
}

TEST(Fdt, FollowsPaths) {
    auto blob = machine();
    auto tree = Fdt::parse(blob);
    ASSERT_TRUE(tree);
    auto out = tree->property(tree->path("/chosen"), "stdout-path").text();
    EXPECT_EQ(tree->name(tree->path(out)), "serial@1200");
    EXPECT_EQ(tree->path("/"), tree->root());
    EXPECT_FALSE(tree->path("/soc/serial@1300"));
    EXPECT_FALSE(tree->path("chosen"));
    EXPECT_FALSE(tree->path(""));
}

// Everything that a reader may do with a tree.
u64 read_all(const Fdt& tree) {
    u64 sum = 0;
    unsigned nodes = 0;
    for (auto n = tree.root(); n && nodes < 1000; n = tree.next(n), nodes++) {
        sum += tree.name(n).size() + tree.property(n, "compatible").lists("ns16550a");
        if (auto r = tree.reg(n)) sum += r->base;
        sum += tree.property(n, "reg").number(1, 2) + tree.parent(n).at + tree.first_child(n).at;
        sum += tree.next_sibling(n).at + tree.interrupt_parent(n).at;
    }
    return sum + tree.path(tree.property(tree.path("/chosen"), "stdout-path").text()).at;
}

TEST(Fdt, RefusesTruncatedTrees) {
    auto blob = machine();
    for (usize n = 0; n < blob.size(); n++) {
        std::vector<u8> part(blob.begin(), blob.begin() + static_cast<long>(n));
        EXPECT_FALSE(Fdt::parse(part)) << n;
    }
}

TEST(Fdt, SurvivesBrokenTrees) {
    auto blob = machine();
    std::mt19937 random(1);
    volatile u64 sum = 0;
    for (int i = 0; i < 20000; i++) {
        auto broken = blob;
        for (unsigned k = random() % 4 + 1; k--;)
            broken[random() % broken.size()] = static_cast<u8>(random() % 3 ? random() : 0xff);
        if (auto tree = Fdt::parse(broken)) sum = sum + read_all(*tree);
    }
}

TEST(Fdt, RefusesEndlessNesting) {
    Writer w;
    for (int i = 0; i < 100; i++) w.open("n");
    for (int i = 0; i < 100; i++) w.close();
    EXPECT_FALSE(Fdt::parse(w.blob()));
}

template <class... Args>
std::string formatted(std::string_view text, const Args&... args) {
    std::string s;
    std::vector<FormatArg> list{FormatArg(args)...};
    format_to([&](std::string_view piece) { s += piece; }, text, list);
    return s;
}

TEST(Format, Numbers) {
    EXPECT_EQ(formatted("{} {} {:x}", 1u, -2, 0xabcu), "1 -2 abc");
    EXPECT_EQ(formatted("{:08x}|{:4}|", 0x12ull, 7), "00000012|   7|");
    EXPECT_EQ(formatted("{}", ~u64{0}), "18446744073709551615");
    EXPECT_EQ(formatted("{:x}", -1ll), "ffffffffffffffff");
    EXPECT_EQ(formatted("{}{}", "text", 'c'), "textc");
    EXPECT_EQ(formatted("{:6}|", "ab"), "ab    |");
}

TEST(Format, LeavesWhatHasNoArgument) {
    EXPECT_EQ(formatted("{} {}", 1), "1 {}");
    EXPECT_EQ(formatted("{", 1), "{");
    EXPECT_EQ(formatted("100%"), "100%");
}

}  // namespace
}  // namespace bmbt::host

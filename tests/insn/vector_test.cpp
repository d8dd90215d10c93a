// The vectors' file format: what a reader makes of good and bad files, and that a seed always means the same.
#include "oracle/vector.hpp"

#include <gtest/gtest.h>

#include <vector>

#include "oracle/compare.hpp"
#include "oracle/seed.hpp"

using namespace bmbt;
using namespace bmbt::oracle;

namespace {

void put(std::vector<u8>& out, u64 value, unsigned bytes) {
    for (; bytes--; value >>= 8) out.push_back(static_cast<u8>(value));
}

// One vector: ADD EAX, EBX with RAX = 2 and RBX = 3, a patch before and after.
std::vector<u8> small_file() {
    std::vector<u8> f;
    put(f, file_magic, 4), put(f, file_version, 2), put(f, header_size, 2), put(f, 7, 8), put(f, 1, 4), put(f, 0, 4);
    std::vector<u8> body = {0x01, 0xd8};
    auto word = [&](u8 index, u64 value) { body.push_back(index), put(body, value, 8); };
    word(0, 2), word(3, 3);
    word(0, 5), word(word::rip, 0x10'1803);
    word(word::flags, x86::flag::af);
    put(body, 0x10, 2), put(body, 2, 1), put(body, 0xbbaa, 2);
    put(body, 0xfff, 2), put(body, 1, 1), put(body, 0xcc, 1);
    put(f, record_head + body.size(), 2);
    for (u8 b : {2, 1, 2, 0}) f.push_back(b);
    put(f, 0x1800, 2), put(f, 0, 4);
    for (u8 b : {2, 2, 1, 1, 1, 0, 3, 0}) f.push_back(b);
    put(f, 0, 4), put(f, 0, 8);
    f.insert(f.end(), body.begin(), body.end());
    return f;
}

TEST(Vectors, FileIsRead) {
    auto file = small_file();
    Reader reader(file);
    ASSERT_TRUE(reader.ok());
    EXPECT_EQ(reader.header().memory_seed, 7u);
    Vector v;
    ASSERT_TRUE(reader.next(v));
    EXPECT_EQ(v.code.size(), 2u);
    EXPECT_EQ(v.outcome.vector, x86::Vector::Bp);
    State s;
    state_before(v, s);
    EXPECT_EQ(s.gpr[x86::Rax], 2u);
    EXPECT_EQ(s.gpr[x86::Rbx], 3u);
    EXPECT_EQ(s.rip, 0x10'1800u);
    EXPECT_FALSE(reader.next(v));
    EXPECT_TRUE(reader.ok());
}

TEST(Vectors, DifferencesAreFound) {
    auto file = small_file();
    Reader reader(file);
    Vector v;
    ASSERT_TRUE(reader.next(v));
    static u8 seeded[layout::data_size], data[layout::data_size];
    seeded_memory(7, seeded, sizeof seeded);
    static ExpectedMemory expected;
    expected.prepare(v, seeded);
    std::memcpy(data, seeded, sizeof data);
    data[0x10] = 0xaa, data[0x11] = 0xbb, data[0xfff] = 0xcc;

    State before;
    state_before(v, before);
    State after = before;
    after.gpr[x86::Rax] = 5;
    after.rip = 0x10'1803;
    after.flags |= x86::flag::af;  // the vector says that it does not count
    EXPECT_EQ(compare(v, before, after, {}, expected, data).count, 0u);

    after.flags |= x86::flag::cf;
    data[0x800] ^= 1;
    Differences d = compare(v, before, after, {.vector = x86::Vector::Pf, .error = 6, .address = 1}, expected, data);
    ASSERT_EQ(d.count, 3u);
    EXPECT_EQ(d.first[0].kind, Difference::Kind::Vector);
    EXPECT_STREQ(word_name(d.first[1].index), "flags");
    EXPECT_EQ(d.first[2].kind, Difference::Kind::Memory);
    EXPECT_EQ(d.first[2].index, 0x800);
}

TEST(Vectors, BrokenFilesEnd) {
    auto file = small_file();
    for (usize size = 0; size < file.size(); size++) {
        std::vector<u8> cut(file.begin(), file.begin() + static_cast<long>(size));
        Reader reader(cut);
        Vector v;
        EXPECT_FALSE(reader.next(v)) << size;
        EXPECT_FALSE(reader.ok()) << size;
    }
    Random r(1);
    for (unsigned n = 0; n < 20000; n++) {
        auto broken = file;
        for (unsigned k = 0; k < 3; k++) broken[r.below(static_cast<u32>(broken.size()))] = static_cast<u8>(r.next());
        Reader reader(broken);
        Vector v;
        static u8 data[layout::data_size];
        while (reader.next(v)) {
            State s;
            state_before(v, s);
            apply_patches(v.memory_before, data);
        }
    }
}

TEST(Vectors, SeedsStayTheSame) {
    State a, b;
    seeded_state(5, x86::CodeSize::Bits64, true, a);
    seeded_state(5, x86::CodeSize::Bits64, true, b);
    for (unsigned n = 0; n < state_words; n++) EXPECT_EQ(get_word(a, n), get_word(b, n));
    EXPECT_EQ(Random(1).next(), 0x910a'2dec'8902'5cc1u);  // SplitMix64's first output
    seeded_state(0, x86::CodeSize::Bits64, false, a);
    EXPECT_EQ(a.gpr[x86::Rax], 0u);
    EXPECT_EQ(a.flags, 0x202u);
}

TEST(Vectors, UndefinedByTheManualsWord) {
    using namespace x86::flag;
    auto undefined = [](std::initializer_list<u8> code, u64 rcx) {
        x86::Insn i;
        std::vector<u8> bytes(code);
        EXPECT_EQ(x86::decode(bytes.data(), bytes.size(), x86::CodeSize::Bits64, i), x86::DecodeError::None);
        State s;
        s.gpr[x86::Rcx] = rcx;
        return undefined_by(i, &s).flags;
    };
    EXPECT_EQ(undefined({0x01, 0xd8}, 0), 0u);  // add
    EXPECT_EQ(undefined({0x21, 0xd8}, 0), af);  // and
    EXPECT_EQ(undefined({0xd3, 0xe0}, 0), 0u);  // shl eax, cl by nothing
    EXPECT_EQ(undefined({0xd3, 0xe0}, 1), af);
    EXPECT_EQ(undefined({0xd3, 0xe0}, 2), af | of);
    EXPECT_EQ(undefined({0xd2, 0xe0}, 8), af | of | cf);  // shl al, 8
    EXPECT_EQ(undefined({0xd2, 0xf8}, 8), af | of);       // sar al, 8
    EXPECT_EQ(undefined({0xd1, 0xc0}, 9), 0u);            // rol eax, 1
    EXPECT_EQ(undefined({0xf7, 0xe3}, 0), sf | zf | af | pf);
    EXPECT_EQ(undefined({0xf7, 0xf3}, 0), arithmetic);
    EXPECT_EQ(undefined({0x0f, 0xbc, 0xc1}, 0), cf | of | sf | af | pf);
}

}  // namespace

// Every row of encodings.def against LLVM: our word and our text must be its word and its text.
#include <gtest/gtest.h>
#include <unistd.h>

#include <array>
#include <cstdio>
#include <fstream>
#include <string>
#include <vector>

#include "la64/assembler.hpp"
#include "la64/disassembler.hpp"
#include "la64/encodings.hpp"

namespace bmbt::la64 {
namespace {

// The value of an operand in one of several samples. Registers differ among an instruction's operands and avoid 0 and
// 1, so that no alias appears and csrxchg is itself; immediates take both ends, what is next to them, and the middle.
constexpr unsigned samples = 6;
template <class T>
i64 sample(char letter, unsigned position, unsigned k) {
    if constexpr (requires(T r) { r.number; }) {
        auto value = 2 + (position * 7 + k * 5) % 30;
        if constexpr (std::is_same_v<T, Fcc>) return value % 8;
        if constexpr (std::is_same_v<T, Fcsr>) return value % 4;
        return value;
    } else {
        auto step = T::most - T::least;
        while (step > 1 && T::fits(T::least + step / 2)) step /= 2;
        // The upper bit number of bstrins and bstrpick may not be below the lower.
        if (letter == 'm') return T::most - k;
        if (letter == 'l') return T::least + k;
        std::array<i64, samples> values{
            T::least, T::most, T::least + step, T::most - step, T::fits(0) ? 0 : T::least, T::fits(16) ? 16 : T::most};
        return values[k];
    }
}
template <class T>
T make(i64 value) {
    if constexpr (requires(T r) { r.number; })
        return T{static_cast<u8>(value)};
    else
        return T(value);
}

// The operands of all instructions with the same types share this.
template <class... T>
void values_of(const char* letters, unsigned k, i64* values) {
    unsigned position = 0;
    ((values[position] = sample<T>(letters[position], position, k), ++position), ...);
}

struct Row {
    void (*write)(Assembler&, const i64*);
    void (*values)(const char* letters, unsigned k, i64* values);
    const char* letters;
};
#define LA64_INSN0(name, text, drawing) {[](Assembler& s, const i64*) { s.name(); }, values_of<>, ""},
#define LA64_INSN1(name, text, drawing, A, a) \
    {[](Assembler& s, const i64* v) { s.name(make<A>(v[0])); }, values_of<A>, #a},
#define LA64_INSN2(name, text, drawing, A, a, B, b) \
    {[](Assembler& s, const i64* v) { s.name(make<A>(v[0]), make<B>(v[1])); }, values_of<A, B>, #a #b},
#define LA64_INSN3(name, text, drawing, A, a, B, b, C, c)                                                         \
    {[](Assembler& s, const i64* v) { s.name(make<A>(v[0]), make<B>(v[1]), make<C>(v[2])); }, values_of<A, B, C>, \
     #a #b #c},
#define LA64_INSN4(name, text, drawing, A, a, B, b, C, c, D, d)                                              \
    {[](Assembler& s, const i64* v) { s.name(make<A>(v[0]), make<B>(v[1]), make<C>(v[2]), make<D>(v[3])); }, \
     values_of<A, B, C, D>, #a #b #c #d},
constexpr Row rows[] = {
#include "la64/encodings.def"
};

std::string text_of(u32 word) {
    char text[64];
    auto length = disassemble(word, 0, text);
    return {text, length};
}

std::string name_of(OperandKind kind, i64 value) {
    static const char* const general[] = {"zero", "ra", "tp", "sp", "a0", "a1", "a2", "a3", "a4", "a5", "a6",
                                          "a7",   "t0", "t1", "t2", "t3", "t4", "t5", "t6", "t7", "t8", "r21",
                                          "fp",   "s0", "s1", "s2", "s3", "s4", "s5", "s6", "s7", "s8"};
    auto number = std::to_string(value);
    switch (kind) {
        case OperandKind::Gpr: return std::string("$") + general[value];
        case OperandKind::Fpr:
            return value < 8    ? "$fa" + number
                   : value < 24 ? "$ft" + std::to_string(value - 8)
                                : "$fs" + std::to_string(value - 24);
        case OperandKind::Vr: return "$vr" + number;
        case OperandKind::Xr: return "$xr" + number;
        case OperandKind::Fcc: return "$fcc" + number;
        case OperandKind::Fcsr: return "$fcsr" + number;
        default: return number;
    }
}

// All samples of all rows, as the assembler writes them.
struct Sample {
    u32 word;
    std::string expected;  // the text, put together from the values
};
std::vector<Sample> all_samples() {
    std::vector<Sample> all;
    EXPECT_EQ(std::size(rows), encodings().size());
    for (usize i = 0; i < std::size(rows); ++i) {
        auto& e = encodings()[i];
        for (unsigned k = 0; k < (e.count ? samples : 1); ++k) {
            i64 values[4];
            rows[i].values(rows[i].letters, k, values);
            u32 word = 0;
            Assembler a({&word, 1});
            rows[i].write(a, values);
            std::string text = e.mnemonic;
            for (unsigned n = 0; n < e.count; ++n) text += (n ? ", " : " ") + name_of(e.operands[n].kind, values[n]);
            all.push_back({word, text});
        }
    }
    return all;
}

// What llvm-mc prints for this input.
std::vector<std::string> llvm(const char* options, const std::string& input) {
    auto file = testing::TempDir() + "la64_" + std::to_string(::getpid()) + ".s";
    std::ofstream(file) << input;
    auto command =
        LLVM_MC " --triple=loongarch64 --mattr=+64bit,+f,+d,+lsx,+lasx,+frecipe " + std::string(options) + " " + file;
    auto* pipe = popen(command.c_str(), "r");
    std::vector<std::string> lines;
    char line[256];
    while (pipe && fgets(line, sizeof line, pipe)) {
        std::string text;
        for (char c : std::string(line)) {
            if (c == '\t') c = ' ';
            if (c == '\n' || (c == ' ' && (text.empty() || text.back() == ' '))) continue;
            text += c;
        }
        while (text.ends_with(' ')) text.pop_back();
        if (!text.empty() && text[0] != '.') lines.push_back(text);
    }
    EXPECT_EQ(pclose(pipe), 0) << command;
    std::remove(file.c_str());
    return lines;
}

TEST(Encodings, AreDisjointButForCsrxchg) {
    for (auto& a : encodings())
        for (auto& b : encodings()) {
            if (&a == &b || ((a.word ^ b.word) & a.mask & b.mask)) continue;
            EXPECT_TRUE(std::string(a.mnemonic).starts_with("csr") && std::string(b.mnemonic).starts_with("csr"))
                << a.mnemonic << " and " << b.mnemonic;
        }
}

TEST(Encodings, AssembleAndDisassembleAgree) {
    for (auto& s : all_samples()) EXPECT_EQ(text_of(s.word), s.expected) << std::hex << s.word;
}

TEST(Encodings, LlvmAssemblesOurTextToOurWords) {
    if (!*LLVM_MC) GTEST_SKIP() << "llvm-mc is not installed";
    auto all = all_samples();
    std::string input;
    for (auto& s : all) input += text_of(s.word) + "\n";
    auto lines = llvm("--show-encoding", input);
    ASSERT_EQ(lines.size(), all.size());
    for (usize i = 0; i < all.size(); ++i) {
        unsigned byte[4];
        auto at = lines[i].find("encoding: [");
        ASSERT_NE(at, std::string::npos) << lines[i];
        ASSERT_EQ(sscanf(lines[i].c_str() + at, "encoding: [%x,%x,%x,%x]", &byte[0], &byte[1], &byte[2], &byte[3]), 4);
        EXPECT_EQ(all[i].word, byte[0] | byte[1] << 8 | byte[2] << 16 | byte[3] << 24) << lines[i];
    }
}

TEST(Encodings, LlvmReadsOurWordsAsOurText) {
    if (!*LLVM_MC) GTEST_SKIP() << "llvm-mc is not installed";
    auto all = all_samples();
    for (u32 word : {0x03400000u /* nop */, 0x001500a4u /* move */, 0x4c000020u /* ret */, 0x4c000180u /* jr */})
        all.push_back({word, ""});
    std::string input;
    for (auto& s : all) {
        char bytes[32];
        snprintf(bytes, sizeof bytes, "0x%x 0x%x 0x%x 0x%x\n", s.word & 255, s.word >> 8 & 255, s.word >> 16 & 255,
                 s.word >> 24);
        input += bytes;
    }
    auto lines = llvm("--disassemble", input);
    ASSERT_EQ(lines.size(), all.size());
    for (usize i = 0; i < all.size(); ++i) EXPECT_EQ(text_of(all[i].word), lines[i]);
}

TEST(Disassembler, ShowsTargetsAndUnknownWords) {
    char text[64];
    disassemble(0x50001000, 0x9000'0000'0020'0000, text);
    EXPECT_STREQ(text, "b 16 # 0x9000000000200010");
    disassemble(0xffff'ffff, 0, text);
    EXPECT_STREQ(text, ".word 0xffffffff");
    disassemble(0, 0, text);
    EXPECT_STREQ(text, ".word 0x0");
    char small[6];
    EXPECT_EQ(disassemble(0x03400000, 0, {small, 3}), 2u);
    EXPECT_STREQ(small, "no");
    EXPECT_EQ(disassemble(0x03400000, 0, {}), 0u);
}

}  // namespace
}  // namespace bmbt::la64

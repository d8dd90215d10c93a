// Guest bytes and the host instructions they become. A change of the translator shows as a difference here;
// BMBT_UPDATE_GOLDEN=1 in the environment writes the files anew. Each entry of a file is a line
//   64 "f2 0f 58 c1" what it is, for people
// (the code size, with a k for a kernel's code or a d where MXCSR.DE is to be set, and the bytes) and below it, indented, what the translator makes of them: first the number of host
// instructions, then each. That is the block's main code; its last exit and what is out of line are left out.
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <memory>
#include <sstream>
#include <string>
#include <vector>

#include "la64/disassembler.hpp"
#include "translate/translator.hpp"

namespace bmbt {
namespace {

// Flat segments, SSE and x87 on, MXCSR as at power-on, RDTSC allowed.
Mode mode_of(unsigned bits, char kind) {
    auto size = bits == 64 ? x86::CodeSize::Bits64 : bits == 32 ? x86::CodeSize::Bits32 : x86::CodeSize::Bits16;
    u64 stack = bits == 64 ? 3 : bits == 32 ? 2 : 1;
    return {static_cast<u32>(Mode::code_size_(static_cast<u64>(size)) | Mode::cpl_(kind == 'k' ? 0 : 3) | Mode::stack_(stack) |
                             Mode::long_mode_(1) | Mode::flat_(0x0f) | Mode::plain_(0x30) | Mode::sse_(1) |
                             Mode::mxcsr_default_(1) | Mode::denormals_(kind == 'd') | Mode::x87_(1) | Mode::protected_(1) | Mode::tsc_(1))};
}

std::string translated(unsigned bits, char kind, const std::vector<u8>& code) {
    constexpr usize room = 4096;
    std::vector<u32> words(2 * room);
    SharedCode shared{.flag_bits = &words[room], .indirect = &words[room + 64], .end = &words[room + 128]};
    for (auto& routine : shared.x87) routine = &words[room + 96];
    for (unsigned n = 0; n < 4; n++) shared.movs[n] = shared.stos[n] = &words[room + 100];
    shared.strings = &words[room + 100];
    Mode mode = mode_of(bits, kind);
    Source source{.bytes = code, .rip = 0x40'1000, .cs_base = 0, .single = false};
    auto decoded = std::make_unique<Decoded>();
    decode_block(source, mode, *decoded);
    if (decoded->length != code.size()) return "    not one block\n";
    la64::Assembler as(std::span(words).first(room));
    auto block = std::make_unique<Block>(as, shared, mode, source.rip, source.cs_base, 1);
    generate(*block, source, *decoded);
    if (block->failed()) return "    does not fit\n";
    EXPECT_EQ(block->callouts_without_flags(), 0u);
    u32 end = block->main_size();
    for (unsigned n = 0; n < block->exits(); n++)
        if (block->exit(n).begin < end && block->exit(n).end == block->main_size()) end = block->exit(n).begin;
    std::string out = "    = " + std::to_string(end / 4) + "\n";
    for (u32 offset = 0; offset < end; offset += 4) {
        char text[64];
        la64::disassemble(as.words()[offset / 4], 0, text);
        out += std::string("    ") + text + "\n";
    }
    return out;
}

std::string renewed(const std::string& old) {
    std::istringstream lines(old);
    std::string out;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("    ")) continue;
        out += line + "\n";
        if (line.empty() || line[0] == '#') continue;
        usize open = line.find('"'), close = line.find('"', open + 1);
        if (close == std::string::npos) {
            ADD_FAILURE() << "no bytes in: " << line;
            continue;
        }
        std::vector<u8> code;
        std::istringstream bytes(line.substr(open + 1, close - open - 1));
        for (std::string byte; bytes >> byte;) code.push_back(static_cast<u8>(std::stoul(byte, nullptr, 16)));
        out += translated(static_cast<unsigned>(std::stoul(line)), line[2], code);
    }
    return out;
}

void check(const std::string& name) {
    std::string path = std::string(GOLDEN_FOLDER) + "/" + name;
    std::ifstream in(path);
    ASSERT_TRUE(in) << path;
    std::stringstream content;
    content << in.rdbuf();
    std::string now = renewed(content.str());
    if (std::getenv("BMBT_UPDATE_GOLDEN")) {
        std::ofstream(path) << now;
        return;
    }
    std::istringstream expected(content.str()), actual(now);
    std::string head, e, a;
    while (std::getline(expected, e)) {
        if (!e.starts_with("    ")) head = e;
        ASSERT_TRUE(std::getline(actual, a)) << name << ": " << head;
        ASSERT_EQ(e, a) << name << ": " << head << "\nBMBT_UPDATE_GOLDEN=1 writes what the translator makes now";
    }
    EXPECT_FALSE(std::getline(actual, a)) << name << ": " << head;
}

TEST(Golden, Integer) { check("integer.txt"); }
TEST(Golden, Sse) { check("sse.txt"); }
TEST(Golden, Denormals) { check("denormals.txt"); }
TEST(Golden, X87) { check("x87.txt"); }
TEST(Golden, IntegerForms) { check("forms-integer.txt"); }
TEST(Golden, ConditionForms) { check("forms-conditions.txt"); }
TEST(Golden, SseForms) { check("forms-sse.txt"); }
TEST(Golden, X87Forms) { check("forms-x87.txt"); }
TEST(Golden, InCpp) { check("forms-cpp.txt"); }

}  // namespace
}  // namespace bmbt

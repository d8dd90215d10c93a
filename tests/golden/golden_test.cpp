// Guest bytes and the host instructions they become. A change of the translator shows as a difference here;
// BMBT_UPDATE_GOLDEN=1 in the environment writes the files anew. Each entry of a file is a line
//   64 "f2 0f 58 c1" what it is, for people
// (the code size with letters that say where it runs, see translated.hpp, and the bytes) and below it, indented, what the
// translator makes of them: first the number of host instructions, then each. That is the block's main code; its last exit
// and what is out of line are left out. An entry with an instruction that is nothing but a call of C++ has the letter c.
#include <gtest/gtest-spi.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <fstream>
#include <sstream>
#include <string>
#include <vector>

#include "golden/translated.hpp"

namespace bmbt {
namespace {

std::string entry(const std::string& line) {
    const usize open = line.find('"'), close = line.find('"', open + 1);
    const auto setting = setting_of(line.substr(0, line.find(' ')));
    if (close == std::string::npos || !setting) {
        ADD_FAILURE() << "no code size or no bytes in: " << line;
        return "";
    }
    std::vector<u8> code;
    std::istringstream bytes(line.substr(open + 1, close - open - 1));
    for (std::string byte; bytes >> byte;) code.push_back(static_cast<u8>(std::stoul(byte, nullptr, 16)));
    const Translated t = translated(*setting, code);
    if (!t.one_block) return "    not one block\n";
    if (!t.fits) return "    does not fit\n";
    EXPECT_EQ(t.without_flags, 0u) << line;
    if (setting->in_cpp) EXPECT_NE(t.callouts, 0u) << "marked with c, but nothing is a call of C++: " << line;
    else EXPECT_EQ(t.callouts, 0u) << "a call of C++, but not marked with c: " << line;
    std::string out = "    = " + std::to_string(t.text.size()) + "\n";
    for (const std::string& text : t.text) out += "    " + text + "\n";
    return out;
}

std::string renewed(const std::string& old) {
    std::istringstream lines(old);
    std::string out;
    for (std::string line; std::getline(lines, line);) {
        if (line.starts_with("    ")) continue;
        out += line + "\n";
        if (!line.empty() && line[0] != '#') out += entry(line);
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
TEST(Golden, SixteenBit) { check("sixteen-bit.txt"); }
TEST(Golden, Segments) { check("segments.txt"); }
TEST(Golden, X87) { check("x87.txt"); }
TEST(Golden, IntegerForms) { check("forms-integer.txt"); }
TEST(Golden, ConditionForms) { check("forms-conditions.txt"); }
TEST(Golden, SseForms) { check("forms-sse.txt"); }
TEST(Golden, X87Forms) { check("forms-x87.txt"); }
TEST(Golden, SizesOfForms) { check("forms-sizes.txt"); }
TEST(Golden, InCpp) { check("forms-cpp.txt"); }

// An entry that shows only how C++ is called says nothing about the translator, unless that is what it is there for.
TEST(Golden, RefusesCalloutsThatAreNotMarked) {
    for (const char* line : {"64 \"0f a2\" cpuid", "64k \"0f a2\" cpuid", "64e \"d9 e1\" fabs, stack empty",
                             "64ke \"d9 e1\" fabs, stack empty", "64 \"d8 c4\" fadd st, st(4), which is empty",
                             "64 \"d9 e8 d9 fe d9 e1\" fld1; fsin; fabs", "32l \"8b 07\" mov eax, dword ptr [edi]"})
        EXPECT_NONFATAL_FAILURE(entry(line), "not marked");
}

TEST(Golden, RefusesMarksThatAreWrong) {
    for (const char* line : {"64c \"d9 e1\" fabs", "64kc \"d9 e1\" fabs", "64c \"f7 f1\" div ecx, in C++ by a slow path",
                             "64c \"f3 aa\" rep stosb, in C++ if the routine leaves something"})
        EXPECT_NONFATAL_FAILURE(entry(line), "marked with c");
    for (const char* line : {"65 \"90\" nop", "64x \"90\" nop", "64s \"90\" nop", "64 nop"})
        EXPECT_NONFATAL_FAILURE(entry(line), "no code size or no bytes");
}

}  // namespace
}  // namespace bmbt

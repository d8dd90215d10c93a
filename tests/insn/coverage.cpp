// What reaches each instruction form of this machine: coverage <source folder> [--update].
//
// The forms are those of the decoder's tables that the C++ semantics accept (offered_test.cpp proves that they are what
// CPUID says). A form is reached in a code size by the fixed vectors of oracle.generate, by a line of tests/insn/*.txt,
// or by a test that tests/insn/reached.list names. docs/coverage.md is the result, a line a mnemonic; it must be up to
// date, nothing in it may be reached by nothing, and each mnemonic must have a line in tests/golden: one that shows host
// code, where it becomes that.
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <map>
#include <set>
#include <sstream>

#include "cpu/semantics.hpp"
#include "encodings.hpp"
#include "generate.hpp"
#include "golden/translated.hpp"
#include "text.hpp"

using namespace bmbt;
using namespace bmbt::oracle;
using x86::CodeSize;

namespace {

constexpr u64 fixed_seed = 1, fixed_count = 50'000;  // as tests/insn/CMakeLists.txt has them

struct Reach {
    bool exists[3] = {}, vectors[3] = {}, text[3] = {};
};
struct Mnemonic {
    std::map<EncodedForm, Reach> forms;
    bool written = false, cpp = false, in_line = false, privileged = false;
    bool golden = false, golden_in_line = false;  // has an entry, and one that is not there for its call of C++
    std::string named;  // the test that reaches what vectors do not
};
std::map<std::string, Mnemonic> mnemonics;  // by name
std::map<EncodedForm, Mnemonic*> owners;

unsigned index_of(CodeSize s) { return static_cast<unsigned>(s); }

// Whether the translator makes host code of it: more than the call of C++ that CPUID becomes, with tests before it or not.
bool translated_inline(const Encoding& e, bool kernel) {
    const Translated t = translated(flat_setting(e.mode, kernel), e.bytes);
    return t.one_block && t.fits && !t.callouts;
}

void find_forms() {
    Semantics ud = semantics_of(x86::Insn{});
    walk_encodings([&](const Encoding& e) {
        x86::Insn i;
        if (e.reused || x86::decode(e.bytes.data(), e.bytes.size(), e.mode, i) != x86::DecodeError::None) return;
        if (semantics_of(i) == ud) return;
        Mnemonic& m = mnemonics[x86::mnemonic_name(e.form.mnemonic)];
        m.forms[e.form].exists[index_of(e.mode)] = true;
        m.privileged |= e.privileged;
        bool fast = translated_inline(e, false) || translated_inline(e, true);
        (fast ? m.in_line : m.cpp) = true;
    });
    for (auto& [name, m] : mnemonics)
        for (auto& [form, reach] : m.forms) owners[form] = &m;
}

template <class F>
void each_form(CodeSize mode, std::span<const u8> code, bool first_only, F f) {
    while (!code.empty()) {
        EncodedForm form;
        unsigned length = 0;
        if (!form_of(mode, code, form, &length)) return;
        if (auto found = owners.find(form); found != owners.end()) f(*found->second, found->second->forms[form]);
        if (first_only) return;
        code = code.subspan(length);
    }
}

void find_vectors() {
    Generator generator(fixed_seed, "", -1);
    for (u64 n = 0; n < fixed_count; n++) {
        Draft d = generator.make(n);
        each_form(d.mode, d.code, true, [&](Mnemonic&, Reach& r) { r.vectors[index_of(d.mode)] = true; });
    }
}

void find_texts(const std::filesystem::path& folder) {
    for (auto& file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() != ".txt" || file.path().filename() == "CMakeLists.txt") continue;
        for (const Draft& d : parse_file(file.path()))
            each_form(d.mode, d.code, false, [&](Mnemonic& m, Reach& r) {
                r.text[index_of(d.mode)] = true;
                m.written = true;
            });
    }
}

std::string contents(const std::filesystem::path& file) {
    std::ifstream in(file);
    std::stringstream s;
    s << in.rdbuf();
    return s.str();
}

bool fail(const std::string& what) {
    fprintf(stderr, "coverage: %s\n", what.c_str());
    return false;
}

// Whether the file has a test of just this name: TEST(Suite, Name), TEST_F or TEST_P.
bool has_test(const std::string& text, const std::string& name) {
    for (usize at = 0; (at = text.find(", " + name + ")", at)) != std::string::npos; at++)
        if (const usize line = text.rfind('\n', at) + 1; text.compare(line, 4, "TEST") == 0) return true;
    return false;
}

// Lines "mnemonic... : file: name of the test". The test must be there, and the instructions, and none may be named twice.
bool find_named(const std::filesystem::path& root) {
    std::ifstream in(root / "tests/insn/reached.list");
    bool good = true;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line[0] == '#') continue;
        usize first = line.find(": "), second = line.find(": ", first + 2);
        if (second == std::string::npos) return fail("not a line of reached.list: " + line);
        std::string file = line.substr(first + 2, second - first - 2), test = line.substr(second + 2);
        if (!has_test(contents(root / file), test)) good = fail(file + " has no " + test);
        std::istringstream names(line.substr(0, first));
        for (std::string name; names >> name;) {
            auto found = mnemonics.find(name);
            if (found == mnemonics.end())
                good = fail("no instruction is called " + name);
            else if (!found->second.named.empty())
                good = fail(name + " is named twice in reached.list");
            else
                found->second.named = std::filesystem::path(file).filename().string() + ": " + test;
        }
    }
    return good;
}

void find_golden(const std::filesystem::path& folder) {
    for (auto& file : std::filesystem::directory_iterator(folder)) {
        if (file.path().extension() != ".txt") continue;
        std::ifstream in(file.path());
        for (std::string line; std::getline(in, line);) {
            const auto setting = setting_of(line.substr(0, line.find(' ')));
            usize open = line.find('"'), close = line.find('"', open + 1);
            if (!setting || close == std::string::npos) continue;
            std::vector<u8> code;
            std::istringstream bytes(line.substr(open + 1, close - open - 1));
            for (std::string b; bytes >> b;) code.push_back(static_cast<u8>(strtoul(b.c_str(), nullptr, 16)));
            each_form(setting->mode.code_size(), code, false, [&](Mnemonic& m, Reach&) {
                m.golden = true;
                m.golden_in_line |= !setting->in_cpp;
            });
        }
    }
}

const char* const head =
    "# Coverage\n"
    "\n"
    "Generated by `coverage --update` (tests/insn/coverage.cpp); the ctest `coverage` fails when it is out of date, "
    "when a form\n"
    "is reached by no test, or when a mnemonic has no line in tests/golden, or none that shows host code where there is "
    "such.\n"
    "\n"
    "Each line is a mnemonic that CPUID offers, with all its forms: opcode, mandatory prefix, register or memory. "
    "Forms,\n"
    "how many; code sizes, where they exist; code, whether the translator makes host code of them (inline), calls C++, "
    "or\n"
    "does both, by the form; reached by: the fixed vectors (*vectors*: each form in each of its code sizes), lines\n"
    "of tests/insn/*.txt, or a named test for what a program cannot do or what has no single answer.\n"
    "\n";

std::string table(unsigned& missing) {
    std::string out = head;
    unsigned forms = 0;
    out += "| instruction | forms | code sizes | code | golden | reached by |\n| --- | --- | --- | --- | --- | --- |\n";
    for (auto& [name, m] : mnemonics) {
        bool exists[3] = {}, all_vectors = true, any_vectors = false;
        for (auto& [form, r] : m.forms)
            for (unsigned s = 0; s < 3; s++) {
                if (!r.exists[s]) continue;
                exists[s] = true;
                all_vectors &= r.vectors[s];
                any_vectors |= r.vectors[s];
                if (r.vectors[s] || r.text[s] || !m.named.empty()) continue;
                missing++;
                fail("no test reaches " + name + " " + form.text() + " in " + std::to_string(16 << s) + "-bit code");
            }
        if (m.privileged && m.named.empty()) missing += !fail("only refusals of " + name + " are tested");
        forms += m.forms.size();
        std::string sizes, by;
        for (unsigned s = 0; s < 3; s++)
            if (exists[s]) sizes += (sizes.empty() ? "" : " ") + std::to_string(16 << s);
        if (any_vectors) by = all_vectors ? "vectors" : "vectors in part";
        if (m.written) by += by.empty() ? "lines" : ", lines";
        if (!m.named.empty()) by += (by.empty() ? "" : ", ") + m.named;
        out += "| " + name + " | " + std::to_string(m.forms.size()) + " | " + sizes + " | " +
               (m.in_line && m.cpp ? "inline, C++"
                : m.in_line        ? "inline"
                                   : "C++") +
               " | " + (m.golden ? "yes" : "") + " | " + by + " |\n";
    }
    out += "\n" + std::to_string(mnemonics.size()) + " instructions, " + std::to_string(forms) + " forms.\n";
    return out;
}

bool check_golden() {
    bool good = true;
    for (auto& [name, m] : mnemonics) {
        if (!m.golden) good = fail("tests/golden has no line for " + name);
        else if (m.in_line && !m.golden_in_line) good = fail("tests/golden shows only " + name + " in C++, not what becomes host code");
    }
    return good;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 2) return fprintf(stderr, "usage: coverage <source folder> [--update]\n"), 2;
    std::filesystem::path root = argv[1], file = root / "docs/coverage.md";
    find_forms();
    find_vectors();
    find_texts(root / "tests/insn");
    find_golden(root / "tests/golden");
    bool good = find_named(root);
    good = check_golden() && good;
    unsigned missing = 0;
    std::string now = table(missing);
    if (argc > 2 && std::string(argv[2]) == "--update") {
        std::ofstream(file) << now;
    } else if (contents(file) != now) {
        good = fail("docs/coverage.md is out of date: run coverage with --update");
    }
    return !good || missing;
}

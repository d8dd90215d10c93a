// What reaches each instruction form of this machine:
//   coverage SOURCE-FOLDER GENERATED WRITTEN [--update]
// GENERATED and WRITTEN are the recorded vectors that the tests run: the fixed ones and the lines of tests/insn/*.txt.
//
// The rows are those of the decoder's tables that the C++ semantics accept (offered_test.cpp proves that they are what
// CPUID says), once more for each operand size and prefix that changes them. A row is reached in a code size by a
// vector whose program runs it to its end; a fault is none. What a program cannot do or what has no single answer
// stands in tests/insn/reached.list, with the reason and the tests that do it. docs/coverage.md is the result; it must
// be up to date but for the numbers of vectors, which other processors may change. Each row that the translator makes
// host code of must have a line in tests/golden that shows it, and each instruction that it does not must have any.
#include <stdio.h>
#include <stdlib.h>

#include <algorithm>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "coverage_page.hpp"
#include "coverage_trace.hpp"
#include "golden/translated.hpp"
#include "text.hpp"

using namespace bmbt;
using namespace bmbt::oracle;
using x86::CodeSize;

namespace {

using Files = std::vector<std::filesystem::path>;

Files texts_in(const std::filesystem::path& folder) {
    Files out;
    for (auto& file : std::filesystem::directory_iterator(folder))
        if (file.path().extension() == ".txt" && file.path().filename() != "CMakeLists.txt") out.push_back(file.path());
    std::sort(out.begin(), out.end());
    return out;
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

bool count_generated(const char* name, Rows& rows, AddressCounts& addresses) {
    std::vector<u8> file = read_file(name);
    bool good = trace_vectors(file, rows, [&](const Traced& t) {
        for (auto& [kind, mode] : t.addresses) addresses[kind][mode]++;
        for (const Step& s : t.done) s.row->vectors[static_cast<unsigned>(s.mode)]++;
        for (const Step& s : t.refused) s.row->refused[static_cast<unsigned>(s.mode)]++;
    });
    return good || fail(std::string(name) + " does not run as recorded");
}

// The recorded lines are those of the files, one after the other.
bool count_written(const char* name, const std::filesystem::path& folder, Rows& rows) {
    std::vector<std::string> from;
    std::vector<u8> file = read_file(name);
    Reader reader(file);
    Vector v;
    bool good = true;
    for (auto& text : texts_in(folder))
        for (const Draft& d : parse_file(text)) {
            good &= reader.next(v) && v.mode == d.mode && std::ranges::equal(v.code, d.code);
            from.push_back(text.stem());
        }
    if (!good || reader.next(v))
        return fail(std::string(name) + " is not of the lines of tests/insn: run oracle.record");
    usize n = 0;
    good = trace_vectors(file, rows, [&](const Traced& t) {
        for (const Step& s : t.done) {
            s.row->lines[static_cast<unsigned>(s.mode)]++;
            s.row->written.insert(from[n]);
        }
        for (const Step& s : t.refused) s.row->refused[static_cast<unsigned>(s.mode)]++;
        n++;
    });
    return good || fail(std::string(name) + " does not run as recorded");
}

// Whether the file has such a test: TEST(Suite, Name), TEST_F or TEST_P; of tests/system a check of that name.
bool has_test(const std::filesystem::path& file, const std::string& name) {
    const std::string text = contents(file);
    if (file.string().find("tests/system/") != std::string::npos) return text.find('"' + name) != std::string::npos;
    for (usize at = 0; (at = text.find(", " + name + ")", at)) != std::string::npos; at++)
        if (const usize line = text.rfind('\n', at) + 1; text.compare(line, 4, "TEST") == 0) return true;
    return false;
}

// A name of the list: an instruction, or the beginning of a row's text.
bool is_called(const RowKey& key, const std::string& name) {
    const std::string text = key.text();
    return text.starts_with(name) && (text.size() == name.size() || text[name.size()] == ' ');
}

// Lines "FORM, ... | WHY | FILE: TEST; ...". The tests must be there, and the forms; none may be named twice, and none
// that a vector reaches.
bool find_named(const std::filesystem::path& root, Rows& rows, std::vector<std::string>& notes) {
    std::ifstream in(root / "tests/insn/reached.list");
    bool good = true;
    for (std::string line; std::getline(in, line);) {
        if (line.empty() || line[0] == '#') continue;
        auto part = split(line, '|');
        if (part.size() != 3 || part[1].empty()) return fail("not a line of reached.list: " + line);
        std::string tests;
        for (const std::string& test : split(part[2], ';')) {
            usize colon = test.find(": ");
            if (colon == std::string::npos || !has_test(root / test.substr(0, colon), test.substr(colon + 2)))
                good = fail("there is no test " + test);
            tests += (tests.empty() ? "" : "; ") + test.substr(test.find('/') + 1);
        }
        notes.push_back(part[1] + ". " + tests);
        for (const std::string& name : split(part[0], ',')) {
            bool there = false, reached = false;
            for (auto& [key, row] : rows.all) {
                if (!is_called(key, name)) continue;
                there = true;
                for (unsigned s = 0; s < 3; s++) reached |= row.reached(s);
                if (row.note) good = fail(key.text() + " is named twice in reached.list");
                row.note = static_cast<unsigned>(notes.size());
            }
            if (!there) good = fail("no form is called " + name);
            if (reached) good = fail("vectors reach " + name + ": it is not for reached.list");
        }
    }
    return good;
}

void find_golden(const std::filesystem::path& folder, Rows& rows) {
    for (auto& file : texts_in(folder)) {
        std::ifstream in(file);
        for (std::string line; std::getline(in, line);) {
            usize open = line.find('"'), close = line.find('"', open + 1);
            const auto setting = setting_of(line.substr(0, line.find(' ')));
            if (!setting || close == std::string::npos) continue;
            std::vector<u8> code;
            for (const std::string& b : split(line.substr(open + 1, close - open - 1), ' '))
                code.push_back(static_cast<u8>(strtoul(b.c_str(), nullptr, 16)));
            for (std::span<const u8> rest = code; !rest.empty();) {
                unsigned length = 0;
                auto* entry = rows.find(setting->mode.code_size(), rest, &length);
                if (entry) entry->second.golden.insert(file.stem());
                if (entry) entry->second.golden_in_line |= !setting->in_cpp;
                if (!length) break;
                rest = rest.subspan(length);
            }
        }
    }
}

std::string hex(std::span<const u8> bytes) {
    std::string out;
    char b[8];
    for (u8 byte : bytes) snprintf(b, sizeof b, out.empty() ? "%02x" : " %02x", byte), out += b;
    return out;
}

bool check(const Rows& rows, const AddressCounts& addresses) {
    bool good = true;
    for (auto& [kind, counts] : addresses)
        for (auto [mode, count] : counts)
            if (!count)
                good = fail("no vector has the operand " + kind + " in " +
                            std::to_string(16 << static_cast<unsigned>(mode)) + "-bit code");
    std::set<u16> golden;
    for (auto& [key, row] : rows.all)
        if (!row.golden.empty()) golden.insert(key.form.mnemonic);
    for (auto& [key, row] : rows.all) {
        bool in_line = false;
        unsigned best = 0;  // for an example: the widest code that has it, as host code if there is any
        for (unsigned s = 0; s < 3; s++) {
            in_line |= row.in_line[s];
            if (row.in_line[s] || (row.exists(s) && !in_line)) best = s;
            if (!row.exists(s) || row.reached(s) || row.note) continue;
            good = fail("no vector runs " + key.text() + " in " + std::to_string(16 << s) +
                        "-bit code: " + hex(row.example[s]));
        }
        if (in_line ? !row.golden_in_line : !golden.contains(key.form.mnemonic))
            good = fail("tests/golden has no line for " + key.text() + ": " + std::to_string(16 << best) + " \"" +
                        hex(row.example[best]) + "\"");
    }
    return good;
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 4) return fprintf(stderr, "usage: coverage SOURCE-FOLDER GENERATED WRITTEN [--update]\n"), 2;
    std::filesystem::path root = argv[1], file = root / "docs/coverage.md";
    Rows rows;
    AddressCounts addresses = every_address();
    bool good = count_generated(argv[2], rows, addresses);
    good = count_written(argv[3], root / "tests/insn", rows) && good;
    find_golden(root / "tests/golden", rows);
    std::vector<std::string> notes;
    good = find_named(root, rows, notes) && good;
    good = check(rows, addresses) && good;
    std::string now = page(rows, addresses, notes);
    if (argc > 4 && std::string(argv[4]) == "--update")
        std::ofstream(file) << now;
    else if (without_counts(contents(file)) != without_counts(now))
        good = fail("docs/coverage.md is out of date: run coverage with --update");
    return !good;
}

// The oracle's program on the development machine. See usage().
#include <stdio.h>
#include <stdlib.h>

#include <map>
#include <string>

#include "generate.hpp"
#include "oracle/compare.hpp"
#include "random_code.hpp"
#include "record.hpp"
#include "text.hpp"

using namespace bmbt;
using namespace bmbt::oracle;

namespace {

// Memory that no vector patches is always the same, so that a vector as a line of text is the vector.
constexpr u64 memory_seed = 1;

void usage(FILE* to) {
    fputs(
        "oracle generate -o FILE [--seed N] [--count N] [--only GROUP|MNEMONIC] [--mode 16|32|64]\n"
        "    makes vectors and records what this machine does\n"
        "oracle generate --random -o FILE [--seed N] [--count N] [--mode 16|32|64]\n"
        "    the same of random bytes as code\n"
        "oracle record [--random] -o FILE TEXT...\n"
        "    the same for vectors in text form; with --random none that generate --random would leave out\n"
        "oracle show FILE [NUMBER]        prints vectors as text\n"
        "oracle cut FILE FIRST COUNT -o FILE  copies some of a file's vectors\n"
        "oracle check FILE                runs a file's vectors here again and compares\n"
        "oracle forms                     lists the instruction forms that generate knows\n",
        to);
}

struct Arguments {
    std::vector<std::string> plain;
    std::map<std::string, std::string> options;
    Arguments(int argc, char** argv) {
        for (int i = 2; i < argc; i++) {
            std::string a = argv[i];
            if (a[0] != '-')
                plain.push_back(a);
            else if (a == "--random")
                options[a] = "";
            else if (i + 1 < argc)
                options[a] = argv[++i];
            else {
                fprintf(stderr, "oracle: %s wants a value\n", a.c_str());
                exit(2);
            }
        }
    }
    u64 number(const std::string& name, u64 otherwise) const {
        auto found = options.find(name);
        return found == options.end() ? otherwise : strtoull(found->second.c_str(), nullptr, 0);
    }
    std::string text(const std::string& name) const {
        auto found = options.find(name);
        return found == options.end() ? "" : found->second;
    }
};

int generate(const Arguments& a) {
    std::string output = a.text("-o"), mode = a.text("--mode");
    if (output.empty()) return usage(stderr), 2;
    u64 seed = a.number("--seed", 1), count = a.number("--count", 10000);
    int code_size = mode.empty() ? -1 : mode == "16" ? 0 : mode == "32" ? 1 : 2;
    const bool random = a.options.contains("--random");
    RandomCode random_code(seed, code_size);
    Generator generator(seed, a.text("--only"), code_size);
    if (!generator.forms()) {
        fprintf(stderr, "oracle: no form is called %s\n", a.text("--only").c_str());
        return 2;
    }
    Recorder recorder(memory_seed);
    Writer writer(memory_seed);
    u64 ends[32] = {}, number = 0;
    std::map<std::string, u64> left_out;
    for (; writer.count() < count && number < count * 4 + 1000; number++) {
        Draft d = random ? random_code.make(number) : generator.make(number);
        std::string why;
        if (!recorder.record(d, why) || (random && !random_code_stands(d, why))) {
            left_out[why]++;
            continue;
        }
        ends[static_cast<u8>(d.outcome.vector) & 31]++;
        writer.add(d);
    }
    printf("%u vectors", writer.count());
    for (unsigned v = 0; v < 32; v++)
        if (ends[v]) printf(", %llu end with vector %u", static_cast<unsigned long long>(ends[v]), v);
    printf("\n");
    for (auto& [why, n] : left_out) printf("left out %llu: %s\n", static_cast<unsigned long long>(n), why.c_str());
    write_file(output, writer.finish());
    return 0;
}

int record(const Arguments& a) {
    std::string output = a.text("-o");
    if (output.empty() || a.plain.empty()) return usage(stderr), 2;
    const bool random = a.options.contains("--random");
    Recorder recorder(memory_seed);
    Writer writer(memory_seed);
    bool agrees = true;
    for (const std::string& name : a.plain)
        for (Draft d : parse_file(name)) {
            std::string why, line = to_line(d);
            Draft expected = d;
            if ((random && !random_code_may_be(d, why)) || !recorder.record(d, why) ||
                (random && !random_code_stands(d, why))) {
                fprintf(stderr, "%s: %s\n", line.c_str(), why.c_str());
                agrees = false;
                continue;
            }
            writer.add(d);
            if (!(expected.options & option::recorded) || to_line(expected) == to_line(d)) continue;
            printf("expected  %s\nnatively  %s\n", line.c_str(), to_line(d).c_str());
            agrees = false;
        }
    write_file(output, writer.finish());
    return !agrees;
}

int show(const Arguments& a) {
    if (a.plain.empty()) return usage(stderr), 2;
    std::vector<u8> file = read_file(a.plain[0]);
    Reader reader(file);
    Vector v;
    bool one = a.plain.size() > 1;
    u64 wanted = one ? strtoull(a.plain[1].c_str(), nullptr, 0) : 0;
    for (u64 n = 0; reader.next(v); n++)
        if (!one || n == wanted) printf("%s\n", to_line(to_draft(v)).c_str());
    if (!reader.ok()) fprintf(stderr, "oracle: %s is malformed\n", a.plain[0].c_str());
    return !reader.ok();
}

int cut(const Arguments& a) {
    std::string output = a.text("-o");
    if (output.empty() || a.plain.size() != 3) return usage(stderr), 2;
    std::vector<u8> file = read_file(a.plain[0]);
    u64 first = strtoull(a.plain[1].c_str(), nullptr, 0), count = strtoull(a.plain[2].c_str(), nullptr, 0);
    Reader reader(file);
    Writer writer(reader.header().memory_seed);
    Vector v;
    for (u64 n = 0; reader.next(v); n++)
        if (n >= first && n - first < count) writer.add(to_draft(v));
    write_file(output, writer.finish());
    return 0;
}

int check(const Arguments& a) {
    if (a.plain.empty()) return usage(stderr), 2;
    std::vector<u8> file = read_file(a.plain[0]);
    Reader reader(file);
    if (!reader.ok()) return fprintf(stderr, "oracle: %s is not a file of vectors\n", a.plain[0].c_str()), 2;
    Recorder recorder(reader.header().memory_seed);
    u64 same = 0, differ = 0;
    for (Vector v; reader.next(v);) {
        Differences found = recorder.compare_again(v);
        if (!found.count) {
            same++;
            continue;
        }
        if (differ++ >= 20) continue;
        printf("%s\n", to_line(to_draft(v)).c_str());
        print_differences(found);
    }
    printf("%llu same, %llu differ\n", static_cast<unsigned long long>(same), static_cast<unsigned long long>(differ));
    return differ != 0;
}

}  // namespace

int main(int argc, char** argv) {
    std::string command = argc > 1 ? argv[1] : "";
    Arguments arguments(argc, argv);
    if (command == "generate") return generate(arguments);
    if (command == "record") return record(arguments);
    if (command == "show") return show(arguments);
    if (command == "check") return check(arguments);
    if (command == "cut") return cut(arguments);
    if (command == "forms") {
        for (const Form& f : forms())
            printf("%-12s %-10s %-22s %s\n", f.group.c_str(), f.name, f.opcode.c_str(), f.operands.c_str());
        return 0;
    }
    usage(command == "--help" ? stdout : stderr);
    return command == "--help" ? 0 : 2;
}

// Runs files of vectors through the C++ semantics and prints every difference: run_interpreter
// [--legacy|--kernel|--virtual8086|--real]
// [--shown N] FILE...
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <memory>
#include <vector>

#include "interpreter.hpp"

using namespace bmbt;
using namespace bmbt::oracle;

namespace {

class Output final : public Report {
 public:
    void line(const char* text) override { puts(text); }
};

std::vector<u8> contents(const char* name) {
    FILE* f = fopen(name, "rb");
    if (!f) {
        perror(name);
        exit(2);
    }
    std::vector<u8> out;
    u8 buffer[65536];
    for (usize n; (n = fread(buffer, 1, sizeof buffer, f));) out.insert(out.end(), buffer, buffer + n);
    fclose(f);
    return out;
}

}  // namespace

int main(int argc, char** argv) {
    Variant variant;
    unsigned shown = 20;
    bool failed = false;
    for (int i = 1; i < argc; i++) {
        if (!strcmp(argv[i], "--legacy"))
            variant.legacy = true;
        else if (!strcmp(argv[i], "--kernel"))
            variant.kernel = true;
        else if (!strcmp(argv[i], "--virtual8086"))
            variant = Variant::virtual8086();
        else if (!strcmp(argv[i], "--real"))
            variant = Variant::real();
        else if (!strcmp(argv[i], "--shown") && i + 1 < argc)
            shown = static_cast<unsigned>(atoi(argv[++i]));
        else {
            std::vector<u8> file = contents(argv[i]);
            BareMachine bare;
            Interpreter interpreter;
            Output output;
            auto run = std::make_unique<VectorRun>(file, bare.machine(), bare.cpu(), output, 0, shown);
            Totals t = run_vectors(*run, bare.cpu(), interpreter, variant);
            failed |= t.failed || t.malformed || t.no_memory;
        }
    }
    return failed;
}

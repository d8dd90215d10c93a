// bmbt-interpret: boots a guest on the development machine with the interpreter as its CPU.
//   bmbt-interpret "WORDS" KERNEL [INITRD] [--until TEXT] [--type AFTER=TEXT] [--budget MILLIONS] [--log] [--faults]
// WORDS are those of the image's command line without kernel= and initrd=. Exit code 0: TEXT was seen, or without
// --until the guest powered off or halted; with the word test-devices, the guest's own.
#include <cstdio>
#include <fstream>
#include <iterator>
#include <string>

#include "cpu/flags.hpp"
#include "machine/interpreted_machine.hpp"
#include "x86/insn.hpp"

using namespace bmbt;
using namespace bmbt::test;

namespace {

struct Terminal final : CharSink {
    void put(u8 c) override {
        text += static_cast<char>(c);
        std::fputc(c, stdout);
        std::fflush(stdout);
    }
    std::string text;
};

std::vector<u8> file(const char* name) {
    std::ifstream in(name, std::ios::binary);
    if (!in) {
        std::fprintf(stderr, "%s: cannot be read\n", name);
        std::exit(2);
    }
    return {std::istreambuf_iterator<char>(in), {}};
}

void show_cpu(Vcpu& v) {
    using ull = unsigned long long;
    for (unsigned n = 0; n < 16; ++n)
        std::fprintf(stderr, "r%-2u %016llx%s", n, ull(v.gpr[n]), n % 4 == 3 ? "\n" : "  ");
    std::fprintf(stderr, "rip %llx cs %x base %llx cpl %u flags %llx cr0 %llx cr2 %llx cr3 %llx cr4 %llx efer %llx\n",
                 ull(v.rip), v.seg[x86::Cs].selector, ull(v.seg[x86::Cs].base), v.cpl, ull(rflags(v)),
                 ull(v.paging.cr0), ull(v.cr2), ull(v.paging.cr3), ull(v.paging.cr4), ull(v.paging.efer));
    if (auto insn = fetch(v))
        std::fprintf(stderr, "at %s, opcode %x map %u\n", x86::mnemonic_name(insn->mnemonic), insn->opcode,
                     insn->opcode_map);
}

void show_fault(Vcpu& v, const x86::Fault& f) {
    using ull = unsigned long long;
    std::fprintf(stderr, "\n[fault %u error %x address %llx at %x:%llx cpl %u]", static_cast<unsigned>(f.vector),
                 f.error, ull(f.address), v.seg[x86::Cs].selector, ull(v.rip), v.cpl);
    if (f.vector == x86::Vector::Ud)
        if (auto insn = fetch(v)) std::fprintf(stderr, " [#UD %s]", x86::mnemonic_name(insn->mnemonic));
}

}  // namespace

int main(int argc, char** argv) {
    if (argc < 3) return std::fprintf(stderr, "usage: bmbt-interpret WORDS KERNEL [INITRD] [OPTION...]\n"), 2;
    const std::vector<u8> kernel = file(argv[2]);
    std::vector<u8> initrd;
    std::string until, typed, type_after;
    u64 budget = 10'000;
    bool log = false, faults = false;
    for (int i = 3; i < argc; ++i) {
        const std::string word = argv[i];
        if (word == "--until" && i + 1 < argc)
            until = argv[++i];
        else if (word == "--type" && i + 1 < argc) {
            const std::string value = argv[++i];
            type_after = value.substr(0, value.find('='));
            typed = value.substr(value.find('=') + 1) + "\n";
        } else if (word == "--budget" && i + 1 < argc)
            budget = std::stoull(argv[++i]);
        else if (word == "--log")
            log = true;
        else if (word == "--faults")
            faults = true;
        else
            initrd = file(argv[i]);
    }
    const std::string words = "kernel=0,1 " + std::string(argv[1]);
    auto config = parse_config(words);
    if (!config) return std::fprintf(stderr, "%s\n", config.error().what), 2;
    if (log) config->trace.add(TraceEvent::Bios);

    Terminal terminal;
    InterpretedMachine machine(*config, {kernel, initrd}, terminal, terminal);
    if (faults) machine.on_fault = show_fault;
    if (auto good = machine.power_on(); !good) return std::fprintf(stderr, "%s\n", good.error().what), 1;

    usize sent = 0;
    auto wanted = [&] {
        if (!typed.empty() && terminal.text.find(type_after) != std::string::npos)
            while (sent < typed.size() && machine.pc().serial_room()) machine.pc().serial_input(typed[sent++]);
        return !until.empty() && terminal.text.find(until) != std::string::npos;
    };
    using End = InterpretedMachine::End;
    End end;
    do end = machine.run(budget * 1'000'000, wanted);
    while (end == End::Reset && !config->no_reboot && machine.power_on());

    const char* names[] = {"budget", "power off", "reset", "triple fault", "halted", "text seen", "exit code"};
    std::fprintf(stderr, "\nbmbt-interpret: %s after %llu instructions, %.3f s of guest time\n",
                 names[static_cast<int>(end)], static_cast<unsigned long long>(machine.clock.instructions),
                 machine.clock.now() / 1e9);
    if (end == End::Budget || end == End::TripleFault || faults) show_cpu(machine.cpu);
    if (end == End::Exit) return machine.pc().exit_code();
    if (!until.empty()) return terminal.text.find(until) == std::string::npos;
    return end != End::PowerOff && end != End::Halted && end != End::Reset;
}

#include "host/loongarch/panic.hpp"

#include "host/loongarch/csr.hpp"

namespace bmbt::host {

void (*panic_report)() = nullptr;

void panic_args(std::string_view text, std::initializer_list<FormatArg> args) {
    static bool panicking = false;
    if (panicking) {
        say("panic inside the report of a panic:");
        say_args(text, args);
        fail_exit();
    }
    panicking = true;
    print("{}bmbt: panic: ", console.at_line_start() ? "" : "\n");
    print_args(text, args);
    print("\n");
    if (panic_report) panic_report();
    fail_exit();
}

namespace {

const char* cause(u64 code, u64 sub) {
    switch (code) {
        case ECODE_INT: return "interrupt";
        case ECODE_PIL: return "load from an invalid page";
        case ECODE_PIS: return "store to an invalid page";
        case ECODE_PIF: return "fetch from an invalid page";
        case ECODE_PME: return "store to a clean page";
        case ECODE_PPI: return "page privilege";
        case ECODE_ADE: return sub ? "memory address error" : "fetch address error";
        case ECODE_ALE: return "unaligned address";
        case ECODE_SYS: return "system call";
        case ECODE_BRK: return "breakpoint";
        case ECODE_INE: return "instruction does not exist";
        case ECODE_FPD: return "floating point disabled";
        case ECODE_SXD: return "LSX disabled";
        case ECODE_ASXD: return "LASX disabled";
        case ECODE_REFILL: return "address not mapped";
        default: return "exception";
    }
}

}  // namespace

extern "C" u64 trap_registers[35];

// An exception while C++ ran. trap.S has stored r1-r31, then ERA, ESTAT and BADV.
extern "C" [[noreturn]] void host_trapped() {
    const u64* r = trap_registers;
    u64 estat = r[33];
    print("{}bmbt: exception in the hypervisor: {} (code {:x}.{}) at {:016x}, address {:016x}\n",
          console.at_line_start() ? "" : "\n", cause(bits(estat, 21, 16), bits(estat, 30, 22)), bits(estat, 21, 16),
          bits(estat, 30, 22), r[32], r[34]);
    for (unsigned i = 1; i < 32; i++)
        print("bmbt:   r{}{} {:016x}{}", i, i < 10 ? " " : "", r[i], i % 4 == 3 ? "\n" : "");
    panic("exception in the hypervisor");
}

extern "C" [[noreturn]] void host_machine_error() { panic("the processor reports a machine error"); }

}  // namespace bmbt::host

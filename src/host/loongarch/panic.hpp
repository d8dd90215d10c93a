// The end for a reason of our own: a line, a report, exit code 1.
#pragma once
#include "host/loongarch/console.hpp"

namespace bmbt::host {

// Says "bmbt: panic: ..." and what `report` adds, then ends with exit code 1. A panic inside the report ends at once.
[[noreturn]] void panic_args(std::string_view text, std::initializer_list<FormatArg> args);
template <class... Args>
[[noreturn]] void panic(std::string_view text, const Args&... args) {
    panic_args(text, {FormatArg(args)...});
}

// A failure of the host or of the user's input: "bmbt: <text>", exit code 1.
template <class... Args>
[[noreturn]] void fail(std::string_view text, const Args&... args);

// What a panic shows besides its reason: the vCPU, the last blocks. Set once by the machine.
extern void (*panic_report)();

}  // namespace bmbt::host

#include "host/loongarch/power.hpp"

namespace bmbt::host {

template <class... Args>
void fail(std::string_view text, const Args&... args) {
    say(text, args...);
    fail_exit();
}

}  // namespace bmbt::host

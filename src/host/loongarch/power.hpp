// The ends: power off (exit code 0 under QEMU), reset, and a failing exit (code 1 where there is a way to say so).
#pragma once
#include "base/types.hpp"

namespace bmbt::host {

struct HostInfo;

// A register that does something to the machine's power when `value` is written to it.
struct PowerRegister {
    u64 address = 0;  // physical; 0: there is none
    u32 value = 0;
    u8 width = 4;  // bytes
};

// Finds QEMU's pvpanic device and remembers the registers; called once at boot.
void prepare_power(const HostInfo&);

[[noreturn]] void power_off();
[[noreturn]] void reset();
[[noreturn]] void fail_exit();

}  // namespace bmbt::host

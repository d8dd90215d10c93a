// What --stats and the debugger's monitor stats show.
#pragma once
#include "base/types.hpp"

namespace bmbt {

struct Stats {
    u64 blocks = 0, guest_bytes = 0, host_bytes = 0, code_flushes = 0, code_invalidations = 0;
    u64 dispatches = 0, links = 0, indirect_misses = 0, callouts = 0, slow_paths = 0, interpreted = 0;
    u64 slow_fills = 0, page_faults = 0, faults = 0, device_accesses = 0, code_writes = 0, unaligned_atomics = 0, float_traps = 0;
    u64 interrupts_host = 0, interrupts_guest = 0, steps = 0, halts = 0;
    static constexpr unsigned mnemonics = 2048;
    u64 in_cpp[mnemonics] = {};  // instructions that ran in C++, by mnemonic
    u64 tlb_page_flushes = 0, tlb_space_flushes = 0, tlb_all_flushes = 0, space_switches = 0, epochs = 0, window_moves = 0;
};

struct Counter {
    const char* name;
    u64 Stats::*value;
};
constexpr Counter counters[] = {
    {"blocks", &Stats::blocks}, {"guest_bytes", &Stats::guest_bytes}, {"host_bytes", &Stats::host_bytes},
    {"code_flushes", &Stats::code_flushes}, {"code_writes", &Stats::code_writes}, {"code_invalidations", &Stats::code_invalidations},
    {"slow_fills", &Stats::slow_fills}, {"tlb_page_flushes", &Stats::tlb_page_flushes}, {"tlb_all_flushes", &Stats::tlb_all_flushes},
    {"space_switches", &Stats::space_switches}, {"epochs", &Stats::epochs}, {"dispatches", &Stats::dispatches}, {"links", &Stats::links},
    {"indirect_misses", &Stats::indirect_misses}, {"callouts", &Stats::callouts}, {"slow_paths", &Stats::slow_paths},
    {"interpreted", &Stats::interpreted}, {"faults", &Stats::faults}, {"page_faults", &Stats::page_faults},
    {"device_accesses", &Stats::device_accesses}, {"unaligned_atomics", &Stats::unaligned_atomics}, {"float_traps", &Stats::float_traps},
    {"interrupts_host", &Stats::interrupts_host}, {"interrupts_guest", &Stats::interrupts_guest}, {"steps", &Stats::steps},
    {"halts", &Stats::halts}, {"window_moves", &Stats::window_moves}};

}  // namespace bmbt

// Runs instructions on this x86-64 Linux machine: the reference that everything else is compared with.
//
// A signal handler puts the state before into its own signal frame, so that returning from it starts the instructions
// with every register set; the exception that ends them brings a frame with every register as it is then.
#pragma once
#include <span>

#include "oracle/state.hpp"

namespace bmbt::oracle {

enum class RunResult : unsigned char {
    Done,
    Timeout,  // ran for more than two ticks of the timer
    Syscall   // asked Linux for something; it was refused
};

class Native {
 public:
    // Maps the region, makes the LDT and takes over the signals of faults: one object a process. Ends the process with
    // a message where Linux refuses.
    Native();
    Native(const Native&) = delete;

    u8* data();       // layout::data_size bytes that instructions may write
    u8* read_only();  // to be filled before seal()
    void seal();      // makes the read-only page so

    RunResult run(u16 entry, std::span<const u8> code, const State& before, State& after, Outcome&);
};

}  // namespace bmbt::oracle

// Runs a file of vectors on an engine and reports every difference.
#pragma once
#include "oracle/guest_machine.hpp"

namespace bmbt::oracle {

// Who executes guest code.
class Engine {
 public:
    // Runs the CPU until an exception would be delivered to the guest, and returns it instead, undelivered. v.rip is
    // then what delivery would push: the faulting instruction's address, or the next one's after a trap (INT3, INTO).
    // An engine that gives up (an instruction that is not built, no end in sight) says so in `gave_up`, one line.
    virtual x86::Fault run(Vcpu& v, const char*& gave_up) = 0;

 protected:
    ~Engine() = default;
};

// Where the report goes, line by line, without line ends.
class Report {
 public:
    virtual void line(const char* text) = 0;

 protected:
    ~Report() = default;
};

struct Totals {
    u32 passed = 0, failed = 0, skipped = 0;  // skipped: they do not fit the variant
    bool malformed = false;                   // the file is not one of vectors, or breaks off
    bool no_memory = false;
};

// `machine` is not built yet. At most `shown` failing vectors are reported in full, all are counted; the last line is
// "N passed, N failed". A failure's first line names the vector's number in the file.
Totals run_vectors(std::span<const u8> file, GuestMachine& machine, Vcpu&, Engine&, Report&, Variant = {},
                   u32 shown = 20);

}  // namespace bmbt::oracle

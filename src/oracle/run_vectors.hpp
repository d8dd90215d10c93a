// Runs a file of vectors on an engine and reports every difference.
#pragma once
#include "oracle/guest_machine.hpp"

namespace bmbt::oracle {

// Who executes guest code.
class Engine {
 public:
    // Runs the CPU, delivering every exception as the guest's tables say, until it executes HLT (with interrupts off):
    // then v.halted, and v.rip is behind the HLT. All of the guest's state must be in `v`. Returns null, or in one line
    // why it did not come so far: an instruction that is not built, no end in sight, a triple fault.
    //
    // Between two calls registers are replaced, and code is written through PhysicalMap::write.
    virtual const char* run(Vcpu& v) = 0;
    // Paging and descriptor tables were replaced: whatever is cached of them or of code is void.
    virtual void rebuilt(Vcpu& v) = 0;

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

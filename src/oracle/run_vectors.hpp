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

// A run of a file's vectors, one by one. For engines that cannot be called and return: whoever sees the guest halt asks
// halted() how to go on.
class VectorRun {
 public:
    // At most `shown` failing vectors are reported in full, all are counted; a failure's first line names the vector's
    // number in the file.
    // `ignored_mxcsr`: exception flags that the engine, as it says itself, does not always set; the last line names
    // them.
    VectorRun(std::span<const u8> file, GuestMachine& machine, Vcpu& v, Report& report, u32 ignored_mxcsr = 0,
              u32 shown = 20)
        : file_(file), machine_(machine), v_(v), report_(report), ignored_mxcsr_(ignored_mxcsr), shown_(shown) {}

    // Builds the machine and loads the first vector into it. Paging and descriptor tables are new then: if v.platform
    // is there, it is told. False: there is nothing to run, totals() says why. May be called again for another variant.
    bool begin(Variant = {});
    // The guest has halted (see Engine): judges the vector and loads the next, whose registers and code replace all.
    // False: that was the last, and the last line of the report, "N passed, N failed", is out.
    bool halted();
    // The same when the guest did not come so far.
    bool gave_up(const char* why);

    const Totals& totals() const { return totals_; }

 private:
    bool load_next();
    void finish();

    std::span<const u8> file_;
    GuestMachine& machine_;
    Vcpu& v_;
    Report& report_;
    u32 ignored_mxcsr_, shown_;
    Variant variant_;
    Totals totals_;
    Reader reader_{{}};
    Vector vector_;
    u32 number_ = 0, next_ = 0;
    State before_;
    ExpectedMemory expected_;
};

// A whole run on an engine. `run` is large: static, or in an arena.
Totals run_vectors(VectorRun& run, Vcpu&, Engine&, Variant = {});

}  // namespace bmbt::oracle

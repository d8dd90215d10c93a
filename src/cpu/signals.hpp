// What reaches a processor past EFLAGS.IF: NMI, INIT, and the SIPI that a processor waits for after INIT. Source: Intel
// SDM vol. 3, "Processor State After INIT", "Multiple-Processor (MP) Initialization", "Handling Multiple NMIs".
#pragma once
#include "cpu/board.hpp"
#include "cpu/vcpu.hpp"

namespace bmbt {

// Keeps what has come until it can be taken. INIT is blocked while the processor waits for a SIPI, and a SIPI means
// nothing at any other time.
void note_signals(Vcpu&, const CpuSignals&);

// One of them is to be taken before the next instruction.
inline bool signalled(const Vcpu& v) {
    if (v.init_pending) return true;
    return v.waits_for_startup ? v.startup_pending : v.nmi_pending && !v.nmi_blocked;
}

// Takes it. After INIT the bootstrap processor goes on at FFFF_FFF0h, any other one waits for its SIPI, halted.
void take_signal(Vcpu&, bool bootstrap);

}  // namespace bmbt

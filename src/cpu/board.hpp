// The machine around one guest CPU, as whoever runs that CPU sees it: ports, devices, interrupts, time, and the wish to
// end. The PC implements it; the runtime and the interpreter's loop use it and forward Platform's device half to it.
#pragma once
#include "base/types.hpp"

namespace bmbt {

struct Vcpu;

// Why the guest does not go on. A reset asks for a new start of the whole machine, which INIT is not; Exit is the end of
// a test kernel, with a code.
enum class Stop : u8 { None, PowerOff, Reset, Exit };

// What has come for the processor that EFLAGS.IF does not hold back.
struct CpuSignals {
    bool nmi = false, init = false, startup = false;
    u8 startup_page = 0;  // SIPI: where to start, in pages of 4 KiB
};

class Board {
 public:
    virtual u32 port_in(u16 port, Width w) = 0;
    virtual void port_out(u16 port, Width w, u32 value) = 0;
    virtual u64 mmio_read(u64 gpa, Width w) = 0;
    virtual void mmio_write(u64 gpa, Width w, u64 value) = 0;

    virtual u64 tsc() = 0;  // ns since power-on, larger at every call
    static constexpr u64 tsc_hz = 1'000'000'000;

    // The local APIC's registers as MSRs, and its task priority as CR8. False: #GP(0).
    virtual bool apic_msr_read(u32 msr, u64& value) = 0;
    virtual bool apic_msr_write(u32 msr, u64 value) = 0;
    virtual u64 read_tpr() = 0;
    virtual void write_tpr(u64 tpr) = 0;
    virtual void tsc_moved() {}  // the guest has set its TSC
    // The x87's FERR# output; returns the IGNNE# input: exceptions are to be ignored.
    virtual bool fpu_error(bool ferr) { return static_cast<void>(ferr), false; }

    // An interrupt that EFLAGS.IF alone holds back. Its vector is known once it is acknowledged; then it must be
    // delivered.
    virtual bool interrupt_pending() = 0;
    virtual u8 acknowledge_interrupt() = 0;
    virtual CpuSignals take_signals() = 0;  // since the last call
    virtual bool bootstrap() = 0;           // the processor needs no SIPI after INIT
    virtual bool may_signal() = 0;          // a device is let through as NMI or INIT: HLT with IF clear may end
    // The processor has shut down, by a triple fault. True: INIT has been signalled; false: only a reset helps.
    virtual bool shut_down() = 0;

    // Device time: run_timers() calls every alarm that is due; next_timer() is the earliest one left (ns of the clock
    // below, ~0: none). Interrupts change only in calls of this class.
    virtual u64 now() = 0;
    virtual u64 next_timer() = 0;
    virtual void run_timers() = 0;

    // Looked at after every port or MMIO access and every fault of the guest's.
    virtual Stop stop() = 0;
    virtual u8 exit_code() { return 0; }  // when it is Exit

 protected:
    ~Board() = default;
};

}  // namespace bmbt

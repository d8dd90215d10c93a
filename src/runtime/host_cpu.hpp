// What the runtime needs of the CPU that it runs on. The image implements it over host/loongarch.
#pragma once
#include "cpu/vcpu.hpp"
#include "memory/large_pages.hpp"

namespace bmbt {

// One half of a TLB entry in LoongArch's layout: vol. 1, "TLB Refill Exception Entry Low-Order Bits".
namespace tlb_half {
constexpr Bit valid{0}, dirty{1}, global{6}, no_execute{62};
constexpr Field plv{2, 2}, mat{4, 2};
constexpr u64 cached = 1;
}  // namespace tlb_half

// Where user code finds what it has besides the guest's pages (docs/window.md), as linear addresses.
struct WindowPlace {
    u64 code, page, jump_cache;
};

class HostCpu {
 public:
    // Puts the user window into a top-level slot, bits 47:39 of its addresses, and out of the one it was in. Everything must be
    // invalidated, and what remembers one of its addresses told.
    virtual WindowPlace place_window(Vcpu&, unsigned slot) = 0;
    // A pair of 4 KiB pages for the address, in place of whatever maps it now.
    virtual void fill_pair(u64 va, u16 asid, u64 even, u64 odd) = 0;
    virtual void invalidate_page(u16 asid, u64 va) = 0;  // of this address space, and global ones
    virtual void invalidate_asid(u16 asid) = 0;
    virtual void invalidate_all() = 0;  // of every address space and global ones
    virtual void set_asid(u16) = 0;
    virtual unsigned asids() = 0;
    virtual bool has_lasx() = 0;  // 256-bit vector registers

    // Tells the refill handler what to walk; the root is guest-physical here. A root outside RAM leaves all to C++.
    virtual void set_refill_tables(Vcpu&, RefillTables) = 0;
    // A page of the 2 MiB around gpa got code: the handler maps it in 4 KiB pieces from now on. True: a large writable entry
    // may exist, everything must be invalidated.
    virtual bool split_large(u64 gpa) = 0;
    virtual bool mixed_global(Vcpu&) = 0;
    // Where the handler marks large pages, as the runtime does.
    virtual LargePages& large_pages() = 0;
    // The handler fills this page of the guest's, of this size, as a large entry.
    virtual bool fills_large(u64 gpa, u64 page_size) = 0;

    // Takes what interrupts the host has for us: console input goes to the guest's serial port.
    virtual void take_interrupts() = 0;
    virtual void set_timer(u64 deadline) = 0;  // ns of the board's clock; ~0: none
    virtual void wait() = 0;                   // until an interrupt is pending
    virtual void code_written() = 0;           // what was written to the code cache will be executed: IBAR

    // The guest's time stands still between these two.
    virtual void stop_clock() {}
    virtual void start_clock(Vcpu&) {}

    // An interrupt hit the gate's first instructions: nothing to do but return.
    virtual bool in_gate(u64 pc) = 0;

    // The end. `reason` is one line; an error of ours or the guest's gets a report.
    [[noreturn]] virtual void finish(Vcpu&, int code, const char* reason) = 0;
    [[noreturn]] virtual void restart(Vcpu&) = 0;   // the guest asked for a reset
    [[noreturn]] virtual void panic(const char* what) = 0;

 protected:
    ~HostCpu() = default;
};

}  // namespace bmbt

// What a guest CPU reaches outside itself: ports, devices in its address space, time, its local APIC, its TLB.
#pragma once
#include "base/types.hpp"
#include "cpu/vcpu.hpp"

namespace bmbt {

class Platform {
 public:
    // I/O ports; nothing there reads all ones.
    virtual u32 port_in(u16 port, Width w) = 0;
    virtual void port_out(u16 port, Width w, u32 value) = 0;
    // Guest-physical addresses that are not RAM; nothing there reads all ones. ROM writes come here too and are dropped.
    virtual u64 mmio_read(u64 gpa, Width w) = 0;
    virtual void mmio_write(u64 gpa, Width w, u64 value) = 0;

    virtual u64 host_tsc() = 0;  // strictly increasing, at tsc_hz(); the guest's TSC adds v.tsc_offset
    virtual u64 tsc_hz() = 0;
    virtual void tsc_moved(Vcpu&) {}  // v.tsc_offset has changed: a deadline of the local APIC's timer comes at another time

    // The local APIC's MSRs (APIC base, x2APIC, TSC deadline). False: #GP(0).
    virtual bool apic_msr_read(Vcpu&, u32 msr, u64& value) = 0;
    virtual bool apic_msr_write(Vcpu&, u32 msr, u64 value) = 0;
    virtual u64 read_tpr(Vcpu&) = 0;             // CR8
    virtual void write_tpr(Vcpu&, u64 tpr) = 0;

    // FERR#: with CR0.NE = 0 an unmasked x87 exception waits, or no longer. Returns IGNNE#: it is to be ignored.
    virtual bool fpu_error(Vcpu&, bool ferr) { return static_cast<void>(ferr), false; }

    virtual void msr_accessed(Vcpu&, const char* how, u32 msr, u64 value) { (void)how, (void)msr, (void)value; }  // to trace it

    // Cached translations of guest addresses, as x86 flushes them.
    virtual void flush_page(Vcpu&, u64 linear) = 0;         // INVLPG: this address in the current and every global mapping
    virtual void flush_non_global(Vcpu&) = 0;               // CR3 write without the keep bit: current PCID
    virtual void flush_all(Vcpu&) = 0;                      // CR0/CR4 changes, INVPCID all: every PCID and global pages
    virtual void flush_pcid(Vcpu&, u16 pcid) = 0;           // INVPCID single context
    virtual void flush_pcid_page(Vcpu&, u16 pcid, u64 linear) = 0;
    virtual void switch_address_space(Vcpu&, bool keep) = 0;  // CR3 written: keep = bit 63 with PCIDE
    virtual void mode_changed(Vcpu&) = 0;                   // CR0, CR4, EFER, CS or CPL changed what code means

    // A message of ours about something the guest did that is not built. One line; the run goes on to a report and ends.
    [[noreturn]] virtual void unsupported(Vcpu&, const char* what) = 0;

 protected:
    ~Platform() = default;
};

}  // namespace bmbt

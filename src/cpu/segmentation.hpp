// Segment registers and descriptor tables. Source: Intel SDM vol. 3, "Protected-Mode Memory Management", "Protection".
#pragma once
#include "cpu/vcpu.hpp"
#include "x86/fault.hpp"
#include "x86/insn.hpp"

namespace bmbt {

// System descriptor types.
namespace system_type {
constexpr u8 tss16 = 1, ldt = 2, tss16_busy = 3, call_gate16 = 4, task_gate = 5, interrupt_gate16 = 6, trap_gate16 = 7,
             tss32 = 9, tss32_busy = 11, call_gate32 = 12, interrupt_gate32 = 14, trap_gate32 = 15;
}

// A descriptor and where it lies. `high` is the second half of a 16-byte system descriptor of long mode.
struct DescriptorEntry {
    u64 linear = 0;
    x86::Descriptor low;
    u64 high = 0;

    bool present() const { return bit(low.raw, 47); }
    unsigned dpl() const { return bits(low.raw, 46, 45); }
    bool is_system() const { return !bit(low.raw, 44); }
    u8 type() const { return bits(low.raw, 43, 40); }
    bool is_code() const { return !is_system() && type() & x86::access::code; }
    bool is_data() const { return !is_system() && !(type() & x86::access::code); }
    bool conforming() const { return is_code() && type() & x86::access::conforming; }
    bool writable_data() const { return is_data() && type() & x86::access::writable; }
    bool readable() const { return is_data() || (is_code() && type() & x86::access::readable); }
    bool long_code() const { return bit(low.raw, 53); }
    bool big() const { return bit(low.raw, 54); }
    // As a code or data segment.
    x86::Segment segment(u16 selector) const {
        return {.selector = selector, .access = low.access(), .limit = low.limit(), .base = low.base()};
    }
    // As a gate.
    u16 gate_selector() const { return bits(low.raw, 31, 16); }
    u64 gate_offset() const { return bits(low.raw, 15, 0) | bits(low.raw, 63, 48) << 16 | high << 32; }
};

constexpr bool null_selector(u16 s) { return (s & ~3) == 0; }

// Changes the state of one register and everything that is derived from it.
void set_segment(Vcpu&, x86::Seg, const x86::Segment&);
// CS, CPL and what they mean for code. CPL is what paging and the pinned base follow.
void set_code_segment(Vcpu&, const x86::Segment& cs, unsigned cpl);
void set_cpl(Vcpu&, unsigned cpl);
// A real-mode or virtual-8086 segment: base from the selector.
x86::Segment real_segment(const Vcpu&, x86::Seg, u16 selector);

// The entry of a selector that is not null; fault(vector, selector) beyond the table's limit. `ext` is bit 0 of the
// error code: the fault happens while an event is delivered.
x86::Guest<DescriptorEntry> descriptor(Vcpu&, u16 selector, x86::Vector = x86::Vector::Gp, u32 ext = 0);
// Reads the second half of a long-mode system descriptor into entry.high (in long mode only).
x86::Guest<> complete_system_descriptor(Vcpu&, u16 selector, DescriptorEntry& entry, x86::Vector, u32 ext = 0);
// Sets the accessed bit in memory and in the entry.
x86::Guest<> mark_accessed(Vcpu&, DescriptorEntry&);
// Ors `bits` into the type field of a descriptor in memory (accessed, TSS busy), or takes them out.
x86::Guest<> change_type(Vcpu&, DescriptorEntry&, u8 set, u8 clear);

// The checks of loading a data or stack segment in the current mode, and its hidden part; nothing is changed but the
// accessed bit. stack_segment is for SS at a privilege level that may be about to change.
x86::Guest<x86::Segment> data_segment(Vcpu&, x86::Seg, u16 selector);
x86::Guest<x86::Segment> stack_segment(Vcpu&, u16 selector, unsigned cpl, x86::Vector wrong, u32 ext = 0);
// MOV, POP, LDS, ... to a segment register other than CS.
x86::Guest<> load_segment(Vcpu&, x86::Seg, u16 selector);

x86::Guest<> load_ldtr(Vcpu&, u16 selector);
x86::Guest<> load_tr(Vcpu&, u16 selector);

// LAR, LSL, VERR, VERW, SGDT, SIDT, LGDT, LIDT, SLDT, STR, LLDT, LTR, ARPL.
x86::Guest<> lar(Vcpu&, const x86::Insn&);
x86::Guest<> lsl(Vcpu&, const x86::Insn&);
x86::Guest<> verr(Vcpu&, const x86::Insn&);
x86::Guest<> verw(Vcpu&, const x86::Insn&);
x86::Guest<> arpl(Vcpu&, const x86::Insn&);
x86::Guest<> sgdt(Vcpu&, const x86::Insn&);
x86::Guest<> sidt(Vcpu&, const x86::Insn&);
x86::Guest<> lgdt(Vcpu&, const x86::Insn&);
x86::Guest<> lidt(Vcpu&, const x86::Insn&);
x86::Guest<> sldt(Vcpu&, const x86::Insn&);
x86::Guest<> str(Vcpu&, const x86::Insn&);
x86::Guest<> lldt(Vcpu&, const x86::Insn&);
x86::Guest<> ltr(Vcpu&, const x86::Insn&);

}  // namespace bmbt

// Transfers of control: near and far, interrupts and exceptions, system calls. Source: Intel SDM vol. 3, "Protection",
// "Interrupt and Exception Handling", "Task Management"; vol. 2 for each instruction.
#pragma once
#include "cpu/segmentation.hpp"
#include "cpu/stack.hpp"

namespace bmbt {

// Where a far transfer goes, after all checks.
struct CodeTarget {
    x86::Segment cs;
    unsigned cpl = 0;
    u64 rip = 0;
};

// What is delivered through the IDT. Software: INT n, INT3, INTO, which check the gate's DPL.
enum class Event : u8 { Hardware, Software, Exception };

// Runs the IDT's (or IVT's) handler of `vector`; `return_rip` is pushed. On success v.rip and v.next_rip are the
// handler's. A fault on the way is returned, and nothing but the stack's memory has changed.
x86::Guest<> deliver(Vcpu&, u8 vector, Event, u64 return_rip, bool has_error = false, u32 error = 0);

// Delivers an exception by the rules of double and triple faults; v.shutdown is set when there is no way on.
// v.rip is the faulting instruction, v.next_rip the one behind it.
void raise(Vcpu&, const x86::Fault&);
// Delivers an external interrupt or (vector 2) an NMI between two instructions: v.rip is where the guest goes on.
void interrupt(Vcpu&, u8 vector);

// The segments that SYSCALL, SYSENTER and their returns load without a descriptor.
inline x86::Segment flat_code(u16 selector, unsigned dpl, bool long_code) {
    u64 rights = 0x809b | x86::access::dpl(dpl) | (long_code ? x86::access::l() : x86::access::db());
    return {.selector = selector, .access = static_cast<u16>(rights), .limit = ~u32{0}, .base = 0};
}
inline x86::Segment flat_stack(u16 selector, unsigned dpl) {
    return {.selector = selector, .access = static_cast<u16>(0xc093 | x86::access::dpl(dpl)), .limit = ~u32{0}, .base = 0};
}

// A checked code segment for a far JMP, CALL (rpl unchecked against DPL for conforming ones) or RET/IRET.
x86::Guest<x86::Segment> code_segment_for_jump(Vcpu&, u16 selector, DescriptorEntry& e);
x86::Guest<x86::Segment> code_segment_for_return(Vcpu&, u16 selector);
// rip must be inside the limit of a segment, or canonical where it is 64-bit code. #GP(0).
x86::Guest<> check_rip(const Vcpu&, const x86::Segment& cs, u64 rip);
void commit(Vcpu&, const CodeTarget&);

// Hardware task switch, by JMP, CALL, IRET or a task gate. The old task goes on at return_rip with `flags`; `ext` is bit 0 of error
// codes. A fault that is a trap (of the new task's T bit) comes after a switch that is done.
enum class TaskSwitch : u8 { Jump, Call, Return, Gate };
x86::Guest<> switch_task(Vcpu&, u16 selector, TaskSwitch, u64 return_rip, u64 flags, u32 ext = 0);
// A TSS's stack for a privilege level: legacy modes.
x86::Guest<StackView> inner_stack(Vcpu&, unsigned cpl, u32 ext);
// RSPn (n < 3) or ISTn (index 3 + n, n from 1) of a 64-bit TSS.
x86::Guest<u64> tss64_rsp(Vcpu&, unsigned index, u32 ext);

// Semantics.
x86::Guest<> near_branch(Vcpu&, const x86::Insn&);  // JMP, Jcc, LOOPcc, JCXZ
x86::Guest<> near_call(Vcpu&, const x86::Insn&);
x86::Guest<> near_return(Vcpu&, const x86::Insn&);
x86::Guest<> far_jump(Vcpu&, const x86::Insn&);
x86::Guest<> far_call(Vcpu&, const x86::Insn&);
x86::Guest<> far_return(Vcpu&, const x86::Insn&);
x86::Guest<> software_interrupt(Vcpu&, const x86::Insn&);  // INT n, INT3, INTO, INT1
x86::Guest<> iret(Vcpu&, const x86::Insn&);
x86::Guest<> syscall(Vcpu&, const x86::Insn&);
x86::Guest<> sysret(Vcpu&, const x86::Insn&);
x86::Guest<> sysenter(Vcpu&, const x86::Insn&);
x86::Guest<> sysexit(Vcpu&, const x86::Insn&);
x86::Guest<> swapgs(Vcpu&, const x86::Insn&);

}  // namespace bmbt

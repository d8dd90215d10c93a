// Guest code and C++: the contract of trap.S.
//
// While guest code runs, the guest's registers are host registers (guest_registers.inc), tp points at the Vcpu (PLV0)
// or at the user page in the window (PLV3), and interrupts are on. Whatever ends that (an exception, an interrupt, a
// refill that was not filled, a call of the gate) stores all of them in the Vcpu: gpr, flags, segment_base, host.temp,
// and
//   host.pc      where it was; guest code goes on there when guest_exit returns
//   host.estat   exception code in bits 21:16, sub code 30:22, pending interrupts 12:0; ECODE_REFILL for a refill
//                (host.refill is 1 then); ECODE_SYS for the gate, with host.pc behind the call, and for a syscall of
//                PLV3, with host.pc at it
//   host.badv    the address, for exceptions that have one
//   host.badi    the instruction, for exceptions that give it; 0 for a refill
//   host.prmd    bits 1:0 privilege level (0 or 3), bit 2 interrupts on
// and calls guest_exit on the Vcpu's own stack, from its top. C++ runs with interrupts off; an exception in it panics.
// The guest's vector registers stay in vr0-15 unless C++ calls save_vectors; if xmm_in_memory is set when guest_exit
// returns they are loaded and it is cleared. vr16-31 and the condition flags are left alone altogether;
// the FCSR lets invalid operations trap, and its flags are moved to MXCSR when C++ asks for it (Vcpu::take_fp_flags).
#pragma once
#include "cpu/vcpu.hpp"
#include "host/loongarch/csr.hpp"

extern "C" {
void guest_exit(bmbt::Vcpu&);                // defined by the image
[[noreturn]] void enter_guest(bmbt::Vcpu&);  // as if a guest_exit had just returned; the first time
void guest_gate();                           // PLV0 guest code calls this with jirl $ra; never call it from C++
extern char guest_gate_end[];
void save_vectors(bmbt::Vcpu&);  // vr0-15 to v.xmm; the caller sets xmm_in_memory
void load_vectors(bmbt::Vcpu&);  // v.xmm to vr0-15
}

namespace bmbt::host {

// PRMD as guest code runs with it.
constexpr u64 prmd_kernel = 4, prmd_user = 4 | 3;

inline unsigned exception_code(const Vcpu& v) { return static_cast<unsigned>(bits(v.host.estat, 21, 16)); }
inline unsigned exception_subcode(const Vcpu& v) { return static_cast<unsigned>(bits(v.host.estat, 30, 22)); }
inline bool was_user(const Vcpu& v) { return (v.host.prmd & 3) == 3; }

// An interrupt hit the gate before it had interrupts off: the gate's own call of guest_exit follows at once, so C++
// acknowledges the interrupt and returns.
inline bool in_gate(u64 pc) {
    return pc >= reinterpret_cast<u64>(&guest_gate) && pc < reinterpret_cast<u64>(guest_gate_end);
}

// Connects the Vcpu with the hardware: its stack, the gate, what tp is at PLV3 (0: PLV3 is not entered).
void prepare_vcpu(Vcpu&, u64 stack_top, u64 user_page);
void set_user_page(u64 va);

}  // namespace bmbt::host

// Control, debug and model-specific registers, CPUID, and the instructions of the operating system.
// Source: Intel SDM vol. 3, "Control Registers", "Debug Registers"; vol. 4.
#pragma once
#include "cpu/vcpu.hpp"
#include "x86/fault.hpp"
#include "x86/insn.hpp"

namespace bmbt {

// Physical and linear address bits that CPUID reports.
constexpr unsigned physical_address_bits = 40, linear_address_bits = 48;

x86::Guest<> write_cr0(Vcpu&, u64 value);
x86::Guest<> write_cr3(Vcpu&, u64 value);
x86::Guest<> write_cr4(Vcpu&, u64 value);

x86::Guest<> write_debug(Vcpu&, unsigned number, u64 value);  // 0 to 3, 6, 7

x86::Guest<u64> read_msr(Vcpu&, u32 msr);
x86::Guest<> write_msr(Vcpu&, u32 msr, u64 value);

struct CpuidResult {
    u32 eax = 0, ebx = 0, ecx = 0, edx = 0;
};
CpuidResult cpuid(Vcpu&, u32 leaf, u32 subleaf);

// The guest's TSC now.
u64 guest_tsc(Vcpu&);

// IN, OUT, INS, OUTS may reach `size` ports from `port` at the current privilege level, else #GP(0).
x86::Guest<> check_port(Vcpu&, u16 port, unsigned size);

// Semantics.
x86::Guest<> mov_control(Vcpu&, const x86::Insn&);
x86::Guest<> mov_debug(Vcpu&, const x86::Insn&);
x86::Guest<> clts(Vcpu&, const x86::Insn&);
x86::Guest<> lmsw(Vcpu&, const x86::Insn&);
x86::Guest<> smsw(Vcpu&, const x86::Insn&);
x86::Guest<> rdmsr(Vcpu&, const x86::Insn&);
x86::Guest<> wrmsr(Vcpu&, const x86::Insn&);
x86::Guest<> rdtsc(Vcpu&, const x86::Insn&);
x86::Guest<> rdtscp(Vcpu&, const x86::Insn&);
x86::Guest<> rdpmc(Vcpu&, const x86::Insn&);
x86::Guest<> cpuid_instruction(Vcpu&, const x86::Insn&);
x86::Guest<> fs_gs_base(Vcpu&, const x86::Insn&);
x86::Guest<> invlpg(Vcpu&, const x86::Insn&);
x86::Guest<> invpcid(Vcpu&, const x86::Insn&);
x86::Guest<> cache_flush_all(Vcpu&, const x86::Insn&);  // INVD, WBINVD
x86::Guest<> cache_line(Vcpu&, const x86::Insn&);       // CLFLUSH
x86::Guest<> xgetbv(Vcpu&, const x86::Insn&);
x86::Guest<> xsetbv(Vcpu&, const x86::Insn&);
x86::Guest<> hlt(Vcpu&, const x86::Insn&);
x86::Guest<> cli(Vcpu&, const x86::Insn&);
x86::Guest<> sti(Vcpu&, const x86::Insn&);
x86::Guest<> pushf(Vcpu&, const x86::Insn&);
x86::Guest<> popf(Vcpu&, const x86::Insn&);
x86::Guest<> in(Vcpu&, const x86::Insn&);
x86::Guest<> out(Vcpu&, const x86::Insn&);

}  // namespace bmbt

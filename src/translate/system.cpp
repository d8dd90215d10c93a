// What a kernel does at every entry, lock and exit: CLI, STI, PUSHF, POPF, SWAPGS at CPL 0; CLD and STD; RDTSC and RDTSCP where
// CR4.TSD lets them. Source: Intel SDM vol. 2, the instructions' own pages; docs/interrupts.md says how STI is safe.
#include <Zydis/Mnemonic.h>

#include "cpu/vcpu_offsets.inc"
#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace flag = x86::flag;

constexpr unsigned if_bit = 9;
static_assert(flag::if_ == 1u << if_bit);

void cli(Block& b, const Insn&) {
    Gpr t = b.temp();
    b.as.ld_d(t, host::state, VCPU_SYSTEM_FLAGS);
    b.as.bstrins_d(t, zero, if_bit, if_bit);
    b.as.st_d(t, host::state, VCPU_SYSTEM_FLAGS);
}

// To C++ if an interrupt waits for IF alone. One that comes behind this test finds a block that sets IF.
void leave_if_waiting(Block& b, Gpr t) {
    b.as.ld_bu(t, host::state, VCPU_INTERRUPT_WAITING);
    b.as.bnez(t, b.slow_path());
}

void sti(Block& b, const Insn&) {
    Gpr t = b.temp();
    leave_if_waiting(b, t);
    b.as.ld_d(t, host::state, VCPU_SYSTEM_FLAGS);
    b.as.ori(t, t, flag::if_);
    b.as.st_d(t, host::state, VCPU_SYSTEM_FLAGS);
    b.sets_if(true);
}

void pushf(Block& b, const Insn& i) {
    if (b.mode.small(x86::Ss)) return b.callout();  // its check would come behind the flags' change of place
    b.flags_to_bits();
    Gpr t = b.temp();
    b.as.ld_d(t, host::state, VCPU_SYSTEM_FLAGS);
    b.as.or_(t, t, host::flag_a);
    b.as.bstrins_d(t, zero, 17, 16);  // RF, VM
    b.store(t, b.stack_address(-static_cast<i64>(i.operand_size), i.operand_size), i.operand_size);
    b.add_to_stack_pointer(-static_cast<i64>(i.operand_size));
}

void popf(Block& b, const Insn& i) {
    if (i.operand_size == 2) return b.callout();
    auto& as = b.as;
    Gpr value = b.temp(), flags = b.temp(), t = b.temp(), rare = b.temp();
    b.load(value, b.stack_address(0, i.operand_size), i.operand_size, Upper::Zero);
    as.ld_d(flags, host::state, VCPU_SYSTEM_FLAGS);
    as.xor_(t, value, flags);
    as.li(rare, flag::tf | flag::df | flag::iopl | flag::nt | flag::rf | flag::ac | flag::id);
    as.and_(t, t, rare);
    as.bnez(t, b.slow_path());
    leave_if_waiting(b, t);
    as.srli_d(t, value, if_bit);
    as.bstrins_d(flags, t, if_bit, if_bit);
    as.st_d(flags, host::state, VCPU_SYSTEM_FLAGS);
    as.andi(host::flag_a, value, flag::arithmetic);
    b.set_flags(FlagOp::Bits, 8, host::flag_a, zero);
    b.add_to_stack_pointer(i.operand_size);
    b.sets_if(false);
}

void swapgs(Block& b, const Insn&) {
    if (!b.mode.code64()) return b.callout();
    auto& as = b.as;
    Gpr t = b.temp();
    as.ld_d(t, host::state, VCPU_KERNEL_GS_BASE);
    as.st_d(host::segment_base, host::state, VCPU_KERNEL_GS_BASE);
    as.move(host::segment_base, t);
    as.st_d(t, host::state, VCPU_SEG_BASE + 8 * x86::Gs);
    as.st_d(t, host::state, VCPU_GS_BASE);
}

// TSC = counter since start * multiplier / 2^32 + the guest's offset: HostClock::to_ns.
void rdtsc(Block& b, const Insn&) {
    auto& as = b.as;
    Gpr count = b.temp(), t = b.temp(), high = b.temp();
    as.rdtime_d(count, zero);
    as.ld_d(t, host::state, VCPU_COUNTER_START);
    as.sub_d(count, count, t);
    as.ld_d(t, host::state, VCPU_COUNTER_MULTIPLIER);
    as.mulh_du(high, count, t);
    as.mul_d(count, count, t);
    as.srli_d(count, count, 32);
    as.bstrins_d(count, high, 63, 32);
    as.ld_d(t, host::state, VCPU_TSC_OFFSET);
    as.add_d(count, count, t);
    as.bstrpick_d(b.write64(x86::Rax), count, 31, 0);
    as.srli_d(b.write64(x86::Rdx), count, 32);
}

void rdtscp(Block& b, const Insn& i) {
    rdtsc(b, i);
    b.as.ld_wu(b.write64(x86::Rcx), host::state, VCPU_TSC_AUX);
}

// The direction is C++'s to change; most of these find it as they want it.
template <bool down>
void direction(Block& b, const Insn&) {
    Gpr t = b.temp();
    b.as.ld_d(t, host::state, VCPU_DIRECTION);
    if (down) b.as.bge(t, zero, b.slow_path());
    else b.as.blt(t, zero, b.slow_path());
}

constexpr u16 kernel = Row::kernel, faults = Row::faults, stacked = Row::faults | Row::stack;
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_CLI, cli, 0, 0, kernel},
    {ZYDIS_MNEMONIC_STI, sti, 0, 0, kernel | faults | Row::shadows},
    {ZYDIS_MNEMONIC_PUSHF, pushf, flag::arithmetic, 0, kernel | stacked},
    {ZYDIS_MNEMONIC_PUSHFD, pushf, flag::arithmetic, 0, kernel | stacked},
    {ZYDIS_MNEMONIC_PUSHFQ, pushf, flag::arithmetic, 0, kernel | stacked},
    {ZYDIS_MNEMONIC_POPF, popf, 0, flag::arithmetic, kernel | stacked},
    {ZYDIS_MNEMONIC_POPFD, popf, 0, flag::arithmetic, kernel | stacked},
    {ZYDIS_MNEMONIC_POPFQ, popf, 0, flag::arithmetic, kernel | stacked},
    {ZYDIS_MNEMONIC_SWAPGS, swapgs, 0, 0, kernel | faults},
    {ZYDIS_MNEMONIC_CLD, direction<false>, 0, 0, faults}, {ZYDIS_MNEMONIC_STD, direction<true>, 0, 0, faults},
    {ZYDIS_MNEMONIC_RDTSC, rdtsc, 0, 0, Row::tsc},
    {ZYDIS_MNEMONIC_RDTSCP, rdtscp, 0, 0, Row::tsc},
};

}  // namespace

Rows system_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

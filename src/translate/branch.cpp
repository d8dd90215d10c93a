// Near jumps, calls and returns. Far ones run in C++. Source: Intel SDM vol. 2, "JMP", "Jcc", "CALL", "RET", "LOOP/LOOPcc".
#include <Zydis/Mnemonic.h>

#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace flag = x86::flag;

u64 relative_target(Block& b, const Insn& i) {
    u64 t = b.next_rip() + static_cast<u64>(i.imm);
    return i.operand_size == 8 ? t : t & mask(i.operand_size * 8);
}

bool is_far(const Insn& i) {
    if (i.op[0].is(OperandKind::FarPointer)) return true;
    unsigned extension = i.modrm >> 3 & 7;
    return i.opcode == 0xff && (extension == 3 || extension == 5);
}

// Taken, the flags and registers go on as they are; not taken, the block does, unless the jump goes back: a loop's end.
void branch_on(Block& b, const Insn& i, Test t) {
    u64 target = relative_target(b, i);
    b.exit_if(t, target);
    if (target <= b.rip()) b.exit_to(b.next_rip());
}

void jcc(Block& b, const Insn& i) { branch_on(b, i, b.test(i.opcode & 15)); }

void jmp(Block& b, const Insn& i) {
    if (is_far(i)) return b.callout();
    if (i.op[0].is(OperandKind::Relative)) return b.exit_to(relative_target(b, i));
    b.exit_indirect(b.read(i.op[0], Upper::Zero));
}

// A call to an address that is not canonical pushes nothing. Programs live in the lower half; what does not is C++'s.
void check_target(Block& b, Gpr target) {
    auto& as = b.as;
    Gpr t = b.temp();
    if (b.mode.user()) {
        as.srli_d(t, target, 47);
        return as.bnez(t, b.slow_path());
    }
    as.slli_d(t, target, 16);
    as.srai_d(t, t, 16);
    as.bne(t, target, b.slow_path());
}

// Whether no target of this width can lie beyond CS's limit.
bool within_limit(const Mode& m, unsigned size) {
    return m.flat(x86::Cs) || (size == 2 && (m.small(x86::Cs) || m.plain(x86::Cs)));
}

void call(Block& b, const Insn& i) {
    if (is_far(i)) return b.callout();
    unsigned size = i.operand_size;
    bool direct = i.op[0].is(OperandKind::Relative);
    // One beyond the segment pushes nothing.
    if (!within_limit(b.mode, size)) return b.callout();
    Gpr target = zero;
    if (!direct) {
        target = b.read(i.op[0], Upper::Zero);
        if (i.op[0].is(OperandKind::Gpr) && i.op[0].reg == x86::Rsp) {  // the value before the push
            Gpr t = b.temp();
            b.as.move(t, target);
            target = t;
        }
    }
    if (!direct && size == 8) check_target(b, target);
    u64 back = b.next_rip();
    if (size < 8) back &= mask(size * 8);
    Gpr value = b.constant(back);
    b.store(value, b.stack_address(-static_cast<i64>(size), size), size);
    b.add_to_stack_pointer(-static_cast<i64>(size));
    if (b.mode.flat(x86::Cs)) b.push_return(back, value);
    direct ? b.exit_to(relative_target(b, i)) : b.exit_indirect(target);
}

void ret(Block& b, const Insn& i) {
    if (i.opcode != 0xc3 && i.opcode != 0xc2) return b.callout();
    unsigned size = i.operand_size;
    b.temp(), b.temp();  // the second is host::target
    Gpr target = host::target;
    b.load(target, b.stack_address(0, size), size, Upper::Zero);
    i64 extra = i.operands ? static_cast<i64>(static_cast<u16>(i.imm)) : 0;
    b.add_to_stack_pointer(size);
    for (; extra > 0; extra -= 2040) b.add_to_stack_pointer(extra > 2040 ? 2040 : extra);
    b.mode.flat(x86::Cs) ? b.exit_return(target) : b.exit_indirect(target);
}

Gpr counter(Block& b, const Insn& i) {
    if (i.address_size == 8) return b.whole(x86::Rcx);
    Gpr t = b.temp();
    b.as.bstrpick_d(t, b.low(x86::Rcx), i.address_size * 8 - 1, 0);
    return t;
}

void jrcxz(Block& b, const Insn& i) { branch_on(b, i, {Condition::Eq, counter(b, i), zero}); }

// LOOP, LOOPE (condition Z) and LOOPNE.
template <int cc>
void loop(Block& b, const Insn& i) {
    auto& as = b.as;
    Gpr condition = zero;
    if (cc >= 0) condition = b.condition_value(cc);
    Gpr t = b.temp();
    as.addi_d(t, i.address_size == 8 ? b.whole(x86::Rcx) : b.low(x86::Rcx), -1);
    if (i.address_size == 8) as.move(b.write64(x86::Rcx), t);
    else if (i.address_size == 4) as.bstrpick_d(b.write32(x86::Rcx, Upper::Zero), t, 31, 0);
    else b.write_low(x86::Rcx, 2, t);
    Gpr count = counter(b, i), go = b.temp();
    as.sltu(go, zero, count);
    if (cc >= 0) as.and_(go, go, condition);
    branch_on(b, i, {Condition::Ne, go, zero});
}

constexpr u16 of = flag::of, cf = flag::cf, zf = flag::zf, sf = flag::sf, pf = flag::pf;
constexpr u8 stacked = Row::faults | Row::stack, ends = Row::ends | Row::faults;
constexpr u8 side = Row::faults;  // what leaves by the side shows all flags
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_JO, jcc, of, 0, side}, {ZYDIS_MNEMONIC_JNO, jcc, of, 0, side},
    {ZYDIS_MNEMONIC_JB, jcc, cf, 0, side}, {ZYDIS_MNEMONIC_JNB, jcc, cf, 0, side},
    {ZYDIS_MNEMONIC_JZ, jcc, zf, 0, side}, {ZYDIS_MNEMONIC_JNZ, jcc, zf, 0, side},
    {ZYDIS_MNEMONIC_JBE, jcc, cf | zf, 0, side}, {ZYDIS_MNEMONIC_JNBE, jcc, cf | zf, 0, side},
    {ZYDIS_MNEMONIC_JS, jcc, sf, 0, side}, {ZYDIS_MNEMONIC_JNS, jcc, sf, 0, side},
    {ZYDIS_MNEMONIC_JP, jcc, pf, 0, side}, {ZYDIS_MNEMONIC_JNP, jcc, pf, 0, side},
    {ZYDIS_MNEMONIC_JL, jcc, sf | of, 0, side}, {ZYDIS_MNEMONIC_JNL, jcc, sf | of, 0, side},
    {ZYDIS_MNEMONIC_JLE, jcc, sf | of | zf, 0, side}, {ZYDIS_MNEMONIC_JNLE, jcc, sf | of | zf, 0, side},
    {ZYDIS_MNEMONIC_JCXZ, jrcxz, 0, 0, side}, {ZYDIS_MNEMONIC_JECXZ, jrcxz, 0, 0, side}, {ZYDIS_MNEMONIC_JRCXZ, jrcxz, 0, 0, side},
    {ZYDIS_MNEMONIC_LOOP, loop<-1>, 0, 0, side}, {ZYDIS_MNEMONIC_LOOPE, loop<4>, zf, 0, side}, {ZYDIS_MNEMONIC_LOOPNE, loop<5>, zf, 0, side},
    {ZYDIS_MNEMONIC_JMP, jmp, 0, 0, ends}, {ZYDIS_MNEMONIC_CALL, call, 0, 0, ends | stacked}, {ZYDIS_MNEMONIC_RET, ret, 0, 0, ends | stacked},
};

}  // namespace

Rows branch_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

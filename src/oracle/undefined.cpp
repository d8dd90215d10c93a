// Source: Intel SDM vol. 2, "Flags Affected" and "FPU Flags Affected" of each instruction, and vol. 1, "EFLAGS
// Cross-Reference". Hardware that does something regular with an undefined flag is not asked.
#include <Zydis/Mnemonic.h>

#include "oracle/mask.hpp"

namespace bmbt::oracle {
namespace {

using namespace x86;
using namespace x86::flag;

constexpr u16 c0 = 1 << 8, c1 = 1 << 9, c2 = 1 << 10, c3 = 1 << 14;

// A count or value that is an operand: from the instruction, or from the state before, if known.
struct Known {
    bool known;
    u64 value;
};

Known operand_value(const Insn& i, const Operand& op, const State* before) {
    switch (op.kind) {
        case OperandKind::Immediate: return {true, static_cast<u64>(op.second_immediate ? i.imm2 : i.imm)};
        case OperandKind::Gpr: return before ? Known{true, before->gpr[op.reg] & mask(op.size * 8u)} : Known{false, 0};
        case OperandKind::GprHigh: return before ? Known{true, before->gpr[op.reg] >> 8 & 0xff} : Known{false, 0};
        default: return {false, 0};
    }
}

// The count of a shift or rotate: the last explicit operand, or 1 for D0 and D1, or CL.
Known shift_count(const Insn& i, const State* before, unsigned first_operands) {
    Known count;
    if (i.operands > first_operands)
        count = operand_value(i, i.op[i.operands - 1], before);
    else if (i.opcode_map == 0 && (i.opcode & ~1) == 0xd0)
        count = {true, 1};
    else
        count = before ? Known{true, before->gpr[Rcx] & 0xff} : Known{false, 0};
    count.value &= i.op[0].size == 8 ? 63 : 31;
    return count;
}

void shift(const Insn& i, const State* before, bool loses_carry, Undefined& u) {
    Known count = shift_count(i, before, 1);
    if (!count.known) {
        u.flags = of | af | (loses_carry ? cf : 0);
        return;
    }
    if (count.value == 0) return;
    u.flags = af | (count.value != 1 ? of : 0);
    if (loses_carry && count.value >= i.op[0].size * 8u) u.flags |= cf;
    u.flags_written = arithmetic & ~u.flags;
}

void rotate(const Insn& i, const State* before, Undefined& u) {
    Known count = shift_count(i, before, 1);
    if (!count.known || count.value > 1) u.flags = of;
    if (count.known && count.value) u.flags_written = cf;
}

// A 16-bit double shift by more than 16 has no defined result at all.
void double_shift(const Insn& i, const State* before, Undefined& u) {
    Known count = shift_count(i, before, 2);
    bool all = i.op[0].size == 2 && (!count.known || count.value > 16);
    if (count.known && count.value == 0) return;
    u.flags = all ? arithmetic : af | (!count.known || count.value != 1 ? of : 0);
    if (all && i.op[0].is(OperandKind::Gpr)) u.gpr[i.op[0].reg] = 0xffff;
    if (count.known) u.flags_written = arithmetic & ~u.flags;
}

void bit_scan(const Insn& i, const State* before, Undefined& u) {
    u.flags = cf | of | sf | af | pf;
    u.flags_written = zf;
    Known source = operand_value(i, i.op[1], before);
    // Nothing found leaves the destination as it was; but of 32 bits' upper half, older processors clear it.
    if ((!source.known || source.value == 0) && i.op[0].size == 4) u.gpr[i.op[0].reg] = ~mask(32);
}

bool integer(const Insn& i, const State* before, Undefined& u) {
    auto leaves = [&](u64 undefined) {
        u.flags = undefined;
        u.flags_written = arithmetic & ~undefined;
        return true;
    };
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_AAA:
        case ZYDIS_MNEMONIC_AAS: return leaves(of | sf | zf | pf);
        case ZYDIS_MNEMONIC_AAD:
        case ZYDIS_MNEMONIC_AAM: return leaves(of | af | cf);
        case ZYDIS_MNEMONIC_DAA:
        case ZYDIS_MNEMONIC_DAS: return leaves(of);
        case ZYDIS_MNEMONIC_AND:
        case ZYDIS_MNEMONIC_OR:
        case ZYDIS_MNEMONIC_XOR:
        case ZYDIS_MNEMONIC_TEST: return leaves(af);
        case ZYDIS_MNEMONIC_MUL:
        case ZYDIS_MNEMONIC_IMUL: return leaves(sf | zf | af | pf);
        case ZYDIS_MNEMONIC_DIV:
        case ZYDIS_MNEMONIC_IDIV: return leaves(arithmetic);
        case ZYDIS_MNEMONIC_BT:
        case ZYDIS_MNEMONIC_BTS:
        case ZYDIS_MNEMONIC_BTR:
        case ZYDIS_MNEMONIC_BTC:
            u.flags = of | sf | af | pf;
            u.flags_written = cf;
            return true;
        case ZYDIS_MNEMONIC_BSF:
        case ZYDIS_MNEMONIC_BSR: bit_scan(i, before, u); return true;
        case ZYDIS_MNEMONIC_SHL:
        case ZYDIS_MNEMONIC_SHR: shift(i, before, true, u); return true;
        case ZYDIS_MNEMONIC_SAR: shift(i, before, false, u); return true;
        case ZYDIS_MNEMONIC_ROL:
        case ZYDIS_MNEMONIC_ROR:
        case ZYDIS_MNEMONIC_RCL:
        case ZYDIS_MNEMONIC_RCR: rotate(i, before, u); return true;
        case ZYDIS_MNEMONIC_SHLD:
        case ZYDIS_MNEMONIC_SHRD: double_shift(i, before, u); return true;
        case ZYDIS_MNEMONIC_ADD:
        case ZYDIS_MNEMONIC_ADC:
        case ZYDIS_MNEMONIC_SUB:
        case ZYDIS_MNEMONIC_SBB:
        case ZYDIS_MNEMONIC_CMP:
        case ZYDIS_MNEMONIC_NEG:
        case ZYDIS_MNEMONIC_XADD:
        case ZYDIS_MNEMONIC_CMPXCHG:
        case ZYDIS_MNEMONIC_POPCNT:
        case ZYDIS_MNEMONIC_PTEST:
        case ZYDIS_MNEMONIC_COMISS:
        case ZYDIS_MNEMONIC_COMISD:
        case ZYDIS_MNEMONIC_UCOMISS:
        case ZYDIS_MNEMONIC_UCOMISD:
        case ZYDIS_MNEMONIC_PCMPESTRI:
        case ZYDIS_MNEMONIC_PCMPESTRM:
        case ZYDIS_MNEMONIC_PCMPISTRI:
        case ZYDIS_MNEMONIC_PCMPISTRM:
        case ZYDIS_MNEMONIC_POPF:
        case ZYDIS_MNEMONIC_POPFD:
        case ZYDIS_MNEMONIC_POPFQ: return leaves(0);
        // Bits 19:16 of the descriptor's second half come along or not.
        case ZYDIS_MNEMONIC_LAR:
            if (i.op[0].size > 2) u.gpr[i.op[0].reg] = 0xf'0000;
            u.flags_written = zf;
            return true;
        case ZYDIS_MNEMONIC_INC:
        case ZYDIS_MNEMONIC_DEC: u.flags_written = arithmetic & ~cf; return true;
        case ZYDIS_MNEMONIC_SAHF: u.flags_written = arithmetic & ~of; return true;
        case ZYDIS_MNEMONIC_CLC:
        case ZYDIS_MNEMONIC_STC: u.flags_written = cf; return true;
        default: return false;
    }
}

// RCPPS and its kin promise a bound, not a value.
bool approximates(u16 mnemonic) {
    return mnemonic == ZYDIS_MNEMONIC_RCPPS || mnemonic == ZYDIS_MNEMONIC_RCPSS || mnemonic == ZYDIS_MNEMONIC_RSQRTPS ||
           mnemonic == ZYDIS_MNEMONIC_RSQRTSS;
}

bool x87(const Insn& i, Undefined& u) {
    if (i.opcode_map != 0 || ((i.opcode & 0xf8) != 0xd8 && i.opcode != 0x9b)) return false;
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_FCOM:
        case ZYDIS_MNEMONIC_FCOMP:
        case ZYDIS_MNEMONIC_FCOMPP:
        case ZYDIS_MNEMONIC_FUCOM:
        case ZYDIS_MNEMONIC_FUCOMP:
        case ZYDIS_MNEMONIC_FUCOMPP:
        case ZYDIS_MNEMONIC_FICOM:
        case ZYDIS_MNEMONIC_FICOMP:
        case ZYDIS_MNEMONIC_FTST:
        case ZYDIS_MNEMONIC_FXAM:
        case ZYDIS_MNEMONIC_FPREM:
        case ZYDIS_MNEMONIC_FPREM1:
        case ZYDIS_MNEMONIC_FNINIT:
        case ZYDIS_MNEMONIC_FRSTOR:
        case ZYDIS_MNEMONIC_FLDENV:
        case ZYDIS_MNEMONIC_FNSAVE: return true;
        case ZYDIS_MNEMONIC_FCOMI:
        case ZYDIS_MNEMONIC_FCOMIP:
        case ZYDIS_MNEMONIC_FUCOMI:
        case ZYDIS_MNEMONIC_FUCOMIP: u.flags_written = zf | pf | cf; return true;
        case ZYDIS_MNEMONIC_FSIN:
        case ZYDIS_MNEMONIC_FCOS:
        case ZYDIS_MNEMONIC_FSINCOS:
        case ZYDIS_MNEMONIC_FPTAN: u.fsw = c0 | c3; break;
        case ZYDIS_MNEMONIC_FNOP:
        case ZYDIS_MNEMONIC_FWAIT:
        case ZYDIS_MNEMONIC_FFREE:
        case ZYDIS_MNEMONIC_FFREEP:
        case ZYDIS_MNEMONIC_FLDCW:
        case ZYDIS_MNEMONIC_FNSTCW:
        case ZYDIS_MNEMONIC_FNSTSW:
        case ZYDIS_MNEMONIC_FNSTENV:
        case ZYDIS_MNEMONIC_FNCLEX: u.fsw = c0 | c1 | c2 | c3; return true;
        default: u.fsw = c0 | c2 | c3; break;
    }
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_FSINCOS:
        case ZYDIS_MNEMONIC_FPTAN: u.tolerance = Tolerance::TranscendentalPair; break;
        case ZYDIS_MNEMONIC_FSIN:
        case ZYDIS_MNEMONIC_FCOS:
        case ZYDIS_MNEMONIC_FPATAN:
        case ZYDIS_MNEMONIC_F2XM1:
        case ZYDIS_MNEMONIC_FYL2X:
        case ZYDIS_MNEMONIC_FYL2XP1: u.tolerance = Tolerance::Transcendental; break;
        default: break;
    }
    return true;
}

}  // namespace

Undefined undefined_by(const Insn& i, const State* before) {
    Undefined u;
    if (integer(i, before, u) || x87(i, u)) return u;
    if (approximates(i.mnemonic))
        u.tolerance = i.mnemonic == ZYDIS_MNEMONIC_RCPSS || i.mnemonic == ZYDIS_MNEMONIC_RSQRTSS
                          ? Tolerance::ReciprocalScalar
                          : Tolerance::Reciprocal;
    return u;
}

Undefined undefined_by_faulting(const Insn& i) {
    Undefined u;
    bool compares = i.opcode_map == 0 && ((i.opcode & 0xfe) == 0xa6 || (i.opcode & 0xfe) == 0xae);
    // Elements before the fault do not show on Intel's processors ("REP/REPE/REPZ/REPNE/REPNZ"), and do on AMD's.
    if (compares && (i.rep || i.repne)) u.flags = arithmetic;
    return u;
}

Mask always_ignored(CodeSize mode) {
    Mask m;
    m.words[word::flags] = rf | vif | vip | ~mask(22);
    m.words[word::seg + 1] = ~u64{0} << 32;
    m.words[word::x87] = 0xffff'ff00'0000'0000;
    m.words[word::fip] = m.words[word::fdp] = ~u64{0};
    m.words[word::mxcsr] = ~u64{0} << 32 | 1 << 17;  // bit 17 is AMD's misaligned exception mask
    for (unsigned n = 0; n < 8; n++) m.words[word::st + 2 * n + 1] = ~mask(16);
    if (mode == CodeSize::Bits64) return m;
    for (unsigned n = 0; n < 16; n++) {
        m.words[n] = n < 8 ? ~mask(32) : ~u64{0};
        if (n >= 8) m.words[word::xmm + 2 * n] = m.words[word::xmm + 2 * n + 1] = ~u64{0};
    }
    m.words[word::rip] = ~mask(32);
    return m;
}

}  // namespace bmbt::oracle

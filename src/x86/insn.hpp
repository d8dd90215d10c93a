// A decoded guest instruction: what the translator, the C++ semantics and the reports share. Made by decode() from Zydis.
#pragma once
#include "base/types.hpp"
#include "x86/registers.hpp"

namespace bmbt::x86 {

enum class OperandKind : u8 {
    None,
    Gpr,        // reg 0-15, low `size` bytes
    GprHigh,    // reg 0-3: AH CH DH BH
    Segment,    // reg is a Seg
    Control,    // CRn
    Debug,      // DRn
    X87,        // ST(reg)
    Mmx,        // MMn
    Xmm,        // XMMn
    Memory,     // Insn::mem
    Immediate,  // Insn::imm, sign-extended as the instruction says
    Relative,   // Insn::imm is the displacement from the next instruction
    FarPointer  // Insn::imm is the offset, Insn::imm2 the selector
};

struct Operand {
    OperandKind kind = OperandKind::None;
    u8 reg = 0;
    u8 size = 0;     // bytes; for memory what is accessed (0 where the instruction decides, as FXSAVE)
    bool second_immediate = false;  // Immediate: value is in imm2 (ENTER)
    bool is(OperandKind k) const { return kind == k; }
};

constexpr u8 no_register = 0xff, rip_register = 0xfe;

struct MemoryOperand {
    Seg seg = Ds;            // the segment that applies, overrides included
    u8 base = no_register;   // Gpr number, no_register or rip_register
    u8 index = no_register;
    u8 shift = 0;            // index is multiplied by 1 << shift
    i64 disp = 0;
};

struct Insn {
    u16 mnemonic = 0;      // ZydisMnemonic
    u8 length = 0;         // bytes, 1-15
    u8 operand_size = 4;   // bytes: 2, 4, 8 (effective operand size)
    u8 address_size = 8;   // bytes: 2, 4, 8
    u8 opcode = 0;         // last opcode byte
    u8 opcode_map = 0;     // 0 one-byte, 1 0F, 2 0F38, 3 0F3A
    u8 operands = 0;       // how many of op[] are explicit
    bool lock = false, rep = false, repne = false, has_modrm = false;
    u8 modrm = 0;
    Operand op[4];         // explicit operands, in Intel order
    MemoryOperand mem;     // the one explicit memory operand (if any of op[] is Memory)
    i64 imm = 0, imm2 = 0;
};

// Execution mode as the decoder needs it.
enum class CodeSize : u8 { Bits16, Bits32, Bits64 };

enum class DecodeError : u8 {
    None,
    Invalid,   // #UD: no such instruction (bad LOCK included)
    TooLong,   // #GP(0): over 15 bytes
    Truncated  // the bytes given ended first
};

// Decodes the instruction in bytes[0, size).
DecodeError decode(const u8* bytes, usize size, CodeSize mode, Insn& out);

// The instruction's name as the manual spells it, in lower case.
const char* mnemonic_name(u16 mnemonic);

}  // namespace bmbt::x86

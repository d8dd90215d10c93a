// Every encoding that the decoder's tables know, once each: what an instruction set of today has, offered here or not.
#pragma once
#include <Zydis/Zydis.h>

#include <functional>
#include <span>
#include <string>
#include <vector>

#include "x86/insn.hpp"

namespace bmbt::oracle {

// A form: what the manual's opcode map has in one place. A mnemonic has several.
struct EncodedForm {
    u8 map = 0;        // ZydisOpcodeMap
    u8 encoding = 0;   // ZydisInstructionEncoding
    u8 mandatory = 0;  // 66, F2, F3 or none
    u8 opcode = 0;
    i8 reg = -1, rm = -1;  // ModRM fields that belong to the opcode
    char place = '-';      // 'm' memory, 'r' register, '-' no ModRM
    u16 mnemonic = 0;
    auto operator<=>(const EncodedForm&) const = default;

    std::string text() const;  // as opcode tables have it: "66 0F 38 17 /r m"
};

// An encoding of a form, as far as the instruction's meaning hangs on it.
struct Shape {
    EncodedForm form;
    unsigned length = 0;       // bytes
    unsigned operand_bits = 0, address_bits = 0;
    u8 repeat = 0;             // F2 or F3 where it repeats a string instruction
    bool lock = false;
    u16 isa_extension = 0, category = 0;  // ZydisISAExt, ZydisInstructionCategory
    // What the operand size changes, and the address size but for a ModRM operand's address: sizes and registers of all
    // operands, hidden ones too.
    std::vector<u16> sizes{}, addresses{};
};
bool shape_of(x86::CodeSize, std::span<const u8> bytes, Shape& out);  // of the bytes' first instruction; false: none

struct Encoding {
    x86::CodeSize mode;
    std::vector<u8> bytes;
    EncodedForm form;
    u16 isa_set;  // ZydisISASet
    bool reused;  // bytes that mean this only where an extension gives them a new meaning; here they mean the old one
    bool privileged;
};

// The form that the bytes' first instruction is of; false if it is none.
bool form_of(x86::CodeSize, std::span<const u8> bytes, EncodedForm& out);

// Calls `visit` with one encoding of every form in every code size behind every set of prefixes that may be part of an
// opcode (66, F2, F3, REX.W, 67 and pairs of them). Memory operands are [RDI], or [BX] with 16-bit addresses, or have a
// SIB byte; displacements and immediates are 0.
void walk_encodings(const std::function<void(const Encoding&)>& visit);

}  // namespace bmbt::oracle

// Every encoding of an x86-64-v2 user instruction, one row a form, as the manual's opcode tables have them.
#pragma once
#include <string>
#include <vector>

#include "base/types.hpp"

namespace bmbt::oracle {

// A row. `opcode`: bytes in hexadecimal; "66:" "F2:" "F3:" a mandatory prefix; "W" REX.W; "/r" or "/0".."/7" a ModRM
// byte;
// "+r" a register in the last byte; "ib iw iz iv" an immediate of 1, 2, 2 or 4, and 2, 4 or 8 bytes, "ip" a far
// pointer, "cb cz" a branch displacement, "mo" an address.
// `operands`: a letter and a size. Letters: E general register or memory, G general register; W XMM or memory, V XMM;
// Q MMX or memory, P MMX; M memory only; R, U, N register only (general, XMM, MMX); S segment register.
// Sizes: b w d q bytes 1 2 4 8; v operand size; y 4 or 8; t ten bytes; x 16 bytes aligned, u 16 bytes not; a number.
// `notes`: see Note.
struct Form {
    const char* name;
    std::string opcode, operands, notes;
    std::string group;  // for --only: "alu", "shift", "sse", ...
};

namespace note {
constexpr char lock = 'L';                // may be LOCKed with memory
constexpr char no64 = '6';                // not in 64-bit code
constexpr char only64 = '4';              // only in 64-bit code
constexpr char default64 = 'F';           // in 64-bit code the operand size is 64 bits, or 16 with a prefix
constexpr char stack = 'S';               // uses the stack
constexpr char x87 = 'X';                 // x87 or MMX state
constexpr char single = 's', real = 'd';  // operands are packed singles, doubles
constexpr char string = 'T';              // memory at rSI and rDI, may be repeated
constexpr char bit_string = 'N';          // a bit offset in a register reaches beyond the operand
constexpr char address = 'A';             // an address size of its own: no ModRM operand, or nothing but the address
constexpr char user = 'U';                // means something else at CPL 0
constexpr char indirect = 'I';            // branches to what the operand holds
constexpr char special = '*';             // generate.cpp knows the name
}  // namespace note

const std::vector<Form>& forms();
void add_edge_forms(std::vector<Form>&);  // a part of them

}  // namespace bmbt::oracle

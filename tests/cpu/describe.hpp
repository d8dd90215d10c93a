// A decoded instruction as one line of text, for tests.
#pragma once
#include <cstdio>
#include <string>

#include "x86/insn.hpp"

namespace bmbt::test {

inline std::string hex(i64 v) {
    char text[32];
    std::snprintf(text, sizeof text, "%s%llx", v < 0 ? "-" : "", static_cast<unsigned long long>(v < 0 ? -v : v));
    return text;
}

inline std::string describe_memory(const x86::MemoryOperand& m) {
    static const char* const segs[] = {"es", "cs", "ss", "ds", "fs", "gs"};
    auto reg = [](u8 r) { return r == x86::rip_register ? std::string("rip") : "r" + std::to_string(r); };
    std::string s = std::string(segs[m.seg]) + "[";
    if (m.base != x86::no_register) s += reg(m.base);
    if (m.index != x86::no_register) s += "+" + reg(m.index) + "*" + std::to_string(1 << m.shift);
    return s + "+" + hex(m.disp) + "]";
}

// "<name> <operands> | o<operand size> a<address size> n<length> <flags>"
inline std::string describe(const x86::Insn& i) {
    using enum x86::OperandKind;
    std::string s = x86::mnemonic_name(i.mnemonic);
    for (unsigned n = 0; n < i.operands; n++) {
        const x86::Operand& op = i.op[n];
        std::string size = ":" + std::to_string(op.size), number = std::to_string(op.reg);
        s += n ? ", " : " ";
        switch (op.kind) {
            case None: s += "none"; break;
            case Gpr: s += "r" + number + size; break;
            case GprHigh: s += "high" + number + size; break;
            case Segment: s += "seg" + number + size; break;
            case Control: s += "cr" + number + size; break;
            case Debug: s += "dr" + number + size; break;
            case X87: s += "st" + number; break;
            case Mmx: s += "mm" + number; break;
            case Xmm: s += "xmm" + number; break;
            case Memory: s += describe_memory(i.mem) + size; break;
            case Immediate: s += "$" + hex(op.second_immediate ? i.imm2 : i.imm); break;
            case Relative: s += "." + hex(i.imm); break;
            case FarPointer: s += hex(i.imm2) + ":" + hex(i.imm); break;
        }
    }
    s += " | o" + std::to_string(i.operand_size) + " a" + std::to_string(i.address_size) + " n" +
         std::to_string(i.length);
    if (i.lock) s += " lock";
    if (i.rep) s += " rep";
    if (i.repne) s += " repne";
    if (!i.operands && i.mem.seg != x86::Ds) s += " " + describe_memory(i.mem);
    return s;
}

}  // namespace bmbt::test

// An instruction's operands for the C++ semantics: registers, effective addresses, memory.
#pragma once
#include "cpu/flags.hpp"
#include "cpu/linear.hpp"
#include "x86/insn.hpp"

namespace bmbt {

inline u64 get_gpr(const Vcpu& v, unsigned n, unsigned size) { return v.gpr[n] & mask(8 * size); }
// Writing 32 bits clears the upper half.
inline void set_gpr(Vcpu& v, unsigned n, unsigned size, u64 value) {
    switch (size) {
        case 1: v.gpr[n] = (v.gpr[n] & ~u64{0xff}) | (value & 0xff); break;
        case 2: v.gpr[n] = (v.gpr[n] & ~u64{0xffff}) | (value & 0xffff); break;
        case 4: v.gpr[n] = value & 0xffff'ffff; break;
        default: v.gpr[n] = value; break;
    }
}

inline unsigned flag_iopl(const Vcpu& v) { return v.system_flags >> 12 & 3; }

// The next instruction's offset in CS, as RIP-relative addresses and return addresses count from it.
inline u64 following_rip(const Vcpu& v, const x86::Insn& i) {
    u64 next = v.rip + i.length;
    return v.code64() ? next : next & 0xffff'ffff;
}

// Offset of the memory operand in its segment, modulo the address size.
u64 effective_offset(const Vcpu&, const x86::Insn&);
// Linear address of `size` bytes at the memory operand (+ displacement), with segment and alignment checks.
x86::Guest<u64> operand_address(Vcpu&, const x86::Insn&, u64 size, bool write, u64 displacement = 0);

// Reads operand n: a register or memory, zero-extended from the operand's size, or an immediate, sign-extended.
x86::Guest<u64> get(Vcpu&, const x86::Insn&, unsigned n);
inline x86::Guest<i64> get_signed(Vcpu& v, const x86::Insn& i, unsigned n) {
    return sign_extend(TRY(get(v, i, n)), 8 * i.op[n].size);
}
// Writes operand n: a register or memory.
x86::Guest<> put(Vcpu&, const x86::Insn&, unsigned n, u64 value);

// An operand that is read and then written: its place is checked for writing before it is read, so set() cannot fail.
struct Target {
    const x86::Operand* op = nullptr;
    Stretch at;
    u64 value = 0;
    void set(Vcpu&, u64 value) const;
};
x86::Guest<Target> target(Vcpu&, const x86::Insn&, unsigned n);

// Up to 64 bytes at the memory operand.
x86::Guest<> get_bytes(Vcpu&, const x86::Insn&, void* to, u64 size, u64 displacement = 0);
x86::Guest<> put_bytes(Vcpu&, const x86::Insn&, const void* from, u64 size, u64 displacement = 0);

// A register operand's value, or its new value, without memory.
u64 get_register(const Vcpu&, const x86::Operand&);
void set_register(Vcpu&, const x86::Operand&, u64 value);

constexpr unsigned log2_size(unsigned bytes) { return bytes == 1 ? 0 : bytes == 2 ? 1 : bytes == 4 ? 2 : 3; }

}  // namespace bmbt

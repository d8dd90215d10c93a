// x87, MMX and SSE in plain C++. The arithmetic is src/fpu's; here are operands, availability and faults.
#pragma once
#include "cpu/operands.hpp"
#include "cpu/semantics.hpp"

namespace bmbt {

Semantics media_semantics(const x86::Insn&);

Semantics x87_semantics(const x86::Insn&);
Semantics sse_move_semantics(const x86::Insn&);
Semantics sse_float_semantics(const x86::Insn&);
Semantics sse_convert_semantics(const x86::Insn&);
Semantics sse_integer_semantics(const x86::Insn&);
Semantics sse_shuffle_semantics(const x86::Insn&);
Semantics sse_text_semantics(const x86::Insn&);
Semantics state_semantics(const x86::Insn&);  // FXSAVE, XSAVE, MXCSR, EMMS

// CR0.EM, CR0.TS and CR4.OSFXSR as each kind of instruction has them.
x86::Guest<> need_x87(const Vcpu&);
x86::Guest<> need_mmx(Vcpu&);  // #MF of a waiting exception included
// What a waiting instruction does first: #MF if an unmasked exception waits. With CR0.NE = 0 it goes out as FERR# instead, and
// either IGNNE# says to go on or #MF means that the processor stops here until an interrupt: see raise().
x86::Guest<> wait_for_x87(Vcpu&);
// With CR0.NE = 0 FERR# falls when nothing is pending any more, and what is pending later raises it anew.
void lower_ferr(Vcpu&);
x86::Guest<> need_sse(const Vcpu&);

// A vector register's value; MMX values are in q[0].
struct Vector128 {
    u64 q[2] = {};

    template <class T>
    T get(unsigned n) const {
        T t;
        __builtin_memcpy(&t, reinterpret_cast<const u8*>(q) + n * sizeof(T), sizeof(T));
        return t;
    }
    template <class T>
    void set(unsigned n, T t) {
        __builtin_memcpy(reinterpret_cast<u8*>(q) + n * sizeof(T), &t, sizeof(T));
    }
};

// Checks availability by the kinds of the operands: MMX, SSE, or both.
x86::Guest<> begin_media(Vcpu&, const x86::Insn&);
// #GP(0) unless the memory operand is on a 16-byte boundary; this comes before the checks of its segment.
x86::Guest<> check_alignment(const Vcpu&, const x86::Insn&);
// The register of operand n, or op.size bytes of memory; 16 bytes of memory must be aligned unless `unaligned`.
x86::Guest<Vector128> get_vector(Vcpu&, const x86::Insn&, unsigned n, bool unaligned = false);
// Register operands only.
Vector128 vector_register(Vcpu&, const x86::Operand&);
// Writes a register (an MMX one enters MMX state).
void set_vector_register(Vcpu&, const x86::Operand&, const Vector128&);
// 8 for MMX, 16 for XMM, by operand 0.
inline unsigned vector_size(const x86::Insn& i) { return i.op[0].is(x86::OperandKind::Mmx) ? 8 : 16; }

// --- Families: F makes a new first operand.

// Lane by lane: T F(T, T).
template <class T, auto F>
x86::Guest<> lanewise(Vcpu& v, const x86::Insn& i) {
    CHECK(begin_media(v, i));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    for (unsigned n = 0; n < vector_size(i) / sizeof(T); n++) a.set<T>(n, F(a.get<T>(n), b.get<T>(n)));
    set_vector_register(v, i.op[0], a);
    return {};
}
// The whole register: Vector128 F(Vector128 a, Vector128 b, unsigned size, u8 immediate).
template <auto F>
x86::Guest<> whole(Vcpu& v, const x86::Insn& i) {
    CHECK(begin_media(v, i));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    set_vector_register(v, i.op[0], F(a, b, vector_size(i), static_cast<u8>(i.imm)));
    return {};
}

}  // namespace bmbt

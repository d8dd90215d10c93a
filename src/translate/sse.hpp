// What the SSE rows share: operands in vector registers. A row's register operands are XMM registers; instructions with
// MMX operands never reach one (see translator.cpp).
#pragma once
#include <Zydis/Mnemonic.h>

#include <initializer_list>

#include "translate/rows.hpp"

namespace bmbt::sse {

using namespace la64;

inline Vr xmm(const Operand& o) { return host::xmm(o.reg); }
inline bool in_memory(const Operand& o) { return o.is(OperandKind::Memory); }
inline unsigned immediate(Block& b, const Operand& o) { return static_cast<unsigned>(b.constant_of(o)) & 0xff; }

// The second operand whole: its register, or 16 bytes of memory (which must be aligned) in a temporary.
inline Vr source(Block& b, const Operand& o) {
    if (!in_memory(o)) return xmm(o);
    Vr t = b.vector_temp();
    b.load_vector(t, b.aligned_address());
    return t;
}
// The second operand's lowest 4 or 8 bytes; above them anything.
inline Vr scalar_source(Block& b, const Operand& o, unsigned size) {
    if (!in_memory(o)) return xmm(o);
    Vr t = b.vector_temp();
    b.load_scalar(t, b.address(), size);
    return t;
}

// To be called before a vector instruction that may trap. QEMU does not save general registers before it, as it does
// before memory accesses and branches: the trap would bring back what they were then. One access does that for it,
// where a general register may have been written since the last. No chip asks for it.
inline void settle(Block& b) {
    auto words = b.as.words();
    for (usize n = words.size(); n-- > 0;) {
        u32 word = words[n], major = word >> 26;
        bool memory = (major >= 0x08 && major <= 0x0b) || major == 0x0e, branch = major >= 0x10 && major <= 0x1b;
        // A load's own register is written behind what it saves.
        unsigned op = word >> 22;
        bool loads = major == 0x08 || major == 0x09 || major == 0x0e || (op >= 0xa0 && op <= 0xa3) || (op >= 0xa8 && op <= 0xaa);
        if (branch || (memory && !(loads && word & 31))) return;
        bool moves_to_general = word >> 20 == 0x72e || word >> 20 == 0x72f;  // VPICKVE2GR
        bool vector = major == 0x02 || major == 0x03 || (major == 0x1c && !moves_to_general);
        if (vector) continue;
        b.as.ld_b(zero, host::state, 0);
        return;
    }
}
inline void copy(Block& b, Vr d, Vr s) {
    if (!(d == s)) b.as.vori_b(d, s, 0);
}
inline void clear(Block& b, Vr d) { b.as.vxor_v(d, d, d); }
// d = the lowest 4 or 8 bytes of s, zeros above.
inline void only_lowest(Block& b, Vr d, Vr s, unsigned size) {
    if (size == 8) return b.as.vextl_qu_du(d, s);
    b.as.vbsll_v(d, s, 12);
    b.as.vbsrl_v(d, d, 12);
}
// d's lowest 4 or 8 bytes become those of s.
inline void insert_lowest(Block& b, Vr d, Vr s, unsigned size) {
    size == 8 ? b.as.vextrins_d(d, s, 0) : b.as.vextrins_w(d, s, 0);
}
// The general register operand to write `o.size` bytes to (4 or 8), whose upper half will be as said.
inline Gpr general(Block& b, const Operand& o, Upper upper) { return o.size == 8 ? b.write64(o.reg) : b.write32(o.reg, upper); }

// Where MXCSR.DE is to be set inline (Mode::denormals), an operation on a denormal number goes to the slow path, before any
// effect: C++ knows which flags it sets, and blocks behind it are of a mode without this test. A signalling NaN goes there too,
// as it would from the operation itself. Source: LoongArch vol. 1, "fclass.{s/d}"; vol. 2 for the vector form.
inline void test_denormals(Block& b, Floats f, std::initializer_list<Vr> operands) {
    if (!b.mode.denormals()) return;
    auto& as = b.as;
    const bool singles = f == Floats::LowSingle || f == Floats::Singles, low = f == Floats::LowSingle || f == Floats::LowDouble;
    Vr classes{};
    bool any = false;
    for (Vr v : operands) {
        if (b.known_not_denormal(v, f)) continue;
        Vr t = b.vector_temp();
        if (low) singles ? as.fclass_s(low_half(t), low_half(v)) : as.fclass_d(low_half(t), low_half(v));
        else singles ? as.vfclass_s(t, v) : as.vfclass_d(t, v);
        if (any) as.vor_v(classes, classes, t);
        else classes = t;
        any = true;
        b.learn_not_denormal(v, f);
    }
    if (!any) return;
    constexpr unsigned negative = 1 << 4, positive = 1 << 8;
    if (low) {
        Gpr t = b.temp();
        as.movfr2gr_s(t, low_half(classes));
        as.andi(t, t, negative | positive);
        as.bnez(t, b.slow_path());
    } else {
        as.vandi_b(classes, classes, negative | positive >> 8);  // in every byte: a signalling NaN's bit 0 is among them
        as.vsetnez_v(fcc0, classes);
        as.bcnez(fcc0, b.slow_path());
    }
}

// Encoder functions as template arguments.
using Three = void (Instructions<Assembler>::*)(Vr, Vr, Vr);
using Two = void (Instructions<Assembler>::*)(Vr, Vr);

}  // namespace bmbt::sse

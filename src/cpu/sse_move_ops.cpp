// SSE and MMX moves: whole registers, halves, elements, masks.
#include <Zydis/Zydis.h>

#include "cpu/media.hpp"

namespace bmbt {

using namespace x86;

namespace {

bool memory(const Operand& op) { return op.is(OperandKind::Memory); }

// A 16-byte move to or from memory; `aligned` asks for #GP off a 16-byte boundary.
Guest<> move128(Vcpu& v, const Insn& i, bool aligned) {
    CHECK(need_sse(v));
    if (!memory(i.op[0])) {
        set_vector_register(v, i.op[0], TRY(get_vector(v, i, 1, !aligned)));
        return {};
    }
    if (aligned) CHECK(check_alignment(v, i));
    u64 at = TRY(operand_address(v, i, 16, true));
    Vector128 value = vector_register(v, i.op[1]);
    return write(v, at, value.q, 16);
}
Guest<> move_aligned(Vcpu& v, const Insn& i) { return move128(v, i, true); }
Guest<> move_unaligned(Vcpu& v, const Insn& i) { return move128(v, i, false); }

// MOVSS and MOVSD: a load clears the rest of the register, a register move keeps it.
template <class T>
Guest<> move_scalar(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    if (memory(i.op[0])) return put_bytes(v, i, vector_register(v, i.op[1]).q, sizeof(T));
    Vector128 from = TRY(get_vector(v, i, 1)), to;
    if (!memory(i.op[1])) to = vector_register(v, i.op[0]);
    to.set<T>(0, from.get<T>(0));
    set_vector_register(v, i.op[0], to);
    return {};
}

// MOVLPS, MOVHPS, MOVLPD, MOVHPD: one half and memory.
template <unsigned Half>
Guest<> move_half(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    if (memory(i.op[0])) return put(v, i, 0, vector_register(v, i.op[1]).q[Half]);
    Vector128 from = TRY(get_vector(v, i, 1)), to = vector_register(v, i.op[0]);
    to.q[Half] = from.q[0];
    set_vector_register(v, i.op[0], to);
    return {};
}

// MOVD and MOVQ between vector registers, general registers and memory: zero-extended into a vector register.
Guest<> move_to_general(Vcpu& v, const Insn& i) {
    CHECK(begin_media(v, i));
    const Operand& to = i.op[0];
    const Operand& from = i.op[1];
    if (!to.is(OperandKind::Mmx) && !to.is(OperandKind::Xmm)) {
        CHECK(put(v, i, 0, vector_register(v, from).q[0]));
        if (from.is(OperandKind::Mmx)) fpu::enter_mmx(vcpu_x87(v));
        return {};
    }
    Vector128 value;
    if (from.is(OperandKind::Gpr))
        value.q[0] = get_register(v, from);
    else
        value.q[0] = TRY(get_vector(v, i, 1)).q[0];
    set_vector_register(v, to, value);
    return {};
}

Guest<> movq2dq(Vcpu& v, const Insn& i) {
    CHECK(begin_media(v, i));
    set_vector_register(v, i.op[0], TRY(get_vector(v, i, 1)));
    return {};
}
Guest<> movntq(Vcpu& v, const Insn& i) {
    CHECK(need_mmx(v));
    u64 value = vector_register(v, i.op[1]).q[0];
    CHECK(put(v, i, 0, value));
    fpu::enter_mmx(vcpu_x87(v));
    return {};
}

Vector128 movlhps(Vector128 a, Vector128 b, unsigned, u8) { return {{a.q[0], b.q[0]}}; }
Vector128 movhlps(Vector128 a, Vector128 b, unsigned, u8) { return {{b.q[1], a.q[1]}}; }
Vector128 movddup(Vector128, Vector128 b, unsigned, u8) { return {{b.q[0], b.q[0]}}; }
Vector128 movshdup(Vector128, Vector128 b, unsigned, u8) {
    for (unsigned n = 0; n < 4; n += 2) b.set<u32>(n, b.get<u32>(n + 1));
    return b;
}
Vector128 movsldup(Vector128, Vector128 b, unsigned, u8) {
    for (unsigned n = 0; n < 4; n += 2) b.set<u32>(n + 1, b.get<u32>(n));
    return b;
}

// The top bit of every element, as MOVMSKPS, MOVMSKPD and PMOVMSKB gather them.
template <class T>
Guest<> move_mask(Vcpu& v, const Insn& i) {
    CHECK(begin_media(v, i));
    Vector128 from = TRY(get_vector(v, i, 1));
    const unsigned size = i.op[1].is(OperandKind::Mmx) ? 8 : 16;
    u64 m = 0;
    for (unsigned n = 0; n < size / sizeof(T); n++) m |= u64{bit(from.get<T>(n), 8 * sizeof(T) - 1)} << n;
    set_gpr(v, i.op[0].reg, 8, m);
    return {};
}

// MASKMOVQ, MASKMOVDQU: bytes with the mask's top bit go to DS:(R)DI.
Guest<> mask_move(Vcpu& v, const Insn& i) {
    CHECK(begin_media(v, i));
    Vector128 data = vector_register(v, i.op[0]), m = TRY(get_vector(v, i, 1));
    const unsigned size = vector_size(i);
    u64 offset = v.gpr[Rdi] & mask(8 * i.address_size);
    u64 at = TRY(linear_address(v, i.mem.seg, offset, size, true));
    CHECK(check_aligned(v, at, 8));
    Stretch place = TRY(translate(v, at, size, true));
    u8 bytes[16];
    place.load(v, bytes);
    for (unsigned n = 0; n < size; n++)
        if (m.get<u8>(n) & 0x80) bytes[n] = data.get<u8>(n);
    place.store(v, bytes);
    return {};
}

// PEXTRx, EXTRACTPS: one element to a general register (zero-extended) or memory.
template <class T>
Guest<> extract(Vcpu& v, const Insn& i) {
    CHECK(begin_media(v, i));
    Vector128 from = TRY(get_vector(v, i, 1));
    const unsigned size = i.op[1].is(OperandKind::Mmx) ? 8 : 16;
    T value = from.get<T>(i.imm & (size / sizeof(T) - 1));
    if (memory(i.op[0])) return put_bytes(v, i, &value, sizeof(T));
    set_gpr(v, i.op[0].reg, 8, value);
    return {};
}

template <class T>
Guest<> insert(Vcpu& v, const Insn& i) {
    CHECK(begin_media(v, i));
    T value{};
    if (memory(i.op[1]))
        CHECK(get_bytes(v, i, &value, sizeof(T)));
    else
        value = static_cast<T>(v.gpr[i.op[1].reg]);
    Vector128 to = vector_register(v, i.op[0]);
    to.set<T>(i.imm & (vector_size(i) / sizeof(T) - 1), value);
    set_vector_register(v, i.op[0], to);
    return {};
}

}  // namespace

Semantics sse_move_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_MOVAPS:
        case ZYDIS_MNEMONIC_MOVAPD:
        case ZYDIS_MNEMONIC_MOVDQA:
        case ZYDIS_MNEMONIC_MOVNTPS:
        case ZYDIS_MNEMONIC_MOVNTPD:
        case ZYDIS_MNEMONIC_MOVNTDQ:
        case ZYDIS_MNEMONIC_MOVNTDQA: return move_aligned;
        case ZYDIS_MNEMONIC_MOVUPS:
        case ZYDIS_MNEMONIC_MOVUPD:
        case ZYDIS_MNEMONIC_MOVDQU:
        case ZYDIS_MNEMONIC_LDDQU: return move_unaligned;
        case ZYDIS_MNEMONIC_MOVSS: return move_scalar<u32>;
        case ZYDIS_MNEMONIC_MOVSD: return move_scalar<u64>;
        case ZYDIS_MNEMONIC_MOVLPS:
        case ZYDIS_MNEMONIC_MOVLPD: return move_half<0>;
        case ZYDIS_MNEMONIC_MOVHPS:
        case ZYDIS_MNEMONIC_MOVHPD: return move_half<1>;
        case ZYDIS_MNEMONIC_MOVLHPS: return whole<movlhps>;
        case ZYDIS_MNEMONIC_MOVHLPS: return whole<movhlps>;
        case ZYDIS_MNEMONIC_MOVDDUP: return whole<movddup>;
        case ZYDIS_MNEMONIC_MOVSHDUP: return whole<movshdup>;
        case ZYDIS_MNEMONIC_MOVSLDUP: return whole<movsldup>;
        case ZYDIS_MNEMONIC_MOVD:
        case ZYDIS_MNEMONIC_MOVQ: return move_to_general;
        case ZYDIS_MNEMONIC_MOVQ2DQ:
        case ZYDIS_MNEMONIC_MOVDQ2Q: return movq2dq;
        case ZYDIS_MNEMONIC_MOVNTQ: return movntq;
        case ZYDIS_MNEMONIC_MOVMSKPS: return move_mask<u32>;
        case ZYDIS_MNEMONIC_MOVMSKPD: return move_mask<u64>;
        case ZYDIS_MNEMONIC_PMOVMSKB: return move_mask<u8>;
        case ZYDIS_MNEMONIC_MASKMOVQ:
        case ZYDIS_MNEMONIC_MASKMOVDQU: return mask_move;
        case ZYDIS_MNEMONIC_PEXTRB: return extract<u8>;
        case ZYDIS_MNEMONIC_PEXTRW: return extract<u16>;
        case ZYDIS_MNEMONIC_PEXTRD:
        case ZYDIS_MNEMONIC_EXTRACTPS: return extract<u32>;
        case ZYDIS_MNEMONIC_PEXTRQ: return extract<u64>;
        case ZYDIS_MNEMONIC_PINSRB: return insert<u8>;
        case ZYDIS_MNEMONIC_PINSRW: return insert<u16>;
        case ZYDIS_MNEMONIC_PINSRD: return insert<u32>;
        case ZYDIS_MNEMONIC_PINSRQ: return insert<u64>;
        default: return nullptr;
    }
}

}  // namespace bmbt

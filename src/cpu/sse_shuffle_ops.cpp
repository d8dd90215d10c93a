// Shuffles, unpacks, packs, blends and byte shifts of MMX and SSE.
#include <Zydis/Zydis.h>

#include "cpu/media.hpp"

namespace bmbt {

using namespace x86;

namespace {

Vector128 pshufd(Vector128, Vector128 b, unsigned, u8 imm) {
    Vector128 r;
    for (unsigned n = 0; n < 4; n++) r.set<u32>(n, b.get<u32>(imm >> 2 * n & 3));
    return r;
}
// PSHUFW, PSHUFLW (First = 0) and PSHUFHW (First = 4): four words, the others are copied.
template <unsigned First>
Vector128 shuffle_words(Vector128, Vector128 b, unsigned, u8 imm) {
    Vector128 r = b;
    for (unsigned n = 0; n < 4; n++) r.set<u16>(First + n, b.get<u16>(First + (imm >> 2 * n & 3)));
    return r;
}
Vector128 pshufb(Vector128 a, Vector128 b, unsigned size, u8) {
    Vector128 r;
    for (unsigned n = 0; n < size; n++) {
        u8 m = b.get<u8>(n);
        r.set<u8>(n, m & 0x80 ? u8{0} : a.get<u8>(m & (size - 1)));
    }
    return r;
}
Vector128 shufps(Vector128 a, Vector128 b, unsigned, u8 imm) {
    Vector128 r;
    for (unsigned n = 0; n < 4; n++) r.set<u32>(n, (n < 2 ? a : b).get<u32>(imm >> 2 * n & 3));
    return r;
}
Vector128 shufpd(Vector128 a, Vector128 b, unsigned, u8 imm) { return {{a.q[imm & 1], b.q[imm >> 1 & 1]}}; }

// PALIGNR: bytes imm and up of first:second.
Vector128 palignr(Vector128 a, Vector128 b, unsigned size, u8 imm) {
    Vector128 r;
    for (unsigned n = 0; n < size; n++) {
        unsigned at = n + imm;
        r.set<u8>(n, at < size ? b.get<u8>(at) : at < 2 * size ? a.get<u8>(at - size) : u8{0});
    }
    return r;
}

// PUNPCKxx, UNPCKxx: elements of both operands' low (or high) halves, alternately.
template <class T, bool High>
Vector128 unpack(Vector128 a, Vector128 b, unsigned size, u8) {
    Vector128 r;
    const unsigned half = size / sizeof(T) / 2, first = High ? half : 0;
    for (unsigned n = 0; n < half; n++) {
        r.set<T>(2 * n, a.get<T>(first + n));
        r.set<T>(2 * n + 1, b.get<T>(first + n));
    }
    return r;
}

// PACKxx: elements of both operands, saturated to half their size.
template <class From, class To>
Vector128 pack(Vector128 a, Vector128 b, unsigned size, u8) {
    constexpr i64 low = static_cast<To>(-1) < 0 ? -(i64{1} << (8 * sizeof(To) - 1)) : 0;
    constexpr i64 high = low ? -low - 1 : (i64{1} << 8 * sizeof(To)) - 1;
    Vector128 r;
    const unsigned count = size / sizeof(From);
    for (unsigned n = 0; n < 2 * count; n++) {
        i64 x = n < count ? a.get<From>(n) : b.get<From>(n - count);
        r.set<To>(n, static_cast<To>(x < low ? low : x > high ? high : x));
    }
    return r;
}

// PBLENDW, BLENDPS, BLENDPD: one bit of the immediate an element.
template <class T>
Vector128 blend(Vector128 a, Vector128 b, unsigned, u8 imm) {
    for (unsigned n = 0; n < 16 / sizeof(T); n++)
        if (bit(imm, n)) a.set<T>(n, b.get<T>(n));
    return a;
}
// PBLENDVB, BLENDVPS, BLENDVPD: the top bits of XMM0's elements choose.
template <class T>
Guest<> blend_variable(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    Vector128 m = vector_register(v, {.kind = OperandKind::Xmm, .reg = 0, .size = 16});
    for (unsigned n = 0; n < 16 / sizeof(T); n++)
        if (bit(m.get<T>(n), 8 * sizeof(T) - 1)) a.set<T>(n, b.get<T>(n));
    set_vector_register(v, i.op[0], a);
    return {};
}

// INSERTPS: element imm[7:6] of a register (or memory) goes to element imm[5:4]; imm[3:0] clears elements.
Guest<> insertps(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    bool memory = i.op[1].is(OperandKind::Memory);
    a.set<u32>(i.imm >> 4 & 3, b.get<u32>(memory ? 0 : i.imm >> 6 & 3));
    for (unsigned n = 0; n < 4; n++)
        if (bit(static_cast<u64>(i.imm), n)) a.set<u32>(n, 0);
    set_vector_register(v, i.op[0], a);
    return {};
}

// PSLLDQ, PSRLDQ.
template <bool Left>
Guest<> byte_shift(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    Vector128 a = vector_register(v, i.op[0]), r;
    const unsigned count = static_cast<u8>(i.imm);
    for (unsigned n = 0; n + count < 16; n++) {
        if (Left)
            r.set<u8>(n + count, a.get<u8>(n));
        else
            r.set<u8>(n, a.get<u8>(n + count));
    }
    set_vector_register(v, i.op[0], r);
    return {};
}

}  // namespace

Semantics sse_shuffle_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_PSHUFD: return whole<pshufd>;
        case ZYDIS_MNEMONIC_PSHUFW:
        case ZYDIS_MNEMONIC_PSHUFLW: return whole<shuffle_words<0>>;
        case ZYDIS_MNEMONIC_PSHUFHW: return whole<shuffle_words<4>>;
        case ZYDIS_MNEMONIC_PSHUFB: return whole<pshufb>;
        case ZYDIS_MNEMONIC_SHUFPS: return whole<shufps>;
        case ZYDIS_MNEMONIC_SHUFPD: return whole<shufpd>;
        case ZYDIS_MNEMONIC_PALIGNR: return whole<palignr>;
        case ZYDIS_MNEMONIC_PUNPCKLBW: return whole<unpack<u8, false>>;
        case ZYDIS_MNEMONIC_PUNPCKLWD: return whole<unpack<u16, false>>;
        case ZYDIS_MNEMONIC_UNPCKLPS:
        case ZYDIS_MNEMONIC_PUNPCKLDQ: return whole<unpack<u32, false>>;
        case ZYDIS_MNEMONIC_UNPCKLPD:
        case ZYDIS_MNEMONIC_PUNPCKLQDQ: return whole<unpack<u64, false>>;
        case ZYDIS_MNEMONIC_PUNPCKHBW: return whole<unpack<u8, true>>;
        case ZYDIS_MNEMONIC_PUNPCKHWD: return whole<unpack<u16, true>>;
        case ZYDIS_MNEMONIC_UNPCKHPS:
        case ZYDIS_MNEMONIC_PUNPCKHDQ: return whole<unpack<u32, true>>;
        case ZYDIS_MNEMONIC_UNPCKHPD:
        case ZYDIS_MNEMONIC_PUNPCKHQDQ: return whole<unpack<u64, true>>;
        case ZYDIS_MNEMONIC_PACKSSWB: return whole<pack<i16, i8>>;
        case ZYDIS_MNEMONIC_PACKUSWB: return whole<pack<i16, u8>>;
        case ZYDIS_MNEMONIC_PACKSSDW: return whole<pack<i32, i16>>;
        case ZYDIS_MNEMONIC_PACKUSDW: return whole<pack<i32, u16>>;
        case ZYDIS_MNEMONIC_PBLENDW: return whole<blend<u16>>;
        case ZYDIS_MNEMONIC_BLENDPS: return whole<blend<u32>>;
        case ZYDIS_MNEMONIC_BLENDPD: return whole<blend<u64>>;
        case ZYDIS_MNEMONIC_PBLENDVB: return blend_variable<u8>;
        case ZYDIS_MNEMONIC_BLENDVPS: return blend_variable<u32>;
        case ZYDIS_MNEMONIC_BLENDVPD: return blend_variable<u64>;
        case ZYDIS_MNEMONIC_INSERTPS: return insertps;
        case ZYDIS_MNEMONIC_PSLLDQ: return byte_shift<true>;
        case ZYDIS_MNEMONIC_PSRLDQ: return byte_shift<false>;
        default: return nullptr;
    }
}

}  // namespace bmbt

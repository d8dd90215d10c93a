// Packed integer arithmetic of MMX and SSE to SSE4.2, lane by lane.
#include <Zydis/Zydis.h>

#include "cpu/media.hpp"

namespace bmbt {

using namespace x86;

namespace {

template <class T>
T add(T a, T b) {
    return static_cast<T>(a + b);
}
template <class T>
T sub(T a, T b) {
    return static_cast<T>(a - b);
}

// Clamps to the range of T.
template <class T>
T saturate(i64 x) {
    constexpr i64 low = static_cast<T>(-1) < 0 ? -(i64{1} << (8 * sizeof(T) - 1)) : 0;
    constexpr i64 high = low ? -low - 1 : (i64{1} << 8 * sizeof(T)) - 1;
    return static_cast<T>(x < low ? low : x > high ? high : x);
}
template <class T>
T add_saturated(T a, T b) {
    return saturate<T>(i64{a} + b);
}
template <class T>
T sub_saturated(T a, T b) {
    return saturate<T>(i64{a} - b);
}

template <class T>
T equal(T a, T b) {
    return a == b ? static_cast<T>(~T{0}) : T{0};
}
template <class T>
T greater(T a, T b) {
    return a > b ? static_cast<T>(~T{0}) : T{0};
}
template <class T>
T min(T a, T b) {
    return a < b ? a : b;
}
template <class T>
T max(T a, T b) {
    return a > b ? a : b;
}
template <class T>
T average(T a, T b) {
    return static_cast<T>((u32{a} + b + 1) >> 1);
}
template <class T>
T absolute(T, T b) {
    return b < 0 ? static_cast<T>(0 - static_cast<u64>(static_cast<i64>(b))) : b;
}
template <class T>
T with_sign(T a, T b) {
    return b < 0 ? static_cast<T>(0 - static_cast<u64>(static_cast<i64>(a))) : b ? a : T{0};
}

u64 and_(u64 a, u64 b) { return a & b; }
u64 and_not(u64 a, u64 b) { return ~a & b; }
u64 or_(u64 a, u64 b) { return a | b; }
u64 xor_(u64 a, u64 b) { return a ^ b; }

i16 multiply_low16(i16 a, i16 b) { return static_cast<i16>(i32{a} * b); }
i16 multiply_high16(i16 a, i16 b) { return static_cast<i16>(i32{a} * b >> 16); }
u16 multiply_high_unsigned16(u16 a, u16 b) { return static_cast<u16>(u32{a} * b >> 16); }
i16 multiply_rounded16(i16 a, i16 b) { return static_cast<i16>(((i32{a} * b >> 14) + 1) >> 1); }
i32 multiply_low32(i32 a, i32 b) { return static_cast<i32>(i64{a} * b); }
u64 multiply_even_unsigned(u64 a, u64 b) { return (a & 0xffff'ffff) * (b & 0xffff'ffff); }
u64 multiply_even(u64 a, u64 b) { return static_cast<u64>(sign_extend(a, 32) * sign_extend(b, 32)); }

// PMADDWD: both products of a pair, added.
u32 multiply_add(u32 a, u32 b) {
    i64 low = sign_extend(a, 16) * sign_extend(b, 16), high = sign_extend(a >> 16, 16) * sign_extend(b >> 16, 16);
    return static_cast<u32>(low + high);
}
// PMADDUBSW: unsigned bytes of the first times signed bytes of the second.
u16 multiply_add_bytes(u16 a, u16 b) {
    i64 low = (a & 0xff) * sign_extend(b, 8), high = (a >> 8) * sign_extend(b >> 8, 8);
    return static_cast<u16>(saturate<i16>(low + high));
}
u64 sum_of_differences(u64 a, u64 b) {
    u64 sum = 0;
    for (unsigned n = 0; n < 64; n += 8) {
        i64 d = static_cast<i64>(a >> n & 0xff) - static_cast<i64>(b >> n & 0xff);
        sum += static_cast<u64>(d < 0 ? -d : d);
    }
    return sum;
}

// PHADDx, PHSUBx: pairs of the first operand, then of the second.
template <class T, auto Op>
Vector128 horizontal(Vector128 a, Vector128 b, unsigned size, u8) {
    Vector128 r;
    const unsigned half = size / sizeof(T) / 2;
    for (unsigned n = 0; n < half; n++) {
        r.set<T>(n, Op(a.get<T>(2 * n), a.get<T>(2 * n + 1)));
        r.set<T>(half + n, Op(b.get<T>(2 * n), b.get<T>(2 * n + 1)));
    }
    return r;
}

// --- Shifts: the count is an immediate or the second operand's low quadword.

enum class Shift : u8 { Left, Right, Arithmetic };

template <class T, Shift S>
Guest<> shift(Vcpu& v, const Insn& i) {
    constexpr unsigned bits = 8 * sizeof(T);
    CHECK(begin_media(v, i));
    u64 count = i.op[1].is(OperandKind::Immediate) ? static_cast<u8>(i.imm) : TRY(get_vector(v, i, 1)).q[0];
    Vector128 a = vector_register(v, i.op[0]);
    for (unsigned n = 0; n < vector_size(i) / sizeof(T); n++) {
        u64 x = a.get<T>(n);
        if constexpr (S == Shift::Left) x = count < bits ? x << count : 0;
        if constexpr (S == Shift::Right) x = count < bits ? x >> count : 0;
        if constexpr (S == Shift::Arithmetic)
            x = static_cast<u64>(sign_extend(x, bits) >> (count < bits ? count : bits - 1));
        a.set<T>(n, static_cast<T>(x));
    }
    set_vector_register(v, i.op[0], a);
    return {};
}

// PMULUDQ's and PMULDQ's operands are the even doublewords.
template <class From, class To>
Guest<> extend(Vcpu& v, const Insn& i) {  // PMOVSXxx, PMOVZXxx
    CHECK(need_sse(v));
    Vector128 from = TRY(get_vector(v, i, 1)), to;
    for (unsigned n = 0; n < 16 / sizeof(To); n++) to.set<To>(n, static_cast<To>(from.get<From>(n)));
    set_vector_register(v, i.op[0], to);
    return {};
}

// MPSADBW: eight sums of four absolute differences along the first operand.
Vector128 sums_along(Vector128 a, Vector128 b, unsigned, u8 imm) {
    Vector128 r;
    const unsigned block = (imm & 3) * 4, start = (imm >> 2 & 1) * 4;
    for (unsigned n = 0; n < 8; n++) {
        u16 sum = 0;
        for (unsigned k = 0; k < 4; k++) {
            int d = a.get<u8>(start + n + k) - b.get<u8>(block + k);
            sum += static_cast<u16>(d < 0 ? -d : d);
        }
        r.set<u16>(n, sum);
    }
    return r;
}

// PHMINPOSUW: the smallest word and its place.
Vector128 smallest_word(Vector128, Vector128 b, unsigned, u8) {
    unsigned at = 0;
    for (unsigned n = 1; n < 8; n++)
        if (b.get<u16>(n) < b.get<u16>(at)) at = n;
    return {{b.get<u16>(at) | u64{at} << 16, 0}};
}

Guest<> ptest(Vcpu& v, const Insn& i) {
    CHECK(need_sse(v));
    Vector128 b = TRY(get_vector(v, i, 1)), a = vector_register(v, i.op[0]);
    bool zf = !((a.q[0] & b.q[0]) | (a.q[1] & b.q[1])), cf = !((~a.q[0] & b.q[0]) | (~a.q[1] & b.q[1]));
    set_arithmetic(v, (zf ? flag::zf : 0) | (cf ? flag::cf : 0));
    return {};
}

}  // namespace

Semantics sse_integer_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_PADDB: return lanewise<u8, add<u8>>;
        case ZYDIS_MNEMONIC_PADDW: return lanewise<u16, add<u16>>;
        case ZYDIS_MNEMONIC_PADDD: return lanewise<u32, add<u32>>;
        case ZYDIS_MNEMONIC_PADDQ: return lanewise<u64, add<u64>>;
        case ZYDIS_MNEMONIC_PSUBB: return lanewise<u8, sub<u8>>;
        case ZYDIS_MNEMONIC_PSUBW: return lanewise<u16, sub<u16>>;
        case ZYDIS_MNEMONIC_PSUBD: return lanewise<u32, sub<u32>>;
        case ZYDIS_MNEMONIC_PSUBQ: return lanewise<u64, sub<u64>>;
        case ZYDIS_MNEMONIC_PADDSB: return lanewise<i8, add_saturated<i8>>;
        case ZYDIS_MNEMONIC_PADDSW: return lanewise<i16, add_saturated<i16>>;
        case ZYDIS_MNEMONIC_PADDUSB: return lanewise<u8, add_saturated<u8>>;
        case ZYDIS_MNEMONIC_PADDUSW: return lanewise<u16, add_saturated<u16>>;
        case ZYDIS_MNEMONIC_PSUBSB: return lanewise<i8, sub_saturated<i8>>;
        case ZYDIS_MNEMONIC_PSUBSW: return lanewise<i16, sub_saturated<i16>>;
        case ZYDIS_MNEMONIC_PSUBUSB: return lanewise<u8, sub_saturated<u8>>;
        case ZYDIS_MNEMONIC_PSUBUSW: return lanewise<u16, sub_saturated<u16>>;
        case ZYDIS_MNEMONIC_PCMPEQB: return lanewise<u8, equal<u8>>;
        case ZYDIS_MNEMONIC_PCMPEQW: return lanewise<u16, equal<u16>>;
        case ZYDIS_MNEMONIC_PCMPEQD: return lanewise<u32, equal<u32>>;
        case ZYDIS_MNEMONIC_PCMPEQQ: return lanewise<u64, equal<u64>>;
        case ZYDIS_MNEMONIC_PCMPGTB: return lanewise<i8, greater<i8>>;
        case ZYDIS_MNEMONIC_PCMPGTW: return lanewise<i16, greater<i16>>;
        case ZYDIS_MNEMONIC_PCMPGTD: return lanewise<i32, greater<i32>>;
        case ZYDIS_MNEMONIC_PCMPGTQ: return lanewise<i64, greater<i64>>;
        case ZYDIS_MNEMONIC_PMINUB: return lanewise<u8, min<u8>>;
        case ZYDIS_MNEMONIC_PMINSB: return lanewise<i8, min<i8>>;
        case ZYDIS_MNEMONIC_PMINUW: return lanewise<u16, min<u16>>;
        case ZYDIS_MNEMONIC_PMINSW: return lanewise<i16, min<i16>>;
        case ZYDIS_MNEMONIC_PMINUD: return lanewise<u32, min<u32>>;
        case ZYDIS_MNEMONIC_PMINSD: return lanewise<i32, min<i32>>;
        case ZYDIS_MNEMONIC_PMAXUB: return lanewise<u8, max<u8>>;
        case ZYDIS_MNEMONIC_PMAXSB: return lanewise<i8, max<i8>>;
        case ZYDIS_MNEMONIC_PMAXUW: return lanewise<u16, max<u16>>;
        case ZYDIS_MNEMONIC_PMAXSW: return lanewise<i16, max<i16>>;
        case ZYDIS_MNEMONIC_PMAXUD: return lanewise<u32, max<u32>>;
        case ZYDIS_MNEMONIC_PMAXSD: return lanewise<i32, max<i32>>;
        case ZYDIS_MNEMONIC_PAVGB: return lanewise<u8, average<u8>>;
        case ZYDIS_MNEMONIC_PAVGW: return lanewise<u16, average<u16>>;
        case ZYDIS_MNEMONIC_PABSB: return lanewise<i8, absolute<i8>>;
        case ZYDIS_MNEMONIC_PABSW: return lanewise<i16, absolute<i16>>;
        case ZYDIS_MNEMONIC_PABSD: return lanewise<i32, absolute<i32>>;
        case ZYDIS_MNEMONIC_PSIGNB: return lanewise<i8, with_sign<i8>>;
        case ZYDIS_MNEMONIC_PSIGNW: return lanewise<i16, with_sign<i16>>;
        case ZYDIS_MNEMONIC_PSIGND: return lanewise<i32, with_sign<i32>>;
        case ZYDIS_MNEMONIC_PAND: return lanewise<u64, and_>;
        case ZYDIS_MNEMONIC_PANDN: return lanewise<u64, and_not>;
        case ZYDIS_MNEMONIC_POR: return lanewise<u64, or_>;
        case ZYDIS_MNEMONIC_PXOR: return lanewise<u64, xor_>;
        case ZYDIS_MNEMONIC_PMULLW: return lanewise<i16, multiply_low16>;
        case ZYDIS_MNEMONIC_PMULHW: return lanewise<i16, multiply_high16>;
        case ZYDIS_MNEMONIC_PMULHUW: return lanewise<u16, multiply_high_unsigned16>;
        case ZYDIS_MNEMONIC_PMULHRSW: return lanewise<i16, multiply_rounded16>;
        case ZYDIS_MNEMONIC_PMULLD: return lanewise<i32, multiply_low32>;
        case ZYDIS_MNEMONIC_PMULUDQ: return lanewise<u64, multiply_even_unsigned>;
        case ZYDIS_MNEMONIC_PMULDQ: return lanewise<u64, multiply_even>;
        case ZYDIS_MNEMONIC_PMADDWD: return lanewise<u32, multiply_add>;
        case ZYDIS_MNEMONIC_PMADDUBSW: return lanewise<u16, multiply_add_bytes>;
        case ZYDIS_MNEMONIC_PSADBW: return lanewise<u64, sum_of_differences>;
        case ZYDIS_MNEMONIC_PHADDW: return whole<horizontal<u16, add<u16>>>;
        case ZYDIS_MNEMONIC_PHADDD: return whole<horizontal<u32, add<u32>>>;
        case ZYDIS_MNEMONIC_PHADDSW: return whole<horizontal<i16, add_saturated<i16>>>;
        case ZYDIS_MNEMONIC_PHSUBW: return whole<horizontal<u16, sub<u16>>>;
        case ZYDIS_MNEMONIC_PHSUBD: return whole<horizontal<u32, sub<u32>>>;
        case ZYDIS_MNEMONIC_PHSUBSW: return whole<horizontal<i16, sub_saturated<i16>>>;
        case ZYDIS_MNEMONIC_PSLLW: return shift<u16, Shift::Left>;
        case ZYDIS_MNEMONIC_PSLLD: return shift<u32, Shift::Left>;
        case ZYDIS_MNEMONIC_PSLLQ: return shift<u64, Shift::Left>;
        case ZYDIS_MNEMONIC_PSRLW: return shift<u16, Shift::Right>;
        case ZYDIS_MNEMONIC_PSRLD: return shift<u32, Shift::Right>;
        case ZYDIS_MNEMONIC_PSRLQ: return shift<u64, Shift::Right>;
        case ZYDIS_MNEMONIC_PSRAW: return shift<u16, Shift::Arithmetic>;
        case ZYDIS_MNEMONIC_PSRAD: return shift<u32, Shift::Arithmetic>;
        case ZYDIS_MNEMONIC_PMOVSXBW: return extend<i8, i16>;
        case ZYDIS_MNEMONIC_PMOVSXBD: return extend<i8, i32>;
        case ZYDIS_MNEMONIC_PMOVSXBQ: return extend<i8, i64>;
        case ZYDIS_MNEMONIC_PMOVSXWD: return extend<i16, i32>;
        case ZYDIS_MNEMONIC_PMOVSXWQ: return extend<i16, i64>;
        case ZYDIS_MNEMONIC_PMOVSXDQ: return extend<i32, i64>;
        case ZYDIS_MNEMONIC_PMOVZXBW: return extend<u8, u16>;
        case ZYDIS_MNEMONIC_PMOVZXBD: return extend<u8, u32>;
        case ZYDIS_MNEMONIC_PMOVZXBQ: return extend<u8, u64>;
        case ZYDIS_MNEMONIC_PMOVZXWD: return extend<u16, u32>;
        case ZYDIS_MNEMONIC_PMOVZXWQ: return extend<u16, u64>;
        case ZYDIS_MNEMONIC_PMOVZXDQ: return extend<u32, u64>;
        case ZYDIS_MNEMONIC_MPSADBW: return whole<sums_along>;
        case ZYDIS_MNEMONIC_PHMINPOSUW: return whole<smallest_word>;
        case ZYDIS_MNEMONIC_PTEST: return ptest;
        default: return nullptr;
    }
}

}  // namespace bmbt

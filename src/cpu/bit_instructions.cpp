#include "cpu/bit_instructions.hpp"

#include <Zydis/Zydis.h>

#include "cpu/operands.hpp"

namespace bmbt {

using namespace x86;

namespace {

void change_flags(Vcpu& v, u64 which, u64 values) { set_arithmetic(v, (evaluate(v.flags) & ~which) | values); }

// What the manual leaves undefined (AF, and OF unless the count is one) is as translated code leaves it: a program
// sees the same whichever way an instruction goes.

// ZF, SF, PF from the result; CF and OF as given.
void shifted(Vcpu& v, const Insn& i, u64 result, bool cf, bool of) {
    v.flags = {result, (cf ? flag::cf : 0) | (of ? flag::of : 0), flag_kind(FlagOp::Result, log2_size(i.op[0].size))};
}
void rotated(Vcpu& v, bool cf, bool of) {
    change_flags(v, flag::cf | flag::of, (cf ? flag::cf : 0) | (of ? flag::of : 0));
}

// An operand to shift and how far: the count is modulo 32, or 64 for 64-bit operands.
struct Shift {
    Target t;
    unsigned bits, count;
    bool variable;  // by CL
    u64 all;
    u64 a() const { return t.value; }
    bool top(u64 x) const { return bit(x, bits - 1); }
};
Guest<Shift> shift(Vcpu& v, const Insn& i, unsigned count_operand = 1) {
    Shift s;
    u64 count = TRY(get(v, i, count_operand));
    s.t = TRY(target(v, i, 0));
    s.bits = 8 * i.op[0].size;
    s.all = mask(s.bits);
    s.count = count & (s.bits == 64 ? 63 : 31);
    s.variable = i.op[count_operand].is(OperandKind::Gpr);
    return s;
}

Guest<> shl(Vcpu& v, const Insn& i) {
    Shift s = TRY(shift(v, i));
    if (!s.count) {
        s.t.set(v, s.a());
        return {};
    }
    u64 r = s.a() << s.count & s.all;
    bool cf = s.count <= s.bits && bit(s.a(), s.bits - s.count);
    s.t.set(v, r);
    if (s.count == 1 && !s.variable)
        v.flags = {r, s.a(), flag_kind(FlagOp::AddR, log2_size(i.op[0].size))};
    else
        shifted(v, i, r, cf, s.variable && s.top(r) != cf);
    return {};
}

Guest<> shr(Vcpu& v, const Insn& i) {
    Shift s = TRY(shift(v, i));
    if (!s.count) {
        s.t.set(v, s.a());
        return {};
    }
    u64 r = s.a() >> s.count;
    s.t.set(v, r);
    shifted(v, i, r, bit(s.a(), s.count - 1), (s.variable || s.count == 1) && s.top(s.a()));
    return {};
}

Guest<> sar(Vcpu& v, const Insn& i) {
    Shift s = TRY(shift(v, i));
    if (!s.count) {
        s.t.set(v, s.a());
        return {};
    }
    i64 wide = sign_extend(s.a(), s.bits);
    u64 r = static_cast<u64>(wide >> s.count) & s.all;
    s.t.set(v, r);
    shifted(v, i, r, wide >> (s.count - 1) & 1, false);
    return {};
}

Guest<> rotate(Vcpu& v, const Insn& i, bool left) {
    Shift s = TRY(shift(v, i));
    unsigned n = s.count % s.bits;
    if (!left && n) n = s.bits - n;
    u64 r = n ? (s.a() << n | s.a() >> (s.bits - n)) & s.all : s.a();
    s.t.set(v, r);
    if (!s.count) return {};
    if (left)
        rotated(v, r & 1, s.top(r) != static_cast<bool>(r & 1));
    else
        rotated(v, s.top(r), s.top(r) != bit(r, s.bits - 2));
    return {};
}
Guest<> rol(Vcpu& v, const Insn& i) { return rotate(v, i, true); }
Guest<> ror(Vcpu& v, const Insn& i) { return rotate(v, i, false); }

// Through the carry: a rotation of bits + 1 bits.
Guest<> rotate_carry(Vcpu& v, const Insn& i, bool left) {
    Shift s = TRY(shift(v, i));
    unsigned n = s.count % (s.bits + 1);
    if (!n) {
        s.t.set(v, s.a());
        return {};
    }
    bool carry = evaluate(v.flags) & flag::cf;
    u128 ring = u128{carry} << s.bits | s.a();
    unsigned length = s.bits + 1, up = left ? n : length - n;
    ring = ring << up | ring >> (length - up);
    auto r = static_cast<u64>(ring) & s.all;
    bool cf = static_cast<bool>(ring >> s.bits & 1);
    s.t.set(v, r);
    rotated(v, cf, left ? s.top(r) != cf : s.top(r) != bit(r, s.bits - 2));
    return {};
}
Guest<> rcl(Vcpu& v, const Insn& i) { return rotate_carry(v, i, true); }
Guest<> rcr(Vcpu& v, const Insn& i) { return rotate_carry(v, i, false); }

// SHLD and SHRD. With counts above 16, 16-bit operands take the second operand's bits twice.
Guest<> shift_double(Vcpu& v, const Insn& i, bool left) {
    u64 b = get_register(v, i.op[1]);
    Shift s = TRY(shift(v, i, 2));
    if (!s.count) {
        s.t.set(v, s.a());
        return {};
    }
    unsigned n = s.count;
    u64 a = s.a(), r;
    bool cf;
    if (s.bits == 16) {
        u64 triple = left ? a << 32 | b << 16 | b : b << 32 | b << 16 | a;
        r = (left ? triple << n >> 32 : triple >> n) & s.all;
        cf = left ? bit(triple, 48 - n) : bit(triple, n - 1);
    } else {
        r = (left ? a << n | b >> (s.bits - n) : a >> n | b << (s.bits - n)) & s.all;
        cf = left ? bit(a, s.bits - n) : bit(a, n - 1);
    }
    s.t.set(v, r);
    shifted(v, i, r, cf, s.top(r) != s.top(a));
    return {};
}
Guest<> shld(Vcpu& v, const Insn& i) { return shift_double(v, i, true); }
Guest<> shrd(Vcpu& v, const Insn& i) { return shift_double(v, i, false); }

// --- Bit tests: with a register offset, memory is a bit string around the operand.

enum class BitOp : u8 { Test, Set, Reset, Complement };

Guest<> bit_test(Vcpu& v, const Insn& i, BitOp op) {
    const unsigned size = i.op[0].size, bits = 8 * size;
    const bool writes = op != BitOp::Test, memory = i.op[0].is(OperandKind::Memory);
    u64 offset = TRY(get(v, i, 1));
    Stretch place;
    u64 value;
    if (memory) {
        u64 away = 0;
        if (i.op[1].is(OperandKind::Gpr))
            away = static_cast<u64>((sign_extend(offset, bits) >> (3 + log2_size(size))) * size);
        u64 at = TRY(operand_address(v, i, size, writes, away));
        place = TRY(writes ? translate_to_modify(v, at, size) : translate(v, at, size, false));
        value = place.load(v);
    } else {
        value = get_register(v, i.op[0]);
    }
    const u64 chosen = u64{1} << (offset & (bits - 1));
    const bool was = value & chosen;
    if (op == BitOp::Set) value |= chosen;
    if (op == BitOp::Reset) value &= ~chosen;
    if (op == BitOp::Complement) value ^= chosen;
    if (writes && memory) place.store(v, &value);
    if (writes && !memory) set_register(v, i.op[0], value);
    change_flags(v, flag::cf, was ? flag::cf : 0);
    return {};
}
Guest<> bt(Vcpu& v, const Insn& i) { return bit_test(v, i, BitOp::Test); }
Guest<> bts(Vcpu& v, const Insn& i) { return bit_test(v, i, BitOp::Set); }
Guest<> btr(Vcpu& v, const Insn& i) { return bit_test(v, i, BitOp::Reset); }
Guest<> btc(Vcpu& v, const Insn& i) { return bit_test(v, i, BitOp::Complement); }

// Nothing found: ZF, and the destination is left alone. The other flags are undefined.
Guest<> scan(Vcpu& v, const Insn& i, bool reverse) {
    u64 source = TRY(get(v, i, 1));
    v.flags = {source, 0, flag_kind(FlagOp::Logic, log2_size(i.op[0].size))};
    if (source) set_register(v, i.op[0], reverse ? 63 - __builtin_clzll(source) : __builtin_ctzll(source));
    return {};
}
Guest<> bsf(Vcpu& v, const Insn& i) { return scan(v, i, false); }
Guest<> bsr(Vcpu& v, const Insn& i) { return scan(v, i, true); }

Guest<> popcnt(Vcpu& v, const Insn& i) {
    u64 source = TRY(get(v, i, 1));
    u64 n = source - (source >> 1 & 0x5555'5555'5555'5555);
    n = (n & 0x3333'3333'3333'3333) + (n >> 2 & 0x3333'3333'3333'3333);
    n = (n + (n >> 4)) & 0x0f0f'0f0f'0f0f'0f0f;
    set_register(v, i.op[0], n * 0x0101'0101'0101'0101 >> 56);
    set_arithmetic(v, source ? 0 : flag::zf);
    return {};
}

// BSWAP of 16 bits is undefined; processors clear the register's low half.
Guest<> bswap(Vcpu& v, const Insn& i) {
    const Operand& op = i.op[0];
    u64 value = get_register(v, op);
    set_register(v, op, op.size == 8 ? __builtin_bswap64(value) : op.size == 4 ? __builtin_bswap32(value) : 0);
    return {};
}

// CRC-32C, bits reflected.
struct CrcTable {
    u32 entry[256];
    constexpr CrcTable() : entry{} {
        for (u32 n = 0; n < 256; n++) {
            u32 c = n;
            for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0x82f6'3b78 : c >> 1;
            entry[n] = c;
        }
    }
};
constexpr CrcTable crc_table;

Guest<> crc32(Vcpu& v, const Insn& i) {
    u64 source = TRY(get(v, i, 1));
    auto crc = static_cast<u32>(get_register(v, i.op[0]));
    for (unsigned n = 0; n < i.op[1].size; n++, source >>= 8) crc = crc_table.entry[(crc ^ source) & 0xff] ^ crc >> 8;
    set_gpr(v, i.op[0].reg, 8, crc);
    return {};
}

}  // namespace

Semantics bit_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_SHL: return shl;
        case ZYDIS_MNEMONIC_SHR: return shr;
        case ZYDIS_MNEMONIC_SAR: return sar;
        case ZYDIS_MNEMONIC_ROL: return rol;
        case ZYDIS_MNEMONIC_ROR: return ror;
        case ZYDIS_MNEMONIC_RCL: return rcl;
        case ZYDIS_MNEMONIC_RCR: return rcr;
        case ZYDIS_MNEMONIC_SHLD: return shld;
        case ZYDIS_MNEMONIC_SHRD: return shrd;
        case ZYDIS_MNEMONIC_BT: return bt;
        case ZYDIS_MNEMONIC_BTS: return bts;
        case ZYDIS_MNEMONIC_BTR: return btr;
        case ZYDIS_MNEMONIC_BTC: return btc;
        case ZYDIS_MNEMONIC_BSF: return bsf;
        case ZYDIS_MNEMONIC_BSR: return bsr;
        case ZYDIS_MNEMONIC_POPCNT: return popcnt;
        case ZYDIS_MNEMONIC_BSWAP: return bswap;
        case ZYDIS_MNEMONIC_CRC32: return crc32;
        default: return nullptr;
    }
}

}  // namespace bmbt

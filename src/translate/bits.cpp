// BT BTS BTR BTC BSF BSR POPCNT CRC32. Source: Intel SDM vol. 2, the instructions' own pages.
#include <Zydis/Mnemonic.h>

#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace flag = x86::flag;

enum class BitOp : u8 { Test, Set, Reset, Complement };

// A bit number in a register reaches beyond a memory operand, before and behind: from its address to that of the word with the bit.
// False: the address wraps or is checked in a way that is C++'s.
bool bit_string_here(const Block& b, const Insn& i) {
    if (i.address_size == 2 || b.mode.small(i.mem.seg)) return false;
    return i.address_size == 8 || !b.mode.code64() || i.mem.seg < x86::Fs;
}
Gpr bit_string(Block& b, const Insn& i, unsigned size) {
    auto& as = b.as;
    Gpr operand = b.address_register(b.address()), at = b.temp();
    unsigned reg = i.op[1].reg;
    if (size == 8) {
        as.srai_d(at, b.whole(reg), 6);
        as.alsl_d(at, at, operand, 3);
    } else {
        as.srai_w(at, b.low(reg), 5);
        as.alsl_d(at, at, operand, 2);
    }
    if (i.address_size == 4) as.bstrpick_d(at, at, 31, 0);
    return at;
}

// out = the bit of x.
void pick(Block& b, Gpr out, Gpr x, bool constant, unsigned number, Gpr index, unsigned size) {
    if (constant) return b.as.bstrpick_d(out, x, number, number);
    size == 8 ? b.as.srl_d(out, x, index) : b.as.srl_w(out, x, index);
    b.as.andi(out, out, 1);
}

// x = the word at `at`, which gets the new bit.
void change_in_memory(Block& b, BitOp op, bool lock, Gpr x, Gpr one, Gpr at, unsigned size) {
    auto& as = b.as;
    if (lock) {
        if (op == BitOp::Reset) as.nor(one, one, zero);
        if (op == BitOp::Set) size == 8 ? as.amor_db_d(x, one, at) : as.amor_db_w(x, one, at);
        else if (op == BitOp::Reset) size == 8 ? as.amand_db_d(x, one, at) : as.amand_db_w(x, one, at);
        else size == 8 ? as.amxor_db_d(x, one, at) : as.amxor_db_w(x, one, at);
        return;
    }
    b.load(x, {.base = at}, size, Upper::Any);
    if (op == BitOp::Set) as.or_(one, x, one);
    else if (op == BitOp::Reset) as.andn(one, x, one);
    else as.xor_(one, x, one);
    b.store(one, {.base = at}, size);
}

template <BitOp op>
void bit_test(Block& b, const Insn& i) {
    const Operand &o = i.op[0], &n = i.op[1];
    unsigned size = o.size, width = size * 8;
    const bool constant = b.is_constant(n), memory = o.is(OperandKind::Memory);
    if (size < 4 || (memory && !constant && !bit_string_here(b, i))) return b.callout();
    auto& as = b.as;
    bool need = b.flags_needed();
    // All flags but CF stay as they are.
    if (need) b.flags_to_bits();
    const unsigned number = static_cast<u64>(i.imm) & (width - 1);
    Gpr at = zero, x;
    if (memory) {
        at = constant ? b.address_register(b.address()) : bit_string(b, i, size);
        x = b.temp();
    } else {
        x = size == 8 ? b.whole(o.reg) : b.low(o.reg);
    }
    // The host's shifts of words take their count as x86 does.
    Gpr index = constant ? zero : b.low(n.reg), out = b.temp();
    if (op == BitOp::Test) {
        if (memory) b.load(x, {.base = at}, size, Upper::Any);
    } else {
        Gpr one = b.temp();
        as.ori(one, zero, 1);
        if (constant) as.slli_d(one, one, number);
        else size == 8 ? as.sll_d(one, one, index) : as.sll_w(one, one, index);
        if (memory) {
            change_in_memory(b, op, i.lock, x, one, at, size);
        } else {
            if (need) pick(b, out, x, constant, number, index, size);
            Gpr r = size == 8 ? b.write64(o.reg) : b.write32(o.reg, Upper::Any);
            if (op == BitOp::Set) as.or_(r, r, one);
            else if (op == BitOp::Reset) as.andn(r, r, one);
            else as.xor_(r, r, one);
        }
    }
    if (!need) return;
    if (op == BitOp::Test || memory) pick(b, out, x, constant, number, index, size);
    as.bstrins_d(host::flag_a, out, 0, 0);
}

// A zero source leaves the destination unchanged, as processors do, to its upper half, and sets ZF; the other flags are undefined.
template <bool forward>
void bit_scan(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    unsigned size = dst.size;
    if (size < 4) return b.callout();
    auto& as = b.as;
    Gpr x = b.read(src, size == 4 ? Upper::Any : Upper::Any), r = b.temp();
    Gpr tested = x;
    if (size == 4) {
        tested = b.temp();
        as.slli_w(tested, x, 0);
    }
    if (forward) {
        size == 8 ? as.ctz_d(r, x) : as.ctz_w(r, x);
    } else {
        size == 8 ? as.clz_d(r, x) : as.clz_w(r, x);
        as.xori(r, r, size * 8 - 1);
    }
    if (b.flags_needed()) as.move(host::flag_a, tested);
    b.drop_flags();
    Label skip;
    if (size == 4) b.whole(dst.reg);
    Gpr to = b.write64(dst.reg);
    as.beqz(tested, skip);
    as.move(to, r);
    as.bind(skip);
    b.set_flags(FlagOp::Logic, size, host::flag_a, zero);
}

void popcnt(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    unsigned size = dst.size;
    auto& as = b.as;
    Gpr x = b.read(src, Upper::Zero);
    bool need = b.flags_needed();
    if (need) as.move(host::flag_a, x);
    Vr v = host::vtemp(0);
    as.vinsgr2vr_d(v, x, 0);
    as.vpcnt_d(v, v);
    Gpr t = b.temp();
    as.vpickve2gr_du(t, v, 0);
    b.drop_flags();
    b.write(dst, t, Upper::Zero);
    // ZF as of the source, all others clear: SF and PF of the count would be wrong, so the bits themselves.
    if (!need) return;
    as.sltui(host::flag_a, host::flag_a, 1);
    as.slli_d(host::flag_a, host::flag_a, 6);
    b.set_flags(FlagOp::Bits, 8, host::flag_a, zero);
    (void)size;
}

void crc32(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    auto& as = b.as;
    Gpr x = b.read(src, Upper::Any), crc = b.low(dst.reg), t = b.temp();
    switch (src.size) {
        case 1: as.crcc_w_b_w(t, x, crc); break;
        case 2: as.crcc_w_h_w(t, x, crc); break;
        case 4: as.crcc_w_w_w(t, x, crc); break;
        default: as.crcc_w_d_w(t, x, crc); break;
    }
    b.as.move(b.write32(dst.reg, Upper::Sign), t);
}

constexpr u16 rest = flag::arithmetic & ~flag::cf;
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_BT, bit_test<BitOp::Test>, rest, flag::cf},
    {ZYDIS_MNEMONIC_BTS, bit_test<BitOp::Set>, rest, flag::cf, Row::lock},
    {ZYDIS_MNEMONIC_BTR, bit_test<BitOp::Reset>, rest, flag::cf, Row::lock},
    {ZYDIS_MNEMONIC_BTC, bit_test<BitOp::Complement>, rest, flag::cf, Row::lock},
    {ZYDIS_MNEMONIC_BSF, bit_scan<true>, 0, flag::arithmetic},
    {ZYDIS_MNEMONIC_BSR, bit_scan<false>, 0, flag::arithmetic},
    {ZYDIS_MNEMONIC_TZCNT, bit_scan<true>, 0, flag::arithmetic},  // without BMI1 these bytes are BSF and BSR
    {ZYDIS_MNEMONIC_LZCNT, bit_scan<false>, 0, flag::arithmetic},
    {ZYDIS_MNEMONIC_POPCNT, popcnt, 0, flag::arithmetic},
    {ZYDIS_MNEMONIC_CRC32, crc32},
};

}  // namespace

Rows bit_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

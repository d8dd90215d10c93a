// BT BTS BTR BTC BSF BSR POPCNT CRC32. Source: Intel SDM vol. 2, the instructions' own pages.
#include <Zydis/Mnemonic.h>

#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace flag = x86::flag;

enum class BitOp : u8 { Test, Set, Reset, Complement };

// Registers, and memory with a constant bit number. A register bit number reaches beyond the operand in memory: in C++.
template <BitOp op>
void bit_test(Block& b, const Insn& i) {
    const Operand &o = i.op[0], &n = i.op[1];
    unsigned size = o.size, width = size * 8;
    bool constant = b.is_constant(n);
    if (i.lock || size < 4 || (o.is(OperandKind::Memory) && !constant)) return b.callout();
    auto& as = b.as;
    bool need = b.flags_needed();
    // All flags but CF stay as they are.
    if (need) b.flags_to_bits();
    unsigned number = static_cast<u64>(i.imm) & (width - 1);
    bool memory = o.is(OperandKind::Memory);
    Address at = memory ? b.address() : Address{};
    Gpr x;
    if (memory) {
        x = b.temp();
        b.load(x, at, size, Upper::Any);
    } else {
        x = size == 8 ? b.whole(o.reg) : b.low(o.reg);
    }
    Gpr out = b.temp(), index = zero;
    if (constant) {
        as.bstrpick_d(out, x, number, number);
    } else {
        index = b.low(n.reg);
        if (op != BitOp::Test && size == 4) {
            Gpr t = b.temp();
            as.andi(t, index, 31);
            index = t;
        }
        size == 8 ? as.srl_d(out, x, index) : as.srl_w(out, x, index);
        as.andi(out, out, 1);
    }
    if (op != BitOp::Test) {
        Gpr one = b.temp(), r = memory ? b.temp() : size == 8 ? b.write64(o.reg) : b.write32(o.reg, Upper::Any);
        as.ori(one, zero, 1);
        if (constant) as.slli_d(one, one, number);
        else as.sll_d(one, one, index);
        if (op == BitOp::Set) as.or_(r, x, one);
        else if (op == BitOp::Reset) as.andn(r, x, one);
        else as.xor_(r, x, one);
        if (memory) b.store(r, at, size);
    }
    if (need) as.bstrins_d(host::flag_a, out, 0, 0);
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
    {ZYDIS_MNEMONIC_BTS, bit_test<BitOp::Set>, rest, flag::cf},
    {ZYDIS_MNEMONIC_BTR, bit_test<BitOp::Reset>, rest, flag::cf},
    {ZYDIS_MNEMONIC_BTC, bit_test<BitOp::Complement>, rest, flag::cf},
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

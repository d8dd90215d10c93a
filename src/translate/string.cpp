// MOVS, STOS, LODS, SCAS and CMPS with 64- and 32-bit addresses; with 16-bit ones they run in C++, and so do the repeated LODS,
// SCAS and CMPS. Repeated MOVS and STOS call a routine that all blocks share (runtime/string_code.cpp).
// Source: Intel SDM vol. 2, "MOVS/MOVSB/MOVSW/MOVSD/MOVSQ" and the others' own pages.
#include <Zydis/Mnemonic.h>

#include "cpu/vcpu_offsets.inc"
#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;

constexpr Gpr rsi = host::guest[x86::Rsi], rdi = host::guest[x86::Rdi], rcx = host::guest[x86::Rcx];

enum class Kind : u8 { Movs, Stos, Lods, Scas, Cmps };
constexpr bool reads_source(Kind k) { return k == Kind::Movs || k == Kind::Lods || k == Kind::Cmps; }
constexpr bool uses_destination(Kind k) { return k != Kind::Lods; }

unsigned bytes_of(const Insn& i) { return i.opcode & 1 ? i.operand_size : 1; }

// Nothing about the segment is to be checked.
bool reachable(const Block& b, x86::Seg s) { return (b.mode.flat(s) && s != x86::Cs) || b.mode.plain(s); }

// The routine takes addresses as they are, so segments must be flat, and 32-bit ones must not pass 4 GiB.
void repeated(Block& b, const Insn& i, bool moves) {
    if (!b.mode.flat(x86::Es) || (moves && (!b.mode.flat(i.mem.seg) || i.mem.seg == x86::Cs))) return b.callout();
    unsigned log2 = static_cast<unsigned>(__builtin_ctz(bytes_of(i)));
    auto& as = b.as;
    // The routine changes registers as it goes, so from here on every host register is as a fault must find it.
    b.make_exact();
    Label in_cpp, done;
    as.ld_d(t0, host::state, VCPU_DIRECTION);
    as.blt(t0, zero, in_cpp);
    if (i.address_size == 4) {
        auto passes = [&](Gpr begin) {
            if (!log2) as.add_d(t0, rcx, begin);
            else as.alsl_d(t0, rcx, begin, log2);
            as.srli_d(t0, t0, 32);
            as.bnez(t0, in_cpp);
        };
        passes(rdi);
        if (moves) passes(rsi);
        // In long mode the three may have upper halves, which are no part of it.
        if (b.mode.long_mode()) {
            as.or_(t0, rcx, rdi);
            if (moves) as.or_(t0, t0, rsi);
            as.srli_d(t0, t0, 32);
            as.bnez(t0, in_cpp);
        }
    }
    b.call_shared(moves ? b.shared().movs[log2] : b.shared().stos[log2]);
    as.beqz(rcx, done);
    as.bind(in_cpp);
    b.callout();
    as.bind(done);
}

Address at(Block& b, const Insn& i, u8 base, x86::Seg seg) {
    return b.address_of({.seg = seg, .base = base}, i.address_size);
}

void advance(Block& b, const Insn& i, u8 reg, Gpr step) {
    Gpr to = i.address_size == 8 ? b.write64(reg) : b.write32(reg, Upper::Any);
    b.as.add_d(to, to, step);
}

template <Kind kind>
void string(Block& b, const Insn& i) {
    constexpr bool source = reads_source(kind), destination = uses_destination(kind);
    const unsigned size = bytes_of(i);
    if (i.address_size == 2 || (source && !reachable(b, i.mem.seg)) || (destination && !reachable(b, x86::Es))) return b.callout();
    if (i.rep || i.repne) {
        if (kind == Kind::Movs || kind == Kind::Stos) return repeated(b, i, kind == Kind::Movs);
        return b.callout();
    }
    auto& as = b.as;
    // Memory first: a fault finds everything as it was.
    Gpr first = zero, second = zero;
    if (source) {
        first = b.temp();
        b.load(first, at(b, i, x86::Rsi, i.mem.seg), size, kind == Kind::Cmps ? Upper::Sign : Upper::Zero);
    }
    if (kind == Kind::Scas || kind == Kind::Cmps) {
        second = b.temp();
        b.load(second, at(b, i, x86::Rdi, x86::Es), size, Upper::Sign);
        b.drop_flags();
    } else if (destination) {
        Gpr value = source ? first : size == 8 ? b.whole(x86::Rax) : b.low(x86::Rax);
        b.store(value, at(b, i, x86::Rdi, x86::Es), size);
    }
    Gpr step = b.temp();
    as.ld_d(step, host::state, VCPU_DIRECTION);
    if (size > 1) as.slli_d(step, step, static_cast<unsigned>(__builtin_ctz(size)));
    if (source) advance(b, i, x86::Rsi, step);
    if (destination) advance(b, i, x86::Rdi, step);
    if (kind == Kind::Lods) {
        if (size < 4) b.write_low(x86::Rax, size, first);
        else as.move(size == 8 ? b.write64(x86::Rax) : b.write32(x86::Rax, Upper::Zero), first);
    }
    if (kind == Kind::Scas || kind == Kind::Cmps) {
        if (!b.flags_needed()) return;
        Gpr left = size == 8 ? b.whole(x86::Rax) : b.low(x86::Rax);
        if (kind == Kind::Cmps) as.move(left = host::flag_a, first);
        as.move(host::flag_b, second);
        b.set_flags(FlagOp::Sub, size, left, host::flag_b);
        b.flags().a_sign_extended = left == host::flag_a;
        b.flags().b_sign_extended = true;
    }
}

#define BMBT_STRING(NAME, kind, flags) {ZYDIS_MNEMONIC_##NAME, string<Kind::kind>, 0, flags, Row::faults}
constexpr u16 all = x86::flag::arithmetic;
constexpr Row rows[] = {
    BMBT_STRING(MOVSB, Movs, 0), BMBT_STRING(MOVSW, Movs, 0), BMBT_STRING(MOVSQ, Movs, 0),
    BMBT_STRING(STOSB, Stos, 0), BMBT_STRING(STOSW, Stos, 0), BMBT_STRING(STOSD, Stos, 0), BMBT_STRING(STOSQ, Stos, 0),
    BMBT_STRING(LODSB, Lods, 0), BMBT_STRING(LODSW, Lods, 0), BMBT_STRING(LODSD, Lods, 0), BMBT_STRING(LODSQ, Lods, 0),
    BMBT_STRING(SCASB, Scas, all), BMBT_STRING(SCASW, Scas, all), BMBT_STRING(SCASD, Scas, all), BMBT_STRING(SCASQ, Scas, all),
    BMBT_STRING(CMPSB, Cmps, all), BMBT_STRING(CMPSW, Cmps, all), BMBT_STRING(CMPSQ, Cmps, all),
};
// These share their names with SSE instructions.
constexpr Row movsd = BMBT_STRING(MOVSD, Movs, 0), cmpsd = BMBT_STRING(CMPSD, Cmps, all);
#undef BMBT_STRING

}  // namespace

Rows string_rows() { return {rows, std::size(rows)}; }
const Row* string_row_of(u16 mnemonic) {
    return mnemonic == ZYDIS_MNEMONIC_MOVSD ? &movsd : mnemonic == ZYDIS_MNEMONIC_CMPSD ? &cmpsd : nullptr;
}

}  // namespace bmbt

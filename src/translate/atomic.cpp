// CMPXCHG and XADD: with LOCK by the host's LL/SC and AM*, without it plainly. Small sizes run in C++.
// Source: Intel SDM vol. 2, "CMPXCHG", "XADD".
#include <Zydis/Mnemonic.h>

#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace flag = x86::flag;

void cmpxchg(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    unsigned size = dst.size;
    if (size < 4 || !dst.is(OperandKind::Memory)) return b.callout();
    auto& as = b.as;
    bool need = b.flags_needed();
    Gpr v = b.read(src, Upper::Any), at = b.address_register(b.address());
    Gpr expected = size == 8 ? b.whole(x86::Rax) : b.temp();
    if (size == 4) as.slli_w(expected, b.low(x86::Rax), 0);
    Gpr old = b.temp(), differ = b.temp(), put = b.temp(), keep = host::link;
    Label again;
    as.bind(again);
    size == 8 ? as.ll_d(old, at, 0) : as.ll_w(old, at, 0);
    // Memory is written either way, with the old value if the comparison failed.
    as.xor_(differ, old, expected);
    as.maskeqz(keep, old, differ);
    as.masknez(put, v, differ);
    as.or_(put, put, keep);
    size == 8 ? as.sc_d(put, at, 0) : as.sc_w(put, at, 0);
    as.beqz(put, again);
    if (need) {
        as.move(host::flag_a, expected);
        as.move(host::flag_b, old);
    }
    b.drop_flags();
    // RAX takes the old value: the same one when the comparison held, but then a 32-bit RAX keeps its upper half.
    if (size == 8) {
        as.move(b.write64(x86::Rax), old);
    } else {
        Gpr rax = host::guest[x86::Rax];
        Label equal;
        b.whole(x86::Rax);
        b.write64(x86::Rax);
        as.beqz(differ, equal);
        as.bstrpick_d(rax, old, 31, 0);
        as.bind(equal);
    }
    b.set_flags(FlagOp::Sub, size, host::flag_a, host::flag_b);
}

void xadd(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    unsigned size = dst.size;
    if (size < 4 || !dst.is(OperandKind::Memory)) return b.callout();
    auto& as = b.as;
    bool need = b.flags_needed();
    Gpr v = size == 8 ? b.whole(src.reg) : b.low(src.reg), at = b.address_register(b.address()), old = b.temp();
    size == 8 ? as.amadd_db_d(old, v, at) : as.amadd_db_w(old, v, at);
    if (need) {
        as.move(host::flag_b, v);
        as.move(host::flag_a, old);
    }
    b.drop_flags();
    as.move(size == 8 ? b.write64(src.reg) : b.write32(src.reg, Upper::Sign), old);
    b.set_flags(FlagOp::Add, size, host::flag_a, host::flag_b);
}

constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_CMPXCHG, cmpxchg, 0, flag::arithmetic, Row::lock},
    {ZYDIS_MNEMONIC_XADD, xadd, 0, flag::arithmetic, Row::lock},
};

}  // namespace

Rows atomic_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

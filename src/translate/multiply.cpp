// MUL IMUL DIV IDIV. Source: Intel SDM vol. 2, the instructions' own pages.
#include <Zydis/Mnemonic.h>

#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace flag = x86::flag;

// RDX:RAX (EDX:EAX) = RAX * r/m. CF = OF = the upper half matters.
template <bool is_signed>
void multiply_wide(Block& b, const Insn& i) {
    const Operand& src = i.op[0];
    unsigned size = src.size;
    if (size < 4) return b.callout();
    auto& as = b.as;
    bool need = b.flags_needed();
    Gpr lo = b.temp(), hi = b.temp();
    if (size == 8) {
        Gpr y = b.read(src, Upper::Any), x = b.whole(x86::Rax);
        is_signed ? as.mulh_d(hi, x, y) : as.mulh_du(hi, x, y);
        as.mul_d(lo, x, y);
    } else if (is_signed) {
        Gpr y = b.read(src, Upper::Any);
        as.mulw_d_w(lo, b.low(x86::Rax), y);
        as.srai_d(hi, lo, 32);
        as.slli_w(lo, lo, 0);
    } else {
        Gpr y = b.read(src, Upper::Any);
        as.mulw_d_wu(lo, b.low(x86::Rax), y);
        as.srli_d(hi, lo, 32);
        as.bstrpick_d(lo, lo, 31, 0);
    }
    if (need) {
        if (is_signed) {  // the upper half is not the lower one's sign
            as.srai_d(host::flag_b, lo, 63);
            as.xor_(host::flag_b, host::flag_b, hi);
            as.sltu(host::flag_b, zero, host::flag_b);
        } else {
            as.sltu(host::flag_b, zero, hi);
        }
        as.sub_d(host::flag_b, zero, host::flag_b);
        as.andi(host::flag_b, host::flag_b, flag::cf | flag::of);
    }
    b.drop_flags();
    Upper up = is_signed ? Upper::Sign : Upper::Zero;
    if (size == 8) {
        as.move(b.write64(x86::Rax), lo);
        as.move(b.write64(x86::Rdx), hi);
    } else {
        as.move(b.write32(x86::Rax, up), lo);
        as.move(b.write32(x86::Rdx, up), hi);
    }
    if (need) as.move(host::flag_a, lo);
    b.set_flags(FlagOp::Result, size, host::flag_a, host::flag_b);
}

void imul(Block& b, const Insn& i) {
    if (i.operands == 1) return multiply_wide<true>(b, i);
    const Operand &dst = i.op[0], &x = i.operands == 3 ? i.op[1] : i.op[0], &y = i.operands == 3 ? i.op[2] : i.op[1];
    unsigned size = dst.size;
    if (size < 4) return b.callout();
    auto& as = b.as;
    Gpr p = b.read(x, Upper::Any), q = b.read(y, Upper::Any);
    if (b.flags_needed()) {
        as.move(host::flag_a, p);
        as.move(host::flag_b, q);
    }
    b.drop_flags();
    Gpr to = size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Sign);
    size == 8 ? as.mul_d(to, p, q) : as.mul_w(to, p, q);
    b.set_flags(FlagOp::Imul, size, host::flag_a, host::flag_b);
}

// What does not divide plainly, #DE among it, goes to C++. The flags, undefined, stay as they are.
void div(Block& b, const Insn& i) {
    const Operand& src = i.op[0];
    unsigned size = src.size;
    if (size < 4) return b.callout();
    auto& as = b.as;
    Label& slow = b.slow_path();
    Gpr d = b.read(src, Upper::Zero), q = b.temp(), r = b.temp();
    if (size == 8) {
        Gpr rax = b.whole(x86::Rax), rdx = b.whole(x86::Rdx);
        as.bnez(rdx, slow);
        as.beqz(d, slow);
        as.div_du(q, rax, d);
        as.mod_du(r, rax, d);
        as.move(b.write64(x86::Rax), q);
        as.move(b.write64(x86::Rdx), r);
    } else {
        Gpr n = b.temp(), rdx = b.whole(x86::Rdx);
        if (!b.zero_extended(x86::Rdx)) {
            Gpr t = b.temp();
            as.bstrpick_d(t, rdx, 31, 0);
            rdx = t;
        }
        as.bgeu(rdx, d, slow);  // overflow, and every divisor of zero
        as.slli_d(n, rdx, 32);
        as.bstrins_d(n, b.low(x86::Rax), 31, 0);
        as.div_du(q, n, d);
        as.mod_du(r, n, d);
        as.move(b.write32(x86::Rax, Upper::Zero), q);
        as.move(b.write32(x86::Rdx, Upper::Zero), r);
    }
}

void idiv(Block& b, const Insn& i) {
    const Operand& src = i.op[0];
    unsigned size = src.size;
    if (size < 4) return b.callout();
    auto& as = b.as;
    Label& slow = b.slow_path();
    Gpr d = b.read(src, Upper::Sign), q = b.temp(), r = b.temp(), t = b.temp();
    if (size == 8) {
        Gpr rax = b.whole(x86::Rax), rdx = b.whole(x86::Rdx);
        as.srai_d(t, rax, 63);
        as.bne(t, rdx, slow);
        as.beqz(d, slow);
        as.addi_d(t, d, 1);
        as.beqz(t, slow);  // by -1, where the most negative number overflows
        as.div_d(q, rax, d);
        as.mod_d(r, rax, d);
        as.move(b.write64(x86::Rax), q);
        as.move(b.write64(x86::Rdx), r);
    } else {
        Gpr n = b.temp();
        as.beqz(d, slow);
        as.slli_d(n, b.low(x86::Rdx), 32);
        as.bstrins_d(n, b.low(x86::Rax), 31, 0);
        as.div_d(q, n, d);
        as.slli_w(t, q, 0);
        as.bne(t, q, slow);
        as.mod_d(r, n, d);
        as.move(b.write32(x86::Rax, Upper::Sign), q);
        as.move(b.write32(x86::Rdx, Upper::Sign), r);
    }
}

constexpr u16 all = flag::arithmetic;
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MUL, multiply_wide<false>, 0, all},
    {ZYDIS_MNEMONIC_IMUL, imul, 0, all},
    {ZYDIS_MNEMONIC_DIV, div, 0, 0, Row::faults},
    {ZYDIS_MNEMONIC_IDIV, idiv, 0, 0, Row::faults},
};

}  // namespace

Rows multiply_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

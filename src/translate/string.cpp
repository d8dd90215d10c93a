// MOVS and STOS with 64-bit addresses; the other string instructions and address sizes run in C++. A repeated one calls a
// routine that all blocks share (runtime/string_code.cpp). Source: Intel SDM vol. 2, "MOVS/MOVSB/MOVSW/MOVSD/MOVSQ", "STOS".
#include <Zydis/Mnemonic.h>

#include "cpu/vcpu_offsets.inc"
#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;

constexpr Gpr rsi = host::guest[x86::Rsi], rdi = host::guest[x86::Rdi], rcx = host::guest[x86::Rcx];

void repeated(Block& b, const u32* routine) {
    auto& as = b.as;
    // The routine changes registers as it goes, so from here on every host register is as a fault must find it.
    b.make_exact();
    Label in_cpp, done;
    as.ld_d(t0, host::state, VCPU_DIRECTION);
    as.blt(t0, zero, in_cpp);
    b.call_shared(routine);
    as.beqz(rcx, done);
    as.bind(in_cpp);
    b.callout();
    as.bind(done);
}

template <bool moves>
void string(Block& b, const Insn& i) {
    unsigned size = i.opcode & 1 ? i.operand_size : 1, log2 = static_cast<unsigned>(__builtin_ctz(size));
    // A segment with a base is the source's alone, and rare.
    if (!b.mode.code64() || i.address_size != 8 || (moves && i.mem.seg >= x86::Fs)) return b.callout();
    if (i.rep || i.repne) return repeated(b, moves ? b.shared().movs[log2] : b.shared().stos[log2]);
    auto& as = b.as;
    Gpr value = host::guest[x86::Rax], step = b.temp();
    b.whole(x86::Rdi);
    if (moves) {
        b.whole(x86::Rsi);
        value = b.temp();
        b.load(value, {.base = rsi}, size, Upper::Any);
    }
    b.store(value, {.base = rdi}, size);
    as.ld_d(step, host::state, VCPU_DIRECTION);
    if (log2) as.slli_d(step, step, log2);
    if (moves) {
        Gpr to = b.write64(x86::Rsi);
        as.add_d(to, to, step);
    }
    Gpr to = b.write64(x86::Rdi);
    as.add_d(to, to, step);
}

constexpr u16 faults = Row::faults;
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MOVSB, string<true>, 0, 0, faults}, {ZYDIS_MNEMONIC_MOVSW, string<true>, 0, 0, faults},
    {ZYDIS_MNEMONIC_MOVSQ, string<true>, 0, 0, faults},
    {ZYDIS_MNEMONIC_STOSB, string<false>, 0, 0, faults}, {ZYDIS_MNEMONIC_STOSW, string<false>, 0, 0, faults},
    {ZYDIS_MNEMONIC_STOSD, string<false>, 0, 0, faults}, {ZYDIS_MNEMONIC_STOSQ, string<false>, 0, 0, faults},
};

}  // namespace

Rows string_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

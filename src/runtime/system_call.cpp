// SYSCALL and SYSRET between 64-bit programs and their kernel, without the general way through a transfer: nothing about the
// mode changes but the privilege. What is rarer (32-bit programs, single-step, faults) takes the general way.
#include <Zydis/Mnemonic.h>

#include "cpu/flags.hpp"
#include "cpu/linear.hpp"
#include "cpu/transfer.hpp"
#include "runtime/runtime.hpp"

namespace bmbt {

using namespace x86;

Shortcut shortcut_of(const Insn& i) {
    if (i.mnemonic == ZYDIS_MNEMONIC_SYSCALL) return Shortcut::Syscall;
    return i.mnemonic == ZYDIS_MNEMONIC_SYSRET && i.operand_size == 8 ? Shortcut::Sysret : Shortcut::None;
}

bool Runtime::take_shortcut(const CppInsn& c) {
    bool taken = c.shortcut == Shortcut::Syscall ? system_call(v_.rip + c.insn.length) : system_return();
    if (taken) stats_.callouts++, stats_.in_cpp[c.insn.mnemonic & (Stats::mnemonics - 1)]++;
    return taken;
}

bool Runtime::system_call(u64 next_rip) {
    u64 flags = rflags(v_);
    if (!mode_.code64() || !(v_.paging.efer & efer::sce) || flags & flag::tf) return false;
    v_.gpr[Rcx] = next_rip;
    v_.gpr[R11] = flags & ~flag::rf;
    set_rflags(v_, flags & ~(v_.fmask | flag::rf));
    change_privilege(0, static_cast<u16>(bits(v_.star, 47, 32)) & ~3, v_.lstar);
    return true;
}

bool Runtime::system_return() {
    u64 flags = v_.gpr[R11] & 0x3c'7fd7, rip = v_.gpr[Rcx];
    if (!mode_.code64() || v_.cpl != 0 || !(v_.paging.efer & efer::sce) || (flags | v_.system_flags) & (flag::tf | flag::ac) || !canonical(rip)) return false;
    set_rflags(v_, flags);
    change_privilege(3, static_cast<u16>(bits(v_.star, 63, 48) + 16) | 3, rip);
    return true;
}

// The segments that SYSCALL and SYSRET load: the stack's selector is 8 above the code's going in, 8 below it coming out.
void Runtime::change_privilege(unsigned cpl, u16 code, u64 rip) {
    v_.cpl = static_cast<u8>(cpl);
    v_.seg[Cs] = flat_code(code, cpl, true);
    v_.seg[Ss] = flat_stack(static_cast<u16>(cpl ? code - 8 : code + 8), cpl);
    v_.seg_base[Cs] = v_.seg_base[Ss] = 0;
    v_.rip = v_.next_rip = rip;
    Mode m = mode_;
    m.raw &= ~static_cast<u32>(Mode::cpl_.mask() | Mode::tsc_.mask());
    m.raw |= static_cast<u32>(Mode::cpl_(cpl) | Mode::tsc_(cpl == 0 || !(v_.paging.cr4 & cr4::tsd)));
    set_mode(m);
    if (board_touched_ || interrupt_ready() || options_.trace.has(TraceEvent::Exec)) return dispatch();
    if (const JumpCacheEntry& e = jump_entry(); e.tag == jump_tag()) return enter_at(e.address, cpl == 3);
    dispatch();
}

}  // namespace bmbt

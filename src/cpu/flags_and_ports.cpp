// What IOPL governs: CLI, STI, PUSHF, POPF, IN, OUT; and HLT.
#include "cpu/breakpoints.hpp"
#include "cpu/control.hpp"
#include "cpu/operands.hpp"
#include "cpu/platform.hpp"
#include "cpu/stack.hpp"

namespace bmbt {

using namespace x86;

Guest<> hlt(Vcpu& v, const Insn&) {
    if (v.cpl) return gp();
    v.halted = true;
    return {};
}

Guest<> cli(Vcpu& v, const Insn&) {
    if (v.protected_mode() && v.cpl > flag_iopl(v)) return gp();
    v.system_flags &= ~flag::if_;
    return {};
}

Guest<> sti(Vcpu& v, const Insn&) {
    if (v.protected_mode() && v.cpl > flag_iopl(v)) return gp();
    if (!(v.system_flags & flag::if_)) v.shadow = true;
    v.system_flags |= flag::if_;
    return {};
}

Guest<> pushf(Vcpu& v, const Insn& i) {
    if (v.v8086() && flag_iopl(v) < 3) return gp();
    return push(v, rflags(v) & ~(flag::vm | flag::rf), i.operand_size);
}

Guest<> popf(Vcpu& v, const Insn& i) {
    if (v.v8086() && flag_iopl(v) < 3) return gp();
    u64 flags = TRY(pop(v, i.operand_size));
    u64 writable = flag::arithmetic | flag::tf | flag::df | flag::nt;
    if (!v.protected_mode() || v.cpl <= flag_iopl(v)) writable |= flag::if_;
    if (v.cpl == 0) writable |= flag::iopl;
    if (i.operand_size > 2) writable |= flag::ac | flag::id;
    u64 old = rflags(v) & ~flag::rf;
    set_rflags(v, (old & ~writable) | (flags & writable));
    return {};
}

// Intel SDM vol. 1, "I/O Permission Bit Map".
Guest<> check_port(Vcpu& v, u16 port, unsigned size) {
    if (breakpoints_enabled(v)) [[unlikely]] note_port(v, port, size);
    if (!v.protected_mode() || (v.cpl <= flag_iopl(v) && !v.v8086())) return {};
    if (!v.tr.present() || !(v.tr.access & 8) || v.tr.limit < 0x67) return gp();
    u64 map = TRY(read(v, v.tr.base + 0x66, Width::Word, As::Supervisor));
    u64 at = map + port / 8;
    if (at + 1 > v.tr.limit) return gp();
    u64 bits = TRY(read(v, v.tr.base + at, Width::Word, As::Supervisor));
    if (bits >> (port & 7) & mask(size)) return gp();
    return {};
}

Guest<> in(Vcpu& v, const Insn& i) {
    u16 port = TRY(get(v, i, 1));
    CHECK(check_port(v, port, i.op[0].size));
    set_register(v, i.op[0], v.platform->port_in(port, static_cast<Width>(i.op[0].size)));
    return {};
}

Guest<> out(Vcpu& v, const Insn& i) {
    u16 port = TRY(get(v, i, 0));
    CHECK(check_port(v, port, i.op[1].size));
    v.platform->port_out(port, static_cast<Width>(i.op[1].size), static_cast<u32>(get_register(v, i.op[1])));
    return {};
}

}  // namespace bmbt

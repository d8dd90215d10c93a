#include "cpu/media.hpp"

#include <Zydis/Zydis.h>

#include "cpu/platform.hpp"

namespace bmbt {

using namespace x86;

Guest<> need_x87(const Vcpu& v) {
    if (v.paging.cr0 & (cr0::em | cr0::ts)) return fault(Vector::Nm);
    return {};
}

Guest<> need_mmx(Vcpu& v) {
    if (v.paging.cr0 & cr0::em) return ud();
    if (v.paging.cr0 & cr0::ts) return fault(Vector::Nm);
    return wait_for_x87(v);
}

// Source: Intel SDM vol. 1, "MS-DOS Compatibility Sub-mode".
Guest<> wait_for_x87(Vcpu& v) {
    const bool waits = vcpu_x87(v).pending();
    if (v.paging.cr0 & cr0::ne) {
        if (waits) return fault(Vector::Mf);
        return {};
    }
    if (!waits && !v.ferr) return {};
    v.ferr = waits;
    if (!v.platform->fpu_error(v, waits) && waits) return fault(Vector::Mf);
    return {};
}

void lower_ferr(Vcpu& v) {
    if (!v.ferr || vcpu_x87(v).pending()) return;
    v.ferr = false;
    v.platform->fpu_error(v, false);
}

Guest<> need_sse(const Vcpu& v) {
    if (v.paging.cr0 & cr0::em || !(v.paging.cr4 & cr4::osfxsr)) return ud();
    if (v.paging.cr0 & cr0::ts) return fault(Vector::Nm);
    return {};
}

Guest<> begin_media(Vcpu& v, const Insn& i) {
    bool mmx = false, xmm = false;
    for (unsigned n = 0; n < i.operands; n++) {
        mmx |= i.op[n].is(OperandKind::Mmx);
        xmm |= i.op[n].is(OperandKind::Xmm);
    }
    if (xmm || !mmx) CHECK(need_sse(v));
    if (mmx) CHECK(need_mmx(v));
    return {};
}

Vector128 vector_register(Vcpu& v, const Operand& op) {
    if (op.is(OperandKind::Mmx)) return {{fpu::read_mm(vcpu_x87(v), op.reg), 0}};
    const Xmm& x = vcpu_xmm(v, op.reg & 15);
    return {{x.lo, x.hi}};
}

void set_vector_register(Vcpu& v, const Operand& op, const Vector128& value) {
    if (op.is(OperandKind::Mmx)) {
        fpu::enter_mmx(vcpu_x87(v));
        fpu::write_mm(vcpu_x87(v), op.reg, value.q[0]);
        return;
    }
    vcpu_xmm(v, op.reg & 15) = {value.q[0], value.q[1]};
}

Guest<> check_alignment(const Vcpu& v, const Insn& i) {
    u64 at = effective_offset(v, i);
    if (!v.code64() || i.mem.seg >= Fs) at += v.seg[i.mem.seg].base;
    if (at & 15) return gp();
    return {};
}

Guest<Vector128> get_vector(Vcpu& v, const Insn& i, unsigned n, bool unaligned) {
    const Operand& op = i.op[n];
    if (!op.is(OperandKind::Memory)) {
        Vector128 value = vector_register(v, op);
        if (op.is(OperandKind::Mmx)) fpu::enter_mmx(vcpu_x87(v));
        return value;
    }
    if (op.size == 16 && !unaligned) CHECK(check_alignment(v, i));
    u64 at = TRY(operand_address(v, i, op.size, false));
    Vector128 value;
    CHECK(read(v, at, value.q, op.size));
    return value;
}

Semantics media_semantics(const Insn& i) {
    if ((i.opcode_map == 0 && i.opcode >= 0xd8 && i.opcode <= 0xdf) || i.mnemonic == ZYDIS_MNEMONIC_FWAIT)
        return x87_semantics(i);
    if (i.opcode_map == 0) return nullptr;
    if (Semantics s = sse_move_semantics(i)) return s;
    if (Semantics s = sse_float_semantics(i)) return s;
    if (Semantics s = sse_convert_semantics(i)) return s;
    if (Semantics s = sse_integer_semantics(i)) return s;
    if (Semantics s = sse_shuffle_semantics(i)) return s;
    if (Semantics s = sse_text_semantics(i)) return s;
    return state_semantics(i);
}

}  // namespace bmbt

#include "cpu/operands.hpp"

namespace bmbt {

using namespace x86;

u64 effective_offset(const Vcpu& v, const Insn& i) {
    const MemoryOperand& m = i.mem;
    u64 a = static_cast<u64>(m.disp);
    if (m.base == rip_register)
        a += following_rip(v, i);
    else if (m.base != no_register)
        a += v.gpr[m.base];
    if (m.index != no_register) a += v.gpr[m.index] << m.shift;
    return a & mask(8 * i.address_size);
}

Guest<u64> operand_address(Vcpu& v, const Insn& i, u64 size, bool write, u64 displacement) {
    u64 offset = (effective_offset(v, i) + displacement) & mask(8 * i.address_size);
    u64 linear = TRY(linear_address(v, i.mem.seg, offset, size, write));
    CHECK(check_aligned(v, linear, size));
    return linear;
}

u64 get_register(const Vcpu& v, const Operand& op) {
    switch (op.kind) {
        case OperandKind::Gpr: return get_gpr(v, op.reg, op.size);
        case OperandKind::GprHigh: return v.gpr[op.reg] >> 8 & 0xff;
        case OperandKind::Segment: return v.seg[op.reg].selector;
        default: return 0;
    }
}

void set_register(Vcpu& v, const Operand& op, u64 value) {
    if (op.kind == OperandKind::GprHigh)
        v.gpr[op.reg] = (v.gpr[op.reg] & ~u64{0xff00}) | (value & 0xff) << 8;
    else
        set_gpr(v, op.reg, op.size, value);
}

Guest<u64> get(Vcpu& v, const Insn& i, unsigned n) {
    const Operand& op = i.op[n];
    switch (op.kind) {
        case OperandKind::Memory: {
            u64 at = TRY(operand_address(v, i, op.size, false));
            return TRY(translate(v, at, op.size, false)).load(v);
        }
        case OperandKind::Immediate: return static_cast<u64>(op.second_immediate ? i.imm2 : i.imm);
        default: return get_register(v, op);
    }
}

Guest<> put(Vcpu& v, const Insn& i, unsigned n, u64 value) {
    const Operand& op = i.op[n];
    if (op.kind != OperandKind::Memory) {
        set_register(v, op, value);
        return {};
    }
    u64 at = TRY(operand_address(v, i, op.size, true));
    TRY(translate(v, at, op.size, true)).store(v, &value);
    return {};
}

Guest<Target> target(Vcpu& v, const Insn& i, unsigned n) {
    Target t;
    t.op = &i.op[n];
    if (t.op->kind != OperandKind::Memory) {
        t.value = get_register(v, *t.op);
        return t;
    }
    u64 at = TRY(operand_address(v, i, t.op->size, true));
    t.at = TRY(translate_to_modify(v, at, t.op->size));
    t.value = t.at.load(v);
    return t;
}

void Target::set(Vcpu& v, u64 value) const {
    if (op->kind == OperandKind::Memory)
        at.store(v, &value);
    else
        set_register(v, *op, value);
}

Guest<> get_bytes(Vcpu& v, const Insn& i, void* to, u64 size, u64 displacement) {
    u64 at = TRY(operand_address(v, i, size, false, displacement));
    return read(v, at, to, size);
}

Guest<> put_bytes(Vcpu& v, const Insn& i, const void* from, u64 size, u64 displacement) {
    u64 at = TRY(operand_address(v, i, size, true, displacement));
    return write(v, at, from, size);
}

}  // namespace bmbt

// Moves, the stack, conditions, flag bits, and what does nothing.
#include <Zydis/Zydis.h>

#include "cpu/conditions.hpp"
#include "cpu/integer.hpp"
#include "cpu/operands.hpp"
#include "cpu/segmentation.hpp"
#include "cpu/stack.hpp"

namespace bmbt {

using namespace x86;

namespace {

Guest<> nop(Vcpu&, const Insn&) { return {}; }

// A load of SS keeps interrupts away until the next instruction is done.
Guest<> load_selector(Vcpu& v, Seg seg, u16 selector) {
    CHECK(load_segment(v, seg, selector));
    if (seg == Ss) v.shadow = v.shadow_blocks_nmi = true;
    return {};
}

Guest<> mov(Vcpu& v, const Insn& i) {
    u64 value = TRY(get(v, i, 1));
    if (i.op[0].is(OperandKind::Segment)) return load_selector(v, static_cast<Seg>(i.op[0].reg), value);
    return put(v, i, 0, value);
}

Guest<> mov_zero_extended(Vcpu& v, const Insn& i) { return put(v, i, 0, TRY(get(v, i, 1))); }
Guest<> mov_sign_extended(Vcpu& v, const Insn& i) { return put(v, i, 0, static_cast<u64>(TRY(get_signed(v, i, 1)))); }

Guest<> lea(Vcpu& v, const Insn& i) {
    set_register(v, i.op[0], effective_offset(v, i));
    return {};
}

Guest<> load_far_pointer(Vcpu& v, const Insn& i) {
    const unsigned size = i.operand_size;
    const Seg seg = i.mnemonic == ZYDIS_MNEMONIC_LES   ? Es
                    : i.mnemonic == ZYDIS_MNEMONIC_LDS ? Ds
                    : i.mnemonic == ZYDIS_MNEMONIC_LSS ? Ss
                    : i.mnemonic == ZYDIS_MNEMONIC_LFS ? Fs
                                                       : Gs;
    u8 image[10];
    CHECK(get_bytes(v, i, image, size));
    CHECK(get_bytes(v, i, image + size, 2, size));
    u64 offset = 0;
    for (unsigned n = 0; n < size; n++) offset |= u64{image[n]} << 8 * n;
    CHECK(load_segment(v, seg, image[size] | image[size + 1] << 8));
    set_register(v, i.op[0], offset);
    return {};
}

Guest<> xlat(Vcpu& v, const Insn& i) {
    u64 offset = (v.gpr[Rbx] + (v.gpr[Rax] & 0xff)) & mask(8 * i.address_size);
    u64 at = TRY(linear_address(v, i.mem.seg, offset, 1, false));
    set_gpr(v, Rax, 1, TRY(read(v, at, Width::Byte)));
    return {};
}

// --- The stack

Guest<> push_operand(Vcpu& v, const Insn& i) { return push(v, TRY(get(v, i, 0)), i.operand_size); }

Guest<> pop_operand(Vcpu& v, const Insn& i) {
    StackView s = current_stack(v);
    u64 value = TRY(peek(v, s, 0, i.operand_size));
    const u64 old = v.gpr[Rsp];
    if (i.op[0].is(OperandKind::Segment)) {
        CHECK(load_selector(v, static_cast<Seg>(i.op[0].reg), value));
        commit_sp(v, s, s.sp + i.operand_size);
        return {};
    }
    commit_sp(v, s, s.sp + i.operand_size);  // an address with RSP counts from the popped stack
    auto done = put(v, i, 0, value);
    if (!done) v.gpr[Rsp] = old;
    return done;
}

Guest<> pusha(Vcpu& v, const Insn& i) {
    StackView s = current_stack(v);
    CHECK(push_frame(v, s, v.gpr, 8, i.operand_size));
    commit_sp(v, s);
    return {};
}

Guest<> popa(Vcpu& v, const Insn& i) {
    StackView s = current_stack(v);
    u64 value[8];
    for (unsigned n = 0; n < 8; n++) value[n] = TRY(peek(v, s, n, i.operand_size));
    commit_sp(v, s, s.sp + 8 * i.operand_size);
    for (unsigned n = 0; n < 8; n++)
        if (7 - n != Rsp) set_gpr(v, 7 - n, i.operand_size, value[n]);
    return {};
}

// The display is copied item by item, and may lie where it is copied to; all places are checked first.
Guest<> enter(Vcpu& v, const Insn& i) {
    const unsigned size = i.operand_size, level = i.imm2 & 31, pushes = level ? level + 1 : 1;
    StackView s = current_stack(v), outer = s;
    outer.sp = v.gpr[Rbp];
    Stretch place[33], shown[32];
    for (unsigned n = 0; n < pushes; n++) place[n] = TRY(stack_place(v, s, -u64{size} * (n + 1), size, true));
    for (unsigned n = 1; n < level; n++) shown[n] = TRY(stack_place(v, outer, -u64{size} * n, size, false));
    const u64 frame = (s.sp & ~s.mask()) | ((s.sp - size) & s.mask());  // RSP, of which a push moves only the stack's part
    s.sp -= u64{pushes} * size + (i.imm & 0xffff);
    TRY(stack_place(v, s, 0, size, true));  // the new top must be writable

    place[0].store(v, &v.gpr[Rbp]);
    for (unsigned n = 1; n < level; n++) {
        u64 item = shown[n].load(v);
        place[n].store(v, &item);
    }
    if (level) place[level].store(v, &frame);
    commit_sp(v, s);
    set_gpr(v, Rbp, size, frame);
    return {};
}

Guest<> leave(Vcpu& v, const Insn& i) {
    StackView s = current_stack(v);
    s.sp = v.gpr[Rbp];
    u64 value = TRY(peek(v, s, 0, i.operand_size));
    commit_sp(v, s, s.sp + i.operand_size);
    set_gpr(v, Rbp, i.operand_size, value);
    return {};
}

// --- Conditions and flags

Guest<> setcc(Vcpu& v, const Insn& i) { return put(v, i, 0, condition(v, i.opcode)); }

// The source is read whatever the condition says, and a 32-bit destination loses its upper half.
Guest<> cmovcc(Vcpu& v, const Insn& i) {
    u64 value = TRY(get(v, i, 1));
    set_register(v, i.op[0], condition(v, i.opcode) ? value : get_register(v, i.op[0]));
    return {};
}

Guest<> change_carry(Vcpu& v, const Insn& i) {
    u64 flags = evaluate(v.flags);
    if (i.mnemonic == ZYDIS_MNEMONIC_CMC)
        flags ^= flag::cf;
    else if (i.mnemonic == ZYDIS_MNEMONIC_STC)
        flags |= flag::cf;
    else
        flags &= ~flag::cf;
    set_arithmetic(v, flags);
    return {};
}

Guest<> change_direction(Vcpu& v, const Insn& i) {
    bool down = i.mnemonic == ZYDIS_MNEMONIC_STD;
    v.system_flags = (v.system_flags & ~flag::df) | (down ? flag::df : 0);
    v.direction = down ? ~u64{0} : 1;
    return {};
}

Guest<> lahf(Vcpu& v, const Insn&) {
    constexpr u64 kept = flag::sf | flag::zf | flag::af | flag::pf | flag::cf;
    u64 flags = (evaluate(v.flags) & kept) | flag::reserved1;
    v.gpr[Rax] = (v.gpr[Rax] & ~u64{0xff00}) | flags << 8;
    return {};
}
Guest<> sahf(Vcpu& v, const Insn&) {
    constexpr u64 changed = flag::sf | flag::zf | flag::af | flag::pf | flag::cf;
    set_arithmetic(v, (evaluate(v.flags) & ~changed) | (v.gpr[Rax] >> 8 & changed));
    return {};
}
Guest<> salc(Vcpu& v, const Insn&) {
    set_gpr(v, Rax, 1, evaluate(v.flags) & flag::cf ? 0xff : 0);
    return {};
}

// --- Sign extension inside the accumulator

// CBW, CWDE, CDQE: AL to AX, AX to EAX, EAX to RAX.
Guest<> extend_accumulator(Vcpu& v, const Insn& i) {
    set_gpr(v, Rax, i.operand_size, static_cast<u64>(sign_extend(v.gpr[Rax], 4 * i.operand_size)));
    return {};
}
// CWD, CDQ, CQO: the sign fills DX, EDX, RDX.
Guest<> spread_sign(Vcpu& v, const Insn& i) {
    set_gpr(v, Rdx, i.operand_size, bit(v.gpr[Rax], 8 * i.operand_size - 1) ? ~u64{0} : 0);
    return {};
}

Guest<> bound(Vcpu& v, const Insn& i) {
    const unsigned size = i.operand_size;
    i64 index = TRY(get_signed(v, i, 0));
    u64 bound[2] = {};
    for (unsigned n = 0; n < 2; n++) CHECK(get_bytes(v, i, &bound[n], size, n * size));
    i64 lower = sign_extend(bound[0], 8 * size), upper = sign_extend(bound[1], 8 * size);
    if (index < lower || index > upper) return fault(Vector::Br);
    return {};
}

}  // namespace

Semantics move_semantics(const Insn& i) {
    switch (i.mnemonic) {
        case ZYDIS_MNEMONIC_MOV:
        case ZYDIS_MNEMONIC_MOVNTI: return mov;
        case ZYDIS_MNEMONIC_MOVZX: return mov_zero_extended;
        case ZYDIS_MNEMONIC_MOVSX:
        case ZYDIS_MNEMONIC_MOVSXD: return mov_sign_extended;
        case ZYDIS_MNEMONIC_LEA: return lea;
        case ZYDIS_MNEMONIC_LES:
        case ZYDIS_MNEMONIC_LDS:
        case ZYDIS_MNEMONIC_LSS:
        case ZYDIS_MNEMONIC_LFS:
        case ZYDIS_MNEMONIC_LGS: return load_far_pointer;
        case ZYDIS_MNEMONIC_XLAT: return xlat;
        case ZYDIS_MNEMONIC_PUSH: return push_operand;
        case ZYDIS_MNEMONIC_POP: return pop_operand;
        case ZYDIS_MNEMONIC_PUSHA:
        case ZYDIS_MNEMONIC_PUSHAD: return pusha;
        case ZYDIS_MNEMONIC_POPA:
        case ZYDIS_MNEMONIC_POPAD: return popa;
        case ZYDIS_MNEMONIC_ENTER: return enter;
        case ZYDIS_MNEMONIC_LEAVE: return leave;
        case ZYDIS_MNEMONIC_CMC:
        case ZYDIS_MNEMONIC_STC:
        case ZYDIS_MNEMONIC_CLC: return change_carry;
        case ZYDIS_MNEMONIC_CLD:
        case ZYDIS_MNEMONIC_STD: return change_direction;
        case ZYDIS_MNEMONIC_LAHF: return lahf;
        case ZYDIS_MNEMONIC_SAHF: return sahf;
        case ZYDIS_MNEMONIC_SALC: return salc;
        case ZYDIS_MNEMONIC_CBW:
        case ZYDIS_MNEMONIC_CWDE:
        case ZYDIS_MNEMONIC_CDQE: return extend_accumulator;
        case ZYDIS_MNEMONIC_CWD:
        case ZYDIS_MNEMONIC_CDQ:
        case ZYDIS_MNEMONIC_CQO: return spread_sign;
        case ZYDIS_MNEMONIC_BOUND: return bound;
        case ZYDIS_MNEMONIC_NOP:
        case ZYDIS_MNEMONIC_PAUSE:
        case ZYDIS_MNEMONIC_PREFETCH:
        case ZYDIS_MNEMONIC_PREFETCHW:
        case ZYDIS_MNEMONIC_PREFETCHNTA:
        case ZYDIS_MNEMONIC_PREFETCHT0:
        case ZYDIS_MNEMONIC_PREFETCHT1:
        case ZYDIS_MNEMONIC_PREFETCHT2:
        case ZYDIS_MNEMONIC_PREFETCHWT1:
        case ZYDIS_MNEMONIC_LFENCE:
        case ZYDIS_MNEMONIC_SFENCE:
        case ZYDIS_MNEMONIC_MFENCE: return nop;
        default: break;
    }
    if (i.opcode_map == 1 && (i.opcode & 0xf0) == 0x90) return setcc;
    if (i.opcode_map == 1 && (i.opcode & 0xf0) == 0x40) return cmovcc;
    return nullptr;
}

}  // namespace bmbt

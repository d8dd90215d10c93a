// MOV and its kin, LEA, XCHG, PUSH, POP, sign and zero extension. Source: Intel SDM vol. 2, the instructions' own pages.
#include <Zydis/Mnemonic.h>

#include "cpu/vcpu_offsets.inc"
#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace flag = x86::flag;

void read_selector(Block& b, const Operand& dst, unsigned seg) {
    const i32 at = VCPU_SEGMENTS + static_cast<i32>(seg * sizeof(x86::Segment) + offsetof(x86::Segment, selector));
    if (dst.is(OperandKind::Gpr) && dst.size >= 4)
        return b.as.ld_hu(dst.size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Zero), host::state, at);
    Gpr t = b.temp();
    b.as.ld_hu(t, host::state, at);
    if (dst.is(OperandKind::Memory)) b.store(t, b.address(), 2);
    else b.write(dst, t);
}

// What a kernel reads at each page fault and each change of process.
void read_control(Block& b, const Operand& dst, unsigned number) {
    i32 at;
    switch (number) {
        case 0: at = VCPU_CR0; break;
        case 2: at = VCPU_CR2; break;
        case 3: at = VCPU_CR3; break;
        case 4: at = VCPU_CR4; break;
        default: return b.callout();
    }
    if (b.mode.cpl() != 0) return b.callout();
    Gpr to = dst.size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Zero);
    dst.size == 8 ? b.as.ld_d(to, host::state, at) : b.as.ld_wu(to, host::state, at);
    if (number == 0) b.as.ori(to, to, x86::cr0::et);
}

void mov(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    if (src.is(OperandKind::Segment)) return read_selector(b, dst, src.reg);
    if (src.is(OperandKind::Control)) return read_control(b, dst, src.reg);
    bool plain_kinds = dst.kind <= OperandKind::GprHigh || dst.is(OperandKind::Memory);
    bool plain_source = src.kind <= OperandKind::GprHigh || src.is(OperandKind::Memory) || b.is_constant(src);
    if (!plain_kinds || !plain_source) return b.callout();
    if (dst.is(OperandKind::Memory)) {
        Gpr v = b.read(src, Upper::Any);
        return b.store(v, b.address(), dst.size);
    }
    if (dst.is(OperandKind::Gpr) && dst.size >= 4) {
        if (src.is(OperandKind::Memory)) {
            Address at = b.address();
            Gpr to = dst.size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Zero);
            return b.load(to, at, dst.size, Upper::Zero);
        }
        if (b.is_constant(src)) {
            u64 c = static_cast<u64>(b.constant_of(src));
            if (dst.size == 4) c &= 0xffff'ffff;
            if (c == 0) return b.as.move(dst.size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Zero), zero);
            if (dst.size == 4 && c >> 31) {  // the sign-extended form is shorter, and extended only if needed
                i64 s = sign_extend(c, 32);
                if (Assembler::li_length(static_cast<u64>(s)) < Assembler::li_length(c))
                    return b.as.li(b.write32(dst.reg, Upper::Sign), static_cast<u64>(s));
            }
            return b.as.li(dst.size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Zero), c);
        }
        if (dst.size == 8) {
            Gpr v = b.whole(src.reg);
            if (src.reg != dst.reg) b.as.move(b.write64(dst.reg), v);
            return;
        }
        Upper up = b.is_sign_extended(src.reg) ? Upper::Sign : b.zero_extended(src.reg) ? Upper::Zero : Upper::Any;
        Gpr v = b.low(src.reg), to = b.write32(dst.reg, up);
        if (!(to == v)) b.as.move(to, v);
        return;
    }
    b.write(dst, b.read(src, Upper::Any));
}

void movzx(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    if (dst.size == 2) return b.write(dst, b.read(src, Upper::Zero));
    if (src.is(OperandKind::Memory)) {
        Address at = b.address();
        Gpr to = dst.size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Zero);
        return b.load(to, at, src.size, Upper::Zero);
    }
    Gpr from = b.low(src.reg);
    Gpr to = dst.size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Zero);
    if (src.is(OperandKind::GprHigh)) b.as.bstrpick_d(to, from, 15, 8);
    else b.as.bstrpick_d(to, from, src.size * 8 - 1, 0);
}

void movsx(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    if (dst.size == 2) return b.write(dst, b.read(src, Upper::Sign));
    auto target = [&] { return dst.size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Sign); };
    if (src.is(OperandKind::Memory)) {
        Address at = b.address();
        return b.load(target(), at, src.size, Upper::Sign);
    }
    if (src.is(OperandKind::Gpr) && src.size == 4 && dst.size == 4) return mov(b, i);  // MOVSXD without REX.W
    bool extended = src.is(OperandKind::Gpr) && src.size == 4 && b.is_sign_extended(src.reg);
    Gpr to = target();
    if (!extended) b.read_into(to, src, Upper::Sign);
    else if (src.reg != dst.reg) b.as.move(to, b.low(src.reg));
}

void lea(Block& b, const Insn& i) {
    const Operand& dst = i.op[0];
    // What LEA needs of a 64-bit sum is only its low bytes.
    unsigned size = i.address_size > dst.size && i.mem.base != x86::rip_register ? 8 : i.address_size;
    if (b.mode.code64() && dst.size == 4 && i.address_size == 8 && i.mem.base != x86::rip_register) {
        // Sum of low halves: no register need be whole.
        const x86::MemoryOperand& m = i.mem;
        auto& as = b.as;
        if (m.base == x86::no_register && m.index == x86::no_register) return as.li(b.write32(dst.reg, Upper::Zero), static_cast<u64>(m.disp) & 0xffff'ffff);
        Gpr sum = m.base != x86::no_register ? b.low(m.base) : zero, t = b.temp();
        if (m.index != x86::no_register) {
            if (m.shift == 0) as.add_w(t, sum, b.low(m.index));
            else as.alsl_w(t, b.low(m.index), sum, m.shift);
            sum = t;
        }
        if (m.disp >= -2048 && m.disp < 2048) {
            as.addi_w(b.write32(dst.reg, Upper::Sign), sum, m.disp);
        } else {
            Gpr c = b.constant(static_cast<u64>(m.disp));
            as.add_w(b.write32(dst.reg, Upper::Sign), sum, c);
        }
        return;
    }
    // The last step straight into the destination, for the common forms.
    const x86::MemoryOperand& m = i.mem;
    if (b.mode.code64() && dst.size == 8 && size == 8 && m.base != x86::rip_register) {
        auto& as = b.as;
        bool base = m.base != x86::no_register, index = m.index != x86::no_register;
        if (base && !index && m.disp >= -2048 && m.disp < 2048) {
            Gpr x = b.whole(m.base);
            return as.addi_d(b.write64(dst.reg), x, m.disp);
        }
        if (base && index && m.disp == 0) {
            Gpr x = b.whole(m.base), y = b.whole(m.index), to = b.write64(dst.reg);
            return m.shift ? as.alsl_d(to, y, x, m.shift) : as.add_d(to, x, y);
        }
        if (!base && index && m.disp == 0) {
            Gpr y = b.whole(m.index);
            return as.slli_d(b.write64(dst.reg), y, m.shift);
        }
        if (base && index && m.disp >= -2048 && m.disp < 2048) {
            Gpr x = b.whole(m.base), y = b.whole(m.index), t = b.temp();
            m.shift ? as.alsl_d(t, y, x, m.shift) : as.add_d(t, x, y);
            return as.addi_d(b.write64(dst.reg), t, m.disp);
        }
    }
    Gpr ea = b.effective_address(i.mem, i.address_size);
    b.write(dst, ea, i.address_size <= 4 ? Upper::Zero : Upper::Any);
}

void xchg(Block& b, const Insn& i) {
    const Operand &x = i.op[0], &y = i.op[1];
    if (x.is(OperandKind::Memory) || y.is(OperandKind::Memory)) {
        const Operand& reg = x.is(OperandKind::Memory) ? y : x;
        if (reg.size < 4) return b.callout();
        Gpr at = b.address_register(b.address()), old = b.temp();
        Gpr v = reg.size == 8 ? b.whole(reg.reg) : b.low(reg.reg);
        if (reg.size == 8) b.as.amswap_db_d(old, v, at);
        else b.as.amswap_db_w(old, v, at);
        return b.write(reg, old, Upper::Sign);
    }
    Gpr t = b.temp();
    b.read_into(t, x, Upper::Any);
    Gpr v = b.read(y, Upper::Any);
    b.write(x, v);
    b.write(y, t);
}

// The size of what PUSH and POP move: the operand size, 8 where 64-bit mode makes it so.
void push(Block& b, const Insn& i) {
    const Operand& src = i.op[0];
    if (src.is(OperandKind::Segment)) return b.callout();
    unsigned size = i.operand_size;
    // A stack of 64 KiB is checked as a memory operand is.
    if (src.is(OperandKind::Memory) && b.mode.small(x86::Ss)) return b.callout();
    Gpr v = b.read(src, Upper::Any);
    b.store(v, b.stack_address(-static_cast<i64>(size), size), size);
    b.add_to_stack_pointer(-static_cast<i64>(size));
}

void pop(Block& b, const Insn& i) {
    const Operand& dst = i.op[0];
    unsigned size = i.operand_size;
    if (!dst.is(OperandKind::Gpr)) return b.callout();
    Address at = b.stack_address(0, size);
    if (dst.reg == x86::Rsp || size == 2) {
        Gpr t = b.temp();
        b.load(t, at, size, Upper::Zero);
        b.add_to_stack_pointer(size);
        return b.write(dst, t, Upper::Zero);
    }
    Gpr to = size == 8 ? b.write64(dst.reg) : b.write32(dst.reg, Upper::Zero);
    b.load(to, at, size, Upper::Zero);
    b.add_to_stack_pointer(size);
}

void leave(Block& b, const Insn& i) {
    const unsigned size = i.operand_size, stack = 1u << b.mode.stack_log2();
    if (size == 2 || stack == 2) return b.callout();
    Gpr rbp = b.low(x86::Rbp), t = b.temp();
    if (stack == 8) {
        rbp = b.whole(x86::Rbp);
        b.as.ld_d(t, rbp, 0);
        b.as.addi_d(b.write64(x86::Rsp), rbp, 8);
        b.as.move(b.write64(x86::Rbp), t);
    } else {
        b.load(t, b.address_of({.seg = x86::Ss, .base = x86::Rbp}, 4), 4, Upper::Zero);
        b.as.addi_d(b.write32(x86::Rsp, Upper::Any), rbp, 4);
        b.as.move(b.write32(x86::Rbp, Upper::Zero), t);
    }
}

// CBW CWDE CDQE.
template <unsigned size>
void extend_rax(Block& b, const Insn&) {
    Gpr rax = b.low(x86::Rax);
    if (size == 2) {
        Gpr t = b.temp();
        b.as.ext_w_b(t, rax);
        b.write_low(x86::Rax, 2, t);
    } else if (size == 4) {
        b.as.ext_w_h(b.write32(x86::Rax, Upper::Sign), rax);
    } else if (b.is_sign_extended(x86::Rax)) {
        b.write64(x86::Rax);
    } else {
        b.as.slli_w(b.write64(x86::Rax), rax, 0);
    }
}

// CWD CDQ CQO.
template <unsigned size>
void sign_to_rdx(Block& b, const Insn&) {
    auto& as = b.as;
    if (size == 8) {
        Gpr rax = b.whole(x86::Rax);
        as.srai_d(b.write64(x86::Rdx), rax, 63);
    } else if (size == 4) {
        as.srai_w(b.write32(x86::Rdx, Upper::Sign), b.low(x86::Rax), 31);
    } else {
        Gpr t = b.temp();
        as.ext_w_h(t, b.low(x86::Rax));
        as.srai_d(t, t, 15);
        b.write_low(x86::Rdx, 2, t);
    }
}

void bswap(Block& b, const Insn& i) {
    const Operand& o = i.op[0];
    if (o.size == 8) {
        Gpr r = b.whole(o.reg);
        b.as.revb_d(b.write64(o.reg), r);
    } else if (o.size == 4) {
        Gpr r = b.low(o.reg);
        Gpr to = b.write32(o.reg, Upper::Sign);
        b.as.revb_2w(to, r);
        b.as.slli_w(to, to, 0);
    } else {
        b.callout();
    }
}

void set_on_condition(Block& b, const Insn& i) {
    Gpr v = b.condition_value(i.opcode & 15);
    if (i.op[0].is(OperandKind::Memory)) b.store(v, b.address(), 1);
    else b.write(i.op[0], v);
}

void cmov(Block& b, const Insn& i) {
    const Operand &dst = i.op[0], &src = i.op[1];
    if (dst.size < 4) return b.callout();
    // The source is read, and may fault, whatever the condition.
    Gpr v = src.is(OperandKind::Memory) ? b.read(src, Upper::Zero) : dst.size == 8 ? b.whole(src.reg) : b.low(src.reg);
    Test t = b.test((i.opcode & 15) ^ 1);
    auto extension = [&](const Operand& o, bool memory) {
        if (memory) return Upper::Zero;
        return b.is_sign_extended(o.reg) ? Upper::Sign : b.zero_extended(o.reg) ? Upper::Zero : Upper::Any;
    };
    Label skip;
    Gpr to;
    if (dst.size == 8) {
        b.whole(dst.reg);
        to = b.write64(dst.reg);
    } else {
        Upper was = extension(dst, false), comes = extension(src, src.is(OperandKind::Memory));
        to = b.write32(dst.reg, was == comes ? was : Upper::Any);
    }
    // Flags kept in `to` are saved by now, and the test's registers still hold them: `to` is written last.
    b.as.branch(t.condition, t.left, t.right, skip);
    b.as.move(to, v);
    b.as.bind(skip);
}

void nop(Block&, const Insn&) {}

// Single-CPU order is the program's own; what other agents see is ordered by a full barrier.
void fence(Block& b, const Insn&) { b.as.dbar(0); }

// LAHF and SAHF in 64-bit code are rare and go through C++; CLC, STC, CMC write one flag.
template <int what>
void carry_flag(Block& b, const Insn&) {
    if (!b.flags_needed()) return b.drop_flags();
    b.flags_to_bits();
    if (what == 0) b.as.bstrins_d(host::flag_a, zero, 0, 0);
    else if (what == 1) b.as.ori(host::flag_a, host::flag_a, 1);
    else b.as.xori(host::flag_a, host::flag_a, 1);
}

constexpr u16 of = flag::of, cf = flag::cf, zf = flag::zf, sf = flag::sf, pf = flag::pf;
constexpr u16 rest = flag::arithmetic & ~flag::cf;
constexpr Row rows[] = {
    {ZYDIS_MNEMONIC_MOV, mov}, {ZYDIS_MNEMONIC_MOVZX, movzx}, {ZYDIS_MNEMONIC_MOVSX, movsx}, {ZYDIS_MNEMONIC_MOVSXD, movsx},
    {ZYDIS_MNEMONIC_LEA, lea}, {ZYDIS_MNEMONIC_XCHG, xchg, 0, 0, Row::lock},
    {ZYDIS_MNEMONIC_PUSH, push, 0, 0, Row::faults | Row::stack}, {ZYDIS_MNEMONIC_POP, pop, 0, 0, Row::faults | Row::stack},
    {ZYDIS_MNEMONIC_LEAVE, leave, 0, 0, Row::faults | Row::stack},
    {ZYDIS_MNEMONIC_CBW, extend_rax<2>}, {ZYDIS_MNEMONIC_CWDE, extend_rax<4>}, {ZYDIS_MNEMONIC_CDQE, extend_rax<8>},
    {ZYDIS_MNEMONIC_CWD, sign_to_rdx<2>}, {ZYDIS_MNEMONIC_CDQ, sign_to_rdx<4>}, {ZYDIS_MNEMONIC_CQO, sign_to_rdx<8>},
    {ZYDIS_MNEMONIC_BSWAP, bswap},
    {ZYDIS_MNEMONIC_SETO, set_on_condition, of}, {ZYDIS_MNEMONIC_SETNO, set_on_condition, of},
    {ZYDIS_MNEMONIC_SETB, set_on_condition, cf}, {ZYDIS_MNEMONIC_SETNB, set_on_condition, cf},
    {ZYDIS_MNEMONIC_SETZ, set_on_condition, zf}, {ZYDIS_MNEMONIC_SETNZ, set_on_condition, zf},
    {ZYDIS_MNEMONIC_SETBE, set_on_condition, cf | zf}, {ZYDIS_MNEMONIC_SETNBE, set_on_condition, cf | zf},
    {ZYDIS_MNEMONIC_SETS, set_on_condition, sf}, {ZYDIS_MNEMONIC_SETNS, set_on_condition, sf},
    {ZYDIS_MNEMONIC_SETP, set_on_condition, pf}, {ZYDIS_MNEMONIC_SETNP, set_on_condition, pf},
    {ZYDIS_MNEMONIC_SETL, set_on_condition, sf | of}, {ZYDIS_MNEMONIC_SETNL, set_on_condition, sf | of},
    {ZYDIS_MNEMONIC_SETLE, set_on_condition, sf | of | zf}, {ZYDIS_MNEMONIC_SETNLE, set_on_condition, sf | of | zf},
    {ZYDIS_MNEMONIC_CMOVO, cmov, of}, {ZYDIS_MNEMONIC_CMOVNO, cmov, of},
    {ZYDIS_MNEMONIC_CMOVB, cmov, cf}, {ZYDIS_MNEMONIC_CMOVNB, cmov, cf},
    {ZYDIS_MNEMONIC_CMOVZ, cmov, zf}, {ZYDIS_MNEMONIC_CMOVNZ, cmov, zf},
    {ZYDIS_MNEMONIC_CMOVBE, cmov, cf | zf}, {ZYDIS_MNEMONIC_CMOVNBE, cmov, cf | zf},
    {ZYDIS_MNEMONIC_CMOVS, cmov, sf}, {ZYDIS_MNEMONIC_CMOVNS, cmov, sf},
    {ZYDIS_MNEMONIC_CMOVP, cmov, pf}, {ZYDIS_MNEMONIC_CMOVNP, cmov, pf},
    {ZYDIS_MNEMONIC_CMOVL, cmov, sf | of}, {ZYDIS_MNEMONIC_CMOVNL, cmov, sf | of},
    {ZYDIS_MNEMONIC_CMOVLE, cmov, sf | of | zf}, {ZYDIS_MNEMONIC_CMOVNLE, cmov, sf | of | zf},
    {ZYDIS_MNEMONIC_NOP, nop}, {ZYDIS_MNEMONIC_ENDBR64, nop}, {ZYDIS_MNEMONIC_ENDBR32, nop}, {ZYDIS_MNEMONIC_PAUSE, nop},
    {ZYDIS_MNEMONIC_PREFETCHT0, nop}, {ZYDIS_MNEMONIC_PREFETCHT1, nop}, {ZYDIS_MNEMONIC_PREFETCHT2, nop},
    {ZYDIS_MNEMONIC_PREFETCHNTA, nop}, {ZYDIS_MNEMONIC_PREFETCHW, nop}, {ZYDIS_MNEMONIC_PREFETCH, nop},
    {ZYDIS_MNEMONIC_MFENCE, fence}, {ZYDIS_MNEMONIC_LFENCE, fence}, {ZYDIS_MNEMONIC_SFENCE, fence},
    {ZYDIS_MNEMONIC_CLC, carry_flag<0>, rest, cf}, {ZYDIS_MNEMONIC_STC, carry_flag<1>, rest, cf},
    {ZYDIS_MNEMONIC_CMC, carry_flag<2>, flag::arithmetic, cf},
};

}  // namespace

Rows move_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

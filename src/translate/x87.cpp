// The x87 inline: loads, stores, arithmetic, comparisons and exchanges of numbers that need no thought, all exceptions masked.
// Everything else, stack faults among it, takes the slow path or is a callout. The state is in memory, TOP and tags are
// constants of the block (x87_block.cpp), the arithmetic is in shared routines (runtime/x87_code.cpp).
// Source: Intel SDM vol. 1, "Programming with the x87 FPU"; vol. 2, the instructions' own pages. See docs/x87.md.
#include <Zydis/Mnemonic.h>

#include "cpu/vcpu_offsets.inc"
#include "translate/rows.hpp"

namespace bmbt {
namespace {

using namespace la64;
namespace at = fpu::x87_offset;
namespace flag = x86::flag;
namespace routine = x87_routine;

// Where the routines take the first and the second operand, significand and sign with exponent; the first is the result.
constexpr Gpr significand = t0, exponent = t1, second = t2, second_exponent = t3;

// One x87 instruction: the stack as the block knows it, and the state in memory.
class Fpu {
 public:
    // Leaves t0 to t3 to the operands; what else is asked for begins at t4.
    Fpu(Block& b, bool rounds) : b_(b), as_(b.as) {
        b.x87_enter(rounds);
        for (unsigned n = 0; n < 4; n++) static_cast<void>(b.temp());
    }

    static unsigned physical(const X87Lazy& x, unsigned i) { return (x.top + i) & 7; }
    static bool empty(const X87Lazy& x, unsigned i) { return !bit(x.tag, physical(x, i)); }

    // The address of a place in the state: a base register and an offset. Kernel code loads the base; `loaded` says that
    // it has.
    struct Place {
        Gpr base;
        i32 offset;
    };
    static Place place(Block& b, i32 offset, bool loaded = false) {
        if (b.mode.user()) return {host::state, USER_PAGE_X87 + offset};
        if (!loaded) b.as.ld_d(host::link, host::state, VCPU_X87);
        return {host::link, offset};
    }
    Place place(i32 offset) {
        Place p = place(b_, offset, base_);
        base_ = true;
        return p;
    }
    Place st(unsigned i) { return place(static_cast<i32>(16 * physical(b_.x87(), i))); }

    void load(Gpr m, Gpr e, unsigned i) {
        Place p = st(i);
        as_.ld_d(m, p.base, p.offset);
        as_.ld_hu(e, p.base, p.offset + 8);
    }
    void store(Gpr m, Gpr e, unsigned i) {
        Place p = st(i);
        as_.st_d(m, p.base, p.offset);
        as_.st_h(e, p.base, p.offset + 8);
    }
    void copy(Vr to, unsigned i) {
        Place p = st(i);
        as_.vld(to, p.base, p.offset);
    }
    void put(unsigned i, Vr from) {
        Place p = st(i);
        as_.vst(from, p.base, p.offset);
    }
    // Calls a routine, which comes back one instruction later when it has done it.
    void call(unsigned number) {
        b_.call_x87(number);
        as_.b(b_.slow_path());
        base_ = false;
    }
    void store_half(Gpr value, i32 offset) {
        Place p = place(offset);
        as_.st_h(value, p.base, p.offset);
    }
    void load_half(Gpr to, i32 offset) {
        Place p = place(offset);
        as_.ld_hu(to, p.base, p.offset);
    }

    // The stack, in what the block knows. push() and put() come before the store to their register.
    void push() {
        X87Lazy& x = b_.x87();
        x.top = (x.top - 1) & 7;
        x.tag |= static_cast<u8>(1u << x.top);
    }
    void mark_used(unsigned i) { b_.x87().tag |= static_cast<u8>(1u << physical(b_.x87(), i)); }
    void pop() {
        X87Lazy& x = b_.x87();
        x.tag &= static_cast<u8>(~(1u << x.top));
        x.top = (x.top + 1) & 7;
    }

    // The memory operand's offset is what FNSTENV tells of it.
    void remember_address(const Address& a, const Insn& i) {
        Gpr offset;
        if ((b_.mode.code64() && i.mem.seg < x86::Fs) || (!b_.mode.code64() && b_.mode.flat(i.mem.seg))) offset = b_.address_register(a);
        else offset = b_.effective_address(i.mem, i.address_size);
        Place p = place(at::dp);
        as_.st_d(offset, p.base, p.offset);
    }
    // Ends an instruction that counts. C1 is 0 unless the routine has written it or it stays.
    enum class C1 : u8 { Cleared, Written, Kept };
    void done(C1 c1 = C1::Cleared) {
        if (c1 != C1::Kept) b_.x87().clear_c1 = c1 == C1::Cleared;
        b_.x87_remember();
    }

 private:
    Block& b_;
    Assembler& as_;
    bool base_ = false;
};

unsigned reg(const Insn& i) { return i.modrm >> 3 & 7; }
unsigned sti(const Insn& i) { return i.modrm & 7; }
bool in_memory(const Insn& i) { return i.modrm < 0xc0; }

// Whether the stack has what the instruction takes: known before its code is begun, or guessed right.
bool all_used(Block& b, unsigned i, unsigned j) { return !Fpu::empty(b.x87(), i) && !Fpu::empty(b.x87(), j); }
bool room(Block& b) { return Fpu::empty(b.x87(), 7); }

// A stack fault: nothing was written for the instruction but the test of the state.
void stack_fault(Block& b) { b.callout(); }

// The memory operand's value to `to`.
Address load_operand(Block& b, Fpu& f, const Insn& i, Gpr to, unsigned size) {
    Address a = b.address();
    b.load(to, a, size, Upper::Sign);
    f.remember_address(a, i);
    return a;
}

// The integer in t2 becomes the number in t2, t3. Uses t4, t5.
void number_of_integer(Assembler& as) {
    as.srai_d(t4, t2, 63);
    as.xor_(t2, t2, t4);
    as.sub_d(t2, t2, t4);  // magnitude
    as.clz_d(t5, t2);
    as.lu12i_w(t3, 4);
    as.addi_d(t3, t3, 0x3e);  // 3FFFh + 63
    as.sub_d(t3, t3, t5);
    as.bstrins_d(t3, t4, 15, 15);
    as.maskeqz(t3, t3, t2);  // zero is +0
    as.sll_d(t2, t2, t5);
}

// The memory operand of arithmetic and comparison to t2, perhaps t3. What kind the routine gets.
routine::Kind load_second(Block& b, Fpu& f, const Insn& i) {
    const bool integer = i.opcode == 0xda || i.opcode == 0xde, wide = i.opcode == 0xdc;
    load_operand(b, f, i, second, wide ? 8 : i.opcode == 0xde ? 2 : 4);
    if (!integer) return wide ? routine::M64 : routine::M32;
    number_of_integer(b.as);
    return routine::Register;
}

// --- loads

void push_number(Fpu& f, Gpr m, Gpr e) {
    f.push();
    f.store(m, e, 0);
    f.done();
}

void load_real(Block& b, const Insn& i) {
    Fpu f(b, false);
    if (in_memory(i)) {
        if (!room(b)) return stack_fault(b);
        if (i.opcode == 0xdb) {
            Address a = b.address();
            if (!(a.index == zero) || a.disp > 2047 - 8) a = {.base = b.address_register(a)};
            b.load(second, a, 8, Upper::Any);
            b.load(second_exponent, {.base = a.base, .disp = a.disp + 8}, 2, Upper::Zero);
            f.remember_address(a, i);
        } else {
            bool wide = i.opcode == 0xdd;
            load_operand(b, f, i, second, wide ? 8 : 4);
            f.call(wide ? routine::widen64 : routine::widen32);
        }
        return push_number(f, second, second_exponent);
    }
    if (Fpu::empty(b.x87(), sti(i)) || !room(b)) return stack_fault(b);
    Vr t = b.vector_temp();
    f.copy(t, sti(i));
    f.push();
    f.put(0, t);
    f.done();
}

void load_integer(Block& b, const Insn& i) {
    Fpu f(b, false);
    if (!room(b)) return stack_fault(b);
    load_operand(b, f, i, second, i.opcode == 0xdb ? 4 : reg(i) == 5 ? 8 : 2);
    number_of_integer(b.as);
    push_number(f, second, second_exponent);
}

void load_constant(Block& b, const Insn& i) {
    auto which = static_cast<fpu::Constant>(i.modrm - 0xe8);
    bool exact = which == fpu::Constant::One || which == fpu::Constant::Zero;
    Fpu f(b, !exact);
    if (!room(b)) return stack_fault(b);
    fpu::Float80 c = fpu::constant(fpu::Rounding::Nearest, which);
    if (c.mantissa) b.as.li(t0, c.mantissa);
    if (c.sign_exponent) b.as.li(t1, c.sign_exponent);
    push_number(f, c.mantissa ? t0 : zero, c.sign_exponent ? t1 : zero);
}

// --- stores

// FST, FSTP, FIST, FISTP, FISTTP to memory. A routine leaves what to store in t2 and keeps t6 and t7 for the flags.
void store_converted(Block& b, const Insn& i, unsigned number, unsigned size, bool pops) {
    auto& as = b.as;
    Fpu f(b, number == routine::narrow32 || number == routine::narrow64);
    if (Fpu::empty(b.x87(), 0)) return stack_fault(b);
    f.load(significand, exponent, 0);
    f.call(number);
    if (number >= routine::to_int && size < 8) {
        size == 4 ? as.slli_w(t0, second, 0) : as.ext_w_h(t0, second);
        as.bne(t0, second, b.slow_path());
    }
    // The address takes t4 to t7: the flags move out of its way.
    as.slli_d(t6, t6, 5);
    as.bstrins_d(t6, t7, 9, 9);
    as.move(t3, t6);
    Address a = b.address();
    b.store(second, a, size);
    f.remember_address(a, i);
    f.load_half(t0, at::status);
    as.bstrins_d(t0, zero, 9, 9);
    as.or_(t0, t0, t3);
    f.store_half(t0, at::status);
    if (pops) f.pop();
    f.done(Fpu::C1::Written);
}

void store_whole(Block& b, const Insn& i) {
    auto& as = b.as;
    Fpu f(b, false);
    if (Fpu::empty(b.x87(), 0)) return stack_fault(b);
    f.load(significand, exponent, 0);
    Address a = b.address();
    Gpr base = b.address_register(a);
    // Both pieces or none: what crosses a page is C++'s.
    as.bstrpick_d(t2, base, 11, 0);
    as.addi_d(t2, t2, 9);
    as.srli_d(t2, t2, 12);
    as.bnez(t2, b.slow_path());
    b.store(exponent, {.base = base, .disp = 8}, 2);
    b.store(significand, {.base = base, .disp = 0}, 8);
    f.remember_address({.base = base}, i);
    f.pop();
    f.done();
}

void store_register(Block& b, const Insn& i, bool pops) {
    Fpu f(b, false);
    if (Fpu::empty(b.x87(), 0)) return stack_fault(b);
    if (sti(i)) {
        Vr t = b.vector_temp();
        f.copy(t, 0);
        f.put(sti(i), t);
        f.mark_used(sti(i));
    }
    if (pops) f.pop();
    f.done();
}

void store_real(Block& b, const Insn& i) {
    if (!in_memory(i)) return store_register(b, i, reg(i) == 3 || i.opcode == 0xdf);
    if (i.opcode == 0xdb) return store_whole(b, i);
    bool wide = i.opcode == 0xdd;
    store_converted(b, i, wide ? routine::narrow64 : routine::narrow32, wide ? 8 : 4, reg(i) == 3);
}

void store_integer(Block& b, const Insn& i) {
    bool truncates = reg(i) == 1;
    unsigned size = i.opcode == 0xdb ? 4 : i.opcode == 0xdd || reg(i) == 7 ? 8 : 2;
    store_converted(b, i, truncates ? routine::truncate : routine::to_int, size, reg(i) != 2);
}

// --- arithmetic and comparison

// With memory, and D8 between registers, they compute into ST(0); DC and DE into ST(i), with SUB and SUBR, DIV and DIVR
// exchanged in the opcode.
void arithmetic(Block& b, const Insn& i) {
    unsigned op = reg(i);
    if (in_memory(i)) {
        Fpu f(b, true);
        if (Fpu::empty(b.x87(), 0)) return stack_fault(b);
        routine::Kind kind = load_second(b, f, i);
        f.load(significand, exponent, 0);
        f.call(kind * 8 + op);
        f.store(significand, exponent, 0);
        return f.done(Fpu::C1::Written);
    }
    Fpu f(b, true);
    bool to_top = i.opcode == 0xd8, pops = i.opcode == 0xde;
    if (!all_used(b, 0, sti(i))) return stack_fault(b);
    unsigned to = to_top ? 0 : sti(i), from = to_top ? sti(i) : 0;
    if (!to_top && op >= 4) op ^= 1;
    f.load(significand, exponent, to);
    f.load(second, second_exponent, from);
    f.call(routine::Register * 8 + op);
    f.store(significand, exponent, to);
    if (pops) f.pop();
    f.done(Fpu::C1::Written);
}

// FCOMI, FUCOMI and their popping forms. Without NaNs all compare alike.
void compare_flags(Block& b, const Insn& i) {
    Fpu f(b, false);
    if (!all_used(b, 0, sti(i))) return stack_fault(b);
    f.load(significand, exponent, 0);
    f.load(second, second_exponent, sti(i));
    f.call(routine::Register * 8 + routine::compare);
    if (b.flags_needed()) {
        b.as.move(host::flag_a, t0);
        b.set_flags(FlagOp::Bits, 1, host::flag_a, zero);
    } else {
        b.drop_flags();
    }
    if (i.opcode == 0xdf) f.pop();
    f.done(Fpu::C1::Kept);
}

// FCOM, FUCOM, FTST: CF to C0, ZF to C3.
void compare_codes(Block& b, const Insn& i) {
    auto& as = b.as;
    bool memory = in_memory(i);
    Fpu f(b, false);
    bool test = i.opcode == 0xd9;
    unsigned other = memory || test ? 0 : sti(i);
    if (!all_used(b, 0, other)) return stack_fault(b);
    routine::Kind kind = memory ? load_second(b, f, i) : routine::Register;
    f.load(significand, exponent, 0);
    if (test) as.move(second, zero), as.move(second_exponent, zero);
    else if (!memory) f.load(second, second_exponent, other);
    f.call(kind * 8 + routine::compare);
    f.load_half(t4, at::status);
    as.bstrins_d(t4, zero, 10, 9);
    as.bstrins_d(t4, t0, 8, 8);
    as.srli_d(t0, t0, 6);
    as.bstrins_d(t4, t0, 14, 14);
    f.store_half(t4, at::status);
    unsigned pops = 0;
    if (memory) pops = reg(i) == 3;
    else if (!test) pops = (i.opcode == 0xde && reg(i) == 3) || i.opcode == 0xda ? 2 : reg(i) == 3 || reg(i) == 5 || i.opcode == 0xde;
    for (; pops; pops--) f.pop();
    f.done(Fpu::C1::Written);
}

// --- the rest

void exchange(Block& b, const Insn& i) {
    Fpu f(b, false);
    if (!all_used(b, 0, sti(i))) return stack_fault(b);
    if (sti(i)) {
        Vr t = b.vector_temp(), u = b.vector_temp();
        f.copy(t, 0);
        f.copy(u, sti(i));
        f.put(0, u);
        f.put(sti(i), t);
    }
    f.done();
}

// FCMOVB, E, BE, U, and the opposites in DB.
void move_if(Block& b, const Insn& i) {
    Fpu f(b, false);
    if (!all_used(b, 0, sti(i))) return stack_fault(b);
    constexpr u8 codes[] = {2, 4, 6, 10};
    unsigned cc = codes[reg(i) & 3] | (i.opcode == 0xdb);
    Test t = b.test(cc ^ 1);
    Vr v = b.vector_temp();
    Label skip;
    // A call for the flags may have taken the base.
    Fpu::Place from = f.st(sti(i));
    b.as.branch(t.condition, t.left, t.right, skip);
    b.as.vld(v, from.base, from.offset);
    f.put(0, v);
    b.as.bind(skip);
    f.done(Fpu::C1::Kept);
}

void change_sign(Block& b, const Insn& i) {
    auto& as = b.as;
    Fpu f(b, false);
    if (Fpu::empty(b.x87(), 0)) return stack_fault(b);
    Fpu::Place p = f.st(0);
    as.ld_hu(t0, p.base, p.offset + 8);
    if (i.modrm == 0xe0) {
        as.lu12i_w(t1, 8);
        as.xor_(t0, t0, t1);
    } else {
        as.bstrpick_d(t0, t0, 14, 0);
    }
    as.st_h(t0, p.base, p.offset + 8);
    f.done();
}

// --- control: these leave the pointers alone

void store_control(Block& b, const Insn&) {
    Gpr t = b.temp();
    Fpu::Place p = Fpu::place(b, at::control);
    b.as.ld_hu(t, p.base, p.offset);
    b.store(t, b.address(), 2);
}

void store_status(Block& b, const Insn& i) {
    auto& as = b.as;
    const X87Lazy& x = b.x87();
    Gpr t = b.temp();
    Fpu::Place p = Fpu::place(b, at::status);
    as.ld_hu(t, p.base, p.offset);
    if (x.known && x.top != x.memory_top) as.bstrins_d(t, b.constant(x.top), 13, 11);
    if (x.known && x.clear_c1) as.bstrins_d(t, zero, 9, 9);
    if (in_memory(i)) b.store(t, b.address(), 2);
    else b.write_low(x86::Rax, 2, t);
}

// FLDCW, when it leaves all exceptions masked.
void load_control(Block& b, const Insn&) {
    auto& as = b.as;
    Fpu f(b, false);
    b.load(t0, b.address(), 2, Upper::Zero);
    as.nor(t1, t0, zero);
    as.andi(t1, t1, 0x3f);
    as.bnez(t1, b.slow_path());
    as.li(t1, 0x1f3f);
    as.and_(t0, t0, t1);
    as.ori(t0, t0, 0x40);
    f.store_half(t0, at::control);
    b.x87().nearest = false;
}

// FWAIT: a known state has nothing pending.
void wait(Block& b, const Insn&) { b.x87_enter(false); }

constexpr u16 traits = Row::x87 | Row::faults;
constexpr u16 cf = flag::cf, zf = flag::zf, pf = flag::pf;
#define BMBT_X87(NAME, emit) {ZYDIS_MNEMONIC_##NAME, emit, 0, 0, traits}
constexpr Row rows[] = {
    BMBT_X87(FLD, load_real), BMBT_X87(FILD, load_integer),
    BMBT_X87(FLD1, load_constant), BMBT_X87(FLDL2T, load_constant), BMBT_X87(FLDL2E, load_constant), BMBT_X87(FLDPI, load_constant),
    BMBT_X87(FLDLG2, load_constant), BMBT_X87(FLDLN2, load_constant), BMBT_X87(FLDZ, load_constant),
    BMBT_X87(FST, store_real), BMBT_X87(FSTP, store_real),
    BMBT_X87(FIST, store_integer), BMBT_X87(FISTP, store_integer), BMBT_X87(FISTTP, store_integer),
    BMBT_X87(FADD, arithmetic), BMBT_X87(FADDP, arithmetic), BMBT_X87(FMUL, arithmetic), BMBT_X87(FMULP, arithmetic),
    BMBT_X87(FSUB, arithmetic), BMBT_X87(FSUBP, arithmetic), BMBT_X87(FSUBR, arithmetic), BMBT_X87(FSUBRP, arithmetic),
    BMBT_X87(FIADD, arithmetic), BMBT_X87(FIMUL, arithmetic), BMBT_X87(FISUB, arithmetic), BMBT_X87(FISUBR, arithmetic),
    BMBT_X87(FIDIV, arithmetic), BMBT_X87(FIDIVR, arithmetic), BMBT_X87(FICOM, compare_codes), BMBT_X87(FICOMP, compare_codes),
    BMBT_X87(FDIV, arithmetic), BMBT_X87(FDIVP, arithmetic), BMBT_X87(FDIVR, arithmetic), BMBT_X87(FDIVRP, arithmetic),
    BMBT_X87(FCOM, compare_codes), BMBT_X87(FCOMP, compare_codes), BMBT_X87(FCOMPP, compare_codes),
    BMBT_X87(FUCOM, compare_codes), BMBT_X87(FUCOMP, compare_codes), BMBT_X87(FUCOMPP, compare_codes), BMBT_X87(FTST, compare_codes),
    {ZYDIS_MNEMONIC_FCOMI, compare_flags, 0, flag::arithmetic, traits}, {ZYDIS_MNEMONIC_FCOMIP, compare_flags, 0, flag::arithmetic, traits},
    {ZYDIS_MNEMONIC_FUCOMI, compare_flags, 0, flag::arithmetic, traits}, {ZYDIS_MNEMONIC_FUCOMIP, compare_flags, 0, flag::arithmetic, traits},
    BMBT_X87(FXCH, exchange), BMBT_X87(FCHS, change_sign), BMBT_X87(FABS, change_sign),
    {ZYDIS_MNEMONIC_FCMOVB, move_if, cf, 0, traits}, {ZYDIS_MNEMONIC_FCMOVNB, move_if, cf, 0, traits},
    {ZYDIS_MNEMONIC_FCMOVE, move_if, zf, 0, traits}, {ZYDIS_MNEMONIC_FCMOVNE, move_if, zf, 0, traits},
    {ZYDIS_MNEMONIC_FCMOVBE, move_if, cf | zf, 0, traits}, {ZYDIS_MNEMONIC_FCMOVNBE, move_if, cf | zf, 0, traits},
    {ZYDIS_MNEMONIC_FCMOVU, move_if, pf, 0, traits}, {ZYDIS_MNEMONIC_FCMOVNU, move_if, pf, 0, traits},
    BMBT_X87(FNSTCW, store_control), BMBT_X87(FNSTSW, store_status), BMBT_X87(FLDCW, load_control), BMBT_X87(FWAIT, wait),
};
#undef BMBT_X87

}  // namespace

Rows x87_rows() { return {rows, std::size(rows)}; }

}  // namespace bmbt

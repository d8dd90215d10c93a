// x87 instructions by opcode and ModRM, over the register-stack machine of src/fpu.
// Intel SDM vol. 2, "Escape Opcode Instructions".
#include <cstring>

#include "cpu/conditions.hpp"
#include "cpu/media.hpp"
#include "cpu/platform.hpp"
#include "fpu/x87_image.hpp"
#include "fpu/x87_stack.hpp"

namespace bmbt {

using namespace x86;
using fpu::Arith;
using fpu::Float80;
using fpu::Mf;
using fpu::X87;

namespace {

Guest<> waited(Mf mf) {
    if (mf == Mf::Pending) return fault(Vector::Mf);
    return {};
}

// What FSTENV tells about the last instruction that was not a control instruction.
void remember(Vcpu& v, const Insn& i, bool memory) {
    vcpu_x87(v).ip = v.rip;
    vcpu_x87(v).cs = v.seg[Cs].selector;
    vcpu_x87(v).opcode = (i.opcode & 7) << 8 | i.modrm;
    if (!memory) return;
    vcpu_x87(v).dp = effective_offset(v, i);
    vcpu_x87(v).ds = v.seg[i.mem.seg].selector;
}

template <class T>
Guest<T> load(Vcpu& v, const Insn& i) {
    T value{};
    CHECK(get_bytes(v, i, &value, sizeof(T)));
    return value;
}
Guest<Float80> load80(Vcpu& v, const Insn& i) {
    u8 image[10];
    CHECK(get_bytes(v, i, image, 10));
    Float80 f;
    std::memcpy(&f.mantissa, image, 8);
    std::memcpy(&f.sign_exponent, image + 8, 2);
    return f;
}

template <class T>
Guest<> write_value(Vcpu& v, const Insn& i, const T& value) {
    return put_bytes(v, i, &value, sizeof(T));
}
Guest<> write_value(Vcpu& v, const Insn& i, const Float80& f) {
    u8 image[10];
    std::memcpy(image, &f.mantissa, 8);
    std::memcpy(image + 8, &f.sign_exponent, 2);
    return put_bytes(v, i, image, 10);
}

template <class T>
Guest<> store(Vcpu& v, const Insn& i, const fpu::Store<T>& s, bool pop) {
    CHECK(waited(s.mf));
    if (s.write)
        CHECK(write_value(v, i, s.value));
    else  // the place must be writable even when an unmasked exception keeps the value back
        TRY(translate(v, TRY(operand_address(v, i, i.op[0].size, true)), i.op[0].size, true));
    fpu::finish_store(vcpu_x87(v), s, pop);
    return {};
}

unsigned reg(const Insn& i) { return i.modrm >> 3 & 7; }
unsigned sti(const Insn& i) { return i.modrm & 7; }

// --- Environment and state images

fpu::ImageFormat image_format(const Vcpu& v, const Insn& i) {
    bool real = !v.protected_mode() || v.v8086(), wide = i.operand_size != 2;
    if (real) return wide ? fpu::ImageFormat::Real32 : fpu::ImageFormat::Real16;
    return wide ? fpu::ImageFormat::Protected32 : fpu::ImageFormat::Protected16;
}

Guest<> fnstenv(Vcpu& v, const Insn& i) {
    u8 image[28];
    auto format = image_format(v, i);
    fpu::save_environment(vcpu_x87(v), format, image);
    CHECK(put_bytes(v, i, image, fpu::environment_size(format)));
    fpu::mask_all(vcpu_x87(v));
    return {};
}
Guest<> fldenv(Vcpu& v, const Insn& i) {
    u8 image[28];
    auto format = image_format(v, i);
    CHECK(get_bytes(v, i, image, fpu::environment_size(format)));
    fpu::load_environment(vcpu_x87(v), format, image);
    return {};
}
Guest<> fnsave(Vcpu& v, const Insn& i) {
    u8 image[108];
    auto format = image_format(v, i);
    fpu::save_state(vcpu_x87(v), format, image);
    CHECK(put_bytes(v, i, image, fpu::state_size(format)));
    fpu::fninit(vcpu_x87(v));
    return {};
}
Guest<> frstor(Vcpu& v, const Insn& i) {
    u8 image[108];
    auto format = image_format(v, i);
    CHECK(get_bytes(v, i, image, fpu::state_size(format)));
    fpu::load_state(vcpu_x87(v), format, image);
    return {};
}

// --- Memory forms

// D8, DA, DC, DE with a memory operand: reg 2 and 3 compare, the others compute.
Guest<> memory_arithmetic(Vcpu& v, const Insn& i) {
    X87& x = vcpu_x87(v);
    const unsigned r = reg(i);
    const bool compares = r == 2 || r == 3, pop = r == 3;
    const auto op = static_cast<Arith>(r);
    switch (i.opcode) {
        case 0xd8: {
            u32 m = TRY(load<u32>(v, i));
            return waited(compares ? fpu::fcom_m32(x, m, pop) : fpu::arith_m32(x, op, m));
        }
        case 0xdc: {
            u64 m = TRY(load<u64>(v, i));
            return waited(compares ? fpu::fcom_m64(x, m, pop) : fpu::arith_m64(x, op, m));
        }
        default: {
            i32 m = i.opcode == 0xda ? TRY(load<i32>(v, i)) : TRY(load<i16>(v, i));
            return waited(compares ? fpu::ficom(x, m, pop) : fpu::arith_int(x, op, m));
        }
    }
}

Guest<> memory_d9(Vcpu& v, const Insn& i) {
    X87& x = vcpu_x87(v);
    switch (reg(i)) {
        case 0: return waited(fpu::fld_m32(x, TRY(load<u32>(v, i))));
        case 2: return store(v, i, fpu::fst_m32(x), false);
        case 3: return store(v, i, fpu::fst_m32(x), true);
        case 4: return fldenv(v, i);
        case 5: return waited(fpu::fldcw(x, TRY(load<u16>(v, i))));
        case 6: return fnstenv(v, i);
        case 7: return write_value(v, i, fpu::fnstcw(x));
        default: return ud();
    }
}

Guest<> memory_db(Vcpu& v, const Insn& i) {
    X87& x = vcpu_x87(v);
    switch (reg(i)) {
        case 0: return waited(fpu::fild(x, TRY(load<i32>(v, i))));
        case 1: return store(v, i, fpu::fist_m32(x, true), true);
        case 2: return store(v, i, fpu::fist_m32(x, false), false);
        case 3: return store(v, i, fpu::fist_m32(x, false), true);
        case 5: return waited(fpu::fld(x, TRY(load80(v, i))));
        case 7: return store(v, i, fpu::fst_m80(x), true);
        default: return ud();
    }
}

Guest<> memory_dd(Vcpu& v, const Insn& i) {
    X87& x = vcpu_x87(v);
    switch (reg(i)) {
        case 0: return waited(fpu::fld_m64(x, TRY(load<u64>(v, i))));
        case 1: return store(v, i, fpu::fist_m64(x, true), true);
        case 2: return store(v, i, fpu::fst_m64(x), false);
        case 3: return store(v, i, fpu::fst_m64(x), true);
        case 4: return frstor(v, i);
        case 6: return fnsave(v, i);
        case 7: return write_value(v, i, fpu::fnstsw(x));
        default: return ud();
    }
}

Guest<> memory_df(Vcpu& v, const Insn& i) {
    X87& x = vcpu_x87(v);
    switch (reg(i)) {
        case 0: return waited(fpu::fild(x, TRY(load<i16>(v, i))));
        case 1: return store(v, i, fpu::fist_m16(x, true), true);
        case 2: return store(v, i, fpu::fist_m16(x, false), false);
        case 3: return store(v, i, fpu::fist_m16(x, false), true);
        case 4: return waited(fpu::fbld(x, TRY(load80(v, i))));
        case 5: return waited(fpu::fild(x, TRY(load<i64>(v, i))));
        case 6: return store(v, i, fpu::fbst(x), true);
        default: return store(v, i, fpu::fist_m64(x, false), true);
    }
}

Guest<> memory_form(Vcpu& v, const Insn& i) {
    switch (i.opcode) {
        case 0xd9: return memory_d9(v, i);
        case 0xdb: return memory_db(v, i);
        case 0xdd: return memory_dd(v, i);
        case 0xdf: return memory_df(v, i);
        default: return memory_arithmetic(v, i);
    }
}

// --- Register forms

Guest<> one_operand(Vcpu& v, const Insn& i) {
    X87& x = vcpu_x87(v);
    if (i.modrm >= 0xe8 && i.modrm <= 0xee)  // FLD1, FLDL2T, FLDL2E, FLDPI, FLDLG2, FLDLN2, FLDZ
        return waited(fpu::fld_constant(x, static_cast<fpu::Constant>(i.modrm - 0xe8)));
    switch (i.modrm) {
        case 0xe0: return waited(fpu::fchs(x));
        case 0xe1: return waited(fpu::fabs(x));
        case 0xe4: return waited(fpu::ftst(x));
        case 0xe5: return waited(fpu::fxam(x));
        case 0xf0: return waited(fpu::f2xm1(x));
        case 0xf1: return waited(fpu::fyl2x(x));
        case 0xf2: return waited(fpu::fptan(x));
        case 0xf3: return waited(fpu::fpatan(x));
        case 0xf4: return waited(fpu::fxtract(x));
        case 0xf5: return waited(fpu::fprem1(x));
        case 0xf6: return waited(fpu::fdecstp(x));
        case 0xf7: return waited(fpu::fincstp(x));
        case 0xf8: return waited(fpu::fprem(x));
        case 0xf9: return waited(fpu::fyl2xp1(x));
        case 0xfa: return waited(fpu::fsqrt(x));
        case 0xfb: return waited(fpu::fsincos(x));
        case 0xfc: return waited(fpu::frndint(x));
        case 0xfd: return waited(fpu::fscale(x));
        case 0xfe: return waited(fpu::fsin(x));
        case 0xff: return waited(fpu::fcos(x));
        default: return ud();
    }
}

Guest<> register_d9(Vcpu& v, const Insn& i) {
    switch (reg(i)) {
        case 0: return waited(fpu::fld_sti(vcpu_x87(v), sti(i)));
        case 1: return waited(fpu::fxch(vcpu_x87(v), sti(i)));
        case 2: return i.modrm == 0xd0 ? waited(fpu::fnop(vcpu_x87(v))) : ud();
        case 3: return waited(fpu::fst_unchecked(vcpu_x87(v), sti(i)));
        default: return one_operand(v, i);
    }
}

// FCMOVcc: below, equal, below or equal, unordered; DB has the opposites.
bool move_condition(const Vcpu& v, const Insn& i) {
    constexpr u64 tested[] = {flag::cf, flag::zf, flag::cf | flag::zf, flag::pf};
    return static_cast<bool>(evaluate(v.flags) & tested[reg(i)]) == (i.opcode == 0xda);
}

Guest<> compare_into_flags(Vcpu& v, const Insn& i, bool pop) {
    u64 flags = evaluate(v.flags);
    CHECK(waited(fpu::fcomi(vcpu_x87(v), sti(i), pop, reg(i) == 5, flags)));
    set_arithmetic(v, flags);
    return {};
}

Guest<> register_db(Vcpu& v, const Insn& i) {
    switch (i.modrm) {
        case 0xe2: fpu::fnclex(vcpu_x87(v)); return {};
        case 0xe3: fpu::fninit(vcpu_x87(v)); return {};
        case 0xe0:
        case 0xe1:
        case 0xe4: return {};  // FNENI, FNDISI, FNSETPM of older coprocessors
        default: break;
    }
    if (reg(i) < 4) return waited(fpu::fcmov(vcpu_x87(v), sti(i), move_condition(v, i)));
    if (reg(i) == 5 || reg(i) == 6) return compare_into_flags(v, i, false);
    return ud();
}

// D8: to ST(0). DC and DE: to ST(i), where SUB and SUBR, DIV and DIVR change places in the opcode.
Guest<> register_arithmetic(Vcpu& v, const Insn& i) {
    const bool to_top = i.opcode == 0xd8, pop = i.opcode == 0xde;
    unsigned r = reg(i);
    if (r == 2 || r == 3) {
        if (i.modrm == 0xd9 && pop) return waited(fpu::fcom_sti(vcpu_x87(v), 1, 2, false));
        if (pop && r == 3) return ud();
        return waited(fpu::fcom_sti(vcpu_x87(v), sti(i), r == 3 || pop, false));
    }
    if (to_top) return waited(fpu::arith(vcpu_x87(v), static_cast<Arith>(r), 0, sti(i), false));
    if (r >= 4) r ^= 1;
    return waited(fpu::arith(vcpu_x87(v), static_cast<Arith>(r), sti(i), 0, pop));
}

Guest<> register_dd(Vcpu& v, const Insn& i) {
    switch (reg(i)) {
        case 0: return waited(fpu::ffree(vcpu_x87(v), sti(i), false));
        case 1: return waited(fpu::fxch(vcpu_x87(v), sti(i)));
        case 2: return waited(fpu::fst_sti(vcpu_x87(v), sti(i), false));
        case 3: return waited(fpu::fst_sti(vcpu_x87(v), sti(i), true));
        case 4: return waited(fpu::fcom_sti(vcpu_x87(v), sti(i), 0, true));
        case 5: return waited(fpu::fcom_sti(vcpu_x87(v), sti(i), 1, true));
        default: return ud();
    }
}

Guest<> register_df(Vcpu& v, const Insn& i) {
    switch (reg(i)) {
        case 0: return waited(fpu::ffree(vcpu_x87(v), sti(i), true));
        case 1: return waited(fpu::fxch(vcpu_x87(v), sti(i)));
        case 2:
        case 3: return waited(fpu::fst_sti(vcpu_x87(v), sti(i), true));
        case 4:
            if (i.modrm != 0xe0) return ud();
            set_gpr(v, Rax, 2, fpu::fnstsw(vcpu_x87(v)));
            return {};
        case 5:
        case 6: return compare_into_flags(v, i, true);
        default: return ud();
    }
}

Guest<> register_form(Vcpu& v, const Insn& i) {
    switch (i.opcode) {
        case 0xd9: return register_d9(v, i);
        case 0xda:
            if (i.modrm == 0xe9) return waited(fpu::fcom_sti(vcpu_x87(v), 1, 2, true));
            return reg(i) < 4 ? waited(fpu::fcmov(vcpu_x87(v), sti(i), move_condition(v, i))) : ud();
        case 0xdb: return register_db(v, i);
        case 0xdd: return register_dd(v, i);
        case 0xdf: return register_df(v, i);
        default: return register_arithmetic(v, i);
    }
}

// FCLEX, FINIT, FLDCW, FLDENV, FRSTOR, FSAVE, FSTCW, FSTENV, FSTSW leave the pointers alone.
bool is_control(const Insn& i) {
    const bool memory = i.modrm < 0xc0;
    switch (i.opcode) {
        case 0xd9: return memory && reg(i) >= 4;
        case 0xdb: return !memory && reg(i) == 4;
        case 0xdd: return memory && (reg(i) == 4 || reg(i) == 6 || reg(i) == 7);
        case 0xdf: return i.modrm == 0xe0;
        default: return false;
    }
}

// FNSTCW, FNSTENV, FNSAVE, FNSTSW do not wait for a pending exception.
bool stores_without_waiting(const Insn& i) { return (i.opcode == 0xd9 || i.opcode == 0xdd) && reg(i) >= 6; }

// FNCLEX, FNINIT, FNSTSW AX and what older coprocessors had beside them.
bool waits(const Insn& i) {
    if (i.modrm < 0xc0) return !stores_without_waiting(i);
    return !(i.opcode == 0xdb && reg(i) == 4) && !(i.opcode == 0xdf && i.modrm == 0xe0);
}

Guest<> execute(Vcpu& v, const Insn& i) {
    const bool memory = i.modrm < 0xc0;
    if (memory && vcpu_x87(v).pending() && !stores_without_waiting(i)) return fault(Vector::Mf);
    CHECK(memory ? memory_form(v, i) : register_form(v, i));
    if (!is_control(i)) remember(v, i, memory);
    return {};
}

Guest<> x87_instruction(Vcpu& v, const Insn& i) {
    CHECK(need_x87(v));
    if (v.paging.cr0 & cr0::ne) return execute(v, i);
    if (waits(i)) CHECK(wait_for_x87(v));
    if (!waits(i) || !vcpu_x87(v).pending()) {
        CHECK(execute(v, i));
        lower_ferr(v);
        return {};
    }
    // IGNNE#: as if nothing waited.
    vcpu_x87(v).status &= static_cast<u16>(~(fpu::error_summary | fpu::busy));
    auto done = execute(v, i);
    fpu::update_summary(vcpu_x87(v));
    if (done) lower_ferr(v);
    return done;
}

Guest<> fwait(Vcpu& v, const Insn&) {
    constexpr u64 both = cr0::mp | cr0::ts;
    if ((v.paging.cr0 & both) == both) return fault(Vector::Nm);
    return wait_for_x87(v);
}

}  // namespace

Semantics x87_semantics(const Insn& i) { return i.opcode == 0x9b ? fwait : x87_instruction; }

}  // namespace bmbt

// Flags and conditions: from the operands that made the flags straight to a compare-and-branch where that is possible.
// Source: Intel SDM vol. 1, "EFLAGS Register"; vol. 2, "Jcc", "SETcc" for the conditions. See docs/flags.md.
#include "translate/block.hpp"

namespace bmbt {

using namespace la64;
namespace flag = x86::flag;

namespace {
// Condition code pairs: the odd one is the negation.
enum Pair : u8 { O, B, Z, BE, S, P, L, LE };
u8 log2_of(unsigned size) { return static_cast<u8>(__builtin_ctz(size)); }
}  // namespace

void Block::set_flags(FlagOp op, unsigned size, Gpr a, Gpr b) {
    if (!flags_needed()) return drop_flags();
    flags_ = {.kind = FlagState::Kind::Known, .op = op, .size_log2 = log2_of(size), .a = a, .b = b};
}

void Block::set_flags_constant(FlagOp op, unsigned size, Gpr a, i64 b) {
    if (!flags_needed()) return drop_flags();
    if (b == 0) return set_flags(op, size, a, zero);
    flags_ = {.kind = FlagState::Kind::Known, .op = op, .size_log2 = log2_of(size), .a = a, .b_constant = true, .b_value = static_cast<i32>(b)};
}

void Block::set_flags_of_compare(unsigned size, Vr a, Vr b) {
    set_flags(FlagOp::Float, size, host::flag_a, host::flag_b);
    compared_a_ = a, compared_b_ = b;
    compared_in_vectors_ = true;
}

// A condition after COMISx or UCOMISx: CF is "less or unordered", ZF "equal or unordered", PF "unordered".
Test Block::test_compare(unsigned cc) {
    auto pair = static_cast<Pair>(cc >> 1);
    Condition holds = cc & 1 ? Condition::Eq : Condition::Ne;
    if (pair == O || pair == S || pair == L) return {holds, zero, zero};
    bool is_double = flags_.size_log2 == 3;
    Fpr a = low_half(compared_a_), b = low_half(compared_b_);
    if (!compared_in_vectors_) {
        a = low_half(vector_temp()), b = low_half(vector_temp());
        as.movgr2fr_d(a, flags_.a);
        as.movgr2fr_d(b, flags_.b);
    }
    switch (pair) {
        case B: is_double ? as.fcmp_cult_d(fcc0, a, b) : as.fcmp_cult_s(fcc0, a, b); break;
        case BE: is_double ? as.fcmp_cule_d(fcc0, a, b) : as.fcmp_cule_s(fcc0, a, b); break;
        case P: is_double ? as.fcmp_cun_d(fcc0, a, b) : as.fcmp_cun_s(fcc0, a, b); break;
        default: is_double ? as.fcmp_cueq_d(fcc0, a, b) : as.fcmp_cueq_s(fcc0, a, b); break;  // Z, LE
    }
    Gpr t = temp();
    as.movcf2gr(t, fcc0);
    return {holds, t, zero};
}

void Block::flags_to_bits() {
    if (flags_.kind == FlagState::Kind::Known && flags_.op == FlagOp::Bits && flags_.a == host::flag_a) return;
    emit_flag_registers(flags_);
    if (!(flags_.kind == FlagState::Kind::Known && flags_.op == FlagOp::Bits)) emit_near(shared_.flag_bits, true);
    flags_ = {.kind = FlagState::Kind::Known, .op = FlagOp::Bits, .a = host::flag_a, .b = zero};
    take_snapshot();
}

// r's bits above the operation's size are known to be as wanted.
bool Block::known_extension(Gpr r, bool is_a, Upper upper) const {
    if (r == zero || flags_.size_log2 == 3) return true;
    if (r == host::flag_a && is_a) return upper == Upper::Zero ? flags_.a_zero_extended : flags_.a_sign_extended;
    if (r == host::flag_b && !is_a) return upper == Upper::Zero ? flags_.b_zero_extended : flags_.b_sign_extended;
    if (flags_.size_log2 != 2) return false;
    for (unsigned n = 0; n < 16; n++)
        if (host::guest[n] == r) return upper == Upper::Zero ? !bit(pending_, n) && bit(zero32_, n) : bit(sign32_, n);
    return false;
}

Gpr Block::operand_for_test(Gpr r, bool is_a, Upper upper) {
    if (known_extension(r, is_a, upper)) return r;
    Gpr t = temp();
    unsigned width = 8u << flags_.size_log2;
    if (upper == Upper::Zero) as.bstrpick_d(t, r, width - 1, 0);
    else if (width == 32) as.slli_w(t, r, 0);
    else if (width == 16) as.ext_w_h(t, r);
    else as.ext_w_b(t, r);
    return t;
}

Gpr Block::flag_b_value() {
    return flags_.b_constant ? constant(static_cast<u64>(static_cast<i64>(flags_.b_value))) : flags_.b;
}

// The result of the operation that made the flags, sign-extended from its size.
Gpr Block::flag_result() {
    FlagState& f = flags_;
    switch (f.op) {
        case FlagOp::Logic: case FlagOp::Inc: case FlagOp::Dec: case FlagOp::Result: case FlagOp::AddR: case FlagOp::SubR:
            return operand_for_test(f.a, true, Upper::Sign);
        default: break;
    }
    Gpr t = temp();
    bool add = f.op == FlagOp::Add;
    i64 c = add ? f.b_value : -i64{f.b_value};
    if (f.b_constant && c >= -2048 && c < 2048) {
        if (f.size_log2 == 2) as.addi_w(t, f.a, c);
        else as.addi_d(t, f.a, c);
    } else {
        Gpr b = flag_b_value();
        if (f.size_log2 == 2) add ? as.add_w(t, f.a, b) : as.sub_w(t, f.a, b);
        else add ? as.add_d(t, f.a, b) : as.sub_d(t, f.a, b);
    }
    if (f.size_log2 == 1) as.ext_w_h(t, t);
    if (f.size_log2 == 0) as.ext_w_b(t, t);
    return t;
}

Test Block::test(unsigned cc) {
    auto pair = static_cast<Pair>(cc >> 1);
    bool negate = cc & 1;
    auto make = [&](Condition c, Gpr l, Gpr r) { return Test{negate ? !c : c, l, r}; };
    auto never = [&] { return Test{negate ? Condition::Eq : Condition::Ne, zero, zero}; };
    FlagState& f = flags_;

    if (f.kind == FlagState::Kind::Known) {
        switch (f.op) {
            case FlagOp::Float: return test_compare(cc);
            case FlagOp::Sub: {
                if (pair == S) return make(Condition::Lt, flag_result(), zero);
                if (pair == O || pair == P) break;
                if (pair == Z) {
                    // Any equal extension of both will do.
                    Gpr b = flag_b_value();
                    bool b_sign = f.b_constant || known_extension(f.b, false, Upper::Sign);
                    bool b_zero = f.b_constant ? f.b_value >= 0 : known_extension(f.b, false, Upper::Zero);
                    if ((b_sign && known_extension(f.a, true, Upper::Sign)) || (b_zero && known_extension(f.a, true, Upper::Zero)))
                        return make(Condition::Eq, f.a, b);
                    if (b == zero) return make(Condition::Eq, operand_for_test(f.a, true, Upper::Sign), zero);
                    return make(Condition::Eq, flag_result(), zero);
                }
                bool is_signed = pair == L || pair == LE;
                Upper up = Upper::Sign;  // keeps unsigned order too, but either extension of both will do
                if (!is_signed && known_extension(f.a, true, Upper::Zero) &&
                    (f.b_constant ? f.b_value >= 0 : known_extension(f.b, false, Upper::Zero)))
                    up = Upper::Zero;
                Gpr a = operand_for_test(f.a, true, up);
                Gpr b = f.b_constant ? flag_b_value() : operand_for_test(f.b, false, up);
                Condition less = is_signed ? Condition::Lt : Condition::Ltu;
                if (pair == B || pair == L) return make(less, a, b);
                return make(!less, b, a);  // a <= b is b >= a
            }
            case FlagOp::Logic:
                switch (pair) {
                    case Z: case BE:
                        if (known_extension(f.a, true, Upper::Zero)) return make(Condition::Eq, f.a, zero);
                        return make(Condition::Eq, operand_for_test(f.a, true, Upper::Sign), zero);
                    case S: case L: return make(Condition::Lt, operand_for_test(f.a, true, Upper::Sign), zero);
                    case LE: return make(Condition::Ge, zero, operand_for_test(f.a, true, Upper::Sign));
                    case O: case B: return never();
                    case P: break;
                }
                break;
            case FlagOp::Bits: {
                Gpr t = temp();
                switch (pair) {
                    case O: as.bstrpick_d(t, f.a, 11, 11); break;
                    case B: as.andi(t, f.a, flag::cf); break;
                    case Z: as.andi(t, f.a, flag::zf); break;
                    case BE: as.andi(t, f.a, flag::cf | flag::zf); break;
                    case S: as.andi(t, f.a, flag::sf); break;
                    case P: as.andi(t, f.a, flag::pf); break;
                    case L: case LE: {
                        as.srli_d(t, f.a, 4);
                        as.xor_(t, t, f.a);
                        as.andi(t, t, flag::sf);
                        if (pair == LE) {
                            Gpr z = temp();
                            as.andi(z, f.a, flag::zf);
                            as.or_(t, t, z);
                        }
                        break;
                    }
                }
                return make(Condition::Ne, t, zero);
            }
            default:
                if (f.op == FlagOp::Adc || f.op == FlagOp::Sbb || f.op == FlagOp::Imul) break;
                if (pair == S) return make(Condition::Lt, flag_result(), zero);
                if (pair == Z) {
                    bool in_place = f.op != FlagOp::Add;
                    if (in_place && known_extension(f.a, true, Upper::Zero)) return make(Condition::Eq, f.a, zero);
                    return make(Condition::Eq, flag_result(), zero);
                }
                if (pair == B) {
                    if (f.op == FlagOp::Inc || f.op == FlagOp::Dec) return make(Condition::Ne, flag_b_value(), zero);
                    if (f.op == FlagOp::Result) {
                        Gpr t = temp();
                        as.andi(t, flag_b_value(), flag::cf);
                        return make(Condition::Ne, t, zero);
                    }
                    if (f.op == FlagOp::AddR) {  // the sum is below either operand
                        Gpr a = operand_for_test(f.a, true, Upper::Sign);
                        Gpr b = f.b_constant ? flag_b_value() : operand_for_test(f.b, false, Upper::Sign);
                        return make(Condition::Ltu, a, b);
                    }
                    if (f.op == FlagOp::SubR && f.size_log2 >= 2) {  // difference + b < b
                        Gpr t = temp(), b = flag_b_value();
                        if (f.size_log2 == 3) as.add_d(t, f.a, b);
                        else as.add_w(t, f.a, b);
                        if (!f.b_constant) b = operand_for_test(f.b, false, Upper::Sign);
                        return make(Condition::Ltu, t, b);
                    }
                }
                break;
        }
    }
    flags_to_bits();
    return test(cc);
}

Gpr Block::condition_value(unsigned cc) {
    Test t = test(cc);
    Gpr d = temp();
    switch (t.condition) {
        case Condition::Eq:
        case Condition::Ne:
            if (!(t.right == zero)) {
                as.xor_(d, t.left, t.right);
                t.left = d;
            }
            if (t.condition == Condition::Eq) as.sltui(d, t.left, 1);
            else as.sltu(d, zero, t.left);
            break;
        case Condition::Lt: as.slt(d, t.left, t.right); break;
        case Condition::Ge: as.slt(d, t.left, t.right), as.xori(d, d, 1); break;
        case Condition::Ltu: as.sltu(d, t.left, t.right); break;
        case Condition::Geu: as.sltu(d, t.left, t.right), as.xori(d, d, 1); break;
    }
    return d;
}

}  // namespace bmbt

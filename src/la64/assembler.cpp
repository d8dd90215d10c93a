#include "la64/assembler.hpp"

namespace bmbt::la64 {

[[gnu::weak]] void bad_operand(const char*) { __builtin_trap(); }

i64 Assembler::to(Label& l) {
    auto here = static_cast<i32>(at_ - begin_);
    if (l.is_bound()) return i64{l.bound_ - here} * 4;
    if (at_ == end_) return 0;
    auto back = l.is_used() ? i64{l.last_ - here} * 4 : 0;
    l.last_ = here;
    return back;
}

void Assembler::bind(Label& l) {
    if (l.is_bound()) [[unlikely]] bad_operand("bind");
    l.bound_ = static_cast<i32>(at_ - begin_);
    while (l.is_used()) {
        auto& word = begin_[l.last_];
        auto back = branch_offset(word) / 4;
        auto bound = with_branch_offset(word, i64{l.bound_ - l.last_} * 4);
        if (!bound) [[unlikely]] bad_operand("label");
        word = *bound;
        l.last_ = back ? static_cast<i32>(l.last_ + back) : -1;
    }
}

void Assembler::branch(Condition c, Gpr j, Gpr d, Offset16 offset) {
    switch (c) {
        case Condition::Eq: return beq(j, d, offset);
        case Condition::Ne: return bne(j, d, offset);
        case Condition::Lt: return blt(j, d, offset);
        case Condition::Ge: return bge(j, d, offset);
        case Condition::Ltu: return bltu(j, d, offset);
        case Condition::Geu: return bgeu(j, d, offset);
    }
}

// jirl adds a signed 18-bit rest, so the upper part is rounded to the nearest 256 KiB.
void Assembler::transfer_far(Gpr link, Gpr scratch, i64 offset) {
    auto rest = sign_extend(static_cast<u64>(offset), 18);
    pcaddu18i(scratch, (offset - rest) >> 18);
    jirl(link, scratch, rest);
}

namespace {

// What li does, for whoever counts or writes the instructions. LoongArch vol. 1, "LU12I.W, LU32I.D, LU52I.D": the first
// sign-extends from bit 31, the second from bit 51; each keeps the bits below.
template <class Writer>
void load_immediate(Writer& w, Gpr d, u64 value) {
    auto low = static_cast<i64>(value & 0xfff);
    i64 have;  // what the register holds
    if ((value & mask(52)) == 0 && value) return w.lu52i_d(d, zero, sign_extend(value >> 52, 12));
    if (auto middle = bits(value, 31, 12); middle == 0) {
        w.ori(d, zero, low);
        have = low;
    } else if (middle == 0xfffff && bit(value, 11)) {
        have = sign_extend(value, 12);
        w.addi_d(d, zero, have);
    } else {
        w.lu12i_w(d, sign_extend(middle, 20));
        if (low) w.ori(d, d, low);
        have = sign_extend(value, 32);
    }
    if (bits(static_cast<u64>(have), 51, 32) != bits(value, 51, 32)) {
        w.lu32i_d(d, sign_extend(value >> 32, 20));
        have = sign_extend(value, 52);
    }
    if (static_cast<u64>(have) != value) w.lu52i_d(d, d, sign_extend(value >> 52, 12));
}

struct Counter {
    unsigned count = 0;
    void ori(Gpr, Gpr, i64) { ++count; }
    void addi_d(Gpr, Gpr, i64) { ++count; }
    void lu12i_w(Gpr, i64) { ++count; }
    void lu32i_d(Gpr, i64) { ++count; }
    void lu52i_d(Gpr, Gpr, i64) { ++count; }
};

}  // namespace

void Assembler::li(Gpr d, u64 value) { load_immediate(*this, d, value); }

unsigned Assembler::li_length(u64 value) {
    Counter counter;
    load_immediate(counter, zero, value);
    return counter.count;
}

}  // namespace bmbt::la64

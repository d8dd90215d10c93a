// Writes LoongArch instructions into a buffer of the caller. Nothing is allocated.
#pragma once
#include <span>

#include "la64/branch.hpp"
#include "la64/instructions.hpp"

namespace bmbt::la64 {

// A place in one Assembler's buffer, known now or later. Until it is known, the branches to it form a list through
// their own offset fields: each holds the distance in words to the one before, 0 ends the list.
class Label {
 public:
    bool is_bound() const { return bound_ >= 0; }
    bool is_used() const { return last_ >= 0; }                      // by a branch that still waits for bind
    usize offset() const { return static_cast<usize>(bound_) * 4; }  // bytes from the buffer's start, when bound

 private:
    friend class Assembler;
    i32 bound_ = -1, last_ = -1;  // word indexes
};

// The conditions of the compare-and-branch instructions, rj against rd.
enum class Condition : u8 { Eq, Ne, Lt, Ge, Ltu, Geu };
constexpr Condition operator!(Condition c) { return static_cast<Condition>(static_cast<u8>(c) ^ 1); }

class Assembler : public Instructions<Assembler> {
    using Base = Instructions<Assembler>;

 public:
    explicit Assembler(std::span<u32> buffer) : begin_(buffer.data()), end_(begin_ + buffer.size()), at_(begin_) {}

    // Words past the buffer's end are dropped, and the whole result is void.
    bool overflowed() const { return overflowed_; }
    // Bytes written: the place of the next word.
    usize size() const { return static_cast<usize>(at_ - begin_) * 4; }
    std::span<const u32> words() const { return {begin_, at_}; }
    // Starts again at the buffer's begin. Labels do not survive.
    void clear() { at_ = begin_, overflowed_ = false; }

    // Forgets what was written from byte `size` on. Labels that were used since must not be bound.
    void rewind(usize size) { at_ = begin_ + size / 4; }

    void emit(u32 word) {
        if (at_ != end_) [[likely]]
            *at_++ = word;
        else
            overflowed_ = true;
    }

    void bind(Label&);

    // Branches to a label, forward or backward. adr gives its address, within 2 MiB.
    using Base::b, Base::bl, Base::beqz, Base::bnez, Base::bceqz, Base::bcnez;
    using Base::beq, Base::bne, Base::blt, Base::bge, Base::bltu, Base::bgeu;
    void b(Label& l) { b(to(l)); }
    void bl(Label& l) { bl(to(l)); }
    void beqz(Gpr j, Label& l) { beqz(j, to(l)); }
    void bnez(Gpr j, Label& l) { bnez(j, to(l)); }
    void bceqz(Fcc j, Label& l) { bceqz(j, to(l)); }
    void bcnez(Fcc j, Label& l) { bcnez(j, to(l)); }
    void beq(Gpr j, Gpr d, Label& l) { beq(j, d, to(l)); }
    void bne(Gpr j, Gpr d, Label& l) { bne(j, d, to(l)); }
    void blt(Gpr j, Gpr d, Label& l) { blt(j, d, to(l)); }
    void bge(Gpr j, Gpr d, Label& l) { bge(j, d, to(l)); }
    void bltu(Gpr j, Gpr d, Label& l) { bltu(j, d, to(l)); }
    void bgeu(Gpr j, Gpr d, Label& l) { bgeu(j, d, to(l)); }
    void adr(Gpr d, Label& l) { pcaddi(d, to(l) >> 2); }

    // The condition as an operand. The far form reaches as far as a b does, in two instructions.
    void branch(Condition, Gpr j, Gpr d, Offset16);
    void branch(Condition c, Gpr j, Gpr d, Label& l) { branch(c, j, d, to(l)); }
    void branch_far(Condition c, Gpr j, Gpr d, Label& l) {
        branch(!c, j, d, 8);
        b(l);
    }

    // csrrd and csrwr are csrxchg with rj = 0 and 1 in the encoding.
    void csrxchg(Gpr d, Gpr j, Ui14 number) {
        if (j.number < 2) [[unlikely]]
            bad_operand("csrxchg");
        Base::csrxchg(d, j, number);
    }

    void nop() { andi(zero, zero, 0); }
    void move(Gpr d, Gpr j) { or_(d, j, zero); }
    void jr(Gpr j) { jirl(zero, j, 0); }
    void ret() { jr(ra); }

    // The shortest of ori, addi.d, lu12i.w, lu32i.d and lu52i.d that load the value; at most four.
    void li(Gpr, u64 value);
    static unsigned li_length(u64 value);

    // To any place within +-128 GiB, `offset` bytes from the first instruction written: two words, always.
    void jump_far(Gpr scratch, i64 offset) { transfer_far(zero, scratch, offset); }
    void call_far(i64 offset) { transfer_far(ra, ra, offset); }

 private:
    void transfer_far(Gpr link, Gpr scratch, i64 offset);
    i64 to(Label&);  // what the offset field of a branch written now must hold

    u32* begin_;
    u32* end_;
    u32* at_;
    bool overflowed_ = false;
};

}  // namespace bmbt::la64

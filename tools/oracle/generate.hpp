// Vectors without end, in turn of every form in every code size: number n of a seed is always the same.
#pragma once
#include <map>
#include <string>

#include "encode.hpp"

namespace bmbt::oracle {

class Generator {
 public:
    // `only`: a group, a mnemonic, or both empty for all; mode -1 for all or a CodeSize.
    Generator(u64 seed, const std::string& only, int mode);
    usize forms() const { return turns_.size(); }
    Draft make(u64 number) const;

 private:
    using Times = std::map<std::pair<const Form*, x86::CodeSize>, u32>;  // turns of each form and mode in a round of all
    struct Turn {
        const Form* form;
        x86::CodeSize mode;
        u32 nth, variants;
        Times::const_iterator times;
    };
    void add_turn(const Form&, x86::CodeSize);
    bool single(Random&, const Turn&, u64 round, Draft&) const;
    bool sequence(Random&, x86::CodeSize, Draft&) const;
    void body(Random&, x86::CodeSize, Draft&, unsigned length, bool tame) const;
    void stack_body(Random&, x86::CodeSize, Draft&) const;
    void loop(Random&, x86::CodeSize, Draft&) const;
    void subroutine(Random&, x86::CodeSize, Draft&) const;

    u64 seed_, first_round_;
    Times times_;
    std::vector<Turn> turns_;
    std::vector<const Form*> plain_, vectors_, x87_;  // forms that sequences are made of
    bool sequences_;
};

// What generate.cpp's rules for single instructions do, in arrange.cpp: gives the operands values that matter to this
// form, and places what it reaches without naming it. May still change the encoder's choices.
void arrange(Encoder&);
// Its part for the forms of edge_forms.cpp; false if the form is none of them.
bool arrange_edge(Encoder&);
// Helpers of both: a selector of any kind; the stack pointer, with what is popped from there.
u16 random_selector(Random&);
void arrange_stack(Encoder&, const void* popped = nullptr, usize size = 0);
// Bytes that are no instruction, neither here nor on processors with more extensions.
std::vector<u8> undefined_code(Random&, x86::CodeSize);
// Bytes behind the instruction that a form wants, such as FWAIT.
void append_after(Encoder&);

}  // namespace bmbt::oracle

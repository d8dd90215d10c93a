// Vectors without end, in turn of every form in every code size: number n of a seed is always the same.
#pragma once
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
    struct Turn {
        const Form* form;
        x86::CodeSize mode;
    };
    bool single(Random&, const Turn&, Draft&) const;
    bool sequence(Random&, x86::CodeSize, Draft&) const;
    void body(Random&, x86::CodeSize, Draft&, unsigned length, bool tame) const;
    void loop(Random&, x86::CodeSize, Draft&) const;
    void subroutine(Random&, x86::CodeSize, Draft&) const;

    u64 seed_;
    std::vector<Turn> turns_;
    std::vector<const Form*> plain_, vectors_;  // forms that sequences are made of
    bool sequences_;
};

// What generate.cpp's rules for single instructions do, in arrange.cpp: gives the operands values that matter to this
// form, and places what it reaches without naming it. May still change the encoder's choices.
void arrange(Encoder&);
// Bytes behind the instruction that a form wants, such as FWAIT.
void append_after(Encoder&);

}  // namespace bmbt::oracle

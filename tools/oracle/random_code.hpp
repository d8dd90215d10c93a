// Vectors whose code is random bytes, not made from the table of forms: what the table's author did not think of.
#pragma once
#include <string>

#include "draft.hpp"
#include "oracle/seed.hpp"

namespace bmbt::oracle {

// One to eight instructions; the last may be none at all, too long, or cut off by an absent page. Number n of a seed is
// always the same.
class RandomCode {
 public:
    RandomCode(u64 seed, int mode) : seed_(seed), mode_(mode) {}  // mode -1 for all or a CodeSize
    Draft make(u64 number) const;

 private:
    u64 seed_;
    int mode_;
};

// Whether a vector from elsewhere holds nothing that RandomCode does not ask.
bool random_code_may_be(const Draft&, std::string& why);

// Looks at what was recorded just now: false, with the reason, when processors may differ there or the analysis could
// not follow.
bool random_code_stands(Draft&, std::string& why);

// random_rules.cpp: what random bytes may be.
// `bytes` is an instruction of a vector: one that CPUID offers, and whose result is no affair of this machine's own.
bool may_be_asked(const x86::Insn&, x86::CodeSize, const u8* bytes, usize size, bool first, bool last);
// `bytes` is no instruction, here and on processors with more extensions.
bool is_undefined(x86::CodeSize, const u8* bytes, usize size);
// `bytes`, more than 15, are an instruction too long: with fewer prefixes they would be one, or they are nothing else.
bool is_too_long(x86::CodeSize, const u8* bytes, usize size);
// Means something else at CPL 0.
bool is_for_users(const x86::Insn&);
bool transfers_far(const x86::Insn&);
bool branches_near(const x86::Insn&);
bool is_relative(const x86::Insn&);
// When it faults, how much was done or which fault comes first is the CPU's own affair.
bool faults_in_its_own_order(const x86::Insn&, x86::CodeSize, x86::Vector);

}  // namespace bmbt::oracle

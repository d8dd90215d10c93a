// The one-line form of a vector, for people:
//
//   64 "01 d8" rax=ffffffff rbx=1 -> rax=0 flags=257
//
// The code size, the code, the state before; behind the arrow what is different after. All numbers are hexadecimal.
//   rax..r15 rip flags mxcsr fcw fsw ftw es cs ss ds fs gs   registers; xmm0..15 (32 digits), st0..7 (20 digits)
//   [4010]=0102ff       bytes of the data pages, by offset in the region; before and after
//   seed=N x87          the state to begin with (default: all zero); at=1ffe  where the code lies in the region
//   user                means something else at CPL 0; smc  may write its own code;
//   long  means something else in a legacy kernel's modes
//   pf(code,address) gp(code) ss(code) ud de ...  after the arrow: the exception that ends it, if it is not the INT3
//   behind
// Without an arrow the machine that runs it natively says what happens.
#pragma once
#include <string>

#include "draft.hpp"
#include "oracle/compare.hpp"

namespace bmbt::oracle {

bool parse_line(const std::string& line, Draft& out, std::string& error);
std::string to_line(const Draft&);

void print_differences(const Differences&);  // to stdout, a line each

// Every vector of a file of lines; empty lines and those that start with # are skipped. Ends the process with the
// file's name and line on an error.
std::vector<Draft> parse_file(const std::string& name);

}  // namespace bmbt::oracle

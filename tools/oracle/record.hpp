// Completes a vector with what this machine does.
#pragma once
#include <string>

#include "draft.hpp"
#include "native.hpp"
#include "oracle/compare.hpp"

namespace bmbt::oracle {

class Recorder {
 public:
    explicit Recorder(u64 memory_seed);

    // Fills in the state after, the outcome and what is undefined. False, with the reason, when the vector says
    // nothing: it did not end, called Linux, or lets a later instruction read what an earlier one left undefined.
    bool record(Draft&, std::string& why);

    // Runs a recorded vector once more: what differs is not a matter of the instruction.
    Differences compare_again(const Vector&);

 private:
    Native native_;
    u8 memory_[layout::data_size];  // as the file's seed makes it
};

// Finds what is undefined after d.code ended as d.outcome and d.after say. False as above.
bool find_undefined(Draft& d, std::string& why);

}  // namespace bmbt::oracle

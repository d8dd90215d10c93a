// Which rows recorded vectors reach: the C++ semantics run each as recorded, and every instruction that the program
// comes to counts as one that ran to its end, or as one that only faulted.
#pragma once
#include <functional>

#include "coverage_address.hpp"
#include "coverage_rows.hpp"

namespace bmbt::oracle {

struct Step {
    Row* row;
    x86::CodeSize mode;
    auto operator<=>(const Step&) const = default;
};
struct Traced {
    std::set<Step> done, refused;
    std::set<std::pair<std::string, x86::CodeSize>> addresses;  // kinds of memory operand in what is done
};

// Calls `visit` for each vector of the file, from the first, with what it reached. False, with a message, when the file
// is none of vectors or one of them does not end as recorded.
bool trace_vectors(std::span<const u8> file, Rows& rows, const std::function<void(const Traced&)>& visit);

}  // namespace bmbt::oracle

// docs/coverage.md as text.
#pragma once
#include "coverage_address.hpp"
#include "coverage_rows.hpp"

namespace bmbt::oracle {

// `notes`: the lines of tests/insn/reached.list, which rows name by number.
std::string page(const Rows& rows, const AddressCounts& addresses, const std::vector<std::string>& notes);
std::string without_counts(const std::string& page);  // the page without its numbers of fixed vectors

std::vector<std::string> split(const std::string& text, char by);  // without spaces at the parts' ends

}  // namespace bmbt::oracle

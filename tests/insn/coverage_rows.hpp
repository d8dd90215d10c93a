// The rows of the coverage page: each form that CPUID offers, in each size and with each prefix that changes what it
// does.
#pragma once
#include <map>
#include <set>
#include <string>

#include "encodings.hpp"

namespace bmbt::oracle {

struct RowKey {
    EncodedForm form;
    bool lock = false;
    u8 repeat = 0;        // F2 or F3
    u8 address_bits = 0;  // 0: the address size does not matter, or is that of a ModRM operand, which all forms share
    u8 operand_bits = 0;  // 0: the operand size does not matter
    auto operator<=>(const RowKey&) const = default;
    std::string prefixes() const;  // " lock", " repne", " a32"
    std::string text() const;      // all of it
};

// In 16, 32 and 64-bit code, by CodeSize.
struct Row {
    std::vector<u8> example[3];             // empty: there is none in that code size
    bool in_line[3] = {};                   // the translator makes host code of it for programs or kernels
    u32 vectors[3] = {};                    // fixed vectors in which it runs to its end
    u32 lines[3] = {};                      // lines of tests/insn/*.txt in which it does
    u32 refused[3] = {};                    // of both, in which it only faults
    std::set<std::string> written, golden;  // names of the files of lines and of tests/golden that have it
    bool golden_in_line = false;            // one of these is not there for its call of C++
    unsigned note = 0;  // which line of tests/insn/reached.list, from 1, says why no vector does and what else does

    bool exists(unsigned size) const { return !example[size].empty(); }
    bool reached(unsigned size) const { return vectors[size] || lines[size]; }
};

class Rows {
 public:
    Rows();  // as the decoder's tables and the C++ semantics have them

    using Entry = std::map<RowKey, Row>::value_type;
    // The row of the bytes' first instruction; null if there is none. `length`: its bytes.
    Entry* find(x86::CodeSize, std::span<const u8> bytes, unsigned* length = nullptr);

    std::map<RowKey, Row> all;

 private:
    struct Matters {  // in any code size: whether 16 and 64 bits are other operands than 32, and the address size
        bool size16 = false, size64 = false, address_size = false;
    };
    RowKey key(const Shape&) const;
    std::map<EncodedForm, Matters> matters_;
};

// Under which heading of the page a form is.
const char* family_of(const Row&);
extern const char* const families[14];  // in their order

}  // namespace bmbt::oracle

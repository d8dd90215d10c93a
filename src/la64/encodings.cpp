#include "la64/encodings.hpp"

#include "la64/rows.hpp"

namespace bmbt::la64 {

static constexpr Encoding table[] = {
#define LA64_INSN0(name, ...) rows::name,
#define LA64_INSN1(name, ...) rows::name,
#define LA64_INSN2(name, ...) rows::name,
#define LA64_INSN3(name, ...) rows::name,
#define LA64_INSN4(name, ...) rows::name,
#include "la64/encodings.def"
};

std::span<const Encoding> encodings() { return table; }

const Encoding* find_encoding(u32 word) {
    for (auto& row : table)
        if (row.matches(word)) return &row;
    return nullptr;
}

}  // namespace bmbt::la64

#include "translate/rows.hpp"

#include <Zydis/Mnemonic.h>

#include <array>

namespace bmbt {
namespace {

using Index = std::array<const Row*, ZYDIS_MNEMONIC_MAX_VALUE + 1>;

Index make_index() {
    Index index{};
    for (Rows rows : {arithmetic_rows(), shift_rows(), move_rows(), bit_rows(), multiply_rows(), branch_rows(), atomic_rows(), system_rows(), string_rows(),
                      sse_move_rows(), sse_integer_rows(), sse_shuffle_rows(), sse_float_rows(), sse_convert_rows(), x87_rows()})
        for (usize n = 0; n < rows.count; n++) index[rows.first[n].mnemonic] = &rows.first[n];
    return index;
}

const Index index = make_index();

}  // namespace

const Row* row_of(const Insn& i) {
    if (i.mnemonic >= index.size()) return nullptr;
    if (i.opcode_map == 0)
        if (const Row* row = string_row_of(i.mnemonic)) return row;
    return index[i.mnemonic];
}

u64 flags_written(const Row& row, const Insn& i) {
    if (!(row.traits & Row::shift)) return row.writes;
    unsigned n = i.operands - 1;
    if (i.operands < 2) return row.writes;                          // shift by one
    if (i.op[n].kind != OperandKind::Immediate) return 0;           // by CL
    u64 count = static_cast<u64>(i.imm) & (i.op[0].size == 8 ? 63 : 31);
    return count ? row.writes : 0;
}

}  // namespace bmbt

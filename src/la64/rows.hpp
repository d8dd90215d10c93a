// Every row of encodings.def as a named constant: rows::add_d and so on.
#pragma once
#include "la64/encodings.hpp"

namespace bmbt::la64::rows {

#define LA64_ROW(name, text, drawing, count, ...) \
    inline constexpr Encoding name{text, drawn_bits(drawing), drawn_mask(drawing), count, {__VA_ARGS__}};
#define LA64_INSN0(name, text, drawing) LA64_ROW(name, text, drawing, 0)
#define LA64_INSN1(name, text, drawing, A, a) LA64_ROW(name, text, drawing, 1, drawn_operand<A>(drawing, #a[0]))
#define LA64_INSN2(name, text, drawing, A, a, B, b) \
    LA64_ROW(name, text, drawing, 2, drawn_operand<A>(drawing, #a[0]), drawn_operand<B>(drawing, #b[0]))
#define LA64_INSN3(name, text, drawing, A, a, B, b, C, c)                                                 \
    LA64_ROW(name, text, drawing, 3, drawn_operand<A>(drawing, #a[0]), drawn_operand<B>(drawing, #b[0]), \
             drawn_operand<C>(drawing, #c[0]))
#define LA64_INSN4(name, text, drawing, A, a, B, b, C, c, D, d)                                           \
    LA64_ROW(name, text, drawing, 4, drawn_operand<A>(drawing, #a[0]), drawn_operand<B>(drawing, #b[0]), \
             drawn_operand<C>(drawing, #c[0]), drawn_operand<D>(drawing, #d[0]))
#include "la64/encodings.def"
#undef LA64_ROW

}  // namespace bmbt::la64::rows

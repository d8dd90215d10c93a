// The rows of encodings.def as data, for the disassembler, the memory-access table and the tests.
#pragma once
#include <span>

#include "la64/operands.hpp"

namespace bmbt::la64 {

enum class OperandKind : u8 { Gpr, Fpr, Vr, Xr, Fcc, Fcsr, Unsigned, Signed, Offset };

struct Operand {
    OperandKind kind{};
    Slot slot{};
    u8 shift = 0;  // of an immediate: value = (raw << shift) + bias
    u8 bias = 0;

    // The register's number or the immediate's value that a word holds, and the reverse. The value fits.
    constexpr i64 of(u32 word) const {
        auto raw = slot.of(word);
        auto is_signed = kind == OperandKind::Signed || kind == OperandKind::Offset;
        return (is_signed ? sign_extend(raw, slot.width()) : i64{raw}) * (i64{1} << shift) + bias;
    }
    constexpr u32 place(i64 value) const { return slot.place(static_cast<u32>((value - bias) >> shift)); }
};

struct Encoding {
    const char* mnemonic;
    u32 word, mask;  // a word w is this instruction when (w & mask) == word
    u8 count;
    Operand operands[4];
    constexpr bool matches(u32 w) const { return (w & mask) == word; }
};

// In the order of encodings.def.
std::span<const Encoding> encodings();

// The instruction that a word is, or null.
const Encoding* find_encoding(u32 word);

template <class T>
struct OperandOf;
template <>
struct OperandOf<Gpr> {
    static constexpr Operand value{OperandKind::Gpr};
};
template <>
struct OperandOf<Fpr> {
    static constexpr Operand value{OperandKind::Fpr};
};
template <>
struct OperandOf<Vr> {
    static constexpr Operand value{OperandKind::Vr};
};
template <>
struct OperandOf<Xr> {
    static constexpr Operand value{OperandKind::Xr};
};
template <>
struct OperandOf<Fcc> {
    static constexpr Operand value{OperandKind::Fcc};
};
template <>
struct OperandOf<Fcsr> {
    static constexpr Operand value{OperandKind::Fcsr};
};
template <bool is_signed, unsigned width, unsigned shift, i64 bias>
struct OperandOf<Immediate<is_signed, width, shift, bias>> {
    static constexpr Operand value{is_signed ? OperandKind::Signed : OperandKind::Unsigned, {}, shift, bias};
};
template <unsigned width>
struct OperandOf<BranchOffset<width>> {
    static constexpr Operand value{OperandKind::Offset, {}, 2, 0};
};

template <class T>
consteval Operand drawn_operand(const char* drawing, char letter) {
    auto operand = OperandOf<T>::value;
    operand.slot = drawn_slot(drawing, letter);
    return operand;
}

}  // namespace bmbt::la64

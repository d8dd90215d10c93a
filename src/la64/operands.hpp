// The types of immediate operands, and where an operand's bits are in an instruction.
#pragma once
#include "base/bits.hpp"
#include "la64/registers.hpp"

namespace bmbt::la64 {

// An operand that does not fit its instruction is a bug of ours. The program may define what follows (the image
// panics); without a definition it traps. The name is the instruction's.
[[noreturn, gnu::cold]] void bad_operand(const char* name);

// An immediate of `width` bits which is held as (value - bias) >> shift.
template <bool is_signed, unsigned width, unsigned shift = 0, i64 bias = 0>
struct Immediate {
    i64 value;
    constexpr Immediate(i64 v) : value(v) {}

    static constexpr i64 least = is_signed ? -(i64{1} << (width - 1 + shift)) : bias;
    static constexpr i64 most =
        is_signed ? (i64{1} << (width - 1 + shift)) - (i64{1} << shift) : static_cast<i64>(mask(width)) + bias;
    static constexpr bool fits(i64 v) { return v >= least && v <= most && (v & static_cast<i64>(mask(shift))) == 0; }
    constexpr u32 raw() const { return static_cast<u32>((static_cast<u64>(value - bias) >> shift) & mask(width)); }
};

using Ui1 = Immediate<false, 1>;
using Ui2 = Immediate<false, 2>;
using Ui2p1 = Immediate<false, 2, 0, 1>;  // 1-4: the shift of alsl
using Ui3 = Immediate<false, 3>;
using Ui4 = Immediate<false, 4>;
using Ui5 = Immediate<false, 5>;
using Ui6 = Immediate<false, 6>;
using Ui7 = Immediate<false, 7>;
using Ui8 = Immediate<false, 8>;
using Ui12 = Immediate<false, 12>;
using Ui14 = Immediate<false, 14>;  // the number of a CSR
using Ui15 = Immediate<false, 15>;
using Si5 = Immediate<true, 5>;
using Si8 = Immediate<true, 8>;
using Si12 = Immediate<true, 12>;
using Si13 = Immediate<true, 13>;
using Si16 = Immediate<true, 16>;
using Si20 = Immediate<true, 20>;

// Byte offsets that must be multiples of the number after x.
using Si8x2 = Immediate<true, 8, 1>;
using Si8x4 = Immediate<true, 8, 2>;
using Si8x8 = Immediate<true, 8, 3>;
using Si9x8 = Immediate<true, 9, 3>;
using Si10x4 = Immediate<true, 10, 2>;
using Si11x2 = Immediate<true, 11, 1>;
using Si14x4 = Immediate<true, 14, 2>;
using Si16x4 = Immediate<true, 16, 2>;

// Byte offsets of a branch from its own address.
template <unsigned width>
struct BranchOffset : Immediate<true, width, 2> {
    using Immediate<true, width, 2>::Immediate;
};
using Offset16 = BranchOffset<16>;
using Offset21 = BranchOffset<21>;
using Offset26 = BranchOffset<26>;

// Where an operand's bits are: its low bits at low, the others, if any, at high.
struct Slot {
    u8 low = 0, low_width = 0, high = 0, high_width = 0;
    constexpr unsigned width() const { return low_width + high_width; }
    constexpr u32 place(u32 raw) const {
        return static_cast<u32>((raw & mask(low_width)) << low | ((raw >> low_width) & mask(high_width)) << high);
    }
    constexpr u32 of(u32 word) const {
        return static_cast<u32>((word >> low & mask(low_width)) | (word >> high & mask(high_width)) << low_width);
    }
};

// A drawing is read bit 31 first; blanks separate. These read it at compile time.
consteval u32 drawn_bits(const char* drawing) {
    u32 word = 0;
    for (; *drawing; ++drawing)
        if (*drawing != ' ') word = word << 1 | (*drawing == '1');
    return word;
}
consteval u32 drawn_mask(const char* drawing) {
    u32 word = 0;
    for (; *drawing; ++drawing)
        if (*drawing != ' ') word = word << 1 | (*drawing == '0' || *drawing == '1');
    return word;
}
consteval Slot drawn_slot(const char* drawing, char letter) {
    Slot slot;
    unsigned n = 32;
    for (; *drawing; ++drawing) {
        if (*drawing == ' ') continue;
        --n;
        if (*drawing == letter) slot.low = static_cast<u8>(n), ++slot.low_width;
        if (*drawing == letter - 'a' + 'A') slot.high = static_cast<u8>(n), ++slot.high_width;
    }
    return slot;
}

}  // namespace bmbt::la64

// Bit fields of hardware registers by name: Field names a range, Bit one bit.
#pragma once
#include "base/types.hpp"

namespace bmbt {

// Bits hi..lo of v, both inclusive, moved down to bit 0.
constexpr u64 bits(u64 v, unsigned hi, unsigned lo) {
    return (v >> lo) & (hi - lo == 63 ? ~u64{0} : (u64{1} << (hi - lo + 1)) - 1);
}
constexpr bool bit(u64 v, unsigned n) { return (v >> n) & 1; }

// The low n bits set, 0 <= n <= 64.
constexpr u64 mask(unsigned n) { return n >= 64 ? ~u64{0} : (u64{1} << n) - 1; }

// The low n bits of v as a signed number, 1 <= n <= 64.
constexpr i64 sign_extend(u64 v, unsigned n) { return static_cast<i64>(v << (64 - n)) >> (64 - n); }

// a is a power of two.
constexpr u64 align_down(u64 v, u64 a) { return v & ~(a - 1); }
constexpr u64 align_up(u64 v, u64 a) { return (v + a - 1) & ~(a - 1); }

// A named range of bits in a register: value = field(x) places x, field.of(v) reads it.
struct Field {
    u8 lo, width;
    constexpr u64 mask() const { return bmbt::mask(width) << lo; }
    constexpr u64 of(u64 v) const { return (v >> lo) & bmbt::mask(width); }
    constexpr u64 operator()(u64 x) const { return (x & bmbt::mask(width)) << lo; }
    constexpr u64 put(u64 v, u64 x) const { return (v & ~mask()) | (*this)(x); }
};
struct Bit {
    u8 n;
    constexpr u64 mask() const { return u64{1} << n; }
    constexpr bool of(u64 v) const { return (v >> n) & 1; }
    constexpr u64 operator()(bool x = true) const { return u64{x} << n; }
    constexpr u64 put(u64 v, bool x) const { return (v & ~mask()) | (*this)(x); }
};

}  // namespace bmbt

// 128-bit integer steps that the compiler would otherwise call a library for.
#pragma once
#include <bit>

#include "base/types.hpp"

namespace bmbt::fpu {

constexpr u64 high(u128 v) { return static_cast<u64>(v >> 64); }
constexpr u64 low(u128 v) { return static_cast<u64>(v); }
constexpr u128 join(u64 hi, u64 lo) { return u128{hi} << 64 | lo; }

// v >> n for any n >= 0, with every bit shifted out kept in bit 0 ("sticky").
constexpr u128 shift_right_sticky(u128 v, unsigned n) {
    if (n == 0) return v;
    if (n >= 128) return v != 0;
    return v >> n | static_cast<u128>((v << (128 - n)) != 0);
}
constexpr u64 shift_right_sticky(u64 v, unsigned n) {
    if (n == 0) return v;
    if (n >= 64) return v != 0;
    return v >> n | static_cast<u64>((v << (64 - n)) != 0);
}

struct Quotient {
    u64 quotient, remainder;
};

// hi:lo / d, for hi < d and bit 63 of d set: two steps in base 2^32, each estimate at most 2 too large.
constexpr Quotient divide(u64 hi, u64 lo, u64 d) {
    const u64 d1 = d >> 32, d0 = d & 0xffff'ffff;
    u64 q1 = hi / d1, r1 = hi - q1 * d1;
    while (q1 >> 32 || q1 * d0 > (r1 << 32 | lo >> 32)) {
        --q1, r1 += d1;
        if (r1 >> 32) break;
    }
    const u64 mid = (hi << 32 | lo >> 32) - q1 * d;
    u64 q0 = mid / d1, r0 = mid - q0 * d1;
    while (q0 >> 32 || q0 * d0 > (r0 << 32 | (lo & 0xffff'ffff))) {
        --q0, r0 += d1;
        if (r0 >> 32) break;
    }
    return {q1 << 32 | q0, (mid << 32 | (lo & 0xffff'ffff)) - q0 * d};
}

// above_half: the true root is nearer to root + 1.
struct Root {
    u64 root;
    bool exact, above_half;
};

// The integer square root of v, for v >= 2^126. Root of the high half bit by bit, the low half by one division
// (P. Zimmermann, "Karatsuba Square Root").
constexpr Root square_root(u128 v) {
    u64 rest = high(v), s = 0;
    for (u64 b = u64{1} << 62; b; b >>= 2) {
        if (rest >= s + b) {
            rest -= s + b;
            s = s >> 1 | b;
        } else {
            s >>= 1;
        }
    }
    const u128 numerator = u128{rest} << 32 | low(v) >> 32;  // below 2^65
    const u64 d = s << 32;                                   // 2s, moved up to bit 63
    u64 q, r;
    if (high(numerator << 31) >= d) {
        q = u64{1} << 32;
        r = low(numerator - (u128{s} << 33));
    } else {
        auto [quotient, remainder] = divide(high(numerator << 31), low(numerator << 31), d);
        q = quotient;
        r = remainder >> 31;
    }
    u128 root = (u128{s} << 32) + q;
    i128 left = static_cast<i128>(u128{r} << 32 | (low(v) & 0xffff'ffff)) - static_cast<i128>(u128{q} * q);
    if (left < 0) {
        left += static_cast<i128>(root * 2 - 1);
        --root;
    }
    return {low(root), left == 0, left > static_cast<i128>(root)};
}

}  // namespace bmbt::fpu

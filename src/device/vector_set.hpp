// A set of interrupt vectors: IRR, ISR, TMR.
#pragma once
#include <array>
#include <bit>

#include "base/types.hpp"

namespace bmbt {

class VectorSet {
 public:
    bool has(u8 v) const { return words_[v / 64] >> v % 64 & 1; }
    void add(u8 v) { words_[v / 64] |= u64{1} << v % 64; }
    void remove(u8 v) { words_[v / 64] &= ~(u64{1} << v % 64); }
    int highest() const {  // -1 when empty
        for (int i = 3; i >= 0; i--)
            if (const u64 w = words_[static_cast<unsigned>(i)]) return i * 64 + 63 - std::countl_zero(w);
        return -1;
    }
    u32 word(unsigned n) const { return static_cast<u32>(words_[n / 2] >> n % 2 * 32); }  // 32 vectors, n in 0-7

 private:
    std::array<u64, 4> words_{};
};

}  // namespace bmbt

// States and memory made from a seed, so that a vector's file needs to say only what differs.
#pragma once
#include "oracle/state.hpp"

namespace bmbt::oracle {

// SplitMix64: small, and every seed is good.
class Random {
 public:
    explicit constexpr Random(u64 seed) : state_(seed) {}
    constexpr u64 next() {
        u64 z = state_ += 0x9e37'79b9'7f4a'7c15;
        z = (z ^ z >> 30) * 0xbf58'476d'1ce4'e5b9;
        z = (z ^ z >> 27) * 0x94d0'49bb'1331'11eb;
        return z ^ z >> 31;
    }
    constexpr u32 below(u32 n) { return static_cast<u32>((next() >> 32) * n >> 32); }  // n > 0
    constexpr bool one_in(u32 n) { return below(n) == 0; }

 private:
    u64 state_;
};

// Values where instructions change their mind, and random ones.
u64 interesting_integer(Random&);
u32 interesting_single(Random&);
u64 interesting_double(Random&);
void interesting_extended(Random&, u8 out[10]);

// The state before a vector. Seed 0 is the plain one: registers 0, flags clear, FPU as after FNINIT.
// `x87`: with values in the x87 stack and control bits that vary; else as after FNINIT.
void seeded_state(u32 seed, x86::CodeSize mode, bool x87, State& out);

// The contents of a file's data pages and of its read-only page before any vector. `size` is a multiple of 8.
void seeded_memory(u64 seed, u8* out, usize size);

}  // namespace bmbt::oracle

// Random numbers and a running sum over 64-bit words, and where the rounds of a long run stand across resets of the
// machine.
#pragma once
#include "common/types.hpp"

namespace guest {

class Random {
 public:
    explicit Random(u64 seed, u64 round = 0)
        : state_((seed * 0x9e37'79b9'7f4a'7c15 ^ (round + 1) * 0xd6e8'feb8'6659'fd93) | 1) {
        next(), next();
    }
    u64 next() {
        state_ ^= state_ >> 12;
        state_ ^= state_ << 25;
        state_ ^= state_ >> 27;
        return state_ * 0x2545'f491'4f6c'dd1d;
    }
    u32 below(u32 n) { return static_cast<u32>((next() >> 32) * n >> 32); }
    bool one_in(u32 n) { return below(n) == 0; }

 private:
    u64 state_;
};

class Sum {
 public:
    void add(u64 word) { value_ = (value_ ^ word ^ value_ >> 29) * 0x9fb2'1c65'1e98'df25; }
    void add(const volatile void* bytes, unsigned size) {
        for (unsigned n = 0; n < size; n += 8) add(static_cast<const volatile u64*>(bytes)[n / 8]);
    }
    u32 value() const { return static_cast<u32>(value_ >> 32); }

 private:
    u64 value_ = 0x5eed;
};

// What chaos.py has written into the ROM: see rom.S.
struct Orders {
    enum Kind : u32 { User, Kernel, Devices, Legacy };
    u64 seed, rounds;
    u32 kind, tell;  // tell: one more than the round whose every trap is printed
    u64 first;
    bool told(u64 round) const { return tell == round + 1; }
};
inline const Orders& orders() { return const_cast<const Orders&>(at<Orders>(0x508)); }

// Memory outlives a reset, and what rounds before it have left would make one machine's rounds others than another's,
// which was started anew. All that a round may reach but programs and what they keep.
inline void clear_memory() { memset(reinterpret_cast<void*>(0x40'0000), 0, 0xb0'0000); }

// Memory outlives a reset. The number is kept three times, since a round may write anywhere.
class Progress {
 public:
    explicit Progress(const Orders& orders) : seed_(orders.seed), next_(orders.first) {
        for (unsigned n = 0; n < copies; ++n)
            if (const volatile u64* p = copy(n); p[0] == seed_ + magic && p[2] == ~p[1] && p[1] > next_) next_ = p[1];
    }
    // The next round's number; whatever happens in it, it is not begun again.
    u64 begin() {
        const u64 round = next_++;
        for (unsigned n = 0; n < copies; ++n) {
            volatile u64* p = copy(n);
            p[0] = seed_ + magic;
            p[1] = next_;
            p[2] = ~next_;
        }
        return round;
    }
    u64 next() const { return next_; }

 private:
    static constexpr unsigned copies = 3;
    static constexpr u64 magic = 0x6b65'6570'6b65'6570;
    static volatile u64* copy(unsigned n) { return &at<u64>(0xf0'0000 + 0x1'2340 * n); }
    u64 seed_, next_;
};

}  // namespace guest

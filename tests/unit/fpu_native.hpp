// The processor's own x87 and SSE as the oracle of the fpu tests: runs one instruction from a given FSAVE image and
// compares the whole state afterwards with the model's. For x86-64 machines.
#pragma once
#include <sys/mman.h>

#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <string>
#include <vector>

#include "fpu/x87_image.hpp"

namespace bmbt::fpu::test {

// Small, fast, and the same everywhere (xorshift64*).
class Random {
 public:
    explicit Random(u64 seed) : state_(seed | 1) {}
    u64 next() {
        state_ ^= state_ >> 12, state_ ^= state_ << 25, state_ ^= state_ >> 27;
        return state_ * 0x2545'f491'4f6c'dd1d;
    }
    u64 below(u64 n) { return next() % n; }
    bool one_in(u64 n) { return below(n) == 0; }

 private:
    u64 state_;
};

// Cases for each instruction and test; BMBT_FPU_CASES raises it for a long run.
inline u64 cases(u64 normal) {
    const char* factor = std::getenv("BMBT_FPU_CASES");
    return factor ? normal * std::strtoull(factor, nullptr, 10) : normal;
}

// Executable memory with one instruction between loading and saving a state.
class Code {
 public:
    explicit Code(const std::vector<u8>& instruction) {
        code_ = static_cast<u8*>(
            mmap(nullptr, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0));
        u8* p = code_;
        auto emit = [&](const std::vector<u8>& bytes) {
            for (u8 b : bytes) *p++ = b;
        };
        emit({0xdd, 0x27});        // frstor [rdi]
        emit({0xff, 0x31, 0x9d});  // push [rcx]; popf
        emit(instruction);         // memory operand: [rdx]
        emit({0x9c, 0x8f, 0x01});  // pushf; pop [rcx]
        emit({0xdd, 0x36});        // fnsave [rsi]
        emit({0xc3});
    }
    ~Code() { munmap(code_, 4096); }
    Code(const Code&) = delete;

    // The generated code has no type record in front of it for the sanitizer.
    [[clang::no_sanitize("function")]] void run(const u8* in, u8* out, void* memory, u64* flags) const {
        auto f = reinterpret_cast<void (*)(const u8*, u8*, void*, u64*)>(code_);
        f(in, out, memory, flags);
    }

 private:
    u8* code_;
};

// Numbers at every border of the format, both signs.
inline const std::vector<Float80>& edges() {
    static const std::vector<Float80> all = [] {
        constexpr u64 top = u64{1} << 63;
        std::vector<Float80> v;
        auto both = [&](u64 m, u16 e) {
            v.push_back({m, e});
            v.push_back({m, static_cast<u16>(e | 0x8000)});
        };
        both(0, 0);
        both(1, 0), both(0x4000'0000'0000'0000, 0), both(~u64{0} >> 1, 0);       // denormals
        both(top, 0), both(~u64{0}, 0), both(top | 1, 0);                        // pseudo-denormals
        both(top, 1), both(~u64{0}, 1), both(top | 1, 2);                        // smallest normals
        both(top, 0x7ffe), both(~u64{0}, 0x7ffe);                                // largest
        both(top, 0x7fff), both(top | 1, 0x7fff), both(top | top >> 1, 0x7fff);  // infinity, signalling, quiet NaN
        both(~u64{0}, 0x7fff), both(0xa000'0000'0000'0000, 0x7fff), both(0xe000'0000'0000'0800, 0x7fff);
        both(0, 0x7fff), both(1, 0x7fff), both(top >> 1, 0x7fff);         // pseudo-infinity, pseudo-NaNs
        both(1, 0x3fff), both(0, 0x3fff), both(0, 1);                     // unnormals
        both(top, 0x3fff), both(~u64{0}, 0x3ffe), both(top | 1, 0x3fff);  // around one
        both(top, 0x3ffe), both(top | top >> 1, 0x3fff), both(0xa000'0000'0000'0000, 0x4000);  // 0.5, 1.5, 2.5
        both(~u64{0}, 0x403e), both(top, 0x403e), both(top, 0x403d), both(~u64{0}, 0x403d);    // around 2^63, 2^64
        both(top, 0x401e), both(0xffff'ffff'0000'0000, 0x401d), both(0xffff'ffff'8000'0000, 0x401d);  // around 2^31
        both(0xffff'0000'0000'0000, 0x400d), both(top, 0x400e);                                       // around 2^15
        both(0xc90f'daa2'2168'c235, 0x4000), both(0xc90f'daa2'2168'c235, 0x3ffe);
        both(0xffff'ff80'0000'0000, 0x407e), both(0xffff'ff00'0000'0000, 0x407e), both(top, 0x3f81);  // binary32 limits
        both(top, 0x3f6a), both(top, 0x3f69), both(0xffff'ffff'ffff'fc00, 0x43fe), both(0xffff'ffff'ffff'f800, 0x43fe);
        both(top, 0x3c01), both(~u64{0}, 0x3c00), both(top, 0x3bcd), both(top, 0x3bcc);  // binary64 limits
        both(0xde0b'6b3a'763f'fff0, 0x403a), both(0xde0b'6b3a'7640'0000, 0x403a);        // around 10^18
        both(top, 0x600e), both(0xf000'0000'0000'0000, 0x400d);
        return v;
    }();
    return all;
}

// A mantissa whose bits come in runs, as rounding borders have them.
inline u64 random_mantissa(Random& r) {
    switch (r.below(6)) {
        case 0: return r.next();
        case 1: return r.next() << r.below(64);
        case 2: return r.next() >> r.below(64);
        case 3: return ~u64{0} << r.below(64);
        case 4: return (~u64{0} << r.below(64)) ^ (u64{1} << r.below(64)) ^ (u64{1} << r.below(64));
        default: return u64{1} << r.below(64) | u64{1} << r.below(64) | (r.next() & 3);
    }
}

// Mostly normal numbers of near exponents, sometimes an edge or anything.
inline Float80 random_number(Random& r, u16 near_exponent) {
    if (r.one_in(12)) return edges()[r.below(edges().size())];
    if (r.one_in(24)) return {random_mantissa(r), static_cast<u16>(r.next())};
    const u64 spread = r.one_in(4) ? 140 : 4;
    u64 e = near_exponent + r.below(2 * spread + 1) - spread;
    if (e - 1 >= 0x7ffe) e = near_exponent;
    return {random_mantissa(r) | u64{1} << 63, static_cast<u16>(e | (r.next() & 0x8000))};
}
inline u16 random_exponent(Random& r) {
    switch (r.below(8)) {
        case 0: return static_cast<u16>(1 + r.below(70));
        case 1: return static_cast<u16>(0x7ffe - r.below(70));
        case 2: return static_cast<u16>(1 + r.below(0x7ffd));
        case 3: return static_cast<u16>(0x1fff + r.below(200) - 100);  // squares are at the borders
        case 4: return static_cast<u16>(0x5fff + r.below(200) - 100);
        default: return static_cast<u16>(0x3fff + r.below(140) - 70);
    }
}

inline std::string text(Float80 v) {
    char s[40];
    std::snprintf(s, sizeof s, "%04x:%016lx", v.sign_exponent, v.mantissa);
    return s;
}

}  // namespace bmbt::fpu::test

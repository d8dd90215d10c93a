#include "oracle/seed.hpp"

namespace bmbt::oracle {
namespace {

constexpr u64 edges[] = {0,
                         1,
                         2,
                         3,
                         7,
                         8,
                         15,
                         16,
                         31,
                         32,
                         33,
                         63,
                         64,
                         0x7f,
                         0x80,
                         0x81,
                         0xfe,
                         0xff,
                         0x100,
                         0x7fff,
                         0x8000,
                         0x8001,
                         0xffff,
                         0x1'0000,
                         0x7fff'fffe,
                         0x7fff'ffff,
                         0x8000'0000,
                         0x8000'0001,
                         0xffff'fffe,
                         0xffff'ffff,
                         0x1'0000'0000,
                         0x7fff'ffff'ffff'ffff,
                         0x8000'0000'0000'0000,
                         0x8000'0000'0000'0001,
                         0x5555'5555'5555'5555,
                         0xaaaa'aaaa'aaaa'aaaa,
                         0x8080'8080'8080'8080,
                         0x7f7f'7f7f'7f7f'7f7f};

constexpr u32 singles[] = {0,           1,           0x007f'ffff, 0x0080'0000, 0x3f00'0000, 0x3f7f'ffff,
                           0x3f80'0000, 0x3f80'0001, 0x4000'0000, 0x3fc0'0000, 0x4020'0000, 0x4b00'0000,
                           0x4b80'0000, 0x4eff'ffff, 0x4f00'0000, 0x4f80'0000, 0x5f00'0000, 0x7f7f'ffff,
                           0x7f80'0000, 0x7f80'0001, 0x7fbf'ffff, 0x7fc0'0000, 0x7fff'ffff};

constexpr u64 doubles[] = {0,
                           1,
                           0x000f'ffff'ffff'ffff,
                           0x0010'0000'0000'0000,
                           0x3690'0000'0000'0000,
                           0x380f'ffff'ffff'ffff,
                           0x3810'0000'0000'0000,
                           0x3fe0'0000'0000'0000,
                           0x3fef'ffff'ffff'ffff,
                           0x3ff0'0000'0000'0000,
                           0x3ff0'0000'0000'0001,
                           0x3ff8'0000'0000'0000,
                           0x4000'0000'0000'0000,
                           0x4004'0000'0000'0000,
                           0x41df'ffff'ffc0'0000,
                           0x41e0'0000'0000'0000,
                           0x4330'0000'0000'0000,
                           0x43df'ffff'ffff'ffff,
                           0x43e0'0000'0000'0000,
                           0x47ef'ffff'e000'0000,
                           0x47f0'0000'0000'0000,
                           0x7fef'ffff'ffff'ffff,
                           0x7ff0'0000'0000'0000,
                           0x7ff0'0000'0000'0001,
                           0x7ff7'ffff'ffff'ffff,
                           0x7ff8'0000'0000'0000,
                           0x7fff'ffff'ffff'ffff};

template <class T, usize n>
T pick(Random& r, const T (&from)[n]) {
    return from[r.below(n)];
}

}  // namespace

u64 interesting_integer(Random& r) {
    switch (r.below(8)) {
        case 0:
        case 1:
        case 2: return pick(r, edges);
        case 3: return -pick(r, edges);
        case 4: return r.next() & 0xff;
        case 5: return r.next() >> r.below(64);
        default: return r.next();
    }
}

// Numbers of like size meet in additions, so a third of all has an exponent near one.
u32 interesting_single(Random& r) {
    u32 random = static_cast<u32>(r.next());
    switch (r.below(6)) {
        case 0:
        case 1: return pick(r, singles) | (random & 0x8000'0000);
        case 2: return (random & 0x80ff'0000) | 0x3f00'0000;
        case 3: return (random & 0x81ff'ffff) | 0x3e00'0000;
        case 4: return (random & 0x8fff'ffff) | 0x4000'0000;
        default: return random;
    }
}

u64 interesting_double(Random& r) {
    u64 random = r.next();
    switch (r.below(6)) {
        case 0:
        case 1: return pick(r, doubles) | (random & 1ull << 63);
        case 2: return (random & 0x801f'f000'0000'0000) | 0x3fe0'0000'0000'0000;
        case 3: return (random & 0x803f'ffff'ffff'ffff) | 0x3fc0'0000'0000'0000;
        case 4: return (random & 0x83ff'ffff'ffff'ffff) | 0x4000'0000'0000'0000;
        default: return random;
    }
}

void interesting_extended(Random& r, u8 out[10]) {
    u64 significand;
    u32 exponent = static_cast<u32>(r.next()) & 0xffff;
    switch (r.below(10)) {
        case 0: significand = 0, exponent &= 0x8000; break;
        case 1: significand = 1ull << 63, exponent |= 0x7fff; break;             // infinity
        case 2: significand = r.next() | 1ull << 63, exponent |= 0x7fff; break;  // NaN
        case 3:                                                                  // denormal, pseudo-denormal
            significand = (r.next() & ~0ull >> 1) | u64{exponent & 1} << 63;
            exponent &= 0x8000;
            break;
        case 4: significand = 1ull << 63, exponent = (exponent & 0x8000) | 0x3fff; break;  // one
        case 5: significand = r.next(); break;                                             // unnormals among them
        case 6:                                                                            // an integer
            significand = r.next() | 1ull << 63;
            exponent = (exponent & 0x8000) | (0x3fff + r.below(66));
            significand &= ~0ull << r.below(64) | 1ull << 63;
            break;
        default: significand = r.next() | 1ull << 63, exponent = (exponent & 0x803f) | 0x3fe0; break;
    }
    std::memcpy(out, &significand, 8);
    out[8] = static_cast<u8>(exponent);
    out[9] = static_cast<u8>(exponent >> 8);
}

void seeded_state(u32 seed, x86::CodeSize mode, bool x87, State& s) {
    using x86::CodeSize;
    s = State{};
    s.gpr[x86::Rsp] = address_base(mode) + layout::data + 0xf00;
    bool bits16 = mode == CodeSize::Bits16;
    s.seg[x86::Cs] = bits16 ? selector::code16 : mode == CodeSize::Bits32 ? selector::code32 : selector::code64;
    s.seg[x86::Ds] = s.seg[x86::Es] = s.seg[x86::Ss] = bits16 ? selector::data16 : selector::data32;
    if (mode != CodeSize::Bits64) {
        s.seg[x86::Fs] = selector::fs32;
        s.seg[x86::Gs] = selector::gs32;
    }
    if (!seed) return;

    Random r(seed);
    for (unsigned i = 0; i < 16; i++)
        if (i != x86::Rsp) s.gpr[i] = interesting_integer(r);
    if (mode != CodeSize::Bits64)
        for (u64& g : s.gpr) g &= 0xffff'ffff;
    s.flags |= r.next() & x86::flag::arithmetic;
    for (auto& x : s.fx.xmm) {
        u64 lo, hi;
        switch (r.below(4)) {
            case 0: lo = r.next(), hi = r.next(); break;
            case 1: lo = interesting_double(r), hi = interesting_double(r); break;
            case 2: lo = interesting_integer(r), hi = interesting_integer(r); break;
            default:
                lo = interesting_single(r) | u64{interesting_single(r)} << 32;
                hi = interesting_single(r) | u64{interesting_single(r)} << 32;
        }
        std::memcpy(x, &lo, 8);
        std::memcpy(x + 8, &hi, 8);
    }
    if (!x87) return;

    static constexpr u16 precision[] = {0x000, 0x200, 0x300, 0x300};
    s.fx.fcw = static_cast<u16>(0x07f & ~0x40) | 0x40 | precision[r.below(4)];
    if (r.one_in(2)) s.fx.fcw |= r.below(4) << 10;
    s.fx.fsw = static_cast<u16>(r.below(8) << 11 | (r.next() & 0x4700));
    s.fx.ftw = r.one_in(4) ? static_cast<u8>(r.next()) : 0xff;
    for (auto& st : s.fx.st) interesting_extended(r, st);
}

void seeded_memory(u64 seed, u8* out, usize size) {
    Random r(seed);
    for (usize i = 0; i < size; i += 8) {
        u64 v = r.next();
        switch (v & 7) {
            case 0: v = interesting_double(r); break;
            case 1: v = interesting_single(r) | u64{interesting_single(r)} << 32; break;
            case 2: v = interesting_integer(r); break;
            case 3: v = (v & 0xffff'ffff) | u64{static_cast<u32>(interesting_integer(r))} << 32; break;
            default: break;
        }
        std::memcpy(out + i, &v, 8);
    }
}

}  // namespace bmbt::oracle

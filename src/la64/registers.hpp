// The registers of LoongArch as distinct types, with the names of the psABI.
#pragma once
#include "base/types.hpp"

namespace bmbt::la64 {

// A general register.
struct Gpr {
    u8 number;
    friend constexpr bool operator==(Gpr, Gpr) = default;
};
// A scalar floating-point register: the low half of the vector register of the same number.
struct Fpr {
    u8 number;
    friend constexpr bool operator==(Fpr, Fpr) = default;
};
// A 128-bit vector register (LSX).
struct Vr {
    u8 number;
    friend constexpr bool operator==(Vr, Vr) = default;
};
// A 256-bit vector register (LASX): the vector register of the same number is its low half.
struct Xr {
    u8 number;
    friend constexpr bool operator==(Xr, Xr) = default;
};
// A condition flag, written by fcmp and vset and read by bceqz, bcnez and fsel.
struct Fcc {
    u8 number;
    friend constexpr bool operator==(Fcc, Fcc) = default;
};
// The floating-point control and status register, or one of the views of its fields.
struct Fcsr {
    u8 number;
    friend constexpr bool operator==(Fcsr, Fcsr) = default;
};

constexpr Fpr low_half(Vr v) { return {v.number}; }
constexpr Vr whole(Fpr f) { return {f.number}; }

inline constexpr Gpr zero{0}, ra{1}, tp{2}, sp{3};
inline constexpr Gpr a0{4}, a1{5}, a2{6}, a3{7}, a4{8}, a5{9}, a6{10}, a7{11};
inline constexpr Gpr t0{12}, t1{13}, t2{14}, t3{15}, t4{16}, t5{17}, t6{18}, t7{19}, t8{20};
inline constexpr Gpr r21{21}, fp{22};
inline constexpr Gpr s0{23}, s1{24}, s2{25}, s3{26}, s4{27}, s5{28}, s6{29}, s7{30}, s8{31};

inline constexpr Fpr f0{0}, f1{1}, f2{2}, f3{3}, f4{4}, f5{5}, f6{6}, f7{7}, f8{8}, f9{9}, f10{10}, f11{11}, f12{12},
    f13{13}, f14{14}, f15{15}, f16{16}, f17{17}, f18{18}, f19{19}, f20{20}, f21{21}, f22{22}, f23{23}, f24{24}, f25{25},
    f26{26}, f27{27}, f28{28}, f29{29}, f30{30}, f31{31};
inline constexpr Vr vr0{0}, vr1{1}, vr2{2}, vr3{3}, vr4{4}, vr5{5}, vr6{6}, vr7{7}, vr8{8}, vr9{9}, vr10{10}, vr11{11},
    vr12{12}, vr13{13}, vr14{14}, vr15{15}, vr16{16}, vr17{17}, vr18{18}, vr19{19}, vr20{20}, vr21{21}, vr22{22},
    vr23{23}, vr24{24}, vr25{25}, vr26{26}, vr27{27}, vr28{28}, vr29{29}, vr30{30}, vr31{31};
inline constexpr Fcc fcc0{0}, fcc1{1}, fcc2{2}, fcc3{3}, fcc4{4}, fcc5{5}, fcc6{6}, fcc7{7};

// LoongArch vol. 1, "Floating-Point Control and Status Register": fcsr1-3 are its enables, its causes and flags, and
// its rounding mode.
inline constexpr Fcsr fcsr0{0}, fcsr1{1}, fcsr2{2}, fcsr3{3};

}  // namespace bmbt::la64

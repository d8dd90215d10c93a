// The x87's 80-bit numbers and their arithmetic, in integer instructions only, as the processor does it bit for bit.
// Intel SDM vol. 1, "Programming with the x87 FPU".
//
// Every operation takes the control word's settings in an FpEnv and adds what happened to FpEnv::flags. When an
// unmasked invalid-operation, denormal-operand or zero-divide exception is among them (FpEnv::blocked), there is no
// result: the returned value means nothing and the destination must keep its old contents. An unmasked overflow or
// underflow of an operation with an 80-bit result returns the result with its exponent adjusted by 24576.
#pragma once
#include "base/types.hpp"

namespace bmbt::fpu {

struct Float80 {
    u64 mantissa = 0;       // bit 63 is the integer bit
    u16 sign_exponent = 0;  // bit 15 sign, bits 14:0 exponent + 16383

    constexpr bool sign() const { return sign_exponent >> 15; }
    constexpr u16 exponent() const { return sign_exponent & 0x7fff; }
    friend constexpr bool operator==(const Float80&, const Float80&) = default;
};

// Exception bits where the status word and MXCSR have them, and C1, which says that the result was rounded up.
inline constexpr u16 invalid_operation = 0x01;
inline constexpr u16 denormal_operand = 0x02;
inline constexpr u16 zero_divide = 0x04;
inline constexpr u16 overflow = 0x08;
inline constexpr u16 underflow = 0x10;
inline constexpr u16 inexact = 0x20;
inline constexpr u16 all_exceptions = 0x3f;
inline constexpr u16 rounded_up = 0x200;

// RC, as both the control word (bits 11:10) and MXCSR (bits 14:13) encode it.
enum class Rounding : u8 { Nearest = 0, Down = 1, Up = 2, Zero = 3 };

// PC of the control word (bits 9:8); the reserved value 1 works as 64 bits.
enum class Precision : u8 { Bits24 = 0, Bits53 = 2, Bits64 = 3 };

struct FpEnv {
    u16 control = 0x037f;  // a control word: masks 5:0, precision 9:8, rounding 11:10
    u16 flags = 0;         // out, ORed: exception bits and rounded_up

    constexpr FpEnv() = default;
    constexpr explicit FpEnv(u16 control_word) : control(control_word) {}
    constexpr FpEnv(Rounding r, Precision p, u16 masks = all_exceptions)
        : control(static_cast<u16>(masks | static_cast<unsigned>(p) << 8 | static_cast<unsigned>(r) << 10)) {}

    constexpr Rounding rounding() const { return static_cast<Rounding>(control >> 10 & 3); }
    constexpr unsigned precision_bits() const {
        unsigned pc = control >> 8 & 3;
        return pc == 0 ? 24 : pc == 2 ? 53 : 64;
    }
    constexpr bool unmasked(u16 exceptions) const { return exceptions & ~control & all_exceptions; }
    constexpr bool blocked() const { return unmasked(flags & (invalid_operation | denormal_operand | zero_divide)); }
};

inline constexpr Float80 default_nan80{0xc000'0000'0000'0000, 0xffff};  // "QNaN floating-point indefinite"
inline constexpr Float80 one80{0x8000'0000'0000'0000, 0x3fff};
inline constexpr Float80 zero80{0, 0};
constexpr Float80 infinity80(bool sign) { return {0x8000'0000'0000'0000, static_cast<u16>(sign ? 0xffff : 0x7fff)}; }

// What FXAM tells apart. Invalid: unnormal, pseudo-infinity or pseudo-NaN. Denormal includes pseudo-denormals.
enum class Class : u8 { Zero, Denormal, Normal, Infinity, QuietNan, SignallingNan, Invalid };
Class classify(Float80);

// Arithmetic, rounded to the precision control.
Float80 add(FpEnv&, Float80 a, Float80 b);
Float80 sub(FpEnv&, Float80 a, Float80 b);  // a - b
Float80 mul(FpEnv&, Float80 a, Float80 b);
Float80 div(FpEnv&, Float80 a, Float80 b);  // a / b
Float80 sqrt(FpEnv&, Float80);

enum class Order : u8 { Less, Equal, Greater, Unordered };
Order compare(FpEnv&, Float80 a, Float80 b);        // FCOM: any NaN is invalid
Order compare_quiet(FpEnv&, Float80 a, Float80 b);  // FUCOM: only a signalling NaN is

// FPREM (quotient truncated) and FPREM1 (quotient to nearest). partial is C2: the exponents were too far apart to
// finish. quotient holds the three low bits of a finished quotient.
struct Remainder {
    Float80 value;
    u8 quotient;
    bool partial;
};
Remainder remainder_truncated(FpEnv&, Float80 a, Float80 b);
Remainder remainder_nearest(FpEnv&, Float80 a, Float80 b);

Float80 round_to_integer(FpEnv&, Float80);         // FRNDINT
Float80 scale(FpEnv&, Float80 value, Float80 by);  // FSCALE: value * 2^trunc(by)
struct Extracted {
    Float80 exponent, significand;
};
Extracted extract(FpEnv&, Float80);  // FXTRACT

// Conversions. from_* raise denormal operand and quiet a signalling NaN; widen_* do neither, as the memory operands
// of arithmetic instructions need it. to_f32/to_f64 have no result either when an unmasked overflow or underflow is
// flagged, nor to_int or to_bcd on an unmasked invalid operation.
Float80 from_f32(FpEnv&, u32);
Float80 from_f64(FpEnv&, u64);
Float80 widen_f32(u32);
Float80 widen_f64(u64);
Float80 from_int(i64);
u32 to_f32(FpEnv&, Float80);
u64 to_f64(FpEnv&, Float80);
// width 16, 32 or 64; out of range gives the integer indefinite, the most negative number.
i64 to_int(FpEnv&, Float80, unsigned width, Rounding);
// Packed BCD of 18 digits in 10 bytes: the low eight in mantissa, the high two in sign_exponent.
Float80 from_bcd(Float80 packed);
Float80 to_bcd(FpEnv&, Float80);

// FLD1 FLDL2T FLDL2E FLDPI FLDLG2 FLDLN2 FLDZ, in the order of their opcodes D9 E8..EE.
enum class Constant : u8 { One, Log2Ten, Log2E, Pi, Log10Two, LnTwo, Zero };
Float80 constant(Rounding, Constant);

// Transcendental functions, to 64 bits whatever the precision control.
Float80 exp2_minus1(FpEnv&, Float80);                  // F2XM1
Float80 y_log2_x(FpEnv&, Float80 y, Float80 x);        // FYL2X
Float80 y_log2_x_plus1(FpEnv&, Float80 y, Float80 x);  // FYL2XP1
Float80 arctan(FpEnv&, Float80 y, Float80 x);          // FPATAN: the angle of (x, y)
// Angles of 2^63 and more are refused: out_of_range is C2, nothing else happened.
struct Trig {
    Float80 value;
    bool out_of_range;
};
struct SinCos {
    Float80 sin, cos;
    bool out_of_range;
};
Trig sin(FpEnv&, Float80);
Trig cos(FpEnv&, Float80);
Trig tan(FpEnv&, Float80);
SinCos sincos(FpEnv&, Float80);

}  // namespace bmbt::fpu

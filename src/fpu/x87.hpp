// The x87 register-stack machine: state, and one function for each instruction (or family of them).
// Intel SDM vol. 1, "Programming with the x87 FPU"; vol. 2 for each instruction.
//
// Rules for callers:
// - Every waiting instruction's function returns Mf. Mf::Pending means that an earlier unmasked exception is waiting:
//   nothing was done, the caller raises #MF (or FERR#). CR0.EM/TS (#NM) is the caller's test, before.
// - Memory is read before the call. Stores come in two steps, since the guest's memory may fault: `Store` says what to
//   write (or that nothing is written), and finish_store() then changes the machine.
// - ip, cs, opcode, dp, ds of the last non-control instruction are the caller's to set.
#pragma once
#include <cstddef>

#include "fpu/float80.hpp"

namespace bmbt::fpu {

enum class [[nodiscard]] Mf : bool { None = false, Pending = true };

// Status word bits besides the exceptions.
inline constexpr u16 stack_fault = 0x40;
inline constexpr u16 error_summary = 0x80;
inline constexpr u16 c0 = 0x100, c1 = 0x200, c2 = 0x400, c3 = 0x4000;
inline constexpr u16 busy = 0x8000;

struct X87 {
    // Translated code reads status, control and tag as one doubleword, and knows all offsets (below).
    Float80 st[8];  // physical registers R0..R7; ST(i) is R[(top + i) & 7]
    u16 status = 0;  // TOP is bits 13:11; ES and B are kept equal
    u16 control = 0x037f;
    u8 tag = 0;      // bit n: physical register n is in use (FXSAVE's abridged tag word)
    u16 opcode = 0;  // FOP, 11 bits
    u64 ip = 0, dp = 0;
    u16 cs = 0, ds = 0;

    unsigned top() const { return status >> 11 & 7; }
    unsigned physical(unsigned i) const { return ((status >> 11) + i) & 7; }
    bool empty(unsigned i) const { return !(tag >> physical(i) & 1); }
    Float80& reg(unsigned i) { return st[physical(i)]; }
    const Float80& reg(unsigned i) const { return st[physical(i)]; }
    bool pending() const { return status & error_summary; }
};

// Byte offsets in X87, for translated code. ST(i) is 16 * physical(i).
namespace x87_offset {
inline constexpr i32 status = 128, control = 130, tag = 132, opcode = 134, ip = 136, dp = 144, cs = 152, ds = 154;
static_assert(offsetof(X87, status) == status && offsetof(X87, control) == control && offsetof(X87, tag) == tag &&
              offsetof(X87, opcode) == opcode && offsetof(X87, ip) == ip && offsetof(X87, dp) == dp &&
              offsetof(X87, cs) == cs && offsetof(X87, ds) == ds && sizeof(Float80) == 16);
}  // namespace x87_offset

// Loads. fld is FLD m80 (no exception but the stack's); fild takes all three sizes.
Mf fld_sti(X87&, unsigned i);
Mf fld(X87&, Float80);
Mf fld_m32(X87&, u32);
Mf fld_m64(X87&, u64);
Mf fild(X87&, i64);
Mf fbld(X87&, Float80 packed);
Mf fld_constant(X87&, Constant);

// Stores to memory. value is written when write is set; then finish_store(x, store, pop).
template <class T>
struct Store {
    T value{};
    u16 flags = 0;
    bool write = false;
    Mf mf = Mf::None;
};
Store<u32> fst_m32(const X87&);
Store<u64> fst_m64(const X87&);
Store<Float80> fst_m80(const X87&);              // ten bytes, as Float80 has them
Store<i16> fist_m16(const X87&, bool truncate);  // truncate: FISTTP
Store<i32> fist_m32(const X87&, bool truncate);
Store<i64> fist_m64(const X87&, bool truncate);
Store<Float80> fbst(const X87&);
void finish_store(X87&, u16 flags, bool write, bool pop);
template <class T>
void finish_store(X87& x, const Store<T>& s, bool pop) {
    finish_store(x, s.flags, s.write, pop);
}
Mf fst_sti(X87&, unsigned i, bool pop);
// D9 D8 to DF, in no manual: FSTP ST(i) that takes an empty ST(0) for nothing to store, and pops it without an exception.
Mf fst_unchecked(X87&, unsigned i);

// Arithmetic; the numbers are the opcodes' reg field (D8 /r, DC /r, DE /r with memory operand or ST(0) destination).
enum class Arith : u8 { Add = 0, Mul = 1, Sub = 4, SubR = 5, Div = 6, DivR = 7 };
// ST(dst) = ST(dst) op ST(src), R forms ST(src) op ST(dst), then perhaps a pop. (The opcodes DC E0..FF name FSUB and
// FSUBR, FDIV and FDIVR the other way round: the caller passes the operation by its meaning.)
template <Arith>
Mf arith(X87&, unsigned dst, unsigned src, bool pop);  // the shortest way, for callers that know the operation
Mf arith(X87&, Arith, unsigned dst, unsigned src, bool pop);
Mf arith_m32(X87&, Arith, u32);
Mf arith_m64(X87&, Arith, u64);
Mf arith_int(X87&, Arith, i32);  // FIADD..FIDIVR m16 and m32

// Comparisons of ST(0); `pops` 0..2. quiet: FUCOM.
Mf fcom_sti(X87&, unsigned i, unsigned pops, bool quiet);
Mf fcom_m32(X87&, u32, bool pop);
Mf fcom_m64(X87&, u64, bool pop);
Mf ficom(X87&, i32, bool pop);
Mf ftst(X87&);
Mf fxam(X87&);
// FCOMI family: the new ZF, PF, CF go to their bits of eflags; OF, SF, AF are cleared. An unmasked invalid operation
// still reports "unordered" (here and in the condition codes of FCOM): the manual leaves that open, the processor does
// it.
Mf fcomi(X87&, unsigned i, bool pop, bool quiet, u64& eflags);

// One operand, or ST(0) and ST(1).
Mf fchs(X87&);
Mf fabs(X87&);
Mf fsqrt(X87&);
Mf frndint(X87&);
Mf fscale(X87&);
Mf fxtract(X87&);
Mf fprem(X87&);
Mf fprem1(X87&);
Mf f2xm1(X87&);
Mf fyl2x(X87&);
Mf fyl2xp1(X87&);
Mf fpatan(X87&);
Mf fptan(X87&);
Mf fsin(X87&);
Mf fcos(X87&);
Mf fsincos(X87&);

// The stack and control.
Mf fxch(X87&, unsigned i);
Mf fcmov(X87&, unsigned i, bool condition);
Mf fincstp(X87&);
Mf fdecstp(X87&);
Mf ffree(X87&, unsigned i, bool pop);  // pop: the undocumented FFREEP
Mf fnop(X87&);                         // FNOP and FWAIT
void fninit(X87&);
void fnclex(X87&);
Mf fldcw(X87&, u16);
inline u16 fnstcw(const X87& x) { return x.control; }
inline u16 fnstsw(const X87& x) { return x.status; }

// MMX: mm n is the mantissa of physical register n. Every MMX instruction but EMMS calls enter_mmx, once it is
// known that no #MF comes before it (IGNNE# ignores a pending one); a written register gets the exponent of a NaN.
void enter_mmx(X87&);
inline u64 read_mm(const X87& x, unsigned n) { return x.st[n].mantissa; }
inline void write_mm(X87& x, unsigned n, u64 v) { x.st[n] = {v, 0xffff}; }
void emms(X87&);

}  // namespace bmbt::fpu

// What writes the x87's routines (x87_code.cpp): their common pieces, each over fixed temporaries.
#pragma once
#include "cpu/vcpu_offsets.inc"
#include "runtime/block_store.hpp"

namespace bmbt::x87_code {

using namespace la64;
namespace at = fpu::x87_offset;
namespace routine = x87_routine;

// A number in two registers: significand, and sign with exponent (16 bits, zeros above).
struct Number {
    Gpr m, se;
};
constexpr Number first{t0, t1}, second{t2, t3};

class Writer {
 public:
    Writer(Assembler& as, bool user) : as(as), user_(user) {}

    void arithmetic(unsigned kind, unsigned op);
    void compare(unsigned kind);
    void widen(bool wide);
    void narrow(bool wide);
    void to_integer(bool truncates);
    // Binds what a routine branches to when it gives up. Ends each routine.
    void end() {
        as.bind(fail_);
        as.jr(ra);
        fail_ = Label{};
    }

 private:
    void success() { as.jirl(zero, ra, 4); }
    void top_bit(Gpr d) { as.lu52i_d(d, zero, -2048); }
    void exponent_of(Gpr d, Gpr se) { as.bstrpick_d(d, se, 14, 0); }
    Gpr state(Gpr scratch) {
        if (user_) return tp;
        as.ld_d(scratch, tp, VCPU_X87);
        return scratch;
    }
    i32 place(i32 offset) const { return (user_ ? USER_PAGE_X87 : 0) + offset; }

    void widen_second(bool wide, Label& special);
    void window(bool both, Label& outside);
    void round(Gpr hi, Gpr lo, Gpr scratch);
    void finish();
    void exact();
    void add_or_subtract(unsigned kind, unsigned op);
    void sum(Number big, Number small);
    void difference(Number big, Number small, Gpr big_exponent, Gpr small_exponent);
    void multiply(unsigned kind);
    void divide(unsigned kind, Number n, Number d);
    void normal_or_fail(Number, Gpr, Gpr);
    void zero_or_fail(Number, Gpr);
    void zero_in_memory(unsigned kind, Label& special, bool sign);
    void signed_zero();
    void far_apart(Number big, bool subtracts);

    Assembler& as;
    bool user_;
    Label fail_;
};

}  // namespace bmbt::x87_code

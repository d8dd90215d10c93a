#include "cpu/flags.hpp"

#include "fpu/sse.hpp"

namespace bmbt {
namespace {

using namespace x86::flag;

u64 parity(u64 result) { return __builtin_parity(static_cast<u8>(result)) ? 0 : pf; }
u64 zero_sign(u64 result, unsigned top) { return (result == 0 ? zf : 0) | (bit(result, top) ? sf : 0); }
// ZF, SF and PF of a result that is already modulo its size.
u64 of_result(u64 result, unsigned top) { return zero_sign(result, top) | parity(result); }

// The carries into bit 4, out of the top and the overflow of a + b + c == r.
u64 of_addition(u64 a, u64 b, u64 r, unsigned top) {
    u64 carries = (a & b) | ((a | b) & ~r);
    return (bit(carries, top) ? cf : 0) | ((a ^ b ^ r) & af) | (bit((a ^ r) & (b ^ r), top) ? of : 0);
}
u64 of_subtraction(u64 a, u64 b, u64 r, unsigned top) {
    u64 borrows = (~a & b) | ((~a | b) & r);
    return (bit(borrows, top) ? cf : 0) | ((a ^ b ^ r) & af) | (bit((a ^ b) & (a ^ r), top) ? of : 0);
}

}  // namespace

u64 evaluate(const LazyFlags& f) {
    auto op = static_cast<FlagOp>(f.kind / 4);
    unsigned top = (8u << (f.kind % 4)) - 1;
    u64 all = mask(top + 1);
    auto sum = [&](u64 a, u64 b, u64 carry) {
        a &= all, b &= all;
        u64 r = (a + b + carry) & all;
        return of_addition(a, b, r, top) | of_result(r, top);
    };
    auto difference = [&](u64 a, u64 b, u64 borrow) {
        a &= all, b &= all;
        u64 r = (a - b - borrow) & all;
        return of_subtraction(a, b, r, top) | of_result(r, top);
    };
    u64 a = f.a & all;
    switch (op) {
        case FlagOp::Bits: return f.a & arithmetic;
        case FlagOp::Add: return sum(f.a, f.b, 0);
        case FlagOp::Sub: return difference(f.a, f.b, 0);
        case FlagOp::Adc: return sum(f.a, f.b, 1);
        case FlagOp::Sbb: return difference(f.a, f.b, 1);
        case FlagOp::AddR: return sum(f.a - f.b, f.b, 0);
        case FlagOp::SubR: return difference(f.a + f.b, f.b, 0);
        case FlagOp::Logic: return of_result(a, top);
        case FlagOp::Inc:
            return of_result(a, top) | (f.b & 1) | ((a & 15) == 0 ? af : 0) | (a == u64{1} << top ? of : 0);
        case FlagOp::Dec: return of_result(a, top) | (f.b & 1) | ((a & 15) == 15 ? af : 0) | (a == mask(top) ? of : 0);
        case FlagOp::Imul: {
            i128 x = sign_extend(f.a & all, top + 1), y = sign_extend(f.b & all, top + 1), product = x * y;
            u64 r = static_cast<u64>(product) & all;
            return of_result(r, top) | (product == sign_extend(r, top + 1) ? 0 : cf | of);
        }
        case FlagOp::Float: {
            fpu::MxcsrEnv env;
            return top == 63 ? fpu::sse::compare_flags<fpu::F64>(env, f.a, f.b, true)
                             : fpu::sse::compare_flags<fpu::F32>(env, static_cast<u32>(f.a), static_cast<u32>(f.b), true);
        }
        case FlagOp::Result: return of_result(a, top) | (f.b & (cf | of | af));
    }
    return 0;
}

void set_rflags(Vcpu& v, u64 flags) {
    set_arithmetic(v, flags);
    v.system_flags = (flags & system) | reserved1;
    v.direction = flags & df ? ~u64{0} : 1;
    v.paging.flags_ac = flags & ac;
}

}  // namespace bmbt

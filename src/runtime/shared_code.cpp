// The code that all blocks of a privilege class share: flags to bits, and the jump cache's look-up.
#include "cpu/vcpu_offsets.inc"
#include "runtime/block_store.hpp"
#include "runtime/jump_cache.hpp"

namespace bmbt {
namespace {

using namespace la64;

constexpr Gpr a = host::flag_a, b = host::flag_b, kind = host::flag_kind;

// From a sum or difference r = a +- b at the top of 64-bit registers (`k` zero bits below) and CF in t7, all flags to
// flag_a. Clobbers t6, t7.
void collect(Assembler& as, unsigned k, bool add) {
    Gpr r = t6, carry = t7;
    // OF: add: (a ^ r) & (b ^ r); subtract: (a ^ b) & (a ^ r). AF: bit 4 of a ^ b ^ r.
    as.xor_(kind, a, b);
    as.xor_(a, a, r);  // a ^ r
    if (add) {
        as.xor_(b, b, r);
        as.and_(b, b, a);
    } else {
        as.and_(b, kind, a);
    }
    as.xor_(kind, kind, r);
    as.move(a, carry);
    if (k + 4 < 64) {
        as.bstrpick_d(kind, kind, k + 4, k + 4);
        as.bstrins_d(a, kind, 4, 4);
    }
    as.srli_d(b, b, 63);
    as.bstrins_d(a, b, 11, 11);
}

// ZF, SF, PF of the result in t6, which stands at the top of its register, into flag_a; ends the routine.
void finish(Assembler& as, unsigned k) {
    Gpr r = t6;
    as.sltui(b, r, 1);
    as.bstrins_d(a, b, 6, 6);
    as.srli_d(b, r, 63);
    as.bstrins_d(a, b, 7, 7);
    as.srli_d(r, r, k);
    as.srli_d(t7, r, 4), as.xor_(r, r, t7);
    as.srli_d(t7, r, 2), as.xor_(r, r, t7);
    as.srli_d(t7, r, 1), as.xor_(r, r, t7);
    as.xori(r, r, 1);
    as.bstrins_d(a, r, 2, 2);
    as.move(kind, zero);
    as.jr(host::link);
}

void to_top(Assembler& as, Gpr r, unsigned k) {
    if (k) as.slli_d(r, r, k);
}

// t6 = 1 at the operands' lowest bit.
void one(Assembler& as, Gpr to, unsigned k) {
    as.ori(to, zero, 1);
    to_top(as, to, k);
}

void one_kind(Assembler& as, FlagOp op, unsigned size_log2) {
    unsigned k = 64 - (8u << size_log2);
    switch (op) {
        case FlagOp::Bits:
            as.move(kind, zero);
            as.jr(host::link);
            return;
        case FlagOp::Logic:
            as.slli_d(t6, a, k);
            as.move(a, zero);
            return finish(as, k);
        case FlagOp::Result:
            as.slli_d(t6, a, k);
            as.li(t7, x86::flag::cf | x86::flag::of | x86::flag::af);
            as.and_(a, b, t7);
            return finish(as, k);
        case FlagOp::Add:
        case FlagOp::AddR:
            to_top(as, a, k), to_top(as, b, k);
            if (op == FlagOp::AddR) as.sub_d(a, a, b);
            as.add_d(t6, a, b);
            as.sltu(t7, t6, a);
            collect(as, k, true);
            return finish(as, k);
        case FlagOp::Sub:
        case FlagOp::SubR:
            to_top(as, a, k), to_top(as, b, k);
            if (op == FlagOp::SubR) as.add_d(a, a, b);
            as.sub_d(t6, a, b);
            as.sltu(t7, a, b);
            collect(as, k, false);
            return finish(as, k);
        case FlagOp::Adc:
            to_top(as, a, k), to_top(as, b, k);
            one(as, t7, k);
            as.add_d(t6, a, b);
            as.add_d(t6, t6, t7);
            as.sltu(t7, a, t6);  // a carry comes out unless the sum is larger
            as.xori(t7, t7, 1);
            collect(as, k, true);
            return finish(as, k);
        case FlagOp::Sbb:
            to_top(as, a, k), to_top(as, b, k);
            one(as, t7, k);
            as.sub_d(t6, a, b);
            as.sub_d(t6, t6, t7);
            as.sltu(t7, b, a);  // a borrow unless a > b
            as.xori(t7, t7, 1);
            collect(as, k, false);
            return finish(as, k);
        case FlagOp::Inc:
        case FlagOp::Dec: {
            bool inc = op == FlagOp::Inc;
            as.slli_d(t6, a, k);
            as.andi(t7, b, 1);
            one(as, b, k);
            inc ? as.sub_d(a, t6, b) : as.add_d(a, t6, b);
            collect(as, k, inc);
            return finish(as, k);
        }
        case FlagOp::Imul: {
            // Signed product: exact in 64 bits below the largest size.
            if (size_log2 == 3) {
                as.mulh_d(t7, a, b);
                as.mul_d(t6, a, b);
                as.srai_d(a, t6, 63);
                as.xor_(t7, t7, a);
            } else {
                as.slli_d(a, a, k), as.srai_d(a, a, k);
                as.slli_d(b, b, k), as.srai_d(b, b, k);
                as.mul_d(t6, a, b);
                as.slli_d(a, t6, k);
                as.srai_d(t7, a, k);
                as.xor_(t7, t7, t6);
                as.move(t6, a);
            }
            as.sltu(t7, zero, t7);
            as.move(a, t7);
            as.bstrins_d(a, t7, 11, 11);
            return finish(as, k);
        }
        case FlagOp::Float: {
            // Without signalling NaNs: those never become lazy flags, so no comparison traps here.
            bool is_double = size_log2 == 3;
            Fpr x = la64::low_half(host::vtemp(0)), y = la64::low_half(host::vtemp(1));
            as.movgr2fr_d(x, a);
            as.movgr2fr_d(y, b);
            is_double ? as.fcmp_cueq_d(fcc0, x, y) : as.fcmp_cueq_s(fcc0, x, y);
            is_double ? as.fcmp_cun_d(fcc1, x, y) : as.fcmp_cun_s(fcc1, x, y);
            is_double ? as.fcmp_cult_d(fcc2, x, y) : as.fcmp_cult_s(fcc2, x, y);
            as.movcf2gr(t6, fcc0);
            as.movcf2gr(t7, fcc1);
            as.movcf2gr(a, fcc2);
            as.bstrins_d(a, t6, 6, 6);
            as.bstrins_d(a, t7, 2, 2);
            as.move(kind, zero);
            as.jr(host::link);
            return;
        }
    }
}

void flag_bits(Assembler& as) {
    constexpr unsigned kinds = (static_cast<unsigned>(FlagOp::Float) + 1) * 4;
    Label table, entries[kinds];
    as.adr(t7, table);
    as.alsl_d(t7, kind, t7, 2);
    as.jr(t7);
    as.bind(table);
    for (auto& e : entries) as.b(e);
    for (unsigned n = 0; n < kinds; n++) {
        as.bind(entries[n]);
        one_kind(as, static_cast<FlagOp>(n / 4), n % 4);
    }
}

void indirect(Assembler& as, bool user) {
    Label miss;
    as.ld_d(t2, host::state, VCPU_JUMP_CACHE);
    as.bstrpick_d(t3, host::target, jump_cache_high, jump_cache_low);
    as.alsl_d(t2, t3, t2, 4);
    as.ld_d(t3, t2, 0);
    as.ld_d(t2, t2, 8);
    if (user) {
        as.ld_d(t4, host::state, VCPU_EPOCH);
        as.xor_(t3, t3, t4);
    }
    as.bne(t3, host::target, miss);
    as.jr(t2);
    as.bind(miss);
    as.li(t0, gate::indirect);
    as.move(t2, host::link);
    if (user) {
        as.syscall(0);
    } else {
        as.ld_d(ra, host::state, VCPU_GATE_TARGET);
        as.jirl(ra, ra, 0);
    }
}

// A return to the address that marks the ring's empty entries has popped one: it stays. (Any address may be returned to, so
// there is no mark that none has.)
void no_prediction(Assembler& as, BlockStore::Region& r) {
    r.shared.no_prediction = r.begin + as.size() / 4;
    as.addi_d(host::return_ring, host::return_ring, 16);
    as.b((r.shared.indirect - r.shared.no_prediction - 1) * 4);
}

}  // namespace

void write_shared_code(BlockStore::Region& r, bool user, bool lasx) {
    Assembler as({r.begin, r.end});
    r.shared.flag_bits = r.begin;
    flag_bits(as);
    write_x87_code(as, r, user);
    r.shared.indirect = r.begin + as.size() / 4;
    indirect(as, user);
    no_prediction(as, r);
    r.shared.strings = r.begin + as.size() / 4;
    write_string_code(as, r.shared, lasx);
    r.shared.end = r.begin + as.size() / 4;
    // Room where the rest of an interrupted instruction is copied to.
    r.slot = {r.begin + align_up(as.size() / 4, 16), step_slot_words};
    r.first_block = r.slot.data() + step_slot_words;
    r.at = r.first_block;
}

}  // namespace bmbt

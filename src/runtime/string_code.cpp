// REP MOVS and REP STOS upwards with 64-bit addresses, for as long as whole pieces can be moved. Called with link; RSI, RDI and
// RCX are exact before each load and store, so a fault anywhere goes on in C++ with what is left, and doing a piece again does
// no harm. Their updates after a piece are ADDI.Ds alone, which Runtime::finish_piece completes at an interrupt. What is
// left when a routine returns (RCX not 0) is for C++: source and destination overlap within a piece. Two addresses of one
// frame agree in their last 12 bits; what would overlap within a piece if they are such goes in small ones.
#include "runtime/block_store.hpp"

namespace bmbt {
namespace {

using namespace la64;

constexpr Gpr rsi = host::guest[x86::Rsi], rdi = host::guest[x86::Rdi], rcx = host::guest[x86::Rcx], rax = host::guest[x86::Rax];
constexpr int piece = 256;

class Routine {
 public:
    Routine(Assembler& as, bool wide, bool moves, unsigned size_log2) : as(as), wide_(wide), moves_(moves), log2_(size_log2) {}

    void write() {
        Label back, apart, elements, eights, vectors;
        if (moves_) {
            as.sub_d(t0, rdi, rsi);
            closer_than(piece, t0, false, back);
            as.bstrpick_d(t0, t0, 11, 0);
            as.beqz(t0, apart);  // one byte at both, or bytes that have nothing to do with each other
            if (log2_ < 3) closer_than(8, t0, true, elements);
            closer_than(32, t0, true, eights);
            closer_than(piece, t0, true, vectors);
        } else {
            splat();
        }
        as.bind(apart);
        while_at_least(piece);
        as.bind(vectors);
        while_at_least(32);
        as.bind(eights);
        if (log2_ < 3) while_at_least(8);
        as.bind(elements);
        while_at_least(1 << log2_);
        as.bind(back);
        as.jr(host::link);
    }

 private:
    // Jumps if -bytes < distance < bytes, modulo 4096 or not. t1 is lost.
    void closer_than(int bytes, Gpr distance, bool in_page, Label& to) {
        as.addi_d(t1, distance, bytes - 1);
        if (in_page) as.bstrpick_d(t1, t1, 11, 0);
        as.sltui(t1, t1, 2 * bytes - 1);
        as.bnez(t1, to);
    }
    void splat() {
        static constexpr void (Assembler::*wide[])(Xr, Gpr) = {&Assembler::xvreplgr2vr_b, &Assembler::xvreplgr2vr_h, &Assembler::xvreplgr2vr_w, &Assembler::xvreplgr2vr_d};
        static constexpr void (Assembler::*narrow[])(Vr, Gpr) = {&Assembler::vreplgr2vr_b, &Assembler::vreplgr2vr_h, &Assembler::vreplgr2vr_w, &Assembler::vreplgr2vr_d};
        if (wide_) (as.*wide[log2_])(Xr{host::vtemp(0).number}, rax);
        else (as.*narrow[log2_])(host::vtemp(0), rax);
    }
    void while_at_least(int bytes) {
        Label again, less;
        Gpr elements = t0;
        as.ori(elements, zero, static_cast<u32>(bytes >> log2_));
        as.bltu(rcx, elements, less);
        as.bind(again);
        move(bytes);
        if (moves_) as.addi_d(rsi, rsi, bytes);
        as.addi_d(rdi, rdi, bytes);
        as.addi_d(rcx, rcx, -(bytes >> log2_));
        as.bgeu(rcx, elements, again);
        as.bind(less);
    }
    void move(int bytes) {
        if (bytes >= 32) {
            int each = wide_ ? 32 : 16;
            if (moves_)
                for (int n = 0; n < bytes / each; n++) vector(n, n * each, false);
            for (int n = 0; n < bytes / each; n++) vector(moves_ ? n : 0, n * each, true);
        } else if (bytes == 8) {
            if (moves_) as.ld_d(t1, rsi, 0), as.st_d(t1, rdi, 0);
            else as.fst_d(low_half(host::vtemp(0)), rdi, 0);
        } else {
            Gpr from = moves_ ? t1 : rax;
            switch (bytes) {
                case 1: moves_ ? as.ld_b(t1, rsi, 0) : void(); as.st_b(from, rdi, 0); break;
                case 2: moves_ ? as.ld_h(t1, rsi, 0) : void(); as.st_h(from, rdi, 0); break;
                default: moves_ ? as.ld_w(t1, rsi, 0) : void(); as.st_w(from, rdi, 0); break;
            }
        }
    }
    void vector(int n, int offset, bool store) {
        Vr v = host::vtemp(static_cast<unsigned>(n));
        if (wide_) store ? as.xvst(Xr{v.number}, rdi, offset) : as.xvld(Xr{v.number}, rsi, offset);
        else store ? as.vst(v, rdi, offset) : as.vld(v, rsi, offset);
    }

    Assembler& as;
    bool wide_, moves_;
    unsigned log2_;
};

}  // namespace

void write_string_code(Assembler& as, SharedCode& shared, bool lasx) {
    for (unsigned n = 0; n < 4; n++) {
        shared.movs[n] = as.words().data() + as.size() / 4;
        Routine(as, lasx, true, n).write();
        shared.stos[n] = as.words().data() + as.size() / 4;
        Routine(as, lasx, false, n).write();
    }
}

}  // namespace bmbt

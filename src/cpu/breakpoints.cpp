#include "cpu/breakpoints.hpp"

#include "base/bits.hpp"

namespace bmbt {
namespace {

enum class Kind : u8 { Execute, Write, Port, Access };

struct Breakpoint {
    u64 first, last;
    Kind kind;
};

bool enabled(const Vcpu& v, unsigned n) { return bits(v.dr[7], 2 * n + 1, 2 * n); }

// The address is aligned to the length, whose low bits the processor does not look at.
Breakpoint breakpoint(const Vcpu& v, unsigned n) {
    constexpr u8 lengths[] = {1, 2, 8, 4};
    const u64 kind = bits(v.dr[7], 17 + 4 * n, 16 + 4 * n), length = lengths[bits(v.dr[7], 19 + 4 * n, 18 + 4 * n)];
    const u64 first = v.dr[n] & ~(length - 1);
    return {.first = first, .last = first + length - 1, .kind = static_cast<Kind>(kind)};
}

template <class Fits>
u64 hits(const Vcpu& v, u64 first, u64 last, Fits fits) {
    u64 found = 0;
    for (unsigned n = 0; n < 4; ++n) {
        if (!enabled(v, n)) continue;
        const Breakpoint b = breakpoint(v, n);
        if (fits(b.kind) && first <= b.last && last >= b.first) found |= u64{1} << n;
    }
    return found;
}

}  // namespace

u64 instruction_breakpoints(const Vcpu& v, u64 linear) {
    u64 found = 0;
    for (unsigned n = 0; n < 4; ++n)
        if (enabled(v, n) && breakpoint(v, n).kind == Kind::Execute && v.dr[n] == linear) found |= u64{1} << n;
    return found;
}

void note_access(Vcpu& v, u64 linear, u64 size, bool write) {
    v.breakpoint_hits |=
        hits(v, linear, linear + size - 1, [=](Kind k) { return k == Kind::Access || (k == Kind::Write && write); });
}

void note_port(Vcpu& v, u16 port, unsigned size) {
    if (v.paging.cr4 & x86::cr4::de)
        v.breakpoint_hits |= hits(v, port, port + size - 1, [](Kind k) { return k == Kind::Port; });
}

}  // namespace bmbt

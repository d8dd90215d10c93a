#include "common/processor.hpp"

namespace guest {

u64 read_msr(u32 index) {
    u32 low, high;
    asm volatile("rdmsr" : "=a"(low), "=d"(high) : "c"(index));
    return low | u64{high} << 32;
}

void write_msr(u32 index, u64 value) {
    asm volatile("wrmsr" ::"a"(static_cast<u32>(value)), "d"(static_cast<u32>(value >> 32)), "c"(index) : "memory");
}

Cpuid cpuid(u32 leaf, u32 subleaf) {
    Cpuid r;
    asm volatile("cpuid" : "=a"(r.eax), "=b"(r.ebx), "=c"(r.ecx), "=d"(r.edx) : "a"(leaf), "c"(subleaf));
    return r;
}

With::With(Register r, uptr set, uptr clear) : which(r), before(r == Cr0 ? read_cr0() : read_cr4()) {
    const uptr value = (before & ~clear) | set;
    r == Cr0 ? write_cr0(value) : write_cr4(value);
}
With::~With() { which == Cr0 ? write_cr0(before) : write_cr4(before); }

}  // namespace guest

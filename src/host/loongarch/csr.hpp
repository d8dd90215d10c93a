// Control and status registers, I/O CSRs and CPUCFG words from C++.
#pragma once
#include "base/bits.hpp"
#include "base/types.hpp"
#include "host/loongarch/csr.inc"

namespace bmbt::host {

template <unsigned N>
inline u64 csr_read() {
    u64 v;
    asm volatile("csrrd %0, %1" : "=r"(v) : "i"(N) : "memory");
    return v;
}
// Writes and returns the former value.
template <unsigned N>
inline u64 csr_swap(u64 v) {
    asm volatile("csrwr %0, %1" : "+r"(v) : "i"(N) : "memory");
    return v;
}
template <unsigned N>
inline void csr_write(u64 v) {
    csr_swap<N>(v);
}

inline u32 iocsr_read32(u64 a) {
    u32 v;
    asm volatile("iocsrrd.w %0, %1" : "=r"(v) : "r"(a) : "memory");
    return v;
}
inline u64 iocsr_read64(u64 a) {
    u64 v;
    asm volatile("iocsrrd.d %0, %1" : "=r"(v) : "r"(a) : "memory");
    return v;
}
inline void iocsr_write32(u64 a, u32 v) { asm volatile("iocsrwr.w %0, %1" : : "r"(v), "r"(a) : "memory"); }
inline void iocsr_write64(u64 a, u64 v) { asm volatile("iocsrwr.d %0, %1" : : "r"(v), "r"(a) : "memory"); }

inline u32 cpucfg(u64 word) {
    u64 v;
    asm volatile("cpucfg %0, %1" : "=r"(v) : "r"(word));
    return static_cast<u32>(v);
}
inline u64 stable_counter() {
    u64 v;
    asm volatile("rdtime.d %0, $zero" : "=r"(v) : : "memory");
    return v;
}

// LoongArch vol. 1, "CPUCFG".
namespace feature {
constexpr unsigned lsx_word = 2;
constexpr Bit lsx{6}, lasx{7}, lbt_x86{18};
}  // namespace feature
inline bool has_lasx() { return feature::lasx.of(cpucfg(feature::lsx_word)); }

}  // namespace bmbt::host

// What CPUID offers whatever the guest has set. Source: Intel SDM vol. 2, "CPUID".
#pragma once
#include <initializer_list>

#include "base/types.hpp"

namespace bmbt::features {

constexpr u32 bit_set(std::initializer_list<unsigned> bits) {
    u32 set = 0;
    for (unsigned b : bits) set |= u32{1} << b;
    return set;
}

// SSE3 SSSE3 CX16 PCID SSE4.1 SSE4.2 x2APIC POPCNT TSC-deadline XSAVE hypervisor
constexpr u32 leaf1_ecx = bit_set({0, 9, 13, 17, 19, 20, 21, 23, 24, 26, 31});
// FPU DE PSE TSC MSR PAE MCE CX8 SEP MTRR PGE MCA CMOV PAT PSE-36 CLFSH MMX FXSR SSE SSE2
constexpr u32 leaf1_edx = bit_set({0, 2, 3, 4, 5, 6, 7, 8, 11, 12, 13, 14, 15, 16, 17, 19, 23, 24, 25, 26});
constexpr u32 leaf7_ebx = bit_set({0, 1, 7, 9, 10});     // FSGSBASE TSC_ADJUST SMEP ERMS INVPCID
constexpr u32 leaf7_ecx = bit_set({2});                  // UMIP
constexpr u32 leaf7_edx = bit_set({4, 26, 29});          // FSRM SPEC_CTRL ARCH_CAPABILITIES
constexpr u32 extended_ecx = bit_set({0});                // LAHF and SAHF in 64-bit code
constexpr u32 extended_edx = bit_set({20, 26, 27, 29});  // NX 1G-pages RDTSCP long mode

}  // namespace bmbt::features

// CPUID: a machine of the level x86-64-v2, presented as an Atom.
//
// Two kinds of software choose by the model number, for different reasons, so supervisor and user code see neighbours
// of one family. A kernel sees Saltwell, an in-order core: Linux takes it for free of every speculation fault and leaves
// out page-table isolation, retpolines, barriers at each system call and the flushing of branch histories and return
// stacks at each switch, which translated code does not need. (ARCH_CAPABILITIES, see msr.cpp, says the same, but not
// every kernel believes all of its bits.) A C library sees Silvermont, whose unaligned copies and REP string
// instructions are fast, which is true of translated code.
#include "cpu/control.hpp"
#include "cpu/features.hpp"
#include "cpu/operands.hpp"
#include "cpu/platform.hpp"

namespace bmbt {

using namespace x86;
using namespace features;

namespace {

constexpr u32 highest_basic = 0x16, highest_hypervisor = 0x4000'0010, highest_extended = 0x8000'0008;
constexpr u32 user_signature = 0x0003'0678;    // family 6, model 37h, stepping 8
constexpr u32 kernel_signature = 0x0003'0661;  // family 6, model 36h, stepping 1

constexpr unsigned osxsave = 27, apic = 9, syscall_bit = 11;

// Three registers' worth of text: EBX, ECX, EDX or, for the brand string, any four.
constexpr u32 text(const char* s) {
    return static_cast<u8>(s[0]) | static_cast<u8>(s[1]) << 8 | static_cast<u8>(s[2]) << 16 |
           static_cast<u32>(static_cast<u8>(s[3])) << 24;
}
constexpr char brand[49] = "BMBT x86-64 processor on LoongArch              ";

// Deterministic cache parameters: type 1 data, 2 instruction, 3 unified.
CpuidResult cache(unsigned type, unsigned level, unsigned ways, unsigned kib) {
    constexpr unsigned line = 64;
    return {.eax = type | level << 5 | 1 << 8,
            .ebx = (line - 1) | (ways - 1) << 22,
            .ecx = kib * 1024 / line / ways - 1,
            .edx = 0};
}

bool apic_enabled(Vcpu& v) {
    u64 base = 0;
    return v.platform->apic_msr_read(v, msr::apic_base, base) && bit(base, 11);
}

CpuidResult basic(Vcpu& v, u32 leaf, u32 subleaf) {
    const u64 hz = v.platform->tsc_hz();
    switch (leaf) {
        case 0: return {highest_basic, text("Genu"), text("ntel"), text("ineI")};
        case 1: {
            CpuidResult r{v.cpl == 3 ? user_signature : kernel_signature, 1 << 16 | 8 << 8, leaf1_ecx, leaf1_edx};
            if (v.paging.cr4 & cr4::osxsave) r.ecx |= 1u << osxsave;
            if (apic_enabled(v)) r.edx |= 1u << apic;
            return r;
        }
        case 2: return {0x00ff'ff01, 0, 0, 0};  // leaf 4 tells
        case 4:
            switch (subleaf) {
                case 0: return cache(1, 1, 8, 32);
                case 1: return cache(2, 1, 8, 32);
                case 2: return cache(3, 2, 16, 1024);
                case 3: return cache(3, 3, 16, 16 * 1024);
                default: return {};
            }
        case 6: return {1 << 2, 0, 0, 0};  // ARAT
        case 7:
            if (subleaf) return {};
            return {0, leaf7_ebx, leaf7_ecx, leaf7_edx};
        case 0xb:
            if (subleaf > 1) return {0, 0, subleaf & 0xff, 0};
            return {0, 1, subleaf | (subleaf + 1) << 8, 0};
        case 0xd:
            if (subleaf == 0) return {3, 576, 576, 0};
            return {};
        case 0x15: return {1, 1, static_cast<u32>(hz), 0};
        case 0x16: return {static_cast<u32>(hz / 1'000'000), static_cast<u32>(hz / 1'000'000), 100, 0};
        default: return {};
    }
}

CpuidResult hypervisor(Vcpu& v, u32 leaf) {
    const u32 khz = v.platform->tsc_hz() / 1000;
    switch (leaf) {
        case 0x4000'0000: return {highest_hypervisor, text("BMBT"), text("BMBT"), text("BMBT")};
        case 0x4000'0010: return {khz, khz, 0, 0};  // TSC and APIC timer
        default: return {};
    }
}

CpuidResult extended(Vcpu& v, u32 leaf) {
    switch (leaf) {
        case 0x8000'0000: return {highest_extended, 0, 0, 0};
        case 0x8000'0001: return {0, 0, extended_ecx, extended_edx | (v.code64() ? 1u << syscall_bit : 0)};
        case 0x8000'0002:
        case 0x8000'0003:
        case 0x8000'0004: {
            const char* s = brand + 16 * (leaf - 0x8000'0002);
            return {text(s), text(s + 4), text(s + 8), text(s + 12)};
        }
        case 0x8000'0006: return {0, 0, 1024u << 16 | 8 << 12 | 64, 0};
        case 0x8000'0007: return {0, 0, 0, 1 << 8};  // invariant TSC
        case 0x8000'0008: return {physical_address_bits | linear_address_bits << 8, 0, 0, 0};
        default: return {};
    }
}

}  // namespace

CpuidResult cpuid(Vcpu& v, u32 leaf, u32 subleaf) {
    if (leaf >= 0x4000'0000 && leaf <= highest_hypervisor) return hypervisor(v, leaf);
    if (leaf >= 0x8000'0000 && leaf <= highest_extended) return extended(v, leaf);
    // Beyond the highest leaf an Intel processor answers with the highest basic one.
    return basic(v, leaf > highest_basic ? highest_basic : leaf, subleaf);
}

Guest<> cpuid_instruction(Vcpu& v, const Insn&) {
    CpuidResult r = cpuid(v, static_cast<u32>(v.gpr[Rax]), static_cast<u32>(v.gpr[Rcx]));
    v.gpr[Rax] = r.eax;
    v.gpr[Rbx] = r.ebx;
    v.gpr[Rcx] = r.ecx;
    v.gpr[Rdx] = r.edx;
    return {};
}

}  // namespace bmbt

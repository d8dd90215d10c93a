// Where CPUID says whether an instruction is there. Source: Intel SDM vol. 2, "CPUID"; AMD64 vol. 3, "CPUID Feature Flags".
#pragma once
#include "base/types.hpp"

namespace bmbt::oracle {

enum class CpuidRegister : u8 { Eax, Ebx, Ecx, Edx };

// Leaf `always`: part of every x86-64 processor; `never`: announced in leaves that are 0 here.
struct Announced {
    u32 leaf = never;
    CpuidRegister reg{};
    unsigned bit = 0;

    static constexpr u32 always = 0xffff'ffff, never = 0xffff'fffe;
};
// By the decoder's name of the extension that an encoding belongs to, a ZydisISASet.
Announced announced(u16 isa_set);

}  // namespace bmbt::oracle

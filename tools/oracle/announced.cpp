#include "announced.hpp"

#include "zydis.hpp"

namespace bmbt::oracle {

Announced announced(u16 isa_set) {
    constexpr auto ecx = CpuidRegister::Ecx, edx = CpuidRegister::Edx, ebx = CpuidRegister::Ebx;
    switch (isa_set) {
        case ZYDIS_ISA_SET_I86:
        case ZYDIS_ISA_SET_I186:
        case ZYDIS_ISA_SET_I286REAL:
        case ZYDIS_ISA_SET_I286PROTECTED:
        case ZYDIS_ISA_SET_I386:
        case ZYDIS_ISA_SET_I486:
        case ZYDIS_ISA_SET_I486REAL:
        case ZYDIS_ISA_SET_PENTIUMREAL:
        case ZYDIS_ISA_SET_PPRO:
        case ZYDIS_ISA_SET_FAT_NOP:
        case ZYDIS_ISA_SET_PAUSE:
        case ZYDIS_ISA_SET_RDPMC:
        case ZYDIS_ISA_SET_PREFETCH_NOP:
        case ZYDIS_ISA_SET_PREFETCHWT1: return {.leaf = Announced::always};  // a hint in an opcode that is a NOP without it
        case ZYDIS_ISA_SET_X87: return {1, edx, 0};
        case ZYDIS_ISA_SET_CMOV:
        case ZYDIS_ISA_SET_FCMOV: return {1, edx, 15};
        case ZYDIS_ISA_SET_CLFSH: return {1, edx, 19};
        case ZYDIS_ISA_SET_PENTIUMMMX: return {1, edx, 23};
        case ZYDIS_ISA_SET_FXSAVE:
        case ZYDIS_ISA_SET_FXSAVE64: return {1, edx, 24};
        case ZYDIS_ISA_SET_SSE:
        case ZYDIS_ISA_SET_SSEMXCSR:
        case ZYDIS_ISA_SET_SSE_PREFETCH: return {1, edx, 25};
        case ZYDIS_ISA_SET_SSE2:
        case ZYDIS_ISA_SET_SSE2MMX: return {1, edx, 26};
        case ZYDIS_ISA_SET_SSE3:
        case ZYDIS_ISA_SET_SSE3X87: return {1, ecx, 0};
        case ZYDIS_ISA_SET_PCLMULQDQ: return {1, ecx, 1};
        case ZYDIS_ISA_SET_MONITOR: return {1, ecx, 3};
        case ZYDIS_ISA_SET_VTX: return {1, ecx, 5};
        case ZYDIS_ISA_SET_SMX: return {1, ecx, 6};
        case ZYDIS_ISA_SET_SSSE3:
        case ZYDIS_ISA_SET_SSSE3MMX: return {1, ecx, 9};
        case ZYDIS_ISA_SET_FMA: return {1, ecx, 12};
        case ZYDIS_ISA_SET_CMPXCHG16B: return {1, ecx, 13};
        case ZYDIS_ISA_SET_SSE4: return {1, ecx, 19};
        case ZYDIS_ISA_SET_SSE42: return {1, ecx, 20};
        case ZYDIS_ISA_SET_MOVBE: return {1, ecx, 22};
        case ZYDIS_ISA_SET_POPCNT: return {1, ecx, 23};
        case ZYDIS_ISA_SET_AES: return {1, ecx, 25};
        case ZYDIS_ISA_SET_XSAVE: return {1, ecx, 26};
        case ZYDIS_ISA_SET_AVX:
        case ZYDIS_ISA_SET_AVXAES: return {1, ecx, 28};
        case ZYDIS_ISA_SET_F16C: return {1, ecx, 29};
        case ZYDIS_ISA_SET_RDRAND: return {1, ecx, 30};
        case ZYDIS_ISA_SET_RDWRFSGS: return {7, ebx, 0};
        case ZYDIS_ISA_SET_BMI1: return {7, ebx, 3};
        case ZYDIS_ISA_SET_AVX2:
        case ZYDIS_ISA_SET_AVX2GATHER: return {7, ebx, 5};
        case ZYDIS_ISA_SET_BMI2: return {7, ebx, 8};
        case ZYDIS_ISA_SET_INVPCID: return {7, ebx, 10};
        case ZYDIS_ISA_SET_RTM: return {7, ebx, 11};
        case ZYDIS_ISA_SET_MPX: return {7, ebx, 14};
        case ZYDIS_ISA_SET_RDSEED: return {7, ebx, 18};
        case ZYDIS_ISA_SET_ADOX_ADCX: return {7, ebx, 19};
        case ZYDIS_ISA_SET_SMAP: return {7, ebx, 20};
        case ZYDIS_ISA_SET_CLFLUSHOPT: return {7, ebx, 23};
        case ZYDIS_ISA_SET_CLWB: return {7, ebx, 24};
        case ZYDIS_ISA_SET_SHA: return {7, ebx, 29};
        case ZYDIS_ISA_SET_PKU: return {7, ecx, 3};
        case ZYDIS_ISA_SET_RDPID: return {7, ecx, 22};
        case ZYDIS_ISA_SET_SERIALIZE: return {7, edx, 14};
        case ZYDIS_ISA_SET_LAHF: return {0x8000'0001, ecx, 0};
        case ZYDIS_ISA_SET_LZCNT: return {0x8000'0001, ecx, 5};
        case ZYDIS_ISA_SET_SSE4A: return {0x8000'0001, ecx, 6};
        case ZYDIS_ISA_SET_RDTSCP: return {0x8000'0001, edx, 27};
        case ZYDIS_ISA_SET_LONGMODE: return {0x8000'0001, edx, 29};
        case ZYDIS_ISA_SET_AMD3DNOW: return {0x8000'0001, edx, 31};
        case ZYDIS_ISA_SET_SVM: return {0x8000'0001, ecx, 2};
        case ZYDIS_ISA_SET_TBM: return {0x8000'0001, ecx, 21};
        case ZYDIS_ISA_SET_XOP: return {0x8000'0001, ecx, 11};
        case ZYDIS_ISA_SET_FMA4: return {0x8000'0001, ecx, 16};
        case ZYDIS_ISA_SET_LWP: return {0x8000'0001, ecx, 15};
        case ZYDIS_ISA_SET_MONITORX: return {0x8000'0001, ecx, 29};
        default: return {};  // the rest, from AMX to VIA's, is announced in leaves that are 0 here
    }
}

}  // namespace bmbt::oracle

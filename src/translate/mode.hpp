// What translated code assumes of the CPU's state besides its bytes: part of a block's key.
#pragma once
#include "base/bits.hpp"
#include "x86/insn.hpp"

namespace bmbt {

struct Mode {
    u32 raw = 0;

    static constexpr Field code_size_{0, 2};   // x86::CodeSize
    static constexpr Field cpl_{2, 2};
    static constexpr Field stack_{4, 2};       // log2 of the stack pointer's bytes: 1, 2, 3
    static constexpr Bit long_mode_{6};        // EFER.LMA
    static constexpr Field flat_{7, 6};        // by x86::Seg: base 0, no limit can be passed, readable and writable as used
    static constexpr Field plain_{13, 6};      // by x86::Seg: base in seg_base[], no limit can be passed
    static constexpr Bit sse_{19};             // CR0.EM = TS = 0, CR4.OSFXSR = 1
    static constexpr Bit mxcsr_default_{20};   // round to nearest, all masked, no DAZ, no FTZ
    static constexpr Bit single_step_{21};     // RFLAGS.TF, alignment is checked, or a breakpoint is enabled: by the interpreter
    static constexpr Bit protected_{22};       // CR0.PE and not virtual-8086
    static constexpr Field small_{23, 6};      // by x86::Seg: as plain, but the limit is FFFFh, for 16-bit addresses

    static constexpr Bit tsc_{29};             // RDTSC is allowed here
    static constexpr Bit x87_{30};             // CR0.EM = TS = 0
    static constexpr Bit denormals_{31};       // inline SSE is to set MXCSR.DE, which is clear

    x86::CodeSize code_size() const { return static_cast<x86::CodeSize>(code_size_.of(raw)); }
    bool long_mode() const { return long_mode_.of(raw); }
    bool code64() const { return code_size() == x86::CodeSize::Bits64; }
    unsigned cpl() const { return static_cast<unsigned>(cpl_.of(raw)); }
    bool user() const { return cpl() == 3; }
    unsigned stack_log2() const { return stack_.of(raw); }
    bool flat(x86::Seg s) const { return bit(flat_.of(raw), s); }
    bool plain(x86::Seg s) const { return bit(plain_.of(raw), s); }
    bool small(x86::Seg s) const { return bit(small_.of(raw), s); }
    bool sse() const { return sse_.of(raw); }
    bool x87() const { return x87_.of(raw); }
    bool mxcsr_default() const { return mxcsr_default_.of(raw); }
    bool denormals() const { return denormals_.of(raw); }
    bool tsc() const { return tsc_.of(raw); }
    friend bool operator==(Mode, Mode) = default;
};

}  // namespace bmbt

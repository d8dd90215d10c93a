// The end of an SSE floating-point instruction: MXCSR's new flags, and #XM if one of them is unmasked.
#pragma once
#include "cpu/vcpu.hpp"
#include "fpu/sse.hpp"
#include "x86/fault.hpp"

namespace bmbt {

inline x86::Guest<> finish(Vcpu& v, fpu::MxcsrEnv& env, bool faults) {
    v.mxcsr = env.updated();
    if (!faults) return {};
    if (!(v.paging.cr4 & x86::cr4::osxmmexcpt)) return x86::ud();
    return x86::fault(x86::Vector::Xm);
}
inline x86::Guest<> finish(Vcpu& v, fpu::MxcsrEnv& env) {
    const bool faults = env.finish();
    return finish(v, env, faults);
}

}  // namespace bmbt

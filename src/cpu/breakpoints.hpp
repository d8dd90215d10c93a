// Breakpoints of the debug registers. While any is enabled, every instruction runs in C++, which looks at them: the
// instruction's address before it runs, its accesses and ports while it runs. Intel SDM vol. 3, "Debug Registers".
#pragma once
#include "cpu/vcpu.hpp"

namespace bmbt {

inline bool breakpoints_enabled(const Vcpu& v) { return v.dr[7] & 0xff; }

// As bits of DR6: the breakpoints that stop before an instruction at that linear address.
u64 instruction_breakpoints(const Vcpu&, u64 linear);
// Adds those that an access hits to Vcpu::breakpoint_hits.
void note_access(Vcpu&, u64 linear, u64 size, bool write);
void note_port(Vcpu&, u16 port, unsigned size);

}  // namespace bmbt

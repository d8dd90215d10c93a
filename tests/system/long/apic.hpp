// The local APIC's registers, memory-mapped. Intel SDM vol. 3, "Local APIC Register Address Map".
#pragma once
#include "long/machine.hpp"

namespace guest {

inline constexpr uptr apic = 0xfee0'0000;
inline volatile u32& apic_register(unsigned offset) { return at<u32>(apic + offset); }

namespace apic_at {
inline constexpr unsigned id = 0x20, tpr = 0x80, ppr = 0xa0, eoi = 0xb0, ldr = 0xd0, dfr = 0xe0, spurious = 0xf0,
                          isr = 0x100, irr = 0x200, esr = 0x280, icr = 0x300, icr_high = 0x310, lvt_timer = 0x320,
                          lint0 = 0x350, timer_initial = 0x380, timer_divide = 0x3e0;
}

}  // namespace guest

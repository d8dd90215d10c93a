// What the checks of task switches share.
#pragma once
#include "legacy/machine.hpp"

namespace guest {

inline bool busy(u16 selector) { return gdt[selector / 8] >> 41 & 1; }

inline u16 task_register() {
    u16 selector;
    asm volatile("str %0" : "=r"(selector));
    return selector;
}

// Back to the program's own task, as if nothing had been.
inline void own_task() {
    gdt[sel::tss / 8] &= ~(2ull << 40);
    asm volatile("ltr %w0" ::"r"(sel::tss));
    asm volatile("clts");
}

}  // namespace guest

// The kinds of events that --trace shows, and the set of those that are wanted.
#pragma once
#include <string_view>

#include "base/types.hpp"

namespace bmbt {

// Exec shows the registers before every block and leaves blocks unlinked; Interpret is no event: it runs every instruction
// in C++, with which a run of translated code can be compared.
enum class TraceEvent : u8 { Block, Fault, Irq, Io, Mmio, Msr, Bios, Mode, Smc, Timer, Exec, Interpret };
constexpr std::string_view trace_names[] = {"block", "fault", "irq",  "io",  "mmio",
                                            "msr",   "bios",  "mode", "smc", "timer", "exec", "interpret"};

class TraceSet {
 public:
    constexpr bool has(TraceEvent e) const { return events_ >> static_cast<unsigned>(e) & 1; }
    constexpr void add(TraceEvent e) { events_ |= 1u << static_cast<unsigned>(e); }
    constexpr bool empty() const { return events_ == 0; }
    // Adds an event by its name; false if there is none of that name.
    constexpr bool add(std::string_view name) {
        for (usize i = 0; i < std::size(trace_names); ++i)
            if (trace_names[i] == name) return add(static_cast<TraceEvent>(i)), true;
        return false;
    }

 private:
    u32 events_ = 0;
};

}  // namespace bmbt

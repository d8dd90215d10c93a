// A guest fault is a value: functions that may fault return Guest<T> and are used with TRY and CHECK.
#pragma once
#include <expected>

#include "base/result.hpp"
#include "x86/registers.hpp"

namespace bmbt::x86 {

// An exception to deliver to the guest. RIP of a fault is the faulting instruction's.
struct Fault {
    Vector vector{};
    bool has_error = false;
    u32 error = 0;
    u64 address = 0;    // #PF: goes to CR2
    u64 dr6 = 0;        // #DB: bits to set in DR6
    bool trap = false;  // RIP of the next instruction is pushed (INT3, INTO, single step)
};

template <class T = void>
using Guest = std::expected<T, Fault>;

constexpr std::unexpected<Fault> fault(Vector v) { return std::unexpected(Fault{.vector = v}); }
constexpr std::unexpected<Fault> fault(Vector v, u32 error) {
    return std::unexpected(Fault{.vector = v, .has_error = true, .error = error});
}
constexpr std::unexpected<Fault> page_fault(u64 address, u32 code) {
    return std::unexpected(Fault{.vector = Vector::Pf, .has_error = true, .error = code, .address = address});
}
constexpr std::unexpected<Fault> gp(u32 error = 0) { return fault(Vector::Gp, error); }
constexpr std::unexpected<Fault> ud() { return fault(Vector::Ud); }

}  // namespace bmbt::x86

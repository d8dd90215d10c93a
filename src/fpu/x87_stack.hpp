// Inside of the stack machine: pushing, popping, and the masked and unmasked responses.
#pragma once
#include "fpu/round80.hpp"
#include "fpu/x87.hpp"

namespace bmbt::fpu {

inline void set_top(X87& x, unsigned top) { x.status = static_cast<u16>((x.status & ~0x3800) | (top & 7) << 11); }
inline void mark_used(X87& x, unsigned i) { x.tag = static_cast<u8>(x.tag | 1u << x.physical(i)); }
inline void mark_empty(X87& x, unsigned i) { x.tag = static_cast<u8>(x.tag & ~(1u << x.physical(i))); }
inline void pop(X87& x) {
    mark_empty(x, 0);
    set_top(x, x.top() + 1);
}
inline void push(X87& x, Float80 v) {
    set_top(x, x.top() - 1);
    mark_used(x, 0);
    x.reg(0) = v;
}
inline void put(X87& x, unsigned i, Float80 v) {
    x.reg(i) = v;
    mark_used(x, i);
}

// ES and B follow the exceptions and masks.
inline void update_summary(X87& x) {
    const bool any = x.status & ~x.control & all_exceptions;
    x.status = static_cast<u16>((x.status & ~(error_summary | busy)) | (any ? error_summary | busy : 0));
}

// Takes an operation's exceptions into the status word; C1 becomes the roundup bit.
inline void raise(X87& x, u16 flags) {
    x.status = static_cast<u16>((x.status & ~c1) | flags);
    if (flags & ~x.control & all_exceptions) [[unlikely]]
        x.status |= error_summary | busy;
}

inline bool unmasked(const X87& x, u16 flags) { return flags & ~x.control & all_exceptions; }
// An exception before the operation, unmasked: the destination stays.
inline bool blocked(const X87& x, u16 flags) {
    return unmasked(x, flags & (invalid_operation | denormal_operand | zero_divide));
}

inline constexpr u16 stack_underflow = invalid_operation | stack_fault;
inline constexpr u16 stack_overflow = invalid_operation | stack_fault | c1;

// True when the masked response (a NaN) takes the result's place; false when nothing changes.
inline bool underflowed(X87& x) {
    raise(x, stack_underflow);
    return !unmasked(x, invalid_operation);
}

// Pushes v, or answers a stack overflow. A denormal is loaded even when its exception is unmasked.
inline void push_checked(X87& x, Float80 v, u16 flags = 0) {
    if (!x.empty(7)) [[unlikely]] {
        raise(x, stack_overflow);
        if (!unmasked(x, invalid_operation)) push(x, default_nan80);
        return;
    }
    raise(x, flags);
    if (!unmasked(x, flags & invalid_operation)) push(x, v);
}

}  // namespace bmbt::fpu

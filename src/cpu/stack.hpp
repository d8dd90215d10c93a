// The guest's stack: pushes and pops of the current stack, and frames on a stack that is being switched to.
#pragma once
#include "cpu/linear.hpp"
#include "cpu/segmentation.hpp"

namespace bmbt {

// A stack as far as pushes and pops need it. Nothing is changed until commit_sp().
struct StackView {
    x86::Segment ss;
    u64 sp = 0;
    bool code64 = false;  // SS is not used for addresses
    As as = As::Current;

    u64 mask() const { return code64 ? ~u64{0} : ss.big() ? 0xffff'ffff : 0xffff; }
};

StackView current_stack(const Vcpu&);

// Where `size` bytes at sp + displacement lie, checked.
x86::Guest<Stretch> stack_place(Vcpu&, const StackView&, u64 displacement, unsigned size, bool write);
// The n-th item of `size` bytes above the stack pointer.
inline x86::Guest<u64> peek(Vcpu& v, const StackView& s, unsigned n, unsigned size) {
    return TRY(stack_place(v, s, u64{n} * size, size, false)).load(v);
}
// Pushes items[0], items[1], ... : all places are checked before the first is written. Moves s.sp. `ss_error`: the error code of
// a #SS, for a stack that is being switched to and while an event is delivered.
x86::Guest<> push_frame(Vcpu&, StackView& s, const u64* items, unsigned count, unsigned size, u32 ss_error = 0);
// Writes the stack pointer, as wide as the stack is.
void commit_sp(Vcpu&, const StackView&);
void commit_sp(Vcpu&, const StackView&, u64 sp);

// One item on the current stack, with RSP changed.
x86::Guest<> push(Vcpu&, u64 value, unsigned size);
x86::Guest<u64> pop(Vcpu&, unsigned size);

}  // namespace bmbt

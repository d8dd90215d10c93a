#include "cpu/stack.hpp"

namespace bmbt {

using namespace x86;

StackView current_stack(const Vcpu& v) {
    return {.ss = v.seg[Ss], .sp = v.gpr[Rsp], .code64 = v.code64(), .as = As::Current};
}

Guest<Stretch> stack_place(Vcpu& v, const StackView& s, u64 displacement, unsigned size, bool write) {
    u64 offset = (s.sp + displacement) & s.mask();
    u64 linear = offset;
    if (!s.code64)
        linear = TRY(linear_address(v, s.ss, Ss, offset, size, write));
    else if (!canonical(offset) || !canonical(offset + size - 1))
        return fault(Vector::Ss, 0);
    if (s.as == As::Current) CHECK(check_aligned(v, linear, size));
    return translate(v, linear, size, write, s.as);
}

Guest<> push_frame(Vcpu& v, StackView& s, const u64* items, unsigned count, unsigned size, u32 ss_error) {
    constexpr unsigned most = 40;  // a call gate's 31 parameters and what goes around them
    Stretch place[most];
    for (unsigned n = 0; n < count && n < most; n++) {
        auto p = stack_place(v, s, -u64{size} * (n + 1), size, true);
        if (!p) return p.error().vector == Vector::Ss ? fault(Vector::Ss, ss_error) : std::unexpected(p.error());
        place[n] = *p;
    }
    for (unsigned n = 0; n < count && n < most; n++) place[n].store(v, &items[n]);
    s.sp = (s.sp & ~s.mask()) | ((s.sp - u64{size} * count) & s.mask());
    return {};
}

void commit_sp(Vcpu& v, const StackView& s, u64 sp) {
    if (s.mask() == 0xffff) sp = (v.gpr[Rsp] & ~u64{0xffff}) | (sp & 0xffff);
    v.gpr[Rsp] = s.mask() == 0xffff ? sp : sp & s.mask();
}
void commit_sp(Vcpu& v, const StackView& s) { commit_sp(v, s, s.sp); }

Guest<> push(Vcpu& v, u64 value, unsigned size) {
    StackView s = current_stack(v);
    TRY(stack_place(v, s, -u64{size}, size, true)).store(v, &value);
    commit_sp(v, s, s.sp - size);
    return {};
}

Guest<u64> pop(Vcpu& v, unsigned size) {
    StackView s = current_stack(v);
    u64 value = TRY(peek(v, s, 0, size));
    commit_sp(v, s, s.sp + size);
    return value;
}

}  // namespace bmbt

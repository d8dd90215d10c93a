#include "host/loongarch/trap.hpp"

#include "host/loongarch/refill.hpp"

namespace bmbt::host {

static_assert(offsetof(HostFrame, temp) == 0 && offsetof(HostFrame, pc) == VCPU_HOST_PC - VCPU_HOST);
static_assert(offsetof(HostFrame, estat) == VCPU_HOST_ESTAT - VCPU_HOST &&
              offsetof(HostFrame, badv) == VCPU_HOST_BADV - VCPU_HOST);
static_assert(offsetof(HostFrame, badi) == VCPU_HOST_BADI - VCPU_HOST &&
              offsetof(HostFrame, prmd) == VCPU_HOST_PRMD - VCPU_HOST);
static_assert(offsetof(HostFrame, refill) == VCPU_HOST_REFILL - VCPU_HOST);

void set_user_page(u64 va) { csr_write<SAVE_USER_PAGE>(va); }

void prepare_vcpu(Vcpu& v, u64 stack_top, u64 user_page) {
    v.host_stack = align_down(stack_top, 16);
    v.gate_target = reinterpret_cast<u64>(&guest_gate);
    v.save_vectors = &::save_vectors;
    set_user_page(user_page);
    if (!v.refill_window) hide_window(v);
}

}  // namespace bmbt::host

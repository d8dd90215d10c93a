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

namespace {

// LoongArch vol. 1, "Floating-Point Control and Status Register": enables in bits 4:0, rounding mode (0: nearest) in 9:8,
// flags in 20:16, each I U O Z V from the lowest.
constexpr u64 fcsr_guest = 1 << 4;  // the invalid operation traps

u32 take_fp_flags() {
    u64 fcsr;
    asm volatile("movfcsr2gr %0, $fcsr0" : "=r"(fcsr));
    // QEMU keeps the rounding mode of a conversion that trapped until the FCSR is written.
    asm volatile("movgr2fcsr $fcsr0, %0" ::"r"(fcsr_guest));
    constexpr u32 invalid = 1, zero_divide = 4, overflow = 8, underflow = 16, inexact = 32;  // MXCSR
    return (bit(fcsr, 16) ? inexact : 0) | (bit(fcsr, 17) ? underflow : 0) | (bit(fcsr, 18) ? overflow : 0) |
           (bit(fcsr, 19) ? zero_divide : 0) | (bit(fcsr, 20) ? invalid : 0);
}

}  // namespace

void prepare_vcpu(Vcpu& v, u64 stack_top, u64 user_page) {
    v.host_stack = align_down(stack_top, 16);
    v.gate_target = reinterpret_cast<u64>(&guest_gate);
    v.save_vectors = &::save_vectors;
    v.take_fp_flags = &take_fp_flags;
    asm volatile("movgr2fcsr $fcsr0, %0" ::"r"(fcsr_guest));
    set_user_page(user_page);
    if (!v.refill_window) hide_window(v);
}

}  // namespace bmbt::host

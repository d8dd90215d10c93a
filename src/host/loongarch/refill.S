// TLB refill.
#include "host/loongarch/csr.inc"
#include "host/loongarch/guest_registers.inc"

    .section .text.vectors, "ax"
    .p2align 12
    .globl refill_entry
refill_entry:
    csrwr   $t0, CSR_TLBRSAVE
    csrrd   $t0, SAVE_VCPU
    beqz    $t0, refill_in_host
    bstrpick.d $t0, $t0, 47, 0
    st.d    $t1, $t0, VCPU_REFILL_SAVE + 8 * 0
refill_slow:
    csrrd   $t1, CSR_TLBRBADV
    st.d    $t1, $t0, VCPU_HOST_BADV
    csrrd   $t1, CSR_TLBRERA
    bstrins.d $t1, $zero, 1, 0          // IsTLBR
    st.d    $t1, $t0, VCPU_HOST_PC
    csrrd   $t1, CSR_TLBRPRMD
    andi    $t1, $t1, 7
    st.d    $t1, $t0, VCPU_HOST_PRMD
    // ERTN is what ends the refill state; it goes to C++'s side of trap.S, mapped, at PLV0 with interrupts off.
    csrwr   $zero, CSR_TLBRPRMD
    la.abs  $t1, refill_to_cpp + 1      // + IsTLBR
    csrwr   $t1, CSR_TLBRERA
    ld.d    $t1, $t0, VCPU_REFILL_SAVE + 8 * 0
    csrrd   $t0, CSR_TLBRSAVE
    ertn

refill_in_host:
    csrrd   $t0, CSR_TLBRERA
    bstrins.d $t0, $zero, 1, 0
    csrwr   $t0, CSR_ERA
    csrwr   $zero, CSR_TLBRPRMD
    la.abs  $t0, refill_in_host_mapped + 1
    csrwr   $t0, CSR_TLBRERA
    csrrd   $t0, CSR_TLBRSAVE
    ertn

// The way from guest code into C++ and back: the general exception vector, the gate that kernel-mode (PLV0) guest code
// calls, the refills that refill.S leaves to C++. See trap.hpp for the contract.
//
// SAVE_VCPU tells the two worlds apart: the Vcpu's address while guest code runs, 0 while C++ does. What the state
// register tp holds is never believed, for PLV3 code can put anything there.
#include "host/loongarch/csr.inc"
#include "host/loongarch/guest_registers.inc"

    .section .text.vectors, "ax"
    .p2align 12
    .globl exception_entry
exception_entry:
    csrwr   $tp, SAVE_VCPU
    beqz    $tp, exception_in_host
    csrwr   $zero, SAVE_VCPU
    temporaries st.d, $tp
    csrrd   $t0, CSR_ERA
    csrrd   $t1, CSR_ESTAT
    csrrd   $t2, CSR_BADV
    csrrd   $t3, CSR_BADI
    csrrd   $t4, CSR_PRMD
    st.d    $t2, $tp, VCPU_HOST_BADV
    st.d    $t3, $tp, VCPU_HOST_BADI
    st.d    $zero, $tp, VCPU_HOST_REFILL
to_cpp:     // t0 = pc, t1 = estat, t4 = prmd
    st.d    $t0, $tp, VCPU_HOST_PC
    st.d    $t1, $tp, VCPU_HOST_ESTAT
    st.d    $t4, $tp, VCPU_HOST_PRMD
    guest_registers st.d, $tp
    ld.d    $sp, $tp, VCPU_HOST_STACK
    move    $a0, $tp
    move    $fp, $zero
    la.abs  $t0, guest_exit
    jirl    $ra, $t0, 0                 // C++ leaves tp alone
resume:
    ld.bu   $t0, $tp, VCPU_XMM_IN_MEMORY
    bnez    $t0, resume_with_vectors
resume_without_vectors:
    ld.d    $t0, $tp, VCPU_HOST_PC
    ld.d    $t1, $tp, VCPU_HOST_PRMD
    csrwr   $t0, CSR_ERA
    andi    $t2, $t1, 3
    csrwr   $t1, CSR_PRMD
    move    $t0, $tp
    csrwr   $t0, SAVE_VCPU
    bnez    $t2, 1f
    guest_registers ld.d, $tp
    temporaries ld.d, $tp
    ertn
1:  guest_registers ld.d, $tp
    temporaries ld.d, $tp
    csrrd   $tp, SAVE_USER_PAGE
    ertn

resume_with_vectors:
    move    $a0, $tp
    bl      load_vectors
    st.b    $zero, $tp, VCPU_XMM_IN_MEMORY
    b       resume_without_vectors

// [[noreturn]] void enter_guest(Vcpu&)
    .globl enter_guest
enter_guest:
    move    $tp, $a0
    b       resume

// Called by guest code at PLV0 with `jirl $ra`; looks to C++ like a syscall at the return address. An interrupt may
// still come before interrupts are off: it sees a pc between guest_gate and guest_gate_end, and C++ just returns.
    .p2align 4
    .globl guest_gate, guest_gate_end
guest_gate:
    csrwr   $t0, SAVE_GATE
    ori     $t0, $zero, 4               // CRMD.IE
    csrxchg $zero, $t0, CSR_CRMD
guest_gate_end:
    csrrd   $t0, SAVE_GATE
    csrwr   $zero, SAVE_VCPU
    temporaries st.d, $tp
    move    $t0, $ra
    lu12i.w $t1, ECODE_SYS << 4         // ESTAT.Ecode is bits 21:16
    ori     $t4, $zero, 4               // PLV0, interrupts on
    st.d    $zero, $tp, VCPU_HOST_REFILL
    b       to_cpp

// refill.S comes here, mapped and with its registers restored, when it would not fill; pc, badv and prmd are stored.
    .globl refill_to_cpp
refill_to_cpp:
    csrwr   $tp, SAVE_VCPU
    csrwr   $zero, SAVE_VCPU
    temporaries st.d, $tp
    ld.d    $t0, $tp, VCPU_HOST_PC
    ld.d    $t4, $tp, VCPU_HOST_PRMD
    csrrd   $t1, CSR_ESTAT
    ori     $t2, $zero, ECODE_REFILL
    bstrins.d $t1, $t2, 30, 16
    ori     $t2, $zero, 1
    st.d    $t2, $tp, VCPU_HOST_REFILL
    st.d    $zero, $tp, VCPU_HOST_BADI
    b       to_cpp

// An exception in our own code: the end, except for the interrupt that idle waits for.
exception_in_host:
    csrwr   $tp, SAVE_VCPU              // back as it was
    csrwr   $t0, SAVE_TRAP0
    csrwr   $t1, SAVE_TRAP1
    csrrd   $t0, CSR_ERA
    la.abs  $t1, host_idle
    bltu    $t0, $t1, host_trap
    la.abs  $t1, host_idle_end
    bgeu    $t0, $t1, host_trap
    // An interrupt between the test for work and `idle` must not be slept over: go on behind the idle, interrupts off.
    csrwr   $t1, CSR_ERA
    csrwr   $zero, CSR_PRMD
    csrrd   $t0, SAVE_TRAP0
    csrrd   $t1, SAVE_TRAP1
    ertn

// void host_idle(): waits for an interrupt that ECFG allows; returns at once if one is pending. Acknowledges nothing.
    .p2align 4
    .globl host_idle
host_idle:
    ori     $t0, $zero, 4
    csrxchg $t0, $t0, CSR_CRMD
    idle    0
    ori     $t0, $zero, 4
    csrxchg $zero, $t0, CSR_CRMD
host_idle_end:
    jr      $ra

host_trap:      // t0, t1 in SAVE_TRAP0 and 1; never returns
    csrrd   $t0, CSR_ESTAT
    csrwr   $t0, SAVE_TRAP2
report_trap:    // and the cause in SAVE_TRAP2
    la.abs  $t0, trap_registers
    st.d    $ra, $t0, 8 * 1
    st.d    $tp, $t0, 8 * 2
    st.d    $sp, $t0, 8 * 3
    st.d    $a0, $t0, 8 * 4
    st.d    $a1, $t0, 8 * 5
    st.d    $a2, $t0, 8 * 6
    st.d    $a3, $t0, 8 * 7
    st.d    $a4, $t0, 8 * 8
    st.d    $a5, $t0, 8 * 9
    st.d    $a6, $t0, 8 * 10
    st.d    $a7, $t0, 8 * 11
    csrrd   $t1, SAVE_TRAP0
    st.d    $t1, $t0, 8 * 12
    csrrd   $t1, SAVE_TRAP1
    st.d    $t1, $t0, 8 * 13
    st.d    $t2, $t0, 8 * 14
    st.d    $t3, $t0, 8 * 15
    st.d    $t4, $t0, 8 * 16
    st.d    $t5, $t0, 8 * 17
    st.d    $t6, $t0, 8 * 18
    st.d    $t7, $t0, 8 * 19
    st.d    $t8, $t0, 8 * 20
    st.d    $r21, $t0, 8 * 21
    st.d    $fp, $t0, 8 * 22
    st.d    $s0, $t0, 8 * 23
    st.d    $s1, $t0, 8 * 24
    st.d    $s2, $t0, 8 * 25
    st.d    $s3, $t0, 8 * 26
    st.d    $s4, $t0, 8 * 27
    st.d    $s5, $t0, 8 * 28
    st.d    $s6, $t0, 8 * 29
    st.d    $s7, $t0, 8 * 30
    st.d    $s8, $t0, 8 * 31
    csrrd   $t1, CSR_ERA
    st.d    $t1, $t0, 8 * 32
    csrrd   $t1, SAVE_TRAP2
    st.d    $t1, $t0, 8 * 33
    csrrd   $t1, CSR_BADV
    st.d    $t1, $t0, 8 * 34
    la.abs  $sp, trap_stack_top
    move    $fp, $zero
    la.abs  $t0, host_trapped
    jirl    $ra, $t0, 0

// A refill in C++ (a wild pointer); refill.S comes here mapped, with the place in ERA.
    .globl refill_in_host_mapped
refill_in_host_mapped:
    csrwr   $t0, SAVE_TRAP0
    csrwr   $t1, SAVE_TRAP1
    csrrd   $t0, CSR_TLBRBADV
    csrwr   $t0, CSR_BADV
    lu12i.w $t0, ECODE_REFILL << 4
    csrwr   $t0, SAVE_TRAP2
    b       report_trap

    .p2align 12
    .globl machine_error_entry
machine_error_entry:    // untranslated
    ori     $t0, $zero, CRMD_MAPPED
    csrwr   $t0, CSR_CRMD
    la.abs  $t0, 1f
    jr      $t0
1:  la.abs  $sp, trap_stack_top
    la.abs  $t0, host_machine_error
    jirl    $ra, $t0, 0

    .bss
    .p2align 4
    .globl trap_registers
trap_registers:
    .space  8 * 35
    .p2align 4
    .space  16384
trap_stack_top:

// Entry from firmware or QEMU's -kernel: a0 = 1 after an EFI boot, a1 = command line, a2 = EFI system table (physical).
#include "host/loongarch/csr.inc"

    .section .text.start, "ax"
    .globl _start
_start:
    // Our window first, then paging on, then the jump into the window, then every other window off: this order is
    // right both in direct addressing mode and under firmware that runs mapped.
    li.d    $t0, DMW_DIRECT
    csrwr   $t0, CSR_DMW1
    ori     $t0, $zero, CRMD_MAPPED
    csrwr   $t0, CSR_CRMD
    la.abs  $t0, 1f
    jr      $t0
1:  csrwr   $zero, CSR_DMW0
    csrwr   $zero, CSR_DMW2
    csrwr   $zero, CSR_DMW3
    csrwr   $zero, CSR_ECFG
    csrwr   $zero, SAVE_VCPU
    csrwr   $zero, CSR_TCFG

    la.abs  $t0, bss_start
    la.abs  $t1, bss_end
2:  st.d    $zero, $t0, 0
    addi.d  $t0, $t0, 8
    bltu    $t0, $t1, 2b

    la.abs  $sp, boot_stack_top
    move    $fp, $zero
    move    $tp, $zero

    la.abs  $t0, exception_entry
    csrwr   $t0, CSR_EENTRY
    la.abs  $t0, refill_entry
    bstrpick.d $t0, $t0, 47, 0
    csrwr   $t0, CSR_TLBRENTRY
    la.abs  $t0, machine_error_entry
    bstrpick.d $t0, $t0, 47, 0
    csrwr   $t0, CSR_MERRENTRY

    la.abs  $t0, host_start
    jirl    $ra, $t0, 0
3:  idle    0
    b       3b

    .section .bss.stack, "aw", @nobits
    .p2align 4
    .space  65536
boot_stack_top:

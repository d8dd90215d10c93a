// Guest code for the self test, written by hand where the translator's output would be; runs at PLV0 where it lies and
// at PLV3 through the window. And the way of the test into guest code and back out of guest_exit.
#include "cpu/vcpu_offsets.inc"

    .section .text.snippets, "ax"
    .p2align 14
    .globl snippets_begin, snippets_end
snippets_begin:

.macro snippet name
    .p2align 4
    .globl \name
\name:
.endm

snippet snippet_two_calls       // registers as they are, twice
    syscall 0
    syscall 0
snippet snippet_load
    ld.d    $a0, $a0, 0
    syscall 0
snippet snippet_store
    st.d    $a1, $a0, 0
    syscall 0
snippet snippet_spin
    b       snippet_spin
snippet snippet_break
    break   5
snippet snippet_privileged
    csrrd   $a0, 0
    syscall 0
snippet snippet_invtlb
    invtlb  0, $zero, $zero
    syscall 0
snippet snippet_gate            // PLV0
    ld.d    $t0, $tp, VCPU_GATE_TARGET
    jirl    $ra, $t0, 0
    syscall 0
snippet snippet_gate_loop       // calls the gate a0 times
1:  ld.d    $t0, $tp, VCPU_GATE_TARGET
    jirl    $ra, $t0, 0
    addi.d  $a0, $a0, -1
    bnez    $a0, 1b
    syscall 0
snippet snippet_touch           // reads the pages from a0, a1 of them; a0 = the sum
    move    $t0, $zero
    lu12i.w $t2, 1
1:  ld.d    $t1, $a0, 0
    add.d   $t0, $t0, $t1
    add.d   $a0, $a0, $t2
    addi.d  $a1, $a1, -1
    bnez    $a1, 1b
    move    $a0, $t0
    syscall 0
snippet snippet_jump
    jirl    $zero, $a0, 0
snippet snippet_state           // tp is the user page: a0 = its word at VCPU_SCRATCH, then writes a1 there
    ld.d    $a0, $tp, VCPU_SCRATCH
    st.d    $a1, $tp, VCPU_SCRATCH
    syscall 0
snippet snippet_stack_pointer_of_terror // every register that C++ could trust is garbage
    li.d    $t0, 0x123456789abcd
    move    $sp, $t0
    move    $tp, $t0
    move    $fp, $t0
    move    $r21, $t0
    move    $ra, $t0
    ld.d    $a0, $tp, 0

    .p2align 12
snippets_end:

    .text
    .p2align 4
// void run_guest(Vcpu&): returns when guest_exit calls leave_guest.
    .globl run_guest, leave_guest
run_guest:
    la.abs  $t0, saved_by_run
    st.d    $ra, $t0, 0
    st.d    $sp, $t0, 8
    st.d    $fp, $t0, 16
    st.d    $s0, $t0, 24
    st.d    $s1, $t0, 32
    st.d    $s2, $t0, 40
    st.d    $s3, $t0, 48
    st.d    $s4, $t0, 56
    st.d    $s5, $t0, 64
    st.d    $s6, $t0, 72
    st.d    $s7, $t0, 80
    st.d    $s8, $t0, 88
    st.d    $tp, $t0, 96
    st.d    $r21, $t0, 104
    b       enter_guest
leave_guest:
    la.abs  $t0, saved_by_run
    ld.d    $ra, $t0, 0
    ld.d    $sp, $t0, 8
    ld.d    $fp, $t0, 16
    ld.d    $s0, $t0, 24
    ld.d    $s1, $t0, 32
    ld.d    $s2, $t0, 40
    ld.d    $s3, $t0, 48
    ld.d    $s4, $t0, 56
    ld.d    $s5, $t0, 64
    ld.d    $s6, $t0, 72
    ld.d    $s7, $t0, 80
    ld.d    $s8, $t0, 88
    ld.d    $tp, $t0, 96
    ld.d    $r21, $t0, 104
    jr      $ra

    .bss
    .p2align 4
saved_by_run:
    .space  112

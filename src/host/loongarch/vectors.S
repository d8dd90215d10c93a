// The guest's vector registers xmm0-15 are vr0-15, live while C++ runs; C++ that wants one moves them all.
#include "cpu/vcpu_offsets.inc"

.macro pinned_vectors op
    \op $vr0, $a0, VCPU_XMM + 16 * 0
    \op $vr1, $a0, VCPU_XMM + 16 * 1
    \op $vr2, $a0, VCPU_XMM + 16 * 2
    \op $vr3, $a0, VCPU_XMM + 16 * 3
    \op $vr4, $a0, VCPU_XMM + 16 * 4
    \op $vr5, $a0, VCPU_XMM + 16 * 5
    \op $vr6, $a0, VCPU_XMM + 16 * 6
    \op $vr7, $a0, VCPU_XMM + 16 * 7
    \op $vr8, $a0, VCPU_XMM + 16 * 8
    \op $vr9, $a0, VCPU_XMM + 16 * 9
    \op $vr10, $a0, VCPU_XMM + 16 * 10
    \op $vr11, $a0, VCPU_XMM + 16 * 11
    \op $vr12, $a0, VCPU_XMM + 16 * 12
    \op $vr13, $a0, VCPU_XMM + 16 * 13
    \op $vr14, $a0, VCPU_XMM + 16 * 14
    \op $vr15, $a0, VCPU_XMM + 16 * 15
.endm

    .text
// void save_vectors(Vcpu&), void load_vectors(Vcpu&)
    .globl save_vectors, load_vectors
save_vectors:
    pinned_vectors vst
    jr      $ra
load_vectors:
    pinned_vectors vld
    jr      $ra

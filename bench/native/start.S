// Entry of the workloads on bare LoongArch: a stack, the vector units on, main, and power-off.
#define CSR_EUEN 0x2
        .text
        .globl  _start
_start:
        la.pcrel $sp, stack_end
        ori     $t0, $zero, 7    // FPE, SXE, ASXE: floating point, LSX, LASX
        csrwr   $t0, CSR_EUEN
        bl      main
        lu12i.w $t0, 0x100e0     // the virt machine's power register
        ori     $t0, $t0, 0x01c
        ori     $t1, $zero, 0x34
        st.b    $t1, $t0, 0
1:      idle    0
        b       1b

        .bss
        .p2align 4
        .space  65536
stack_end:

// Out of long mode, step by step, to real mode and back, from a copy below 1 MiB (the section is copied to low_base).
// What is seen on the way lies in `left`, in low memory too.
        .intel_syntax noprefix
        .set    low_base, 0x1000
        .set    left, 0x598
        .set    low_stack, 0x7000

        .macro  note_efer where
        mov     ecx, 0xc0000080
        rdmsr
        mov     [left + \where], eax
        .endm

        .text
        .code64
        .globl  leave_long
leave_long:
        push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        mov     [left_rsp], rsp
        sidt    [left_idtr]
        push    0x30            // 32-bit code of level 0
        .byte   0x68            // PUSH of its address
        .long   compatibility - low_start + low_base
        .byte   0x48, 0xcb      // RETF

        .section .low, "awx"
low_start:
        .code32
compatibility:
        mov     eax, cr0        // paging off: long mode ends
        and     eax, 0x7fffffff
        mov     cr0, eax
        note_efer 0
        mov     eax, 0x41
        .byte   0x40            // INC EAX here, a prefix in 64-bit mode
        nop
        mov     [left + 4], eax
        mov     eax, cr0        // and on again: EFER.LME is still set
        or      eax, 0x80000000
        mov     cr0, eax
        note_efer 8
        mov     eax, cr0
        and     eax, 0x7fffffff
        mov     cr0, eax
        rdmsr
        and     eax, ~0x100     // LME
        wrmsr
        note_efer 12
        mov     eax, cr4
        and     eax, ~0x20      // PAE
        mov     cr4, eax
        mov     eax, cr4
        mov     [left + 16], eax
        mov     eax, 0x138
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        .byte   0xea            // JMP code64k:protected16
        .long   protected16 - low_start + low_base
        .word   0x130
        .code16
protected16:
        mov     eax, cr0
        and     al, 0xfe
        mov     cr0, eax
        .byte   0xea            // JMP 0:real16
        .word   real16 - low_start + low_base, 0
real16: xor     ax, ax
        mov     ds, ax
        mov     ss, ax
        mov     sp, low_stack
        .byte   0x0f, 1, 0x1e   // LIDT
        .word   real_idt - low_start + low_base
        int     0x21
        mov     eax, cr0
        mov     [left + 24], eax
        mov     bx, 0x1234
        mov     es, bx
        mov     byte ptr es:[0], 0x77
        mov     [left + 28], sp
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        .byte   0x66, 0xea      // JMP 30h:protected32
        .long   protected32 - low_start + low_base
        .word   0x30
handler21:
        mov     dword ptr [left + 20], 0x5a
        iret
        .code32
protected32:
        mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        mov     eax, cr4
        or      eax, 0x20
        mov     cr4, eax
        mov     ecx, 0xc0000080
        rdmsr
        or      eax, 0x100
        wrmsr
        mov     eax, cr0
        or      eax, 0x80000000
        mov     cr0, eax
        note_efer 32
        .byte   0xea            // JMP 8:long_again
        .long   long_again
        .word   8
        .balign 8
real_idt:
        .word   0x3ff
        .long   0
        .globl  handler21_offset
        .set    handler21_offset, handler21 - low_start + low_base

        .text
        .code64
long_again:
        mov     rsp, [left_rsp]
        lidt    [left_idtr]
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

        .data
        .globl  handler21_at
handler21_at:
        .long   handler21_offset
        .balign 8
left_rsp:
        .quad   0
left_idtr:
        .skip   16

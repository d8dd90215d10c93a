// Real mode: the way in and out, from a copy below 1 MiB (the section is copied to low_base). What it shares with the
// 32-bit program lies there too.
        .intel_syntax noprefix
        .include "layout.inc"
        .set    low_base, 0x1000
        .set    low_regs, 0x600
        .set    low_trap, 0x680
        .set    real_idt, 0x6f0

        .section .low, "awx"
        .code16
low_start:
        // From 16-bit protected mode, interrupts off, DS = a flat data segment, no paging.
to_real16:
        mov     eax, cr0
        and     al, 0xfe
        mov     cr0, eax
        .byte   0xea            // JMP 0:real16
        .word   real16 - low_start + low_base, 0
real16: xor     ax, ax
        mov     ds, ax
        lidt    [real_idt]
        mov     ss, [low_regs + r_ss]
        mov     esp, [low_regs + r_esp]
        push    word ptr [low_regs + r_flags]
        push    word ptr [low_regs + r_cs]
        push    word ptr [low_regs + r_eip]
        mov     es, [low_regs + r_es]
        mov     fs, [low_regs + r_fs]
        mov     gs, [low_regs + r_gs]
        .irp    reg, eax, ecx, edx, ebx, ebp, esi, edi
        mov     \reg, [low_regs + r_\reg]
        .endr
        mov     ds, [low_regs + r_ds]
        iret

        // A vector's stub is 8 bytes from the one before.
        .balign 8
low_stubs:
        .set    vector, 0
        .rept   256
        .balign 8
        push    vector
        jmp     low_common
        .set    vector, vector + 1
        .endr
low_common:
        .irp    reg, eax, ecx, edx, ebx, ebp, esi, edi
        mov     cs:[low_trap + r_\reg], \reg
        .endr
        pushfd
        pop     dword ptr cs:[low_trap + t_handler_flags]
        pop     word ptr cs:[low_trap + t_vector]
        mov     word ptr cs:[low_trap + t_frame], sp
        pop     word ptr cs:[low_trap + r_eip]
        pop     word ptr cs:[low_trap + r_cs]
        pop     word ptr cs:[low_trap + r_flags]
        mov     cs:[low_trap + r_esp], esp
        mov     cs:[low_trap + r_ss], ss
        mov     cs:[low_trap + r_ds], ds
        mov     cs:[low_trap + r_es], es
        mov     cs:[low_trap + r_fs], fs
        mov     cs:[low_trap + r_gs], gs
        mov     eax, cr0
        or      al, 1
        mov     cr0, eax
        .byte   0x66, 0xea      // JMP 8:from_real
        .long   from_real
        .word   8

        .globl  low_stubs

        .text
        .code32
        .globl  enter_real
enter_real:
        pushad
        pushfd
        mov     [harness_esp], esp
        sidt    [protected_idt]
        mov     eax, [real_segments]
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        .byte   0xea            // JMP code64k:to_real16
        .long   0x1000
        .word   0x78
from_real:
        mov     eax, 16
        mov     ds, eax
        mov     ss, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     esp, [harness_esp]
        lidt    [protected_idt]
        popfd
        popad
        ret

        .data
        .globl  real_segments
real_segments:                  // what the data segments hold on the way to real mode: their limits stay
        .long   0x80
protected_idt:
        .skip   6

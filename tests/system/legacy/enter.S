// The 32-bit program's start, the way into guest code and the way back.
//
// enter() takes `entering` into the registers: by IRET with SS:ESP to an outer level or to virtual-8086 mode, by IRET on
// the guest code's own stack to level 0. Whatever exception or interrupt comes next ends the run: it is written to
// `trapped` and enter() returns. A double fault comes through a task gate.
        .intel_syntax noprefix
        .include "layout.inc"

        .section .start, "ax"
        .code32
        .globl  _start
_start: cli
        mov     esp, offset stack_end
        mov     edi, offset bss_begin
        mov     ecx, offset bss_end
        sub     ecx, edi
        xor     eax, eax
        cld
        rep stosb
        call    main
        mov     eax, 0x200000   // the 64-bit program
        jmp     eax

        .text
        .globl  enter
enter:  pushad
        pushfd
        mov     [harness_esp], esp
        mov     eax, [entering + r_flags]
        test    eax, 0x20000
        jnz     to_v8086
        test    dword ptr [entering + r_cs], 3
        jnz     outward
        lss     esp, [entering_stack]
        jmp     push_flags
to_v8086:
        push    dword ptr [entering + r_gs]
        push    dword ptr [entering + r_fs]
        push    dword ptr [entering + r_ds]
        push    dword ptr [entering + r_es]
outward:
        push    dword ptr [entering + r_ss]
        push    dword ptr [entering + r_esp]
push_flags:
        push    dword ptr [entering + r_flags]
        push    dword ptr [entering + r_cs]
        push    dword ptr [entering + r_eip]
        test    dword ptr [entering + r_flags], 0x20000
        jnz     1f
        mov     eax, [entering + r_es]
        mov     es, eax
        mov     eax, [entering + r_fs]
        mov     fs, eax
        mov     eax, [entering + r_gs]
        mov     gs, eax
1:      .irp    reg, eax, ecx, edx, ebx, ebp, esi, edi
        mov     \reg, [entering + r_\reg]
        .endr
        test    dword ptr [entering + r_flags], 0x20000
        jnz     2f
        push    dword ptr [entering + r_ds]
        .byte   0x1f            // POP DS of 32 bits: the assembler would take 16
2:      iretd

        .balign 16
        .globl  stubs
stubs:  .set    vector, 0
        .rept   256
        .balign 16
        .if     vector == 8 || (vector >= 10 && vector <= 14) || vector == 17
        .else
        push    0
        .endif
        push    vector
        jmp     common
        .set    vector, vector + 1
        .endr

common: .byte   0x1e            // PUSH DS of 32 bits
        push    eax
        mov     eax, 16
        mov     ds, eax
        pop     dword ptr [trapped + r_eax]
        pop     dword ptr [trapped + r_ds]
        .irp    reg, ecx, edx, ebx, ebp, esi, edi
        mov     [trapped + r_\reg], \reg
        .endr
        pushfd
        pop     dword ptr [trapped + t_handler_flags]
        cld
        xor     eax, eax
        mov     ax, cs
        mov     [trapped + t_handler_cs], eax
        mov     ax, ss
        mov     [trapped + t_handler_ss], eax
        mov     ax, es
        mov     [trapped + r_es], eax
        mov     ax, fs
        mov     [trapped + r_fs], eax
        mov     ax, gs
        mov     [trapped + r_gs], eax
        pop     dword ptr [trapped + t_vector]
        pop     dword ptr [trapped + t_error]
        mov     [trapped + t_frame], esp
        pop     dword ptr [trapped + r_eip]
        pop     dword ptr [trapped + r_cs]
        pop     dword ptr [trapped + r_flags]
        mov     eax, ss
        mov     [trapped + r_ss], eax
        mov     [trapped + r_esp], esp
        test    dword ptr [trapped + r_flags], 0x20000
        jnz     from_v8086
        test    dword ptr [trapped + r_cs], 3
        jz      back
        pop     dword ptr [trapped + r_esp]
        pop     dword ptr [trapped + r_ss]
        jmp     back
from_v8086:
        pop     dword ptr [trapped + r_esp]
        pop     dword ptr [trapped + r_ss]
        pop     dword ptr [trapped + r_es]
        pop     dword ptr [trapped + r_ds]
        pop     dword ptr [trapped + r_fs]
        pop     dword ptr [trapped + r_gs]
        .globl  back
back:   mov     eax, cr2
        mov     [trapped + t_cr2], eax
        mov     eax, dr6
        mov     [trapped + t_dr6], eax
        mov     eax, 16
        mov     ss, eax
        mov     esp, [harness_esp]
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        // By IRET, which ends the blocking of NMIs.
        push    2
        push    8
        lea     eax, 1f
        push    eax
        iretd
1:      popfd
        popad
        ret

        // The double fault's task. The task that it interrupted is in the TSS that its back link names.
        .globl  double_fault
double_fault:
        pop     dword ptr [trapped + t_error]
        mov     dword ptr [trapped + t_vector], 8
        call    double_fault_registers
        mov     dword ptr [trapped + t_handler_cs], 8
        clts
        pushfd
        and     dword ptr [esp], ~0x4000        // NT: no task to return to
        popfd
        jmp     back

        .data
        .bss
        .balign 16
        .skip   32768
stack_end:
        .globl  harness_esp
harness_esp:
        .skip   4

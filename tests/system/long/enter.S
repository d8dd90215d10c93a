// The 64-bit program's start, the way into guest code and the way back.
//
// enter() takes `entering` into the registers by IRETQ, so it reaches 64-bit and compatibility code of every level.
// Whatever exception or interrupt comes next ends the run: it is written to `trapped` and enter() returns.
        .intel_syntax noprefix
        .include "layout.inc"

        .section .start, "ax"
        .code32
        .globl  _start
_start: cli
        lgdt    boot_gdt_register
        mov     esp, offset boot_stack_end
        // Clear what is not in the file.
        mov     edi, offset bss_begin
        mov     ecx, offset bss_end
        sub     ecx, edi
        xor     eax, eax
        cld
        rep stosb
        // One gibibyte in 2 MiB pages, until the program has made its own tables.
        mov     dword ptr [boot_pml4], offset boot_pdpt + 7
        mov     dword ptr [boot_pdpt], offset boot_pd + 7
        mov     edi, offset boot_pd
        mov     eax, 0x87
1:      mov     [edi], eax
        add     edi, 8
        add     eax, 0x200000
        cmp     eax, 0x40000000
        jb      1b
        mov     eax, cr4
        or      eax, 0x20
        mov     cr4, eax
        mov     eax, offset boot_pml4
        mov     cr3, eax
        mov     ecx, 0xc0000080
        rdmsr
        or      eax, 0x901      // NXE, LME, SCE
        wrmsr
        mov     eax, cr0
        or      eax, 0x80000001
        mov     cr0, eax
        ljmp    8, offset start64
        .code64
start64:
        mov     ax, 16
        mov     ds, ax
        mov     es, ax
        mov     ss, ax
        mov     fs, ax
        mov     gs, ax
        mov     rsp, offset stack_end
        call    main
        // A power-off for those who have one; the driver ends the others when it has read the last line.
stop:   cli
        hlt
        jmp     stop

        .text
        .globl  enter
enter:  push    rbx
        push    rbp
        push    r12
        push    r13
        push    r14
        push    r15
        pushfq
        mov     [harness_rsp], rsp
        push    qword ptr [entering + r_ss]
        push    qword ptr [entering + r_rsp]
        push    qword ptr [entering + r_flags]
        push    qword ptr [entering + r_cs]
        push    qword ptr [entering + r_rip]
        mov     eax, [entering + r_ds]
        mov     ds, eax
        mov     eax, [entering + r_es]
        mov     es, eax
        mov     eax, [entering + r_fs]
        mov     fs, eax
        mov     eax, [entering + r_gs]
        mov     gs, eax
        .irp    reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        mov     \reg, [entering + r_\reg]
        .endr
        .globl  enter_iret
enter_iret:
        iretq

        // One stub for each vector, 16 bytes each. Those with an error code find it on the stack.
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

common: .irp    reg, rax, rcx, rdx, rbx, rbp, rsi, rdi, r8, r9, r10, r11, r12, r13, r14, r15
        mov     [trapped + r_\reg], \reg
        .endr
        pushfq
        pop     qword ptr [trapped + t_handler_flags]
        cld
        xor     eax, eax
        mov     ax, cs
        mov     [trapped + t_handler_cs], rax
        mov     ax, ss
        mov     [trapped + t_handler_ss], rax
        mov     ax, ds
        mov     [trapped + r_ds], rax
        mov     ax, es
        mov     [trapped + r_es], rax
        mov     ax, fs
        mov     [trapped + r_fs], rax
        mov     ax, gs
        mov     [trapped + r_gs], rax
        pop     qword ptr [trapped + t_vector]
        pop     qword ptr [trapped + t_error]
        mov     [trapped + t_frame], rsp
        pop     qword ptr [trapped + r_rip]
        pop     qword ptr [trapped + r_cs]
        pop     qword ptr [trapped + r_flags]
        pop     qword ptr [trapped + r_rsp]
        pop     qword ptr [trapped + r_ss]
        mov     rax, cr2
        mov     [trapped + t_cr2], rax
        mov     rax, dr6
        mov     [trapped + t_dr6], rax
        mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        // By IRETQ, which ends the blocking of NMIs.
        mov     rsp, [harness_rsp]
        mov     rax, rsp
        push    16
        push    rax
        push    2
        push    8
        lea     rax, [rip + 1f]
        push    rax
        iretq
1:
back:   popfq
        pop     r15
        pop     r14
        pop     r13
        pop     r12
        pop     rbp
        pop     rbx
        ret

        // Where the ROM goes on after a reset that a check asked for: back to the program's long mode, as if the code that
        // enter() ran had ended with an interrupt.
        .code32
        .globl  resume
resume: mov     eax, [resume_cr4]
        mov     cr4, eax
        mov     eax, [resume_cr3]
        mov     cr3, eax
        mov     ecx, 0xc0000080
        mov     eax, 0x901
        xor     edx, edx
        wrmsr
        mov     eax, [resume_cr0]
        mov     cr0, eax
        lgdt    [resume_gdtr]
        ljmp    8, offset resume64
        .code64
resume64:
        .irp    reg, r8, r9, r10, r11, r12, r13, r14, r15
        mov     [trapped + r_\reg], \reg
        .endr
        lidt    [resume_idtr]
        mov     eax, 16
        mov     ds, eax
        mov     es, eax
        mov     fs, eax
        mov     gs, eax
        mov     ss, eax
        mov     rsp, [harness_rsp]
        jmp     back

        .data
        .globl  resume_gdtr
        .globl  resume_idtr
        .globl  resume_cr0
        .globl  resume_cr3
        .globl  resume_cr4
        .balign 8
resume_gdtr:
        .skip   16
resume_idtr:
        .skip   16
resume_cr0:
        .long   0
resume_cr3:
        .long   0
resume_cr4:
        .long   0
        .balign 8
boot_gdt:
        .quad   0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdt_register:
        .word   . - boot_gdt - 1
        .long   boot_gdt

        .bss
        .balign 4096
boot_pml4:
        .skip   4096
boot_pdpt:
        .skip   4096
boot_pd:
        .skip   4096
        .skip   32768
boot_stack_end:
stack_end:
harness_rsp:
        .skip   8

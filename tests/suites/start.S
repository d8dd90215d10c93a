// The instruction suites' guest: from multiboot to 64-bit mode, and the ways into a test and out of it. The C half is
// guest.c; both run at their physical addresses.
        .set    kernel_code, 0x10
        .set    kernel_data, 0x18
        .set    flags, 0x10000                  // addresses are in the header, so that no ELF loader is needed

        .section .text.start, "ax"
        .code32
        .globl  _start
header:
        .long   0x1badb002, flags, -(0x1badb002 + flags)
        .long   header, header, loaded_end, bss_end, _start
_start:
        cli
        movl    $stack_top, %esp
        movl    %ebx, %esi                      // multiboot information, for C
        // The first GiB at its own address and again in the last slot, by large pages.
        movl    $boot_pd, %edi
        movl    $0x83, %eax
1:      movl    %eax, (%edi)
        addl    $8, %edi
        addl    $0x200000, %eax
        cmpl    $boot_pd + 4096, %edi
        jne     1b
        movl    $boot_pd + 3, boot_pdpt
        movl    $boot_pdpt + 3, boot_pml4
        movl    $boot_pdpt + 3, boot_pml4 + 511 * 8
        movl    $boot_pml4, %eax
        movl    %eax, %cr3
        movl    %cr4, %eax
        orl     $0x620, %eax                    // PAE, OSFXSR, OSXMMEXCPT
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx               // EFER: LME
        rdmsr
        orl     $0x100, %eax
        wrmsr
        movl    %cr0, %eax
        andl    $~0x0c, %eax                    // no EM, no TS
        orl     $0x80050022, %eax               // PG, AM, WP, NE, MP: what Linux has
        movl    %eax, %cr0
        lgdt    boot_gdtr
        ljmp    $kernel_code, $1f
        .code64
1:      movl    $kernel_data, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        xorl    %eax, %eax
        movl    %eax, %fs
        movl    %eax, %gs
        movl    %esi, %edi
        call    guest_main
        hlt

        .text
// enter_test(const struct frame *): loads every register; the frame lies where the processor puts its own.
        .globl  enter_test
enter_test:
        movq    %rdi, %rsp
        fxrstor64 pristine
        movl    168(%rsp), %eax                 // SS, which is a test's DS and ES too
        movl    %eax, %ds
        movl    %eax, %es
        jmp     pop_registers

// Every vector's gate: pushes an error code where the processor does not, and the vector.
        .globl  gates
        .balign 16
gates:
        .set    vector, 0
        .rept   256
        .balign 16
        .if     vector == 8 || (vector >= 10 && vector <= 14) || vector == 17 || vector == 21
        .else
        pushq   $0
        .endif
        pushq   $vector
        jmp     common
        .set    vector, vector + 1
        .endr

common:
        cld
        pushq   %r15; pushq %r14; pushq %r13; pushq %r12; pushq %r11; pushq %r10; pushq %r9; pushq %r8
        pushq   %rdi; pushq %rsi; pushq %rbp; pushq %rdx; pushq %rcx; pushq %rbx; pushq %rax
        movq    %rsp, %rdi
        fxsave64 media
        call    trapped
        // C came back: the same test goes on
pop_registers:
        popq    %rax; popq %rbx; popq %rcx; popq %rdx; popq %rbp; popq %rsi; popq %rdi
        popq    %r8; popq %r9; popq %r10; popq %r11; popq %r12; popq %r13; popq %r14; popq %r15
        addq    $16, %rsp
        iretq

        .data
        .balign 8
boot_gdt:
        .quad   0, 0, 0x00af9b000000ffff, 0x00cf93000000ffff
boot_gdtr:
        .word   31
        .long   boot_gdt

        .bss
        .balign 4096
        .globl  boot_pml4
boot_pml4: .skip 4096
boot_pdpt: .skip 4096
        .globl  boot_pd
boot_pd: .skip  4096
        .skip   16384
        .globl  stack_top
stack_top:
        .globl  media, pristine
media:  .skip   512
pristine: .skip 512

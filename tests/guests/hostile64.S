// The same as hostile.S in 64-bit mode: tables that lead nowhere or into devices, reserved bits, addresses that are not
// canonical. A page fault's line has its error code behind a colon. A flat image for address 10000h.
        .set    base, 0x10000
        .set    data, 0x08
        .set    code64, 0x10
        .set    pml4, 0x20000
        .set    pdpt, 0x21000
        .set    pd, 0x22000             // four of them: 4 GiB one to one
        .set    pdpt2, 0x26000          // of slot 4, with the next two
        .set    pd2, 0x27000
        .set    pt2, 0x28000
        .set    idt, 0x29000
        .set    ram, 0x30000
        .set    ioapic, 0xfec00000
        .set    lapic, 0xfee00000
        .set    nowhere, 0xd0000000
        .set    slot4, 4 << 39 | 2 << 30

        .code16
        .text
        .globl  _start
_start:
        cli
        cld
        movw    %cs, %ax
        movw    %ax, %ds
        lgdtl   gdt_register
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $0x18, $protected + base

        .code32
protected:
        movl    $data, %eax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $pml4, %edi
        movl    $0x10000 / 4, %ecx
        xorl    %eax, %eax
        rep stosl
        movl    $pdpt | 7, pml4
        movl    $4, %ecx
        movl    $pd | 7, %eax
        movl    $pdpt, %edi
1:      movl    %eax, (%edi)
        addl    $0x1000, %eax
        addl    $8, %edi
        loop    1b
        movl    $2048, %ecx
        movl    $0x87, %eax
        movl    $pd, %edi
1:      movl    %eax, (%edi)
        addl    $0x200000, %eax
        addl    $8, %edi
        loop    1b

        movl    $ioapic | 7, pml4 + 8 * 1
        movl    $nowhere | 7, pml4 + 8 * 2
        movl    $7, pml4 + 8 * 3
        movl    $0x000f0000, pml4 + 8 * 3 + 4   // address bits that no machine here has
        movl    $pdpt2 | 7, pml4 + 8 * 4
        movl    $pml4 | 3, pml4 + 8 * 511
        movl    $lapic | 7, pdpt2 + 8 * 0
        movl    $0x2087, pdpt2 + 8 * 1          // 1 GiB, not at a multiple of it
        movl    $pd2 | 7, pdpt2 + 8 * 2
        movl    $nowhere | 7, pd2 + 8 * 0
        movl    $nowhere | 0x87, pd2 + 8 * 1
        movl    $0x4087, pd2 + 8 * 2            // 2 MiB, not at a multiple of it
        movl    $pt2 | 7, pd2 + 8 * 3
        movl    $ioapic | 7, pt2 + 8 * 0
        movl    $ram | 7, pt2 + 8 * 1
        movl    $0x80000000, pt2 + 8 * 1 + 4    // NX
        movl    $7, pt2 + 8 * 2
        movl    $0x70, pt2 + 8 * 2 + 4          // far beyond all memory
        movl    $7, pt2 + 8 * 3
        movl    $0x00080000, pt2 + 8 * 3 + 4    // reserved
        movl    $ram | 5, pt2 + 8 * 5           // read only
        movl    $0xa0007, pt2 + 8 * 6

        movl    $pml4, %eax
        movl    %eax, %cr3
        movl    $0x620, %eax                    // PAE, SSE
        movl    %eax, %cr4
        movl    $0xc0000080, %ecx
        movl    $0x901, %eax                    // LME, NXE, SCE
        xorl    %edx, %edx
        wrmsr
        movl    $0x80010033, %eax               // PG, WP, NE
        movl    %eax, %cr0
        ljmpl   $code64, $long_mode + base

        .code64
.macro try name:req
        leaq    9f(%rip), %r15
        call    say_here
        .asciz  "\name "
.endm
.macro tried
        movb    $'-', %al
        outb    %al, $0xf1
9:
        movb    $'\n', %al
        outb    %al, $0xf1
.endm
.macro read name:req, address:vararg
        try "\name"
        movabsq $\address, %rsi
        movq    (%rsi), %rax
        tried
.endm
.macro run name:req, address:vararg
        try "\name"
        movabsq $\address, %rsi
        jmp     *%rsi
        tried
.endm

long_mode:
        movl    $0x1fff0, %esp
        leaq    stubs(%rip), %rax
        movl    $idt, %edi
        movl    $32, %ecx
1:      movw    %ax, (%rdi)
        movw    $code64, 2(%rdi)
        movl    $0x8e00, 4(%rdi)
        movl    %eax, %edx
        shrl    $16, %edx
        movw    %dx, 6(%rdi)
        movq    $0, 8(%rdi)
        addq    $16, %rax
        addl    $16, %edi
        loop    1b
        lidt    idt_register(%rip)

        read "a PDPT in a device", 1 << 39
        read "a PDPT nowhere", 2 << 39
        read "a PDPT beyond all addresses", 3 << 39
        read "a PD in a device", 4 << 39
        read "a crooked page of 1 GiB", 4 << 39 | 1 << 30
        read "a page table nowhere", slot4
        read "a page of 2 MiB nowhere", slot4 | 1 << 21
        read "a crooked page of 2 MiB", slot4 | 2 << 21
        read "a page in a device", slot4 | 3 << 21
        read "a page that is not to be run", slot4 | 3 << 21 | 1 << 12
        read "a page beyond all memory", slot4 | 3 << 21 | 2 << 12
        read "a page with reserved bits", slot4 | 3 << 21 | 3 << 12
        read "no page", slot4 | 3 << 21 | 4 << 12
        read "across the end of a page into none", slot4 | 3 << 21 | 3 << 12 | 0xffc
        read "the page tables through themselves", 0xfffffffffffff000
        run "run a page nowhere", slot4 | 1 << 21
        run "run a page in a device", slot4 | 3 << 21
        run "run a page that is not to be run", slot4 | 3 << 21 | 1 << 12
        run "run no page", slot4 | 3 << 21 | 4 << 12
        run "run the video hole", slot4 | 3 << 21 | 6 << 12
        run "run where no address is canonical", 0x1234567812345678
        run "run the end of the lower half", 0x7fffffffffff
        try "write a page that is read only"
        movabsq $slot4 | 3 << 21 | 5 << 12, %rsi
        movq    %rax, (%rsi)
        tried

        read "read where no address is canonical", 0x8000000000000
        try "write where no address is canonical"
        movabsq $0xff00000000000000, %rsi
        movq    %rax, (%rsi)
        tried
        try "a stack frame where no address is canonical"
        movabsq $0x1234567812345678, %rbp
        movq    %rax, (%rbp)
        tried
        try "IRET to where no address is canonical"
        movl    %esp, %eax
        pushq   $data
        pushq   %rax
        pushq   $2
        pushq   $code64
        movabsq $0x1234567812345678, %rsi
        pushq   %rsi
        iretq
        tried
        try "CR3 with reserved bits"
        movabsq $0x4000000000020000, %rax
        movq    %rax, %cr3
        tried
        try "CR4 without PAE"
        movl    $0x600, %eax
        movq    %rax, %cr4
        tried
        try "CR0 without PG"
        movl    $0x10033, %eax
        movq    %rax, %cr0
        tried
        try "CR8 of all ones"
        movq    $-1, %rax
        movq    %rax, %cr8
        tried
        try "CR1"
        .byte   0x0f, 0x20, 0xc8
        tried
        try "DR7 with high bits"
        movq    $-1, %rax
        movq    %rax, %dr7
        tried
        try "LGDT of no canonical address"
        lgdt    strange_table(%rip)
        tried
        try "FS.base of no canonical address"
        movl    $0xc0000100, %ecx
        movl    $0x12345678, %eax
        movl    %eax, %edx
        wrmsr
        tried
        try "INVLPG of anything"
        movabsq $0x1234567812345678, %rsi
        invlpg  (%rsi)
        tried
        try "MOVAPS across its boundary"
        movl    $ram + 8, %esi
        movaps  (%rsi), %xmm0
        tried
        try "CMPXCHG16B across its boundary"
        lock cmpxchg16b (%rsi)
        tried
        try "LOCK across a line, a page, and nowhere"
        lock addq $1, ram + 0x3d
        lock addq $1, ram + 0xffd
        movl    $0x9fffd, %esi
        lock addq $1, (%rsi)
        tried
        try "LTR of data"
        movl    $data, %eax
        ltr     %ax
        tried
        try "SYSRET to a strange address"
        movabsq $0x1234567812345678, %rcx
        sysretq
        tried
        try "VMCALL"
        vmcall
        tried
        try "RDPMC"
        rdpmc
        tried
        try "XSETBV of all ones"
        xorl    %ecx, %ecx
        movl    $-1, %eax
        movl    %eax, %edx
        xsetbv
        tried
        try "a divide error"
        xorl    %ecx, %ecx
        divl    %ecx
        tried

        leaq    end_text(%rip), %rsi
        call    say
        hlt

say_here:                               // the text behind the call
        popq    %rsi
        call    say
        jmp     *%rsi

say:
        lodsb
        testb   %al, %al
        jz      said
        outb    %al, $0xf1
        jmp     say
said:
        ret

        .balign 16
stubs:
        .set    vector, 0
        .rept   32
        movl    $vector, %ecx
        jmp     caught
        .balign 16
        .set    vector, vector + 1
        .endr
caught:
        movl    (%rsp), %ebx            // the error code of a page fault
        movl    $0x1fff0, %esp
        movb    $'#', %al
        outb    %al, $0xf1
        movl    %ecx, %eax
        xorl    %edx, %edx
        movl    $10, %edi
        divl    %edi
        testb   %al, %al
        jz      1f
        addb    $'0', %al
        outb    %al, $0xf1
1:      movb    %dl, %al
        addb    $'0', %al
        outb    %al, $0xf1
        cmpl    $14, %ecx
        jne     2f
        movb    $':', %al
        outb    %al, $0xf1
        movl    %ebx, %eax
        shrl    $4, %eax
        call    digit
        movl    %ebx, %eax
        call    digit
2:      jmp     *%r15

digit:
        andb    $15, %al
        addb    $'0', %al
        outb    %al, $0xf1
        ret

        .data
        .balign 8
gdt:
        .quad   0
        .quad   0x00cf93000000ffff      // data
        .quad   0x00af9b000000ffff      // code64
        .quad   0x00cf9b000000ffff      // for the way there
gdt_end:
gdt_register:
        .word   gdt_end - gdt - 1
        .long   gdt + base
idt_register:
        .word   0x1ff
        .quad   idt
strange_table:
        .word   0xffff
        .quad   0x1234567812345678
end_text:
        .asciz  "end\n"

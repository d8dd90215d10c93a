// A guest that does what no guest should: every port, every MSR, jumps to where nothing is, tables that make no sense. Each
// attempt gives a line on port F1h: its name, and the exception that answered it, or "-". With END defined there is only
// one attempt, which nobody can survive. A flat image for address 10000h.
        .set    base, 0x10000
        .set    own_code, 0x08          // based at this image, as real mode's segments are
        .set    own_data, 0x10
        .set    flat_data, 0x18
        .set    flat_code, 0x20
        .set    tss_nowhere, 0x28       // a TSS where nothing is
        .set    data_descriptor, 0x30   // not present
        .set    tss_other, 0x38         // as tss_nowhere
        .set    ioapic, 0xfec00000
        .set    lapic, 0xfee00000
        .set    nowhere, 0xd0000000

        .code16
        .text
        .globl  _start
_start:
        cli
        cld
        movw    %cs, %ax
        movw    %ax, %ds
        movw    %ax, %ss
        movw    $0xfff0, %sp
        xorw    %ax, %ax
        movw    %ax, %es
        xorw    %di, %di
        movw    $32, %cx
vectors:
        movw    $skip_two, %ax
        stosw
        movw    %cs, %ax
        stosw
        loop    vectors

#ifndef END
// Every port, of every width. Not written: what prints, resets, or starts a transfer to memory.
        xorw    %dx, %dx
read_ports:
        inb     %dx, %al
        inw     %dx, %ax
        inl     %dx, %eax
        incw    %dx
        jnz     read_ports
write_ports:
        movw    $quiet_ports, %si
next_range:
        lodsw
        cmpw    %ax, %dx
        lodsw
        jb      not_in_it
        cmpw    %ax, %dx
        jbe     next_port
not_in_it:
        cmpw    $quiet_ports_end, %si
        jb      next_range
        xorl    %eax, %eax
        outb    %al, %dx
        outw    %ax, %dx
        outl    %eax, %dx
next_port:
        incw    %dx
        jnz     write_ports
        movb    $2, %al                 // address line 20 again
        outb    %al, $0x92
        movw    $ports_text, %si
        call    say16

// Every MSR there may be: read, written back, and written with all ones and with zero.
        movw    $msr_ranges, %si
next_msrs:
        lodsl
        movl    %eax, %ecx
        lodsl
        movl    %eax, %edi
msrs:
        xorl    %eax, %eax
        xorl    %edx, %edx
        rdmsr
        wrmsr
        movl    $-1, %eax
        movl    %eax, %edx
        wrmsr
        xorl    %eax, %eax
        xorl    %edx, %edx
        wrmsr
        incl    %ecx
        cmpl    %edi, %ecx
        jne     msrs
        cmpw    $msr_ranges_end, %si
        jb      next_msrs
        movw    $msrs_text, %si
        call    say16

#endif
        lgdtl   gdt_register
        lidtl   idt_register
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $own_code, $protected

skip_two:                               // RDMSR and WRMSR have two bytes; real mode's #GP pushes no code
        pushw   %bp
        movw    %sp, %bp
        addw    $2, 2(%bp)
        popw    %bp
        iretw

say16:
        lodsb
        testb   %al, %al
        jz      said16
        outb    %al, $0xf1
        jmp     say16
said16:
        ret

        .code32
.macro try name:req
        movl    $9f, resume
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

protected:
        call    plain
        // All vectors lead to a stub of 16 bytes each.
        movl    $idt, %edi
        movl    $stubs, %eax
        movl    $32, %ecx
gates:
        movw    %ax, (%edi)
        movw    $own_code, 2(%edi)
        movw    $0x8e00, 4(%edi)
        movw    $0, 6(%edi)
        addl    $8, %edi
        addl    $16, %eax
        loop    gates
        movl    %cr4, %eax
        orl     $0x600, %eax            // SSE
        movl    %eax, %cr4

#ifndef END
        try "jump nowhere"
        ljmp    $flat_code, $nowhere
        tried
        try "jump into the video hole"
        ljmp    $flat_code, $0xa0000
        tried
        try "jump to where a ROM would be"
        ljmp    $flat_code, $0xfffffff0
        tried
        try "jump to the end of the last page"
        ljmp    $flat_code, $0xffffffff
        tried
        try "jump into the I/O APIC"
        ljmp    $flat_code, $ioapic + 0x20
        tried
        try "jump into the local APIC"
        ljmp    $flat_code, $lapic + 0x800
        tried
        try "run off the end of memory"
        movl    $0x9090eb90, %fs:0x9fffc
        ljmp    $flat_code, $0x9ffff
        tried

        try "read nowhere"
        movl    %fs:nowhere, %eax
        cmpl    $-1, %eax
        jne     wrong
        tried
        try "write nowhere"
        movl    %eax, %fs:nowhere
        tried
        try "a word across the end of memory"
        movl    %eax, %fs:0x9fffe
        movl    %fs:0x9fffe, %eax
        tried
        try "LOCK nowhere"
        lock addl %eax, %fs:nowhere
        lock cmpxchg8b %fs:nowhere
        xchgl   %eax, %fs:nowhere + 1
        tried
        try "vectors nowhere"
        movups  %fs:nowhere, %xmm0
        movups  %xmm0, %fs:nowhere
        movaps  %xmm0, %fs:ioapic
        tried
        try "FXSAVE nowhere"
        fxsave  %fs:nowhere
        fnstenv %fs:lapic + 0x800
        fnsave  %fs:nowhere
        tried
        try "FXRSTOR of ones"
        fxrstor %fs:nowhere
        tried
        try "64 KiB out of the I/O APIC"
        call    string_from_ioapic
        tried
        try "64 KiB into nowhere"
        call    string_to_nowhere
        tried
        try "bytes of the APICs' registers"
        call    bytes_of_apics
        tried
        try "an odd port of 4 bytes at the end"
        movw    $0xffff, %dx
        inl     %dx, %eax
        outl    %eax, %dx
        tried

        try "a selector beyond the table"
        movw    $0xfff8, %ax
        movw    %ax, %es
        tried
        try "a segment that is not present"
        movw    $data_descriptor, %ax
        movw    %ax, %es
        tried
        try "LTR of data"
        movw    $own_data, %ax
        ltr     %ax
        tried
        try "LLDT of a TSS"
        movw    $tss_nowhere, %ax
        lldt    %ax
        tried
        try "LTR of a TSS nowhere"
        movw    $tss_nowhere, %ax
        ltr     %ax
        tried
        try "CR0 with PG and no PE"
        movl    $0x80000000, %eax
        movl    %eax, %cr0
        tried
        try "CR0 with NW and no CD"
        movl    %cr0, %eax
        andl    $~0x40000000, %eax
        movl    %eax, %cr0
        tried
        try "CR4 of all ones"
        movl    $-1, %eax
        movl    %eax, %cr4
        tried
        try "a stack nowhere"
        movl    $flat_data, %eax
        movw    %ax, %ss
        movl    $nowhere, %esp
        int3
        tried
        call    plain
        try "an undefined instruction"
        ud2
        tried

#endif
        movl    $end_text, %esi
        call    say
#ifdef END
#if END == 1                            // no interrupt table
        lidtl   empty_table
        int3
#elif END == 2                          // one in a device
        lidtl   ioapic_table
        int3
#elif END == 3                          // a segment table in a device
        lgdtl   ioapic_table
        movw    $own_data, %ax
        movw    %ax, %es
#elif END == 4                          // page tables in a device
        movl    $lapic, %eax
        movl    %eax, %cr3
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
#elif END == 5                          // page tables where nothing is
        movl    $nowhere, %eax
        movl    %eax, %cr3
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
#elif END == 6                          // a task where nothing is
        ljmp    $tss_other, $0
#endif
#endif
        hlt

wrong:
        movb    $'?', %al
        outb    %al, $0xf1
        jmp     *resume

string_from_ioapic:
        pushl   %ds
        movl    $flat_data, %eax
        movw    %ax, %ds
        movw    %ax, %es
        movl    $ioapic, %esi
        movl    $0x40000, %edi
        movl    $0x10000, %ecx
        rep movsb
        popl    %ds
        ret

string_to_nowhere:
        movl    $flat_data, %eax
        movw    %ax, %es
        movl    $nowhere + 3, %edi
        movl    $0x4000, %ecx
        rep stosl
        ret

// All of both pages, in the widths that are meant and in those that are not. Writes would start something.
bytes_of_apics:
        xorl    %esi, %esi
1:      movb    %fs:ioapic(%esi), %al
        movw    %fs:ioapic(%esi), %ax
        movl    %fs:ioapic(%esi), %eax
        movb    %fs:lapic(%esi), %al
        movw    %fs:lapic(%esi), %ax
        movl    %fs:lapic(%esi), %eax
        movl    %fs:0xfed00000(%esi), %eax
        incl    %esi
        cmpl    $4096, %esi
        jb      1b
        ret

say_here:                               // the text behind the call
        popl    %esi
        call    say
        jmp     *%esi

say:
        lodsb
        testb   %al, %al
        jz      said
        outb    %al, $0xf1
        jmp     say
said:
        ret

// The segments and the stack as they should be.
plain:
        popl    %ebx
        movl    $own_data, %eax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movl    $flat_data, %eax
        movw    %ax, %fs
        movw    %ax, %gs
        movl    $0xfff0, %esp
        jmp     *%ebx

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
        movl    $own_data, %eax
        movw    %ax, %ss
        movl    $0xfff0, %esp
        call    plain
        lgdtl   gdt_register
        movb    $'#', %al
        outb    %al, $0xf1
        movl    %ecx, %eax
        xorl    %edx, %edx
        movl    $10, %ebx
        divl    %ebx
        testb   %al, %al
        jz      1f
        addb    $'0', %al
        outb    %al, $0xf1
1:      movb    %dl, %al
        addb    $'0', %al
        outb    %al, $0xf1
        jmp     *resume

        .data
        .balign 8
gdt:
        .quad   0
        .quad   0x004f9b010000ffff      // own_code
        .quad   0x00cf93010000ffff      // own_data
        .quad   0x00cf93000000ffff      // flat_data
        .quad   0x00cf9b000000ffff      // flat_code
        .quad   0xd000890000000067      // tss_nowhere
        .quad   0x00cf13000000ffff      // data_descriptor
        .quad   0xd000890000000067      // tss_other
gdt_end:
idt:
        .fill   32, 8, 0
idt_end:
resume:
        .long   0
gdt_register:
        .word   gdt_end - gdt - 1
        .long   gdt + base
idt_register:
        .word   idt_end - idt - 1
        .long   idt + base
ioapic_table:
        .word   0x7ff
        .long   ioapic
empty_table:
        .word   0
        .long   0
quiet_ports:                            // first and last: marks, console, UART, fw_cfg and its DMA
        .word   0xe6, 0xe9, 0xee, 0xf1, 0x3f5, 0x3ff, 0x50d, 0x51b
quiet_ports_end:
msr_ranges:                             // first, and the one behind the last
        .long   0, 0x2000, 0x40000000, 0x40000100, 0xc0000000, 0xc0002000
msr_ranges_end:
ports_text:
        .asciz  "ports -\n"
msrs_text:
        .asciz  "MSRs -\n"
end_text:
        .asciz  "end\n"

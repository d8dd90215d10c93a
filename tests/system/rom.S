// The image that takes the firmware's place: the reset vector, the two programs, and what copies them to memory and
// starts the first. The programs are flat files, LEGACY for 100000h and LONG for 200000h. Where chaos.py has written orders with a
// number of rounds (common/random.hpp), one of them is started for those alone.
//
// What the processor begins with is kept below 600h. A reset or INIT that a check asked for (the word `expected` says so)
// goes on in 32-bit protected mode where the check wants; one that nobody asked for is the end.
        .set    size, 0x80000
        .include "start.inc"
        .set    com1, 0x3f8

        .text
        .globl  _start
_start:
legacy: .incbin LEGACY
legacy_end:
        .balign 16
long:   .incbin LONG
long_end:

        .org    size - 0x400
        .set    last64k, _start + size - 0x10000
        .code16
start:  movl    %eax, started_eax
        movl    %ecx, started_ecx
        movl    %edx, started_edx
        movl    %ebx, started_ebx
        movl    %esp, started_esp
        movl    %ebp, started_ebp
        movl    %esi, started_esi
        movl    %edi, started_edi
        pushfl
        popl    started_flags
        .macro  keep register, where
        movl    %\register, %eax
        movl    %eax, \where
        .endm
        keep    cr0, started_cr0
        keep    cr2, started_cr2
        keep    cr3, started_cr3
        keep    cr4, started_cr4
        keep    dr0, started_dr0
        keep    dr6, started_dr6
        keep    dr7, started_dr7
        sgdtl   started_gdtr
        sidtl   started_idtr
        movw    %ds, started_segments
        movw    %es, started_segments + 2
        movw    %fs, started_segments + 4
        movw    %gs, started_segments + 6
        movw    %ss, started_segments + 8
        inb     $0x92, %al
        movb    %al, started_port92
        movl    $0xc0000080, %ecx
        rdmsr
        movl    %eax, started_efer
        cli
        cld
        xorl    %eax, %eax
        movl    %eax, %cr3
        lgdtl   %cs:(gdt_register - last64k)
        movl    %cr0, %eax
        orb     $1, %al
        movl    %eax, %cr0
        ljmpl   $8, $protected

        .code32
protected:
        movw    $16, %ax
        movw    %ax, %ds
        movw    %ax, %es
        movw    %ax, %ss
        movw    %ax, %fs
        movw    %ax, %gs
        // Both 8259 and the NMI mask stay as they are until a check wants them: all lines masked here.
        movb    $0xff, %al
        outb    %al, $0x21
        outb    %al, $0xa1
        inb     $0x92, %al
        orb     $2, %al
        andb    $0xfe, %al
        outb    %al, $0x92
        // 115200 baud, 8 bits, no FIFO.
        movw    $com1 + 3, %dx
        movb    $0x80, %al
        outb    %al, %dx
        movw    $com1, %dx
        movb    $1, %al
        outb    %al, %dx
        movw    $com1 + 1, %dx
        xorb    %al, %al
        outb    %al, %dx
        movw    $com1 + 3, %dx
        movb    $3, %al
        outb    %al, %dx
        cmpl    $expected_magic, expected
        jne     1f
        movl    $0, expected
        jmp     *go_on_at
1:      cmpl    $0, chaos + 8   // random rounds reset the machine as they like
        jne     1f
        cmpl    $running_magic, running
        jne     1f
        movl    $unexpected, %esi
2:      movw    $com1 + 5, %dx
3:      inb     %dx, %al
        testb   $0x20, %al
        jz      3b
        lodsb
        movw    $com1, %dx
        outb    %al, %dx
        testb   %al, %al
        jnz     2b
        hlt
1:      movl    $running_magic, running
        movl    $0, 0x500       // no check has been made, none has failed
        movl    $0, 0x504
        movl    $legacy, %esi
        movl    $0x110000, %edi         // where real mode does not reach
        movl    $legacy_end - legacy, %ecx
        rep movsb
        movl    $long, %esi
        movl    $0x200000, %edi
        movl    $long_end - long, %ecx
        rep movsb
        movl    $chaos, %esi
        movl    $0x508, %edi
        movl    $32, %ecx
        rep movsb
        movl    $0x110000, %eax
        cmpl    $0, 0x510
        je      1f
        cmpl    $3, 0x518
        je      1f
        movl    $0x200000, %eax
1:      jmp     *%eax

unexpected:
        .asciz  "a reset that no check asked for\n"

        .balign 8
gdt:    .quad   0, 0x00cf9b000000ffff, 0x00cf93000000ffff
gdt_register:
        .word   . - gdt - 1
        .long   gdt

        .org    size - 48
chaos:  .quad   0, 0, 0, 0      // seed, rounds, kind (3: the first program's), first round
        .org    size - 16
        .code16
        .byte   0xe9            // JMP, relative to this segment
        .word   start - (. + 2)
        .org    size

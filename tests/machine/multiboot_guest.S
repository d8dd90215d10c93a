// A multiboot guest of the ELF kind, and with AOUT defined of the a.out kind: shows its command line and its module's first
// line on the serial port, then powers off by ACPI.
        .set    flags, 0x3
#ifdef AOUT
        .set    flags, 0x10003
#endif
        .code32
        .section .text
        .globl  _start
        .p2align 2
header:
        .long   0x1badb002, flags, -(0x1badb002 + flags)
        .long   header, header, 0, end, _start
_start:
        cmpl    $0x2badb002, %eax
        jne     stop
        movl    $stack, %esp
        movl    $greeting, %esi
        call    show
        movl    16(%ebx), %esi          // the command line
        call    show
        movl    $newline, %esi
        call    show
        cmpl    $1, 20(%ebx)            // modules
        jne     stop
        movl    24(%ebx), %esi
        movl    (%esi), %esi
        call    show
stop:
        movw    $0x604, %dx
        movw    $0x2000, %ax
        outw    %ax, %dx
        hlt
show:                                   // the text at ESI, up to a zero
        lodsb
        testb   %al, %al
        jz      1f
        movw    $0x3f8, %dx
        outb    %al, %dx
        jmp     show
1:      ret
greeting:
        .asciz  "multiboot: "
newline:
        .asciz  "\r\n"
        .bss
        .space  4096
stack:
end:

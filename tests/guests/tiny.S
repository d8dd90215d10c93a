// The tiny kernel: a flat 16-bit image for address 0 that writes its greeting byte by byte to port F1h and halts with
// interrupts off.
        .code16
        .text
        .globl  _start
_start:
        cli
        movw    %cs, %ax
        movw    %ax, %ds
        xorw    %si, %si
        cld
next:
        movb    text(%si), %al
        testb   %al, %al
        jz      done
        outb    %al, $0xf1
        incw    %si
        jmp     next
done:
        hlt
        jmp     done
text:
        .asciz  "Hello, world\n"

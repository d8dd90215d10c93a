// A flat 16-bit image for 7C00h, as CS:IP = 07C0:0000, for the debugger's tests: near and far calls and an interrupt, for ever.
// Labels are linear addresses.
        .set    segment, 0x7c0
        .set    far_segment, 0x800
        .code16
        .text
        .globl  _start, again, near_function, behind_near, far_function, behind_far, on_call, behind_call, counter, undefined, unknown
_start: movw    $segment, %ax
        movw    %ax, %ds
        movw    $0x9000, %ax
        movw    %ax, %ss
        movw    $0x1000, %sp
        xorw    %ax, %ax
        movw    %ax, %es
        movw    $on_call - _start, %es:4 * 0x40
        movw    $segment, %es:4 * 0x40 + 2
again:  incw    counter - _start
        call    near_function
behind_near:
        lcall   $far_segment, $0
behind_far:
        int     $0x40
behind_call:
        jmp     again
near_function:
        ret
on_call:
        iret
undefined:
        ud2
unknown:
        .byte   0x0f, 0x04      // what no processor has known since the 80286
counter:
        .word   0
        .org    (far_segment - segment) * 16
far_function:
        lret

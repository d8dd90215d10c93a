// void execute_mark(u8 byte): runs the host instruction andi $zero,$zero,0x800+byte, by which a QEMU plugin brackets a
// workload.
    .text
    .p2align 3
    .globl execute_mark
execute_mark:
    la.abs  $t0, marks
    bstrpick.d $t1, $a0, 7, 0
    alsl.d  $t0, $t1, $t0, 3
    jr      $t0
    .p2align 3
marks:
    .set    byte, 0
    .rept   256
    .word   0x03400000 | ((0x800 + byte) << 10)
    jr      $ra
    .set    byte, byte + 1
    .endr

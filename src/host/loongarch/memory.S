// memcpy, memmove, memset, memcmp, strlen in general registers: the vector registers hold the guest's. The bulk string
// instructions of the guest run through these, so the loops move 64 bytes a turn. Unaligned accesses are the CPU's.

    .text
    .p2align 5
    .globl memmove
memmove:
    sub.d   $t0, $a0, $a1
    bgeu    $t0, $a2, memcpy        // the destination does not begin inside the source: forwards is right

    // Backwards, from the ends.
    add.d   $a3, $a0, $a2
    add.d   $a4, $a1, $a2
    ori     $t8, $zero, 64
    bltu    $a2, $t8, 2f
1:  ld.d    $t0, $a4, -8
    ld.d    $t1, $a4, -16
    ld.d    $t2, $a4, -24
    ld.d    $t3, $a4, -32
    ld.d    $t4, $a4, -40
    ld.d    $t5, $a4, -48
    ld.d    $t6, $a4, -56
    ld.d    $t7, $a4, -64
    addi.d  $a4, $a4, -64
    addi.d  $a2, $a2, -64
    st.d    $t0, $a3, -8
    st.d    $t1, $a3, -16
    st.d    $t2, $a3, -24
    st.d    $t3, $a3, -32
    st.d    $t4, $a3, -40
    st.d    $t5, $a3, -48
    st.d    $t6, $a3, -56
    st.d    $t7, $a3, -64
    addi.d  $a3, $a3, -64
    bgeu    $a2, $t8, 1b
2:  ori     $t8, $zero, 8
    bltu    $a2, $t8, 4f
3:  ld.d    $t0, $a4, -8
    addi.d  $a4, $a4, -8
    addi.d  $a2, $a2, -8
    st.d    $t0, $a3, -8
    addi.d  $a3, $a3, -8
    bgeu    $a2, $t8, 3b
4:  beqz    $a2, 6f
5:  ld.b    $t0, $a4, -1
    addi.d  $a4, $a4, -1
    addi.d  $a2, $a2, -1
    st.b    $t0, $a3, -1
    addi.d  $a3, $a3, -1
    bnez    $a2, 5b
6:  jr      $ra

    .p2align 5
    .globl memcpy
memcpy:
    move    $a3, $a0
    ori     $t8, $zero, 64
    bltu    $a2, $t8, 2f
1:  ld.d    $t0, $a1, 0
    ld.d    $t1, $a1, 8
    ld.d    $t2, $a1, 16
    ld.d    $t3, $a1, 24
    ld.d    $t4, $a1, 32
    ld.d    $t5, $a1, 40
    ld.d    $t6, $a1, 48
    ld.d    $t7, $a1, 56
    addi.d  $a1, $a1, 64
    addi.d  $a2, $a2, -64
    st.d    $t0, $a3, 0
    st.d    $t1, $a3, 8
    st.d    $t2, $a3, 16
    st.d    $t3, $a3, 24
    st.d    $t4, $a3, 32
    st.d    $t5, $a3, 40
    st.d    $t6, $a3, 48
    st.d    $t7, $a3, 56
    addi.d  $a3, $a3, 64
    bgeu    $a2, $t8, 1b
2:  ori     $t8, $zero, 8
    bltu    $a2, $t8, 4f
3:  ld.d    $t0, $a1, 0
    addi.d  $a1, $a1, 8
    addi.d  $a2, $a2, -8
    st.d    $t0, $a3, 0
    addi.d  $a3, $a3, 8
    bgeu    $a2, $t8, 3b
4:  beqz    $a2, 6f
5:  ld.b    $t0, $a1, 0
    addi.d  $a1, $a1, 1
    addi.d  $a2, $a2, -1
    st.b    $t0, $a3, 0
    addi.d  $a3, $a3, 1
    bnez    $a2, 5b
6:  jr      $ra

    .p2align 5
    .globl memset
memset:
    move    $a3, $a0
    bstrins.d $a1, $a1, 15, 8
    bstrins.d $a1, $a1, 31, 16
    bstrins.d $a1, $a1, 63, 32
    ori     $t8, $zero, 64
    bltu    $a2, $t8, 2f
1:  st.d    $a1, $a3, 0
    st.d    $a1, $a3, 8
    st.d    $a1, $a3, 16
    st.d    $a1, $a3, 24
    st.d    $a1, $a3, 32
    st.d    $a1, $a3, 40
    st.d    $a1, $a3, 48
    st.d    $a1, $a3, 56
    addi.d  $a3, $a3, 64
    addi.d  $a2, $a2, -64
    bgeu    $a2, $t8, 1b
2:  ori     $t8, $zero, 8
    bltu    $a2, $t8, 4f
3:  st.d    $a1, $a3, 0
    addi.d  $a3, $a3, 8
    addi.d  $a2, $a2, -8
    bgeu    $a2, $t8, 3b
4:  beqz    $a2, 6f
5:  st.b    $a1, $a3, 0
    addi.d  $a3, $a3, 1
    addi.d  $a2, $a2, -1
    bnez    $a2, 5b
6:  jr      $ra

    .p2align 5
    .globl memcmp
memcmp:
    ori     $t8, $zero, 8
    bltu    $a2, $t8, 2f
1:  ld.d    $t0, $a0, 0
    ld.d    $t1, $a1, 0
    bne     $t0, $t1, 4f
    addi.d  $a0, $a0, 8
    addi.d  $a1, $a1, 8
    addi.d  $a2, $a2, -8
    bgeu    $a2, $t8, 1b
2:  beqz    $a2, 3f
    ld.bu   $t0, $a0, 0
    ld.bu   $t1, $a1, 0
    bne     $t0, $t1, 5f
    addi.d  $a0, $a0, 1
    addi.d  $a1, $a1, 1
    addi.d  $a2, $a2, -1
    b       2b
3:  move    $a0, $zero
    jr      $ra
4:  revb.d  $t0, $t0                // the lowest address decides: make it the most significant byte
    revb.d  $t1, $t1
5:  sltu    $a0, $t1, $t0
    sltu    $t2, $t0, $t1
    sub.d   $a0, $a0, $t2
    jr      $ra

    .p2align 5
    .globl strlen
strlen:
    move    $a1, $a0
1:  ld.bu   $t0, $a1, 0
    addi.d  $a1, $a1, 1
    bnez    $t0, 1b
    sub.d   $a0, $a1, $a0
    addi.d  $a0, $a0, -1
    jr      $ra

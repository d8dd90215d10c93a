// TLB refill: walks the guest's page table, untranslated, and fills one entry. No stack, no C++; what it cannot
// or may not fill goes on to guest_exit as ECODE_REFILL: an absent page, a page whose A bit is clear, a table or page
// that is not RAM, reserved bits, addresses that are not canonical.
//
// Guest tables may hold anything. Every frame number is checked against the frame table, and a table is read only where
// the frame table says RAM, so the worst entry is a slow refill.
#include "host/loongarch/csr.inc"
#include "host/loongarch/refill.inc"
#include "cpu/vcpu_offsets.inc"
#include "memory/large_pages.inc"

// Registers of the walk:
//   t0 Vcpu (physical)    t1 faulting address    t2 frame table    t6 its length
//   t3 entry, then table  t4 AND of the entries  t5 temporary      t7, t8 only for the leaves

.macro vcpu_physical reg
    csrrd   \reg, SAVE_VCPU
    bstrpick.d \reg, \reg, 47, 0
.endm

.macro count which, tmp
    ld.d    \tmp, $t0, VCPU_COUNTERS + 8 * \which
    addi.d  \tmp, \tmp, 1
    st.d    \tmp, $t0, VCPU_COUNTERS + 8 * \which
.endm

// t3: an entry that names a table -> t3: the table's host-physical address.
.macro table_of_entry
    bstrpick.d $t3, $t3, 51, 12
    bgeu    $t3, $t6, refill_slow
    alsl.d  $t3, $t3, $t2, 3
    ld.d    $t3, $t3, 0
    andi    $t5, $t3, 3
    addi.d  $t5, $t5, -FRAME_RAM
    bnez    $t5, refill_slow
    bstrins.d $t3, $zero, 11, 0
.endm

// t3: a table -> t3: its entry for address bits hi..lo, t5 = 0 if present, accessed and no large page; else -> other.
.macro entry_of_table hi, lo, other
    bstrpick.d $t5, $t1, \hi, \lo
    alsl.d  $t3, $t5, $t3, 3
    ld.d    $t3, $t3, 0
    andi    $t5, $t3, PTE_P_A | PTE_PS
    xori    $t5, $t5, PTE_P_A
    bnez    $t5, \other
.endm

// A leaf entry in \e -> its TLBRELO in \e; G alone when it cannot be filled. t4 = rights mask; t0, t1, t7, t8 are lost.
.macro convert_leaf e
    andi    $t1, \e, PTE_P_A
    xori    $t1, $t1, PTE_P_A
    bnez    $t1, 3f
    bstrpick.d $t7, \e, 51, 12
    bgeu    $t7, $t6, 3f
    alsl.d  $t7, $t7, $t2, 3
    ld.d    $t8, $t7, 0
    and     \e, \e, $t4
    andi    $t1, $t8, 3 | FRAME_HOLDS_CODE
    addi.d  $t1, $t1, -FRAME_RAM
    bnez    $t1, 2f
1:  srli.d  $t1, \e, 5                  // D (bit 6) to W's place, which is LoongArch's D too
    and     $t1, $t1, \e
    andi    $t1, $t1, PTE_W
    slli.d  $t0, $t1, 2                 // to FRAME_MAYBE_WRITABLE's place
    andn    $t0, $t0, $t8
    bnez    $t0, 4f
5:  bstrins.d $t8, $zero, 11, 0
    or      $t1, $t1, $t8
    andi    $t0, \e, PTE_U
    alsl.d  $t0, $t0, $t0, 1            // PLV: 3 for user pages, 0 for the kernel's
    or      $t1, $t1, $t0
    andi    $t0, \e, PTE_G
    srli.d  $t0, $t0, 2
    or      $t1, $t1, $t0
    ori     $t1, $t1, 0x11              // V, coherent cached
    lu52i.d \e, $t1, 0x400              // NX: guest frames are never fetched from
    b       6f
2:  addi.d  $t1, $t1, -FRAME_HOLDS_CODE
    bnez    $t1, 3f
    bstrins.d \e, $zero, 6, 6           // D off: the first write shows itself
    b       1b
4:  amor.d  $zero, $t0, $t7
    b       5b
3:  ori     \e, $zero, 0x40
6:
.endm

// Reserved bits of an entry with PAE, among 63:52 -> refill_slow. Uses t8.
.macro refuse_pae e, tmp
    ld.hu   $t8, $t0, VCPU_REFILL_FLAGS + REFILL_FLAGS_REFUSED
    srli.d  \tmp, \e, 52
    and     $t8, $t8, \tmp
    bnez    $t8, refill_slow
.endm

// LargePages::mark for t1, a page of 2^shift bytes. t5, t7, t8 are lost.
.macro mark_large shift
    bstrpick.d $t5, $t1, \shift + LARGE_PAGES_LOG2 - 1, \shift
    bstrpick.d $t7, $t1, 47, \shift + LARGE_PAGES_LOG2
    xor     $t5, $t5, $t7
    ld.d    $t7, $t0, VCPU_LARGE_PAGES
    ld.bu   $t8, $t7, 0
    add.d   $t5, $t5, $t7
    st.b    $t8, $t5, LARGE_PAGES_MARKS
.endm

.macro restore
    ld.d    $t1, $t0, VCPU_REFILL_SAVE + 8 * 0
    ld.d    $t2, $t0, VCPU_REFILL_SAVE + 8 * 1
    ld.d    $t3, $t0, VCPU_REFILL_SAVE + 8 * 2
    ld.d    $t4, $t0, VCPU_REFILL_SAVE + 8 * 3
    ld.d    $t5, $t0, VCPU_REFILL_SAVE + 8 * 4
    ld.d    $t6, $t0, VCPU_REFILL_SAVE + 8 * 5
    csrrd   $t0, CSR_TLBRSAVE
.endm

    .section .text.vectors, "ax"
    .p2align 12
    .globl refill_entry
refill_entry:
    csrwr   $t0, CSR_TLBRSAVE
    csrrd   $t0, SAVE_VCPU
    beqz    $t0, refill_in_host
    bstrpick.d $t0, $t0, 47, 0
    st.d    $t1, $t0, VCPU_REFILL_SAVE + 8 * 0
    st.d    $t2, $t0, VCPU_REFILL_SAVE + 8 * 1
    st.d    $t3, $t0, VCPU_REFILL_SAVE + 8 * 2
    st.d    $t4, $t0, VCPU_REFILL_SAVE + 8 * 3
    st.d    $t5, $t0, VCPU_REFILL_SAVE + 8 * 4
    st.d    $t6, $t0, VCPU_REFILL_SAVE + 8 * 5
    csrrd   $t1, CSR_TLBRBADV
    csrwr   $t7, SAVE_REFILL0
    csrwr   $t8, SAVE_REFILL1
    count   COUNTER_REFILLS, $t2
    slli.d  $t2, $t1, 16                // canonical: bits 63:47 alike
    srai.d  $t2, $t2, 16
    bne     $t2, $t1, refill_slow
    ld.hu   $t2, $t0, VCPU_REFILL_FLAGS + REFILL_FLAGS_SLOT
    bstrpick.d $t5, $t1, 47, 39
    beq     $t5, $t2, refill_window
    ld.d    $t3, $t0, VCPU_REFILL_ROOT
    beqz    $t3, refill_other_walk
    ld.d    $t2, $t0, VCPU_REFILL_FRAMES
    ld.d    $t6, $t0, VCPU_REFILL_FRAME_COUNT

    entry_of_table 47, 39, refill_slow  // a large PML4E is reserved
    move    $t4, $t3
    table_of_entry
    entry_of_table 38, 30, refill_1g
    and     $t4, $t4, $t3
    table_of_entry
    entry_of_table 29, 21, refill_2m
    and     $t4, $t4, $t3
    table_of_entry
    bstrpick.d $t5, $t1, 20, 13
    alsl.d  $t3, $t5, $t3, 4
    ld.d    $t5, $t3, 8
    ld.d    $t3, $t3, 0

refill_pair:    // t3 even leaf, t5 odd leaf
    ld.hu   $t1, $t0, VCPU_REFILL_FLAGS + REFILL_FLAGS_LEAF
    andi    $t4, $t4, PTE_W | PTE_U
    or      $t4, $t4, $t1
    convert_leaf $t3
    convert_leaf $t5
    csrrd   $t1, CSR_TLBRBADV
    slli.d  $t1, $t1, 63 - 12           // which half was wanted?
    bltz    $t1, 1f
    andi    $t1, $t3, 1
    beqz    $t1, refill_slow
    b       2f
1:  andi    $t1, $t5, 1
    beqz    $t1, refill_slow
2:  xor     $t1, $t3, $t5
    andi    $t1, $t1, 0x40
    vcpu_physical $t0
    bnez    $t1, refill_mixed_global
    andi    $t1, $t3, 0x40
    beqz    $t1, 3f
    // Global: one that was filled as not global, in another address space, may not stay beside it.
    ld.bu   $t1, $t0, VCPU_REFILL_FLAGS + REFILL_FLAGS_MIXED_GLOBAL
    bnez    $t1, refill_slow
3:  csrwr   $t3, CSR_TLBRELO0
    csrwr   $t5, CSR_TLBRELO1
    tlbfill
    csrrd   $t7, SAVE_REFILL0
    csrrd   $t8, SAVE_REFILL1
    restore
    ertn

refill_mixed_global:    // not global then. An invalid half had G set only so as not to count
    and     $t1, $t3, $t5
    andi    $t1, $t1, 1
    bstrins.d $t3, $zero, 6, 6          // both, since QEMU looks at the even half's G alone
    bstrins.d $t5, $zero, 6, 6
    beqz    $t1, 3b
    st.b    $t1, $t0, VCPU_REFILL_FLAGS + REFILL_FLAGS_MIXED_GLOBAL
    b       3b

refill_1g:      // t5 = 80h exactly for a 1 GiB page: take the 2 MiB piece that is wanted
    xori    $t5, $t5, PTE_PS
    bnez    $t5, refill_slow
    bstrpick.d $t5, $t3, 29, 13
    bnez    $t5, refill_slow            // reserved bits
    mark_large LARGE_PAGES_SHIFT_1G
    bstrpick.d $t5, $t1, 29, 21
    bstrins.d $t3, $t5, 29, 21
    b       refill_large

refill_2m:
    xori    $t5, $t5, PTE_PS
    bnez    $t5, refill_slow
    bstrpick.d $t5, $t3, 20, 13
    bnez    $t5, refill_slow            // reserved bits
refill_large:   // t3 an entry that maps the 2 MiB with bits 51:21 of it
    and     $t4, $t4, $t3
    bstrpick.d $t5, $t3, 51, 21
    slli.d  $t7, $t5, 9
    bgeu    $t7, $t6, refill_slow
    ld.d    $t8, $t0, VCPU_REFILL_SUMMARY
    beqz    $t8, refill_pieces
    add.d   $t5, $t8, $t5
    ld.bu   $t8, $t5, 0
    andi    $t6, $t8, SUMMARY_PLAIN
    beqz    $t6, refill_pieces_again
    // Plain RAM: one entry, a pair of 1 MiB pages.
    alsl.d  $t7, $t7, $t2, 3
    ld.d    $t7, $t7, 0
    bstrins.d $t7, $zero, 11, 0
    ld.hu   $t1, $t0, VCPU_REFILL_FLAGS + REFILL_FLAGS_LEAF
    andi    $t4, $t4, PTE_W | PTE_U
    or      $t4, $t4, $t1
    and     $t3, $t3, $t4
    srli.d  $t1, $t3, 5
    and     $t1, $t1, $t3
    andi    $t1, $t1, PTE_W
    beqz    $t1, 1f
    ori     $t8, $t8, SUMMARY_WRITABLE
    st.b    $t8, $t5, 0
1:  or      $t7, $t7, $t1
    andi    $t1, $t3, PTE_U
    alsl.d  $t1, $t1, $t1, 1
    or      $t7, $t7, $t1
    andi    $t1, $t3, PTE_G
    srli.d  $t1, $t1, 2
    or      $t7, $t7, $t1
    ori     $t7, $t7, 0x11
    lu52i.d $t4, $t7, 0x400
    ori     $t5, $zero, 20
    count   COUNTER_LARGE_REFILLS, $t1
refill_sized:   // t4 TLBRELO0, t5 log2 of the page size; refills are 4 KiB again afterwards
    ori     $t3, $zero, 1
    sll.d   $t3, $t3, $t5
    add.d   $t3, $t4, $t3
    csrwr   $t4, CSR_TLBRELO0
    csrwr   $t3, CSR_TLBRELO1
    csrrd   $t3, CSR_TLBREHI
    move    $t4, $t3
    bstrins.d $t3, $t5, 5, 0
    csrwr   $t3, CSR_TLBREHI
    tlbfill
    csrwr   $t4, CSR_TLBREHI
    csrrd   $t7, SAVE_REFILL0
    csrrd   $t8, SAVE_REFILL1
    restore
    ertn

refill_pieces_again:
    ld.d    $t6, $t0, VCPU_REFILL_FRAME_COUNT
refill_pieces:  // the two 4 KiB entries that would map the same
    mark_large LARGE_PAGES_SHIFT_2M
    bstrpick.d $t5, $t1, 20, 13
    bstrins.d $t3, $t5, 20, 13
    bstrins.d $t3, $zero, 12, 12        // PAT of a large entry
    lu12i.w $t5, 1
    or      $t5, $t3, $t5
    b       refill_pair

refill_other_walk:  // 32-bit addresses, their upper half the sign or zeros
    ld.bu   $t5, $t0, VCPU_REFILL_FLAGS + REFILL_FLAGS_WALK
    beqz    $t5, refill_slow
    ld.d    $t2, $t0, VCPU_REFILL_FRAMES
    ld.d    $t6, $t0, VCPU_REFILL_FRAME_COUNT
    bstrpick.d $t1, $t1, 31, 0
    addi.d  $t5, $t5, -REFILL_WALK_TWO_LEVEL
    beqz    $t5, refill_two_level
    bltz    $t5, refill_pae
    // No paging: every address is its own, in 2 MiB pages that allow all.
    bstrpick.d $t3, $t1, 31, 21
    slli.d  $t3, $t3, 21
    ori     $t3, $t3, PTE_P_A | PTE_D | PTE_W | PTE_U
    move    $t4, $t3
    b       refill_large

refill_pae:     // from the four PDPTEs, which the processor read with CR3
    bstrpick.d $t5, $t1, 31, 30
    alsl.d  $t3, $t5, $t0, 3
    ld.d    $t3, $t3, VCPU_PDPTE
    andi    $t5, $t3, 1
    beqz    $t5, refill_slow
    table_of_entry
    entry_of_table 29, 21, refill_pae_2m
    refuse_pae $t3, $t5
    move    $t4, $t3
    table_of_entry
    bstrpick.d $t5, $t1, 20, 13
    alsl.d  $t3, $t5, $t3, 4
    ld.d    $t5, $t3, 8
    ld.d    $t3, $t3, 0
    or      $t7, $t3, $t5
    refuse_pae $t7, $t1
    b       refill_pair
refill_pae_2m:
    xori    $t5, $t5, PTE_PS
    bnez    $t5, refill_slow
    refuse_pae $t3, $t5
    bstrpick.d $t5, $t3, 20, 13
    bnez    $t5, refill_slow            // reserved bits
    move    $t4, $t3
    b       refill_large

refill_two_level:
    ld.d    $t3, $t0, VCPU_REFILL_ROOT_32
    bstrpick.d $t5, $t1, 31, 22
    alsl.d  $t3, $t5, $t3, 2
    ld.wu   $t3, $t3, 0
    ld.hu   $t5, $t0, VCPU_REFILL_FLAGS + REFILL_FLAGS_REFUSED
    and     $t5, $t5, $t3
    bnez    $t5, refill_slow
    move    $t4, $t3
    andi    $t5, $t3, PTE_P_A | PTE_PS
    xori    $t5, $t5, PTE_P_A
    bnez    $t5, refill_4m
    table_of_entry
    bstrpick.d $t5, $t1, 21, 13
    alsl.d  $t3, $t5, $t3, 3
    ld.wu   $t5, $t3, 4
    ld.wu   $t3, $t3, 0
    b       refill_pair
refill_4m:      // bits 20:13 of the entry are 39:32 of the address (PSE-36); take the 2 MiB piece that is wanted
    xori    $t5, $t5, PTE_PS
    bnez    $t5, refill_slow
    bstrpick.d $t5, $t3, 21, 21
    bnez    $t5, refill_slow            // a reserved bit
    mark_large LARGE_PAGES_SHIFT_4M
    bstrpick.d $t5, $t3, 20, 13
    bstrins.d $t3, $t5, 39, 32
    bstrins.d $t3, $zero, 20, 13
    bstrpick.d $t5, $t1, 21, 21
    bstrins.d $t3, $t5, 21, 21
    b       refill_large

refill_window:  // PLV3 only; the regions' entries are restricted to it as well
    csrrd   $t2, CSR_TLBRPRMD
    andi    $t2, $t2, 3
    beqz    $t2, refill_slow
    ld.d    $t2, $t0, VCPU_REFILL_WINDOW
1:  ld.d    $t4, $t2, REGION_SIZE
    beqz    $t4, refill_slow
    ld.d    $t3, $t2, REGION_BASE
    sub.d   $t3, $t1, $t3
    bltu    $t3, $t4, 2f
    addi.d  $t2, $t2, REGION_BYTES
    b       1b
2:  ld.d    $t5, $t2, REGION_SHIFT
    ld.d    $t4, $t2, REGION_LO
    addi.d  $t6, $t5, 1
    srl.d   $t3, $t3, $t6
    sll.d   $t3, $t3, $t6
    add.d   $t4, $t4, $t3
    count   COUNTER_WINDOW_REFILLS, $t3
    b       refill_sized

refill_slow:
    vcpu_physical $t0
    count   COUNTER_SLOW_REFILLS, $t1
    csrrd   $t1, CSR_TLBRBADV
    st.d    $t1, $t0, VCPU_HOST_BADV
    csrrd   $t1, CSR_TLBRERA
    bstrins.d $t1, $zero, 1, 0          // IsTLBR
    st.d    $t1, $t0, VCPU_HOST_PC
    csrrd   $t1, CSR_TLBRPRMD
    andi    $t1, $t1, 7
    st.d    $t1, $t0, VCPU_HOST_PRMD
    // ERTN is what ends the refill state; it goes to C++'s side of trap.S, mapped, at PLV0 with interrupts off.
    csrwr   $zero, CSR_TLBRPRMD
    la.abs  $t1, refill_to_cpp + 1      // + IsTLBR
    csrwr   $t1, CSR_TLBRERA
    csrrd   $t7, SAVE_REFILL0
    csrrd   $t8, SAVE_REFILL1
    restore
    ertn

refill_in_host:
    csrrd   $t0, CSR_TLBRERA
    bstrins.d $t0, $zero, 1, 0
    csrwr   $t0, CSR_ERA
    csrwr   $zero, CSR_TLBRPRMD
    la.abs  $t0, refill_in_host_mapped + 1
    csrwr   $t0, CSR_TLBRERA
    csrrd   $t0, CSR_TLBRSAVE
    ertn

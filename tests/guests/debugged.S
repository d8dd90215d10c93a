// A 32-bit multiboot guest for the debugger's tests. It counts for ever, under a timer; the debugger sends it to one of the cases
// below by its program counter, and each goes back to counting.
        .set    flags, 0x3
        .set    code32, 0x08
        .set    data32, 0x10
        .set    code64, 0x18                    // SYSCALL's, with data behind it
        .set    user_code32, 0x33
        .set    user_data, 0x3b                 // SYSRET's, with 64-bit code behind it
        .set    user_code64, 0x43
        .set    task, 0x48
        .set    absent, 0x58                    // beyond the table
        .set    user_page, 0x400000
        .set    old_segment, 0x1000             // of virtual-8086 code
        .set    first_copy, 0x800000
        .set    second_copy, 0xc00000

        .macro  put port, value
        movb    $\value, %al
        outb    %al, $\port
        .endm

        .code32
        .text
        .globl  _start
        .p2align 2
header: .long   0x1badb002, flags, -(0x1badb002 + flags)

_start: cli
        movl    $stack, %esp
        movl    $task_state, %eax
        movw    %ax, gdt + task + 2
        shrl    $16, %eax
        movb    %al, gdt + task + 4
        movb    %ah, gdt + task + 7
        lgdt    gdt_register
        ljmp    $code32, $1f
1:      movl    $data32, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %ss
        movl    $task, %eax
        ltr     %ax

        movl    $0x01, %ebx
        movl    $on_trap, %eax
        call    set_gate
        movl    $0x0d, %ebx
        movl    $on_protection, %eax
        call    set_gate
        movl    $0x20, %ebx
        movl    $on_timer, %eax
        call    set_gate
        movl    $0x30, %ebx
        movl    $on_call, %eax
        call    set_gate
        lidt    idt_register

        movl    $user_code, %esi                // the same program in both pages, but for one number
        movl    $first_copy, %edi
        movl    $user_code_end - user_code, %ecx
        rep     movsb
        movl    $user_code, %esi
        movl    $second_copy, %edi
        movl    $user_code_end - user_code, %ecx
        rep     movsb
        movb    $2, second_copy + 1

        // Interrupt controllers: vectors from 20h on, the timer alone. Timer: 1000 times a second.
        put     0x20, 0x11
        put     0x21, 0x20
        put     0x21, 0x04
        put     0x21, 0x01
        put     0x21, 0xfe
        put     0xa1, 0xff
        put     0x43, 0x34
        put     0x40, 0xa9
        put     0x40, 0x04

// Where all cases end.
        .globl  back
back:   movl    $data32, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    $stack, %esp
        sti
        jmp     count_for_ever

set_gate:                                       // vector EBX to EAX, for all privilege levels
        movw    %ax, idt(, %ebx, 8)
        movw    $code32, idt + 2(, %ebx, 8)
        movw    $0xee00, idt + 4(, %ebx, 8)
        shrl    $16, %eax
        movw    %ax, idt + 6(, %ebx, 8)
        ret

        .globl  on_timer
on_timer:
        incl    ticks
        pushl   %eax
        put     0x20, 0x20
        popl    %eax
        iret
        .globl  on_trap
on_trap:
        andl    $~0x100, 8(%esp)
        incl    traps
        iret
        .globl  on_protection
on_protection:
        addl    $4, %esp
        addl    $2, (%esp)                      // MOV FS, EAX
        iret
on_call:
        movl    %cr0, %ebx
        andl    $0x7fffffff, %ebx
        movl    %ebx, %cr0
        movl    $data32, %ebx
        movl    %ebx, %ds
        movl    %eax, from_user
        jmp     back

// An interrupt waits, and STI lets it in behind one more instruction.
        .globl  case_pending, in_shadow, behind_shadow
case_pending:
        cli
1:      put     0x20, 0x0a
        inb     $0x20, %al
        testb   $1, %al
        jz      1b
        movl    ticks, %ebx
        sti
in_shadow:
        movl    ticks, %esi
behind_shadow:
        movl    ticks, %edi
        jmp     back

        .globl  case_halt, behind_halt
case_halt:
        sti
        hlt
behind_halt:
        cli
        jmp     back

        .globl  case_iret, behind_iret
case_iret:
        pushfl
        pushl   $code32
        pushl   $behind_iret
        iret
        ud2
behind_iret:
        jmp     back

        .globl  case_repeat, at_repeat, behind_repeat
case_repeat:
        cld
        movl    $source, %esi
        movl    $copy, %edi
        movl    $64, %ecx
at_repeat:
        rep     movsb
behind_repeat:
        movl    $64, %ecx                       // for the next time
        movl    $copy, %edi
        xorl    %eax, %eax
        rep     stosb
        jmp     back

        .globl  case_fault, at_fault, behind_fault
case_fault:
        movl    $absent, %eax
at_fault:
        movl    %eax, %fs
behind_fault:
        jmp     back

        .globl  case_trap, at_trap, behind_trap
case_trap:
        cli
        pushfl
        popl    %ebx
        pushfl
        orl     $0x100, (%esp)
        popfl
at_trap:
        movl    $1, %ecx
behind_trap:
        movl    $2, %ecx
        jmp     back

        .globl  case_dead, behind_dead, case_shutdown, at_shutdown
case_dead:
        cli
        hlt
behind_dead:
        jmp     back
case_shutdown:
        lidt    no_idt_register
at_shutdown:
        ud2

// Virtual-8086 code, whose program counter is an offset.
        .globl  case_old
case_old:
        cli
        movl    $old_code, %esi
        movl    $old_segment * 16, %edi
        movl    $old_code_end - old_code, %ecx
        rep     movsb
        pushl   $0                              // GS, FS, DS, ES
        pushl   $0
        pushl   $0
        pushl   $0
        pushl   $0                              // SS:SP
        pushl   $0x1000
        pushl   $0x23002                        // VM, and INT n allowed
        pushl   $old_segment
        pushl   $0
        iret
        .code16
old_code:
        movw    $3, %ax
1:      incw    %ax                             // at 3
        cmpw    $6, %ax
        jne     1b
        int     $0x30
old_code_end:
        .code32

// User code at one address in two address spaces.
        .globl  case_first_space, case_second_space
case_first_space:
        movl    $first_directory, %eax
        jmp     1f
case_second_space:
        movl    $second_directory, %eax
1:      cli
        movl    %eax, %cr3
        movl    $0x10, %eax                     // PSE
        movl    %eax, %cr4
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        pushl   $user_data
        pushl   $user_page + 0x1000
        pushl   $2
        pushl   $user_code32
        pushl   $user_page
        iret
user_code:
        movl    $1, %eax
        incl    %eax                            // at user_page + 5
        int     $0x30
user_code_end:

// 64-bit user code that calls the system, and comes back by SYSRET.
        .globl  case_long, before_syscall, behind_syscall, on_syscall, before_sysret
case_long:
        movl    $with_system_calls, %ebp
enter_long_mode:                                // and to EBP
        cli
        movl    $0x620, %eax                    // PAE, OSFXSR, OSXMMEXCPT
        movl    %eax, %cr4
        movl    $level4, %eax
        movl    %eax, %cr3
        movl    $0xc0000080, %ecx               // EFER: LME, SCE
        movl    $0x101, %eax
        xorl    %edx, %edx
        wrmsr
        movl    $0xc0000081, %ecx               // STAR
        xorl    %eax, %eax
        movl    $0x00330018, %edx
        wrmsr
        incl    %ecx                            // LSTAR
        movl    $on_syscall, %eax
        xorl    %edx, %edx
        wrmsr
        movl    %cr0, %eax
        orl     $0x80000000, %eax
        movl    %eax, %cr0
        ljmp    $code64, $1f
        .code64
1:      jmp     *%rbp
with_system_calls:
        pushq   $user_data
        pushq   $user_stack
        pushq   $2
        pushq   $user_code64
        pushq   $1f
        iretq
1:      xorl    %edi, %edi
before_syscall:
        syscall
behind_syscall:
        incl    %edi
        syscall
on_syscall:
        testl   %edi, %edi
        jnz     1f
before_sysret:
        sysretq
1:      movl    $stack, %esp
        pushq   $code32
        pushq   $1f
        lretq
        .code32
1:      movl    %cr0, %eax
        andl    $0x7fffffff, %eax
        movl    %eax, %cr0
        movl    $0xc0000080, %ecx
        xorl    %eax, %eax
        xorl    %edx, %edx
        wrmsr
        movl    %eax, %cr4
        movl    $data32, %eax
        movl    %eax, %ss
        jmp     back

// 64-bit code, in kernel or user mode as `state_level` says, that has known values in all registers and stores them all.
        .macro  general_registers instruction
        \instruction rax, 0
        \instruction rcx, 1
        \instruction rdx, 2
        \instruction rbx, 3
        \instruction rbp, 5
        \instruction rsi, 6
        \instruction rdi, 7
        \instruction r8, 8
        \instruction r9, 9
        \instruction r10, 10
        \instruction r11, 11
        \instruction r12, 12
        \instruction r13, 13
        \instruction r14, 14
        \instruction r15, 15
        .endm
        .macro  load_general name, number
        movq    state_general + 8 * \number, %\name
        .endm
        .macro  store_general name, number
        movq    %\name, stored_general + 8 * \number
        .endm
        .macro  vector_registers instruction
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7, 8, 9, 10, 11, 12, 13, 14, 15
        \instruction \number
        .endr
        .endm
        .macro  load_vector number
        movups  state_vectors + 16 * \number, %xmm\number
        .endm
        .macro  store_vector number
        movups  %xmm\number, stored_vectors + 16 * \number
        .endm

// The same in a few, in 32-bit code.
        .code32
        .globl  case_state32, state32_loaded, state32_stored
case_state32:
        cli
        movl    $0x600, %eax                    // OSFXSR, OSXMMEXCPT
        movl    %eax, %cr4
        fninit
        fldt    state_st
        fldt    state_st + 32
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7
        load_vector \number
        .endr
state32_loaded:
        .irp    number, 0, 1, 2, 3, 4, 5, 6, 7
        store_vector \number
        .endr
        stmxcsr stored_mxcsr
        fstpt   stored_st
        fstpt   stored_st + 16
state32_stored:
        xorl    %eax, %eax
        movl    %eax, %cr4
        jmp     back

        .globl  case_state, load_state, at_compare, state_loaded, at_exchange, at_add, spin, spin1, spin2, spin3, spin4, store_state, state_stored
case_state:
        movl    $with_state, %ebp
        jmp     enter_long_mode
        .code64
with_state:
        movl    $user_data, %eax
        movl    %eax, %ds
        movl    %eax, %es
        movl    %eax, %fs
        movl    %eax, %gs
        movl    $0xc0000100, %ecx               // FS.base
        movl    $state_fs, %eax
        xorl    %edx, %edx
        wrmsr
        incl    %ecx                            // GS.base
        movl    $state_gs, %eax
        wrmsr
        cmpb    $0, state_level
        je      load_state
        pushq   $user_data
        pushq   $user_stack
        pushq   $2
        pushq   $user_code64
        pushq   $load_state
        iretq
load_state:
        fninit
        fldcw   state_fcw
        fldt    state_st
        fldt    state_st + 16
        fldt    state_st + 32
        fld1
        fdivs   three
at_compare:
        fcoms   three
        ldmxcsr state_mxcsr
        vector_registers load_vector
        general_registers load_general
        pushq   $0xcd7                          // CF PF AF ZF SF DF OF
        popfq
state_loaded:                                   // to be stepped over
        paddq   %xmm1, %xmm0
at_exchange:
        fxch    %st(2)
at_add: addq    %rbx, %rax
spin:   addq    $1, %r15                        // to be interrupted anywhere
spin1:  movq    %r15, %xmm15
spin2:  fld     %st(3)
spin3:  fstp    %st(0)
spin4:  jmp     spin

store_state:
        setc    stored_conditions
        setp    stored_conditions + 1
        setz    stored_conditions + 2
        sets    stored_conditions + 3
        seto    stored_conditions + 4
        general_registers store_general
        movq    %rsp, stored_general + 8 * 4
        pushfq
        popq    stored_flags
        vector_registers store_vector
        stmxcsr stored_mxcsr
        fxsave  stored_fxsave
        movq    %fs:0, %rax
        movq    %rax, stored_fs
        movq    %gs:0, %rax
        movq    %rax, stored_gs
        movss   one, %xmm0                      // as the control words say
        divss   three, %xmm0
        movss   %xmm0, stored_quotient
        stmxcsr stored_mxcsr + 4
        fld1
        fdivs   three
        fstpt   stored_st
        fstpt   stored_st + 16
        fstpt   stored_st + 32
        fstpt   stored_st + 48
state_stored:
        pushq   $2
        popfq
        movl    $1, %edi
        syscall

        .data
        .globl  state_level, state_fcw, state_mxcsr, three, state_fs, state_gs, other_fs, other_gs, user_stack
        .globl  stored_conditions, stored_general, stored_flags, stored_vectors, stored_mxcsr, stored_fxsave, stored_fs, stored_gs
        .globl  stored_quotient, stored_st
        .p2align 4
state_vectors:
        .set    number, 0
        .rept   16
        .quad   0x1111111111111111 * number + 1, 0x0123456789abcdef + number
        .set    number, number + 1
        .endr
state_st:
        .quad   0xc90fdaa22168c235, 0xc000      // -pi
        .quad   0, 0                            // 0
        .quad   0x8000000000000000, 0x7fff      // infinity
state_general:
        .set    number, 0
        .rept   15
        .quad   0x0101010101010101 * (number + 1)
        .set    number, number + 1
        .endr
        .quad   -3
state_fs:
        .quad   0xf5
state_gs:
        .quad   0x65
other_fs:
        .quad   0xf5f5f5f5f5
other_gs:
        .quad   0x6565656565
one:    .float  1
three:  .float  3
state_mxcsr:
        .long   0
state_fcw:
        .word   0
state_level:
        .byte   0
        .p2align 4
stored_fxsave:
        .fill   512
stored_vectors:
        .fill   16 * 16
stored_general:
        .fill   16 * 8
stored_st:
        .fill   4 * 16
stored_flags:
        .quad   0
stored_fs:
        .quad   0
stored_gs:
        .quad   0
stored_mxcsr:
        .quad   0
stored_quotient:
        .long   0
stored_conditions:
        .fill   5

        .globl  ticks, traps, from_user, source, copy, stack, first_directory, second_directory
ticks:  .long   0
traps:  .long   0
from_user:
        .long   0
source: .fill   64, 1, 0x5a
copy:   .fill   64, 1, 0
        .p2align 3
gdt:    .quad   0, 0x00cf9b000000ffff, 0x00cf93000000ffff, 0x00af9b000000ffff, 0x00cf93000000ffff, 0x008f9b000000ffff
        .quad   0x00cffb000000ffff, 0x00cff3000000ffff, 0x00affb000000ffff
        .quad   0x0000890000000067, 0
gdt_end:
gdt_register:
        .word   gdt_end - gdt - 1
        .long   gdt
idt_register:
        .word   0x31 * 8 - 1
        .long   idt
no_idt_register:
        .word   0
        .long   0
task_state:
        .long   0, stack, data32
        .fill   23, 4, 0

        .p2align 12
first_directory:
        .long   0x87, first_copy + 0x87
        .fill   1022, 4, 0
second_directory:
        .long   0x87, second_copy + 0x87
        .fill   1022, 4, 0
level4: .long   level3 + 7, 0                   // the last 2 MiB are there too
        .fill   510, 8, 0
        .long   level3 + 7, 0
level3: .long   level2 + 7, 0
        .fill   510, 8, 0
        .long   level2 + 7, 0
level2: .quad   0x87, 0x200087
        .fill   509, 8, 0
        .quad   0x200087

        .bss
        .p2align 4
idt:    .fill   0x31 * 8
        .p2align 4
        .fill   4096
stack:  .fill   4096
user_stack:

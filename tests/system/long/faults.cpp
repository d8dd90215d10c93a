// Exceptions of single instructions, with the state they leave. Intel SDM vol. 3, "Exception and Interrupt Reference".
#include "long/tables.hpp"

namespace guest {
namespace {

CODE(64, nothing, "nop")
CODE(64, divide_by_zero, "div ecx")
CODE(64, divide_overflow, "idiv rcx")
CODE(64, load_rbx, "mov al, [rbx]")
CODE(64, load_rbp, "mov al, [rbp]")
CODE(64, load_rsp, "mov al, [rsp]")
CODE(64, push_rax, "push rax")
CODE(64, pop_rax, "pop rax")
CODE(64, jump_rbx, "jmp rbx")
CODE(64, call_rbx, "call rbx")
CODE(64, return_near, "ret")
CODE(64, int3_short, "int3")
CODE(64, int_3, ".byte 0xcd, 3")
CODE(64, int_20, "int 0x20")
CODE(64, int1, ".byte 0xf1")
CODE(64, longest, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90")
CODE(64, too_long, ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x90")
CODE(64, too_long_undefined,
     ".byte 0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x66,0x0f,0x0b")

// LOCK before what may not have it. Intel SDM vol. 2, "LOCK".
CODE(64, lock_nop, ".byte 0xf0, 0x90")
CODE(64, lock_mov, ".byte 0xf0, 0x89, 0x03")
CODE(64, lock_add_register, ".byte 0xf0, 0x01, 0xc3")
CODE(64, lock_load_add, ".byte 0xf0, 0x03, 0x03")
CODE(64, lock_cmp, ".byte 0xf0, 0x39, 0x03")
CODE(64, lock_cmp_immediate, ".byte 0xf0, 0x83, 0x3b, 0x01")
CODE(64, lock_test, ".byte 0xf0, 0x85, 0x03")
CODE(64, lock_bt, ".byte 0xf0, 0x0f, 0xa3, 0x03")
CODE(64, lock_bt_immediate, ".byte 0xf0, 0x0f, 0xba, 0x23, 0x01")
CODE(64, lock_bts_register, ".byte 0xf0, 0x0f, 0xab, 0xc3")
CODE(64, lock_xchg_register, ".byte 0xf0, 0x87, 0xc3")
CODE(64, lock_inc_register, ".byte 0xf0, 0xff, 0xc0")
CODE(64, lock_not_register, ".byte 0xf0, 0xf7, 0xd0")
CODE(64, lock_shl, ".byte 0xf0, 0xd1, 0x23")
CODE(64, lock_mul, ".byte 0xf0, 0xf7, 0x23")
CODE(64, lock_push, ".byte 0xf0, 0xff, 0x33")
CODE(64, lock_movsb, ".byte 0xf0, 0xa4")
CODE(64, lock_cmpxchg_register, ".byte 0xf0, 0x0f, 0xb1, 0xc3")
CODE(64, lock_jmp, ".byte 0xf0, 0xeb, 0x00")
CODE(64, lock_lea, ".byte 0xf0, 0x8d, 0x03")
constexpr Piece locked[] = {{"NOP", lock_nop},
                            {"MOV", lock_mov},
                            {"ADD register", lock_add_register},
                            {"ADD from memory", lock_load_add},
                            {"CMP", lock_cmp},
                            {"CMP immediate", lock_cmp_immediate},
                            {"TEST", lock_test},
                            {"BT", lock_bt},
                            {"BT immediate", lock_bt_immediate},
                            {"BTS register", lock_bts_register},
                            {"XCHG register", lock_xchg_register},
                            {"INC register", lock_inc_register},
                            {"NOT register", lock_not_register},
                            {"SHL", lock_shl},
                            {"MUL", lock_mul},
                            {"PUSH", lock_push},
                            {"MOVSB", lock_movsb},
                            {"CMPXCHG register", lock_cmpxchg_register},
                            {"JMP", lock_jmp},
                            {"LEA", lock_lea}};

// Opcodes that 64-bit mode does not have, and such as no mode has.
CODE(64, ud2, "ud2")
CODE(64, ud1, ".byte 0x0f, 0xb9, 0xc0")
CODE(64, ud0, ".byte 0x0f, 0xff, 0xc0")
CODE(64, op_06, ".byte 0x06")
CODE(64, op_07, ".byte 0x07")
CODE(64, op_0e, ".byte 0x0e")
CODE(64, op_16, ".byte 0x16")
CODE(64, op_17, ".byte 0x17")
CODE(64, op_1e, ".byte 0x1e")
CODE(64, op_1f, ".byte 0x1f")
CODE(64, op_27, ".byte 0x27")
CODE(64, op_2f, ".byte 0x2f")
CODE(64, op_37, ".byte 0x37")
CODE(64, op_3f, ".byte 0x3f")
CODE(64, op_60, ".byte 0x60")
CODE(64, op_61, ".byte 0x61")
CODE(64, op_82, ".byte 0x82, 0xc0, 0x01")
CODE(64, op_9a, ".byte 0x9a, 0,0,0,0, 8,0")
CODE(64, op_ea, ".byte 0xea, 0,0,0,0, 8,0")
CODE(64, op_ce, ".byte 0xce")
CODE(64, op_d4, ".byte 0xd4, 0x0a")
CODE(64, op_d5_, ".byte 0xd6")
CODE(64, op_0f04, ".byte 0x0f, 0x04")
CODE(64, op_0f0a, ".byte 0x0f, 0x0a")
CODE(64, op_0f0c, ".byte 0x0f, 0x0c")
CODE(64, op_mov_cs, ".byte 0x8e, 0xc8")
CODE(64, op_mov_seg6, ".byte 0x8e, 0xf0")
CODE(64, op_mov_from_seg7, ".byte 0x8c, 0xf8")
CODE(64, op_fe2, ".byte 0xfe, 0xd0")
CODE(64, op_ff7, ".byte 0xff, 0xf8")
CODE(64, op_8f1, ".byte 0x8f, 0xc8, 0x00")
CODE(64, op_c6_1, ".byte 0xc6, 0xc8, 0x00")
CODE(64, op_lea_register, ".byte 0x8d, 0xc0")
CODE(64, op_far_jump_register, ".byte 0xff, 0xe8")
CODE(64, op_far_call_register, ".byte 0xff, 0xd8")
CODE(64, op_cmpxchg8b_register, ".byte 0x0f, 0xc7, 0xc8")
CODE(64, op_lgdt_register, ".byte 0x0f, 0x01, 0xd7")
CODE(64, op_lidt_register, ".byte 0x0f, 0x01, 0xdf")
CODE(64, op_invlpg_register, ".byte 0x0f, 0x01, 0xfe")
CODE(64, op_mov_cr1, ".byte 0x0f, 0x20, 0xc8")
CODE(64, op_mov_cr5, ".byte 0x0f, 0x20, 0xe8")
CODE(64, op_mov_cr7, ".byte 0x0f, 0x22, 0xf8")
CODE(64, op_mov_cr9, ".byte 0x44, 0x0f, 0x20, 0xc8")
CODE(64, op_lfs_register, ".byte 0x0f, 0xb4, 0xc0")
CODE(64, op_0fba0, ".byte 0x0f, 0xba, 0xc0, 0x00")
CODE(64, op_0f00_6, ".byte 0x0f, 0x00, 0xf0")
constexpr Piece undefined[] = {{"UD2", ud2},
                               {"UD1", ud1},
                               {"UD0", ud0},
                               {"PUSH ES", op_06},
                               {"POP ES", op_07},
                               {"PUSH CS", op_0e},
                               {"PUSH SS", op_16},
                               {"POP SS", op_17},
                               {"PUSH DS", op_1e},
                               {"POP DS", op_1f},
                               {"DAA", op_27},
                               {"DAS", op_2f},
                               {"AAA", op_37},
                               {"AAS", op_3f},
                               {"PUSHA", op_60},
                               {"POPA", op_61},
                               {"opcode 82", op_82},
                               {"CALL ptr", op_9a},
                               {"JMP ptr", op_ea},
                               {"INTO", op_ce},
                               {"AAM", op_d4},
                               {"SALC", op_d5_},
                               {"0F 04", op_0f04},
                               {"0F 0A", op_0f0a},
                               {"0F 0C", op_0f0c},
                               {"MOV CS", op_mov_cs},
                               {"MOV to segment 6", op_mov_seg6},
                               {"MOV from segment 7", op_mov_from_seg7},
                               {"FE /2", op_fe2},
                               {"FF /7", op_ff7},
                               {"8F /1", op_8f1},
                               {"C6 /1", op_c6_1},
                               {"LEA register", op_lea_register},
                               {"far JMP register", op_far_jump_register},
                               {"far CALL register", op_far_call_register},
                               {"CMPXCHG8B register", op_cmpxchg8b_register},
                               {"INVLPG register", op_invlpg_register},
                               {"MOV from CR1", op_mov_cr1},
                               {"MOV from CR5", op_mov_cr5},
                               {"MOV to CR7", op_mov_cr7},
                               {"MOV from CR9", op_mov_cr9},
                               {"LFS register", op_lfs_register},
                               {"0F BA /0", op_0fba0},
                               {"0F 00 /6", op_0f00_6}};

// Addresses that are not canonical. Intel SDM vol. 1, "Canonical Addressing".
void check_canonical() {
    constexpr Piece by_stack[] = {{"load by RSP", load_rsp}, {"PUSH", push_rax}, {"POP", pop_rax}};
    constexpr u64 wild[] = {1ull << 47, 0xffff7fffffffffff, 1ull << 63};
    for (auto [level, mode] : levels)
        for (unsigned n = 0; n < 3; ++n) {
            Regs r = mode(load_rbx());
            r.gpr[Rbx] = r.gpr[Rbp] = wild[n];
            Check(Name("non-canonical load") << level << n).ends(run(r), load_rbx(), gp(0));
            r.rip = load_rbp().begin;
            Check(Name("non-canonical load by RBP") << level << n).ends(run(r), load_rbp(), ss(0));
            r.rip = jump_rbx().begin;
            Check(Name("non-canonical JMP") << level << n).ends(run(r), jump_rbx(), gp(0));
            r.rip = call_rbx().begin;
            Check(Name("non-canonical CALL") << level << n)
                .ends(run(r), call_rbx(), gp(0))
                .is("RSP", trapped.gpr[Rsp], r.gpr[Rsp]);
            r.rip = return_near().begin;
            r.gpr[Rsp] -= 8;
            at<u64>(r.gpr[Rsp]) = wild[n];
            Check(Name("non-canonical RET") << level << n)
                .ends(run(r), return_near(), gp(0))
                .is("RSP", trapped.gpr[Rsp], r.gpr[Rsp]);
            r.gpr[Rsp] = wild[n] == 1ull << 47 ? wild[n] + 8 : wild[n];
            for (auto [name, code] : by_stack) {
                r.rip = code().begin;
                Check(Name("non-canonical") << name << level << n)
                    .ends(run(r), code(), ss(0))
                    .is("RSP", trapped.gpr[Rsp], r.gpr[Rsp]);
            }
        }
}

void check_software_interrupts() {
    Check("INT3 returns behind itself").ends(run(user(int3_short())), int3_short(), trap_at(3, int3_short().at + 1));
    Check("INT 3 returns behind itself").ends(run(user(int_3())), int_3(), trap_at(3, int_3().at + 2));
    Check("INT 20h kernel").ends(run(kernel(int_20())), int_20(), trap_at(0x20, int_20().at + 2));
    Check("INT 20h user, gate of DPL 0").ends(run(user(int_20())), int_20(), gp(0x20 * 8 + 2));
    set_gate(0x20, stub(0x20), sel::kernel_code, 0xee);
    Check("INT 20h user, gate of DPL 3").ends(run(user(int_20())), int_20(), trap_at(0x20, int_20().at + 2));
    set_gate(0x20, stub(0x20), sel::kernel_code, 0x6e);
    Check("INT 20h user, gate not present").ends(run(user(int_20())), int_20(), np(0x20 * 8 + 2));
    Check("INT 20h kernel, gate not present").ends(run(kernel(int_20())), int_20(), np(0x20 * 8 + 2));
    reset_gate(0x20);
    // DPL of the gate is not looked at for INT1 and exceptions; INT3's is.
    Check("INT1 user, gate of DPL 0").ends(run(user(int1())), int1(), trap_at(1, int1().at + 1));
    set_gate(3, stub(3), sel::kernel_code, 0x8e);
    Check("INT3 user, gate of DPL 0").ends(run(user(int3_short())), int3_short(), gp(3 * 8 + 2));
    reset_gate(3);
    // A fault's gate that is not present, or of a wrong type.
    struct Row {
        const char* name;
        u8 access;
    };
    constexpr Row wrong[] = {{"type 0", 0x80},           {"LDT", 0x82},       {"16-bit interrupt gate", 0x86},
                             {"16-bit trap gate", 0x87}, {"task gate", 0x85}, {"call gate", 0x8c},
                             {"code segment", 0x9b}};
    for (const Row& row : wrong) {
        set_gate(0x20, stub(0x20), sel::kernel_code, row.access);
        Check(Name("INT 20h through") << row.name).ends(run(kernel(int_20())), int_20(), gp(0x20 * 8 + 2));
    }
    struct Target {
        const char* name;
        u16 selector;
        Want want;
    };
    constexpr u16 spare = sel::spare;
    gdt[spare / 8] = descriptor(0, 0xfffff, 0x1b, 0xa);
    gdt[spare / 8 + 1] = descriptor(0, 0xfffff, 0x9b, 0xe);
    const Target targets[] = {{"a null selector", 0, gp(0)},
                              {"a null selector of RPL 3", 3, gp(0)},
                              {"a data segment", sel::kernel_data, gp(sel::kernel_data)},
                              {"32-bit code", sel::kernel_code32, gp(sel::kernel_code32)},
                              {"code of an outer level", sel::user_code, gp(sel::user_code & ~3)},
                              {"absent code", spare, np(spare)},
                              {"code with L and D", spare + 8, gp(spare + 8)},
                              {"a selector beyond the GDT", 0x1000, gp(0x1000)},
                              {"an LDT selector without LDT", 0xc, gp(0xc)}};
    for (const Target& t : targets) {
        set_gate(0x20, stub(0x20), t.selector, 0x8e);
        Check(Name("INT 20h to") << t.name).ends(run(kernel(int_20())), int_20(), t.want);
    }
    set_gate(0x20, 1ull << 47, sel::kernel_code, 0x8e);
    Check("INT 20h to a non-canonical offset").ends(run(kernel(int_20())), int_20(), gp(0));
    reset_gate(0x20);
}

// Intel SDM vol. 3, "Interrupt 8--Double Fault Exception".
void check_double_faults() {
    struct Row {
        const char* name;
        Code (*code)();
        unsigned vector;  // of the gate that is broken
        Want want;
    };
    const Row rows[] = {{"#UD with an absent gate is #NP", ud2, 6, np(6 * 8 + 3)},
                        {"#DE with an absent gate is #DF", divide_by_zero, 0, fault(8, 0)},
                        {"#GP with an absent gate is #DF", load_rbx, 13, fault(8, 0)},
                        {"#SS with an absent gate is #DF", load_rbp, 12, fault(8, 0)},
                        {"#PF with an absent gate is #DF", load_rsp, 14, fault(8, 0)}};
    for (auto [level, mode] : levels)
        for (const Row& row : rows) {
            set_gate(row.vector, stub(row.vector), sel::kernel_code, 0x0e);
            Regs r = mode(row.code());
            r.gpr[Rbx] = r.gpr[Rbp] = 1ull << 47;
            if (row.vector == 14) r.gpr[Rsp] = 0x90'0000'0000;
            Check(Name(row.name) << level).ends(run(r), row.code(), row.want);
            reset_gate(row.vector);
        }
    // The handler's stack is not mapped: #GP then #PF are handled one after the other, #PF then #PF are a double fault.
    tss.ist[1] = 0x90'0000'1000;
    for (auto [level, mode] : levels) {
        set_gate(13, stub(13), sel::kernel_code, 0x8e, 2);
        Regs r = mode(load_rbx());
        r.gpr[Rbx] = 1ull << 47;
        Check(Name("#GP with an absent stack is #PF") << level).ends(run(r), load_rbx(), pf(2, 0x90'0000'0ff8));
        reset_gate(13);
        set_gate(14, stub(14), sel::kernel_code, 0x8e, 2);
        r.gpr[Rbx] = 0x91'0000'0000;
        Check(Name("#PF with an absent stack is #DF") << level)
            .ends(run(r), load_rbx(), fault(8, 0))
            .is("CR2", trapped.cr2, 0x90'0000'0ff8);
        reset_gate(14);
    }
    tss.ist[1] = 1ull << 47;
    set_gate(0x20, stub(0x20), sel::kernel_code, 0x8e, 2);
    Check("INT 20h with a non-canonical IST").ends(run(kernel(int_20())), int_20(), ss(0));
    reset_gate(0x20);
    set_gate(6, stub(6), sel::kernel_code, 0x8e, 2);
    Check("#UD with a non-canonical IST").ends(run(kernel(ud2())), ud2(), ss(1));
    reset_gate(6);
    tss.ist[1] = 0;
}

CODE(64, load_es, "mov es, ax")
CODE(64, misaligned, "mov eax, [rbx + 1]")
CODE(64, fld1_, "fld1")
CODE(64, int_30, "int 0x30")

// Each class of first exception with each kind of second one, which its gate causes.
void check_double_fault_matrix() {
    enum Class { Benign, Contributory, PageFault };
    struct First {
        const char* name;
        Code (*code)();
        unsigned vector;
        Class of;
    };
    constexpr First firsts[] = {{"#DE", divide_by_zero, 0, Contributory},
                                {"#UD", ud2, 6, Benign},
                                {"#NM", fld1_, 7, Benign},
                                {"#NP", load_es, 11, Contributory},
                                {"#SS", load_rbp, 12, Contributory},
                                {"#GP", load_rbx, 13, Contributory},
                                {"#PF", load_rbx, 14, PageFault},
                                {"#AC", misaligned, 17, Benign},
                                {"INT 30h", int_30, 0x30, Benign}};
    constexpr uptr absent = 0x90'0000'1000;
    struct Second {
        const char* name;
        u16 selector;
        u8 access, ist;
    };
    constexpr Second seconds[] = {{"an absent gate", sel::kernel_code, 0x0e, 1},
                                  {"a gate of another type", sel::kernel_code, 0x82, 1},
                                  {"a null selector", 0, 0x8e, 1},
                                  {"data for code", sel::kernel_data, 0x8e, 1},
                                  {"an absent stack", sel::kernel_code, 0x8e, 2}};
    gdt[sel::spare / 8] = descriptor(0, 0xfffff, 0x73, 0xc);  // absent
    tss.ist[1] = absent;
    for (const First& f : firsts)
        for (const Second& s : seconds) {
            const bool software = f.vector == 0x30;
            Regs r = user(f.code());
            r.gpr[Rbx] = f.vector == 14 ? 0x91'0000'0000 : f.vector == 17 ? address(user_page) : 1ull << 47;
            r.gpr[Rbp] = 1ull << 47;
            r.gpr[Rax] = sel::spare | 3;
            if (f.vector == 17) r.flags |= flag::ac;
            set_gate(f.vector, stub(f.vector), s.selector, static_cast<u8>(s.access | 0x60), s.ist);
            With with(With::Cr0, cr0::am | (f.vector == 7 ? cr0::ts : 0), 0);
            run(r);
            reset_gate(f.vector);
            const bool page = s.ist == 2;
            const unsigned ext = software ? 0 : 1, idt_error = f.vector * 8 + 2 + ext;
            Want want = page               ? pf(2, absent - 8)
                        : s.access == 0x0e ? np(idt_error)
                        : s.access == 0x82 ? gp(idt_error)
                                           : gp(s.selector | ext);
            if ((f.of == Contributory && !page) || f.of == PageFault) want = fault(8, 0);
            Check(Name(f.name) << "delivered through" << s.name).ends(trapped, f.code(), want);
        }
    tss.ist[1] = 0;
}

}  // namespace

void check_faults() {
    forget_tables();
    for (auto [level, mode] : levels) {
        Check(Name("runs to its end") << level).ends(run(mode(nothing())), nothing(), done);
        Check(Name("#DE DIV by zero") << level).ends(run(mode(divide_by_zero())), divide_by_zero(), fault(0));
        Regs r = mode(divide_overflow());
        r.gpr[Rax] = 0, r.gpr[Rdx] = 1ull << 63, r.gpr[Rcx] = 1;
        Check(Name("#DE IDIV overflow") << level)
            .ends(run(r), divide_overflow(), fault(0))
            .is("RDX", trapped.gpr[Rdx], 1ull << 63)
            .is("RF", trapped.flags & flag::rf, flag::rf);
        Check(Name("instruction of 15 bytes") << level).ends(run(mode(longest())), longest(), done);
        Check(Name("instruction of 16 bytes") << level).ends(run(mode(too_long())), too_long(), gp(0));
        Check(Name("undefined one of 17 bytes") << level)
            .ends(run(mode(too_long_undefined())), too_long_undefined(), gp(0));
        for (auto [name, code] : locked) {
            r = mode(code());
            r.gpr[Rbx] = r.gpr[Rsi] = r.gpr[Rdi] = address(user_page);
            Check(Name("LOCK") << name << level).ends(run(r), code(), ud);
        }
        for (auto [name, code] : undefined) {
            Check(Name("#UD") << name << level).ends(run(mode(code())), code(), ud);
        }
    }
    check_canonical();
    check_software_interrupts();
    check_double_faults();
    check_double_fault_matrix();
}

}  // namespace guest

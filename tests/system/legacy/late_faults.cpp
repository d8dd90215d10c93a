// Faults that come late: while an event is delivered, behind a task switch; and what they and the new task see. Intel SDM vol. 3, "Error
// Code", "Task Switching"; vol. 2, "CALL", "INT n/INTO/INT3/INT1".
#include "legacy/tasks.hpp"

namespace guest {
namespace {

CODE(32, one, "nop")
CODE(32, two, "nop\nnop")
CODE(32, call_gate, ".byte 0x9a, 0, 0, 0, 0, 0x8b, 0")
CODE(32, undefined, "ud2")
CODE(32, int_20, "int 0x20")
CODE(32, jump_tss, ".byte 0xea, 0, 0, 0, 0, 0xa8, 0")
CODE(32, nop_jump_tss, "nop\n.byte 0xea, 0, 0, 0, 0, 0xa8, 0")
CODE(32, sgdt_, "sgdt [ebx]")
CODE(32, halt, "hlt")

constexpr u16 spare = sel::spare, other = 0xa8;
alignas(16) Tss task;
u8 task_stack[4096];

void make_task(const Code& code, bool as_user = false) {
    for (unsigned n = 0; n < tss_size; ++n) reinterpret_cast<volatile u8*>(&task)[n] = 0;
    task.esp0 = tss.esp0, task.ss0 = tss.ss0;
    task.eip = static_cast<u32>(code.begin), task.eflags = 2;
    for (unsigned n = 0; n < 8; ++n) task.gpr[n] = 0x1000 + n;
    task.gpr[Rsp] = static_cast<u32>(address(as_user ? user_stack + sizeof user_stack : task_stack + sizeof task_stack));
    for (u32& seg : task.seg) seg = as_user ? sel::user_data : sel::kernel_data;
    task.seg[1] = as_user ? sel::user_code : sel::kernel_code;
    task.map_base = 0x68;
    task.cr3 = read_cr3();
    gdt[other / 8] = descriptor(static_cast<u32>(address(&task)), tss_size - 1, 0x89, 0);
}

Trap in_task(const Regs& r) {
    run(r);
    const Trap t = trapped;
    own_task();
    return t;
}

void check_stacks() {
    constexpr u16 small = (spare + 8) | 1;
    const u32 to = static_cast<u32>(one().begin), esp1 = tss.esp1;
    gdt[spare / 8] = gate(sel::code1, to, 0xec);
    gdt[small / 8] = descriptor(0, 0xf, 0xb3, 4);  // 16 bytes, DPL 1
    tss.ss1 = small, tss.esp1 = 8;
    Check("CALL to a stack that is too small").ends(run(user(call_gate())), call_gate(), ss(small & ~3));
    set_gate(0x20, to, sel::code1, 0xee);
    Check("INT to a stack that is too small").ends(run(user(int_20())), int_20(), ss(small & ~3));
    reset_gate(0x20);
    set_gate(6, to, sel::code1, 0xee);
    Check("#UD to a stack that is too small").ends(run(user(undefined())), undefined(), ss((small & ~3) | 1));
    tss.ss1 = sel::data1, tss.esp1 = esp1;
    Regs r = level1(undefined());
    r.ss = small, r.gpr[Rsp] = 8;
    Check("#UD on a stack without room").ends(run(r), undefined(), ss(1));
    reset_gate(6);
}

void check_task_gates() {
    make_task(one());
    gdt[other / 8] |= 2ull << 40;
    idt[6] = gate(other, 0, 0xe5);
    Check("#UD to a busy task").ends(run(user(undefined())), undefined(), gp(other | 1));
    make_task(one());
    gdt[other / 8] &= ~(0x80ull << 40);
    Check("#UD to an absent task").ends(run(user(undefined())), undefined(), np(other | 1));
    make_task(one());
    task.seg[2] = sel::kernel_code;
    idt[10] = gate(sel::double_fault, 0, 0x85);
    run(user(undefined()));
    const u32 error = static_cast<u32>(trapped.error);
    reset_gate(10);
    own_task();
    Check("#UD to a task with a bad SS").is("error", error, sel::kernel_code | 1);
    make_task(one());
    const Trap t = in_task(user(undefined()));
    Check("RF in the image of a task that faulted").ends(t, one(), done).is("RF", tss.eflags & flag::rf, flag::rf);
    reset_gate(6);
    make_task(one());
    task.trap = 1;
    idt[13] = gate(other, 0, 0x85);
    const Trap debug = in_task(user(halt()));
    reset_gate(13);
    Check("#GP to a task with T")
        .ends(debug, one(), trap_at(1, one().begin))
        .is("ESP", debug.gpr[Rsp], task.gpr[Rsp] - 4)
        .is("error code", at<u32>(task.gpr[Rsp] - 4), 0);
}

void check_flags() {
    make_task(two());
    task.eflags = 2 | flag::tf;
    idt[0x20] = gate(other, 0, 0xe5);
    Check("TF of a task entered by INT").ends(in_task(kernel(int_20())), two(), trap_at(1, two().begin + 1));
    reset_gate(0x20);
    make_task(two());
    task.eflags = 2 | flag::tf;
    Check("TF of a task entered by JMP").ends(in_task(kernel(jump_tss())), two(), trap_at(1, two().begin + 1));
    make_task(one());
    Regs r = kernel(nop_jump_tss());
    r.flags |= flag::rf;
    const Trap t = in_task(r);
    Check("RF that is over is not in a task's image").ends(t, one(), done).is("RF", tss.eflags & flag::rf, 0);
}

// All selectors are the new task's before the first descriptor is looked at.
void check_new_selectors() {
    const struct {
        const char* name;
        void (*spoil)();
        u16 error;
    } rows[] = {{"DS", [] { task.seg[3] = sel::tss; }, sel::tss}, {"LDT", [] { task.ldt = sel::kernel_data; }, sel::kernel_data},
                {"SS", [] { task.seg[2] = sel::kernel_data; }, sel::kernel_data}};
    for (const auto& row : rows) {
        make_task(one(), true);
        row.spoil();
        const Trap t = in_task(kernel(jump_tss()));
        Check(Name("#TS by a task of level 3 for its") << row.name)
            .ends(t, one(), Want{.vector = 10, .error = row.error, .rip = static_cast<i64>(one().begin)})
            .is("pushed CS", t.cs, sel::user_code)
            .is("pushed SS", t.ss, task.seg[2])
            .is("pushed ESP", t.gpr[Rsp], task.gpr[Rsp]);
    }
    make_task(one(), true);
    gdt[spare / 8] = descriptor(0, 0xfffff, 0x73, 12);  // a stack segment that is absent, and of another level than RPL says
    task.seg[2] = spare;
    Check("#SS by a task for an absent SS of a wrong level")
        .ends(in_task(kernel(jump_tss())), one(), Want{.vector = 12, .error = spare, .rip = static_cast<i64>(one().begin)});
}

void check_descriptor_alignment() {
    With am(With::Cr0, cr0::am);
    for (unsigned offset = 0; offset < 8; ++offset) {
        Regs r = user(sgdt_());
        r.flags |= flag::ac;
        r.gpr[Rbx] = address(user_page) + offset;
        Check(Name("SGDT with #AC at") << offset).ends(run(r), sgdt_(), offset % 4 == 2 ? done : fault(17, 0));
    }
}

}  // namespace

void check_late_faults() {
    check_stacks();
    check_task_gates();
    check_flags();
    check_new_selectors();
    check_descriptor_alignment();
}

}  // namespace guest

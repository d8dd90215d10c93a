// Task switches: by JMP, CALL, IRET, task gates and interrupts; what is saved, busy, linked and checked. Intel SDM vol.
// 3, "Task Management".
#include "legacy/tasks.hpp"

namespace guest {
namespace {

constexpr u16 other = sel::spare, gate_to = sel::spare + 8;
alignas(16) Tss task;
u8 task_stack[4096];

CODE(32, inside, "nop")
CODE(32, inside_user, "nop")
CODE(32, returns, "iretd\nnop")
CODE(32, jump_tss, ".byte 0xea, 0, 0, 0, 0, 0x88, 0")
CODE(32, call_tss, ".byte 0x9a, 0, 0, 0, 0, 0x88, 0")
CODE(32, jump_gate, ".byte 0xea, 0, 0, 0, 0, 0x93, 0")
CODE(32, call_gate, ".byte 0x9a, 0, 0, 0, 0, 0x93, 0")
CODE(32, int_20, "int 0x20")
CODE(32, undefined, "ud2")
CODE(32, iret_nt, "iretd")
CODE(16, inside_v8086, "nop")
CODE(16, int_20_v8086, "int 0x20")

void make_task(const Code& code, bool as_user = false) {
    for (unsigned n = 0; n < tss_size; ++n) reinterpret_cast<volatile u8*>(&task)[n] = 0;
    task.esp0 = tss.esp0, task.ss0 = tss.ss0;
    task.eip = static_cast<u32>(code.begin), task.eflags = 2;
    for (unsigned n = 0; n < 8; ++n) task.gpr[n] = 0x1000 + n;
    task.gpr[Rsp] =
        static_cast<u32>(address(as_user ? user_stack + sizeof user_stack : task_stack + sizeof task_stack));
    for (u32& seg : task.seg) seg = as_user ? sel::user_data : sel::kernel_data;
    task.seg[1] = as_user ? sel::user_code : sel::kernel_code;
    task.map_base = 0x68;
    task.cr3 = read_cr3();
    gdt[other / 8] = descriptor(static_cast<u32>(address(&task)), tss_size - 1, 0x89, 0);
    gdt[gate_to / 8] = gate(other, 0, 0xe5);
}

struct Seen {
    u16 tr;
    bool old_busy, new_busy, ts;
    u16 link;
};
Seen look() {
    const Seen s{task_register(), busy(sel::tss), busy(other), (read_cr0() & cr0::ts) != 0, task.link};
    own_task();
    return s;
}

void check_switches() {
    struct Row {
        const char* name;
        Code (*code)();
        bool nests;
    };
    constexpr Row rows[] = {{"JMP to a TSS", jump_tss, false},
                            {"CALL of a TSS", call_tss, true},
                            {"JMP to a task gate", jump_gate, false},
                            {"CALL of a task gate", call_gate, true},
                            {"INT to a task gate", int_20, true}};
    idt[0x20] = gate(other, 0, 0xe5);
    for (const Row& row : rows)
        for (unsigned as_user = 0; as_user < 2; ++as_user) {
            make_task(as_user ? inside_user() : inside(), as_user);
            Regs r = kernel(row.code());
            r.gpr[Rax] = 0xaaaa, r.gpr[Rdi] = 0xdddd;
            r.flags |= flag::of;
            run(r);
            const Trap t = trapped;
            const Seen s = look();
            Check c(Name(row.name) << (as_user ? "of level 3" : "of level 0"));
            c.ends(t, as_user ? inside_user() : inside(), done)
                .is("TR", s.tr, other)
                .is("busy before", s.old_busy, row.nests)
                .is("busy now", s.new_busy, 1)
                .is("TS", s.ts, 1)
                .is("NT", t.flags & flag::nt, row.nests ? flag::nt : 0)
                .is("link", s.link, row.nests ? sel::tss : 0)
                .is("saved EIP", tss.eip, row.code().end)
                .is("saved EFLAGS", tss.eflags, r.flags)
                .is("saved EAX", tss.gpr[Rax], 0xaaaa)
                .is("saved EDI", tss.gpr[Rdi], 0xdddd)
                .is("saved ESP", tss.gpr[Rsp], r.gpr[Rsp])
                .is("saved CS", tss.seg[1] & 0xffff, sel::kernel_code)
                .is("saved DS", tss.seg[3] & 0xffff, sel::kernel_data)
                .is("EAX", t.gpr[Rax], 0x1000)
                .is("EDI", t.gpr[Rdi], 0x1007)
                .is("ESP", t.gpr[Rsp], task.gpr[Rsp])
                .is("CS", t.cs, task.seg[1]);
        }
    // There and back.
    make_task(returns());
    Regs r = kernel(call_tss());
    r.gpr[Rcx] = 0xcccc;
    run(r);
    Trap t = trapped;
    Seen s = look();
    Check("IRET from a nested task")
        .ends(t, call_tss(), done)
        .is("TR", s.tr, sel::tss)
        .is("busy now", s.old_busy, 1)
        .is("busy before", s.new_busy, 0)
        .is("ECX", t.gpr[Rcx], 0xcccc)
        .is("NT saved in the task", task.eflags & flag::nt, 0)
        .is("saved EIP", task.eip, returns().begin + 1)
        .is("NT", t.flags & flag::nt, 0);
    // A fault's error code is pushed on the new task's stack.
    make_task(inside());
    idt[13] = gate(other, 0, 0x85);
    r = user(call_tss());  // DPL 0: #GP
    run(r);
    t = trapped;
    reset_gate(13);
    s = look();
    Check("fault through a task gate")
        .ends(t, inside(), done)
        .is("ESP", t.gpr[Rsp], task.gpr[Rsp] - 4)
        .is("error code", at<u32>(t.gpr[Rsp]), other)
        .is("saved EIP", tss.eip, call_tss().begin)
        .is("saved CS", tss.seg[1] & 0xffff, sel::user_code)
        .is("saved SS", tss.seg[2] & 0xffff, sel::user_data);
    make_task(inside());
    task.trap = 1;
    run(kernel(jump_tss()));
    t = trapped;
    look();
    Check("debug trap flag of the TSS").ends(t, inside(), trap_at(1, inside().begin)).is("BT", t.dr6 & 0x8000, 0x8000);
    // DR7's local breakpoints are off in the new task.
    make_task(inside());
    write_dr0(0x12345678);
    write_dr7(0x403);
    entering = kernel(jump_tss());
    run(entering);
    const u32 dr7 = read_dr7();
    write_dr7(0x400);
    look();
    Check("task switch clears DR7's local bits").is("DR7", dr7, 0x402);
    // CR3 is the new task's.
    {
        Paging on(Kind::Bits32);
        make_task(inside());
        task.cr3 = read_cr3() | 8;
        const u32 cr3 = read_cr3();
        tss.cr3 = cr3;
        run(kernel(jump_tss()));
        t = trapped;
        const u32 got = read_cr3();
        write_cr3(cr3);
        look();
        Check("task switch loads CR3").ends(t, inside(), done).is("CR3", got, cr3 | 8);
    }
}

// VM in a TSS's EFLAGS: its selectors are paragraphs, its level is 3.
void check_v8086_tasks() {
    Code c = copied_low(inside_v8086());
    constexpr Piece ways[] = {{"JMP", jump_tss}, {"CALL", call_tss}, {"INT", int_20}};
    for (auto [name, code] : ways) {
        const Regs wanted = v8086(c);
        make_task(inside());
        task.eip = static_cast<u32>(wanted.rip), task.eflags = wanted.flags | flag::iopl3;
        const uptr segments[] = {wanted.es, wanted.cs, wanted.ss, 0x1234, wanted.fs, 0xffff};
        for (unsigned n = 0; n < 6; ++n) task.seg[n] = segments[n];
        task.gpr[Rsp] = wanted.gpr[Rsp];
        idt[0x20] = gate(other, 0, 0xe5);
        run(kernel(code()));
        const Trap t = trapped;
        look();
        const bool nests = name[0] != 'J';
        Check(Name("task of virtual 8086 mode by") << name)
            .ends(t, c, done)
            .is("VM", t.flags & flag::vm, flag::vm)
            .is("NT", t.flags & flag::nt, nests ? flag::nt : 0)
            .is("IOPL", t.flags & flag::iopl3, flag::iopl3)
            .is("CS", t.cs, wanted.cs)
            .is("SS", t.ss, wanted.ss)
            .is("SP", t.gpr[Rsp], wanted.gpr[Rsp])
            .is("DS", t.ds, 0x1234)
            .is("GS", t.gs, 0xffff);
    }
    // An interrupt takes it to a task of level 0, whose IRET goes back.
    c = copied_low(int_20_v8086());
    make_task(returns());
    Regs r = v8086(c);
    r.flags |= flag::iopl3;
    r.ds = 0x1234, r.fs = 0x4321;
    run(r);
    const Trap t = trapped;
    look();
    Check("task gate from virtual 8086 mode and back")
        .ends(t, c, done)
        .is("VM", t.flags & flag::vm, flag::vm)
        .is("NT", t.flags & flag::nt, 0)
        .is("saved VM", tss.eflags & flag::vm, flag::vm)
        .is("saved IP", tss.eip, c.end)
        .is("saved CS", tss.seg[1] & 0xffff, r.cs)
        .is("saved DS", tss.seg[3] & 0xffff, 0x1234)
        .is("DS", t.ds, 0x1234)
        .is("FS", t.fs, 0x4321)
        .is("the task's EFLAGS", task.eflags & (flag::vm | flag::nt), 0);
}

void check_refusals() {
    struct Row {
        const char* name;
        void (*spoil)();
        Want want;
    };
    const Row before[] = {
        {"busy TSS", [] { gdt[other / 8] |= 2ull << 40; }, gp(other)},
        {"absent TSS", [] { gdt[other / 8] &= ~(0x80ull << 40); }, np(other)},
        {"TSS whose limit is 66h", [] { gdt[other / 8] = descriptor(static_cast<u32>(address(&task)), 0x66, 0x89, 0); },
         ts(other)}};
    for (const Row& row : before) {
        make_task(inside());
        row.spoil();
        run(kernel(jump_tss()));
        const Trap t = trapped;
        const Seen s = look();
        Check(Name("JMP to a") << row.name).ends(t, jump_tss(), row.want).is("TR", s.tr, sel::tss);
        make_task(inside());
        row.spoil();
        run(kernel(call_gate()));
        const Trap u = trapped;
        look();
        Check(Name("CALL by a task gate of a") << row.name).ends(u, call_gate(), row.want);
    }
    make_task(inside());
    Check("JMP to a TSS from level 3").ends(run(user(jump_tss())), jump_tss(), gp(other));
    gdt[gate_to / 8] = gate(other, 0, 0x85);
    Check("JMP to a task gate of DPL 0").ends(run(user(jump_gate())), jump_gate(), gp(gate_to));
    gdt[gate_to / 8] = gate(other, 0, 0x65);
    Check("JMP to an absent task gate").ends(run(user(jump_gate())), jump_gate(), np(gate_to));
    gdt[gate_to / 8] = gate(sel::kernel_data, 0, 0xe5);
    Check("JMP to a task gate to data").ends(run(user(jump_gate())), jump_gate(), gp(sel::kernel_data));
    gdt[gate_to / 8] = gate(other | 4, 0, 0xe5);
    Check("JMP to a task gate into the LDT").ends(run(user(jump_gate())), jump_gate(), gp(other | 4));
    gdt[gate_to / 8] = gate(0, 0, 0xe5);
    Check("JMP to a task gate to null").ends(run(user(jump_gate())), jump_gate(), gp(0));
    make_task(inside());
    run(user(jump_gate()));
    const Trap t = trapped;
    look();
    Check("JMP to a task gate of DPL 3 from level 3").ends(t, inside(), done);
    // IRET with NT to a TSS that is not busy, or none.
    struct Link {
        const char* name;
        u16 link;
        Want want;
    };
    const Link links[] = {{"not busy", other, ts(other)},
                          {"null", 0, ts(0)},
                          {"data", sel::kernel_data, ts(sel::kernel_data)},
                          {"in the LDT", 12, ts(12)}};
    for (const Link& l : links) {
        make_task(inside());
        tss.link = l.link;
        Regs r = kernel(iret_nt());
        r.gpr[Rsp] -= 64;
        // NT is set by the piece's own flags: enter by a level change is not needed.
        r.flags |= flag::nt;
        run(r);
        const Trap u = trapped;
        look();
        Check(Name("IRET with NT to a link that is") << l.name).ends(u, iret_nt(), l.want);
    }
    tss.link = 0;

    // What is wrong in the new task is told there: TR is the new one.
    const Row inner[] = {{"LDT", [] { task.ldt = sel::kernel_data; }, ts(sel::kernel_data)},
                         {"null CS", [] { task.seg[1] = 0; }, ts(0)},
                         {"CS of data", [] { task.seg[1] = sel::kernel_data; }, ts(sel::kernel_data)},
                         {"null SS", [] { task.seg[2] = 0; }, ts(0)},
                         {"SS of code", [] { task.seg[2] = sel::kernel_code; }, ts(sel::kernel_code)},
                         {"SS of another level", [] { task.seg[2] = sel::user_data; }, ts(sel::user_data & ~3)},
                         {"DS of a TSS", [] { task.seg[3] = sel::tss; }, ts(sel::tss)},
                         {"ES beyond the GDT", [] { task.seg[0] = 0x2000; }, ts(0x2000)}};
    for (const Row& row : inner) {
        make_task(inside());
        row.spoil();
        // On a stack of its own: the new task's SS may be unusable.
        idt[10] = gate(sel::double_fault, 0, 0x85);
        run(kernel(jump_tss()));
        const u32 error = static_cast<u32>(trapped.error), ended = static_cast<u32>(trapped.vector);
        reset_gate(10);
        look();
        Check(Name("new task with") << row.name)
            .is("task gate taken", ended, 8)
            .is("error code", error, static_cast<u64>(row.want.error));
    }
}

}  // namespace

void check_tasks() {
    check_switches();
    check_v8086_tasks();
    check_refusals();
    reset_gate(0x20);
}

}  // namespace guest

// Tasks whose state segment is the 286's: switches to and from them, what they save, and what they lack. Intel SDM vol.
// 3, "16-Bit Task-State Segment (TSS)", "Task Switching"; vol. 1, "I/O Permission Bit Map".
#include "legacy/tasks.hpp"

namespace guest {
namespace {

struct [[gnu::packed]] Tss16 {
    u16 link, sp0, ss0, sp1, ss1, sp2, ss2;
    u16 ip, flags, gpr[8];
    u16 seg[4];  // ES, CS, SS, DS
    u16 ldt;
};
static_assert(sizeof(Tss16) == 0x2c);

constexpr u16 other = sel::spare, gate_to = other + 8, wide = other + 16, second = other + 24, code = other + 32,
              stack = other + 40, user_code = (other + 48) | 3, user_stack16 = (other + 56) | 3;
alignas(16) Tss16 task, task2;
alignas(16) Tss task32;
alignas(16) u8 task_stack[4096], wide_stack[4096];

CODE(32, jump_tss, ".byte 0xea, 0, 0, 0, 0, 0x88, 0")
CODE(32, call_tss, ".byte 0x9a, 0, 0, 0, 0, 0x88, 0")
CODE(32, jump_gate, ".byte 0xea, 0, 0, 0, 0, 0x93, 0")
CODE(32, call_gate, ".byte 0x9a, 0, 0, 0, 0, 0x93, 0")
CODE(32, int_20, "int 0x20")
CODE(32, undefined, "ud2")
CODE(32, in_80, "in al, 0x80")
CODE(32, nothing32, "nop")
CODE(32, returns32, "mov ecx, 0x1234cccc\niretd\nnop")
CODE(16, inside, "nop")
CODE(16, returns, "mov cx, 0xcccc\niret\nnop")
CODE(16, jump_wide, "mov di, 0xdddd\n.byte 0xea, 0, 0, 0x98, 0\nnop")
CODE(16, call_wide, "mov di, 0xdddd\n.byte 0x9a, 0, 0, 0x98, 0\nnop")
CODE(16, jump_second, "mov di, 0xdddd\n.byte 0xea, 0, 0, 0xa0, 0\nnop")
CODE(16, call_second, "mov di, 0xdddd\n.byte 0x9a, 0, 0, 0xa0, 0\nnop")

// A 16-bit piece as offsets in a segment of its own.
Code based(const Code& c) { return {0, c.at - c.begin, c.end - c.begin}; }
void place(const Code& c) {
    gdt[code / 8] = descriptor(static_cast<u32>(c.begin), 0xffff, 0x9b, 0);
    gdt[user_code / 8] = descriptor(static_cast<u32>(c.begin), 0xffff, 0xfb, 0);
}

void fill(Tss16& t, bool as_user = false) {
    t = {};
    t.sp0 = sizeof task_stack, t.ss0 = stack;
    t.flags = flag::reserved1;
    for (unsigned n = 0; n < 8; ++n) t.gpr[n] = static_cast<u16>(0x1000 + n);
    t.gpr[Rsp] = 0x800;
    t.seg[0] = t.seg[3] = as_user ? sel::user_data : sel::kernel_data;
    t.seg[1] = as_user ? user_code : code;
    t.seg[2] = as_user ? user_stack16 : stack;
}

void make_tasks(const Code& c, bool as_user = false) {
    place(c);
    fill(task, as_user), fill(task2);
    gdt[stack / 8] = descriptor(static_cast<u32>(address(task_stack)), 0xfff, 0x93, 0);
    gdt[user_stack16 / 8] = descriptor(static_cast<u32>(address(user_stack)), 0xfff, 0xf3, 0);
    gdt[other / 8] = descriptor(static_cast<u32>(address(&task)), sizeof task - 1, 0x81, 0);
    gdt[second / 8] = descriptor(static_cast<u32>(address(&task2)), sizeof task2 - 1, 0x81, 0);
    gdt[gate_to / 8] = gate(other, 0, 0xe5);
    for (unsigned n = 0; n < tss_size; ++n) reinterpret_cast<volatile u8*>(&task32)[n] = 0;
    task32.esp0 = tss.esp0, task32.ss0 = tss.ss0;
    task32.eip = static_cast<u32>(nothing32().begin), task32.eflags = flag::reserved1;
    task32.gpr[Rsp] = static_cast<u32>(address(wide_stack + sizeof wide_stack));
    for (u32& seg : task32.seg) seg = sel::kernel_data;
    task32.seg[1] = sel::kernel_code;
    task32.map_base = tss_size;
    task32.cr3 = read_cr3();
    gdt[wide / 8] = descriptor(static_cast<u32>(address(&task32)), tss_size - 1, 0x89, 0);
}

struct Seen {
    Trap trap;
    u16 tr;
    bool ts;
};
Seen run_and_look(const Regs& r) {
    run(r);
    const Seen s{trapped, task_register(), (read_cr0() & cr0::ts) != 0};
    return s;
}

void check_into() {
    struct Row {
        const char* name;
        Code (*code)();
        bool nests;
    };
    constexpr Row rows[] = {{"JMP to a 16-bit TSS", jump_tss, false},
                            {"CALL of a 16-bit TSS", call_tss, true},
                            {"JMP to a task gate of a 16-bit TSS", jump_gate, false},
                            {"CALL of a task gate of a 16-bit TSS", call_gate, true},
                            {"INT to a task gate of a 16-bit TSS", int_20, true}};
    idt[0x20] = gate(other, 0, 0xe5);
    const Code in = based(inside());
    for (const Row& row : rows)
        for (unsigned as_user = 0; as_user < 2; ++as_user) {
            make_tasks(inside(), as_user);
            Regs r = kernel(row.code());
            r.gpr[Rax] = 0x1234aaaa;
            r.flags |= flag::of;
            const auto [t, tr, ts] = run_and_look(r);
            const bool was_busy = busy(sel::tss), is_busy = busy(other);
            own_task();
            Check c(Name(row.name) << (as_user ? "of level 3" : "of level 0"));
            c.ends(t, in, done)
                .is("TR", tr, other)
                .is("busy before", was_busy, row.nests)
                .is("busy now", is_busy, 1)
                .is("TS", ts, 1)
                .is("NT", t.flags & flag::nt, row.nests ? flag::nt : 0)
                .is("link", task.link, row.nests ? sel::tss : 0)
                .is("saved EIP", tss.eip, row.code().end)
                .is("saved EFLAGS", tss.eflags, r.flags)
                .is("saved EAX", tss.gpr[Rax], 0x1234aaaa)
                .is("AX", t.gpr[Rax] & 0xffff, 0x1000)
                .is("BP", t.gpr[Rbp] & 0xffff, 0x1005)
                .is("DI", t.gpr[Rdi] & 0xffff, 0x1007)
                .is("SP", t.gpr[Rsp] & 0xffff, 0x800)
                .is("CS", t.cs, task.seg[1])
                .is("SS", t.ss, task.seg[2])
                .is("DS", t.ds, task.seg[3])
                .is("ES", t.es, task.seg[0]);
        }
}

// From a 16-bit task to each kind: what it saves.
void check_out_of() {
    struct Row {
        const char* name;
        Code (*code)();
        bool nests, to_wide;
    };
    constexpr Row rows[] = {{"16-bit task JMP to a 32-bit one", jump_wide, false, true},
                            {"16-bit task CALL of a 32-bit one", call_wide, true, true},
                            {"16-bit task JMP to a 16-bit one", jump_second, false, false},
                            {"16-bit task CALL of a 16-bit one", call_second, true, false}};
    for (const Row& row : rows) {
        make_tasks(row.code());
        // The second 16-bit task goes on behind the first one's jump.
        task2.ip = static_cast<u16>(row.code().end - row.code().begin - 1);
        task.flags = flag::reserved1 | flag::of;
        const auto [t, tr, ts] = run_and_look(kernel(jump_tss()));
        const bool was_busy = busy(other), is_busy = busy(row.to_wide ? wide : second);
        own_task();
        Check(row.name)
            .ends(t, row.to_wide ? nothing32() : based(row.code()), done)
            .is("TR", tr, row.to_wide ? wide : second)
            .is("busy before", was_busy, row.nests)
            .is("busy now", is_busy, 1)
            .is("NT", t.flags & flag::nt, row.nests ? flag::nt : 0)
            .is("link", row.to_wide ? task32.link : task2.link, row.nests ? other : 0)
            .is("saved IP", task.ip, row.code().end - row.code().begin - 1)
            .is("saved FLAGS", task.flags, flag::reserved1 | flag::of)
            .is("saved AX", task.gpr[Rax], 0x1000)
            .is("saved DI", task.gpr[Rdi], 0xdddd)
            .is("saved SP", task.gpr[Rsp], 0x800)
            .is("saved CS", task.seg[1], code)
            .is("saved SS", task.seg[2], stack)
            .is("saved DS", task.seg[3], sel::kernel_data)
            .is("static part", task.ss0, stack);
    }
    make_tasks(returns());
    auto [t, tr, ts] = run_and_look(kernel(call_tss()));
    bool was_busy = busy(other), is_busy = busy(sel::tss);
    own_task();
    Check("IRET from a nested 16-bit task")
        .ends(t, call_tss(), done)
        .is("TR", tr, sel::tss)
        .is("busy before", was_busy, 0)
        .is("busy now", is_busy, 1)
        .is("saved CX", task.gpr[Rcx], 0xcccc)
        .is("saved IP", task.ip, returns().end - returns().begin - 1)
        .is("NT saved in the task", task.flags & flag::nt, 0)
        .is("NT", t.flags & flag::nt, 0);
    make_tasks(call_wide());
    task32.eip = static_cast<u32>(returns32().begin);
    const Seen back = run_and_look(kernel(jump_tss()));
    was_busy = busy(wide), is_busy = busy(other);
    own_task();
    Check("IRET from a 32-bit task back to a 16-bit one")
        .ends(back.trap, based(call_wide()), done)
        .is("TR", back.tr, other)
        .is("busy before", was_busy, 0)
        .is("busy now", is_busy, 1)
        .is("saved ECX", task32.gpr[Rcx], 0x1234cccc)
        .is("DI", back.trap.gpr[Rdi] & 0xffff, 0xdddd)
        .is("CX", back.trap.gpr[Rcx] & 0xffff, 0x1001)
        .is("NT", back.trap.flags & flag::nt, 0);
    // A fault's error code is a word there.
    make_tasks(inside());
    idt[13] = gate(other, 0, 0x85);
    gdt[gate_to / 8] = gate(other, 0, 0x85);
    const Seen fault = run_and_look(user(jump_gate()));
    reset_gate(13);
    own_task();
    Check("fault through a task gate of a 16-bit TSS")
        .ends(fault.trap, based(inside()), done)
        .is("SP", fault.trap.gpr[Rsp] & 0xffff, 0x7fe)
        .is("error code", at<u16>(address(task_stack) + 0x7fe), gate_to)
        .is("saved EIP", tss.eip, jump_gate().begin)
        .is("saved SS", tss.seg[2] & 0xffff, sel::user_data);
}

void check_refusals() {
    struct Row {
        const char* name;
        u64 descriptor;
        Want want;
    };
    const u32 base = static_cast<u32>(address(&task));
    const Row rows[] = {{"busy 16-bit TSS", descriptor(base, sizeof task - 1, 0x83, 0), gp(other)},
                        {"absent 16-bit TSS", descriptor(base, sizeof task - 1, 0x01, 0), np(other)},
                        {"16-bit TSS whose limit is 2Ah", descriptor(base, 0x2a, 0x81, 0), ts(other)},
                        {"16-bit TSS whose limit is 2Bh", descriptor(base, 0x2b, 0x81, 0), done}};
    for (const Row& row : rows) {
        make_tasks(inside());
        gdt[other / 8] = row.descriptor;
        const bool good = row.want.vector == 3;
        const Seen s = run_and_look(kernel(jump_tss()));
        own_task();
        Check(Name("JMP to a") << row.name).ends(s.trap, good ? based(inside()) : jump_tss(), row.want);
    }
    // What is wrong in the new task is told there, by a task of its own.
    struct Inner {
        const char* name;
        void (*spoil)();
        u32 error;
    };
    const Inner inner[] = {{"LDT of data", [] { task.ldt = sel::kernel_data; }, sel::kernel_data},
                           {"null CS", [] { task.seg[1] = 0; }, 0},
                           {"SS of code", [] { task.seg[2] = sel::kernel_code; }, sel::kernel_code},
                           {"null SS", [] { task.seg[2] = 0; }, 0},
                           {"DS of a TSS", [] { task.seg[3] = sel::tss; }, sel::tss},
                           {"ES beyond the GDT", [] { task.seg[0] = 0x2000; }, 0x2000}};
    for (const Inner& row : inner) {
        make_tasks(inside());
        row.spoil();
        idt[10] = gate(sel::double_fault, 0, 0x85);
        run(kernel(jump_tss()));
        const u32 error = static_cast<u32>(trapped.error), ended = static_cast<u32>(trapped.vector);
        reset_gate(10);
        own_task();
        Check(Name("new 16-bit task with") << row.name)
            .is("task gate taken", ended, 8)
            .is("error code", error, row.error);
    }
}

CODE(32, ltr_, "ltr ax")
CODE(32, lar_, "xor ecx, ecx\nlar ecx, ax")
CODE(32, lsl_, "xor ecx, ecx\nlsl ecx, ax")

// A 16-bit TSS in TR: stacks of inner levels, no I/O map.
void check_in_place() {
    make_tasks(inside());
    auto with_ax = [](const Code& c) {
        Regs r = kernel(c);
        r.gpr[Rax] = other;
        return r;
    };
    for (unsigned is_busy = 0; is_busy < 2; ++is_busy) {
        gdt[other / 8] = descriptor(static_cast<u32>(address(&task)), sizeof task - 1, is_busy ? 0x83 : 0x81, 0);
        const char* kind = is_busy ? "busy 16-bit TSS" : "16-bit TSS";
        run(with_ax(lar_()));
        Check(Name("LAR of a") << kind)
            .ends(trapped, lar_(), done)
            .is("rights", trapped.gpr[Rcx] & 0xff00, is_busy ? 0x8300 : 0x8100);
        run(with_ax(lsl_()));
        Check(Name("LSL of a") << kind).ends(trapped, lsl_(), done).is("limit", trapped.gpr[Rcx], sizeof task - 1);
        run(with_ax(ltr_()));
        const Trap t = trapped;
        const u16 tr = task_register();
        const bool now = busy(other);
        own_task();
        Check(Name("LTR of a") << kind)
            .ends(t, ltr_(), is_busy ? gp(other) : done)
            .is("TR", tr, is_busy ? sel::tss : other)
            .is("busy", now, 1);
    }
    make_tasks(inside());
    task.sp0 = 0xe00;
    asm volatile("ltr %w0" ::"r"(other));
    Regs r = user(undefined());
    run(r);
    Trap t = trapped;
    run(user(in_80()));
    const Trap port = trapped;
    r = user(in_80());
    r.flags |= flag::iopl3;
    run(r);
    const Trap free = trapped;
    own_task();
    const uptr top = address(task_stack) + 0xe00;
    Check("exception on a 16-bit TSS's stack")
        .ends(t, undefined(), ud)
        .is("handler's SS", t.handler_ss, stack)
        .is("SP", t.frame & 0xffff, 0xe00 - 20)
        .is("pushed ESP", at<u32>(top - 8), user(undefined()).gpr[Rsp])
        .is("pushed SS", at<u16>(top - 4), sel::user_data);
    Check("a 16-bit TSS has no I/O map").ends(port, in_80(), gp(0));
    Check("IOPL 3 wants no I/O map").ends(free, in_80(), done);
    // CR3 is none of its fields.
    {
        Paging on(Kind::Bits32);
        make_tasks(inside());
        const u32 before = read_cr3();
        const Seen s = run_and_look(kernel(jump_tss()));
        const u32 after = read_cr3();
        write_cr3(before);
        own_task();
        Check("a 16-bit task keeps CR3").ends(s.trap, based(inside()), done).is("CR3", after, before);
    }
}

}  // namespace

void check_tasks16() {
    check_into();
    check_out_of();
    check_refusals();
    check_in_place();
    reset_gate(0x20);
}

}  // namespace guest

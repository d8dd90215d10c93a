// Faults on the way into a handler, instructions at the end of the canonical addresses, and what far transfers make of RIP. Intel SDM
// vol. 1, "Canonical Addressing"; vol. 3, "Error Code", "Single-Stepping on Branches"; vol. 2, "JMP", "IRET/IRETD/IRETQ", "SGDT".
#include "long/tables.hpp"

namespace guest {
namespace {

CODE(64, undefined, "ud2")
CODE(64, sgdt_, "sgdt [rbx]")
CODE(64, iretq_, "iretq")
CODE(64, wrmsr_, "wrmsr")
CODE(64, jump_far, ".byte 0x48, 0xff, 0x2b")
CODE(32, undefined32, "ud2")
CODE(64, branches, "nop\nnop\njmp 1f\nnop\n1: nop")

void check_canonical_end() {
    constexpr uptr last = 0x7fff'ffff'ffff, beyond = 0x8000'0000'0000;
    forget_tables();
    const Mapping lower(last & ~0xfffull, frame_pool), upper(0xffff'8000'0000'0000, frame_pool + 4096);
    at<u8>(frame_pool + 0x1000) = 0x90;
    at<u8>(frame_pool + 0x1001) = 0xcc;
    for (auto [level, mode] : levels) {
        const Code over{last, last, beyond + 1}, behind{last, beyond, beyond};
        at<u8>(frame_pool + 0xfff) = 0x66;  // of 66 90
        Check(Name("instruction over the end of the lower half") << level).ends(run(mode(over)), over, gp(0));
        at<u8>(frame_pool + 0xfff) = 0x90;
        Check(Name("instruction behind the end of the lower half") << level).ends(run(mode(behind)), behind, gp(0));
    }
    forget_tables();
}

void check_stacks() {
    tss.ist[1] = 0xffff'8000'0000'0000;
    set_gate(6, stub(6), sel::kernel_code, 0x8e, 2);
    Check("#UD with an IST whose pushes are not canonical").ends(run(kernel(undefined())), undefined(), ss(1));
    set_gate(6, stub(6), sel::kernel_code, 0x8e, 0);
    Regs r = kernel(undefined());
    r.gpr[Rsp] = 0x8000'0000'0100;
    Check("#UD with a stack that is not canonical").ends(run(r), undefined(), ss(1));
    reset_gate(6);
    tss.ist[1] = 0;
}

void check_far() {
    const u64 wide = undefined32().begin | 5ull << 32;
    Regs r = kernel(iretq_());
    r.gpr[Rsp] -= 128;
    const u64 frame[] = {wide, sel::user_code32, 2, address(user_stack) + 0x800, sel::user_data};
    for (unsigned n = 0; n < 5; ++n) at<u64>(r.gpr[Rsp] + 8 * n) = frame[n];
    Check("IRETQ to compatibility mode cuts RIP").ends(run(r), undefined32(), ud);
    at<u64>(address(user_page)) = wide;
    at<u16>(address(user_page) + 8) = sel::user_code32;
    r = user(jump_far());
    r.gpr[Rbx] = address(user_page);
    Check("JMP to compatibility mode cuts RIP").ends(run(r), undefined32(), ud);
}

void check_steps_on_branches() {
    constexpr u32 debugctl = 0x1d9;
    Regs r = kernel(wrmsr_());
    r.gpr[Rcx] = debugctl, r.gpr[Rax] = 2, r.gpr[Rdx] = 0;
    run(r);
    Check k("TF with DEBUGCTL.BTF stops behind a branch");
    Check cleared("BTF is cleared by its #DB");
    Check reserved("WRMSR DEBUGCTL reserved");
    if (trapped.vector != 3 || !(read_msr(debugctl) & 2)) {  // not every machine has it
        k.skip(), cleared.skip(), reserved.skip();
        return;
    }
    r = kernel(branches());
    r.flags |= flag::tf;
    run(r);
    k.is("vector", trapped.vector, 1).is("RIP", trapped.rip, branches().begin + 5);
    cleared.is("DEBUGCTL", read_msr(debugctl), 0);
    write_msr(debugctl, 0);
    r = kernel(wrmsr_());
    r.gpr[Rcx] = debugctl, r.gpr[Rax] = 0, r.gpr[Rdx] = 0x8000'0000;
    reserved.ends(run(r), wrmsr_(), gp(0));
}

void check_descriptor_alignment() {
    With am(With::Cr0, cr0::am);
    for (unsigned offset = 0; offset < 8; ++offset) {
        Regs r = user(sgdt_());
        r.flags |= flag::ac;
        r.gpr[Rbx] = address(user_page) + offset;
        Check(Name("SGDT with #AC at") << offset).ends(run(r), sgdt_(), offset == 6 ? done : fault(17, 0));
    }
}

}  // namespace

void check_late_faults() {
    check_canonical_end();
    check_stacks();
    check_far();
    check_steps_on_branches();
    check_descriptor_alignment();
}

}  // namespace guest

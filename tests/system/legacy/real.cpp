// Real mode: vectors, limits, segments that stay big. Intel SDM vol. 3, "8086 Emulation".
#include "legacy/machine.hpp"

namespace guest {

extern "C" {
extern const u8 low_begin[], low_end[], low_stubs[];
extern u32 real_segments;
void enter_real();
}

namespace {

constexpr uptr low_base = 0x1000;
// As real.S has them.
Regs& low_regs = *reinterpret_cast<Regs*>(0x600);
Trap& low_trap = *reinterpret_cast<Trap*>(0x680);

}  // namespace

void prepare_real_mode() {
    at<u16>(0x6f0) = 0x3ff;  // the IDT register: the vectors from 0 on
    at<u32>(0x6f2) = 0;
    memcpy(reinterpret_cast<void*>(low_base), low_begin, address(low_end) - address(low_begin));
    for (unsigned n = 0; n < 256; ++n)
        at<u32>(4 * n) = static_cast<u32>(address(low_stubs) - address(low_begin) + low_base + 8 * n);
}

const Trap& run_real(const Regs& r) {
    low_regs = r;
    low_trap = {};
    asm volatile("call enter_real" ::: "memory", "cc");
    return trapped = low_trap;
}

namespace {

CODE(16, nothing, "nop")
CODE(16, undefined, "ud2")
CODE(16, divide, "xor cx, cx\ndiv cx")
CODE(16, load_end, "mov ax, [0xffff]")
CODE(16, load_bx, "mov al, [bx]")
CODE(16, load_word_bx, "mov ax, [bx]")
CODE(16, load_ebx, ".byte 0x67, 0x8a, 0x03")
CODE(16, store_ebx, ".byte 0x67, 0x88, 0x03")
CODE(16, load_bp, "mov ax, [bp]")
CODE(16, push_ax, "push ax")
CODE(16, int_21, "int 0x21")
CODE(16, into_, "into")
CODE(16, bound_, "bound ax, [bx]")
CODE(16, sldt_, "sldt ax")
CODE(16, ltr_, "ltr ax")
CODE(16, arpl_, "arpl ax, bx")
CODE(16, lar_, "lar ax, bx")
CODE(16, verr_, "verr ax")
CODE(16, smsw_, "smsw ax")
CODE(16, far_jump, ".byte 0xea, 5, 0, 0, 8\nnop\nnop")
CODE(16, popf_, "push ax\npopf\npushf\npop ax")
CODE(16, popfd_, "push eax\npopfd\npushfd\npop eax")
CODE(16, lock_nop, ".byte 0xf0, 0x90")
CODE(16, seg_load, "mov ax, 0x1234\nmov es, ax\nmov bx, es")
CODE(16, unreal,
     "mov eax, cr0\nor al, 1\nmov cr0, eax\nmov bx, 0x10\nmov ds, bx\nand al, 0xfe\nmov cr0, eax\n"
     "xor bx, bx\nmov ds, bx\nmov ebx, 0x800000\n.byte 0x67, 0x66, 0x8b, 0x03")

Regs with(Regs r, Gpr n, u32 value) {
    r.gpr[n] = value;
    return r;
}

void check_vectors() {
    struct Row {
        const char* name;
        Code (*code)();
        unsigned vector, at;
    };
    constexpr Row rows[] = {{"UD2", undefined, 6, 0}, {"DIV by zero", divide, 0, 2}, {"word at FFFFh", load_end, 13, 0},
                            {"SLDT", sldt_, 6, 0},    {"LTR", ltr_, 6, 0},           {"ARPL", arpl_, 6, 0},
                            {"LAR", lar_, 6, 0},      {"VERR", verr_, 6, 0},         {"LOCK NOP", lock_nop, 6, 0}};
    for (const Row& row : rows) {
        const Code c = copied_low(row.code());
        Check(Name("real mode") << row.name).ends(run_real(real(c)), c, trap_at(row.vector, row.at));
    }
    Code c = copied_low(nothing());
    Check("real mode runs").ends(run_real(real(c)), c, done);
    c = copied_low(int_21());
    Regs r = real(c);
    r.flags |= flag::of | flag::if_ | flag::ac;
    run_real(r);
    Check("real mode INT 21h")
        .ends(trapped, c, trap_at(0x21, 2))
        .is("SP", trapped.frame, r.gpr[Rsp] - 6)
        .is("pushed flags", trapped.flags, (r.flags & 0xffff))
        .is("handler's flags", trapped.handler_flags & (flag::if_ | flag::tf | flag::ac), 0);
    c = copied_low(into_());
    r = real(c), r.flags |= flag::of;
    Check("real mode INTO").ends(run_real(r), c, trap_at(4, 1));
    r.flags = 2;
    Check("real mode INTO without OF").ends(run_real(r), c, done);
    c = copied_low(bound_());
    at<u16>(low_data) = 5;
    at<u16>(low_data + 2) = 9;
    Check("real mode BOUND below").ends(run_real(with(real(c), Rax, 4)), c, fault(5));
    Check("real mode BOUND at its end").ends(run_real(with(real(c), Rax, 9)), c, done);
    Check("real mode BOUND above").ends(run_real(with(real(c), Rax, 10)), c, fault(5));
    c = copied_low(nothing());
    r = real(c), r.flags |= flag::tf;
    Check("real mode TF").ends(run_real(r), c, trap_at(1, 1));
}

void check_limits() {
    Code c = copied_low(load_bx());
    Check("real mode byte at FFFFh").ends(run_real(with(real(c), Rbx, 0xffff)), c, done);
    c = copied_low(load_word_bx());
    Check("real mode word at FFFFh by BX").ends(run_real(with(real(c), Rbx, 0xffff)), c, fault(13));
    Check("real mode word at FFFEh by BX").ends(run_real(with(real(c), Rbx, 0xfffe)), c, done);
    c = copied_low(load_bp());
    Check("real mode word at FFFFh by BP").ends(run_real(with(real(c), Rbp, 0xffff)), c, fault(12));
    c = copied_low(load_ebx());
    Check("real mode byte at 10000h by EBX").ends(run_real(with(real(c), Rbx, 0x10000)), c, fault(13));
    c = copied_low(push_ax());
    run_real(with(real(c), Rsp, 0));
    Check("real mode PUSH at SP 0").ends(trapped, c, done).is("SP", trapped.gpr[Rsp] & 0xffff, 0xfffe);
    // Data segments keep the limits that protected mode gave them.
    real_segments = sel::kernel_data;
    c = copied_low(load_ebx());
    at<u8>(0x912345) = 0x5a;
    run_real(with(with(real(c), Rbx, 0x912345 - low_data), Rax, 0));
    Check("big real mode, byte above 1 MiB").ends(trapped, c, done).is("AL", trapped.gpr[Rax] & 0xff, 0x5a);
    c = copied_low(store_ebx());
    run_real(with(with(real(c), Rbx, 0x900000 - low_data), Rax, 0x77));
    Check("big real mode, store above 1 MiB").ends(trapped, c, done).is("memory", at<u8>(0x900000), 0x77);
    real_segments = sel::data64k;
    c = copied_low(load_ebx());
    Check("real mode with limits of 64 KiB again").ends(run_real(with(real(c), Rbx, 0x10000)), c, fault(13));
    at<u32>(0x800000) = 0x1234abcd;
    c = copied_low(unreal());
    run_real(real(c));
    Check("limits set by a visit to protected mode").ends(trapped, c, done).is("EAX", trapped.gpr[Rax], 0x1234abcd);
}

void check_state() {
    Code c = copied_low(smsw_());
    run_real(real(c));
    Check("real mode SMSW shows no PE").ends(trapped, c, done).is("PE", trapped.gpr[Rax] & 1, 0);
    c = copied_low(seg_load());
    run_real(real(c));
    Check("real mode segment load").ends(trapped, c, done).is("BX", trapped.gpr[Rbx] & 0xffff, 0x1234);
    c = copied_low(far_jump());
    Check("real mode far JMP").ends(run_real(real(c)), c, done).is("CS", trapped.cs, 0x800);
    c = copied_low(popf_());
    run_real(with(real(c), Rax, 0xffff & ~flag::tf));
    Check("real mode POPF changes IOPL NT and IF")
        .ends(trapped, c, done)
        .is("flags", trapped.gpr[Rax] & 0xffff, 0x7ed7);
    c = copied_low(popfd_());
    run_real(with(real(c), Rax, 0x003f7ed7 & ~flag::tf));
    Check("real mode POPFD").ends(trapped, c, done).is("flags", trapped.gpr[Rax], 0x00247ed7);
}

}  // namespace

void check_real() {
    prepare_real_mode();
    check_vectors();
    check_limits();
    check_state();
}

}  // namespace guest

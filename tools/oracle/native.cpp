#include "native.hpp"

#include <asm/ldt.h>
#include <asm/prctl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <sys/mman.h>
#include <sys/prctl.h>
#include <sys/syscall.h>
#include <sys/time.h>
#include <ucontext.h>
#include <unistd.h>

namespace bmbt::oracle {
namespace {

[[noreturn]] void die(const char* what) {
    perror(what);
    exit(2);
}

// What the assembly below reads and writes.
struct Segments {
    u16 ds, es, fs, gs;
    u64 fs_base, gs_base;  // used where the selector is 0
};
struct Entry {
    u64 host_fs_base;
    Segments interrupted;
};

}  // namespace
}  // namespace bmbt::oracle

extern "C" {
bmbt::oracle::Entry oracle_entry_data;
void oracle_signal_entry();
void oracle_signal_return();
const bmbt::oracle::Segments* oracle_signal(int, siginfo_t*, ucontext_t*);
}

// The thread pointer is in FS, which belongs to the vector: it is the first thing to get back and the last to give
// away. EFLAGS.AC would make the compiler's unaligned accesses fault.
asm(R"(
    .text
    .globl oracle_signal_entry, oracle_signal_return
oracle_signal_entry:
    pushfq
    andl $~0x244000, (%rsp)
    popfq
    mov %ds, 8+oracle_entry_data(%rip)
    mov %es, 10+oracle_entry_data(%rip)
    mov %fs, 12+oracle_entry_data(%rip)
    mov %gs, 14+oracle_entry_data(%rip)
    xor %eax, %eax
    mov %eax, %fs
    mov oracle_entry_data(%rip), %rax
    wrfsbase %rax
    sub $8, %rsp
    call oracle_signal
    add $8, %rsp
    mov 0(%rax), %ds
    mov 2(%rax), %es
    mov 4(%rax), %fs
    mov 6(%rax), %gs
    cmpw $0, 4(%rax)
    jne 1f
    mov 8(%rax), %rcx
    wrfsbase %rcx
1:  cmpw $0, 6(%rax)
    jne 2f
    mov 16(%rax), %rcx
    wrgsbase %rcx
2:  ret
    .balign 64
oracle_signal_return:
    mov $15, %eax
    syscall
    .balign 64
)");

namespace bmbt::oracle {
namespace {

enum class Phase : u8 { Idle, Starting, Running };

struct Job {
    volatile Phase phase = Phase::Idle;
    const State* before;
    State* after;
    Outcome* outcome;
    volatile RunResult result;
    u64 number = 0, ticked = 0;
    gregset_t host_registers;
    u8 host_fpu[512];
    Segments host{}, vector{};
} job;
volatile u8 refuse_syscalls = 0;

constexpr int gpr_place[16] = {REG_RAX, REG_RCX, REG_RDX, REG_RBX, REG_RSP, REG_RBP, REG_RSI, REG_RDI,
                               REG_R8,  REG_R9,  REG_R10, REG_R11, REG_R12, REG_R13, REG_R14, REG_R15};

// A frame's FPU area: an FXSAVE image, then at 512 the XSAVE header whose first word says what the kernel will load.
void enable_legacy_state(u8* fpu) {
    u64 present;
    std::memcpy(&present, fpu + 512, 8);
    present |= 3;
    std::memcpy(fpu + 512, &present, 8);
}

void load(const State& s, ucontext_t& uc) {
    greg_t* g = uc.uc_mcontext.gregs;
    for (unsigned i = 0; i < 16; i++) g[gpr_place[i]] = static_cast<greg_t>(s.gpr[i]);
    g[REG_RIP] = static_cast<greg_t>(s.rip);
    g[REG_EFL] = static_cast<greg_t>(s.flags);
    g[REG_CSGSFS] = static_cast<greg_t>(s.seg[x86::Cs] | u64{s.seg[x86::Ss]} << 48);
    uc.uc_flags |= 4;  // UC_STRICT_RESTORE_SS
    u8* fpu = reinterpret_cast<u8*>(uc.uc_mcontext.fpregs);
    u32 mxcsr_mask;
    std::memcpy(&mxcsr_mask, fpu + 28, 4);
    std::memcpy(fpu, &s.fx, sizeof s.fx);
    std::memcpy(fpu + 28, &mxcsr_mask, 4);
    enable_legacy_state(fpu);
}

void store(const ucontext_t& uc, State& s, Outcome& o) {
    const greg_t* g = uc.uc_mcontext.gregs;
    for (unsigned i = 0; i < 16; i++) s.gpr[i] = static_cast<u64>(g[gpr_place[i]]);
    s.rip = static_cast<u64>(g[REG_RIP]);
    s.flags = static_cast<u64>(g[REG_EFL]);
    const Segments& seg = oracle_entry_data.interrupted;
    s.seg[x86::Es] = seg.es, s.seg[x86::Ds] = seg.ds, s.seg[x86::Fs] = seg.fs, s.seg[x86::Gs] = seg.gs;
    s.seg[x86::Cs] = static_cast<u16>(g[REG_CSGSFS]);
    s.seg[x86::Ss] = static_cast<u16>(g[REG_CSGSFS] >> 48);
    std::memcpy(&s.fx, uc.uc_mcontext.fpregs, sizeof s.fx);
    s.fx.mxcsr_mask = 0;
    o.vector = static_cast<x86::Vector>(g[REG_TRAPNO]);
    o.error = static_cast<u32>(g[REG_ERR]);
    o.address = 0;
    if (o.vector != x86::Vector::Pf) return;
    o.address = static_cast<u64>(g[REG_CR2]);
    // Linux hides which kernel addresses are mapped by always setting P; in a vector's world none is.
    if (o.address >> 63) o.error &= ~x86::pf_code::present;
}

void finish(ucontext_t& uc, RunResult result) {
    refuse_syscalls = 0;
    job.result = result;
    job.phase = Phase::Idle;
    std::memcpy(uc.uc_mcontext.gregs, job.host_registers, sizeof job.host_registers);
    std::memcpy(uc.uc_mcontext.fpregs, job.host_fpu, 464);  // what follows is the kernel's own
    enable_legacy_state(reinterpret_cast<u8*>(uc.uc_mcontext.fpregs));
    uc.uc_flags |= 4;
}

void take_signal(int number, void (*entry)()) {
    struct {
        void (*handler)();
        unsigned long flags;
        void (*restorer)();
        unsigned long mask;
    } action{entry, SA_SIGINFO | SA_ONSTACK | 0x0400'0000 /* SA_RESTORER */, oracle_signal_return, ~0ul};
    if (syscall(SYS_rt_sigaction, number, &action, nullptr, 8)) die("sigaction");
}

enum class Use : u8 { All, NoWriteOrRead, None };

void make_ldt_entry(unsigned number, u32 base, u32 limit, unsigned contents, bool big, Use use = Use::All) {
    user_desc d{};
    d.read_exec_only = use == Use::NoWriteOrRead;
    d.seg_not_present = use == Use::None;
    d.entry_number = number;
    d.base_addr = base;
    d.limit = limit;
    d.contents = contents;
    d.seg_32bit = big;
    d.useable = 1;
    if (syscall(SYS_modify_ldt, 0x11, &d, sizeof d)) die("modify_ldt");
}

void map(u32 from, u32 to, int protection) {
    void* at = reinterpret_cast<void*>(u64{layout::region} + from);
    int flags = MAP_PRIVATE | MAP_ANONYMOUS | MAP_FIXED | MAP_POPULATE;
    if (mmap(at, to - from, protection, flags, -1, 0) != at) die("mapping the oracle's memory");
}

}  // namespace

Native::Native() {
    // The pages between are taken too, so that nobody else's memory appears there.
    map(0, 0x1'0000, PROT_NONE);
    map(layout::code, layout::code_end, PROT_READ | PROT_WRITE | PROT_EXEC);
    map(layout::data, layout::data_end, PROT_READ | PROT_WRITE);
    map(layout::read_only, layout::read_only_end, PROT_READ | PROT_WRITE);
    std::memset(reinterpret_cast<void*>(u64{layout::region + layout::code}), 0xcc, layout::code_size);

    make_ldt_entry(selector::code16 >> 3, layout::region, 0xffff, MODIFY_LDT_CONTENTS_CODE, false);
    make_ldt_entry(selector::data16 >> 3, layout::region, 0xffff, MODIFY_LDT_CONTENTS_DATA, false);
    make_ldt_entry(selector::fs32 >> 3, layout::fs_base32, layout::fs_limit32, MODIFY_LDT_CONTENTS_DATA, true);
    make_ldt_entry(selector::gs32 >> 3, layout::gs_base32, layout::gs_limit32, MODIFY_LDT_CONTENTS_STACK, true);
    constexpr u32 region = layout::region;
    make_ldt_entry(selector::absent >> 3, region, 0xffff, MODIFY_LDT_CONTENTS_DATA, true, Use::None);
    make_ldt_entry(selector::read_only >> 3, region, 0xffff, MODIFY_LDT_CONTENTS_DATA, true, Use::NoWriteOrRead);
    make_ldt_entry(selector::execute_only >> 3, region, 0xffff, MODIFY_LDT_CONTENTS_CODE, true, Use::NoWriteOrRead);
    make_ldt_entry(selector::down16 >> 3, region, 0x4fff, MODIFY_LDT_CONTENTS_STACK, false);

    syscall(SYS_arch_prctl, ARCH_GET_FS, &oracle_entry_data.host_fs_base);
    job.host = {0, 0, 0, 0, oracle_entry_data.host_fs_base, 0};

    constexpr usize stack_size = 256 << 10;
    stack_t stack{};
    stack.ss_size = stack_size;
    stack.ss_sp = mmap(nullptr, stack_size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (stack.ss_sp == MAP_FAILED || syscall(SYS_sigaltstack, &stack, nullptr)) die("signal stack");
    for (int s : {SIGSEGV, SIGBUS, SIGFPE, SIGILL, SIGTRAP, SIGSYS, SIGVTALRM}) take_signal(s, oracle_signal_entry);
    itimerval tick{{0, 10'000}, {0, 10'000}};
    setitimer(ITIMER_VIRTUAL, &tick, nullptr);
    // Without it (before Linux 5.11) a vector must not hold SYSCALL; the generator makes none.
    prctl(59 /* PR_SET_SYSCALL_USER_DISPATCH */, 1, reinterpret_cast<unsigned long>(oracle_signal_return), 64ul,
          &refuse_syscalls);
}

u8* Native::data() { return reinterpret_cast<u8*>(u64{layout::region + layout::data}); }
u8* Native::read_only() { return reinterpret_cast<u8*>(u64{layout::region + layout::read_only}); }
void Native::seal() {
    if (mprotect(read_only(), layout::read_only_size, PROT_READ)) die("mprotect");
}

RunResult Native::run(u16 entry, std::span<const u8> code, const State& before, State& after, Outcome& outcome) {
    u8* pages = reinterpret_cast<u8*>(u64{layout::region});
    std::memset(pages + layout::code, 0xcc, layout::code_size);  // the last vector may have written there
    std::memcpy(pages + entry, code.data(), code.size());

    job.before = &before;
    job.after = &after;
    job.outcome = &outcome;
    job.vector = {before.seg[x86::Ds], before.seg[x86::Es], before.seg[x86::Fs],
                  before.seg[x86::Gs], layout::fs_base64,   layout::gs_base64};
    job.number++;
    job.phase = Phase::Starting;
    asm volatile("int3" ::: "memory");
    return job.result;
}

}  // namespace bmbt::oracle

using namespace bmbt;
using namespace bmbt::oracle;

extern "C" const Segments* oracle_signal(int signal, siginfo_t* info, ucontext_t* uc) {
    switch (job.phase) {
        case Phase::Idle:
            if (signal == SIGVTALRM) return &job.host;
            fprintf(stderr, "oracle: signal %d outside a vector at %p\n", signal, info->si_addr);
            _exit(3);
        case Phase::Starting:
            if (signal != SIGTRAP) return &job.host;  // a tick between the two lines
            std::memcpy(job.host_registers, uc->uc_mcontext.gregs, sizeof job.host_registers);
            std::memcpy(job.host_fpu, uc->uc_mcontext.fpregs, sizeof job.host_fpu);
            load(*job.before, *uc);
            job.phase = Phase::Running;
            refuse_syscalls = 1;
            return &job.vector;
        case Phase::Running: break;
    }
    if (signal == SIGVTALRM) {
        if (job.ticked != job.number) {
            job.ticked = job.number;
            Segments& s = oracle_entry_data.interrupted;
            s.fs_base = layout::fs_base64;
            s.gs_base = layout::gs_base64;
            return &s;
        }
        finish(*uc, RunResult::Timeout);
        return &job.host;
    }
    store(*uc, *job.after, *job.outcome);
    finish(*uc, signal == SIGSYS ? RunResult::Syscall : RunResult::Done);
    return &job.host;
}

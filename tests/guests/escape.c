// A user program that tries to read, write and run what is not its own: addresses where BMBT lives, addresses that are not
// canonical, its kernel's half, and with the argument "window" the slot where BMBT maps something for user code, of which it
// spoils what it may write: the addresses where BMBT expects returns to go.
// A line for each address: its name, and for each kind of access "." when it went through, or the signal and its code.
#include <setjmp.h>
#include <signal.h>
#include <stdint.h>
#include <stdio.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

typedef unsigned long ulong;

static sigjmp_buf back;
static volatile int got, code;

static void on_signal(int number, siginfo_t* info, void* context) {
    (void)context;
    got = number, code = info->si_code;
    siglongjmp(back, 1);
}

static union {
    char bytes[512];
    uint64_t words[64];
} __attribute__((aligned(64))) buffer;

static void read_byte(ulong a) { asm volatile("movb (%0), %%al" ::"r"(a) : "rax", "memory"); }
static void read_word(ulong a) { asm volatile("movq (%1), %0" : "=r"(buffer.words[0]) : "r"(a) : "memory"); }
static void read_vector(ulong a) { asm volatile("movups (%0), %%xmm0" ::"r"(a) : "xmm0", "memory"); }
static void read_string(ulong a) {
    void* to = buffer.bytes;
    ulong count = 64;
    asm volatile("rep movsb" : "+D"(to), "+S"(a), "+c"(count)::"memory");
}
static void read_stack(ulong a) {
    asm volatile("movq %%rsp, %%r12; movq %0, %%rsp; popq %%rax; movq %%r12, %%rsp" ::"r"(a) : "rax", "r12", "memory");
}
// Writes put back what was there, when it could be read.
static void write_word(ulong a) { asm volatile("movq %1, (%0)" ::"r"(a), "r"(buffer.words[0]) : "memory"); }
static void write_byte(ulong a) { asm volatile("movb %1, (%0)" ::"r"(a), "r"(buffer.bytes[0]) : "memory"); }
static void add_locked(ulong a) { asm volatile("lock addl $0, (%0)" ::"r"(a) : "memory"); }
static void write_vector(ulong a) { asm volatile("movups %%xmm0, (%0)" ::"r"(a) : "memory"); }
static void write_string(ulong a) {
    ulong count = 64;
    asm volatile("rep stosb" : "+D"(a), "+c"(count) : "a"(0) : "memory");
}
static void save_fpu(ulong a) { asm volatile("fxsave (%0)" ::"r"(a & ~15ul) : "memory"); }
static void run(ulong a) { asm volatile("call *%0" ::"r"(a) : "memory"); }

static const struct {
    const char* name;
    void (*try)(ulong);
    int harmless;  // when the address can be written
} kinds[] = {
    {"byte", read_byte, 1},      {"word", read_word, 1},        {"vector", read_vector, 1}, {"string", read_string, 1},
    {"pop", read_stack, 1},      {"write", write_word, 1},      {"writeb", write_byte, 1},  {"lock", add_locked, 1},
    {"writev", write_vector, 0}, {"strings", write_string, 0}, {"fxsave", save_fpu, 0},    {"run", run, 1},
};

static void attempt(const char* name, ulong address, int gentle) {
    printf("%s %016lx", name, address);
    for (unsigned n = 0; n < sizeof kinds / sizeof *kinds; n++) {
        if (gentle && !kinds[n].harmless) continue;
        if (sigsetjmp(back, 1)) {
            printf(" %s=%s%d", kinds[n].name, got == SIGSEGV ? "SEGV" : got == SIGBUS ? "BUS" : got == SIGILL ? "ILL" : "?", code);
        } else {
            kinds[n].try(address);
            printf(" %s=.", kinds[n].name);
        }
    }
    putchar('\n');
    fflush(stdout);
}

// Returns, after all predictions of returns lead to an address.
static __attribute__((noinline)) void return_by(volatile uint64_t* predictions, uint64_t address) {
    for (unsigned n = 0; n < 32; n++) predictions[2 * n + 1] = address;
}
// A process that does so, and how it ended: it may do what it likes to itself alone.
static void spoil(volatile uint64_t* predictions, uint64_t address) {
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        signal(SIGILL, SIG_DFL), signal(SIGSEGV, SIG_DFL), signal(SIGBUS, SIG_DFL);
        alarm(5);  // it may go round in circles
        return_by(predictions, address);
        _exit(0);
    }
    waitpid(child, &status, 0);
    printf("predictions %016lx %s\n", address, WIFSIGNALED(status) ? "killed" : "ended");
    fflush(stdout);
}

// Alignment is checked for it alone, and it never does anything: the alarm must come through nevertheless.
static void spin(void) {
    int status = 0;
    fflush(stdout);
    pid_t child = fork();
    if (child == 0) {
        alarm(1);
        asm volatile("pushfq; orl $0x40000, (%rsp); popfq; 1: jmp 1b");
    }
    waitpid(child, &status, 0);
    printf("spinning with alignment checks: signal %d\n", WTERMSIG(status));
}

int main(int argc, char** argv) {
    static char stack[65536];
    stack_t alternate = {.ss_sp = stack, .ss_size = sizeof stack};
    sigaltstack(&alternate, NULL);
    struct sigaction action = {.sa_sigaction = on_signal, .sa_flags = SA_SIGINFO | SA_ONSTACK};
    sigaction(SIGSEGV, &action, NULL);
    sigaction(SIGBUS, &action, NULL);
    sigaction(SIGILL, &action, NULL);

    static const ulong host[] = {
        0x9000000000000000, 0x9000000000200000, 0x9000000000300000, 0x9000000004a00000, 0x900000000fff0000, 0x9000000080000000,
        0x8000000000000000, 0x8000000000200000, 0x800000001fe001e0, 0x8000000010000000, 0x8000000080000000, 0x9ffffffffffff000,
        0xa000000000200000, 0x9000800000000000, 0x0000000000200000, 0x0000000000001000,
    };
    static const ulong strange[] = {
        0x0001000000000000, 0x0000800100000000, 0x0000900000000000, 0x1234567812345678, 0x7fffffffffffffff, 0x7ffffffffffff000,
        0xfffe000000000000, 0xffff7ffffffff000, 0xff00000000000000, 0x00007ffffffffffc, 0x00007ffffffff000,
    };
    static const ulong kernel[] = {
        0xffffffff81000000, 0xffffffff80000000, 0xffffffff82000000, 0xffff888000000000, 0xffff888000100000, 0xffff888001000000,
        0xffffc90000000000, 0xffffea0000000000, 0xfffffe0000000000, 0xfffffe0000001000, 0xffffffffff5fb000, 0xffffffffc0000000,
        0xffffff8000000000, 0xfffffffffffff000, 0xfffffffffffffff8, 0xffff880000000000,
    };
    if (argc > 1 && !strcmp(argv[1], "window")) {
        const ulong slot = 0xffff800000000000, page = slot + (1ul << 36), cache = slot + (1ul << 37);
        attempt("code", slot, 0);
        attempt("code", slot + 0x1000, 0);
        attempt("code", slot + (32ul << 20) - 4096, 0);
        attempt("behind-code", slot + (32ul << 20), 0);
        attempt("page", page + 0xff8, 1);
        attempt("before-page", page - 0x1000, 0);
        attempt("behind-page", page + 0x2000, 0);
        attempt("cache", cache, 0);
        attempt("cache", cache + 0x1000, 0);
        attempt("before-cache", cache - 0x1000, 0);
        attempt("behind-cache", cache + (1ul << 24), 0);
        attempt("slot", slot + (1ul << 35), 0);
        attempt("slot", slot + (1ul << 38), 0);
        attempt("slot", slot + (1ul << 39) - 4096, 0);
        attempt("next-slot", slot + (1ul << 39), 0);
        attempt("alias", 0x0000800000000000, 0);
        attempt("alias", 0x0000800000001000, 0);
        attempt("alias", 0x0000800000000000 + (1ul << 37), 0);
        attempt("alias", 0x0000ffff81000000, 0);
        volatile uint64_t* predictions = (volatile uint64_t*)(page + 2048);
        // Not to pages with NX: there QEMU asks its host for the instruction for ever, see docs/window.md.
        const ulong wild[] = {0, 0x1234, slot + (1ul << 35), slot + (32ul << 20), 0x9000000000200000, 0x8000000000200000, slot + 2, 0x0001000000000000,
                              slot, slot + 0x20, slot + 0x104, slot + 0x1008, slot + 0x200c, slot + 0x4010, slot + 0x10004, slot + 0x40008};
        for (unsigned n = 0; n < sizeof wild / sizeof *wild; n++) spoil(predictions, wild[n]);
        return 0;
    }
    spin();
    for (unsigned n = 0; n < sizeof host / sizeof *host; n++) attempt("host", host[n], 0);
    for (unsigned n = 0; n < sizeof strange / sizeof *strange; n++) attempt("strange", strange[n], 0);
    for (unsigned n = 0; n < sizeof kernel / sizeof *kernel; n++) attempt("kernel", kernel[n], 0);
    return 0;
}

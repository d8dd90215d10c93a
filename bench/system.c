// System workloads: kernel entries, switches, processes, page faults, code that changes.
#define _GNU_SOURCE
#include <string.h>
#include <sys/mman.h>
#include <sys/syscall.h>
#include <sys/wait.h>
#include <unistd.h>

#include "bench.h"

static uint64_t system_calls(void) {
    for (int i = 0; i < 100000; i++) syscall(SYS_getppid);
    return 1;
}

static uint64_t ping_pong(void) {
    int there[2], back[2];
    if (pipe(there) || pipe(back)) return 0;
    pid_t child = fork();
    char c = 0;
    if (child == 0) {
        while (read(there[0], &c, 1) == 1 && c != 'x')
            if (write(back[1], &c, 1) != 1) break;
        _exit(0);
    }
    uint64_t count = 0;
    for (int i = 0; i < 4000; i++) {
        c = 'a';
        if (write(there[1], &c, 1) != 1 || read(back[0], &c, 1) != 1) break;
        count++;
    }
    c = 'x';
    count += write(there[1], &c, 1) == 1;
    waitpid(child, 0, 0);
    close(there[0]), close(there[1]), close(back[0]), close(back[1]);
    return count;
}

static uint64_t processes(void) {
    uint64_t good = 0;
    for (int i = 0; i < 30; i++) {
        pid_t child = fork();
        if (child == 0) {
            execl("/init", "/init", "nothing", NULL);    // this program, in the initramfs
            _exit(1);
        }
        int status = 1;
        waitpid(child, &status, 0);
        good += status == 0;
    }
    return good;
}

static uint64_t page_faults(void) {
    enum { pages = 2000, page = 4096 };
    uint64_t sum = 0;
    for (int round = 0; round < 5; round++) {
        uint8_t* p = mmap(0, pages * page, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
        if (p == MAP_FAILED) return 0;
        madvise(p, pages * page, MADV_NOHUGEPAGE);
        for (int i = 0; i < pages; i++) p[i * page] = (uint8_t)i;
        mprotect(p, pages * page, PROT_READ);
        for (int i = 0; i < pages; i++) sum += p[i * page];
        munmap(p, pages * page);
    }
    return sum;
}

// Writes the instruction that adds a number to the result, or the return, at p; gives the place after it.
static uint8_t* put_add(uint8_t* p, uint32_t number) {
#if defined(__x86_64__)
    *p++ = 0x05;    // add eax, imm32
#else
    number = 0x02800084 | (number & 0x7ff) << 10;    // addi.w $a0, $a0, imm12
#endif
    memcpy(p, &number, sizeof number);
    return p + sizeof number;
}
static uint8_t* put_return(uint8_t* p) {
#if defined(__x86_64__)
    static const uint8_t code = 0xc3;    // ret
#else
    static const uint32_t code = 0x4c000020;    // jr $ra
#endif
    memcpy(p, &code, sizeof code);
    return p + sizeof code;
}

// Writes a function that adds 40 numbers, calls it, and writes it anew with others.
static uint64_t changing_code(void) {
    uint8_t* code = mmap(0, 4096, PROT_READ | PROT_WRITE | PROT_EXEC, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (code == MAP_FAILED) return 0;
    uint64_t sum = 0;
    for (uint32_t i = 0; i < 3000; i++) {
        uint8_t* p = code;
#if defined(__x86_64__)
        memcpy(p, "\x89\xf8", 2), p += 2;    // mov eax, edi
#endif
        for (uint32_t k = 0; k < 40; k++) p = put_add(p, i + k);
        p = put_return(p);
        __builtin___clear_cache((char*)code, (char*)p);
        sum += ((uint32_t(*)(uint32_t))code)(1);
    }
    munmap(code, 4096);
    return sum;
}

const struct workload system_workloads[] = {{"syscall", system_calls}, {"pipe", ping_pong},    {"fork_exec", processes},
                                            {"page_fault", page_faults}, {"changing_code", changing_code}, {0}};

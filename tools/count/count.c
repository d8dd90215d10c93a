// A QEMU plugin that counts executed instructions exactly, between marks that the guest sets, in qemu-system-loongarch64
// and qemu-system-x86_64 alike.
//
//   -plugin build/tools/count.so,out=FILE[,each=on][,range=LOW:HIGH]...
//
// Every mark b (0-255) writes one line "mark b nanoseconds upper lower direct [range...]" to FILE, and the end of QEMU one
// with b = 999: wall-clock time and the instructions executed so far, by address: in the upper half (kernels, and BMBT's
// image and kernel-mode code), in the lower half (user programs), and on LoongArch below 256 MiB (code that runs by
// physical address: the TLB refill handlers). The ranges, up to 6 of hexadecimal addresses, count what they cover.
//
// Marks are instructions without effect: on LoongArch "andi $zero, $zero, 0x800 + b", on x86 "nopl 0x5a5a00bb(%rax)".
// Blocks are counted as a whole when they begin; each=on counts every instruction, for blocks that faults leave.
#include <glib.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "qemu-plugin.h"

QEMU_PLUGIN_EXPORT int qemu_plugin_version = QEMU_PLUGIN_VERSION;

enum { Upper, Lower, Direct, Ranges, MaxRanges = 6, Counters = Ranges + MaxRanges, EndMark = 999, NoMark = -1 };

static qemu_plugin_u64 counter[Counters];
static struct {
    uint64_t low, high;
} range[MaxRanges];
static int ranges;
static int loongarch, each;
static FILE* out;

static void write_line(unsigned mark) {
    struct timespec t;
    clock_gettime(CLOCK_MONOTONIC, &t);
    fprintf(out, "mark %u %lld", mark, t.tv_sec * 1000000000ll + t.tv_nsec);
    for (int i = 0; i < Ranges + ranges; i++)
        fprintf(out, " %llu", (unsigned long long)qemu_plugin_u64_sum(counter[i]));
    fputc('\n', out);
    fflush(out);
}

static void at_mark(unsigned cpu, void* mark) {
    (void)cpu;
    write_line((unsigned)(uintptr_t)mark);
}

static int mark_of(struct qemu_plugin_insn* insn) {
    uint8_t bytes[8] = {0};
    size_t size = qemu_plugin_insn_data(insn, bytes, sizeof bytes);
    if (loongarch) {
        uint32_t word;
        memcpy(&word, bytes, sizeof word);
        unsigned immediate = word >> 10 & 0xfff;
        return (word & 0xffc003ff) == 0x03400000 && immediate >= 0x800 && immediate < 0x900 ? (int)immediate - 0x800 : NoMark;
    }
    static const uint8_t nop[] = {0x0f, 0x1f, 0x80};
    static const uint8_t tail[] = {0x00, 0x5a, 0x5a};
    return size == 7 && !memcmp(bytes, nop, sizeof nop) && !memcmp(bytes + 4, tail, sizeof tail) ? bytes[3] : NoMark;
}

static int class_of(uint64_t address) {
    if (address >> 63) return Upper;
    return loongarch && address < 0x10000000 ? Direct : Lower;
}

// Adds n to a counter whenever the block, or with each=on the instruction, is executed.
static void count(struct qemu_plugin_tb* block, struct qemu_plugin_insn* insn, int which, uint64_t n) {
    if (insn)
        qemu_plugin_register_vcpu_insn_exec_inline_per_vcpu(insn, QEMU_PLUGIN_INLINE_ADD_U64, counter[which], 1);
    else
        qemu_plugin_register_vcpu_tb_exec_inline_per_vcpu(block, QEMU_PLUGIN_INLINE_ADD_U64, counter[which], n);
}

static void count_all(struct qemu_plugin_tb* block, struct qemu_plugin_insn* insn, uint64_t address, uint64_t n) {
    count(block, insn, class_of(address), n);
    for (int i = 0; i < ranges; i++)
        if (address >= range[i].low && address < range[i].high) count(block, insn, Ranges + i, n);
}

static void translated(qemu_plugin_id_t id, struct qemu_plugin_tb* block) {
    (void)id;
    size_t n = qemu_plugin_tb_n_insns(block);
    if (!each) count_all(block, NULL, qemu_plugin_tb_vaddr(block), n);
    for (size_t i = 0; i < n; i++) {
        struct qemu_plugin_insn* insn = qemu_plugin_tb_get_insn(block, i);
        if (each) count_all(block, insn, qemu_plugin_insn_vaddr(insn), 1);
        int mark = mark_of(insn);
        if (mark != NoMark)
            qemu_plugin_register_vcpu_insn_exec_cb(insn, at_mark, QEMU_PLUGIN_CB_NO_REGS, (void*)(uintptr_t)mark);
    }
}

static void at_end(qemu_plugin_id_t id, void* data) {
    (void)id, (void)data;
    write_line(EndMark);
    fclose(out);
}

static int take(const char* argument) {
    if (!strncmp(argument, "out=", 4)) {
        out = fopen(argument + 4, "w");
        return out != NULL;
    }
    if (!strcmp(argument, "each=on")) return each = 1;
    if (!strncmp(argument, "range=", 6) && ranges < MaxRanges) {
        char* end;
        range[ranges].low = strtoull(argument + 6, &end, 16);
        if (*end != ':') return 0;
        range[ranges].high = strtoull(end + 1, &end, 16);
        ranges++;
        return *end == 0;
    }
    return 0;
}

QEMU_PLUGIN_EXPORT int qemu_plugin_install(qemu_plugin_id_t id, const qemu_info_t* info, int argc, char** argv) {
    loongarch = !strncmp(info->target_name, "loong", 5);
    for (int i = 0; i < argc; i++)
        if (!take(argv[i])) {
            fprintf(stderr, "count: bad argument %s\n", argv[i]);
            return -1;
        }
    if (!out) {
        fputs("count: give out=FILE\n", stderr);
        return -1;
    }
    struct qemu_plugin_scoreboard* board = qemu_plugin_scoreboard_new(Counters * sizeof(uint64_t));
    for (int i = 0; i < Counters; i++) counter[i] = (qemu_plugin_u64){board, (size_t)i * sizeof(uint64_t)};
    qemu_plugin_register_vcpu_tb_trans_cb(id, translated);
    qemu_plugin_register_atexit_cb(id, at_end, NULL);
    return 0;
}

// Memory workloads: the C library's bulk functions, string instructions, and dependent loads.
#include <string.h>

#include "bench.h"

enum { small = 4096, large = 1 << 20 };
enum bulk { Copy, Move, Set };
static uint8_t from[large + 64] __attribute__((aligned(4096))), to[large] __attribute__((aligned(4096)));

// Copies from a buffer that was written, sets another, or moves bytes to an overlapping place (64 bytes up, so that the
// copy has to go downwards).
static uint64_t library(size_t size, int times, enum bulk what) {
    from[size - 1] = 7;
    KEEP(from);
    for (int i = 0; i < times; i++) {
        if (what == Copy)
            memcpy(to, from, size);
        else if (what == Move)
            memmove(from + 64, from, size);
        else
            memset(to, i, size);
        KEEP(to);
    }
    return to[size - 1];
}
static uint64_t memcpy_4k(void) { return library(small, 4000, Copy); }
static uint64_t memcpy_1m(void) { return library(large, 16, Copy); }
static uint64_t memmove_4k(void) { return library(small, 4000, Move); }
static uint64_t memmove_1m(void) { return library(large, 16, Move); }
static uint64_t memset_4k(void) { return library(small, 4000, Set); }
static uint64_t memset_1m(void) { return library(large, 16, Set); }

// The string instructions themselves; on other machines what their C library does for the same.
static void repeat_move(size_t size) {
#if defined(__x86_64__)
    void *d = to, *s = from;
    __asm__ volatile("rep movsb" : "+D"(d), "+S"(s), "+c"(size) : : "memory");
#else
    memcpy(to, from, size);
    KEEP(to);
#endif
}
static void repeat_store(size_t size) {
#if defined(__x86_64__)
    void* d = to;
    size /= 8;
    __asm__ volatile("rep stosq" : "+D"(d), "+c"(size) : "a"(0x0101010101010101ull) : "memory");
#else
    memset(to, 1, size);
    KEEP(to);
#endif
}
static uint64_t movs_4k(void) {
    for (int i = 0; i < 4000; i++) repeat_move(small);
    return to[1];
}
static uint64_t stos_4k(void) {
    for (int i = 0; i < 4000; i++) repeat_store(small);
    return to[1];
}
static uint64_t movs_1m(void) {
    for (int i = 0; i < 16; i++) repeat_move(large);
    return to[1];
}

static uint64_t stos_1m(void) {
    for (int i = 0; i < 16; i++) repeat_store(large);
    return to[1];
}

// A walk through a random cycle of 8 MiB: every load waits for the one before, and most miss the TLB.
static uint64_t chase(void) {
    enum { n = (8 << 20) / 8 };
    static uint32_t order[n];
    static uint64_t chain[n];
    uint32_t seed = 6;
    if (!chain[0]) {
        for (uint32_t i = 0; i < n; i++) order[i] = i;
        for (uint32_t i = n - 1; i > 0; i--) {
            uint32_t j = (uint32_t)((uint64_t)next_random(&seed) * i >> 24), t = order[i];
            order[i] = order[j], order[j] = t;
        }
        for (uint32_t i = 0; i < n; i++) chain[order[i]] = order[(i + 1) % n];
    }
    uint64_t at = 0;
    for (int i = 0; i < 1000000; i++) at = chain[at];
    return at;
}

const struct workload memory_workloads[] = {
    {"memcpy_4k", memcpy_4k}, {"memcpy_1m", memcpy_1m}, {"memmove_4k", memmove_4k}, {"memmove_1m", memmove_1m},
    {"memset_4k", memset_4k}, {"memset_1m", memset_1m}, {"movs_4k", movs_4k},       {"movs_1m", movs_1m},
    {"stos_4k", stos_4k},     {"stos_1m", stos_1m},     {"chase", chase},           {0}};

// What a workload is, and how it is bracketed for the counting plugin (tools/count).
#pragma once
#include <stddef.h>
#include <stdint.h>

struct workload {
    const char* name;
    uint64_t (*run)(void);  // one repetition; the result is printed, and the same on every machine
};

extern const struct workload integer_workloads[], zlib_workloads[], float_workloads[], memory_workloads[], system_workloads[];

// Executes the mark b (0-255): an instruction without effect that the plugin knows, and on x86 also the port that BMBT
// turns into the host's mark, once mark_port says that the program may use it.
void mark(uint8_t b);
extern int mark_port;

// A linear congruential generator, so that every machine sees the same data.
static inline uint32_t next_random(uint32_t* seed) { return (*seed = *seed * 1664525u + 1013904223u) >> 8; }

#define KEEP(x) __asm__ volatile("" : : "g"(x) : "memory")

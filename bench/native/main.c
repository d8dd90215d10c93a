// The workloads that need no kernel, on bare LoongArch: what the same source takes there, the C library's own memcpy and
// memset included. Marks as in bench/main.c.
#include "../bench.h"

// zlib's default allocator, which no workload calls: each brings its own.
void* malloc(size_t size) {
    (void)size;
    return 0;
}
void free(void* p) { (void)p; }

int main(void) {
    int n = 0;
    mark(1);
    const struct workload* groups[] = {integer_workloads, zlib_workloads, float_workloads, memory_workloads};
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (const struct workload* w = groups[g]; w->name; w++, n++) {
            KEEP(w->run());
            mark((uint8_t)(2 * n + 2));
            KEEP(w->run());
            mark((uint8_t)(2 * n + 3));
        }
    return 0;
}

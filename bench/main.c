// Runs every workload twice; marks bracket the second repetition: 2n + 2 before, 2n + 3 after the n-th. As the first
// program of a kernel (process 1) it marks its start with 1 and powers off at the end. With arguments (a kernel passes on
// what follows -- on its command line) it runs only the workloads named; "list" prints their names.
#include <stdio.h>
#include <string.h>
#include <sys/mount.h>
#include <sys/reboot.h>
#include <sys/stat.h>
#include <unistd.h>
#if defined(__x86_64__)
#include <sys/io.h>
#endif

#include "bench.h"

int mark_port;

static int wanted(const char* name, int argc, char** argv) {
    for (int i = 1; i < argc; i++)
        if (!strcmp(argv[i], name)) return 1;
    return argc < 2;
}

int main(int argc, char** argv) {
    if (argc == 2 && !strcmp(argv[1], "nothing")) return 0;  // what the fork-and-exec workload executes
    int first_program = getpid() == 1;
#if defined(__x86_64__)
    mark_port = iopl(3) == 0;
#endif
    mark(1);
    int n = 0, list = argc == 2 && !strcmp(argv[1], "list");
    const struct workload* groups[] = {integer_workloads, zlib_workloads, float_workloads, memory_workloads, system_workloads};
    for (size_t g = 0; g < sizeof groups / sizeof groups[0]; g++)
        for (const struct workload* w = groups[g]; w->name; w++, n++) {
            if (list) puts(w->name);
            if (!wanted(w->name, argc, argv)) continue;
            uint64_t first = w->run();
            mark((uint8_t)(2 * n + 2));
            uint64_t second = w->run();
            mark((uint8_t)(2 * n + 3));
            printf("bench %d %s %016llx%s\n", n, w->name, (unsigned long long)second,
                   first == second ? "" : " differs from the first repetition");
            fflush(stdout);
        }
    if (first_program) reboot(RB_POWER_OFF);
    return 0;
}

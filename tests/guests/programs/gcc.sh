# gcc: a program at three levels of optimization, its assembly, an error.
echo == gcc
cat > program.c <<'C'
#include <math.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
static int compare(const void* a, const void* b) { return *(const int*)a - *(const int*)b; }
int main(int argc, char** argv) {
    int v[1000];
    long double product = 1;
    double sum = 0;
    unsigned x = 12345;
    for (int i = 0; i < 1000; i++) v[i] = (x = x * 1103515245u + 12345u) >> 8 & 0xffff;
    qsort(v, 1000, sizeof v[0], compare);
    for (int i = 1; i <= 60; i++) product *= 1 + 1.0L / i, sum += sin(i) / i;
    printf("%d %d %d %.18Lg %.15g %s\n", v[0], v[499], v[999], product, sum, argc > 1 ? argv[1] : "");
    return 7;
}
C
for level in 0 2 3; do
    gcc -O$level -Wall program.c -o program -lm && ./program "-O$level"
    echo "returned $?"
done
gcc -S -O2 -o - program.c | sha256sum
echo 'int main(void) { return x; }' | gcc -x c - 2>&1 | head -n 3

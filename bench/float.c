// Floating-point workloads: scalar and packed double, and the x87's 80 bits (plain double where long double is 128).
#include <string.h>

#include "bench.h"

static uint64_t bits_of(double d) {
    uint64_t u;
    memcpy(&u, &d, sizeof u);
    return u;
}

// Bodies that attract each other, scalar arithmetic with a square root and a division a pair.
static uint64_t nbody(void) {
    enum { n = 6 };
    double x[n][3], v[n][3], m[n];
    uint32_t seed = 4;
    for (int i = 0; i < n; i++) {
        m[i] = 1 + next_random(&seed) % 100 / 50.0;
        for (int k = 0; k < 3; k++) x[i][k] = next_random(&seed) % 1000 / 100.0, v[i][k] = 0;
    }
    for (int step = 0; step < 20000; step++) {
        for (int i = 0; i < n; i++)
            for (int j = i + 1; j < n; j++) {
                double d0 = x[i][0] - x[j][0], d1 = x[i][1] - x[j][1], d2 = x[i][2] - x[j][2];
                double square = d0 * d0 + d1 * d1 + d2 * d2 + 0.01, pull = 0.0001 / (square * __builtin_sqrt(square));
                v[i][0] -= d0 * m[j] * pull, v[i][1] -= d1 * m[j] * pull, v[i][2] -= d2 * m[j] * pull;
                v[j][0] += d0 * m[i] * pull, v[j][1] += d1 * m[i] * pull, v[j][2] += d2 * m[i] * pull;
            }
        for (int i = 0; i < n; i++)
            for (int k = 0; k < 3; k++) {
                x[i][k] += v[i][k];
                KEEP(x[i]);
            }
    }
    return bits_of(x[0][0]) ^ bits_of(v[3][1]);
}

// A product of matrices in the compiler's 128-bit vectors.
typedef double pair __attribute__((vector_size(16)));
static uint64_t matmul(void) {
    enum { n = 128 };
    static double a[n][n];
    static pair b[n][n / 2], c[n][n / 2];
    uint32_t seed = 5;
    for (int i = 0; i < n; i++)
        for (int j = 0; j < n; j++) {
            a[i][j] = next_random(&seed) % 100 / 10.0;
            b[i][j / 2][j % 2] = next_random(&seed) % 100 / 10.0;
        }
    for (int round = 0; round < 4; round++)
        for (int i = 0; i < n; i++)
            for (int j = 0; j < n / 2; j += 4) {
                pair s0 = {0}, s1 = {0}, s2 = {0}, s3 = {0};
                for (int k = 0; k < n; k++) {
                    pair f = {a[i][k], a[i][k]};
                    s0 += f * b[k][j], s1 += f * b[k][j + 1], s2 += f * b[k][j + 2], s3 += f * b[k][j + 3];
                }
                c[i][j] = s0, c[i][j + 1] = s1, c[i][j + 2] = s2, c[i][j + 3] = s3;
                KEEP(c);
            }
    double sum = 0;
    for (int i = 0; i < n; i++) sum += c[i][i / 2][i % 2];
    return bits_of(sum);
}

#if defined(__x86_64__)
typedef long double extended;
#else
typedef double extended;
#endif
// The sum of a series with a polynomial and a division in 80 bits.
static uint64_t x87(void) {
    extended sum = 0, x = 0.5;
    for (int i = 1; i < 200000; i++) {
        extended p = ((x * 0.125 + 0.25) * x + 0.5) * x + 1;
        sum += p / (extended)i;
        x = x * 0.999 + 0.0007;
        if (x > 0.9) x -= 0.3;
        KEEP(i);
    }
    return (uint64_t)(sum * 1000000);
}

const struct workload float_workloads[] = {{"scalar", nbody}, {"packed", matmul}, {"x87", x87}, {0}};

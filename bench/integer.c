// Integer workloads: a mix of classic kernels, recursion, a bytecode interpreter, compression.
#include <stdlib.h>
#include <string.h>

#include "bench.h"

static uint64_t sieve(void) {
    static uint8_t composite[200000];
    memset(composite, 0, sizeof composite);
    uint64_t count = 0;
    for (size_t i = 2; i < sizeof composite; i++) {
        if (composite[i]) continue;
        count++;
        for (size_t j = i * 2; j < sizeof composite; j += i) composite[j] = 1;
    }
    return count;
}

static void sift(uint32_t* v, size_t root, size_t n) {
    for (size_t child; (child = root * 2 + 1) < n; root = child) {
        if (child + 1 < n && v[child] < v[child + 1]) child++;
        if (v[root] >= v[child]) return;
        uint32_t t = v[root];
        v[root] = v[child];
        v[child] = t;
    }
}

static uint64_t heap_sort(void) {
    static uint32_t v[30000];
    enum { n = sizeof v / sizeof v[0] };
    uint32_t seed = 1;
    for (size_t i = 0; i < n; i++) v[i] = next_random(&seed);
    for (size_t i = n / 2; i-- > 0;) sift(v, i, n);
    for (size_t i = n; i-- > 1;) {
        uint32_t t = v[0];
        v[0] = v[i];
        v[i] = t;
        sift(v, 0, i);
    }
    uint64_t sum = 0;
    for (size_t i = 0; i < n; i++) sum = sum * 31 + v[i];
    return sum;
}

static uint64_t crc(void) {
    uint32_t table[256], sum = ~0u;
    for (uint32_t i = 0; i < 256; i++) {
        uint32_t c = i;
        for (int k = 0; k < 8; k++) c = c & 1 ? c >> 1 ^ 0xedb88320u : c >> 1;
        table[i] = c;
    }
    uint32_t seed = 2;
    for (int i = 0; i < 500000; i++) sum = table[(sum ^ next_random(&seed)) & 255] ^ sum >> 8;
    return ~sum;
}

static uint64_t divide(void) {
    uint64_t sum = 0, x = 0x123456789abcdefull;
    for (uint64_t i = 1; i < 300000; i++) {
        x = x * 6364136223846793005ull + 1442695040888963407ull;
        sum += x / (i | 1) + x % (i + 7) + (uint64_t)((unsigned __int128)x * i >> 64);
    }
    return sum;
}

static uint64_t mix(void) { return sieve() + heap_sort() + crc() + divide(); }

__attribute__((noinline)) static uint64_t fib(unsigned n) {
    KEEP(n);
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}
static uint64_t calls(void) { return fib(28); }

// A register machine with computed jumps, as many language interpreters are.
static uint64_t interpreter(void) {
    enum { Load, Add, Sub, Mul, Xor, Shift, Less, Jump, Store, Get, Stop };
    static const uint8_t program[][4] = {
        {Load, 0, 0, 0},  {Load, 1, 1, 0},  {Load, 2, 17, 0}, {Load, 3, 0, 0},                    // i = 0, one, seed, sum
        {Mul, 2, 2, 4},   {Add, 2, 2, 1},   {Xor, 3, 3, 2},   {Shift, 5, 2, 7},                   // loop
        {Store, 5, 3, 0}, {Get, 6, 0, 0},   {Add, 3, 3, 6},   {Sub, 3, 3, 5},
        {Add, 0, 0, 1},   {Less, 7, 0, 8},  {Jump, 7, 4, 0},  {Stop, 0, 0, 0},
    };
    static const void* const labels[] = {&&load, &&add, &&sub, &&mul, &&xor, &&shift, &&less, &&jump, &&store, &&get, &&stop};
    static uint64_t memory[256];
    memset(memory, 0, sizeof memory);
    uint64_t r[16] = {[4] = 6364136223846793005ull, [8] = 300000};
    const uint8_t* p = program[0];
#define NEXT goto* labels[*p]
    NEXT;
load: r[p[1]] = p[2]; p += 4; NEXT;
add: r[p[1]] = r[p[2]] + r[p[3]]; p += 4; NEXT;
sub: r[p[1]] = r[p[2]] - r[p[3]]; p += 4; NEXT;
mul: r[p[1]] = r[p[2]] * r[p[3]]; p += 4; NEXT;
xor: r[p[1]] = r[p[2]] ^ r[p[3]]; p += 4; NEXT;
shift: r[p[1]] = r[p[2]] >> p[3]; p += 4; NEXT;
less: r[p[1]] = r[p[2]] < r[p[3]]; p += 4; NEXT;
jump: p = r[p[1]] ? program[p[2]] : p + 4; NEXT;
store: memory[r[p[1]] & 255] = r[p[2]]; p += 4; NEXT;
get: r[p[1]] = memory[r[p[2]] & 255]; p += 4; NEXT;
stop: return r[3];
#undef NEXT
}

// LZ77 with a hash of the last places, and its inverse.
static uint64_t compress(void) {
    enum { size = 400000 };
    static uint8_t plain[size], packed[size * 2], back[size];
    static uint32_t last[4096];
    uint32_t seed = 3;
    for (size_t i = 0; i < size;) {
        size_t run = next_random(&seed) % 24, distance = next_random(&seed) % 2000 + 1;
        if (i < distance || next_random(&seed) % 4 == 0) run = 0;
        for (; run > 0 && i < size; run--, i++) plain[i] = plain[i - distance];
        if (i < size) plain[i++] = (uint8_t)next_random(&seed);
    }
    memset(last, 0, sizeof last);
    size_t out = 0;
    for (size_t i = 0; i < size;) {
        uint32_t key = i + 3 < size ? (plain[i] | plain[i + 1] << 8 | plain[i + 2] << 16) * 2654435761u >> 20 : 0;
        size_t from = last[key], length = 0;
        last[key] = (uint32_t)i;
        if (from < i && i - from < 65536)
            while (length < 255 && i + length < size && plain[from + length] == plain[i + length]) length++;
        if (length >= 4) {
            packed[out++] = 1, packed[out++] = (uint8_t)length;
            packed[out++] = (uint8_t)(i - from), packed[out++] = (uint8_t)((i - from) >> 8);
            i += length;
        } else {
            packed[out++] = 0, packed[out++] = plain[i++];
        }
    }
    size_t to = 0;
    for (size_t i = 0; i < out;)
        if (packed[i]) {
            size_t length = packed[i + 1], distance = packed[i + 2] | packed[i + 3] << 8;
            for (i += 4; length--; to++) back[to] = back[to - distance];
        } else {
            back[to++] = packed[i + 1], i += 2;
        }
    return memcmp(plain, back, size) ? 0 : out;
}

const struct workload integer_workloads[] = {
    {"intmix", mix}, {"calls", calls}, {"interpreter", interpreter}, {"compress", compress}, {0}};

// Debian's zlib: deflate and inflate of a text, on memory of its own so that no allocator is measured.
#include <string.h>
#include <zlib.h>

#include "bench.h"

enum { plain_size = 200000, packed_size = plain_size + 1000 };
static uint8_t plain[plain_size], packed[packed_size], back[plain_size];
static uint8_t arena[400000] __attribute__((aligned(64)));
static size_t used;

static void* take(void* context, unsigned items, unsigned size) {
    (void)context;
    size_t bytes = ((size_t)items * size + 63) & ~(size_t)63;
    if (used + bytes > sizeof arena) return 0;
    used += bytes;
    return arena + used - bytes;
}
static void drop(void* context, void* p) { (void)context, (void)p; }

// Words of a small vocabulary, the frequent ones more often, as in a text.
static void write_text(void) {
    static char word[1024][8];
    uint32_t seed = 8;
    for (int i = 0; i < 1024; i++)
        for (uint32_t k = 0, length = 2 + next_random(&seed) % 6; k < length; k++)
            word[i][k] = (char)('a' + next_random(&seed) % 26);
    for (size_t at = 0; at < plain_size;) {
        const char* w = word[next_random(&seed) % (1 + next_random(&seed) % 1024)];
        for (int k = 0; k < 8 && w[k] && at < plain_size; k++) plain[at++] = (uint8_t)w[k];
        if (at < plain_size) plain[at++] = ' ';
    }
}

static uint64_t deflate_inflate(void) {
    write_text();
    used = 0;
    z_stream out = {.zalloc = take, .zfree = drop, .next_in = plain, .avail_in = plain_size, .next_out = packed,
                    .avail_out = packed_size};
    if (deflateInit(&out, 6) != Z_OK || deflate(&out, Z_FINISH) != Z_STREAM_END) return 0;
    size_t size = out.total_out;
    deflateEnd(&out);
    used = 0;
    z_stream in = {.zalloc = take, .zfree = drop, .next_in = packed, .avail_in = (uInt)size, .next_out = back,
                   .avail_out = plain_size};
    if (inflateInit(&in) != Z_OK || inflate(&in, Z_FINISH) != Z_STREAM_END) return 0;
    inflateEnd(&in);
    return memcmp(plain, back, plain_size) ? 0 : size;
}

const struct workload zlib_workloads[] = {{"zlib", deflate_inflate}, {0}};

/* SPDX-License-Identifier: MIT */
/* The parallel gzip, read back by zlib: lengths around its pieces, numbers of threads. */
#include <stdlib.h>

#include <zlib.h>

#include "cloud/bundle/gzip.h"
#include "tests/unit/test.h"

#define PIECE ((size_t)1 << 20)

struct out {
    uint8_t *bytes;
    size_t len, room, stop_at;
};

static bool take(void *ctx, const uint8_t *bytes, size_t len)
{
    struct out *o = ctx;

    if (o->len + len > o->stop_at)
        return false;
    if (o->len + len > o->room) {
        o->room = 2 * (o->len + len);
        o->bytes = realloc(o->bytes, o->room);
    }
    memcpy(o->bytes + o->len, bytes, len);
    o->len += len;
    return true;
}

/* Text that repeats over long ways, then noise. */
static void fill(uint8_t *bytes, size_t len)
{
    uint32_t x = 1;

    for (size_t i = 0; i < len; i++) {
        x = x * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(i < len / 2 ? (i / 100) % 251 : x >> 24);
    }
}

static bool unpacks_to(const struct out *o, const uint8_t *want, size_t len)
{
    uint8_t *got = malloc(len + 1);
    z_stream z = {
        .next_in = o->bytes, .avail_in = (uInt)o->len, .next_out = got, .avail_out = (uInt)len + 1};
    bool good = inflateInit2(&z, 15 + 16) == Z_OK && inflate(&z, Z_FINISH) == Z_STREAM_END &&
                z.avail_in == 0 && z.total_out == len && memcmp(got, want, len) == 0;

    inflateEnd(&z);
    free(got);
    return good;
}

/* `zeroes`: how many bytes at the end are zero. */
static void check_with(size_t len, size_t zeroes, unsigned nr_threads, size_t step)
{
    struct out o = {.stop_at = SIZE_MAX};
    uint8_t *in = malloc(len + 1);
    struct gzip *g = gzip_new(nr_threads, take, &o);
    bool good = g != NULL;

    fill(in, len);
    memset(in + len - zeroes, 0, zeroes);
    for (size_t off = 0; off < len && good; off += step)
        good = gzip_put(g, in + off, len - off < step ? len - off : step);
    good = good && gzip_finish(g);
    if (!good || !unpacks_to(&o, in, len))
        printf("%zu bytes, %u threads, in steps of %zu\n", len, nr_threads, step);
    CHECK(good && unpacks_to(&o, in, len));
    gzip_free(g);
    free(in);
    free(o.bytes);
}

static void check(size_t len, unsigned nr_threads, size_t step)
{
    check_with(len, 0, nr_threads, step);
}

/* Pieces of zeroes are packed once and then copied, which nobody may notice. */
static void packs_zeroes(void)
{
    for (unsigned threads = 1; threads <= 3; threads++) {
        check_with(9 * PIECE, 9 * PIECE, threads, PIECE);
        check_with(9 * PIECE + 5, 8 * PIECE, threads, 100000);
        check_with(9 * PIECE, 8 * PIECE - 1, threads, 300000);
    }
}

static void zlib_reads_it(void)
{
    static const size_t lens[] = {0,         1,         PIECE - 1,     PIECE,
                                  PIECE + 1, 2 * PIECE, 5 * PIECE + 7, 7 * PIECE};

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        check(lens[i], 1, 100000);
        check(lens[i], 4, 3 * PIECE + 11);
    }
}

static void is_as_small_as_one_piece(void)
{
    struct out o = {.stop_at = SIZE_MAX};
    struct gzip *g = gzip_new(2, take, &o);
    uint8_t *in = calloc(8, PIECE);

    CHECK(gzip_put(g, in, 8 * PIECE) && gzip_finish(g));
    CHECK(o.len < 10000);
    gzip_free(g);
    free(in);
    free(o.bytes);
}

static void ends_when_nobody_takes_it(void)
{
    for (size_t stop = 0; stop < 3000000; stop += 700000) {
        struct out o = {.stop_at = stop};
        struct gzip *g = gzip_new(3, take, &o);
        uint8_t *in = malloc(8 * PIECE);
        bool good;

        fill(in, 8 * PIECE);
        good = gzip_put(g, in, 8 * PIECE) && gzip_finish(g);
        CHECK(!good && !gzip_put(g, in, 1) && !gzip_finish(g));
        gzip_free(g);
        free(in);
        free(o.bytes);
    }
    gzip_free(gzip_new(2, take, NULL)); /* nothing was put in */
}

int main(void)
{
    RUN(zlib_reads_it);
    RUN(packs_zeroes);
    RUN(is_as_small_as_one_piece);
    RUN(ends_when_nobody_takes_it);
    return test_done();
}

/* SPDX-License-Identifier: MIT */
/*
 * core/unpack against the formats' own tools: every format, sizes around powers of two, chunks of
 * odd sizes, several streams, trailers, truncation, bit flips, memory.
 */
#include "tests/unit/test.h"

#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/unpack/codec.h"
#include "tests/unit/packed.h"
#include "tests/unit/support.h"

static const struct format {
    const char *command;
    enum unpack_format format;
    bool checked; /* carries a checksum of the data */
    bool large;   /* worth a test with 17 MiB */
} formats[] = {
    {"cat", UNPACK_NONE, false, false},
    {"gzip -9c", UNPACK_GZIP, true, false},
    {"gzip -1nc", UNPACK_GZIP, true, true},
    {"bzip2 -1c", UNPACK_BZIP2, true, false},
    {"xz -c --format=lzma -1", UNPACK_LZMA, false, false},
    {"xz -c --check=crc32 --x86 --lzma2=preset=1,dict=1MiB", UNPACK_XZ, true, true},
    {"xz -c --check=sha256 -1 --block-size=65536", UNPACK_XZ, true, false},
    {"lzop -9c", UNPACK_LZO, true, false},
    {"lzop -1c", UNPACK_LZO, true, true},
    {"lzop -c --crc32", UNPACK_LZO, true, false},
    {"lzop -c -F", UNPACK_LZO, false, false}, /* no checksum of the data */
    {"lz4 -qcl -9", UNPACK_LZ4, false, true},
    {"lz4 -qc -1 -BD -B4", UNPACK_LZ4, true, true}, /* linked blocks of 64 KiB */
    {"lz4 -qc -1 -B7 -BX", UNPACK_LZ4, true, true}, /* 4 MiB, block checksums */
    {"lz4 -qc -9 --content-size -B5", UNPACK_LZ4, true, false},
    {"zstd -qc -9 --check", UNPACK_ZSTD, true, true},
    {"zstd -qc -1 --long=27 --no-check", UNPACK_ZSTD, false, false},
};

/* Unpack everything in reads of read_len; the failure, and what came out in *out. */
static struct err unpack_all(enum unpack_format format, struct bytes in, size_t chunk,
                             size_t read_len, uint64_t expect, struct bytes *out)
{
    struct arena a;
    struct chunks c;
    struct unpack_source source = chunk_source(&c, in, chunk);
    struct unpack *u;
    size_t cap = 0, got = 0;

    *out = (struct bytes){NULL, 0};
    arena_init(&a, &test_memory);
    struct err e = unpack_open(&u, &a, format, &source);

    CHECK_OK(e);
    unpack_expect(u, expect);
    do {
        if (cap - out->len < read_len) {
            cap = out->len * 2 + read_len;
            out->data = realloc(out->data, cap);
        }
        e = unpack_read(u, out->data + out->len, read_len, &got);
        out->len += got;
    } while (!failed(e) && got == read_len);
    size_t again = 77;
    struct err e2 = unpack_read(u, out->data, 1, &again);

    CHECK_U64(e2.code, e.code); /* an error stays, and so does the end */
    CHECK_U64(again, 0);
    unpack_close(u);
    unpack_close(u);
    CHECK(a.used_bytes < 512 * 1024); /* the windows are given back */
    arena_reset(&a);
    chunks_free(&c);
    return e;
}

static bool same(struct bytes a, struct bytes b)
{
    return a.len == b.len &&
           (a.len == 0 || (a.data != NULL && b.data != NULL && memcmp(a.data, b.data, a.len) == 0));
}

static void check_unpacks(const struct format *f, struct bytes packed, struct bytes plain,
                          size_t chunk, size_t read_len)
{
    struct bytes out;
    struct err e = unpack_all(f->format, packed, chunk, read_len, 0, &out);

    CHECK_OK(e);
    if (failed(e) || !same(out, plain)) {
        printf("  %s, %zu bytes, chunks of %zu, reads of %zu: got %zu bytes\n", f->command,
               plain.len, chunk, read_len, out.len);
        CHECK(!"the unpacked data differs");
    }
    bytes_free(&out);
}

static void unpacks_what_the_tools_pack(void)
{
    static const size_t sizes[] = {0,     1,     2,     127,    128,    4095,          4096,
                                   32767, 65536, 65537, 262143, 262144, (1 << 20) - 1, 1 << 20};

    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
            struct bytes plain = mixed_bytes(sizes[k], (uint32_t)(i * 100 + k));
            struct bytes packed = through_command(formats[i].command, plain);
            uint8_t head[UNPACK_DETECT_BYTES] = {0};

            memcpy(head, packed.data, (size_t)min_u64(packed.len, sizeof(head)));
            if (packed.len >= sizeof(head) && i > 0)
                CHECK_U64(unpack_detect(head, sizeof(head)), formats[i].format);
            check_unpacks(&formats[i], packed, plain, 65536, plain.len + 1);
            check_unpacks(&formats[i], packed, plain, 4093, 1000);
            if (plain.len <= 4096) {
                check_unpacks(&formats[i], packed, plain, 1, 65521);
                check_unpacks(&formats[i], packed, plain, 7, 13);
            }
            bytes_free(&plain);
            bytes_free(&packed);
        }
    }
}

/* Several lz4 blocks of 8 MiB, some of them straight into the reader's buffer; linked windows. */
static void unpacks_large_data(void)
{
    struct bytes plain = mixed_bytes((17 << 20) + 12345, 5);

    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        if (!formats[i].large)
            continue;
        struct bytes packed = through_command(formats[i].command, plain);

        check_unpacks(&formats[i], packed, plain, 1 << 20, plain.len + 1);
        check_unpacks(&formats[i], packed, plain, 131071, 10 << 20);
        check_unpacks(&formats[i], packed, plain, packed.len, (8 << 20) - 1);
        bytes_free(&packed);
    }
    bytes_free(&plain);
}

static void several_streams_are_one(void)
{
    struct bytes a = mixed_bytes(70000, 1), b = mixed_bytes(3000, 2);
    struct bytes both = joined(a, b.data, b.len);

    for (size_t i = 1; i < ARRAY_LEN(formats); i++) {
        if (formats[i].format == UNPACK_LZMA)
            continue; /* the format has no magic: what follows is not looked at */
        struct bytes pa = through_command(formats[i].command, a);
        struct bytes pb = through_command(formats[i].command, b);
        struct bytes packed = joined(pa, pb.data, pb.len);

        for (size_t chunk = 1; chunk < packed.len * 2; chunk = chunk * 3 + 1)
            check_unpacks(&formats[i], packed, both, chunk, 80000);
        bytes_free(&pa);
        bytes_free(&pb);
        bytes_free(&packed);
    }
    bytes_free(&a);
    bytes_free(&b);
    bytes_free(&both);
}

/* The kernel's build appends the unpacked size, four bytes little endian. */
static void ignores_the_kernels_trailer(void)
{
    static const size_t sizes[] = {5000, 8 << 20, (8 << 20) + 1, (16 << 20) + 5};

    for (size_t k = 0; k < ARRAY_LEN(sizes); k++) {
        struct bytes plain = mixed_bytes(sizes[k], (uint32_t)k);
        uint8_t size[4] = {(uint8_t)plain.len, (uint8_t)(plain.len >> 8),
                           (uint8_t)(plain.len >> 16), (uint8_t)(plain.len >> 24)};

        for (size_t i = 1; i < ARRAY_LEN(formats); i++) {
            if (k > 0 && formats[i].format != UNPACK_LZ4)
                continue;
            struct bytes packed = through_command(formats[i].command, plain);
            struct bytes with = joined(packed, size, 4);

            check_unpacks(&formats[i], with, plain, 4096, plain.len);
            check_unpacks(&formats[i], with, plain, with.len - 2, plain.len + 9);
            bytes_free(&packed);
            bytes_free(&with);
        }
        bytes_free(&plain);
    }
}

static void reports_truncation(void)
{
    struct bytes plain = mixed_bytes(70000, 9);

    for (size_t i = 1; i < ARRAY_LEN(formats); i++) {
        struct bytes packed = through_command(formats[i].command, plain);
        uint32_t r = 3;
        int before = test_bad_checks_;

        for (size_t n = 0; n < 110; n++) {
            size_t len = n < 60    ? n
                         : n < 120 ? packed.len - 1 - (n - 60)
                                   : next_random(&r) % packed.len;
            struct bytes cut = {packed.data, len}, out;
            struct err e = unpack_all(formats[i].format, cut, 1009, 200000, 0, &out);

            if (strstr(formats[i].command, "-qcl") != NULL && len == 4)
                CHECK_OK(e); /* a legacy frame without blocks: it has no end mark */
            else
                CHECK_ERR(e, ERR_FILELENGTH);
            CHECK(out.len <= plain.len && memcmp(out.data, plain.data, out.len) == 0);
            bytes_free(&out);
            if (test_bad_checks_ > before) {
                printf("  %s cut at %zu of %zu\n", formats[i].command, len, packed.len);
                break;
            }
        }
        bytes_free(&packed);
    }
    bytes_free(&plain);
}

static void notices_bit_flips(void)
{
    struct bytes plain = mixed_bytes(30000, 10);

    for (size_t i = 1; i < ARRAY_LEN(formats); i++) {
        struct bytes packed = through_command(formats[i].command, plain);
        uint32_t r = 4, missed = 0;

        for (size_t n = 0; n < 200; n++) {
            size_t bit = n < 120 ? n : next_random(&r) % (packed.len * 8);
            struct bytes out;

            packed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            struct err e = unpack_all(formats[i].format, packed, 4096, 40000, 0, &out);

            if (!failed(e) && !same(out, plain))
                missed++;
            if (failed(e))
                CHECK(e.code == ERR_BAD_GZIP_DATA || e.code == ERR_BAD_GZIP_HEADER ||
                      e.code == ERR_FILELENGTH || e.code == ERR_NO_MEMORY);
            packed.data[bit / 8] ^= (uint8_t)(1u << bit % 8);
            bytes_free(&out);
        }
        if (formats[i].checked && missed > 0) {
            printf("  %s: %u flips passed as good data\n", formats[i].command, missed);
            CHECK_U64(missed, 0);
        }
        bytes_free(&packed);
    }
    bytes_free(&plain);
}

static void passes_on_the_sources_error(void)
{
    struct bytes plain = mixed_bytes(50000, 11);

    for (size_t i = 0; i < ARRAY_LEN(formats); i++) {
        struct bytes packed = through_command(formats[i].command, plain);
        struct arena a;
        struct chunks c;
        struct unpack_source source = chunk_source(&c, packed, 512);
        struct unpack *u;
        uint64_t got;

        c.fail_at = packed.len / 2;
        arena_init(&a, &test_memory);
        CHECK_OK(unpack_open(&u, &a, formats[i].format, &source));
        CHECK_ERR(unpack_skip(u, UINT64_MAX, &got), ERR_READ);
        CHECK(got < plain.len);
        unpack_close(u);
        arena_reset(&a);
        chunks_free(&c);
        bytes_free(&packed);
    }
    bytes_free(&plain);
}

/* ---- memory
 * -------------------------------------------------------------------------------------- */

struct budget {
    size_t used, most, limit;
};

static void *budget_get(void *ctx, size_t n)
{
    struct budget *b = ctx;

    if (n > b->limit - b->used)
        return NULL;
    b->used += n;
    b->most = b->used > b->most ? b->used : b->most;
    return test_memory.get(NULL, n);
}

static void budget_put(void *ctx, void *p, size_t n)
{
    ((struct budget *)ctx)->used -= n;
    test_memory.put(NULL, p, n);
}

static struct err unpack_within(struct bytes packed, enum unpack_format format, uint64_t expect,
                                struct budget *b)
{
    struct mem_source source = {.ctx = b, .get = budget_get, .put = budget_put};
    struct arena a;
    struct chunks c;
    struct unpack_source in = chunk_source(&c, packed, 65536);
    struct unpack *u;
    uint64_t got;

    arena_init(&a, &source);
    struct err e = unpack_open(&u, &a, format, &in);

    if (!failed(e)) {
        unpack_expect(u, expect);
        e = unpack_skip(u, UINT64_MAX, &got);
        unpack_close(u);
    }
    arena_reset(&a);
    CHECK_U64(b->used, 0);
    chunks_free(&c);
    return e;
}

static void says_when_memory_is_short(void)
{
    struct bytes plain = mixed_bytes(300000, 12);

    for (size_t i = 1; i < ARRAY_LEN(formats); i++) {
        struct bytes packed = through_command(formats[i].command, plain);
        struct budget all = {.limit = SIZE_MAX};

        CHECK_OK(unpack_within(packed, formats[i].format, 0, &all));
        for (size_t limit = 0; limit < all.most; limit += all.most / 7 / 4096 * 4096 + 4096) {
            struct budget b = {.limit = limit};

            CHECK_ERR(unpack_within(packed, formats[i].format, 0, &b), ERR_NO_MEMORY);
        }
        bytes_free(&packed);
    }
    bytes_free(&plain);
}

/* A stream whose blocks grow byte by byte must not leave a trail of outgrown buffers. */
static void growing_gives_back(void)
{
    struct budget b = {.limit = SIZE_MAX};
    struct mem_source source = {.ctx = &b, .get = budget_get, .put = budget_put};
    struct arena a;
    struct unpack u = {.arena = &a};
    uint8_t *buf = NULL;
    uint32_t cap = 0;

    arena_init(&a, &source);
    for (uint32_t need = 1; need < 100000; need += 7) {
        CHECK_OK(unpack_grow(&u, &buf, &cap, need));
        CHECK(cap >= need);
        buf[need - 1] = 1;
    }
    CHECK(b.most <= 3 * ARENA_CHUNK);
    b.limit = b.used;
    CHECK_ERR(unpack_grow(&u, &buf, &cap, 300000), ERR_NO_MEMORY);
    CHECK(buf == NULL && cap == 0);
    arena_reset(&a);
    CHECK_U64(b.used, 0);
}

/* The window that a frame asks for is bounded by the size that the container tells. */
static void zstd_needs_no_more_than_the_data(void)
{
    struct bytes plain = mixed_bytes(3 << 20, 13);
    struct bytes packed = through_command("cat | zstd -qc --ultra -22 --long=27", plain);
    struct budget free_choice = {.limit = SIZE_MAX}, told = {.limit = SIZE_MAX};

    CHECK_OK(unpack_within(packed, UNPACK_ZSTD, 0, &free_choice));
    CHECK_OK(unpack_within(packed, UNPACK_ZSTD, plain.len, &told));
    CHECK(free_choice.most > (size_t)128 << 20);
    CHECK(told.most < plain.len + (1 << 20));
    struct bytes out;

    CHECK_OK(unpack_all(UNPACK_ZSTD, packed, 3, 4 << 20, plain.len, &out));
    CHECK(same(out, plain));
    bytes_free(&out);
    CHECK_ERR(unpack_all(UNPACK_ZSTD, packed, 4096, 4 << 20, plain.len + 1, &out),
              ERR_BAD_GZIP_DATA);
    bytes_free(&out);
    bytes_free(&plain);
    bytes_free(&packed);
}

/* The kernel's build asks for 32 MiB; the library takes what the header asks for. */
static void xz_takes_its_dictionary(void)
{
    struct bytes plain = mixed_bytes(100000, 15);
    struct bytes packed =
        through_command("xz -c --check=crc32 --x86 --lzma2=preset=1,dict=32MiB", plain);
    struct budget enough = {.limit = (size_t)33 << 20}, short_of = {.limit = (size_t)32 << 20};

    CHECK_OK(unpack_within(packed, UNPACK_XZ, 0, &enough));
    CHECK_ERR(unpack_within(packed, UNPACK_XZ, 0, &short_of), ERR_NO_MEMORY);
    bytes_free(&plain);
    bytes_free(&packed);
}

static void refuses_what_it_must(void)
{
    struct bytes plain = mixed_bytes(1000, 14), out;
    struct bytes packed = through_command("xz -c --format=lzma --lzma1=dict=256MiB", plain);
    struct err e = unpack_all(UNPACK_LZMA, packed, 4096, 2000, 0, &out);

    CHECK_ERR(e, ERR_BAD_GZIP_HEADER);
    CHECK(strstr(e.msg, "dictionary is larger than 128 MiB") != NULL);
    bytes_free(&packed);
    bytes_free(&out);
    /* Streams that are none of the format. */
    for (size_t i = 1; i < ARRAY_LEN(formats); i++) {
        struct bytes none = {(uint8_t *)"\x7f"
                                        "ELF nothing that any of them could have made",
                             45};

        CHECK_ERR(unpack_all(formats[i].format, none, 45, 100, 0, &out), ERR_BAD_GZIP_HEADER);
        bytes_free(&out);
    }
    bytes_free(&plain);
}

static void tells_formats_apart(void)
{
    CHECK_U64(unpack_detect((const uint8_t *)"\x7f"
                                             "ELF\2\1\1\0\0\0\0\0\0\0\0\0",
                            16),
              UNPACK_NONE);
    CHECK_U64(unpack_detect((const uint8_t *)"", 0), UNPACK_NONE);
    CHECK_U64(unpack_detect((const uint8_t *)"BZh0xxxxxxxxxxxx", 16), UNPACK_NONE);
    CHECK_U64(unpack_detect((const uint8_t *)"\x5d\0\0\x80\0\xff\xff\xff\xff\xff\xff\xff\xff"
                                             "abc",
                            16),
              UNPACK_LZMA);
    CHECK_U64(unpack_detect((const uint8_t *)"\x5d\0\0\xc0\0\xff\xff\xff\xff\xff\xff\xff\xff"
                                             "abc",
                            16),
              UNPACK_LZMA);
    CHECK_U64(unpack_detect((const uint8_t *)"\x5d\0\0\xe0\0\xff\xff\xff\xff\xff\xff\xff\xff"
                                             "abc",
                            16),
              UNPACK_NONE);
    CHECK_STR(unpack_name(UNPACK_LZO), "lzop");
    CHECK_STR(unpack_name(UNPACK_NONE), "none");
}

int main(void)
{
    RUN(tells_formats_apart);
    RUN(unpacks_what_the_tools_pack);
    RUN(unpacks_large_data);
    RUN(several_streams_are_one);
    RUN(ignores_the_kernels_trailer);
    RUN(reports_truncation);
    RUN(notices_bit_flips);
    RUN(passes_on_the_sources_error);
    RUN(says_when_memory_is_short);
    RUN(growing_gives_back);
    RUN(zstd_needs_no_more_than_the_data);
    RUN(xz_takes_its_dictionary);
    RUN(refuses_what_it_must);
    return test_done();
}

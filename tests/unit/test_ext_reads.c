/* SPDX-License-Identifier: MIT */
/*
 * How files are read: on a disk that answers late and in odd order, with little memory, with
 * sectors larger than blocks. That the bytes are right is tested here too, against what went in.
 */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define FILE_BYTES ((size_t)24 * 1024 * 1024 + 333)
#define LATE_MAX   256

static uint8_t content[FILE_BYTES];

/* Requests wait here until somebody waits for one; then the one behind it completes, then it. */
struct late_disk {
    struct disk disk;
    uint8_t *data;
    struct disk_req *waiting[LATE_MAX];
    size_t nr_waiting, most_waiting;
    uint64_t nr_requests, bytes, largest;
    uint64_t fail_off_bytes;
};

static void late_submit(struct disk *d, struct disk_req *req)
{
    struct late_disk *l = d->ctx;

    CHECK(l->nr_waiting < LATE_MAX);
    CHECK(failed(req->result)); /* starts out as a failure */
    l->waiting[l->nr_waiting++] = req;
    if (l->nr_waiting > l->most_waiting)
        l->most_waiting = l->nr_waiting;
    l->nr_requests++;
    l->bytes += req->len_bytes;
    if (req->len_bytes > l->largest)
        l->largest = req->len_bytes;
}

static void complete(struct late_disk *l, size_t i)
{
    struct disk_req *r = l->waiting[i];

    r->result = OK;
    if (l->fail_off_bytes >= r->off_bytes && l->fail_off_bytes - r->off_bytes < r->len_bytes)
        r->result = ERR_AT(ERR_READ, l->fail_off_bytes, "fails here", 0, 0);
    else
        memcpy(r->buf, l->data + r->off_bytes, (size_t)r->len_bytes);
    r->done = true;
    l->nr_waiting--;
    for (; i < l->nr_waiting; i++)
        l->waiting[i] = l->waiting[i + 1];
}

static void late_wait(struct disk *d, struct disk_req *req)
{
    struct late_disk *l = d->ctx;

    for (size_t i = l->nr_waiting; i-- > 0;) {
        if (l->waiting[i] != req)
            continue;
        if (i + 1 < l->nr_waiting)
            complete(l, i + 1);
        complete(l, i);
        return;
    }
}

static void late_init(struct late_disk *l, uint8_t *data, size_t len, uint32_t sector_bytes)
{
    static const struct disk_ops ops = {.submit = late_submit, .wait = late_wait};

    *l = (struct late_disk){.data = data, .fail_off_bytes = UINT64_MAX};
    l->disk = (struct disk){.ops = &ops,
                            .ctx = l,
                            .name = "late",
                            .size_bytes = len - len % sector_bytes,
                            .sector_bytes = sector_bytes};
}

static uint8_t *image_of(const char *options, size_t *len)
{
    for (size_t i = 0; i < FILE_BYTES; i++)
        content[i] = (uint8_t)(i * 13 + i / 509 + 1);
    run("rm -rf tree");
    put_file("tree/whole", content, FILE_BYTES);
    return make_ext(options, "tree", "40M", len);
}

static uint8_t *buffer(size_t len)
{
    return aligned_alloc(4096, (len + 8191) / 4096 * 4096);
}

static void many_large_requests_are_in_flight(void)
{
    struct late_disk l;
    struct arena a;
    struct fs fs;
    struct file f;
    size_t len;
    uint8_t *data = image_of("-t ext4 -b 4096", &len), *buf = buffer(FILE_BYTES);

    arena_init(&a, &test_memory);
    late_init(&l, data, len, 512);
    CHECK_OK(fs_mount(&fs, &l.disk, &a, NULL));
    CHECK_OK(file_open(&f, &fs, &a, "/whole", NULL));
    l.nr_requests = l.bytes = 0;
    CHECK_OK(file_read(&f, 0, buf, FILE_BYTES));
    CHECK(memcmp(buf, content, FILE_BYTES) == 0);
    CHECK(l.most_waiting >= 6);
    CHECK(l.largest >= (uint64_t)4 * 1024 * 1024);
    CHECK(l.nr_requests <= 14);
    CHECK(l.bytes < FILE_BYTES + 16384); /* nothing is read twice */
    CHECK_U64(l.nr_waiting, 0);
    free(buf);
    free(data);
    arena_reset(&a);
}

static void all_requests_end_after_an_error(void)
{
    struct late_disk l;
    struct arena a;
    struct fs fs;
    struct file f;
    struct run run;
    struct file_stream *s;
    const uint8_t *bytes;
    size_t len, n = 1;
    uint8_t *data = image_of("-t ext4 -b 4096", &len), *buf = buffer(FILE_BYTES);
    struct err e = OK;

    arena_init(&a, &test_memory);
    late_init(&l, data, len, 512);
    CHECK_OK(fs_mount(&fs, &l.disk, &a, NULL));
    CHECK_OK(file_open(&f, &fs, &a, "/whole", NULL));
    CHECK_OK(fs.ops->map(&fs, &f.node, 9000000, &run));
    l.fail_off_bytes = run.disk_off_bytes + (9000000 - run.file_off_bytes);
    CHECK_ERR(file_read(&f, 0, buf, FILE_BYTES), ERR_READ);
    CHECK_U64(l.nr_waiting, 0);
    free(buf); /* a late answer would be caught here */
    CHECK_OK(file_stream_open(&s, &f, &a, 0, FILE_BYTES));
    while (!failed(e) && n != 0)
        e = file_stream_next(s, &bytes, &n);
    CHECK_U64(e.code, ERR_READ);
    file_stream_close(s);
    CHECK_U64(l.nr_waiting, 0);
    /* Left in the middle. */
    l.fail_off_bytes = UINT64_MAX;
    CHECK_OK(file_stream_open(&s, &f, &a, 12345, FILE_BYTES - 20000));
    CHECK_OK(file_stream_next(s, &bytes, &n));
    CHECK(l.nr_waiting > 0); /* read-ahead */
    file_stream_close(s);
    CHECK_U64(l.nr_waiting, 0);
    free(data);
    arena_reset(&a);
}

#define PIECES 100000u

/* A file in many pieces: a request a piece, many in flight, no piece of the tree read twice, and no
 * memory that grows with the pieces. */
static void files_of_many_pieces_are_read_by_pieces(void)
{
    size_t len, file_bytes = (size_t)PIECES * 2048, nr_tree_blocks = PIECES / 80 + 4;
    uint8_t *want = calloc(1, file_bytes), *buf = buffer(file_bytes);
    struct late_disk l;
    struct arena a;
    struct fs fs;
    struct file f;
    struct file_stream *s;
    const uint8_t *bytes;
    size_t n = 1, at = 0;

    for (uint32_t i = 0; i < PIECES; i++) {
        memset(want + (size_t)i * 2048, (int)(1 + i % 251), 1024);
        memcpy(want + (size_t)i * 2048 + 500, &i, sizeof(i));
    }
    run("rm -rf tree");
    put_file("tree/pieces", want, file_bytes);

    uint8_t *data =
        make_ext("-t ext4 -b 1024 -O ^has_journal,^metadata_csum", "tree", "140M", &len);

    arena_init(&a, &test_memory);
    late_init(&l, data, len, 512);
    CHECK_OK(fs_mount(&fs, &l.disk, &a, NULL));
    CHECK_OK(file_open(&f, &fs, &a, "/pieces", NULL));
    CHECK_U64(f.node.size_bytes, file_bytes);
    CHECK_OK(disk_read(&l.disk, 0, buf, 300000)); /* fill the cache, so that its memory is there */
    l.nr_requests = l.bytes = l.most_waiting = 0;
    size_t used = a.used_bytes;

    CHECK_OK(file_read(&f, 0, buf, file_bytes));
    CHECK(memcmp(buf, want, file_bytes) == 0);
    CHECK(l.nr_requests >= PIECES && l.nr_requests <= PIECES + nr_tree_blocks);
    CHECK(l.bytes <= PIECES * 1024 + nr_tree_blocks * 4096);
    CHECK(l.most_waiting >= 32);
    CHECK(a.used_bytes - used <= 2 * ARENA_CHUNK);
    l.nr_requests = l.most_waiting = 0;
    CHECK_OK(file_stream_open(&s, &f, &a, 0, file_bytes));
    while (n > 0) {
        CHECK_OK(file_stream_next(s, &bytes, &n));
        CHECK(n == 0 || memcmp(bytes, want + at, n) == 0);
        at += n;
    }
    CHECK_U64(at, file_bytes);
    CHECK(l.nr_requests <= PIECES + 2 * nr_tree_blocks);
    CHECK(l.most_waiting >= 64);
    file_stream_close(s);
    free(buf);
    free(data);
    free(want);
    arena_reset(&a);
}

/* 1 KiB blocks on 4096-byte sectors: what cannot be read in place is read in another way. */
static void sectors_may_be_larger_than_blocks(void)
{
    static const char *const kinds[] = {"-t ext2 -b 1024", "-t ext4 -b 2048", "-t ext4 -b 4096"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        struct late_disk l;
        struct arena a;
        struct fs fs;
        struct file f;
        struct file_stream *s;
        const uint8_t *bytes;
        size_t len, n, at = 777;
        uint8_t *data = image_of(kinds[i], &len), *buf = buffer(FILE_BYTES);

        arena_init(&a, &test_memory);
        late_init(&l, data, len, 4096);
        CHECK_OK(fs_mount(&fs, &l.disk, &a, NULL));
        CHECK_OK(file_open(&f, &fs, &a, "/whole", NULL));
        CHECK_OK(file_read(&f, 0, buf, FILE_BYTES));
        CHECK(memcmp(buf, content, FILE_BYTES) == 0);
        CHECK_OK(file_read(&f, 5001, buf + 1, FILE_BYTES - 9000));
        CHECK(memcmp(buf + 1, content + 5001, FILE_BYTES - 9000) == 0);
        CHECK_OK(file_stream_open(&s, &f, &a, at, FILE_BYTES - at));
        do {
            CHECK_OK(file_stream_next(s, &bytes, &n));
            CHECK(n == 0 || memcmp(bytes, content + at, n) == 0);
            at += n;
        } while (n > 0);
        CHECK_U64(at, FILE_BYTES);
        file_stream_close(s);
        free(buf);
        free(data);
        arena_reset(&a);
    }
}

/* A source that gives so many bytes and no more. */
static size_t left;

static void *scarce_get(void *ctx, size_t n)
{
    (void)ctx;
    if (n > left)
        return NULL;
    left -= n;
    return aligned_alloc(4096, n);
}

static void scarce_put(void *ctx, void *p, size_t n)
{
    (void)ctx;
    left += n;
    free(p);
}

static void little_memory_is_enough(void)
{
    static const struct mem_source scarce = {.get = scarce_get, .put = scarce_put};
    size_t len, worked = 0;
    uint8_t *data = image_of("-t ext4 -b 4096", &len);

    for (size_t room = 0; room <= (size_t)1536 * 1024; room += 32768) {
        struct late_disk l;
        struct arena a;
        struct fs fs;
        struct file f;
        struct file_stream *s = NULL;
        const uint8_t *bytes;
        size_t n = 1, at = 0;
        struct err e;

        left = room;
        arena_init(&a, &scarce);
        late_init(&l, data, len, 512);
        e = fs_mount(&fs, &l.disk, &a, NULL);
        if (!failed(e))
            e = file_open(&f, &fs, &a, "/whole", NULL);
        if (!failed(e))
            e = file_stream_open(&s, &f, &a, 0, FILE_BYTES);
        while (!failed(e) && n > 0) {
            e = file_stream_next(s, &bytes, &n);
            CHECK(failed(e) || n == 0 || memcmp(bytes, content + at, n) == 0);
            at += failed(e) ? 0 : n;
        }
        CHECK(failed(e) ? e.code == ERR_NO_MEMORY : at == FILE_BYTES);
        worked += !failed(e);
        file_stream_close(s);
        CHECK_U64(l.nr_waiting, 0);
        arena_reset(&a);
        CHECK_U64(left, room);
    }
    CHECK(worked > 30); /* of 49: all from half a MiB on */
    free(data);
}

int main(void)
{
    RUN(many_large_requests_are_in_flight);
    RUN(all_requests_end_after_an_error);
    RUN(files_of_many_pieces_are_read_by_pieces);
    RUN(sectors_may_be_larger_than_blocks);
    RUN(little_memory_is_enough);
    return test_done();
}

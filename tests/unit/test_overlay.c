/* SPDX-License-Identifier: MIT */
/* core/disk: disks of pieces, and overlays; over a disk that answers late and in reverse. */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/disk/mapped.h"
#include "core/disk/overlay.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define SIZE  ((size_t)2 * 1024 * 1024)
#define BLOCK 1024u
#define CAP   ((uint64_t)1024 * 1024)

/* Answers nothing before it is waited for. */
struct late_disk {
    struct disk disk;
    struct mem_disk below;
    struct disk_req *queue;
};

static void late_submit(struct disk *d, struct disk_req *req)
{
    struct late_disk *l = d->ctx;

    req->next = l->queue;
    l->queue = req;
}

static void late_wait(struct disk *d, struct disk_req *req)
{
    struct late_disk *l = d->ctx;

    while (l->queue != NULL && !req->done) {
        struct disk_req *r = l->queue;

        l->queue = r->next;
        disk_submit(&l->below.disk, r);
    }
}

static const struct disk_ops late_ops = {.submit = late_submit, .wait = late_wait};

static void late_init(struct late_disk *l, uint8_t *data, size_t len)
{
    mem_disk_init(&l->below, data, len, 512);
    l->disk = l->below.disk;
    l->disk.ops = &late_ops;
    l->disk.ctx = l;
    l->queue = NULL;
}

struct bench {
    uint8_t *data, *want, *buf;
    struct late_disk late;
    struct disk window;
    struct arena arena;
    struct overlay *o;
};

static void bench_open(struct bench *b)
{
    b->data = aligned_alloc(4096, SIZE);
    b->want = aligned_alloc(4096, SIZE);
    b->buf = aligned_alloc(4096, SIZE);
    for (size_t i = 0; i < SIZE; i++)
        b->data[i] = (uint8_t)(i * 13 + i / 509);
    memcpy(b->want, b->data, SIZE);
    late_init(&b->late, b->data, SIZE);
    arena_init(&b->arena, &test_memory);
    CHECK_OK(disk_window(&b->window, &b->late.disk, 0, SIZE, "w"));
    CHECK_OK(overlay_new(&b->o, &b->window, &b->arena, BLOCK, CAP));
}

static void bench_close(struct bench *b)
{
    arena_reset(&b->arena);
    free(b->data);
    free(b->want);
    free(b->buf);
}

/* The overlay shows what is wanted, in requests of all kinds that are under way together. */
static void check_all(struct bench *b)
{
    static const size_t lens[] = {512, 1024, 3584, 65536, SIZE / 2};
    struct disk window, *d = overlay_disk(b->o);

    CHECK_OK(disk_window(&window, d, 4096, SIZE - 4096, "v"));
    for (size_t k = 0; k < ARRAY_LEN(lens); k++) {
        struct disk_req reqs[32];
        size_t nr = 0, at;

        memset(b->buf, 0xee, SIZE);
        for (at = 0; at < SIZE - 4096 && nr < 32; at += lens[k]) {
            size_t len = (size_t)min_u64(lens[k], SIZE - 4096 - at);

            reqs[nr] = (struct disk_req){
                .op = DISK_READ, .off_bytes = at, .buf = b->buf + at, .len_bytes = len};
            disk_submit(&window, &reqs[nr++]);
        }
        for (size_t i = nr; i > 0; i--)
            CHECK_OK(disk_wait(&window, &reqs[i - 1]));
        CHECK(memcmp(b->buf, b->want + 4096, (size_t)min_u64(at, SIZE - 4096)) == 0);
    }
    CHECK(b->late.queue == NULL);
}

static void shows_what_is_below(void)
{
    struct bench b;

    bench_open(&b);
    check_all(&b);
    CHECK_U64(overlay_nr_blocks(b.o), 0);
    bench_close(&b);
}

static void replaces_blocks(void)
{
    struct bench b;
    uint8_t block[BLOCK], *bytes;

    bench_open(&b);
    for (uint64_t i = 0; i < 600; i++) {
        uint64_t at = i * 37 % (SIZE / BLOCK);

        if (i % 3 == 0) {
            memset(block, (int)i, BLOCK);
            CHECK_OK(overlay_put(b.o, at, block));
            memset(b.want + at * BLOCK, (int)i, BLOCK);
        } else if (i % 3 == 1) {
            CHECK_OK(overlay_edit(b.o, at, &bytes));
            CHECK(memcmp(bytes, b.want + at * BLOCK, BLOCK) == 0);
            bytes[7] ^= 0x55;
            b.want[at * BLOCK + 7] ^= 0x55;
        } else {
            CHECK_OK(overlay_redirect(b.o, at, SIZE - (i + 1) * 512));
            memcpy(b.want + at * BLOCK, b.data + SIZE - (i + 1) * 512, BLOCK);
        }
    }
    CHECK_U64(overlay_nr_blocks(b.o), 600);
    check_all(&b);
    /* One that was redirected can be edited; one that was edited can be taken back. */
    CHECK_OK(overlay_edit(b.o, 2 * 37, &bytes));
    CHECK(memcmp(bytes, b.want + 2 * 37 * BLOCK, BLOCK) == 0);
    bytes[0] ^= 1;
    b.want[2 * 37 * BLOCK] ^= 1;
    overlay_restore(b.o, 37);
    memcpy(b.want + 37 * BLOCK, b.data + 37 * BLOCK, BLOCK);
    overlay_restore(b.o, SIZE); /* none */
    CHECK_U64(overlay_nr_blocks(b.o), 599);
    check_all(&b);
    bench_close(&b);
}

static void keeps_its_limits(void)
{
    struct bench b;
    uint8_t *bytes;
    struct err e = OK;
    uint64_t nr = 0;

    bench_open(&b);
    CHECK_ERR(overlay_edit(b.o, SIZE / BLOCK, &bytes), ERR_OUTSIDE_PART);
    CHECK_ERR(overlay_put(b.o, UINT64_MAX, b.data), ERR_OUTSIDE_PART);
    CHECK_ERR(overlay_redirect(b.o, 0, SIZE - 512), ERR_OUTSIDE_PART);
    CHECK_ERR(overlay_redirect(b.o, 0, 100), ERR_OUTSIDE_PART);
    while (!failed(e) && nr < 2 * CAP / BLOCK)
        e = overlay_edit(b.o, nr++, &bytes);
    CHECK(e.code == ERR_LIMIT);
    CHECK_U64(nr, CAP / BLOCK + 1);
    CHECK_ERR(overlay_new(&b.o, &b.window, &b.arena, 256, CAP), ERR_REFUSED);
    bench_close(&b);
}

static void errors_name_the_place(void)
{
    struct bench b;
    struct disk_req req;

    bench_open(&b);
    CHECK_OK(overlay_put(b.o, 3, b.data));
    CHECK_OK(overlay_redirect(b.o, 7, 100 * BLOCK));
    b.late.below.fail_off_bytes = 100 * BLOCK;
    req = (struct disk_req){
        .op = DISK_READ, .off_bytes = 2 * BLOCK, .buf = b.buf, .len_bytes = 8 * BLOCK};
    disk_submit(overlay_disk(b.o), &req);
    struct err e = disk_wait(overlay_disk(b.o), &req);

    CHECK(e.code == ERR_READ);
    CHECK_U64(e.where, 7 * BLOCK);
    bench_close(&b);
}

/* A mirror of two halves: each 4 KiB piece on the first, or when that fails on the second. */
static struct err find_mirror(void *ctx, uint64_t off, uint64_t len, uint32_t copy,
                              struct piece *out)
{
    struct disk *halves = ctx;

    (void)len;
    if (copy > 1)
        return ERR(ERR_READ, "there is no other copy");
    *out = (struct piece){.kind = PIECE_DISK,
                          .disk = &halves[copy],
                          .off_bytes = off,
                          .len_bytes = 4096 - off % 4096};
    return OK;
}

static void tries_the_other_copy(void)
{
    struct late_disk l;
    struct disk halves[2], *mirror;
    struct arena arena;
    uint8_t *data = aligned_alloc(4096, 131072), *buf = aligned_alloc(4096, 65536);

    for (size_t i = 0; i < 65536; i++)
        data[i] = data[65536 + i] = (uint8_t)(i / 77);
    late_init(&l, data, 131072);
    arena_init(&arena, &test_memory);
    CHECK_OK(disk_window(&halves[0], &l.disk, 0, 65536, "a"));
    CHECK_OK(disk_window(&halves[1], &l.disk, 65536, 65536, "b"));
    CHECK_OK(mapped_disk_new(&mirror, &arena, find_mirror, NULL, halves, 65536, 512, "mirror"));
    l.below.fail_off_bytes = 20000;
    struct disk_req req = {.op = DISK_READ, .off_bytes = 0, .buf = buf, .len_bytes = 65536};

    disk_submit(mirror, &req);
    CHECK_OK(disk_wait(mirror, &req));
    CHECK(memcmp(buf, data, 65536) == 0);
    arena_reset(&arena);
    free(data);
    free(buf);
}

int main(void)
{
    RUN(shows_what_is_below);
    RUN(replaces_blocks);
    RUN(keeps_its_limits);
    RUN(errors_name_the_place);
    RUN(tries_the_other_copy);
    return test_done();
}

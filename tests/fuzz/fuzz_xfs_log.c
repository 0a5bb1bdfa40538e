/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the replay of XFS's log. An input is a program for the log's writer: it chooses an image,
 * makes records of operations with bytes of the input's, and damages what was written; checksums
 * are made to fit again, so that what lies behind them is reached.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/xfs_log_disk.h"
#include "tests/fuzz/seeds.h"
#include "tests/fuzz/visit.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/xfslogbed.h"

#define STEPS_MAX   64
#define RECORDS_MAX 24

static struct bed *beds[NR_BEDS];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* Two transactions with an item each, of all kinds, in logs of all kinds: as one_step reads it. */
static void write_seeds(const char *folder)
{
    static const uint8_t kinds[] = {0x00, 0x01, 0x02, 0x10, 0x20, 0x40};
    static const uint8_t numbers[][4] = {{0, 0, 0, 0x50}, {0, 1, 1, 0x31}, {1, 2, 0, 200}};
    uint8_t content[200];
    unsigned number = 0;

    for (size_t i = 0; i < sizeof(content); i++)
        content[i] = (uint8_t)i;
    for (size_t kind = 0; kind < sizeof(kinds); kind++) {
        for (uint8_t what = 0; what < 5; what++) {
            for (size_t n = 0; n < ARRAY_LEN(numbers); n++) {
                const uint8_t *c = numbers[n];
                uint8_t head[] = {kinds[kind], 0, 8, 0x10, 0x1a, what, c[0], c[1], c[2], c[3]};
                uint8_t body[sizeof(content) + 8];
                size_t len = be16(c + 2) % 300u;

                len = len < sizeof(content) ? len : sizeof(content);
                memcpy(body, content, len);
                memcpy(body + len, (const uint8_t[]){0x12, 0x07}, 2); /* commit, end */
                seed(folder, number++, (struct bytes){head, sizeof(head)},
                     (struct bytes){body, len + 2});
            }
        }
    }
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    write_seeds(seed_folder(*argc, *argv));
    for (int i = 0; i < NR_BEDS; i++)
        beds[i] = bed_new((enum bed_kind)i, 32768);
    drop_temp_dir(); /* libFuzzer does not end by exit() */
    return 0;
}

struct input {
    const uint8_t *at;
    size_t left;
};

static uint32_t take(struct input *in, size_t nr)
{
    uint32_t v = 0;

    for (; nr > 0 && in->left > 0; nr--, in->left--)
        v = v << 8 | *in->at++;
    return v;
}

/* A place on the disk worth writing to. */
static uint64_t place(const struct bed *b, uint32_t choice)
{
    switch (choice % 6) {
    case 0:
        return b->data_off / 512 + choice / 6 % 128;
    case 1:
        return b->data_ino_off / 8192 * 16;
    case 2:
        return choice / 6 % 16;
    case 3:
        return b->g.log_off / 512 + choice / 6;
    default:
        return b->other_off / 512 + choice / 6 % 128;
    }
}

static void whole_item(struct bed *b, struct input *in, uint32_t tid)
{
    static uint8_t bytes[8192];
    uint32_t what = take(in, 1), a = take(in, 2), c = take(in, 2);
    uint64_t ino = a & 1 ? b->data_ino : b->other_ino;
    size_t n = c % 300;

    for (size_t i = 0; i < n; i++)
        bytes[i] = (uint8_t)take(in, 1);
    switch (what % 5) {
    case 0:
        loggen_buf(&b->g, tid, place(b, a), 1 + c % 16, what >> 4, c >> 8 & 31, 1 + (c & 7), bytes);
        break;
    case 1:
        bed_log_inode(b, tid, ino, XLOG_INODE_CORE | (a & 0x7fe), NULL, n > 3 ? bytes : NULL,
                      n > 3 ? n : 0);
        break;
    case 2:
        bed_log_bmap(b, tid, a >> 8, ino, 1 + (c & 1), c >> 4, place(b, a & 0xff) * 512,
                     1 + (a >> 1 & 15));
        break;
    case 3:
        bed_log_done(b, tid, 0x1236 + c % 26, a >> 8);
        break;
    default: { /* an exchange, its numbers from the input */
        struct xlog_disk_exchange_intent d = {0};

        log_le16(d.type, XFS_LI_XMI);
        log_le16(d.size, 1);
        log_le64(d.id, a >> 8);
        log_le64(d.inode1, ino);
        log_le64(d.inode2, c & 1 ? b->data_ino : b->other_ino);
        log_le64(d.startoff1, bytes[0]);
        log_le64(d.startoff2, bytes[1]);
        log_le64(d.blockcount, bytes[2]);
        log_le64(d.flags, bytes[3]);
        log_le64(d.isize1, a);
        loggen_op(&b->g, tid, 0, &d, sizeof(d));
    }
    }
}

static void one_step(struct bed *b, struct input *in)
{
    static uint8_t bytes[65536];
    uint32_t what = take(in, 1), tid = what >> 4 & 3;
    struct loggen *g = &b->g;

    switch (what & 15) {
    case 0:
    case 1:
        loggen_begin(g, tid);
        break;
    case 2:
    case 3:
        loggen_commit(g, tid);
        break;
    case 4: { /* any operation */
        uint8_t flags = (uint8_t)take(in, 1);
        size_t n = take(in, 1);

        for (size_t i = 0; i < n; i++)
            bytes[i] = (uint8_t)take(in, 1);
        loggen_op(g, tid, flags, bytes, n);
        break;
    }
    case 5: /* a long region */
        loggen_op(g, tid, (uint8_t)take(in, 1), bytes, take(in, 2));
        break;
    case 6: /* a byte of the record that is being made */
        if (g->len > 0)
            g->body[take(in, 2) % g->len] = (uint8_t)take(in, 1);
        break;
    case 7:
    case 8:
        loggen_end(g);
        break;
    case 9:
        g->tail_bb = take(in, 2) % 1024;
        break;
    default:
        whole_item(b, in, tid);
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct input in = {.at = data, .left = size};
    uint32_t kind = take(&in, 1), start = take(&in, 2);
    struct bed *b = beds[kind % NR_BEDS];
    struct loggen *g = &b->g;
    uint32_t nr_records = 0;

    g->buf_bytes = kind & 0x10 ? 131072 : 32768;
    g->no_crc = (kind & 0x20) != 0;
    g->len = 0;
    g->nr_ops = 0;
    loggen_restart(g, kind & 0x40 ? 1 : 3,
                   start & 0x8000 ? g->nr_bb - (start & 0xff) : start % 512);
    if (kind & 0x40) { /* a log that has never been filled */
        for (uint32_t bb = g->bb; bb < g->nr_bb; bb++)
            memset(loggen_block(g, bb), 0, 4);
    }
    for (int i = 0; i < STEPS_MAX && in.left > 6 && nr_records < RECORDS_MAX; i++) {
        uint32_t was = g->bb;

        one_step(b, &in);
        nr_records += g->bb != was;
    }
    if (g->len > 0)
        loggen_end(g);
    /* What is left: damage to the log, sealed or not. */
    while (in.left >= 4) {
        uint32_t at = take(&in, 2), byte = take(&in, 1), how = take(&in, 1);
        uint8_t *p =
            loggen_block(g, (how & 1 ? g->last_bb : start) + at / LOGGEN_BB) + at % LOGGEN_BB;

        *p = (uint8_t)byte;
        if (how & 2)
            loggen_seal(g, g->last_bb);
    }
    struct mem_disk m;

    mem_disk_init(&m, b->image, b->len, 512);
    fuzz_visit(&m.disk, true);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the partition tables: 9 bytes choose the disk's sector and size, the rest is its start and
 * then its end; zeros lie between. Checksums of GPTs are put right first, or nothing would get past
 * them. Whatever is accepted must keep part.h's promises.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "core/base/bytes.h"
#include "core/disk/part.h"
#include "tests/fuzz/must.h"
#include "tests/fuzz/seeds.h"

#define EDGE_BYTES ((uint64_t)20480) /* of the disk's start and of its end */

enum { LARGE_SECTORS = 1, SMALL_DISK = 2, KEEP_SUMS = 4 };

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

struct edges {
    struct disk disk;
    uint32_t nr_reads;
    uint8_t start[EDGE_BYTES], end[EDGE_BYTES];
};

/* Where the byte at `off` lies, with *len bytes in a row; NULL: zeros. */
static uint8_t *place(struct edges *e, uint64_t off, uint64_t *len)
{
    uint64_t size = e->disk.size_bytes, end_off = size > EDGE_BYTES ? size - EDGE_BYTES : 0;

    if (off < EDGE_BYTES) {
        *len = EDGE_BYTES - off;
        return e->start + off;
    }
    if (off >= end_off) {
        *len = size - off;
        return e->end + (off - end_off);
    }
    *len = end_off - off;
    return NULL;
}

static void submit(struct disk *d, struct disk_req *req)
{
    struct edges *e = d->ctx;
    uint8_t *to = req->buf;

    for (uint64_t at = 0, n; at < req->len_bytes; at += n) {
        uint8_t *from = place(e, req->off_bytes + at, &n);

        n = min_u64(n, req->len_bytes - at);
        if (from != NULL)
            memcpy(to + at, from, (size_t)n);
        else
            memset(to + at, 0, (size_t)n);
    }
    e->nr_reads++;
    req->done = true;
    req->result = OK;
}

static void wait(struct disk *d, struct disk_req *req)
{
    (void)d;
    (void)req;
}

static const struct disk_ops edges_ops = {.submit = submit, .wait = wait};

static void put_le32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

/* A header of 92 bytes whose entries lie in one edge gets the sums that it should have. */
static void repair(struct edges *e, uint64_t lba, uint32_t unit)
{
    uint64_t len, off, array = 0;
    uint8_t *h, *entries;

    if (lba > e->disk.size_bytes / unit || !in_range(lba * unit, unit, e->disk.size_bytes))
        return;
    h = place(e, lba * unit, &len);
    if (h == NULL || len < 92 || memcmp(h, "EFI PART", 8) != 0 || le32(h + 12) != 92)
        return;
    array = (uint64_t)le32(h + 80) * le32(h + 84);
    if (mul_u64(le64(h + 72), unit, &off) && in_range(off, array, e->disk.size_bytes)) {
        entries = place(e, off, &len);
        if (entries != NULL && array <= len)
            put_le32(h + 88, (uint32_t)crc32(0, entries, (uInt)array));
    }
    put_le32(h + 16, 0);
    put_le32(h + 16, (uint32_t)crc32(0, h, 92));
}

static void check_table(struct disk *d, const struct part_table *t)
{
    bool is_mbr = strcmp(t->scheme, "mbr") == 0, is_gpt = strcmp(t->scheme, "gpt") == 0;

    must(is_mbr ? t->nr_parts > 0 : is_gpt || t->nr_parts == 0, "scheme");
    must(t->nr_parts <= PART_MAX && t->nr_notes <= PART_NOTES_MAX, "count");
    for (uint32_t i = 0; i < t->nr_parts; i++) {
        const struct part *p = &t->parts[i];
        struct disk w;

        must(i == 0 || p->index > t->parts[i - 1].index, "ascending");
        must(!failed(p->bad) || p->bad.code == ERR_BAD_PART_TABLE, "bad or not");
        must(memchr(p->name, 0, sizeof(p->name)) != NULL, "a name that ends");
        if (failed(p->bad))
            continue;
        must(in_range(p->off_bytes, p->len_bytes, d->size_bytes), "inside the disk");
        must(!failed(disk_window(&w, d, p->off_bytes, p->len_bytes, "w")), "a window");
        must(w.size_bytes == p->len_bytes - p->len_bytes % d->sector_bytes, "whole sectors");
        for (uint32_t k = 0; k < i; k++)
            must(failed(t->parts[k].bad) || t->parts[k].extended || p->extended ||
                     p->off_bytes >= t->parts[k].off_bytes + t->parts[k].len_bytes ||
                     t->parts[k].off_bytes >= p->off_bytes + p->len_bytes,
                 "no overlap");
    }
}

/* Tables as the tools make them: their start and end, with a disk of 64 MiB or 16 MiB. */
static void add_seed(const char *folder, unsigned number, const char *command, uint64_t size_bytes,
                     uint8_t flags)
{
    struct bytes nothing = {NULL, 0}, edges = through_command(command, nothing);
    uint8_t head[9] = {flags};

    put_le32(head + 1, (uint32_t)size_bytes);
    seed(folder, number, (struct bytes){head, sizeof(head)}, edges);
    bytes_free(&edges);
}

#define EDGES_OF(make)                                                                             \
    "(f=$(mktemp); truncate -s 64M $f; PATH=$PATH:/sbin:/usr/sbin; { " make                        \
    "; } >/dev/null 2>&1; "                                                                        \
    "head -c 20480 $f; tail -c 20480 $f; rm -f $f)"

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const commands[] = {
        EDGES_OF("printf 'size=1M,type=83\\nsize=9M,type=5\\nsize=1M\\nsize=1M\\n' | "
                 "sfdisk --no-reread $f"),
        EDGES_OF("printf '2,20,5\\n,\\n3,4\\n9,9\\n' | sfdisk --force --no-reread $f"),
        EDGES_OF("sgdisk -a 1 -n 1:0:+1M -n 3:0:+1M -c 3:name -n 9:0:+1M $f"),
        EDGES_OF("sgdisk -a 1 -n 1:0:+1M $f; dd if=/dev/zero of=$f bs=512 seek=1 count=1 "
                 "conv=notrunc"),
        EDGES_OF("sgdisk -a 1 -n 1:0:+1M -n 2:0:+1M -h 1:2 $f"),
    };
    const char *folder = seed_folder(*argc, *argv);

    for (unsigned i = 0; folder != NULL && i < ARRAY_LEN(commands); i++)
        add_seed(folder, i, commands[i], (uint64_t)64 << 20, i == 4 ? LARGE_SECTORS : 0);
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static struct edges e;
    static struct part_table t;

    if (size < 9)
        return 0;
    uint32_t sector = data[0] & LARGE_SECTORS ? 4096 : 512;
    uint64_t disk_bytes = le64(data + 1), left = size - 9;

    if (data[0] & SMALL_DISK)
        disk_bytes >>= 20;
    disk_bytes -= disk_bytes % sector;
    memset(&e, 0, sizeof(e));
    e.disk = (struct disk){.ops = &edges_ops,
                           .ctx = &e,
                           .name = "edges",
                           .size_bytes = disk_bytes,
                           .sector_bytes = sector,
                           .read_only = true};
    memcpy(e.start, data + 9, min_u64(left, EDGE_BYTES));
    if (left > EDGE_BYTES)
        memcpy(e.end, data + 9 + EDGE_BYTES, min_u64(left - EDGE_BYTES, EDGE_BYTES));
    for (uint32_t unit = 512; unit <= 4096 && !(data[0] & KEEP_SUMS); unit *= 8) {
        repair(&e, 1, unit);
        repair(&e, disk_bytes / unit - 1, unit);
    }
    if (!failed(part_scan(&e.disk, &t)))
        check_table(&e.disk, &t);
    must(e.nr_reads <= 4 * 8192 * 10, "a bound on reads");
    return 0;
}

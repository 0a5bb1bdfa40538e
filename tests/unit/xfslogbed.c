/* SPDX-License-Identifier: MIT */
#include "tests/unit/xfslogbed.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fs/xfs_log_disk.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/mkxfs.h"

static const char *const options[NR_BEDS] = {
    "-b size=1024 -m crc=1",
    "-b size=1024 -m crc=0",
    "-b size=1024 -m crc=0 -l version=1",
};

static uint8_t *bases[NR_BEDS];
static size_t base_lens[NR_BEDS];

static void die(const char *what)
{
    fprintf(stderr, "%s\n", what);
    exit(2);
}

static void fill(uint8_t *bytes, uint32_t seed)
{
    for (size_t i = 0; i < BED_DATA_BYTES; i++) {
        seed = seed * 1664525 + 1013904223;
        bytes[i] = (uint8_t)(seed >> 24);
    }
}

static void hear(void *ctx, const char *text)
{
    struct bed *b = ctx;
    size_t at = strlen(b->said);

    snprintf(b->said + at, sizeof(b->said) - at, "%s\n", text);
}

static void leave(struct bed *b)
{
    if (b->mounted)
        arena_reset(&b->arena);
    b->mounted = false;
}

struct err bed_mount(struct bed *b)
{
    static struct log log;

    leave(b);
    log = (struct log){.ctx = b, .line = hear};
    b->said[0] = '\0';
    arena_init(&b->arena, &test_memory);
    mem_disk_init(&b->disk, b->image, b->len, 512);
    b->mounted = true;
    return fs_mount(&b->fs, &b->disk.disk, &b->arena, &log);
}

static void find(struct bed *b, const char *path, uint64_t *ino, uint64_t *ino_off, uint64_t *off)
{
    struct run run;
    struct file f;

    if (failed(file_open(&f, &b->fs, &b->arena, path, NULL)) ||
        failed(b->fs.ops->map(&b->fs, &f.node, 0, &run)) || run.kind != RUN_DISK ||
        run.len_bytes < BED_DATA_BYTES)
        die("the test's file is not as it should be");
    *ino = f.node.ino;
    *ino_off = xfs_ino_off(xfs_of(&b->fs), f.node.ino);
    *off = run.disk_off_bytes;
}

struct bed *bed_new(enum bed_kind kind, uint32_t buf_bytes)
{
    struct bed *b = calloc(1, sizeof(*b));

    fill(b->data, 1);
    fill(b->other, 2);
    if (bases[kind] == NULL) {
        put_file("logtree/data", b->data, sizeof(b->data));
        put_file("logtree/other", b->other, sizeof(b->other));
        bases[kind] = make_xfs(options[kind], "logtree", "20m", &base_lens[kind]);
    }
    b->v5 = kind == BED_V5;
    b->len = base_lens[kind];
    b->image = aligned_alloc(4096, b->len);
    memcpy(b->image, bases[kind], b->len);
    if (failed(bed_mount(b)))
        die("the image of mkfs.xfs does not mount");
    find(b, "/data", &b->data_ino, &b->data_ino_off, &b->data_off);
    find(b, "/other", &b->other_ino, &b->other_ino_off, &b->other_off);
    leave(b);
    loggen_init(&b->g, b->image, buf_bytes);
    return b;
}

void bed_free(struct bed *b)
{
    leave(b);
    loggen_free(&b->g);
    free(b->image);
    free(b);
}

struct err bed_read(struct bed *b, const char *path, uint8_t *buf)
{
    struct file f;

    TRY(file_open(&f, &b->fs, &b->arena, path, NULL));
    return file_read(&f, 0, buf, BED_DATA_BYTES);
}

bool bed_data_is(struct bed *b, size_t at, const void *bytes, size_t len)
{
    static uint8_t got[BED_DATA_BYTES], want[BED_DATA_BYTES];

    memcpy(want, b->data, sizeof(want));
    memcpy(want + at, bytes, len);
    return !failed(bed_read(b, "/data", got)) && memcmp(got, want, sizeof(got)) == 0;
}

static void turn(uint8_t *p, size_t n)
{
    for (size_t k = 0; k < n / 2; k++) {
        uint8_t t = p[k];

        p[k] = p[n - 1 - k];
        p[n - 1 - k] = t;
    }
}

/* The core in the order of bytes of a little-endian machine. */
static void to_native(uint8_t *core, bool v5)
{
    static const struct {
        uint8_t at, width, nr;
    } fields[] = {
        {0, 2, 2},  {6, 2, 1},  {8, 4, 3},  {20, 2, 2}, {24, 8, 1},  {56, 8, 2},  {72, 4, 2},
        {80, 2, 1}, {84, 4, 1}, {88, 2, 2}, {92, 4, 3}, {104, 8, 3}, {128, 4, 1}, {152, 8, 1},
    };
    static const uint8_t times[] = {32, 40, 48, 144};
    const struct xfs_disk_inode *di = (const struct xfs_disk_inode *)core;
    bool bigtime = v5 && (be64(di->flags2) & XFS_INODE2_BIGTIME) != 0;

    for (size_t i = 0; i < sizeof(times); i++) {
        turn(core + times[i], bigtime ? 8 : 4);
        if (!bigtime)
            turn(core + times[i] + 4, 4);
    }
    for (size_t i = 0; i < sizeof(fields) / sizeof(fields[0]); i++) {
        for (uint32_t k = 0; k < fields[i].nr; k++)
            turn(core + fields[i].at + k * fields[i].width, fields[i].width);
    }
}

void bed_log_inode(struct bed *b, uint32_t tid, uint64_t ino, uint32_t fields,
                   void (*change)(struct xfs_disk_inode *core), const void *fork, size_t fork_len)
{
    uint64_t off = ino == b->data_ino ? b->data_ino_off : b->other_ino_off;
    struct xlog_disk_inode item = {0};
    union {
        struct xfs_disk_inode di;
        uint8_t bytes[sizeof(struct xfs_disk_inode)];
    } core;
    uint64_t chunk = off / 8192 * 8192;

    memcpy(&core, b->image + off, sizeof(core));
    if (change != NULL)
        change(&core.di);
    to_native(core.bytes, b->v5);
    log_le16(item.type, XFS_LI_INODE);
    log_le16(item.size, fork != NULL ? 3 : 2);
    log_le32(item.fields, fields);
    log_le16(item.dsize, (uint32_t)fork_len);
    log_le64(item.ino, ino);
    log_le64(item.blkno, chunk / 512);
    log_le32(item.len, 16);
    log_le32(item.boffset, (uint32_t)(off - chunk));
    loggen_op(&b->g, tid, 0, &item, sizeof(item));
    loggen_op(&b->g, tid, 0, &core, b->v5 ? sizeof(core) : 96);
    if (fork != NULL)
        loggen_op(&b->g, tid, 0, fork, fork_len);
}

void bed_log_bmap(struct bed *b, uint32_t tid, uint64_t id, uint64_t ino, uint32_t flags,
                  uint64_t off, uint64_t disk_off, uint32_t nr_blocks)
{
    const struct xfs_disk_super *sb = (const struct xfs_disk_super *)b->image;
    uint64_t block = disk_off / be32(sb->blocksize), per_ag = be32(sb->agblocks);
    struct xlog_disk_bmap_intent d = {0};

    log_le16(d.type, XFS_LI_BUI);
    log_le16(d.size, 1);
    log_le32(d.nr_extents, 1);
    log_le64(d.id, id);
    log_le64(d.owner, ino);
    log_le64(d.startblock, block / per_ag << sb->agblklog[0] | block % per_ag);
    log_le64(d.startoff, off);
    log_le32(d.len, nr_blocks);
    log_le32(d.flags, flags);
    loggen_op(&b->g, tid, 0, &d, sizeof(d));
}

void bed_log_done(struct bed *b, uint32_t tid, uint32_t type, uint64_t id)
{
    uint8_t d[16] = {0};

    log_le16(d, type);
    log_le16(d + 2, 1);
    log_le64(d + 8, id);
    loggen_op(&b->g, tid, 0, d, sizeof(d));
}

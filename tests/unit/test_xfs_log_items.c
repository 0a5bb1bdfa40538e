/* SPDX-License-Identifier: MIT */
/*
 * The log of XFS: inodes, new inodes, and changes that were left unfinished. The log's other half
 * is tested in test_xfs_log.c.
 */
#include <stdlib.h>

#include "core/fs/xfs_log.h"
#include "core/fs/xfs_log_disk.h"
#include "tests/unit/test.h"
#include "tests/unit/xfslogbed.h"

#define BLOCK 1024u

static struct node stat_of(struct bed *b, const char *path)
{
    struct node n = {0};

    CHECK_OK(fs_walk(&b->fs, &b->arena, path, &n, NULL));
    return n;
}

static void make_short(struct xfs_disk_inode *di)
{
    log_be64(di->size, 4321);
    log_be16(di->mode, 0100640);
    log_be16(di->big_nextents + 6, 0);
}

static void make_shorter(struct xfs_disk_inode *di)
{
    log_be64(di->size, 1234);
    log_be32(di->mtime, 1); /* its low half without, its high half with bigtime */
}

static void make_free(struct xfs_disk_inode *di)
{
    log_be16(di->mode, 0);
    log_be64(di->size, 0);
    di->format[0] = XFS_FORMAT_EXTENTS;
}

static void test_inode(void)
{
    for (int kind = 0; kind < NR_BEDS; kind++) {
        struct bed *b = bed_new((enum bed_kind)kind, 32768);

        loggen_unmount(&b->g);
        CHECK_OK(bed_mount(b));
        struct node was = stat_of(b, "/data");

        loggen_restart(&b->g, 3, 8);
        loggen_begin(&b->g, 1);
        bed_log_inode(b, 1, b->data_ino, XLOG_INODE_CORE, make_short, NULL, 0);
        loggen_commit(&b->g, 1);
        loggen_end(&b->g);
        loggen_begin(&b->g, 2);
        bed_log_inode(b, 2, b->other_ino, XLOG_INODE_CORE, make_shorter, NULL, 0);
        loggen_commit(&b->g, 2);
        loggen_end(&b->g);
        CHECK_OK(bed_mount(b));
        struct node data = stat_of(b, "/data"), other = stat_of(b, "/other");

        CHECK_U64(data.size_bytes, 4321);
        CHECK_U64(data.mode, 0100640);
        CHECK_U64(data.mtime, was.mtime);
        CHECK_U64(other.size_bytes, 1234);
        CHECK(other.mtime != was.mtime);
        CHECK(strstr(b->said, "2 transactions, 2 inodes\n") != NULL);
        bed_free(b);
    }
}

/* The item as a machine of 32 bits writes it: without four bytes of padding. */
static void test_inode_32(void)
{
    struct bed *b = bed_new(BED_V5, 32768);
    uint8_t *item, *rest;

    loggen_begin(&b->g, 1);
    item = b->g.body + b->g.len;
    bed_log_inode(b, 1, b->data_ino, XLOG_INODE_CORE, make_short, NULL, 0);
    rest = item + 12 + 16;
    memmove(rest - 4, rest, (size_t)(b->g.body + b->g.len - rest));
    log_be32(item + 4, 52);
    b->g.len -= 4;
    loggen_commit(&b->g, 1);
    loggen_end(&b->g);
    CHECK_OK(bed_mount(b));
    CHECK_U64(stat_of(b, "/data").size_bytes, 4321);
    bed_free(b);
}

static void test_inode_newer(void)
{
    for (int kind = BED_V5; kind <= BED_V4; kind++) {
        struct bed *b = bed_new((enum bed_kind)kind, 32768);
        struct xfs_disk_inode *di = (struct xfs_disk_inode *)(b->image + b->data_ino_off);

        if (kind == BED_V5) {
            log_be64(di->lsn, loggen_lsn(&b->g) + 1);
            log_le32(di->crc, xfs_crc(di, 512, offsetof(struct xfs_disk_inode, crc)));
        } else {
            log_be16(di->big_nextents + 6, 5); /* flushed five times; the log's has 0 */
        }
        loggen_begin(&b->g, 1);
        bed_log_inode(b, 1, b->data_ino, XLOG_INODE_CORE, make_short, NULL, 0);
        loggen_commit(&b->g, 1);
        loggen_end(&b->g);
        CHECK_OK(bed_mount(b));
        CHECK_U64(stat_of(b, "/data").size_bytes, BED_DATA_BYTES);
        CHECK(strstr(b->said, "1 item older than the disk") != NULL);
        bed_free(b);
    }
}

/* One that is removed is seen as free; its directory would not name it any more. */
static void test_inode_removed(void)
{
    struct bed *b = bed_new(BED_V5, 32768);
    struct node n;

    loggen_begin(&b->g, 1);
    bed_log_inode(b, 1, b->data_ino, XLOG_INODE_CORE, make_free, NULL, 0);
    loggen_commit(&b->g, 1);
    loggen_end(&b->g);
    CHECK_OK(bed_mount(b));
    CHECK_ERR(fs_walk(&b->fs, &b->arena, "/data", &n, NULL), ERR_FS_DAMAGED);
    bed_free(b);
}

/* Its buffer was given up later: then the item is left out. */
static void test_inode_cancelled(void)
{
    struct bed *b = bed_new(BED_V5, 32768);

    loggen_begin(&b->g, 1);
    bed_log_inode(b, 1, b->data_ino, XLOG_INODE_CORE, make_short, NULL, 0);
    loggen_commit(&b->g, 1);
    loggen_begin(&b->g, 2);
    loggen_buf(&b->g, 2, b->data_ino_off / 8192 * 16, 16, XLOG_BUF_CANCEL, 0, 0, NULL);
    loggen_commit(&b->g, 2);
    loggen_end(&b->g);
    CHECK_OK(bed_mount(b));
    CHECK_U64(stat_of(b, "/data").size_bytes, BED_DATA_BYTES);
    bed_free(b);
}

static void pack_extent(uint8_t *p, uint64_t off, uint64_t block, uint64_t nr)
{
    log_be64(p, off << 9 | block >> 43);
    log_be64(p + 8, block << 21 | nr);
}

static void make_two_extents(struct xfs_disk_inode *di)
{
    log_be32(di->nextents, 2);
}

static void make_tree(struct xfs_disk_inode *di)
{
    di->format[0] = XFS_FORMAT_BTREE;
}

/* The two halves of /data change places, once by extents in the inode, once through a B+tree. */
static void test_forks(void)
{
    static uint8_t got[BED_DATA_BYTES], want[BED_DATA_BYTES];

    for (int kind = 0; kind < NR_BEDS; kind++) {
        for (int tree = 0; tree < 3; tree++) {
            struct bed *b = bed_new((enum bed_kind)kind, 32768);
            uint32_t header = b->v5 ? 72 : 24, half = BED_DATA_BYTES / BLOCK / 2;
            uint64_t block = b->data_off / BLOCK; /* in group 0, so an fsblock too */
            uint8_t fork[72 + 3 * 16] = {0}, *leaf = b->image + b->other_off;

            CHECK(block + 2 * half < be32(b->image + 84));
            memcpy(want, b->data + half * BLOCK, half * BLOCK);
            memcpy(want + half * BLOCK, b->data, half * BLOCK);
            if (tree) { /* a root with room for three, and a leaf in the first block of /other */
                log_be16(fork + 4, 1);
                log_be16(fork + 6, 1);
                log_be64(fork + header, 0);
                log_be64(fork + header + 3 * 8, b->other_off / BLOCK);
                memset(leaf, 0, BLOCK);
                log_be32(leaf, b->v5 ? XFS_BMBT_MAGIC_V5 : XFS_BMBT_MAGIC);
                log_be16(leaf + 6, 2);
                memset(leaf + 8, 0xff, 16);
                if (b->v5) {
                    log_be64(leaf + 24, b->other_off / 512);
                    memcpy(leaf + 40, b->image + 32, 16);
                    log_be64(leaf + 56, b->data_ino);
                }
                pack_extent(leaf + header, 0, block + half, half);
                pack_extent(leaf + header + 16, half, block, half);
                if (b->v5)
                    log_le32(leaf + 64, xfs_crc(leaf, BLOCK, 64));
                if (tree == 2) /* it was another inode's: the log says that it changed hands */
                    leaf[63] ^= 1;
            } else {
                pack_extent(fork, 0, block + half, half);
                pack_extent(fork + 16, half, block, half);
            }
            loggen_begin(&b->g, 1);
            bed_log_inode(b, 1, b->data_ino,
                          XLOG_INODE_CORE | (tree == 2 ? XLOG_INODE_DOWNER : 0) |
                              (tree ? XLOG_INODE_DBROOT : XLOG_INODE_DEXT),
                          tree ? make_tree : make_two_extents, fork, tree ? header + 48 : 32);
            loggen_commit(&b->g, 1);
            loggen_end(&b->g);
            CHECK_OK(bed_mount(b));
            CHECK_OK(bed_read(b, "/data", got));
            CHECK(memcmp(got, want, sizeof(got)) == 0);
            bed_free(b);
        }
    }
}

static void test_new_inodes(void)
{
    struct bed *b = bed_new(BED_V5, 32768);
    struct xlog_disk_icreate d = {0};
    uint64_t block = b->other_off / BLOCK, ino = block << 1; /* two in a block */
    struct node n;

    log_le16(d.type, XFS_LI_ICREATE);
    log_le16(d.size, 1);
    log_be32(d.agbno, (uint32_t)block);
    log_be32(d.count, 64);
    log_be32(d.isize, 512);
    log_be32(d.length, 32);
    for (int round = 0; round < 2; round++) {
        loggen_restart(&b->g, 3, 8);
        loggen_begin(&b->g, 1);
        loggen_op(&b->g, 1, 0, &d, sizeof(d));
        b->other_ino = ino + 63; /* where bed_log_inode writes to */
        b->other_ino_off = b->other_off + 63 * 512;
        memcpy(b->image + b->other_ino_off, b->image + b->data_ino_off, 512);
        log_be64(b->image + b->other_ino_off + offsetof(struct xfs_disk_inode, ino), ino + 63);
        bed_log_inode(b, 1, ino + 63, XLOG_INODE_CORE, make_short, NULL, 0);
        loggen_commit(&b->g, 1);
        if (round == 1) {
            loggen_begin(&b->g, 2);
            loggen_buf(&b->g, 2, b->other_off / 512, 16, XLOG_BUF_CANCEL, 0, 0, NULL);
            loggen_buf(&b->g, 2, b->other_off / 512 + 48, 16, XLOG_BUF_CANCEL, 0, 0, NULL);
            loggen_commit(&b->g, 2);
        }
        memset(b->image + b->other_ino_off, round == 0 ? 0 : 0x77, 512);
        loggen_end(&b->g);
        /* An inode item for what has no inode must come after the inodes were made. */
        CHECK_OK(bed_mount(b));
        if (round == 0) {
            CHECK_OK(b->fs.ops->get_node(&b->fs, &b->arena, ino + 63, &n));
            CHECK_U64(n.size_bytes, 4321);
            CHECK(strstr(b->said, "1 inode, 64 new inodes") != NULL);
        } else {
            CHECK(strstr(b->said, "items given up later") != NULL);
            CHECK(failed(b->fs.ops->get_node(&b->fs, &b->arena, ino + 63, &n)));
        }
    }
    bed_free(b);
}

/* ---- intents ---- */

static void check_data(struct bed *b, const char *path, const uint8_t *want)
{
    static uint8_t got[BED_DATA_BYTES];

    memset(got, 0xee, sizeof(got));
    CHECK_OK(bed_read(b, path, got));
    for (size_t i = 0; i < sizeof(got); i++) {
        if (got[i] != want[i]) {
            CHECK_U64(i, sizeof(got));
            return;
        }
    }
}

static void test_bmap(void)
{
    static uint8_t want[BED_DATA_BYTES];
    struct bed *b = bed_new(BED_V5, 32768);

    loggen_begin(&b->g, 1);
    bed_log_bmap(b, 1, 0x10, b->data_ino, XLOG_BMAP_UNMAP, 10, b->data_off + 10 * BLOCK, 5);
    bed_log_bmap(b, 1, 0x20, b->data_ino, XLOG_BMAP_MAP, 12, b->other_off + 3 * BLOCK, 2);
    bed_log_bmap(b, 1, 0x30, b->data_ino, XLOG_BMAP_UNMAP, 0, b->data_off, 9); /* is done */
    bed_log_bmap(b, 1, 0x40, b->data_ino, XLOG_BMAP_MAP | XLOG_BMAP_UNWRITTEN, 90, b->other_off, 2);
    bed_log_bmap(b, 1, 0x50, b->data_ino, XLOG_BMAP_UNMAP, 0, b->data_off, 1);
    bed_log_bmap(b, 1, 0x60, b->data_ino, XLOG_BMAP_MAP | XLOG_BMAP_ATTR, 0, b->other_off, 1);
    loggen_commit(&b->g, 1);
    loggen_end(&b->g);
    loggen_begin(&b->g, 2);
    bed_log_done(b, 2, XFS_LI_BUD, 0x30);
    bed_log_done(b, 2, XFS_LI_EFD, 0x50);  /* of another kind */
    bed_log_done(b, 2, XFS_LI_BUD, 0x999); /* begun before the tail */
    bed_log_done(b, 2, XFS_LI_EFI, 0x70);
    loggen_commit(&b->g, 2);
    loggen_end(&b->g);
    CHECK_OK(bed_mount(b));
    memcpy(want, b->data, sizeof(want));
    memset(want, 0, BLOCK);
    memset(want + 10 * BLOCK, 0, 5 * BLOCK);
    memcpy(want + 12 * BLOCK, b->other + 3 * BLOCK, 2 * BLOCK);
    memset(want + 90 * BLOCK, 0, 2 * BLOCK);
    check_data(b, "/data", want);
    CHECK(strstr(b->said, "4 intents finished, 2 intents left out") != NULL);
    bed_free(b);
}

/* So many pieces that the mapping becomes a B+tree, and with a second level of blocks. */
static void test_bmap_tree(void)
{
    static uint8_t want[BED_DATA_BYTES];

    for (int kind = BED_V5; kind <= BED_V4; kind++) {
        struct bed *b = bed_new((enum bed_kind)kind, 32768);

        memcpy(want, b->data, sizeof(want));
        for (uint32_t i = 0; i < 96; i += 2) {
            loggen_begin(&b->g, i + 1);
            bed_log_bmap(b, i + 1, i + 1, b->data_ino, XLOG_BMAP_MAP, i,
                         b->other_off + (95 - i) * (uint64_t)BLOCK, 1);
            memcpy(want + i * BLOCK, b->other + (95 - i) * BLOCK, BLOCK);
            /* Far behind the end: only the tree grows. */
            for (uint32_t k = 0; k < 16; k++)
                bed_log_bmap(b, i + 1, 0x1000 + i * 16 + k, b->data_ino, XLOG_BMAP_MAP,
                             1000 + 2 * (uint64_t)(i * 16 + k), b->other_off, 1);
            loggen_commit(&b->g, i + 1);
            loggen_end(&b->g);
        }
        CHECK_OK(bed_mount(b));
        check_data(b, "/data", want);
        CHECK(strstr(b->said, "816 intents finished") != NULL);
        /* And back: the tree is read, and what is left fits into the inode. */
        for (uint32_t i = 0; i < 96; i += 2) {
            loggen_begin(&b->g, 1);
            bed_log_bmap(b, 1, 0x8000 + i, b->data_ino, XLOG_BMAP_MAP, i,
                         b->data_off + i * (uint64_t)BLOCK, 1);
            loggen_commit(&b->g, 1);
            loggen_end(&b->g);
        }
        loggen_begin(&b->g, 1);
        bed_log_bmap(b, 1, 0x9000, b->data_ino, XLOG_BMAP_UNMAP, 0, b->data_off, 96);
        bed_log_bmap(b, 1, 0x9001, b->data_ino, XLOG_BMAP_UNMAP, 96, b->data_off, 10000);
        bed_log_bmap(b, 1, 0x9002, b->data_ino, XLOG_BMAP_MAP, 0, b->data_off, 96);
        loggen_commit(&b->g, 1);
        loggen_end(&b->g);
        CHECK_OK(bed_mount(b));
        check_data(b, "/data", b->data);
        bed_free(b);
    }
}

static void log_exchange(struct bed *b, uint64_t a_ino, uint64_t b_ino, uint64_t a_off,
                         uint64_t b_off, uint64_t nr, uint64_t flags, uint64_t size)
{
    struct xlog_disk_exchange_intent d = {0};

    log_le16(d.type, XFS_LI_XMI);
    log_le16(d.size, 1);
    log_le64(d.id, 0x77);
    log_le64(d.inode1, a_ino);
    log_le64(d.inode2, b_ino);
    log_le64(d.startoff1, a_off);
    log_le64(d.startoff2, b_off);
    log_le64(d.blockcount, nr);
    log_le64(d.flags, flags);
    log_le64(d.isize1, size);
    log_le64(d.isize2, BED_DATA_BYTES);
    loggen_restart(&b->g, 3, 8);
    loggen_begin(&b->g, 1);
    /* First a hole in the first file, and a part that was never written. */
    bed_log_bmap(b, 1, 0x10, b->data_ino, XLOG_BMAP_UNMAP, 20, b->data_off, 4);
    bed_log_bmap(b, 1, 0x20, b->data_ino, XLOG_BMAP_MAP | XLOG_BMAP_UNWRITTEN, 30,
                 b->data_off + 30 * BLOCK, 4);
    loggen_op(&b->g, 1, 0, &d, sizeof(d));
    loggen_commit(&b->g, 1);
    loggen_end(&b->g);
}

static void test_exchange(void)
{
    static uint8_t a[BED_DATA_BYTES], o[BED_DATA_BYTES];
    struct bed *b = bed_new(BED_V5, 32768);

    /* A part, holes and unwritten extents included. */
    log_exchange(b, b->data_ino, b->other_ino, 10, 40, 30, 0, 0);
    CHECK_OK(bed_mount(b));
    memcpy(a, b->data, sizeof(a));
    memcpy(o, b->other, sizeof(o));
    memset(a + 20 * BLOCK, 0, 4 * BLOCK);
    memset(a + 30 * BLOCK, 0, 4 * BLOCK);
    memcpy(o + 40 * BLOCK, a + 10 * BLOCK, 30 * BLOCK);
    memcpy(a + 10 * BLOCK, b->other + 40 * BLOCK, 30 * BLOCK);
    check_data(b, "/data", a);
    check_data(b, "/other", o);
    /* Only what was written in the first. */
    log_exchange(b, b->data_ino, b->other_ino, 10, 40, 30, XLOG_EXCHANGE_WRITTEN, 0);
    CHECK_OK(bed_mount(b));
    memset(a + 20 * BLOCK, 0, 4 * BLOCK);
    memset(a + 30 * BLOCK, 0, 4 * BLOCK);
    memcpy(o + 50 * BLOCK, b->other + 50 * BLOCK, 4 * BLOCK);
    memcpy(o + 60 * BLOCK, b->other + 60 * BLOCK, 4 * BLOCK);
    check_data(b, "/data", a);
    check_data(b, "/other", o);
    /* All, with the sizes. */
    log_exchange(b, b->data_ino, b->other_ino, 0, 0, 96, XLOG_EXCHANGE_SET_SIZES, 50000);
    CHECK_OK(bed_mount(b));
    memcpy(o, b->data, sizeof(o));
    memset(o + 20 * BLOCK, 0, 4 * BLOCK);
    memset(o + 30 * BLOCK, 0, 4 * BLOCK);
    check_data(b, "/other", o);
    CHECK_U64(stat_of(b, "/data").size_bytes, 50000);
    /* Two parts of one file; and what cannot be. */
    log_exchange(b, b->other_ino, b->other_ino, 0, 60, 30, 0, 0);
    CHECK_OK(bed_mount(b));
    memcpy(o, b->other, sizeof(o));
    memcpy(o, b->other + 60 * BLOCK, 30 * BLOCK);
    memcpy(o + 60 * BLOCK, b->other, 30 * BLOCK);
    check_data(b, "/other", o);
    log_exchange(b, b->other_ino, b->other_ino, 0, 20, 30, 0, 0);
    CHECK_ERR(bed_mount(b), ERR_FS_DAMAGED);
    log_exchange(b, b->data_ino, b->other_ino, 0, UINT64_MAX - 5, 30, 0, 0);
    CHECK_ERR(bed_mount(b), ERR_FS_DAMAGED);
    log_exchange(b, b->data_ino, 12345, 0, 0, 30, 0, 0);
    CHECK_ERR(bed_mount(b), ERR_FS_DAMAGED);
    bed_free(b);
}

/* Numbers that all fall on one place of a table end at its cap. */
static void chosen_numbers_end(void)
{
    const uint64_t inverse = UINT64_C(0xf1de83e19937733d); /* of the hash's factor, modulo 2^64 */
    struct xlog *log = calloc(1, sizeof(*log));
    struct xlog_table t = {0};
    struct xlog_slot *s;
    struct err e = OK;
    struct arena a;
    uint64_t nr = 0;

    arena_init(&a, &test_memory);
    log->arena = &a;
    for (; nr < 10000 && !failed(e); nr++)
        e = xlog_table_put(log, &t, ((nr + 1) << 42) * inverse, &s);
    CHECK_ERR(e, ERR_LIMIT);
    CHECK(nr > 4096 && nr < 5000);
    xlog_table_free(log, &t);
    for (uint64_t i = 0; i < 20000; i++) /* buffers in a row */
        CHECK_OK(xlog_table_put(log, &t, i << 8, &s));
    xlog_table_free(log, &t);
    arena_reset(&a);
    free(log);
}

/* Changes to long mappings cost moves; all of a replay may make so many. */
static void work_on_mappings_ends(void)
{
    struct xlog *log = calloc(1, sizeof(*log));
    struct xlog_fork f = {.ino = 7};
    struct err e = OK;
    struct arena a;
    uint64_t nr = 0;

    arena_init(&a, &test_memory);
    log->arena = &a;
    log->fork_work = ((uint64_t)1 << 30) - 64 * 50;
    for (; nr < 1000 && !failed(e); nr++) {
        const struct xlog_extent add = {.off = 2 * (1000 - nr), .block = 100 + nr, .len = 1};

        e = xlog_fork_map(log, &f, &add);
    }
    CHECK_ERR(e, ERR_LIMIT);
    CHECK(nr > 20 && nr < 50); /* each moves all that is there */
    xlog_fork_free(log, &f);
    arena_reset(&a);
    free(log);
}

int main(void)
{
    RUN(test_inode);
    RUN(test_inode_32);
    RUN(test_inode_newer);
    RUN(test_inode_removed);
    RUN(test_inode_cancelled);
    RUN(test_forks);
    RUN(test_new_inodes);
    RUN(test_bmap);
    RUN(test_bmap_tree);
    RUN(test_exchange);
    RUN(work_on_mappings_ends);
    RUN(chosen_numbers_end);
    return test_done();
}

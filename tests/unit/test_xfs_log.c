/* SPDX-License-Identifier: MIT */
/*
 * The log of XFS: where it begins and ends, records, transactions and buffers. Images of mkfs.xfs
 * get logs of our own generator; logs of real kernels are the affair of tests/images.
 */
#include <stdlib.h>

#include "core/fs/xfs_log_disk.h"
#include "tests/unit/test.h"
#include "tests/unit/xfslogbed.h"

static uint8_t news[64 * 1024];

static void make_news(void)
{
    for (size_t i = 0; i < sizeof(news); i++)
        news[i] = (uint8_t)(0xa0 + i / 512 + i * 7);
}

/* A committed transaction that replaces chunks of /data, block `block` of 1024 bytes on. */
static void log_news(struct bed *b, uint32_t tid, uint32_t block, uint32_t nr_bb, uint32_t first,
                     uint32_t nr, const uint8_t *bytes)
{
    loggen_begin(&b->g, tid);
    loggen_buf(&b->g, tid, b->data_off / 512 + block * 2, nr_bb, 0, first, nr, bytes);
    loggen_commit(&b->g, tid);
}

static void test_clean(void)
{
    for (int kind = 0; kind < NR_BEDS; kind++) {
        struct bed *b = bed_new((enum bed_kind)kind, 32768);

        loggen_unmount(&b->g);
        CHECK_OK(bed_mount(b));
        CHECK(!b->fs.journal_replayed && !b->fs.journal_dirty);
        CHECK_STR(b->said, "");
        CHECK(b->disk.nr_reads < 40); /* a clean log costs little */
        bed_free(b);
    }
}

static void test_fresh(void)
{
    struct bed *b = bed_new(BED_V5, 32768);

    /* All zeros, and records of the first cycle with zeros behind. */
    memset(loggen_block(&b->g, 0), 0, (size_t)b->g.nr_bb * 512);
    CHECK_OK(bed_mount(b));
    CHECK(!b->fs.journal_replayed);
    b->g.cycle = b->g.tail_cycle = 1;
    b->g.bb = b->g.tail_bb = 0;
    log_news(b, 1, 0, 2, 0, 2, news);
    loggen_end(&b->g);
    CHECK_OK(bed_mount(b));
    CHECK(b->fs.journal_replayed && bed_data_is(b, 0, news, 256));
    loggen_unmount(&b->g);
    CHECK_OK(bed_mount(b));
    CHECK(!b->fs.journal_replayed && bed_data_is(b, 0, b->data, 1));
    bed_free(b);
}

static void test_buffers(void)
{
    for (int kind = 0; kind < NR_BEDS; kind++) {
        struct bed *b = bed_new((enum bed_kind)kind, 32768);

        log_news(b, 7, 1, 2, 3, 4, news);
        log_news(b, 8, 1, 2, 4, 1, news + 1000);
        loggen_end(&b->g);
        log_news(b, 7, 1, 2, 5, 1, news + 2000);
        loggen_begin(&b->g, 9); /* never committed */
        loggen_buf(&b->g, 9, b->data_off / 512, 2, 0, 0, 8, news);
        loggen_end(&b->g);
        memcpy(news + 128, news + 1000, 128);
        memcpy(news + 256, news + 2000, 128);
        CHECK_OK(bed_mount(b));
        CHECK(bed_data_is(b, 1024 + 3 * 128, news, 512));
        CHECK(strstr(b->said, ": 2 records, 3 transactions, 3 buffers, 1 unfinished transaction "
                              "discarded\n") != NULL);
        CHECK(strstr(b->fs.describe, "journal replayed") != NULL);
        make_news();
        bed_free(b);
    }
}

/*
 * The superblock, with a checksum as the log holds it: that of an earlier state. What follows is
 * checked against the new one, and the mount finds it whole.
 */
static void test_super(void)
{
    for (int kind = 0; kind < NR_BEDS; kind++) {
        struct bed *b = bed_new((enum bed_kind)kind, 32768);
        uint8_t sb[512];

        memcpy(sb, b->image, sizeof(sb));
        memcpy(sb + offsetof(struct xfs_disk_super, fname), "new label", 10);
        memset(sb + offsetof(struct xfs_disk_super, crc), 0x5a, 4);
        loggen_begin(&b->g, 7);
        loggen_buf(&b->g, 7, 0, 1, 0, 0, 4, sb);
        loggen_commit(&b->g, 7);
        log_news(b, 8, 1, 2, 3, 4, news);
        loggen_end(&b->g);
        CHECK_OK(bed_mount(b));
        CHECK_STR(b->fs.label, "new label");
        CHECK(bed_data_is(b, 1024 + 3 * 128, news, 512));
        bed_free(b);
    }
}

/* Records of all lengths at all places around the end of the log, header and body divided. */
static void test_wrap(void)
{
    static const size_t sizes[] = {128, 512, 4096, 40960, 64 * 1024};

    for (uint32_t buf = 32768; buf <= 262144; buf *= 8) {
        struct bed *b = bed_new(BED_V5, buf);

        for (size_t i = 0; i < ARRAY_LEN(sizes); i++) {
            uint32_t nr = (uint32_t)sizes[i] / 128;

            if (sizes[i] + 1024 > buf)
                continue;
            for (uint32_t before = 0; before < 140; before += before < 12 ? 1 : 37) {
                loggen_restart(&b->g, 5, b->g.nr_bb - before - (before == 0));
                log_news(b, 1, 0, 128, 512 - nr, nr, news);
                loggen_end(&b->g);
                log_news(b, 2, 90, 2, 0, 1, news);
                loggen_end(&b->g);
                CHECK_OK(bed_mount(b));
                if (!bed_data_is(b, 65536 - sizes[i], news, sizes[i]))
                    memcpy(b->data + 90 * 1024, news, 128);
                CHECK(bed_data_is(b, 65536 - sizes[i], news, sizes[i]));
                CHECK(strstr(b->said, "2 records, 2 transactions, 2 buffers\n") != NULL);
            }
        }
        bed_free(b);
    }
}

/* Regions that go on in later records, between those of another transaction. */
static void test_split(void)
{
    struct bed *b = bed_new(BED_V5, 32768);
    uint8_t item[88] = {0}, header[16] = {0};

    log_le16(item, XFS_LI_BUF);
    log_le16(item + 2, 2);
    log_le16(item + 6, 8);
    log_le64(item + 8, b->data_off / 512);
    log_le32(item + 16, 17);
    memset(item + 20, 0xff, 4); /* 32 chunks: 4096 bytes */
    log_le32(header, XLOG_TRANS_MAGIC);
    loggen_op(&b->g, 1, XLOG_OP_START, NULL, 0);
    loggen_op(&b->g, 1, XLOG_OP_CONTINUE, header, 6);
    loggen_end(&b->g);
    loggen_op(&b->g, 1, XLOG_OP_WAS_CONT | XLOG_OP_END, header + 6, 10);
    loggen_op(&b->g, 1, XLOG_OP_CONTINUE, item, 8);
    log_news(b, 2, 10, 2, 0, 1, news + 5000);
    loggen_end(&b->g);
    loggen_op(&b->g, 1, XLOG_OP_WAS_CONT | XLOG_OP_CONTINUE, item + 8, 20);
    loggen_end(&b->g);
    loggen_op(&b->g, 1, XLOG_OP_WAS_CONT | XLOG_OP_END, item + 28, 60);
    loggen_op(&b->g, 1, XLOG_OP_CONTINUE, news, 1000);
    loggen_end(&b->g);
    loggen_op(&b->g, 1, XLOG_OP_WAS_CONT | XLOG_OP_CONTINUE, news + 1000, 3000);
    loggen_end(&b->g);
    loggen_op(&b->g, 1, XLOG_OP_WAS_CONT | XLOG_OP_END, news + 4000, 96);
    loggen_commit(&b->g, 1);
    loggen_end(&b->g);
    CHECK_OK(bed_mount(b));
    memcpy(b->data + 10240, news + 5000, 128);
    CHECK(bed_data_is(b, 0, news, 4096));
    bed_free(b);
}

static void test_cancelled(void)
{
    struct bed *b = bed_new(BED_V5, 32768);
    uint64_t daddr = b->data_off / 512;

    log_news(b, 1, 0, 2, 0, 8, news); /* given up twice, then written again */
    log_news(b, 2, 2, 4, 0, 8, news); /* of another length than what is given up */
    log_news(b, 3, 4, 2, 0, 8, news); /* given up at the end */
    loggen_end(&b->g);
    for (int i = 0; i < 2; i++) {
        loggen_begin(&b->g, 4);
        loggen_buf(&b->g, 4, daddr, 2, XLOG_BUF_CANCEL, 0, 0, NULL);
        loggen_buf(&b->g, 4, daddr + 4, 2, XLOG_BUF_CANCEL, 0, 0, NULL);
        loggen_commit(&b->g, 4);
        log_news(b, 5, 0, 2, 0, 8, news + 1024 * (i + 1));
        loggen_end(&b->g);
    }
    loggen_begin(&b->g, 6);
    loggen_buf(&b->g, 6, daddr + 8, 2, XLOG_BUF_CANCEL, 0, 0, NULL);
    loggen_commit(&b->g, 6);
    loggen_end(&b->g);
    CHECK_OK(bed_mount(b));
    memcpy(b->data + 2048, news, 1024);
    CHECK(bed_data_is(b, 0, news + 2048, 1024));
    CHECK(strstr(b->said, "2 buffers, 3 items given up later") != NULL);
    bed_free(b);
}

/* What lies on the disk is newer than what the log has. Only version 5 can tell. */
static void test_newer(void)
{
    for (int kind = BED_V5; kind <= BED_V4; kind++) {
        for (int which = 0; which < 4; which++) {
            struct bed *b = bed_new((enum bed_kind)kind, 32768);
            uint8_t *there = b->image + b->data_off;

            log_be32(there, 0x58444433); /* as if it were a directory's block */
            log_be64(there + 16, loggen_lsn(&b->g) - (which == 1));
            memcpy(there + 24, b->image + 32, 16);
            if (which == 2)
                there[24] ^= 1;
            if (which == 3)
                log_be64(there + 16, 0);
            memcpy(b->data, there, 1024);
            log_news(b, 1, 0, 2, 7, 1, news);
            loggen_end(&b->g);
            CHECK_OK(bed_mount(b));
            if (kind == BED_V5 && which == 0)
                CHECK(bed_data_is(b, 0, b->data, 1));
            else if (kind == BED_V4)
                CHECK(bed_data_is(b, 896, news, 128));
            else
                CHECK(!bed_data_is(b, 0, b->data, 1));
            bed_free(b);
        }
    }
}

/* Ten records with one change each; what is left of them after `break` does its work? */
static void make_ten(struct bed *b, uint32_t *at)
{
    loggen_restart(&b->g, 3, 100);
    for (uint32_t i = 0; i < 10; i++) {
        at[i] = b->g.bb;
        log_news(b, 1, i, 2, 0, 8, news + i * 1024);
        loggen_end(&b->g);
    }
}

static void test_torn(void)
{
    struct bed *b = bed_new(BED_V5, 32768);
    uint32_t at[10];

    for (uint32_t i = 2; i < 10; i++) {
        for (int how = 0; how < 4; how++) {
            make_ten(b, at);
            uint8_t *body = loggen_block(&b->g, at[i] + 2);

            switch (how) {
            case 0: /* a bad block */
                body[100] ^= 1;
                break;
            case 1: /* a block was not written: it has the cycle before */
                log_be32(body, 2);
                break;
            case 2: /* nor was the header */
                memset(loggen_block(&b->g, at[i]), 0x5c, 512);
                log_be32(loggen_block(&b->g, at[i]), 2);
                break;
            default: /* the header is damaged, but for its magic */
                loggen_block(&b->g, at[i])[11] = 77;
                break;
            }
            CHECK_OK(bed_mount(b));
            CHECK(bed_data_is(b, 0, news, (size_t)i * 1024));
        }
    }
    /* Before the last eight records nothing can be on its way: that is damage. */
    for (uint32_t i = 0; i < 2; i++) {
        make_ten(b, at);
        loggen_block(&b->g, at[i] + 2)[100] ^= 1;
        CHECK_ERR(bed_mount(b), ERR_FS_DAMAGED);
    }
    /* Without checksums nobody knows. */
    b->g.no_crc = true;
    make_ten(b, at);
    loggen_block(&b->g, at[9] + 2)[100] ^= 1;
    CHECK_OK(bed_mount(b));
    CHECK(!bed_data_is(b, 0, news, 9 * 1024));
    bed_free(b);
}

/* Records that were cut off had overwritten the place that the last good one calls the tail. */
static void test_stale_tail(void)
{
    struct bed *b = bed_new(BED_V5, 32768);
    uint32_t at[10];

    make_ten(b, at);
    b->g.tail_bb = at[1] + 1; /* in the middle of a record */
    log_news(b, 1, 20, 2, 0, 8, news);
    loggen_end(&b->g);
    CHECK_OK(bed_mount(b));
    CHECK(strstr(b->said, ": 9 records,") != NULL);
    bed_free(b);
}

static void test_refused(void)
{
    struct bed *b = bed_new(BED_V5, 32768);
    uint8_t unknown[16] = {0x55, 0x12, 1, 0};

    b->g.uuid[3] ^= 1;
    log_news(b, 1, 0, 2, 0, 8, news);
    loggen_end(&b->g);
    CHECK_ERR(bed_mount(b), ERR_REFUSED);
    b->g.uuid[3] ^= 1;
    b->g.fmt = 2;
    loggen_restart(&b->g, 3, 8);
    log_news(b, 1, 0, 2, 0, 8, news);
    loggen_end(&b->g);
    CHECK_ERR(bed_mount(b), ERR_REFUSED);
    b->g.fmt = 1;
    loggen_restart(&b->g, 3, 8);
    loggen_begin(&b->g, 1);
    loggen_op(&b->g, 1, 0, unknown, sizeof(unknown));
    loggen_commit(&b->g, 1);
    loggen_end(&b->g);
    CHECK_ERR(bed_mount(b), ERR_REFUSED);
    bed_free(b);
}

/* Each of these is refused with a sentence; nothing is read or written where it may not be. */
static void test_hostile(void)
{
    static const struct {
        size_t len;
        uint8_t bytes[32];
    } items[] = {
        {3, {0x3c, 0x12, 1}},    /* cut off */
        {4, {0x3c, 0x12, 0, 0}}, /* no regions */
        {4, {0x3c, 0x12, 2, 1}}, /* 258 regions */
        {4, {0x3c, 0x12, 1, 0}}, /* a buffer without its fields */
        {24, {0x3c, 0x12, 1, 0, 0, 0, 1, 0, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 0xff, 1}},
        {24, {0x3c, 0x12, 1, 0, 0, 0, 0x81, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1}}, /* 129 blocks */
        {24, {0x3c, 0x12, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 0xff}}, /* a long map */
        {24, {0x3c, 0x12, 1, 0, 0, 0, 1, 0, 0, 1, 0, 0, 0, 0, 0, 0, 1, 0, 0, 0, 1}}, /* no data */
        {4, {0x3b, 0x12, 1, 0}},                          /* an inode without its fields */
        {28, {0x3f, 0x12, 1, 0, 0, 0, 0, 9, 0, 0, 0, 1}}, /* inodes in group 9 */
        {8, {0x44, 0x12, 1, 0}},                          /* an intent without an id */
        {16, {0x44, 0x12, 1, 0}},                         /* a bmap intent without the rest */
    };

    for (size_t i = 0; i < ARRAY_LEN(items); i++) {
        struct bed *b = bed_new(BED_V5, 32768);

        loggen_begin(&b->g, 1);
        loggen_op(&b->g, 1, 0, items[i].bytes, items[i].len);
        loggen_commit(&b->g, 1);
        loggen_end(&b->g);
        CHECK_ERR(bed_mount(b), ERR_FS_DAMAGED);
        bed_free(b);
    }
}

/* Numbers of the record's header and of operations. The last record is not the one: it is cut. */
static void test_hostile_records(void)
{
    static const struct {
        uint32_t at, value;
    } fields[] = {
        {8, 4},  /* version */
        {12, 0}, /* len */
        {12, 0x7fffffff}, {12, 262145}, {320, 0x7fffffff} /* size */,
    };
    struct bed *b = bed_new(BED_V5, 32768);
    uint32_t at[10];

    for (size_t i = 0; i < ARRAY_LEN(fields); i++) {
        make_ten(b, at);
        log_be32(loggen_block(&b->g, at[1]) + fields[i].at, fields[i].value);
        loggen_seal(&b->g, at[1]);
        CHECK_ERR(bed_mount(b), ERR_FS_DAMAGED);
    }
    for (uint32_t flags = 0x40; flags <= 0x80; flags *= 2) {
        make_ten(b, at);
        loggen_begin(&b->g, 1);
        loggen_op(&b->g, 1, (uint8_t)flags, news, 4);
        loggen_end(&b->g);
        CHECK_ERR(bed_mount(b), ERR_FS_DAMAGED);
    }
    make_ten(b, at);
    loggen_begin(&b->g, 1);
    log_be32(b->g.body + 4, 0xfffffff0); /* an operation longer than its record */
    loggen_end(&b->g);
    CHECK_ERR(bed_mount(b), ERR_FS_DAMAGED);
    make_ten(b, at);
    b->g.tail_bb = b->g.nr_bb; /* a tail outside the log */
    log_news(b, 1, 0, 2, 0, 8, news);
    loggen_end(&b->g);
    CHECK_ERR(bed_mount(b), ERR_FS_DAMAGED);
    bed_free(b);
}

/* Transactions whose numbers all fall on one place of the table end at its cap; others do not. */
static void chosen_tids_end(void)
{
    const uint32_t inverse = 340573321u; /* of the hash's factor, modulo 2^32 */
    struct bed *b = bed_new(BED_V5, 262144);

    for (uint32_t nr = 32; nr <= 33; nr++) {
        loggen_restart(&b->g, 3, 8);
        for (uint32_t i = 0; i < nr; i++)
            loggen_begin(&b->g, (i + 1) * inverse);
        loggen_end(&b->g);
        CHECK_ERR(bed_mount(b), nr == 32 ? ERR_NONE : ERR_LIMIT);
    }
    loggen_restart(&b->g, 3, 8);
    for (uint32_t i = 0; i < 4096; i++)
        loggen_begin(&b->g, i * 0x10000);
    loggen_end(&b->g);
    CHECK_OK(bed_mount(b));
    bed_free(b);
}

int main(void)
{
    make_news();
    RUN(test_clean);
    RUN(test_fresh);
    RUN(test_buffers);
    RUN(test_super);
    RUN(test_wrap);
    RUN(test_split);
    RUN(test_cancelled);
    RUN(test_newer);
    RUN(test_torn);
    RUN(test_stale_tail);
    RUN(test_refused);
    RUN(test_hostile);
    RUN(test_hostile_records);
    RUN(chosen_tids_end);
    return test_done();
}

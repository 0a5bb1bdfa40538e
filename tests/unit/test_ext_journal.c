/* SPDX-License-Identifier: MIT */
/*
 * Replay of the journal of ext3 and ext4: journals of every format, whole, torn and damaged, are
 * written over the blocks of a file in images of mke2fs; what the file then shows is compared.
 */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "tests/unit/jbd2gen.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define NR        40u /* blocks of the file /big */
#define BLOCK_MAX 65536u

struct bench {
    struct jbd2gen g;
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    uint8_t *image, *want; /* want: the file as it must be shown */
    size_t len;
    uint64_t at[NR]; /* where the file's blocks lie */
    uint8_t data[NR * BLOCK_MAX];
    char said[600];
    struct err err;
};

static struct bench b;

static void hear(void *ctx, const char *text)
{
    struct bench *to = ctx;

    snprintf(to->said + strlen(to->said), sizeof(to->said) - strlen(to->said), "%s\n", text);
}

/* An image with the file, and an empty log in it. */
static void begin_at(const char *options, uint32_t compat, uint32_t incompat, uint32_t start,
                     uint32_t sequence)
{
    static char made[256];
    static uint8_t *image, content[NR * BLOCK_MAX];
    static size_t len;
    struct file f;
    struct run run;

    if (image == NULL || strcmp(made, options) != 0) {
        free(image);
        for (size_t i = 0; i < sizeof(content); i++)
            content[i] = (uint8_t)(i * 7 + i / 1021);
        put_file("tree/big", content, sizeof(content));
        image = make_ext(options, "tree", strstr(options, "65536") ? "300M" : "24M", &len);
        snprintf(made, sizeof(made), "%s", options);
    }
    b.len = len;
    b.image = aligned_alloc(4096, len);
    memcpy(b.image, image, len);
    mem_disk_init(&b.disk, b.image, len, 512);
    arena_init(&b.arena, &test_memory);
    CHECK_OK(fs_mount(&b.fs, &b.disk.disk, &b.arena, NULL));
    gen_open(&b.g, b.image, len, compat, incompat, start, sequence);
    CHECK_OK(file_open(&f, &b.fs, &b.arena, "/big", NULL));
    for (uint32_t i = 0; i < NR; i++) {
        CHECK_OK(b.fs.ops->map(&b.fs, &f.node, (uint64_t)i * b.g.block_bytes, &run));
        b.at[i] = (run.disk_off_bytes - run.file_off_bytes) / b.g.block_bytes + i;
    }
    b.want = malloc(NR * BLOCK_MAX);
    memcpy(b.want, content, NR * BLOCK_MAX);
    arena_reset(&b.arena);
}

#define EXT4_1K "-t ext4 -b 1024 -J size=1"

static void begin(uint32_t compat, uint32_t incompat)
{
    begin_at(EXT4_1K, compat, incompat, 1, 77);
}

static void end(void)
{
    arena_reset(&b.arena);
    gen_close(&b.g);
    free(b.image);
    free(b.want);
}

/* Journal new bytes for the file's blocks [from, from + nr); the tests say whether they count. */
static void change(uint32_t from, uint32_t nr, uint8_t byte, bool counts)
{
    size_t bytes = b.g.block_bytes;

    for (size_t i = 0; i < nr * bytes; i++)
        b.data[i] = (uint8_t)(byte + i / bytes + i % 251);
    gen_blocks(&b.g, b.at + from, b.data, nr);
    if (counts)
        memcpy(b.want + from * bytes, b.data, nr * bytes);
}

static void mount(void)
{
    static struct log log;
    static uint8_t got[NR * BLOCK_MAX];
    struct file f;

    log = (struct log){.ctx = &b, .line = hear};
    b.said[0] = '\0';
    mem_disk_init(&b.disk, b.image, b.len, 512);
    b.err = fs_mount(&b.fs, &b.disk.disk, &b.arena, &log);
    if (failed(b.err))
        return;
    CHECK_OK(file_open(&f, &b.fs, &b.arena, "/big", NULL));
    CHECK_OK(file_read(&f, 0, got, f.node.size_bytes));
    for (uint32_t i = 0; i < NR; i++) {
        size_t at = (size_t)i * b.g.block_bytes;

        if (memcmp(got + at, b.want + at, b.g.block_bytes) != 0) {
            CHECK_U64(i, UINT64_MAX); /* the block that differs */
            break;
        }
    }
    CHECK(memcmp(got, b.want, (size_t)f.node.size_bytes) == 0);
}

static void expect(const char *said)
{
    mount();
    CHECK_OK(b.err);
    CHECK_STR(b.said, said);
    end();
}

static void expect_error(enum err_code code, const char *part)
{
    char text[512];

    mount();
    err_format(b.err, NULL, text, sizeof(text));
    if (b.err.code != code || strstr(text, part) == NULL) {
        CHECK_STR(text, part);
        CHECK_U64(b.err.code, code);
    }
    end();
}

/* Two transactions that overlap, a block that begins with the magic number, a revoke. */
static void write_usual(void)
{
    uint64_t revoked[2] = {b.at[20], b.at[21]};
    size_t bytes = b.g.block_bytes;

    change(0, 10, 'a', true);
    change(18, 4, 'b', false);
    gen_commit(&b.g);
    change(5, 8, 'c', true);
    memcpy(b.data, "\xc0\x3b\x39\x98", 4);
    gen_blocks(&b.g, b.at + 30, b.data, 1);
    memcpy(b.want + 30 * bytes, b.data, bytes);
    if (b.g.version1) {
        change(18, 4, 'd', true);
    } else {
        gen_revoke(&b.g, revoked, 2);
        change(18, 2, 'd', true);
    }
    gen_commit(&b.g);
}

static void replays_every_format(void)
{
    static const struct {
        const char *options;
        uint32_t compat, incompat;
    } kinds[] = {
        {EXT4_1K, 0, GEN_REVOKE},
        {EXT4_1K, 0, GEN_REVOKE | GEN_64BIT},
        {EXT4_1K, GEN_CHECKSUM, GEN_REVOKE},
        {EXT4_1K, GEN_CHECKSUM, GEN_REVOKE | GEN_64BIT | GEN_ASYNC},
        {EXT4_1K, 0, GEN_REVOKE | GEN_CSUM2},
        {EXT4_1K, 0, GEN_REVOKE | GEN_CSUM2 | GEN_64BIT},
        {EXT4_1K, 0, GEN_REVOKE | GEN_CSUM3},
        {EXT4_1K, 0, GEN_REVOKE | GEN_CSUM3 | GEN_64BIT},
        {EXT4_1K, 0, GEN_REVOKE | GEN_CSUM3 | GEN_64BIT | GEN_ASYNC | GEN_FAST},
        {"-t ext3 -b 1024 -I 128 -J size=1", 0, GEN_REVOKE},
        {"-t ext3 -b 4096 -J size=4", 0, GEN_REVOKE},
        {"-t ext4 -b 2048 -O ^metadata_csum -J size=2", 0, GEN_REVOKE | GEN_64BIT},
        {"-t ext4 -b 4096 -J size=4", 0, GEN_REVOKE | GEN_CSUM3 | GEN_64BIT},
        {"-t ext4 -b 65536 -J size=64", 0, GEN_REVOKE | GEN_CSUM3 | GEN_64BIT},
    };

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        int before = test_bad_checks_;

        begin_at(kinds[i].options, kinds[i].compat, kinds[i].incompat, 1, 77);
        write_usual();
        mount();
        CHECK_OK(b.err);
        CHECK(strstr(b.said, ": journal replayed: 2 transactions from 77, 25 blocks, 2 revoked\n"));
        CHECK(strstr(b.fs.describe, "journal replayed") != NULL);
        end();
        if (test_bad_checks_ != before)
            printf("  with mke2fs %s, features %x %x\n", kinds[i].options, kinds[i].compat,
                   kinds[i].incompat);
    }
}

#define CSUM3 (GEN_REVOKE | GEN_CSUM3 | GEN_64BIT)
#define ONE   "mem: ext4: journal replayed: 1 transaction from 77, 3 blocks"
#define NONE  "mem: ext4: journal replayed: 0 transactions, 0 blocks"
#define TORN  "; its last transaction is not complete and is dropped\n"
#define WRONG "; its last transaction has a wrong checksum and is dropped\n"

static void begin_one(uint32_t compat, uint32_t incompat)
{
    begin(compat, incompat);
    change(0, 3, 'a', true);
    gen_commit(&b.g);
}

static void wraps_around(void)
{
    uint64_t revoked = 0;

    /* The end of the log lies between any two blocks of a transaction; and in the numbers. */
    for (uint32_t back = 1; back < 9; back++) {
        begin_at(EXT4_1K, 0, CSUM3, 1024 - back, UINT32_MAX);
        change(0, 3, 'a', true);
        revoked = b.at[0];
        gen_commit(&b.g);
        gen_revoke(&b.g, &revoked, 1);
        change(2, 4, 'b', true);
        for (size_t i = 0; i < 1024; i++)
            b.want[i] = (uint8_t)(i * 7 + i / 1021);
        gen_commit(&b.g);
        expect("mem: ext4: journal replayed: 2 transactions from 4294967295, 7 blocks, "
               "1 revoked\n");
    }
    /* A log that is full: a lap of blocks, and no more. */
    begin_at(EXT4_1K, 0, GEN_REVOKE, 500, 5);
    for (int i = 0; i < 93; i++) { /* of 11 blocks each: 1023 */
        change((uint32_t)i % 30, 9, (uint8_t)i, true);
        gen_commit(&b.g);
    }
    CHECK_U64(b.g.next, 500);
    expect("mem: ext4: journal replayed: 93 transactions from 5, 837 blocks\n");
    /* A transaction that fills the log has no commit block in it. */
    begin_at(EXT4_1K, 0, GEN_REVOKE, 500, 5);
    for (int i = 0; i < 93; i++)
        change(0, 10, 'x', false);
    expect("mem: ext4: journal replayed: 0 transactions, 0 blocks" TORN);
}

static void drops_what_is_torn(void)
{
    uint64_t revoked;

    begin_one(0, CSUM3);
    expect(ONE "\n");
    begin_one(0, CSUM3); /* no commit block */
    change(0, 5, 'b', false);
    expect(ONE TORN);
    begin_one(0, CSUM3); /* only a revoke block */
    revoked = b.at[1];
    gen_revoke(&b.g, &revoked, 1);
    expect(ONE TORN);
    begin_one(0, CSUM3); /* another one's commit block */
    change(0, 5, 'b', false);
    gen_commit(&b.g);
    gen_block(&b.g, b.g.commit)[11] ^= 1;
    expect(ONE TORN);
    begin_one(0, CSUM3); /* nothing but a block of another kind */
    change(0, 5, 'b', false);
    gen_block(&b.g, b.g.descriptor)[7] = 9;
    gen_commit(&b.g);
    expect(ONE "\n");
    begin(0, CSUM3);
    change(0, 3, 'a', false);
    expect(NONE TORN);
    begin(0, CSUM3);
    expect(NONE "\n");
    /* The log of a journal that was closed is empty, whatever lies in it. */
    begin_one(0, CSUM3);
    b.g.start = 0;
    memcpy(b.want, b.image + b.at[0] * 1024, 3072);
    gen_super(&b.g);
    expect("mem: ext4: journal replayed: it is empty\n");
}

static void obeys_revoke_records(void)
{
    uint64_t at[3];
    uint8_t old[1024];

    /* In their own transaction, before and behind the blocks; blocks that come later count. */
    begin(0, CSUM3);
    memcpy(at, b.at + 1, sizeof(at));
    change(0, 4, 'a', false);
    memcpy(b.want, b.data, 1024);
    gen_commit(&b.g);
    gen_revoke(&b.g, &at[0], 1);
    change(1, 2, 'b', false);
    gen_revoke(&b.g, &at[1], 1);
    gen_commit(&b.g);
    gen_revoke(&b.g, &at[2], 1); /* and a transaction with nothing else */
    gen_commit(&b.g);
    change(3, 1, 'c', true);
    gen_commit(&b.g);
    expect("mem: ext4: journal replayed: 4 transactions from 77, 7 blocks, 3 revoked\n");
    /* A torn transaction's do not. */
    begin_one(0, CSUM3);
    memcpy(at, b.at, sizeof(at));
    gen_revoke(&b.g, at, 3);
    expect(ONE TORN);
    /* A block that was copied, for its magic number, is revoked as well. */
    begin(0, GEN_REVOKE);
    memcpy(old, b.want, sizeof(old));
    memcpy(b.data, "\xc0\x3b\x39\x98", 4);
    gen_blocks(&b.g, b.at, b.data, 1);
    gen_commit(&b.g);
    gen_revoke(&b.g, b.at, 1);
    gen_commit(&b.g);
    CHECK(memcmp(old, b.want, sizeof(old)) == 0);
    expect("mem: ext4: journal replayed: 2 transactions from 77, 1 block, 1 revoked\n");
    begin_one(0, GEN_REVOKE);
    gen_revoke(&b.g, b.at, 1);
    gen_block(&b.g, b.g.revoke)[14] = 0xff; /* more bytes than the block has */
    gen_commit(&b.g);
    expect_error(ERR_FS_DAMAGED, "a revoke block");
}

/* Where a checksum is wrong: in which block, and the age of the commit block behind it. */
static void wrong_checksums(void)
{
    static const uint32_t csum3[] = {CSUM3, GEN_REVOKE | GEN_CSUM2};
    uint64_t revoked;

    for (size_t i = 0; i < ARRAY_LEN(csum3); i++) {
        begin_one(0, csum3[i]); /* the commit block's */
        change(1, 3, 'b', false);
        gen_commit(&b.g);
        gen_block(&b.g, b.g.commit)[50] ^= 1;
        expect_error(ERR_FS_DAMAGED, "transaction 78 of the journal has a wrong checksum");
        begin_one(0, csum3[i]); /* an old one, that looks like the next */
        change(1, 3, 'b', false);
        b.g.seconds = 500;
        gen_commit(&b.g);
        gen_block(&b.g, b.g.commit)[20] ^= 1;
        expect(ONE "\n");
        begin_one(0, csum3[i]); /* the descriptor's */
        change(1, 3, 'b', false);
        gen_commit(&b.g);
        gen_block(&b.g, b.g.descriptor)[900] ^= 1;
        expect_error(ERR_FS_DAMAGED, "transaction 78 of the journal has a wrong checksum");
        begin_one(0, csum3[i]);
        change(1, 3, 'b', false);
        b.g.seconds = 999;
        gen_commit(&b.g);
        gen_block(&b.g, b.g.descriptor)[900] ^= 1;
        expect(ONE "\n");
        begin_one(0, csum3[i]); /* without a commit block it is torn */
        change(1, 3, 'b', false);
        gen_block(&b.g, b.g.descriptor)[900] ^= 1;
        expect(ONE TORN);
        begin_one(0, csum3[i]); /* a revoke block's */
        revoked = b.at[0];
        gen_revoke(&b.g, &revoked, 1);
        gen_commit(&b.g);
        gen_block(&b.g, b.g.revoke)[900] ^= 1;
        expect_error(ERR_FS_DAMAGED, "transaction 78 of the journal has a wrong checksum");
        begin_one(0, csum3[i]); /* a block's */
        change(1, 3, 'b', true);
        gen_commit(&b.g);
        gen_block(&b.g, b.g.descriptor + 2)[77] ^= 1;
        expect_error(ERR_FS_DAMAGED, "(transaction 78) has a wrong checksum");
        begin_one(0, csum3[i]); /* that is revoked later: nobody misses it */
        change(5, 3, 'b', false);
        gen_commit(&b.g);
        memcpy(b.want + 5 * 1024, b.data, 1024);
        gen_block(&b.g, b.g.descriptor + 2)[77] ^= 1;
        gen_revoke(&b.g, b.at + 6, 2);
        gen_commit(&b.g);
        mount();
        CHECK_OK(b.err);
        end();
    }
}

static void commit_blocks_in_part(void)
{
    begin(0, CSUM3);
    change(0, 3, 'a', true);
    gen_commit(&b.g);
    memset(gen_block(&b.g, b.g.commit) + 512, 0x77, 512); /* what lay there before */
    expect(ONE "\n");
    begin(0, CSUM3);
    change(0, 3, 'a', false);
    gen_commit(&b.g);
    memset(gen_block(&b.g, b.g.commit) + 48, 0x77, 512);
    expect_error(ERR_FS_DAMAGED, "transaction 77");
}

static void checksums_of_the_first_kind(void)
{
    begin_one(GEN_CHECKSUM, GEN_REVOKE); /* a block's */
    change(1, 3, 'b', false);
    gen_commit(&b.g);
    gen_block(&b.g, b.g.descriptor + 2)[77] ^= 1;
    expect_error(ERR_FS_DAMAGED, "transaction 78 of the journal has a wrong checksum");
    begin_one(GEN_CHECKSUM, GEN_REVOKE); /* an old one */
    change(1, 3, 'b', false);
    b.g.seconds = 3;
    gen_commit(&b.g);
    gen_block(&b.g, b.g.descriptor + 2)[77] ^= 1;
    expect(ONE "\n");
    begin(GEN_CHECKSUM, GEN_REVOKE); /* none was written */
    change(0, 3, 'a', true);
    gen_commit(&b.g);
    memset(gen_block(&b.g, b.g.commit) + 12, 0, 8);
    expect(ONE "\n");
    /* Asynchronous: the last one was torn, one in the middle is damaged. */
    begin_one(GEN_CHECKSUM, GEN_REVOKE | GEN_ASYNC);
    change(1, 3, 'b', false);
    gen_commit(&b.g);
    gen_block(&b.g, b.g.descriptor + 2)[77] ^= 1;
    expect(ONE WRONG);
    begin_one(GEN_CHECKSUM, GEN_REVOKE | GEN_ASYNC);
    change(1, 3, 'b', false);
    gen_commit(&b.g);
    gen_block(&b.g, b.g.descriptor + 2)[77] ^= 1;
    change(4, 3, 'c', false);
    gen_commit(&b.g);
    expect_error(ERR_FS_DAMAGED, "transaction 78 of the journal has a wrong checksum");
}

static void asynchronous_commits(void)
{
    begin_one(0, CSUM3 | GEN_ASYNC);
    change(1, 3, 'b', false);
    gen_commit(&b.g);
    gen_block(&b.g, b.g.commit)[50] ^= 1;
    expect(ONE WRONG);
    begin_one(0, CSUM3 | GEN_ASYNC); /* what follows goes with it */
    change(1, 3, 'b', false);
    gen_commit(&b.g);
    gen_block(&b.g, b.g.commit)[50] ^= 1;
    change(4, 3, 'c', false);
    gen_commit(&b.g);
    expect(ONE WRONG);
    begin_one(0, CSUM3 | GEN_ASYNC); /* the last of several ends it, as Linux has it */
    change(1, 3, 'b', true);
    gen_commit(&b.g);
    gen_block(&b.g, b.g.commit)[50] ^= 1;
    change(4, 3, 'c', false);
    gen_commit(&b.g);
    gen_block(&b.g, b.g.commit)[50] ^= 1;
    change(7, 3, 'd', false);
    gen_commit(&b.g);
    expect("mem: ext4: journal replayed: 2 transactions from 77, 6 blocks" WRONG);
}

/* One byte of the journal's superblock, with its checksum made right. */
static void expect_super(size_t at, uint8_t byte, enum err_code code, const char *part)
{
    uint8_t *sb;

    begin_one(0, CSUM3);
    sb = gen_block(&b.g, 0);
    sb[at] = byte;
    memset(sb + 0xfc, 0, 4);
    uint32_t crc = gen_crc32c(UINT32_MAX, sb, 1024);

    for (int i = 0; i < 4; i++)
        sb[0xfc + i] = (uint8_t)(crc >> (24 - 8 * i));
    expect_error(code, part);
}

static void superblocks(void)
{
    begin_one(0, CSUM3);
    gen_block(&b.g, 0)[0x31] ^= 1;
    expect_error(ERR_FS_DAMAGED, "the journal's superblock has checksum");
    expect_super(0, 0, ERR_FS_DAMAGED, "does not begin with its superblock");
    expect_super(7, 2, ERR_FS_DAMAGED, "does not begin with its superblock");
    expect_super(14, 8, ERR_FS_DAMAGED, "the journal has blocks of 2048 bytes");
    expect_super(16, 1, ERR_FS_DAMAGED, "the journal has 16778240 blocks, its file 1024");
    expect_super(22, 4, ERR_FS_DAMAGED, "the log begins at block 1025");
    expect_super(23, 0, ERR_FS_DAMAGED, "the log begins at block 0");
    expect_super(30, 4, ERR_FS_DAMAGED, "the first transaction begins at block 1025");
    expect_super(0x2a, 4, ERR_REFUSED, "unknown features 0x400 of the journal");
    expect_super(0x2f, 1, ERR_REFUSED, "unknown features 0x1 of the journal");
    expect_super(0x2b, GEN_CSUM2 | GEN_CSUM3, ERR_FS_DAMAGED, "checksums of two kinds");
    expect_super(0x27, GEN_CHECKSUM, ERR_FS_DAMAGED, "checksums of two kinds");
    expect_super(0x50, 1, ERR_REFUSED, "checksums of type 1");
    /* Version 1 has no features, whatever the bytes say. */
    begin(0, 0);
    b.g.version1 = true;
    gen_super(&b.g);
    gen_block(&b.g, 0)[0x2a] = 0xff;
    change(0, 3, 'a', true);
    gen_commit(&b.g);
    expect(ONE "\n");
    begin_one(0, GEN_REVOKE);
    gen_block(&b.g, 0)[0x23] = 5;
    expect("mem: ext4: an error was recorded in the journal; run e2fsck\n" ONE "\n");
}

static void finds_the_journal(void)
{
    uint8_t *sb;
    size_t inode;

    begin_one(0, CSUM3); /* on another device */
    sb = b.image + 1024;
    memset(sb + 0xe0, 0, 4);
    for (uint8_t i = 0; i < 16; i++)
        sb[0xd0 + i] = (uint8_t)(i * 0x11);
    gen_ext_super(b.image);
    expect_error(ERR_REFUSED, "(UUID 00112233-4455-6677-8899-aabbccddeeff)");
    begin_one(0, CSUM3); /* its inode is damaged; the superblock has a copy */
    inode = (size_t)le32(b.image + 2048 + 8) * 1024 + 7 * 256;
    b.image[inode + 0x28 + 20] ^= 1;
    expect("mem: ext4: the journal's inode is damaged; its copy in the superblock is used\n" ONE
           "\n");
    begin_one(0, CSUM3); /* and has none */
    b.image[inode + 0x28 + 20] ^= 1;
    b.image[1024 + 0xfd] = 0;
    gen_ext_super(b.image);
    expect_error(ERR_FS_DAMAGED, "inode checksum");
    begin_one(0, CSUM3);
    b.image[1024 + 0x5c] &= (uint8_t)~4; /* there is none */
    gen_ext_super(b.image);
    memcpy(b.want, b.image + b.at[0] * 1024, 3072);
    expect("mem: ext4: a journal is to be replayed, but there is none\n");
}

/* The superblock of the file system is a block like others. */
static void superblock_in_the_journal(void)
{
    uint64_t at = 1;

    begin(0, CSUM3);
    memcpy(b.data, b.image, 2048);
    memcpy(b.data + 1024 + 0x78, "new", 4);
    b.data[1024 + 0x3a] |= 2; /* has errors */
    gen_ext_super(b.data);
    gen_blocks(&b.g, &at, b.data + 1024, 1);
    gen_commit(&b.g);
    mount();
    CHECK_OK(b.err);
    CHECK_STR(b.fs.label, "new");
    CHECK_STR(b.fs.describe, "ext4, journal replayed");
    CHECK_STR(b.said, "mem: ext4: journal replayed: 1 transaction from 77, 1 block\n"
                      "mem: ext4 is marked as having errors; run e2fsck on it\n");
    end();
}

static void limits(void)
{
    uint64_t far = (uint64_t)1 << 40;

    /* A journal larger than its file system: its file would show blocks twice. */
    begin_at("-t ext4 -b 1024 -O ^metadata_csum,^64bit -J size=1", 0, GEN_REVOKE, 1, 77);
    b.image[(size_t)le32(b.image + 2048 + 8) * 1024 + 7 * 256 + 0x6c] = 1; /* size, high */
    gen_block(&b.g, 0)[17] = 1;
    expect_error(ERR_FS_DAMAGED, "the journal has 66560 blocks, the file system 24576");

    begin(0, CSUM3);
    gen_blocks(&b.g, &far, b.data, 1);
    gen_commit(&b.g);
    expect_error(ERR_OUTSIDE_PART, "block 1099511627776");
    /* Where a disk fails that is read ahead only, no harm is done; in the log, it is. */
    for (uint32_t n = 2; n < 10; n += 7) {
        begin_one(0, CSUM3);
        mem_disk_init(&b.disk, b.image, b.len, 512);
        b.disk.fail_off_bytes = (uint64_t)b.g.where[n] * 1024;
        CHECK_U64(fs_mount(&b.fs, &b.disk.disk, &b.arena, NULL).code, n == 2 ? ERR_READ : ERR_NONE);
        end();
    }
}

int main(void)
{
    RUN(replays_every_format);
    RUN(wraps_around);
    RUN(drops_what_is_torn);
    RUN(obeys_revoke_records);
    RUN(wrong_checksums);
    RUN(commit_blocks_in_part);
    RUN(checksums_of_the_first_kind);
    RUN(asynchronous_commits);
    RUN(superblocks);
    RUN(finds_the_journal);
    RUN(superblock_in_the_journal);
    RUN(limits);
    return test_done();
}

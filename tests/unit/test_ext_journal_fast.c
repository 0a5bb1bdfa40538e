/* SPDX-License-Identifier: MIT */
/* Fast commits of ext4: what they say about inodes, blocks and names, and where they end. */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/ext_edits.h"
#include "core/fs/fs.h"
#include "core/fs/jbd2_disk.h"
#include "tests/unit/jbd2gen.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define CSUM3     (GEN_REVOKE | GEN_CSUM3 | GEN_64BIT | GEN_FAST)
#define BIG       ((size_t)40 * 1024)
#define REPLAYED  "mem: ext4: journal replayed: 0 transactions, 0 blocks"
#define FREE_INO  60u    /* in the image: 96 inodes, some of them used */
#define NEW_BLOCK 20000u /* nobody's */

struct bench {
    struct jbd2gen g;
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    uint8_t *image;
    size_t len;
    uint32_t dir, a, b, big; /* inodes */
    uint8_t raw[256];
    char said[600];
    struct err err;
};

static struct bench b;
static uint8_t content[BIG];

static void hear(void *ctx, const char *text)
{
    struct bench *to = ctx;

    snprintf(to->said + strlen(to->said), sizeof(to->said) - strlen(to->said), "%s\n", text);
}

static uint32_t ino_of(const char *path)
{
    struct node n = {0};

    CHECK_OK(fs_walk(&b.fs, &b.arena, path, &n, NULL));
    return (uint32_t)n.ino;
}

static uint8_t *inode_at(uint32_t ino)
{
    return b.image + (size_t)le32(b.image + 2048 + 8) * 1024 + (size_t)(ino - 1) * 256;
}

static void begin(const char *more)
{
    char options[200];

    for (size_t i = 0; i < BIG; i++)
        content[i] = (uint8_t)(i * 7 + i / 1021);
    put_file("tree/big", content, BIG);
    put_file("tree/dir/a", "aa", 2);
    put_file("tree/dir/b", "bbb", 3);
    snprintf(options, sizeof(options), "-t ext4 -b 1024 -J size=1 -N 96 -O fast_commit%s", more);
    b.image = make_ext(options, "tree", "24M", &b.len);
    mem_disk_init(&b.disk, b.image, b.len, 512);
    arena_init(&b.arena, &test_memory);
    CHECK_OK(fs_mount(&b.fs, &b.disk.disk, &b.arena, NULL));
    b.dir = ino_of("/dir");
    b.a = ino_of("/dir/a");
    b.b = ino_of("/dir/b");
    b.big = ino_of("/big");
    arena_reset(&b.arena);
    gen_open(&b.g, b.image, b.len, 0, *more != '\0' ? GEN_REVOKE | GEN_FAST : CSUM3, 1, 77);
    gen_fast_head(&b.g, 0);
    memcpy(b.raw, inode_at(b.big), sizeof(b.raw));
}

static void mount(void)
{
    static struct log log;

    log = (struct log){.ctx = &b, .line = hear};
    b.said[0] = '\0';
    mem_disk_init(&b.disk, b.image, b.len, 512);
    b.err = fs_mount(&b.fs, &b.disk.disk, &b.arena, &log);
}

static void end(void)
{
    arena_reset(&b.arena);
    gen_close(&b.g);
    free(b.image);
}

static void check_file(const char *path, const void *want, size_t len)
{
    static uint8_t got[BIG * 2];
    struct file f;
    struct err e = file_open(&f, &b.fs, &b.arena, path, NULL);

    CHECK_OK(e);
    if (failed(e))
        return;
    CHECK_U64(f.node.size_bytes, len);
    CHECK_OK(file_read(&f, 0, got, min_u64(len, f.node.size_bytes)));
    CHECK(memcmp(got, want, len) == 0);
}

static void check_gone(const char *path)
{
    struct node n;

    CHECK_ERR(fs_walk(&b.fs, &b.arena, path, &n, NULL), ERR_FILE_NOT_FOUND);
}

static bool add_name(void *ctx, const char *name, size_t len, uint64_t ino)
{
    snprintf((char *)ctx + strlen(ctx), 300 - strlen(ctx), "%.*s=%u ", (int)len, name,
             (unsigned)ino);
    return true;
}

static void check_dir(const char *path, const char *want)
{
    char names[300] = "";
    struct node n;

    CHECK_OK(fs_walk(&b.fs, &b.arena, path, &n, NULL));
    CHECK_OK(b.fs.ops->readdir(&b.fs, &n, add_name, names));
    CHECK_STR(names, want);
}

static void set_size(uint32_t size)
{
    for (int i = 0; i < 4; i++)
        b.raw[4 + i] = (uint8_t)(size >> 8 * i);
}

static void inodes_and_ranges(void)
{
    static const char *const kinds[] = {"", ",^metadata_csum,^64bit"};

    for (size_t i = 0; i < ARRAY_LEN(kinds); i++) {
        begin(kinds[i]);
        memset(b.image + NEW_BLOCK * 1024, 'n', 4096);
        gen_fast_range(&b.g, b.big, 3, 4, NEW_BLOCK);         /* other blocks */
        gen_fast_range(&b.g, b.big, 4, 32768 + 1, NEW_BLOCK); /* one of them not written yet */
        gen_fast_hole(&b.g, b.big, 10, 5);                    /* none */
        gen_fast_range(&b.g, b.big, 12, 1, NEW_BLOCK);        /* but one again */
        gen_fast_range(&b.g, b.big, 40, 2, NEW_BLOCK + 1);    /* behind the old end */
        set_size(42 * 1024 - 7);
        b.raw[0] = 0x80; /* mode 0600 */
        gen_fast_inode(&b.g, b.big, b.raw, 160);
        gen_fast_tail(&b.g);
        mount();
        CHECK_OK(b.err);
        CHECK_STR(b.said, REPLAYED ", 1 fast commit\n");
        uint8_t want[42 * 1024];

        memcpy(want, content, BIG);
        memset(want + 3 * 1024, 'n', 4096);
        memset(want + 4 * 1024, 0, 1024);
        memset(want + 10 * 1024, 0, 5 * 1024);
        memset(want + 12 * 1024, 'n', 1024);
        memset(want + 40 * 1024, 'n', 2048);
        check_file("/big", want, sizeof(want) - 7);
        struct node n;

        CHECK_OK(fs_walk(&b.fs, &b.arena, "/big", &n, NULL));
        CHECK_U64(n.mode, 0100600);
        check_file("/dir/a", "aa", 2);
        end();
    }
}

static void names(void)
{
    char want[200];

    begin("");
    gen_fast_name(&b.g, EXT_FC_UNLINK, b.dir, b.a, "a");
    gen_fast_name(&b.g, EXT_FC_LINK, b.dir, b.b, "c");
    gen_fast_name(&b.g, EXT_FC_LINK, 2, b.b, "b at the top");
    gen_fast_name(&b.g, EXT_FC_UNLINK, b.dir, b.b, "b");
    gen_fast_name(&b.g, EXT_FC_LINK, b.dir, b.big, "c");   /* there is one */
    gen_fast_name(&b.g, EXT_FC_UNLINK, b.dir, b.big, "c"); /* but another's */
    gen_fast_name(&b.g, EXT_FC_LINK, b.dir, 90, "nobody"); /* no such inode */
    gen_fast_name(&b.g, EXT_FC_CREAT, 2, 90, "nobody");
    gen_fast_name(&b.g, EXT_FC_LINK, b.big, b.b, "x"); /* no directory */
    gen_fast_tail(&b.g);
    mount();
    CHECK_OK(b.err);
    check_gone("/dir/a");
    check_gone("/dir/b");
    check_gone("/dir/nobody");
    check_file("/dir/c", "bbb", 3);
    check_file("/b at the top", "bbb", 3);
    snprintf(want, sizeof(want), ".=%u ..=2 c=%u ", b.dir, b.b);
    check_dir("/dir", want);
    end();
}

/* A directory and a file in it, both new; a name that changes hands; a file whose inode is used
 * again. */
static void new_files(void)
{
    uint8_t raw[256];
    char want[200];

    begin("");
    memset(b.image + NEW_BLOCK * 1024, 'n', 1024);
    memcpy(raw, inode_at(b.dir), sizeof(raw));
    gen_fast_inode(&b.g, FREE_INO, raw, 160);
    gen_fast_name(&b.g, EXT_FC_CREAT, 2, FREE_INO, "sub");
    set_size(5);
    gen_fast_inode(&b.g, FREE_INO + 1, b.raw, 160);
    gen_fast_range(&b.g, FREE_INO + 1, 0, 1, NEW_BLOCK);
    gen_fast_name(&b.g, EXT_FC_CREAT, FREE_INO, FREE_INO + 1, "file");
    gen_fast_name(&b.g, EXT_FC_UNLINK, b.dir, b.a, "a");
    gen_fast_name(&b.g, EXT_FC_LINK, b.dir, FREE_INO + 1, "a");
    gen_fast_tail(&b.g);
    gen_fast_name(&b.g, EXT_FC_UNLINK, 2, b.big, "big");
    gen_fast_inode(&b.g, b.big, b.raw, 160); /* the same number, nothing of the old file */
    gen_fast_name(&b.g, EXT_FC_CREAT, 2, b.big, "small");
    gen_fast_tail(&b.g);
    mount();
    CHECK_OK(b.err);
    CHECK_STR(b.said, REPLAYED ", 2 fast commits\n");
    check_file("/sub/file", "nnnnn", 5);
    check_file("/dir/a", "nnnnn", 5);
    check_file("/small", "\0\0\0\0\0", 5);
    check_gone("/big");
    check_gone("/sub/none");
    snprintf(want, sizeof(want), ".=%u ..=2 file=%u ", FREE_INO, FREE_INO + 1);
    check_dir("/sub", want);
    check_file("/sub/../dir/b", "bbb", 3);
    end();
}

#define LINK(name) gen_fast_name(&b.g, EXT_FC_LINK, 2, b.b, name)

static void ends_where_they_end(void)
{
    uint8_t *area;

    begin(""); /* the second is torn */
    LINK("one");
    gen_fast_tail(&b.g);
    LINK("two");
    b.g.fast_crc ^= 1;
    gen_fast_tail(&b.g);
    mount();
    CHECK_STR(b.said, REPLAYED ", 1 fast commit; its last fast commit is torn and is dropped\n");
    check_file("/one", "bbb", 3);
    check_gone("/two");
    end();
    begin(""); /* an older transaction's lies behind */
    LINK("one");
    gen_fast_tail(&b.g);
    b.g.sequence--;
    LINK("two");
    gen_fast_tail(&b.g);
    mount();
    CHECK_STR(b.said, REPLAYED ", 1 fast commit\n");
    check_gone("/two");
    end();
    begin(""); /* all are of an older transaction */
    LINK("one");
    gen_fast_tail(&b.g);
    gen_commit(&b.g);
    mount();
    CHECK_STR(b.said, "mem: ext4: journal replayed: 1 transaction from 77, 0 blocks\n");
    check_gone("/one");
    end();
    begin(""); /* the first is torn */
    LINK("one");
    mount();
    CHECK_STR(b.said, REPLAYED "; a torn fast commit is dropped; Linux will want e2fsck\n");
    check_gone("/one");
    end();
    begin(""); /* it does not begin with a head */
    LINK("one");
    gen_fast_tail(&b.g);
    area = gen_block(&b.g, b.g.nr_blocks - b.g.nr_fast + 1);
    area[0] = EXT_FC_PAD;
    mount();
    CHECK_STR(b.said, REPLAYED "\n");
    end();
    begin(""); /* features */
    b.g.fast_at = 0;
    gen_fast_head(&b.g, 4);
    gen_fast_tail(&b.g);
    mount();
    CHECK_U64(b.err.code, ERR_REFUSED);
    CHECK_U64(b.err.a, 4);
    end();
}

/* Tags of hundreds of blocks, up to the area's end. */
static void fills_the_area(void)
{
    char name[32];
    uint32_t nr = 0;

    begin("");
    uint32_t end_at = (b.g.nr_fast - 1) * 1024;

    while (b.g.fast_at < end_at - 2048) {
        snprintf(name, sizeof(name), "name-%u", nr++);
        LINK(name);
    }
    while (b.g.fast_at <= end_at - 1024)
        LINK("last");
    gen_fast_tail(&b.g);
    CHECK_U64(b.g.fast_at, end_at);
    mount();
    CHECK_OK(b.err);
    CHECK_STR(b.said, REPLAYED ", 1 fast commit\n");
    check_file("/name-0", "bbb", 3);
    snprintf(name, sizeof(name), "/name-%u", nr - 1);
    check_file(name, "bbb", 3);
    check_file("/last", "bbb", 3);
    end();
}

static void expect_damage(const char *part)
{
    char text[400];

    gen_fast_tail(&b.g);
    mount();
    err_format(b.err, NULL, text, sizeof(text));
    CHECK_U64(b.err.code, ERR_FS_DAMAGED);
    if (strstr(text, part) == NULL)
        CHECK_STR(text, part);
    end();
}

static void damage(void)
{
    struct file f;
    uint8_t buf[4096];

    begin("");
    gen_fast_inode(&b.g, 97, b.raw, 160);
    expect_damage("a fast commit of inode 97 of 96");
    begin("");
    LINK("a/b");
    expect_damage("a fast commit names inode");
    begin("");
    LINK("..");
    expect_damage("a fast commit names inode");
    begin(""); /* blocks that no file can have: only this one suffers */
    gen_fast_range(&b.g, b.big, 0, 4, (uint64_t)1 << 40);
    gen_fast_tail(&b.g);
    mount();
    CHECK_OK(b.err);
    CHECK_OK(file_open(&f, &b.fs, &b.arena, "/big", NULL));
    CHECK_ERR(file_read(&f, 0, buf, 4096), ERR_FS_DAMAGED);
    CHECK_OK(file_read(&f, 4096, buf, 4096));
    CHECK(memcmp(buf, content + 4096, 4096) == 0);
    end();
}

/* Ranges over ranges, at random, against an array. */
static void ranges_over_ranges(void)
{
    static uint64_t model[200]; /* 0: nothing is said; 1: a hole; else the disk's block */
    struct ext_edits *e;
    struct ext_range r;
    struct arena a;

    srand(3);
    arena_init(&a, &test_memory);
    CHECK_OK(ext_edits_new(&e, &a));
    for (int round = 0; round < 3000; round++) {
        uint64_t from = (uint64_t)rand() % 190, nr = 1 + (uint64_t)rand() % 10;
        bool hole = rand() % 3 == 0;
        uint64_t start = 1000 + (uint64_t)rand() % 100000;

        if (round % 500 == 0) {
            ext_edits_forget(e, 7);
            memset(model, 0, sizeof(model));
        }
        r = (struct ext_range){.block = from, .nr = nr, .start = start, .hole = hole};
        CHECK_OK(ext_edits_range(e, 7, r));
        for (uint64_t i = 0; i < nr; i++)
            model[from + i] = hole ? 1 : start + i;
        for (uint64_t i = 0; i < 200; i++) {
            bool said = ext_edits_map(e, 7, i, &r);

            CHECK(said == (model[i] != 0));
            CHECK(i >= r.block && i - r.block < r.nr);
            if (said)
                CHECK_U64(r.hole ? 1 : r.start + (i - r.block), model[i]);
        }
    }
    for (uint64_t i = 0; i < EXT_EDITS_RANGES_MAX; i++)
        CHECK_OK(ext_edits_range(e, 8, (struct ext_range){.block = 2 * i, .nr = 1}));
    CHECK_ERR(ext_edits_range(e, 8, (struct ext_range){.block = 1u << 20, .nr = 1}), ERR_LIMIT);
    arena_reset(&a);
}

/* A long list that each tag moves: all of a replay may move so many ranges. */
static void work_on_ranges_ends(void)
{
    const uint64_t nr_calls = ((uint64_t)1 << 28) / (2 * 16383); /* each moves them twice */
    struct ext_edits *e;
    struct arena a;
    uint64_t nr = 0;

    arena_init(&a, &test_memory);
    CHECK_OK(ext_edits_new(&e, &a));
    for (uint64_t i = 0; i < EXT_EDITS_RANGES_MAX; i++)
        CHECK_OK(ext_edits_range(e, 8, (struct ext_range){.block = 2 * i, .nr = 1}));
    while (nr < 2 * nr_calls && !failed(ext_edits_range(e, 8, (struct ext_range){.nr = 1})))
        nr++;
    CHECK_U64(nr, nr_calls);
    arena_reset(&a);
}

/* Numbers that all fall on one place of the table of inodes end at its cap. */
static void chosen_inodes_end(void)
{
    const uint32_t inverse = 340573321u; /* of the hash's factor, modulo 2^32 */
    struct ext_range r = {.block = 1, .nr = 1};
    struct ext_edits *e;
    struct arena a;
    uint32_t nr = 0;

    arena_init(&a, &test_memory);
    CHECK_OK(ext_edits_new(&e, &a));
    while (nr < 5000 && !failed(ext_edits_range(e, (nr + 1) * inverse, r)))
        nr++;
    CHECK_U64(nr, 1024);
    CHECK_ERR(ext_edits_range(e, (nr + 1) * inverse, r), ERR_LIMIT);
    CHECK(ext_edits_map(e, nr * inverse, 1, &r));
    CHECK_OK(ext_edits_range(e, inverse << 20, r)); /* the next place */
    arena_reset(&a);
}

int main(void)
{
    RUN(inodes_and_ranges);
    RUN(names);
    RUN(new_files);
    RUN(ends_where_they_end);
    RUN(fills_the_area);
    RUN(damage);
    RUN(ranges_over_ranges);
    RUN(work_on_ranges_ends);
    RUN(chosen_inodes_end);
    return test_done();
}

/* SPDX-License-Identifier: MIT */
/*
 * Directories of ext3/4 searched through their hash tree. The trees are e2fsck's.
 */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/ext.h"
#include "tests/unit/extdir.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define NAMES_MAX 200000u
#define READS_MAX 10 /* superblock, descriptor and inodes of both directories, their blocks */

struct opened {
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    struct node dir;
    char said[600];
};

static void hear(void *ctx, const char *text)
{
    struct opened *o = ctx;

    snprintf(o->said + strlen(o->said), sizeof(o->said) - strlen(o->said), "%s\n", text);
}

static void open_dir(struct opened *o, uint8_t *data, size_t len)
{
    static struct log log;

    *o = (struct opened){.said = ""};
    log = (struct log){.ctx = o, .line = hear};
    arena_init(&o->arena, &test_memory);
    mem_disk_init(&o->disk, data, len, 512);
    CHECK_OK(fs_mount(&o->fs, &o->disk.disk, &o->arena, &log));
    CHECK_OK(fs_walk(&o->fs, &o->arena, "/big", &o->dir, NULL));
}

/* Some names have bytes above 127, which signed and unsigned hashes take differently. */
static size_t name_of(char *name, unsigned i)
{
    return (size_t)sprintf(name, i % 5 == 0 ? "caf\xc3\xa9-%06u" : "a-name-%06u", i);
}

static uint8_t *make_indexed(const char *options, const char *alg, int sign, unsigned nr,
                             size_t block_bytes, size_t *len)
{
    return make_ext_dir(options, alg, sign, "", name_of, nr, block_bytes, "40M", len);
}

#define PLAIN "-t ext4 -b 1024 -O ^metadata_csum,^has_journal"

static void expect_names(struct opened *o, unsigned nr, unsigned step)
{
    char name[64];
    uint64_t ino;

    for (unsigned i = 0; i < nr; i += step) {
        size_t len = name_of(name, i);

        ino = 0;
        CHECK_OK(o->fs.ops->lookup(&o->fs, &o->dir, name, len, &ino));
        CHECK_U64(ino, EXT_DIR_INODE);
    }
}

static void a_large_directory_is_not_read_whole(void)
{
    size_t len;
    uint8_t *data = make_indexed("-t ext4 -b 4096 -O metadata_csum,^has_journal", "half_md4", 1,
                                 NAMES_MAX, 4096, &len);
    char path[80] = "/big/";

    for (unsigned i = 0; i < NAMES_MAX; i += 9999) {
        struct opened o;
        struct node n;

        open_dir(&o, data, len);
        CHECK(o.dir.size_bytes > 4000000);
        uint32_t before = o.disk.nr_reads;

        name_of(path + 5, i);
        CHECK_OK(fs_walk(&o.fs, &o.arena, path, &n, NULL));
        CHECK_U64(n.ino, EXT_DIR_INODE);
        CHECK(o.disk.nr_reads - before <= READS_MAX); /* of 4 KiB */
        before = o.disk.nr_reads;
        CHECK_ERR(o.fs.ops->lookup(&o.fs, &o.dir, "absent", 6, &(uint64_t){0}), ERR_FILE_NOT_FOUND);
        CHECK(o.disk.nr_reads - before <= 3);
        CHECK_STR(o.said, "");
        arena_reset(&o.arena);
    }
    free(data);
}

static size_t long_name_of(char *name, unsigned i)
{
    memset(name, 'n', 244);
    return 244 + (size_t)sprintf(name + 244, "-%06u", i);
}

/* With large_dir there may be a level more between the root and the leaves. */
static void a_third_level_is_searched(void)
{
    enum { NAMES = 50000 };
    size_t len;
    uint8_t *data = make_ext_dir("-t ext4 -b 1024 -O large_dir,metadata_csum,^has_journal",
                                 "half_md4", 2, "", long_name_of, NAMES, 1024, "60M", &len);
    struct opened o;
    char name[256];

    open_dir(&o, data, len);
    struct ext_node *en = o.dir.priv;
    struct run run;

    CHECK((en->flags & EXT_INODE_INDEX) != 0);
    CHECK_OK(o.fs.ops->map(&o.fs, &o.dir, 0, &run));
    CHECK_U64(data[run.disk_off_bytes + 30], 2); /* levels below the root's */
    for (unsigned i = 0; i < NAMES; i += 997) {
        uint32_t before = o.disk.nr_reads;
        uint64_t ino = 0;

        CHECK_OK(o.fs.ops->lookup(&o.fs, &o.dir, name, long_name_of(name, i), &ino));
        CHECK_U64(ino, EXT_DIR_INODE);
        CHECK(o.disk.nr_reads - before <= 12); /* four blocks, and the directory's own tree */
    }
    CHECK_ERR(o.fs.ops->lookup(&o.fs, &o.dir, "absent", 6, &(uint64_t){0}), ERR_FILE_NOT_FOUND);
    CHECK_STR(o.said, "");
    arena_reset(&o.arena);
    free(data);
}

static void every_hash_finds_every_name(void)
{
    static const char *const algs[] = {"legacy", "half_md4", "tea"};

    for (size_t i = 0; i < 2 * ARRAY_LEN(algs); i++) {
        struct opened o;
        size_t len;
        int before = test_bad_checks_;
        uint8_t *data = make_indexed(PLAIN, algs[i / 2], 1 + (int)(i % 2), 6000, 1024, &len);

        open_dir(&o, data, len);
        expect_names(&o, 6000, 1);
        CHECK_OK(o.fs.ops->lookup(&o.fs, &o.dir, "..", 2, &(uint64_t){0}));
        CHECK_ERR(o.fs.ops->lookup(&o.fs, &o.dir, "absent", 6, &(uint64_t){0}), ERR_FILE_NOT_FOUND);
        CHECK_STR(o.said, "");
        arena_reset(&o.arena);
        free(data);
        if (test_bad_checks_ != before)
            printf("  with hash %s, flags %zu\n", algs[i / 2], 1 + i % 2);
    }
}

/* debugfs hashes a few names as well. */
static void hashes_are_those_of_debugfs(void)
{
    static const char *const names[] = {"a",
                                        "vmlinuz",
                                        "vmlinuz-6.1.0-13-amd64",
                                        "\xe6\xbc\xa2",
                                        "x\xff\x80y",
                                        "0123456789abcdef0123456789abcdef0123456789abcdef-more"};

    for (unsigned i = 0; i < EXT_HASH_NR; i++) {
        for (size_t k = 0; k < ARRAY_LEN(names); k++) {
            struct ext_hash h = {.version = (enum ext_hash_version)i};
            size_t len;

            for (size_t s = 0; s < 4 && k % 2 == 1; s++) /* the seed below, as words */
                h.seed[s] = (uint32_t[]){0x67452301, 0xefcdab89, 0x67452301, 0xefcdab89}[s];
            run("debugfs -R 'dx_hash -h %u %s %s' >hash 2>&1", i,
                k % 2 == 1 ? "-s 01234567-89ab-cdef-0123-456789abcdef" : "", names[k]);
            char *said = (char *)get_file("hash", &len);

            said[len] = '\0';
            const char *at = strstr(said, " is 0x");

            CHECK(at != NULL);
            if (at != NULL)
                CHECK_U64(ext_hash_name(&h, (const uint8_t *)names[k], strlen(names[k])),
                          strtoull(at + 4, NULL, 16));
            free(said);
        }
    }
}

/* Where the directory's block `block` lies in the image. */
static size_t block_at(struct opened *o, uint64_t block, size_t block_bytes)
{
    struct run run;

    CHECK_OK(o->fs.ops->map(&o->fs, &o->dir, block * block_bytes, &run));
    return (size_t)(run.disk_off_bytes + block * block_bytes - run.file_off_bytes);
}

/* With the lowest bit set, an entry says that names of its hash lie before it, too: all leaves are
 * entered through the one before them then, as if names had the same hash. */
static void names_of_one_hash_may_fill_leaves(void)
{
    struct opened o;
    size_t len, nr_odd = 0;
    uint8_t *data = make_indexed(PLAIN, "tea", 1, 6000, 1024, &len);

    open_dir(&o, data, len);
    size_t root = block_at(&o, 0, 1024);

    for (unsigned i = 0; i < le16(data + root + 34); i++) {
        uint8_t *entry = data + root + 32 + (size_t)8 * i;
        size_t node = block_at(&o, le32(entry + 4), 1024);

        if (i > 0)
            entry[0] |= 1;
        for (unsigned k = 1; k < le16(data + node + 10); k++, nr_odd++)
            data[node + 8 + (size_t)8 * k] |= 1;
    }
    CHECK(nr_odd > 100);
    arena_reset(&o.arena);
    open_dir(&o, data, len);
    expect_names(&o, 6000, 1);
    CHECK_STR(o.said, "");
    arena_reset(&o.arena);
    free(data);
}

struct damage {
    unsigned at; /* in the root */
    uint8_t value;
    const char *why;
};

static void damaged_indexes_are_not_used(void)
{
    static const struct damage damages[] = {
        {28, 6, "hash version 6"},
        {28, 77, "hash version 77"},
        {29, 12, "no root of a hash tree"},
        {30, 3, "a hash tree of 4 levels"},
        {31, 1, "flags 1"},
        {32, 9, "entries of"},
        {34, 0, "with 0 entries"},
        {36, 0, "as to a leaf"},    /* the first leaf is the root itself */
        {36, 2, "does not belong"}, /* or another leaf */
        {38, 1, "block 65537 of a directory"},
        {43, 0xff, "out of order"},
    };
    size_t len;
    uint8_t *data = make_indexed("-t ext4 -b 4096 -O ^metadata_csum,^has_journal", "half_md4", 1,
                                 3000, 4096, &len);

    for (size_t i = 0; i < ARRAY_LEN(damages); i++) {
        struct opened o;
        int before = test_bad_checks_;

        open_dir(&o, data, len);
        size_t at = block_at(&o, 0, 4096) + damages[i].at;
        uint8_t was = data[at];

        data[at] = damages[i].value;
        arena_reset(&o.arena);
        open_dir(&o, data, len);
        expect_names(&o, 3000, 1);
        CHECK_ERR(o.fs.ops->lookup(&o.fs, &o.dir, "absent", 6, &(uint64_t){0}), ERR_FILE_NOT_FOUND);
        CHECK(strstr(o.said, damages[i].why) != NULL);
        CHECK(strstr(o.said, "all its blocks are searched") != NULL);
        CHECK(strchr(o.said, '\n') == o.said + strlen(o.said) - 1); /* once */
        if (test_bad_checks_ != before)
            printf("  with byte %u = %u; said: %s\n", damages[i].at, damages[i].value, o.said);
        arena_reset(&o.arena);
        data[at] = was;
    }
    free(data);
}

static void count_line(void *ctx, const char *text)
{
    (void)text;
    ++*(unsigned *)ctx;
}

/* Damaged directories that are used by turns do not fill the log: 16 lines, and one that ends it.
 */
static void damaged_indexes_do_not_fill_the_log(void)
{
    unsigned nr_lines = 0;
    const struct log log = {.ctx = &nr_lines, .line = count_line};
    struct opened o;
    size_t len;
    uint8_t *data = make_indexed(PLAIN, "half_md4", 1, 600, 1024, &len);

    open_dir(&o, data, len);
    data[block_at(&o, 0, 1024) + 28] = 77;
    arena_reset(&o.arena);
    open_dir(&o, data, len);
    o.fs.log = &log;
    for (unsigned i = 0; i < 40; i++) {
        ext_of(&o.fs)->index_damaged = 0; /* as if another one had been reported since */
        CHECK_ERR(o.fs.ops->lookup(&o.fs, &o.dir, "absent", 6, &(uint64_t){0}), ERR_FILE_NOT_FOUND);
    }
    CHECK_U64(nr_lines, 17);
    arena_reset(&o.arena);
    free(data);
}

/* With checksums, a wrong one in the index hides no name; but nothing is said not to be there. */
static void a_wrong_checksum_is_no_not_found(void)
{
    struct opened o;
    size_t len;
    uint8_t *data = make_indexed("-t ext4 -b 1024 -O metadata_csum,^has_journal", "half_md4", 1,
                                 6000, 1024, &len);

    open_dir(&o, data, len);
    data[block_at(&o, 0, 1024) + 40] ^= 4;
    arena_reset(&o.arena);
    open_dir(&o, data, len);
    expect_names(&o, 6000, 1);
    CHECK_ERR(o.fs.ops->lookup(&o.fs, &o.dir, "absent", 6, &(uint64_t){0}), ERR_FS_DAMAGED);
    CHECK(strstr(o.said, "directory block checksum is") != NULL);
    arena_reset(&o.arena);
    free(data);
}

int main(void)
{
    RUN(a_large_directory_is_not_read_whole);
    RUN(a_third_level_is_searched);
    RUN(every_hash_finds_every_name);
    RUN(hashes_are_those_of_debugfs);
    RUN(names_of_one_hash_may_fill_leaves);
    RUN(damaged_indexes_are_not_used);
    RUN(damaged_indexes_do_not_fill_the_log);
    RUN(a_wrong_checksum_is_no_not_found);
    return test_done();
}

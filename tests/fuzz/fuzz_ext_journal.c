/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the replay of ext3's and ext4's journal; see visit.h for what an input is. The images have
 * journals of the generator's in them: whole transactions, a torn one, revoke records, fast
 * commits. Most have no checksums, which would stop nearly every input early.
 */
#include <stdio.h>
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "core/fs/jbd2_disk.h"
#include "tests/fuzz/must.h"
#include "tests/fuzz/visit.h"
#include "tests/unit/jbd2gen.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"

#define REVOKE64 (GEN_REVOKE | GEN_64BIT)
#define USED     24u /* blocks of the log that hold something */

static const struct {
    const char *options;
    uint32_t compat, incompat, start;
} kinds[] = {
    {"-t ext3 -b 1024 -I 128", 0, GEN_REVOKE, 1},
    {"-t ext4 -b 1024 -O ^metadata_csum,fast_commit -I 256", 0, REVOKE64 | GEN_FAST, 1},
    {"-t ext4 -b 1024 -O ^metadata_csum -I 128", GEN_CHECKSUM, REVOKE64 | GEN_ASYNC, 1},
    {"-t ext4 -b 1024 -O ^metadata_csum -I 128", 0, GEN_REVOKE, 1016},
    {"-t ext4 -b 1024 -O metadata_csum,fast_commit", 0, REVOKE64 | GEN_CSUM3 | GEN_FAST, 1},
    {"-t ext4 -b 1024 -O metadata_csum", 0, REVOKE64 | GEN_CSUM2, 1},
};
#define NR_KINDS ARRAY_LEN(kinds)

static struct fuzz_image images[NR_KINDS];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The blocks of metadata go through the journal: the first ones, an inode table, a directory. */
static void write_log(struct jbd2gen *g)
{
    uint64_t blocks[6] = {1, 2, 0, 0, 0, 0};
    uint64_t table = le32(g->image + 2048 + 8);
    static const uint8_t magic[4] = {0xc0, 0x3b, 0x39, 0x98};
    static uint8_t copy[6 * 1024];

    for (uint64_t i = 0; i < 4; i++)
        blocks[2 + i] = table + i;
    for (size_t i = 0; i < 6; i++)
        memcpy(copy + i * 1024, g->image + blocks[i] * 1024, 1024);
    gen_blocks(g, blocks, copy, 6);
    gen_commit(g);
    memcpy(copy, magic, sizeof(magic));
    blocks[0] = table + 40;
    gen_revoke(g, blocks + 3, 2);
    gen_blocks(g, blocks, copy, 3);
    gen_commit(g);
    gen_revoke(g, blocks, 1);
    gen_blocks(g, blocks, copy, 2); /* torn */
}

static void write_fast(struct jbd2gen *g)
{
    const uint8_t *table = g->image + (size_t)le32(g->image + 2048 + 8) * 1024;
    uint32_t bytes = le16(g->image + 1024 + 0x58);

    g->sequence = 79;
    gen_fast_head(g, 0);
    gen_fast_inode(g, 60, table + (size_t)11 * bytes, 160);
    gen_fast_name(g, EXT_FC_CREAT, 2, 60, "new");
    gen_fast_range(g, 60, 0, 3, 900);
    gen_fast_name(g, EXT_FC_LINK, 2, 60, "more");
    gen_fast_tail(g);
    gen_fast_hole(g, 13, 1, 2);
    gen_fast_range(g, 13, 2, 32768 + 2, 901);
    gen_fast_name(g, EXT_FC_UNLINK, 12, 13, "f1");
    gen_fast_inode(g, 13, table + (size_t)12 * bytes, 160);
    gen_fast_tail(g);
}

/* Patches are to meet what is used: not the empty parts of the journal that are read along. */
static void drop_empty(struct fuzz_image *image, const struct jbd2gen *g)
{
    size_t nr = 0;

    for (size_t i = 0; i < image->nr_sectors; i++) {
        uint32_t block = image->sectors[i] / 2;
        bool keep = true;

        for (uint32_t n = 0; n < g->nr_blocks; n++) {
            uint32_t ago = (n + g->nr_blocks - g->start) % g->nr_blocks;
            uint32_t fast = n + g->nr_fast - g->nr_blocks;

            if (g->where[n] == block)
                keep = n == 0 || ago < USED || (g->nr_fast > 0 && fast >= 1 && fast < 5);
        }
        if (keep)
            image->sectors[nr++] = image->sectors[i];
    }
    image->nr_sectors = nr;
}

static void must_replay(uint8_t *data, size_t len)
{
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;

    arena_init(&arena, &test_memory);
    mem_disk_init(&disk, data, len, 512);
    must(!failed(fs_mount(&fs, &disk.disk, &arena, NULL)) && fs.journal_replayed, "a good journal");
    arena_reset(&arena);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t some[30000];
    size_t len;

    (void)argc;
    (void)argv;
    put_file("tree/dir/f1", some, 3);
    put_file("tree/dir/f2", some, sizeof(some));
    run("cd tree; ln -s dir/f1 link; ln -s .. dir/up; mkdir -p a/b/c; "
        "for i in $(seq 20); do echo > a/b/name-$i; done");
    for (size_t i = 0; i < NR_KINDS; i++) {
        char options[200];
        struct jbd2gen g;

        snprintf(options, sizeof(options), "%s -J size=1 -N 96", kinds[i].options);
        uint8_t *data = make_ext(options, "tree", "4M", &len);

        gen_open(&g, data, len, kinds[i].compat, kinds[i].incompat, kinds[i].start, 77);
        write_log(&g);
        if (kinds[i].incompat & GEN_FAST)
            write_fast(&g);
        must_replay(data, len);
        fuzz_image_init(&images[i], data, len);
        drop_empty(&images[i], &g);
        gen_close(&g);
    }
    drop_temp_dir(); /* libFuzzer does not end by exit() */
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    fuzz_images(images, NR_KINDS, data, size);
    return 0;
}

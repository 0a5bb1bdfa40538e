/* SPDX-License-Identifier: MIT */
/* What the replay of a full journal of 64 MiB costs: an index, unless blocks must be copied. */
#include <stdlib.h>

#include "core/fs/fs.h"
#include "tests/unit/jbd2gen.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define BLOCK  4096u
#define PIECE  200u  /* blocks of a transaction */
#define TARGET 1000u /* the first of the disk's blocks that are replaced */

static uint8_t data[PIECE * BLOCK];

static uint8_t *image;
static size_t len;
static struct jbd2gen g;

static void begin(void)
{
    put_file("tree/file", "x", 1);
    image = make_ext("-t ext4 -b 4096 -O ^metadata_csum -J size=64", "tree", "200M", &len);
    gen_open(&g, image, len, 0, GEN_REVOKE | GEN_64BIT, 1, 5);
}

/* Transactions up to the journal's last block; how many blocks they replace. */
static uint32_t fill(bool escaped, uint32_t nr_max)
{
    uint64_t at[PIECE];
    uint32_t nr = 0;

    while (g.next + PIECE + 2 < g.nr_blocks && nr < nr_max) {
        for (uint32_t i = 0; i < PIECE; i++) {
            uint8_t *block = data + i * BLOCK;

            at[i] = TARGET + nr + i;
            memset(block, (int)(nr / PIECE + i), BLOCK);
            if (escaped)
                memcpy(block, "\xc0\x3b\x39\x98", 4);
        }
        gen_blocks(&g, at, data, PIECE);
        gen_commit(&g);
        nr += PIECE;
    }
    return nr;
}

/* Mount it and look at some of the blocks; how much memory the mount took. */
static size_t mount(uint32_t nr, bool escaped)
{
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    uint8_t block[BLOCK];

    arena_init(&arena, &test_memory);
    mem_disk_init(&disk, image, len, 512);
    CHECK_OK(fs_mount(&fs, &disk.disk, &arena, NULL));
    CHECK(fs.journal_replayed);
    for (uint32_t i = 0; i < nr; i += 997) {
        CHECK_OK(disk_read(fs.disk, (uint64_t)(TARGET + i) * BLOCK, block, BLOCK));
        CHECK_U64(block[0], escaped ? 0xc0 : (i / PIECE + i % PIECE) & 0xff);
        CHECK_U64(block[BLOCK - 1], (i / PIECE + i % PIECE) & 0xff);
    }
    size_t used = arena.used_bytes;

    arena_reset(&arena);
    return used;
}

static void end(void)
{
    gen_close(&g);
    free(image);
}

static void costs_an_index(void)
{
    uint32_t nr;

    begin();
    nr = fill(false, UINT32_MAX);
    CHECK(nr > 16000);
    CHECK(mount(nr, false) < 4u << 20);
    end();
}

static void copies_what_must_be_copied(void)
{
    begin();
    CHECK_U64(fill(true, 2000), 2000);
    size_t used = mount(2000, true);

    CHECK(used > 2000 * BLOCK && used < 2000 * BLOCK + (4u << 20));
    end();
}

int main(void)
{
    RUN(costs_an_index);
    RUN(copies_what_must_be_copied);
    return test_done();
}

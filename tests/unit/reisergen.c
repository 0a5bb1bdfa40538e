/* SPDX-License-Identifier: MIT */
#include "tests/unit/reisergen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fs/reiserfs_disk.h"

#define JOURNAL_FIRST  18u
#define JOURNAL_BLOCKS 32u
#define HEADS          sizeof(struct reiser_disk_block_head)
#define KEYS_MAX       ((GEN_BLOCK - HEADS - 8) / 24)

void put16(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

void put32(uint8_t *p, uint32_t v)
{
    put16(p, v);
    put16(p + 2, v >> 16);
}

void put64(uint8_t *p, uint64_t v)
{
    put32(p, (uint32_t)v);
    put32(p + 4, (uint32_t)(v >> 32));
}

static void die(const char *what, const char *name)
{
    fprintf(stderr, "%s: %s\n", name, what);
    exit(1);
}

uint8_t *reiser_image(const char *name, size_t *len)
{
    char command[200];
    size_t room = (size_t)8 << 20;
    uint8_t *data = aligned_alloc(4096, room);

    snprintf(command, sizeof(command), "xz -dc tests/images/reiserfs/%s.img.xz", name);
    FILE *f = popen(command, "r");

    if (f == NULL || data == NULL)
        die("cannot be unpacked", name);
    *len = fread(data, 1, room, f);
    if (pclose(f) != 0 || *len < 70000 || *len == room)
        die("cannot be unpacked", name);
    return data;
}

void gen_init(struct reiser_gen *g, size_t nr_blocks)
{
    *g = (struct reiser_gen){.nr_blocks = nr_blocks, .next_block = GEN_FIRST};
    g->data = aligned_alloc(4096, nr_blocks * GEN_BLOCK);
    memset(g->data, 0, nr_blocks * GEN_BLOCK);
    g->firsts = calloc(nr_blocks, sizeof(*g->firsts));
    g->item_end = GEN_BLOCK;
}

static uint8_t *block_of(const struct reiser_gen *g, size_t block)
{
    if (block >= g->nr_blocks)
        die("too small", "generated image");
    return g->data + block * GEN_BLOCK;
}

static void end_leaf(struct reiser_gen *g)
{
    if (g->nr_items == 0)
        return;
    uint8_t *b = block_of(g, g->next_block);

    put16(b, REISER_LEAF_LEVEL);
    put16(b + 2, (uint32_t)g->nr_items);
    put16(b + 4, (uint32_t)(g->item_end - HEADS - g->nr_items * 24));
    g->firsts[g->nr_leaves++] = (uint32_t)g->next_block++;
    g->nr_items = 0;
    g->item_end = GEN_BLOCK;
}

void gen_item(struct reiser_gen *g, uint32_t dir_id, uint32_t objectid, uint64_t offset,
              uint32_t count, const void *bytes, size_t len)
{
    if (HEADS + (g->nr_items + 1) * 24 + len > g->item_end)
        end_leaf(g);
    uint8_t *b = block_of(g, g->next_block), *head = b + HEADS + g->nr_items * 24;

    g->item_end -= len;
    memcpy(b + g->item_end, bytes, len);
    put32(head, dir_id);
    put32(head + 4, objectid);
    put64(head + 8, offset);
    put16(head + 16, count);
    put16(head + 18, (uint32_t)len);
    put16(head + 20, (uint32_t)g->item_end);
    put16(head + 22, offset >> 32 == 500 ? 0 : 1);
    g->nr_items++;
}

void gen_stat(struct reiser_gen *g, uint32_t dir_id, uint32_t objectid, uint32_t mode,
              uint64_t size)
{
    uint8_t stat[44] = {0};

    put16(stat, mode);
    put32(stat + 4, 1);
    put64(stat + 8, size);
    gen_item(g, dir_id, objectid, 0, 0xffff, stat, sizeof(stat));
}

void gen_dir_item(struct reiser_gen *g, uint32_t dir_id, uint32_t objectid,
                  const struct gen_entry *entries, size_t nr)
{
    uint8_t item[GEN_BLOCK];
    size_t len = nr * sizeof(struct reiser_disk_dirent), at;

    for (size_t i = 0; i < nr; i++)
        len += sizeof(entries[i].name);
    at = len;
    memset(item, 0, sizeof(item));
    for (size_t i = 0; i < nr; i++) {
        uint8_t *de = item + 16 * i;

        at -= sizeof(entries[i].name);
        memcpy(item + at, entries[i].name, sizeof(entries[i].name));
        put32(de, entries[i].offset);
        put32(de + 4, entries[i].dir_id);
        put32(de + 8, entries[i].objectid);
        put16(de + 12, (uint32_t)at);
        put16(de + 14, REISER_DIRENT_VISIBLE);
    }
    gen_item(g, dir_id, objectid, GEN_DIR(entries[0].offset), (uint32_t)nr, item, len);
}

/* The key of the first item below a block. */
static const uint8_t *first_key(const struct reiser_gen *g, uint32_t block)
{
    const uint8_t *b = block_of(g, block);

    while (le16(b) > REISER_LEAF_LEVEL)
        b = block_of(g, le32(b + HEADS + (size_t)le16(b + 2) * 16));
    return b + HEADS;
}

void gen_finish(struct reiser_gen *g)
{
    uint32_t level = REISER_LEAF_LEVEL;
    size_t nr = 0;

    end_leaf(g);
    for (nr = g->nr_leaves; nr > 1; level++) {
        size_t above = 0;

        /* No block may get one child only: it would have no key. */
        for (size_t i = 0; i < nr;) {
            size_t n = nr - i > KEYS_MAX + 1 ? KEYS_MAX - 1 : nr - i;
            uint8_t *b = block_of(g, g->next_block);

            put16(b, level + 1);
            put16(b + 2, (uint32_t)n - 1);
            for (size_t k = 0; k < n; k++) {
                if (k > 0)
                    memcpy(b + HEADS + (k - 1) * 16, first_key(g, g->firsts[i + k]), 16);
                put32(b + HEADS + (n - 1) * 16 + k * 8, g->firsts[i + k]);
            }
            i += n;
            g->firsts[above++] = (uint32_t)g->next_block++;
        }
        nr = above;
    }
    struct reiser_disk_super *sb = (struct reiser_disk_super *)(g->data + REISER_SUPER_OFF);
    uint8_t *header = block_of(g, JOURNAL_FIRST + JOURNAL_BLOCKS);

    put32(sb->block_count, (uint32_t)g->nr_blocks);
    put32(sb->root_block, g->firsts[0]);
    put32(sb->journal.first_block, JOURNAL_FIRST);
    put32(sb->journal.size, JOURNAL_BLOCKS);
    put16(sb->blocksize, GEN_BLOCK);
    memcpy(sb->magic, REISER_MAGIC_3_6, sizeof(REISER_MAGIC_3_6));
    put32(sb->hash_code, REISER_HASH_R5);
    put16(sb->tree_height, level + 1);
    put16(sb->version, REISER_VERSION_3_6);
    put32(header, 1); /* flushed up to number 1; nothing follows */
    free(g->firsts);
    g->firsts = NULL;
}

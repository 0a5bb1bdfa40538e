/* SPDX-License-Identifier: MIT */
#include "tests/unit/jbd2gen.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/fs/fs.h"
#include "tests/unit/support.h"

#define SUPER ((size_t)1024)
#define MAGIC 0xc03b3998u

static void die(const char *what)
{
    fprintf(stderr, "jbd2gen: %s\n", what);
    exit(2);
}

static void put16le(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)v;
    p[1] = (uint8_t)(v >> 8);
}

static void put32le(uint8_t *p, uint32_t v)
{
    put16le(p, v & 0xffff);
    put16le(p + 2, v >> 16);
}

static uint32_t get32le(const uint8_t *p)
{
    return p[0] | (uint32_t)p[1] << 8 | (uint32_t)p[2] << 16 | (uint32_t)p[3] << 24;
}

static void put32(uint8_t *p, uint32_t v)
{
    p[0] = (uint8_t)(v >> 24);
    p[1] = (uint8_t)(v >> 16);
    p[2] = (uint8_t)(v >> 8);
    p[3] = (uint8_t)v;
}

uint32_t gen_crc32c(uint32_t crc, const void *data, size_t len)
{
    for (const uint8_t *p = data; len > 0; len--, p++) {
        crc ^= *p;
        for (int i = 0; i < 8; i++)
            crc = crc >> 1 ^ (crc & 1 ? 0x82f63b78u : 0);
    }
    return crc;
}

static uint32_t crc32_be(uint32_t crc, const void *data, size_t len)
{
    for (const uint8_t *p = data; len > 0; len--, p++) {
        crc ^= (uint32_t)*p << 24;
        for (int i = 0; i < 8; i++)
            crc = crc << 1 ^ (crc >> 31 ? 0x04c11db7u : 0);
    }
    return crc;
}

void gen_ext_super(uint8_t *image)
{
    if (get32le(image + SUPER + 0x64) & 0x400) /* metadata_csum */
        put32le(image + SUPER + 0x3fc, gen_crc32c(UINT32_MAX, image + SUPER, 0x3fc));
}

uint8_t *gen_block(struct jbd2gen *g, uint32_t n)
{
    if (n >= g->nr_blocks)
        die("past the end of the journal");
    return g->image + (size_t)g->where[n] * g->block_bytes;
}

static bool has_csum23(const struct jbd2gen *g)
{
    return (g->incompat & (GEN_CSUM2 | GEN_CSUM3)) != 0;
}

static uint32_t seed_of(struct jbd2gen *g)
{
    return gen_crc32c(UINT32_MAX, gen_block(g, 0) + 0x30, 16);
}

/* The checksum at `at` of the block covers all of it, itself as zeros. */
static void set_csum(struct jbd2gen *g, uint32_t n, size_t at)
{
    uint8_t *block = gen_block(g, n);

    if (!has_csum23(g))
        return;
    put32(block + at, 0);
    put32(block + at, gen_crc32c(seed_of(g), block, g->block_bytes));
}

void gen_fix_tail(struct jbd2gen *g, uint32_t n)
{
    set_csum(g, n, n == g->commit ? 16 : g->block_bytes - 4);
}

void gen_super(struct jbd2gen *g)
{
    uint8_t *sb = gen_block(g, 0);

    put32(sb, MAGIC);
    put32(sb + 4, g->version1 ? 3 : 4);
    put32(sb + 12, g->block_bytes);
    put32(sb + 16, g->nr_blocks);
    put32(sb + 20, g->first);
    put32(sb + 28, g->start);
    put32(sb + 0x24, g->compat);
    put32(sb + 0x28, g->incompat);
    put32(sb + 0x54, g->nr_fast);
    sb[0x50] = has_csum23(g) ? 4 : 0;
    put32(sb + 0xfc, 0);
    if (has_csum23(g))
        put32(sb + 0xfc, gen_crc32c(UINT32_MAX, sb, 1024));
    g->image[SUPER + 0x60] |= 4; /* needs recovery */
    gen_ext_super(g->image);
}

void gen_open(struct jbd2gen *g, uint8_t *image, size_t len, uint32_t compat, uint32_t incompat,
              uint32_t start, uint32_t sequence)
{
    struct mem_disk disk;
    struct arena arena;
    struct node n;
    struct run run;
    struct fs fs;

    *g = (struct jbd2gen){.image = image,
                          .len = len,
                          .block_bytes = 1024u << image[SUPER + 0x18],
                          .compat = compat,
                          .incompat = incompat,
                          .first = 1,
                          .start = start,
                          .next = start,
                          .sequence = sequence,
                          .seconds = 1000,
                          .crc_be = UINT32_MAX};
    arena_init(&arena, &test_memory);
    mem_disk_init(&disk, image, len, 512);
    if (failed(fs_mount(&fs, &disk.disk, &arena, NULL)) ||
        failed(fs.ops->get_node(&fs, &arena, 8, &n)))
        die("the image has no journal that can be found");
    g->nr_blocks = (uint32_t)(n.size_bytes / g->block_bytes);
    g->where = calloc(g->nr_blocks, sizeof(*g->where));
    for (uint32_t i = 0; i < g->nr_blocks; i++) {
        if (failed(fs.ops->map(&fs, &n, (uint64_t)i * g->block_bytes, &run)) ||
            run.kind != RUN_DISK)
            die("a block of the journal has no place");
        g->where[i] = (uint32_t)((run.disk_off_bytes - run.file_off_bytes) / g->block_bytes + i);
    }
    arena_reset(&arena);
    if (incompat & GEN_FAST)
        g->nr_fast = g->nr_blocks / 4;
    put32(gen_block(g, 0) + 24, sequence);
    gen_super(g);
}

void gen_close(struct jbd2gen *g)
{
    free(g->where);
}

/* The next block of the log, cleared. */
static uint32_t next_block(struct jbd2gen *g)
{
    uint32_t n = g->next;

    if (++g->next == g->nr_blocks - g->nr_fast)
        g->next = g->first;
    memset(gen_block(g, n), 0, g->block_bytes);
    return n;
}

static uint8_t *begin_block(struct jbd2gen *g, uint32_t type, uint32_t *n)
{
    *n = next_block(g);
    uint8_t *block = gen_block(g, *n);

    put32(block, MAGIC);
    put32(block + 4, type);
    put32(block + 8, g->sequence);
    return block;
}

/* One tag; its length. */
static size_t put_tag(struct jbd2gen *g, uint8_t *p, uint64_t block, uint32_t flags, uint32_t crc)
{
    size_t len = g->incompat & GEN_64BIT ? 12 : 8;

    put32(p, (uint32_t)block);
    if (g->incompat & GEN_CSUM3) {
        put32(p + 4, flags);
        put32(p + 8, (uint32_t)(block >> 32));
        put32(p + 12, crc);
        len = 16;
    } else {
        put32(p + 4, flags);
        if (g->incompat & GEN_CSUM2) {
            p[4] = (uint8_t)(crc >> 8);
            p[5] = (uint8_t)crc;
            len += 2;
        }
        if (g->incompat & GEN_64BIT)
            put32(p + 8, (uint32_t)(block >> 32));
    }
    if (!(flags & 2)) {
        memset(p + len, 0x55, 16); /* the UUID of whom it belongs to */
        len += 16;
    }
    return len;
}

void gen_blocks(struct jbd2gen *g, const uint64_t *blocks, const uint8_t *data, uint32_t nr)
{
    uint8_t *descriptor = begin_block(g, 1, &g->descriptor), be[4];
    uint32_t *at = calloc(nr, sizeof(*at));
    size_t off = 12;

    put32(be, g->sequence);
    for (uint32_t i = 0; i < nr; i++) {
        uint8_t *copy = gen_block(g, at[i] = next_block(g));
        uint32_t flags = (i > 0 ? 2u : 0) | (i + 1 == nr ? 8u : 0), crc;

        memcpy(copy, data + (size_t)i * g->block_bytes, g->block_bytes);
        if (memcmp(copy, "\xc0\x3b\x39\x98", 4) == 0) {
            memset(copy, 0, 4);
            flags |= 1;
        }
        crc = has_csum23(g) ? gen_crc32c(gen_crc32c(seed_of(g), be, 4), copy, g->block_bytes) : 0;
        off += put_tag(g, descriptor + off, blocks[i], flags, crc);
        if (off + 36 > g->block_bytes)
            die("more blocks than a descriptor holds");
    }
    set_csum(g, g->descriptor, g->block_bytes - 4);
    if (g->compat & GEN_CHECKSUM)
        g->crc_be = crc32_be(g->crc_be, descriptor, g->block_bytes);
    for (uint32_t i = 0; i < nr && (g->compat & GEN_CHECKSUM); i++)
        g->crc_be = crc32_be(g->crc_be, gen_block(g, at[i]), g->block_bytes);
    free(at);
}

void gen_revoke(struct jbd2gen *g, const uint64_t *blocks, uint32_t nr)
{
    uint8_t *block = begin_block(g, 5, &g->revoke);
    uint32_t each = g->incompat & GEN_64BIT ? 8 : 4;

    put32(block + 12, 16 + nr * each);
    for (uint32_t i = 0; i < nr; i++) {
        if (each == 8)
            put32(block + 16 + 8 * i, (uint32_t)(blocks[i] >> 32));
        put32(block + 16 + each * i + each - 4, (uint32_t)blocks[i]);
    }
    set_csum(g, g->revoke, g->block_bytes - 4);
}

void gen_commit(struct jbd2gen *g)
{
    uint8_t *block = begin_block(g, 2, &g->commit);

    put32(block + 48, (uint32_t)(g->seconds >> 32));
    put32(block + 52, (uint32_t)g->seconds);
    if (g->compat & GEN_CHECKSUM) {
        block[12] = 1;
        block[13] = 4;
        put32(block + 16, g->crc_be);
    }
    set_csum(g, g->commit, 16);
    g->crc_be = UINT32_MAX;
    g->sequence++;
    g->seconds++;
}

/* ---- fast commits ------------------------------------------------------------------------------
 */

static uint8_t *fast_room(struct jbd2gen *g, uint32_t len)
{
    if (g->fast_at % g->block_bytes + len > g->block_bytes)
        die("a fast commit's tag does not fit; pad before");
    uint8_t *p = gen_block(g, g->nr_blocks - g->nr_fast + 1 + g->fast_at / g->block_bytes);

    p += g->fast_at % g->block_bytes;
    g->fast_at += len;
    return p;
}

void gen_fast_tag(struct jbd2gen *g, uint16_t tag, const void *value, uint32_t len)
{
    uint32_t left = g->block_bytes - g->fast_at % g->block_bytes;

    /* A tag lies in one block; a pad fills the rest. 4 + 8 bytes are kept for a tail. */
    if (len + 4 + 12 > left && tag != 7) {
        static const uint8_t zeros[65536];

        gen_fast_tag(g, 7, zeros, left - 4);
    }
    uint8_t *p = fast_room(g, len + 4);

    put16le(p, tag);
    put16le(p + 2, len);
    memcpy(p + 4, value, len);
    g->fast_crc = gen_crc32c(g->fast_crc, p, len + 4);
}

void gen_fast_head(struct jbd2gen *g, uint32_t features)
{
    uint8_t v[8];

    put32le(v, features);
    put32le(v + 4, g->sequence);
    gen_fast_tag(g, 9, v, sizeof(v));
}

void gen_fast_name(struct jbd2gen *g, uint16_t tag, uint32_t parent, uint32_t ino, const char *name)
{
    uint8_t v[8 + 256];

    put32le(v, parent);
    put32le(v + 4, ino);
    snprintf((char *)v + 8, sizeof(v) - 8, "%s", name);
    gen_fast_tag(g, tag, v, (uint32_t)(8 + strlen(name)));
}

void gen_fast_range(struct jbd2gen *g, uint32_t ino, uint32_t block, uint16_t nr, uint64_t start)
{
    uint8_t v[16];

    put32le(v, ino);
    put32le(v + 4, block);
    put16le(v + 8, nr);
    put16le(v + 10, (uint32_t)(start >> 32));
    put32le(v + 12, (uint32_t)start);
    gen_fast_tag(g, 1, v, sizeof(v));
}

void gen_fast_hole(struct jbd2gen *g, uint32_t ino, uint32_t block, uint32_t nr)
{
    uint8_t v[12];

    put32le(v, ino);
    put32le(v + 4, block);
    put32le(v + 8, nr);
    gen_fast_tag(g, 2, v, sizeof(v));
}

void gen_fast_inode(struct jbd2gen *g, uint32_t ino, const uint8_t *raw, uint32_t len)
{
    uint8_t v[4 + 4096];

    put32le(v, ino);
    memcpy(v + 4, raw, len);
    gen_fast_tag(g, 6, v, 4 + len);
}

void gen_fast_tail(struct jbd2gen *g)
{
    uint32_t left = g->block_bytes - g->fast_at % g->block_bytes;
    uint8_t *p = fast_room(g, left);

    memset(p, 0, left);
    put16le(p, 8);
    put16le(p + 2, left - 4);
    put32le(p + 4, g->sequence);
    put32le(p + 8, gen_crc32c(g->fast_crc, p, 8));
    g->fast_crc = 0;
}

/* SPDX-License-Identifier: MIT */
/* What the tests of ReiserFS share: a disk over an image, mounted, and what is looked at in it. */
#ifndef PVBOOT_TESTS_REISERTEST_H
#define PVBOOT_TESTS_REISERTEST_H

#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/reiserfs.h"
#include "tests/unit/reisergen.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

struct opened {
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    struct log log;
    uint8_t *data;
    size_t len;
    char said[600];
};

static inline void hear(void *ctx, const char *text)
{
    struct opened *o = ctx;

    snprintf(o->said + strlen(o->said), sizeof(o->said) - strlen(o->said), "%s\n", text);
}

static inline void unpack(struct opened *o, const char *name)
{
    memset(o, 0, sizeof(*o));
    o->data = reiser_image(name, &o->len);
    o->log = (struct log){.ctx = o, .line = hear};
    arena_init(&o->arena, &test_memory);
    mem_disk_init(&o->disk, o->data, o->len, 512);
}

static inline void generated(struct opened *o, const struct reiser_gen *g)
{
    memset(o, 0, sizeof(*o));
    o->data = g->data;
    o->len = g->nr_blocks * GEN_BLOCK;
    o->log = (struct log){.ctx = o, .line = hear};
    arena_init(&o->arena, &test_memory);
    mem_disk_init(&o->disk, o->data, o->len, 512);
}

static inline struct err mount(struct opened *o)
{
    o->said[0] = '\0';
    o->disk.disk.cache = NULL;
    return fs_mount(&o->fs, &o->disk.disk, &o->arena, &o->log);
}

static inline void done(struct opened *o)
{
    arena_reset(&o->arena);
    free(o->data);
}

static uint8_t buf[400000];

static inline struct err read_file(struct opened *o, const char *path, size_t *len)
{
    struct file f;

    *len = 0;
    TRY(file_open(&f, &o->fs, &o->arena, path, NULL));
    *len = f.node.size_bytes < sizeof(buf) ? (size_t)f.node.size_bytes : sizeof(buf);
    return file_read(&f, 0, buf, *len);
}

static inline struct node node_at(struct opened *o, const char *path)
{
    struct node n = {0};

    CHECK_OK(fs_walk(&o->fs, &o->arena, path, &n, NULL));
    return n;
}

static inline struct reiser_disk_super *super_of(struct opened *o)
{
    return (struct reiser_disk_super *)(o->data + REISER_SUPER_OFF);
}

static inline bool count(void *ctx, const char *name, size_t len, uint64_t ino)
{
    (void)ino;
    CHECK(len != 14 || memcmp(name, ".reiserfs_priv", 14) != 0);
    ++*(uint32_t *)ctx;
    return true;
}

static inline uint32_t nr_entries(struct opened *o, const char *path)
{
    struct node dir = node_at(o, path);
    uint32_t nr = 0;

    CHECK_U64(dir.type, NODE_DIR);
    CHECK_OK(o->fs.ops->readdir(&o->fs, &dir, count, &nr));
    return nr;
}

#endif

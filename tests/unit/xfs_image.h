/* SPDX-License-Identifier: MIT */
/* What the tests of the XFS reader share: an image in memory, mounted, and places in it. */
#ifndef PVBOOT_TESTS_XFS_IMAGE_H
#define PVBOOT_TESTS_XFS_IMAGE_H

#include <stdio.h>
#include <stdlib.h>

#include "core/base/bytes.h"
#include "core/fs/xfs.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/mkxfs.h"
#include "tests/unit/support.h"

struct opened {
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    uint8_t *data;
    size_t len;
};

static inline struct err open_image(struct opened *o, uint8_t *data, size_t len)
{
    *o = (struct opened){.data = data, .len = len};
    arena_init(&o->arena, &test_memory);
    mem_disk_init(&o->disk, data, len, 512);
    return fs_mount(&o->fs, &o->disk.disk, &o->arena, NULL);
}

static inline void close_image(struct opened *o)
{
    arena_reset(&o->arena);
    free(o->data);
}

/* An image of these options that holds `tree`; each call gives a copy of its own. */
static inline uint8_t *copy_of(const char *options, size_t *len)
{
    static char made[256];
    static uint8_t *image;
    static size_t image_len;

    if (image == NULL || strcmp(made, options) != 0) {
        free(image);
        image = make_xfs(options, "tree", "24M", &image_len);
        snprintf(made, sizeof(made), "%s", options);
    }
    uint8_t *copy = aligned_alloc(4096, image_len);

    memcpy(copy, image, image_len);
    *len = image_len;
    return copy;
}

/* A test that finds its own image broken has nothing to test. */
static inline void must_be_ok(struct err e, const char *what)
{
    char text[512];

    if (!failed(e))
        return;
    err_format(e, what, text, sizeof(text));
    printf("%s\n", text);
    exit(2);
}

/* The inode of a path, in the image: its node, and its bytes. */
static inline uint8_t *inode_at(struct opened *o, const char *path, struct node *n)
{
    must_be_ok(fs_walk(&o->fs, &o->arena, path, n, NULL), path);
    return o->data + ((struct xfs_node *)n->priv)->where;
}

/* The bytes of a directory or a link from byte pos on, in the image. */
static inline uint8_t *block_at(struct opened *o, struct node *n, uint64_t pos)
{
    struct run run;

    must_be_ok(o->fs.ops->map(&o->fs, n, pos, &run), "a block's place");
    if (run.kind != RUN_DISK)
        must_be_ok(ERR(ERR_FS_DAMAGED, "a hole"), "a block's place");
    return o->data + run.disk_off_bytes + (pos - run.file_off_bytes);
}

static inline void put_be(uint8_t *p, uint64_t v, size_t nr_bytes)
{
    for (size_t i = 0; i < nr_bytes; i++)
        p[i] = (uint8_t)(v >> 8 * (nr_bytes - 1 - i));
}

/* Make the checksum right again that a change has made wrong. */
static inline void seal(uint8_t *bytes, size_t len, size_t crc_off)
{
    uint32_t crc = xfs_crc(bytes, len, crc_off);

    for (size_t i = 0; i < 4; i++)
        bytes[crc_off + i] = (uint8_t)(crc >> 8 * i);
}

#endif

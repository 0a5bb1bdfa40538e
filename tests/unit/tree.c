/* SPDX-License-Identifier: MIT */
#include "tests/unit/tree.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "tests/unit/mkfs.h"

/* Write the files' file system to data[0..TREE_BYTES). */
static void make_fs(uint8_t *data, const struct tree_file *files, const char *options)
{
    static unsigned nr_trees;
    char tree[32], path[512], all[256];
    uint8_t *image;
    size_t len;

    snprintf(tree, sizeof(tree), "tree%u", nr_trees++);
    for (; files->path != NULL; files++) {
        snprintf(path, sizeof(path), "%s%s", tree, files->path);
        put_file(path, files->text, strlen(files->text));
    }
    snprintf(all, sizeof(all), "-t ext4 -b 1024 -O ^has_journal %s", options);
    image = make_ext(all, tree, "2M", &len);
    if (len != TREE_BYTES) {
        fprintf(stderr, "no test disk: mke2fs made %zu bytes\n", len);
        exit(99);
    }
    memcpy(data, image, len);
    free(image);
    run("rm -r %s", tree);
}

static uint8_t *new_data(size_t size)
{
    uint8_t *data = aligned_alloc(4096, size);

    if (data == NULL)
        abort();
    return memset(data, 0, size);
}

void tree_disk_made(struct mem_disk *d, const struct tree_file *files, const char *options)
{
    uint8_t *data = new_data(TREE_BYTES);

    make_fs(data, files, options);
    mem_disk_init(d, data, TREE_BYTES, 512);
}

void tree_disk(struct mem_disk *d, const struct tree_file *files)
{
    tree_disk_made(d, files, "");
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

void tree_disk_parts(struct mem_disk *d, const struct tree_file *whole,
                     const struct tree_file *const parts[4])
{
    size_t size = 5 * TREE_BYTES;
    uint8_t *data = new_data(size);

    if (whole != NULL)
        make_fs(data, whole, "");
    for (size_t n = 0; n < 4; n++) {
        uint8_t *entry = data + 446 + 16 * n;
        size_t off = (n + 1) * TREE_BYTES;

        if (parts[n] == NULL)
            continue;
        entry[4] = 0x83;
        put32(entry + 8, (uint32_t)(off / 512));
        put32(entry + 12, (uint32_t)(TREE_BYTES / 512));
        make_fs(data + off, parts[n], "");
    }
    data[510] = 0x55;
    data[511] = 0xaa;
    mem_disk_init(d, data, size, 512);
}

void tree_free(struct mem_disk *d)
{
    free(d->data);
    d->data = NULL;
}

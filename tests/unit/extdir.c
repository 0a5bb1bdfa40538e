/* SPDX-License-Identifier: MIT */
#include "tests/unit/extdir.h"

#include <stdlib.h>
#include <string.h>

#include "core/fs/ext_disk.h"
#include "tests/unit/mkfs.h"

#define TAIL_BYTES 12

static void put_entry(uint8_t *at, const char *name, size_t len, size_t rec_len, unsigned type)
{
    uint8_t head[8] = {
        EXT_DIR_INODE, 0, 0, 0, (uint8_t)rec_len, (uint8_t)(rec_len >> 8), (uint8_t)len,
        (uint8_t)type};

    memcpy(at, head, sizeof(head));
    memcpy(at + sizeof(head), name, len);
}

/* The entry at `last` reaches to the block's end, or to the tail in which a checksum may lie. */
static size_t end_block(uint8_t *dir, size_t last, size_t at, size_t block_bytes)
{
    size_t end = (at + block_bytes - 1) / block_bytes * block_bytes;
    size_t rec_len = end - TAIL_BYTES - last;

    dir[last + 4] = (uint8_t)rec_len;
    dir[last + 5] = (uint8_t)(rec_len >> 8);
    put_entry(dir + end - TAIL_BYTES, "", 0, TAIL_BYTES, EXT_DIRENT_TAIL_TYPE);
    memset(dir + end - TAIL_BYTES, 0, 4);
    return end;
}

/* The blocks of a directory without an index; returns their length. */
static size_t fill_dir(uint8_t *dir, name_fn name_of, unsigned nr, size_t block_bytes)
{
    size_t at = 24, last = 12;
    char name[256];

    put_entry(dir, ".", 1, 12, 2);
    put_entry(dir + 12, "..", 2, 12, 2);
    for (unsigned i = 0; i < nr; i++) {
        size_t len = name_of(name, i), rec_len = (8 + len + 3) / 4 * 4;

        if (at % block_bytes + rec_len > block_bytes - TAIL_BYTES)
            at = end_block(dir, last, at, block_bytes);
        put_entry(dir + at, name, len, rec_len, 1);
        last = at;
        at += rec_len;
    }
    return end_block(dir, last, at, block_bytes);
}

uint8_t *make_ext_dir(const char *options, const char *alg, int sign, const char *debugfs,
                      name_fn name_of, unsigned nr, size_t block_bytes, const char *size,
                      size_t *len)
{
    char name[256];
    size_t room = 3 * block_bytes;

    for (unsigned i = 0; i < nr; i++) /* a block's last entry may leave as much unused */
        room += 2 * (name_of(name, i) + 12);
    uint8_t *dir = calloc(1, room);

    run("rm -rf tree");
    put_file("tree/afile", "x", 1);
    put_file("tree/big", dir, fill_dir(dir, name_of, nr, block_bytes));
    free(dir);
    free(make_ext(options, "tree", size, len));
    run("{ tune2fs -E hash_alg=%s image && debugfs -w -R 'ssv flags %d' image && "
        "debugfs -w -R 'set_inode_field /big mode 040755' image && debugfs -w -R '%s' image; } "
        ">log 2>&1 && { e2fsck -fyD image >log 2>&1; [ $? -le 1 ]; } && "
        "e2fsck -fn image >log 2>&1 || { cat log >&2; false; }",
        alg, sign, debugfs);
    return get_file("image", len);
}

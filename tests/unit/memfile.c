/* SPDX-License-Identifier: MIT */
#include "tests/unit/memfile.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"

#define SECTOR 512u

static struct err map(struct fs *fs, struct node *n, uint64_t off_bytes, struct run *out)
{
    (void)n;
    (void)off_bytes;
    *out = (struct run){.kind = RUN_DISK, .len_bytes = fs->disk->size_bytes};
    return OK;
}

static const struct fs_ops ops = {.name = "bytes in memory", .map = map};

void mem_file_init(struct mem_file *m, const void *data, size_t len)
{
    size_t disk_bytes = (size_t)align_up(len, SECTOR);
    uint8_t *copy = calloc(1, disk_bytes + 1);

    memcpy(copy, data, len);
    memset(m, 0, sizeof(*m));
    mem_disk_init(&m->disk, copy, disk_bytes, SECTOR);
    m->fs.ops = &ops;
    m->fs.disk = &m->disk.disk;
    m->file = (struct file){
        .fs = &m->fs, .node = {.type = NODE_FILE, .size_bytes = len}, .path = "/in/memory"};
}

void mem_file_free(struct mem_file *m)
{
    free(m->disk.data);
}

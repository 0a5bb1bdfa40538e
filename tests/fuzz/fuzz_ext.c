/* SPDX-License-Identifier: MIT */
/*
 * Fuzz the ext2/3/4 reader, from mount to file content.
 *
 * The first byte chooses an image of mke2fs's, made when the fuzzer starts; the rest are patches
 * of its metadata, 5 bytes each: where (3 bytes), what (a byte and how often). What counts as
 * metadata is found by a first walk, which notes the sectors that it reads. The last choice takes
 * the input as the image itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/fuzz/must.h"

#define NODES_MAX   200
#define PATCHES_MAX 64
#define RUNS_MAX    64 /* a file */
#define SECTOR      512

static const char *const kinds[] = {
    "-t ext2 -b 1024 -I 128",
    "-t ext4 -b 1024 -O ^metadata_csum,^64bit,^has_journal -I 128",
    "-t ext4 -b 2048 -O ^metadata_csum,64bit,^has_journal -I 256",
    "-t ext4 -b 1024 -O metadata_csum,64bit,^has_journal",
    "-t ext4 -b 1024 -O ^metadata_csum,inline_data,^has_journal -I 256",
    "-t ext4 -b 1024 -g 256 -O ^metadata_csum,^uninit_bg,meta_bg,^resize_inode,^has_journal",
};
#define NR_KINDS ARRAY_LEN(kinds)

static struct image {
    uint8_t *data;
    size_t len;
    uint32_t *sectors; /* that hold metadata */
    size_t nr_sectors;
} images[NR_KINDS];

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

struct visit {
    struct fs *fs;
    struct arena *arena;
    uint64_t queue[NODES_MAX]; /* inodes, breadth first; the same one may come again */
    size_t nr, at;
    bool read_data;
};

static bool on_entry(void *ctx, const char *name, size_t len, uint64_t ino)
{
    struct visit *v = ctx;

    must(len >= 1 && len <= FS_NAME_MAX, "a name's length");
    must(memchr(name, '/', len) == NULL && memchr(name, 0, len) == NULL, "a name's bytes");
    if (v->nr < NODES_MAX && !(len <= 2 && name[0] == '.'))
        v->queue[v->nr++] = ino;
    return v->nr < NODES_MAX;
}

static void visit_file(struct visit *v, struct node *n)
{
    static _Alignas(4096) uint8_t buf[16384];
    struct file f = {.fs = v->fs, .node = *n};
    uint64_t at = 0;

    for (int i = 0; i < RUNS_MAX && at < n->size_bytes; i++) {
        struct run run;

        if (failed(v->fs->ops->map(v->fs, &f.node, at, &run)))
            break;
        must(at >= run.file_off_bytes && at - run.file_off_bytes < run.len_bytes, "a run's place");
        must(run.kind != RUN_DISK ||
                 in_range(run.disk_off_bytes, run.len_bytes, v->fs->disk->size_bytes),
             "a run's disk place");
        at = run.file_off_bytes + run.len_bytes;
    }
    if (!v->read_data)
        return;
    uint64_t len = min_u64(n->size_bytes, sizeof(buf) - 1);

    (void)!failed(file_read(&f, 0, buf + (n->ino & 1), len));
    (void)!failed(file_read(&f, n->size_bytes - len, buf, len));
}

static void visit_node(struct visit *v, uint64_t ino)
{
    char target[FS_PATH_MAX];
    struct node n;
    size_t len = 0;
    uint64_t found;

    if (failed(v->fs->ops->get_node(v->fs, v->arena, ino, &n)))
        return;
    must(n.ino == ino, "an inode's number");
    if (n.type == NODE_DIR) {
        (void)!failed(v->fs->ops->readdir(v->fs, &n, on_entry, v));
        (void)!failed(v->fs->ops->lookup(v->fs, &n, "f2", 2, &found));
    } else if (n.type == NODE_SYMLINK) {
        if (!failed(v->fs->ops->readlink(v->fs, &n, target, sizeof(target), &len)))
            must(len >= 1 && len <= sizeof(target), "a target's length");
    } else if (n.type == NODE_FILE) {
        visit_file(v, &n);
    }
}

static void visit_all(struct disk *d, bool read_data)
{
    static struct visit v;
    struct walk_report report;
    struct arena arena;
    struct node n;
    struct fs fs;

    arena_init(&arena, &test_memory);
    if (!failed(fs_mount(&fs, d, &arena, NULL))) {
        v = (struct visit){.fs = &fs, .arena = &arena, .read_data = read_data};
        v.queue[v.nr++] = fs.root_ino;
        while (v.at < v.nr)
            visit_node(&v, v.queue[v.at++]);
        (void)!failed(fs_walk(&fs, &arena, "/up/../dir/link/slow/x", &n, &report));
        (void)!failed(fs_walk(&fs, &arena, "/dir/f2", &n, NULL));
    }
    arena_reset(&arena);
}

/* Notes the sectors that are read. */
struct noting_disk {
    struct mem_disk below;
    uint8_t *touched; /* one byte a sector */
};

static void note(struct disk *d, struct disk_req *req)
{
    struct noting_disk *n = d->ctx;

    memset(n->touched + req->off_bytes / SECTOR, 1, req->len_bytes / SECTOR);
    disk_submit(&n->below.disk, req);
}

static void note_wait(struct disk *d, struct disk_req *req)
{
    (void)d;
    (void)req;
}

static void find_metadata(struct image *image)
{
    static const struct disk_ops ops = {.submit = note, .wait = note_wait};
    struct noting_disk n = {.touched = calloc(1, image->len / SECTOR)};

    mem_disk_init(&n.below, image->data, image->len, SECTOR);
    struct disk d = n.below.disk;

    d.ops = &ops;
    d.ctx = &n;
    visit_all(&d, false);
    image->sectors = calloc(image->len / SECTOR, sizeof(*image->sectors));
    for (size_t i = 0; i < image->len / SECTOR; i++) {
        if (n.touched[i])
            image->sectors[image->nr_sectors++] = (uint32_t)i;
    }
    must(image->nr_sectors > 8, "an image has metadata");
    free(n.touched);
}

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static uint8_t some[30000];

    (void)argc;
    (void)argv;
    put_file("tree/dir/f1", some, 3);
    put_file("tree/dir/f2", some, sizeof(some));
    run("cd tree; ln -s dir/f1 link; ln -s .. dir/up; ln -s $(printf 'dir/../%%.0s' $(seq 12))link "
        "slow; ln -s /dir up; mkdir -p a/b/c; truncate -s 70M a/sparse; "
        "for i in 0 1 5 9 13 20 40 270 300 3000 66000; do printf x | dd of=a/sparse bs=1024 "
        "seek=$i conv=notrunc 2>/dev/null; done; for i in $(seq 50); do echo > a/b/name-$i; done");
    for (size_t i = 0; i < NR_KINDS; i++) {
        char options[200];

        snprintf(options, sizeof(options), "%s -N 96", kinds[i]);
        images[i].data = make_ext(options, "tree", "512k", &images[i].len);
        find_metadata(&images[i]);
    }
    drop_temp_dir(); /* libFuzzer does not end by exit() */
    return 0;
}

static void run_raw(const uint8_t *data, size_t size)
{
    struct mem_disk m;
    uint8_t *copy = aligned_alloc(4096, (size + 4095) / 4096 * 4096 + 4096);

    memcpy(copy, data, size);
    mem_disk_init(&m, copy, size, SECTOR);
    visit_all(&m.disk, true);
    free(copy);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    struct {
        uint8_t *at, was;
    } undo[PATCHES_MAX * 8];
    size_t nr_undo = 0;
    struct mem_disk m;

    if (size < 1)
        return 0;
    size_t kind = data[0] % (NR_KINDS + 1);

    if (kind == NR_KINDS) {
        run_raw(data + 1, size - 1);
        return 0;
    }
    struct image *image = &images[kind];

    for (size_t at = 1; at + 5 <= size && at < 1 + 5 * PATCHES_MAX; at += 5) {
        size_t where = le16(data + at) | (size_t)data[at + 2] << 16;
        uint8_t *byte = image->data +
                        (size_t)image->sectors[where / SECTOR % image->nr_sectors] * SECTOR +
                        where % SECTOR;
        size_t room = SECTOR - where % SECTOR, often = 1 + (data[at + 4] & 7u);

        for (size_t i = 0; i < often && i < room; i++) {
            undo[nr_undo].at = byte + i;
            undo[nr_undo++].was = byte[i];
            byte[i] = data[at + 3];
        }
    }
    mem_disk_init(&m, image->data, image->len, SECTOR);
    visit_all(&m.disk, true);
    while (nr_undo > 0) {
        nr_undo--;
        *undo[nr_undo].at = undo[nr_undo].was;
    }
    return 0;
}

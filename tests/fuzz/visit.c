/* SPDX-License-Identifier: MIT */
#include "tests/fuzz/visit.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/inplace.h"
#include "tests/fuzz/must.h"
#include "tests/unit/support.h"

#define NODES_MAX   200
#define PATCHES_MAX 64
#define RUNS_MAX    64 /* a file */
#define SECTOR      512

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
    /* What is there already is not written, but everything before that is gone through. */
    if (n->size_bytes > 0 && !failed(file_read(&f, n->size_bytes / 2, buf, 1))) {
        struct err e = file_overwrite(&f, n->size_bytes / 2, buf, 1);

        must(!failed(e) || e.msg != NULL, "a reason not to write");
    }
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

void fuzz_visit(struct disk *d, bool read_data)
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

void fuzz_image_init(struct fuzz_image *image, uint8_t *data, size_t len)
{
    static const struct disk_ops ops = {.submit = note, .wait = note_wait};
    struct noting_disk n = {.touched = calloc(1, len / SECTOR)};

    *image = (struct fuzz_image){.data = data, .len = len};
    mem_disk_init(&n.below, data, len, SECTOR);
    struct disk d = n.below.disk;

    d.ops = &ops;
    d.ctx = &n;
    fuzz_visit(&d, false);
    image->sectors = calloc(image->len / SECTOR, sizeof(*image->sectors));
    for (size_t i = 0; i < image->len / SECTOR; i++) {
        if (n.touched[i])
            image->sectors[image->nr_sectors++] = (uint32_t)i;
    }
    must(image->nr_sectors > 8, "an image has metadata");
    free(n.touched);
}

static void run_raw(const uint8_t *data, size_t size)
{
    struct mem_disk m;
    uint8_t *copy = aligned_alloc(4096, (size + 4095) / 4096 * 4096 + 4096);

    memcpy(copy, data, size);
    mem_disk_init(&m, copy, size, SECTOR);
    fuzz_visit(&m.disk, true);
    free(copy);
}

struct undo {
    struct {
        uint8_t *at, was;
    } bytes[PATCHES_MAX * (8 + 4)];
    size_t nr;
};

static void change(struct undo *u, uint8_t *byte, uint8_t to)
{
    u->bytes[u->nr].at = byte;
    u->bytes[u->nr++].was = *byte;
    *byte = to;
}

static void change_back(struct undo *u)
{
    while (u->nr > 0) {
        u->nr--;
        *u->bytes[u->nr].at = u->bytes[u->nr].was;
    }
}

/* Make the checksums of what was patched right again. */
static void mend(const struct fuzz_image *image, struct undo *u)
{
    for (size_t i = 0, nr = u->nr; i < nr; i++) {
        size_t at;
        uint8_t sum[4];

        if (i > 0 && u->bytes[i].at == u->bytes[i - 1].at + 1)
            continue; /* the same patch */
        if (!image->checksum(image->data, (size_t)(u->bytes[i].at - image->data), &at, sum))
            continue;
        for (size_t k = 0; k < sizeof(sum); k++)
            change(u, image->data + at + k, sum[k]);
    }
}

void fuzz_images(const struct fuzz_image *images, size_t nr_images, const uint8_t *data,
                 size_t size)
{
    struct undo undo = {.nr = 0};
    struct mem_disk m;

    if (size < 1)
        return;
    size_t kind = data[0] % (nr_images + 1);

    if (kind == nr_images) {
        run_raw(data + 1, size - 1);
        return;
    }
    const struct fuzz_image *image = &images[kind];

    for (size_t at = 1; at + 5 <= size && at < 1 + 5 * PATCHES_MAX; at += 5) {
        size_t where = le16(data + at) | (size_t)data[at + 2] << 16;
        uint8_t *byte = image->data +
                        (size_t)image->sectors[where / SECTOR % image->nr_sectors] * SECTOR +
                        where % SECTOR;
        size_t room = SECTOR - where % SECTOR, often = 1 + (data[at + 4] & 7u);

        for (size_t i = 0; i < often && i < room; i++)
            change(&undo, byte + i, data[at + 3]);
    }
    if (image->checksum != NULL)
        mend(image, &undo);
    mem_disk_init(&m, image->data, image->len, SECTOR);
    fuzz_visit(&m.disk, true);
    change_back(&undo);
}

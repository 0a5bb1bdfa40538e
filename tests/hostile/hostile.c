/* SPDX-License-Identifier: MIT */
/*
 * hostile IMAGE... - what the readers do with damaged file systems: each image is mounted (its
 * journal replayed) and walked to the last byte of its files, under the sanitizers. There must be
 * no crash and no loop past a cap, and every failure must be a sentence.
 *
 * The limits of a mount are stated here and in docs/filesystems.md: it reads at most READS_OF_MOUNT
 * bytes and four times the image, and takes at most MEMORY_OF_MOUNT bytes and the image's size.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "tests/unit/support.h"

#define READS_OF_MOUNT  ((uint64_t)4 << 20)
#define MEMORY_OF_MOUNT ((uint64_t)64 << 20)
#define READS_OF_NODE   ((uint64_t)64 << 20) /* of one inode: look-up, listing, map, content */
#define NODES_MAX       50000
#define RUNS_MAX        20000 /* of one file */
#define CONTENT_MAX     ((uint64_t)1 << 20)
#define SECTOR          512

/* Counts the bytes that are read. */
struct counting_disk {
    struct disk disk;
    struct mem_disk below;
    uint64_t read_bytes;
};

static void count_submit(struct disk *d, struct disk_req *req)
{
    struct counting_disk *c = d->ctx;

    c->read_bytes += req->len_bytes;
    disk_submit(&c->below.disk, req);
}

static void count_wait(struct disk *d, struct disk_req *req)
{
    (void)d;
    (void)req;
}

static const struct disk_ops counting_ops = {.submit = count_submit, .wait = count_wait};

struct trial {
    const char *name;
    struct counting_disk c;
    struct arena arena;
    struct fs fs;
    uint64_t queue[NODES_MAX];
    size_t nr, nr_files, nr_errors;
    char first_error[512];
    bool bad;
};

static void finding(struct trial *t, const char *what, uint64_t number)
{
    printf("%s: %s (%llu)\n", t->name, what, (unsigned long long)number);
    t->bad = true;
}

/* An error that a person would see: it must say something, and never be a probe's "no". */
static void note_error(struct trial *t, struct err e)
{
    char text[512];

    if (!failed(e))
        return;
    if (e.code == ERR_NOT_MINE || e.msg == NULL ||
        (e.msg[0] == '\0' && e.code != ERR_FILE_NOT_FOUND))
        finding(t, "an error without a sentence", e.code);
    err_format(e, NULL, text, sizeof(text));
    if (t->nr_errors++ == 0)
        memcpy(t->first_error, text, sizeof(text));
}

static bool collect(void *ctx, const char *name, size_t len, uint64_t ino)
{
    struct trial *t = ctx;

    if (len < 1 || len > FS_NAME_MAX || memchr(name, '/', len) != NULL ||
        memchr(name, 0, len) != NULL)
        finding(t, "a name of this length, or with bytes that no name has", len);
    for (size_t i = 0; i < t->nr; i++) {
        if (t->queue[i] == ino)
            return true;
    }
    if (t->nr < NODES_MAX)
        t->queue[t->nr++] = ino;
    return t->nr < NODES_MAX;
}

static void read_file(struct trial *t, struct node *n)
{
    static _Alignas(4096) uint8_t buf[CONTENT_MAX];
    struct file f = {.fs = &t->fs, .node = *n};
    uint64_t at = 0;

    for (uint32_t i = 0; i < RUNS_MAX && at < n->size_bytes; i++) {
        struct run run;
        struct err e = t->fs.ops->map(&t->fs, &f.node, at, &run);

        note_error(t, e);
        if (failed(e))
            return;
        if (at < run.file_off_bytes || at - run.file_off_bytes >= run.len_bytes)
            finding(t, "a run that does not hold the byte that was asked for", at);
        if (run.kind == RUN_DISK &&
            !in_range(run.disk_off_bytes, run.len_bytes, t->fs.disk->size_bytes))
            finding(t, "a run outside the disk", run.disk_off_bytes);
        at = run.file_off_bytes + run.len_bytes;
    }
    note_error(t, file_read(&f, 0, buf, min_u64(n->size_bytes, CONTENT_MAX)));
}

static void visit(struct trial *t, uint64_t ino)
{
    const struct fs_ops *ops = t->fs.ops;
    char target[FS_PATH_MAX];
    struct arena a;
    struct node n;
    uint64_t found;
    size_t len;

    arena_init(&a, &test_memory);
    struct err e = ops->get_node(&t->fs, &a, ino, &n);

    if (failed(e)) {
        note_error(t, e);
    } else if (n.type == NODE_DIR) {
        note_error(t, ops->readdir(&t->fs, &n, collect, t));
        e = ops->lookup(&t->fs, &n, "no such name", 12, &found);
        if (e.code != ERR_FILE_NOT_FOUND)
            note_error(t, e);
    } else if (n.type == NODE_SYMLINK) {
        note_error(t, ops->readlink(&t->fs, &n, target, sizeof(target), &len));
    } else if (n.type == NODE_FILE) {
        t->nr_files++;
        read_file(t, &n);
    }
    arena_reset(&a);
}

static void check_mount(struct trial *t, uint64_t image_bytes)
{
    if (t->c.read_bytes > READS_OF_MOUNT + 4 * image_bytes)
        finding(t, "the mount read too many bytes", t->c.read_bytes);
    if (t->arena.used_bytes > MEMORY_OF_MOUNT + image_bytes)
        finding(t, "the mount took too much memory", t->arena.used_bytes);
}

static bool try_image(const char *name, uint8_t *data, size_t len)
{
    struct trial *t = calloc(1, sizeof(*t));

    t->name = name;
    mem_disk_init(&t->c.below, data, len - len % SECTOR, SECTOR);
    t->c.disk = t->c.below.disk;
    t->c.disk.ops = &counting_ops;
    t->c.disk.ctx = &t->c;
    arena_init(&t->arena, &test_memory);
    struct err e = fs_mount(&t->fs, &t->c.disk, &t->arena, NULL);
    uint64_t mount_bytes = t->c.read_bytes, mount_memory = t->arena.used_bytes;

    note_error(t, e);
    check_mount(t, len);
    if (!failed(e))
        t->queue[t->nr++] = t->fs.root_ino;
    for (size_t i = 0; i < t->nr; i++) {
        t->c.read_bytes = 0;
        visit(t, t->queue[i]);
        if (t->c.read_bytes > READS_OF_NODE + 2 * (uint64_t)len)
            finding(t, "one inode made the reader read too many bytes", t->queue[i]);
    }
    printf("%s %s: %s, %zu inodes, %zu files, mount read %llu KiB, took %llu KiB; ",
           t->bad ? "not ok" : "ok", name, failed(e) ? "not mounted" : t->fs.describe, t->nr,
           t->nr_files, (unsigned long long)mount_bytes / 1024,
           (unsigned long long)mount_memory / 1024);
    printf(t->nr_errors == 0 ? "no error\n" : "%zu errors, the first: %s\n", t->nr_errors,
           t->first_error);
    bool good = !t->bad;

    arena_reset(&t->arena);
    free(t);
    return good;
}

int main(int argc, char **argv)
{
    int status = argc < 2;

    for (int i = 1; i < argc; i++) {
        const char *slash = strrchr(argv[i], '/');
        FILE *f = fopen(argv[i], "rb");
        long len;

        if (f == NULL || fseek(f, 0, SEEK_END) != 0 || (len = ftell(f)) < 0) {
            perror(argv[i]);
            return 2;
        }
        uint8_t *data = aligned_alloc(4096, (size_t)align_up((uint64_t)len, 4096) + 4096);

        rewind(f);
        if (data == NULL || fread(data, 1, (size_t)len, f) != (size_t)len) {
            perror(argv[i]);
            return 2;
        }
        fclose(f);
        if (!try_image(slash != NULL ? slash + 1 : argv[i], data, (size_t)len))
            status = 1;
        free(data);
    }
    return status;
}

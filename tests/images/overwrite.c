/* SPDX-License-Identifier: MIT */
/*
 * overwrite IMAGE SECTOR-BYTES - overwrites eight bytes in the middle of every second file of an
 * image, in place, wherever core/fs/inplace.c does not refuse it, and checks on the way that each
 * file costs one write of one sector in which nothing else changes. What Linux makes of the image
 * then is run.py's affair.
 *
 * Output: "written PATH" or "refused PATH: why", a file a line.
 */
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "core/fs/inplace.h"
#include "tests/unit/support.h"

#define FILES_MAX 100000
#define EVERY     2
#define PATH_CAP  4096

static const char news[] = "in place"; /* without its terminator */
#define NEWS_LEN (sizeof(news) - 1)

struct image {
    struct disk disk;
    int fd;
    uint32_t nr_writes, nr_flushes;
    uint8_t old[4096], new[4096]; /* the last sector that was written */
    bool one_sector;
};

static void die(const char *what, struct err e)
{
    char text[512];

    err_format(e, NULL, text, sizeof(text));
    printf("%s: %s\n", what, text);
    exit(2);
}

static void submit(struct disk *d, struct disk_req *req)
{
    struct image *m = d->ctx;
    ssize_t n = 0;

    req->done = true;
    req->result = OK;
    if (req->op == DISK_READ) {
        n = pread(m->fd, req->buf, (size_t)req->len_bytes, (off_t)req->off_bytes);
    } else if (req->op == DISK_WRITE) {
        m->nr_writes++;
        m->one_sector = req->len_bytes == d->sector_bytes;
        if (m->one_sector) {
            n = pread(m->fd, m->old, (size_t)req->len_bytes, (off_t)req->off_bytes);
            memcpy(m->new, req->buf, (size_t)req->len_bytes);
            if (n == (ssize_t)req->len_bytes)
                n = pwrite(m->fd, req->buf, (size_t)req->len_bytes, (off_t)req->off_bytes);
        }
    } else {
        m->nr_flushes++;
        return;
    }
    if (n != (ssize_t)req->len_bytes)
        req->result = ERR_AT(ERR_READ, req->off_bytes, "the image cannot be read or written", 0, 0);
}

static void wait(struct disk *d, struct disk_req *req)
{
    (void)d;
    (void)req;
}

static const struct disk_ops ops = {.submit = submit, .wait = wait};

struct walk {
    struct image *image;
    struct fs *fs;
    struct arena *arena;
    char path[PATH_CAP]; /* of the folder at hand */
    uint64_t *seen;      /* inodes of files: names may be many */
    size_t nr_seen, nr_wrong;
};

static void wrong(struct walk *w, const char *path, const char *what)
{
    printf("wrong %s: %s\n", path, what);
    w->nr_wrong++;
}

/* Is the new sector the old one but for the news, once? */
static bool only_news(const struct image *m)
{
    uint32_t len = m->disk.sector_bytes, first = 0;

    while (first < len && m->old[first] == m->new[first])
        first++;
    for (uint32_t at = 0; at + NEWS_LEN <= len; at++) {
        if (memcmp(m->new + at, news, NEWS_LEN) == 0 && at <= first &&
            memcmp(m->old + at + NEWS_LEN, m->new + at + NEWS_LEN, len - at - NEWS_LEN) == 0)
            return true;
    }
    return false;
}

static void overwrite(struct walk *w, const struct node *n, const char *path)
{
    struct file f = {.fs = w->fs, .node = *n, .path = path};
    uint64_t off = n->size_bytes / 2 & ~(uint64_t)511;
    uint32_t nr_writes = w->image->nr_writes, nr_flushes = w->image->nr_flushes;
    char got[NEWS_LEN];
    struct err e = file_overwrite(&f, off, news, NEWS_LEN);

    if (failed(e)) {
        if (e.code != ERR_REFUSED)
            die(path, e);
        printf("refused %s: %s\n", path, e.msg);
        if (w->image->nr_writes != nr_writes)
            wrong(w, path, "refused, and written to");
        return;
    }
    printf("written %s\n", path);
    if (w->image->nr_writes != nr_writes + 1 || w->image->nr_flushes != nr_flushes + 1)
        wrong(w, path, "not one write and one flush");
    else if (!w->image->one_sector || !only_news(w->image))
        wrong(w, path, "more was written than one sector with the news");
    if (failed(file_read(&f, off, got, NEWS_LEN)) || memcmp(got, news, NEWS_LEN) != 0)
        wrong(w, path, "reads otherwise");
}

static void visit(struct walk *w, const struct node *dir);

static bool entry(void *ctx, const char *name, size_t len, uint64_t ino)
{
    struct walk *w = ctx;
    size_t path_len = strlen(w->path);
    struct node n;
    struct err e;

    if ((len == 1 && name[0] == '.') || (len == 2 && memcmp(name, "..", 2) == 0))
        return true;
    if (path_len + len + 2 > PATH_CAP)
        return true;
    w->path[path_len] = '/';
    memcpy(w->path + path_len + 1, name, len);
    w->path[path_len + 1 + len] = '\0';
    e = w->fs->ops->get_node(w->fs, w->arena, ino, &n);
    if (failed(e))
        die(w->path, e);
    if (n.type == NODE_DIR)
        visit(w, &n);
    else if (n.type == NODE_FILE && w->nr_seen < FILES_MAX) {
        bool before = false;

        for (size_t i = 0; i < w->nr_seen && !before; i++)
            before = w->seen[i] == ino;
        w->seen[w->nr_seen++] = ino;
        if (!before && n.size_bytes >= 2 * NEWS_LEN && w->nr_seen % EVERY == 0)
            overwrite(w, &n, w->path);
    }
    w->path[path_len] = '\0';
    return true;
}

static void visit(struct walk *w, const struct node *dir)
{
    struct node n = *dir;
    struct err e = w->fs->ops->readdir(w->fs, &n, entry, w);

    if (failed(e))
        die(w->path, e);
}

int main(int argc, char **argv)
{
    static struct image m;
    static struct fs fs;
    static struct walk w;
    struct arena arena;
    struct stat st;
    struct node root;
    struct err e;

    if (argc != 3 || (m.fd = open(argv[1], O_RDWR | O_CLOEXEC)) < 0 || fstat(m.fd, &st) != 0) {
        fprintf(stderr, "overwrite IMAGE SECTOR-BYTES\n");
        return 2;
    }
    uint32_t sector_bytes = strcmp(argv[2], "4096") == 0 ? 4096 : 512;

    m.disk = (struct disk){.ops = &ops,
                           .ctx = &m,
                           .name = "image",
                           .size_bytes = (uint64_t)st.st_size / sector_bytes * sector_bytes,
                           .sector_bytes = sector_bytes};
    arena_init(&arena, &test_memory);
    e = fs_mount(&fs, &m.disk, &arena, NULL);
    if (!failed(e))
        e = fs.ops->get_node(&fs, &arena, fs.root_ino, &root);
    if (failed(e))
        die(argv[1], e);
    w = (struct walk){.image = &m, .fs = &fs, .arena = &arena};
    w.seen = malloc(FILES_MAX * sizeof(*w.seen));
    visit(&w, &root);
    free(w.seen);
    arena_reset(&arena);
    close(m.fd);
    return w.nr_wrong > 0 ? 1 : 0;
}

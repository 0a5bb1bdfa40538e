/* SPDX-License-Identifier: MIT */
#include "host/kernel_look.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/stat.h>
#include <sys/types.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "host/fence.h"
#include "host/inspect.h"

#define SECTOR     512
#define LOOK_CPU_S 300

/* The file as a disk of whole sectors, and as the one file on it. */
struct kernel_file {
    int fd;
    uint64_t size_bytes;
    struct disk disk;
    struct fs fs;
    struct file file;
};

static void submit(struct disk *d, struct disk_req *req)
{
    struct kernel_file *k = d->ctx;
    uint8_t *to = req->buf;
    uint64_t done = 0;

    req->done = true;
    while (done < req->len_bytes) {
        ssize_t n = pread(k->fd, to + done, (size_t)(req->len_bytes - done),
                          (off_t)(req->off_bytes + done));

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0) {
            req->result = ERR_AT(ERR_READ, req->off_bytes, "reading the file failed", 0, 0);
            return;
        }
        if (n == 0)
            break;
        done += (uint64_t)n;
    }
    memset(to + done, 0, (size_t)(req->len_bytes - done)); /* what fills the last sector */
    req->result = OK;
}

static void wait_done(struct disk *d, struct disk_req *req)
{
    (void)d;
    (void)req; /* done in submit */
}

static struct err map(struct fs *fs, struct node *n, uint64_t off_bytes, struct run *out)
{
    (void)fs;
    (void)off_bytes;
    *out = (struct run){.kind = RUN_DISK, .len_bytes = n->size_bytes};
    return OK;
}

static const struct disk_ops kernel_disk_ops = {.submit = submit, .wait = wait_done};
static const struct fs_ops kernel_fs_ops = {.name = "a file", .map = map};

static void open_kernel(struct kernel_file *k, struct arena *a, const struct log *log)
{
    k->disk = (struct disk){.ops = &kernel_disk_ops,
                            .ctx = k,
                            .size_bytes = (k->size_bytes + SECTOR - 1) / SECTOR * SECTOR,
                            .sector_bytes = SECTOR,
                            .read_only = true};
    k->fs = (struct fs){.ops = &kernel_fs_ops, .disk = &k->disk, .arena = a, .log = log};
    k->file = (struct file){.fs = &k->fs, .path = "the kernel"};
    k->file.node =
        (struct node){.ino = 1, .type = NODE_FILE, .mode = 0100444, .size_bytes = k->size_bytes};
}

struct work {
    struct kernel_file file;
    bool narrow;
    struct aki_image *out; /* shared */
};

/* Behind the fence. */
static int work(void *ctx)
{
    struct work *w = ctx;
    struct arena arena;
    struct report r = {.arena = &arena, .narrow = w->narrow};
    struct log log = {.ctx = &r.log, .line = lines_add};
    struct kernel_report *k;

    arena_init(&arena, &host_memory);
    r.log.arena = r.search.arena = &arena;
    open_kernel(&w->file, &arena, &log);
    k = inspect_kernel(&r, "the kernel", &w->file.file);
    w->out->boots = k->usable;
    if (!k->usable)
        snprintf(w->out->reason, sizeof(w->out->reason), "%s",
                 report_error(&r, k->error, "the kernel"));
    return 0;
}

static bool look_once(int fd, uint64_t size_bytes, bool narrow, struct aki_image *out)
{
    struct fence fence = {
        .keep = {fd}, .nr_keep = 1, .memory_bytes = FENCE_MEMORY, .cpu_s = LOOK_CPU_S};
    struct aki_image *shared = fence_share(sizeof(*shared));
    struct work w = {.file = {.fd = fd, .size_bytes = size_bytes}, .narrow = narrow, .out = shared};
    bool good;

    if (shared == NULL)
        return false;
    good = fence_run(&fence, work, &w).status == 0;
    *out = *shared;
    out->narrow = narrow;
    out->reason[sizeof(out->reason) - 1] = '\0';
    munmap(shared, sizeof(*shared));
    return good;
}

bool kernel_look(int fd, bool narrow, struct aki_image *out)
{
    struct aki_image other;
    struct stat st = {0};
    off_t end = fstat(fd, &st) == 0 && S_ISBLK(st.st_mode) ? lseek(fd, 0, SEEK_END) : st.st_size;
    uint64_t size_bytes = end > 0 ? (uint64_t)end : 0;

    *out = (struct aki_image){.narrow = narrow};
    if (!look_once(fd, size_bytes, narrow, out))
        return false;
    if (!out->boots && look_once(fd, size_bytes, !narrow, &other) && other.boots) {
        snprintf(out->reason, sizeof(out->reason),
                 "the kernel is for %s, but its bundle says %s: bundle it with -r %s",
                 aki_arch(!narrow), aki_arch(narrow), aki_arch(!narrow));
    }
    return true;
}

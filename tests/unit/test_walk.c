/* SPDX-License-Identifier: MIT */
/*
 * Paths: what a walk finds must be what Linux finds on the same path below the same root. Linux is
 * asked with openat2(2), which can keep a walk below a folder without a chroot.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/openat2.h>
#include <stdlib.h>
#include <sys/stat.h>
#include <sys/syscall.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "core/fs/fs.h"
#include "tests/unit/mkfs.h"
#include "tests/unit/support.h"
#include "tests/unit/test.h"

#define NR_DIRS  6
#define NR_LINKS 30
#define NR_PATHS 6000

struct opened {
    struct mem_disk disk;
    struct arena arena;
    struct fs fs;
    uint8_t *data;
    int root; /* the same tree for Linux */
};

static void open_tree(struct opened *o)
{
    char path[300];
    size_t len;

    *o = (struct opened){.data = make_ext("-t ext2 -b 1024", "tree", "8M", &len)};
    arena_init(&o->arena, &test_memory);
    mem_disk_init(&o->disk, o->data, len, 512);
    CHECK_OK(fs_mount(&o->fs, &o->disk.disk, &o->arena, NULL));
    snprintf(path, sizeof(path), "%s/tree", temp_dir());
    o->root = open(path, O_PATH | O_DIRECTORY);
    CHECK(o->root >= 0);
}

static void close_tree(struct opened *o)
{
    close(o->root);
    arena_reset(&o->arena);
    free(o->data);
}

static unsigned pick(unsigned below)
{
    return (unsigned)(rand() >> 4) % below;
}

/* A few components, names of this tree mostly. */
static void random_path(char *path, size_t cap, bool absolute)
{
    unsigned nr = 1 + pick(5);
    size_t at = (size_t)snprintf(path, cap, "%s", absolute ? "/" : "");

    for (unsigned i = 0; i < nr; i++) {
        const char *slash = i + 1 < nr ? pick(8) == 0 ? "//" : "/" : pick(8) == 0 ? "/" : "";
        unsigned kind = pick(16);

        if (kind < 6)
            at += (size_t)snprintf(path + at, cap - at, "d%u%s", pick(NR_DIRS), slash);
        else if (kind < 11)
            at += (size_t)snprintf(path + at, cap - at, "l%u%s", pick(NR_LINKS), slash);
        else
            at += (size_t)snprintf(path + at, cap - at, "%s%s",
                                   kind < 14   ? ".."
                                   : kind < 15 ? "."
                                               : "id",
                                   slash);
    }
}

static void make_random_tree(void)
{
    char dirs[NR_DIRS][200] = {"tree"}, path[300], target[200], full[600];

    srand(20);
    for (unsigned i = 0; i < NR_DIRS; i++) {
        if (i > 0)
            snprintf(dirs[i], sizeof(dirs[i]), "%.150s/d%u", dirs[pick(i)], i);
        snprintf(path, sizeof(path), "%.190s/id", dirs[i]);
        put_file(path, path, i + 1); /* its size tells where it is */
    }
    for (unsigned i = 0; i < NR_LINKS; i++) {
        bool loops = i % 5 == 0;

        random_path(target, sizeof(target), pick(3) == 0);
        if (loops)
            snprintf(target, sizeof(target), "./l%u", i);
        snprintf(full, sizeof(full), "%s/%.190s/l%u", temp_dir(), dirs[loops ? 0 : pick(NR_DIRS)],
                 i);
        CHECK(symlink(target, full) == 0);
    }
}

/* What Linux finds there: "file SIZE", "dir SIZE of its id", or the error as ours. */
static void ask_linux(const struct opened *o, const char *path, char *said)
{
    struct open_how how = {.flags = O_PATH | O_CLOEXEC, .resolve = RESOLVE_IN_ROOT};
    int fd = (int)syscall(SYS_openat2, o->root, path, &how, sizeof(how));
    struct stat st, id;

    if (fd < 0) {
        sprintf(said, "%d",
                errno == ENOENT    ? ERR_FILE_NOT_FOUND
                : errno == ENOTDIR ? ERR_BAD_FILETYPE
                : errno == ELOOP   ? ERR_SYMLINK_LOOP
                                   : 1000 + errno);
        return;
    }
    fstat(fd, &st);
    if (S_ISDIR(st.st_mode))
        fstatat(fd, "id", &id, 0);
    sprintf(said, "%s %lld", S_ISDIR(st.st_mode) ? "dir" : "file",
            (long long)(S_ISDIR(st.st_mode) ? id.st_size : st.st_size));
    close(fd);
}

static void ask_pvboot(struct opened *o, const char *path, char *said)
{
    struct node n, id;
    uint64_t ino = 0;
    struct err e = fs_walk(&o->fs, &o->arena, path, &n, NULL);

    if (failed(e)) {
        sprintf(said, "%d", e.code);
        return;
    }
    id = n;
    if (n.type == NODE_DIR) {
        CHECK_OK(o->fs.ops->lookup(&o->fs, &n, "id", 2, &ino));
        CHECK_OK(o->fs.ops->get_node(&o->fs, &o->arena, ino, &id));
    }
    sprintf(said, "%s %lld", n.type == NODE_DIR ? "dir" : "file", (long long)id.size_bytes);
}

static void walks_end_where_linux_ends(void)
{
    unsigned nr_found = 0, nr_loops = 0;
    char path[300], linux_said[100], said[100];
    struct opened o;

    make_random_tree();
    open_tree(&o);
    ask_linux(&o, "/id", linux_said);
    if (strcmp(linux_said, "file 1") != 0) {
        printf("this kernel has no openat2: not compared with Linux\n");
        close_tree(&o);
        return;
    }
    for (unsigned i = 0; i < NR_PATHS; i++) {
        random_path(path, sizeof(path), true);
        ask_linux(&o, path, linux_said);
        ask_pvboot(&o, path, said);
        if (strcmp(said, linux_said) != 0)
            printf("%s:\n", path);
        CHECK_STR(said, linux_said);
        nr_found += strchr(said, ' ') != NULL;
        nr_loops += atoi(said) == ERR_SYMLINK_LOOP;
    }
    CHECK(nr_found > 500 && nr_loops > 100);
    close_tree(&o);
}

/* A chain of 40 links may be followed; one more is too many, and is named. */
static void forty_links_are_followed(void)
{
    struct walk_report r;
    struct opened o;
    struct node n;

    run("rm -rf tree; mkdir -p tree/a/b; echo end > tree/c0; cd tree; "
        "for i in $(seq 41); do ln -s $([ $((i %% 2)) = 0 ] && echo a/../c || echo /c)$((i - 1)) "
        "c$i; "
        "done; ln -s ../x a/x; ln -s a/x x; ln -s self a/self");
    open_tree(&o);
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/c40", &n, NULL));
    CHECK_U64(n.size_bytes, 4);
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/c41", &n, &r), ERR_SYMLINK_LOOP);
    CHECK_STR(r.failed_at, "c1");
    CHECK_STR(r.in_dir, "/");
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/x/y/z", &n, &r), ERR_SYMLINK_LOOP);
    CHECK_STR(r.failed_at, "x");
    CHECK_ERR(fs_walk(&o.fs, &o.arena, "/a/b/../self", &n, &r), ERR_SYMLINK_LOOP);
    CHECK_STR(r.failed_at, "self");
    CHECK_STR(r.in_dir, "/a");
    close_tree(&o);
}

/* Links with long targets: each adds 201 names, and there is an end to that. */
static void long_ways_end(void)
{
    struct walk_report r;
    struct opened o;
    struct node n;
    char text[200];

    run("rm -rf tree; mkdir -p tree/a; echo end > tree/c0; cd tree; "
        "way=$(for i in $(seq 200); do printf a/../; done); "
        "for i in $(seq 21); do ln -s ${way}c$((i - 1)) c$i; done");
    open_tree(&o);
    CHECK_OK(fs_walk(&o.fs, &o.arena, "/c20", &n, NULL)); /* 20 * 201 + 1 */
    CHECK_U64(n.size_bytes, 4);
    struct err e = fs_walk(&o.fs, &o.arena, "/c21", &n, &r);

    CHECK_ERR(e, ERR_LIMIT);
    (void)err_format(e, NULL, text, sizeof(text));
    CHECK(strstr(text, "more than 4096 names") != NULL);
    CHECK_STR(r.in_dir, "/");
    close_tree(&o);
}

int main(void)
{
    RUN(walks_end_where_linux_ends);
    RUN(forty_links_are_followed);
    RUN(long_ways_end);
    return test_done();
}

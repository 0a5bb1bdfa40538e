/* SPDX-License-Identifier: MIT */
/*
 * writer FOLDER NR_ENTRIES[f] - states that only a kernel writes: files in many pieces written in
 * random order, unwritten and punched extents, large directories with deleted entries, links at the
 * lengths where their storage changes. Runs in the test's guest; statically linked.
 *
 * "f": without folders. What a file system does not support (fallocate on ext2) is left out. Any
 * other failure ends the program with a message.
 */
#include <fcntl.h>
#include <linux/fs.h>
#include <linux/fsverity.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/images/files.h"

#define PIECE         1024
#define FLAG_CASEFOLD 0x40000000

/* Every `step`th piece of nr, in random order; then synced, so that each is an extent. */
static void scatter(const char *path, uint32_t nr, uint32_t step)
{
    uint32_t *order = calloc(nr, sizeof(*order));
    int fd = create(path);

    if (order == NULL)
        exit(1);
    for (uint32_t i = 0; i < nr; i++) {
        uint32_t j = rnd(i + 1);

        order[i] = order[j];
        order[j] = i;
    }
    for (uint32_t i = 0; i < nr; i++) {
        if (order[i] % step == 0)
            put(fd, (uint64_t)order[i] * 4096, PIECE + order[i] % 3000);
        if (i % 512 == 511)
            must(fdatasync(fd) == 0, "fdatasync");
    }
    free(order);
    close_synced(fd);
}

/* Two files that grow in turns, synced each time; then the holes of a third are filled. */
static void interleave(void)
{
    int a = create("frag-a"), b = create("frag-b"), c = create("frag-c");

    for (uint32_t i = 0; i < 200; i++) {
        put(a, (uint64_t)i * 6000, 6000);
        must(fdatasync(a) == 0, "fdatasync");
        put(b, (uint64_t)i * 9000, 9000);
        must(fdatasync(b) == 0, "fdatasync");
        put(c, (uint64_t)i * 16384, 4096);
    }
    must(fdatasync(c) == 0, "fdatasync");
    for (uint32_t i = 0; i < 200; i += 3)
        put(c, (uint64_t)i * 16384 + 8192, 8192);
    close_synced(a);
    close_synced(b);
    close_synced(c);
}

/* Not written, partly written, punched out. */
static void preallocate(void)
{
    int fd = create("unwritten");

    if (fallocate(fd, 0, 0, 3 << 20) == 0) {
        put(fd, 1 << 20, 5000);
        put(fd, (2 << 20) + 12345, 1);
    }
    close_synced(fd);
    fd = create("beyond-the-end");
    put(fd, 0, 3000);
    (void)!fallocate(fd, FALLOC_FL_KEEP_SIZE, 0, 1 << 20);
    close_synced(fd);
    fd = create("punched");
    for (uint32_t i = 0; i < 16; i++)
        put(fd, (uint64_t)i * 65536, 65536);
    must(fdatasync(fd) == 0, "fdatasync");
    (void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 100000, 300000);
    (void)!fallocate(fd, FALLOC_FL_ZERO_RANGE, 700000, 100000);
    close_synced(fd);
}

/* All levels of indirection with 1 KiB blocks, from the far end to the near one. */
static void indirect(void)
{
    static const uint64_t places[] = {71000000, 67400000, 67371008 - 512, 40000000, 1000000, 274432,
                                      274431,   262144,   12288,          11000,    0};
    int fd = create("indirect");
    struct statvfs vfs;
    size_t i = 0;

    must(fstatvfs(fd, &vfs) == 0, "fstatvfs");
    if (vfs.f_bsize != 1024) /* larger blocks reach as far with two levels */
        i = 4;
    for (; i < sizeof(places) / sizeof(places[0]); i++)
        put(fd, places[i], 2000);
    close_synced(fd);
    fd = create("cut");
    put(fd, 0, 60000);
    put(fd, 500000, 60000);
    must(fdatasync(fd) == 0, "fdatasync");
    must(ftruncate(fd, 520001) == 0, "ftruncate");
    close_synced(fd);
}

static void links(void)
{
    static const uint32_t lens[] = {1, 59, 60, 61, 156, 157, 500, 1000, 1022};
    char target[1100], name[32];

    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        memset(target, 'x', lens[i]);
        target[lens[i]] = '\0';
        snprintf(name, sizeof(name), "link-%u", lens[i]);
        must(symlink(target, name) == 0, name);
    }
}

/* A directory without case, where there are such. run.py looks its names up in other cases. */
static void without_case(uint32_t nr)
{
    int flags = 0, dir;
    char name[100], other[100];

    must(mkdir("without-case", 0755) == 0, "without-case");
    dir = open("without-case", O_RDONLY | O_DIRECTORY);
    must(dir >= 0, "without-case");
    if (ioctl(dir, FS_IOC_GETFLAGS, &flags) != 0 ||
        (flags |= FLAG_CASEFOLD, ioctl(dir, FS_IOC_SETFLAGS, &flags) != 0)) {
        close(dir);
        must(rmdir("without-case") == 0, "rmdir");
        return;
    }
    close(dir);
    must(chdir("without-case") == 0, "without-case");
    for (uint32_t i = 0; i < nr; i++) {
        snprintf(name, sizeof(name), "Stra\u00dfe-\u00c9t\u00e9-\u03a3\u03c2-%u", i);
        snprintf(other, sizeof(other), "sTRASSE-e\u0301t\u00c9-\u03c3\u03a3-%u", i);
        close(create(name));
        must(access(other, F_OK) == 0, other);
    }
    must(chdir("..") == 0, "..");
}

/* A file whose hash tree follows its data, where there are such. */
static void verity(void)
{
    struct fsverity_enable_arg arg = {
        .version = 1, .hash_algorithm = FS_VERITY_HASH_ALG_SHA256, .block_size = 4096};
    int fd = create("verity");

    put(fd, 0, 65536);
    put(fd, 400000, 54321);
    close_synced(fd);
    fd = open("verity", O_RDONLY);
    must(fd >= 0, "verity");
    (void)!ioctl(fd, FS_IOC_ENABLE_VERITY, &arg);
    close(fd);
}

/* Attributes that fill an inode, a block, an inode of their own; what they hold is not read. */
static void attributes(void)
{
    static char value[50000];
    static const size_t lens[] = {10, 200, 3000, sizeof(value)};
    char name[64];

    memset(value, 'v', sizeof(value));
    for (size_t i = 0; i < sizeof(lens) / sizeof(lens[0]); i++) {
        snprintf(name, sizeof(name), "attributes-%zu", i);
        int fd = create(name);
        put(fd, 0, 50);
        (void)!fsetxattr(fd, "user.one", value, lens[i], 0);
        (void)!fsetxattr(fd, "user.two", value, 30, 0);
        close_synced(fd);
        snprintf(name, sizeof(name), "attributes-folder-%zu", i);
        if (mkdir(name, 0755) != 0)
            continue;
        (void)!setxattr(name, "user.one", value, lens[i], 0);
        strcat(name, "/file");
        close(create(name));
    }
}

int main(int argc, char **argv)
{
    must(argc == 3 && chdir(argv[1]) == 0, "usage: writer FOLDER NR_ENTRIES[f]");
    uint32_t nr = (uint32_t)atoi(argv[2]);

    create("the-first-name-is-a-long-one-in-all-folders");
    scatter("scattered", 2500, 1);
    scatter("scattered-holes", 5000, 2);
    interleave();
    preallocate();
    indirect();
    links();
    if (strchr(argv[2], 'f') != NULL)
        return 0;
    verity();
    attributes();
    directory("short-names", nr, 20);
    directory("long-names", nr / 2, 250);
    directory("emptied", 300, 100);
    without_case(nr / 4);
    must(system("cd emptied && for f in [0-9f]*; do rm \"$f\"; done") == 0, "rm");
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * dirty FOLDER ROUNDS[f] - leaves a file system in the middle of its work: many synced changes that
 * its journal holds, some that nobody synced, and files that only an open descriptor keeps. The
 * guest then ends without unmounting. Statically linked.
 *
 * "f": without folders. What a file system does not support (reflinks, fallocate, extended
 * attributes) is left out.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/images/files.h"

#define NAME_LEN 64

static bool flat;

static void numbered(char name[NAME_LEN], const char *stem, uint32_t n)
{
    snprintf(name, NAME_LEN, "%s-%u", stem, n);
}

static void make(const char *path, uint32_t size, uint32_t salt)
{
    int fd = create(path);

    for (uint32_t off = 0; off < size; off += 4096)
        put_salted(fd, off, size - off < 4096 ? size - off : 4096, salt);
    close_synced(fd);
}

/* Blocks that were metadata become data: what revoke records are for. */
static void reuse(uint32_t round)
{
    char dir[NAME_LEN], name[2 * NAME_LEN];

    numbered(dir, flat ? "file" : "gone", round);
    if (!flat)
        must(mkdir(dir, 0755) == 0, dir);
    for (uint32_t i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "%s%c%u-a-name-that-fills-blocks-soon", dir, flat ? '-' : '/',
                 i);
        close(create(name));
    }
    sync_folder(flat ? "." : dir);
    for (uint32_t i = 0; i < 200; i++) {
        snprintf(name, sizeof(name), "%s%c%u-a-name-that-fills-blocks-soon", dir, flat ? '-' : '/',
                 i);
        must(unlink(name) == 0, name);
    }
    must(flat || rmdir(dir) == 0, dir);
    sync_folder(".");
    numbered(name, "reused", round);
    make(name, 60000, round);
}

/* A file in many pieces, cut, punched, grown again. */
static void pieces(uint32_t round)
{
    char name[NAME_LEN];
    int fd;

    numbered(name, "pieces", round);
    fd = create(name);
    for (uint32_t i = 0; i < 60; i++) {
        put_salted(fd, (uint64_t)rnd(300) * 8192, 1 + rnd(6000), round);
        if (i % 8 == 0)
            must(fdatasync(fd) == 0, name);
    }
    (void)!fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, 40960, 81920);
    must(ftruncate(fd, 1500000 + rnd(100000)) == 0, name);
    put_salted(fd, 1700000, 5000, round);
    (void)!fallocate(fd, 0, 1800000, 300000);
    put_salted(fd, 1900000, 3000, round);
    must(fsync(fd) == 0, name);
    if (round % 2 == 0)
        must(ftruncate(fd, 70000) == 0, name);
    close_synced(fd);
}

static void names(uint32_t round)
{
    char a[NAME_LEN], b[2 * NAME_LEN], target[600];

    numbered(a, "old-name", round);
    numbered(b, "new-name", round);
    make(a, 3000, round);
    must(rename(a, b) == 0, b);
    numbered(a, "second-name", round);
    must(link(b, a) == 0, a);
    must(chmod(b, 0600 + round % 8) == 0, b);
    memset(target, 'y', sizeof(target));
    target[30 + rnd(560)] = '\0';
    numbered(a, "link", round);
    must(symlink(target, a) == 0, a);
    numbered(a, "fifo", round);
    must(mkfifo(a, 0640) == 0, a);
    if (!flat) {
        numbered(a, "folder", round);
        make_folder(a);
        snprintf(b, sizeof(b), "%s/inside", a);
        make(b, 9000, round);
        numbered(b, "moved", round);
        must(rename(a, b) == 0, b);
    }
    if (round > 0) { /* over a file that is there */
        numbered(a, "new-name", round - 1);
        make("over", 2000 + round, round);
        must(rename("over", a) == 0, a);
        numbered(b, "new-name", round);
        (void)!renameat2(AT_FDCWD, a, AT_FDCWD, b, RENAME_EXCHANGE);
    }
    sync_folder(".");
}

/* Attributes (short, long, remote), a shared copy written to, files that only we hold. */
static void extras(uint32_t round)
{
    static char value[60000];
    char name[NAME_LEN];
    int from, to;

    numbered(name, "attributes", round);
    make(name, 100, round);
    memset(value, 'v', sizeof(value));
    (void)!setxattr(name, "user.short", value, 20, 0);
    (void)!setxattr(name, "user.long", value, 1500, 0);
    (void)!setxattr(name, "user.remote", value, 20000 + rnd(40000), 0);
    if (round % 3 == 0)
        (void)!removexattr(name, "user.remote");
    numbered(name, "reused", round);
    from = open(name, O_RDONLY);
    must(from >= 0, name);
    numbered(name, "shared", round);
    to = create(name);
    if (ioctl(to, FICLONE, from) != 0)
        put_salted(to, 0, 60000, round);
    put_salted(to, 20000, 9000, round + 1);
    close_synced(to);
    close(from);
    numbered(name, "held", round);
    to = create(name); /* never closed */
    put_salted(to, 0, 50000, round);
    must(fsync(to) == 0 && unlink(name) == 0, name);
    to = open(".", O_TMPFILE | O_RDWR, 0600);
    if (to >= 0)
        put_salted(to, 0, 10000, round);
    sync_folder(".");
}

/* What nobody synced may be there or not; the journal decides. */
static void unsynced(void)
{
    char name[NAME_LEN];
    int fd;

    for (uint32_t i = 0; i < 40; i++) {
        numbered(name, "unsynced", i);
        fd = create(name);
        put_salted(fd, 0, i * 1000 + 1, i);
        close(fd);
    }
    must(rename("unsynced-3", "unsynced-moved") == 0 && unlink("unsynced-5") == 0, "unsynced");
    fd = open(flat ? "menu.lst" : "boot/grub/menu.lst", O_RDWR | O_APPEND);
    must(fd >= 0 && write(fd, "# not synced\n", 13) == 13, "menu.lst");
    close(fd);
}

static void sync_file_system(void)
{
    int fd = open(".", O_RDONLY | O_DIRECTORY);

    must(fd >= 0 && syncfs(fd) == 0, "syncfs");
    close(fd);
}

int main(int argc, char **argv)
{
    must(argc == 3 && chdir(argv[1]) == 0, "usage: dirty FOLDER ROUNDS[f]");
    uint32_t rounds = (uint32_t)atoi(argv[2]);

    flat = strchr(argv[2], 'f') != NULL;
    create("the-first-name-is-a-long-one-in-all-folders");
    if (!flat)
        directory("before", 600, 60);
    sync_file_system(); /* sync() would write all the guest's disks home */
    for (uint32_t i = 0; i < rounds; i++) {
        rnd_seed(i);
        upgrade(i + 1, 200, flat);
        names(i);
        pieces(i);
        reuse(i);
        extras(i);
        if (!flat && i % 4 == 2) {
            char dir[NAME_LEN];

            numbered(dir, "entries", i);
            directory(dir, 400, 100);
            sync_folder(dir);
        }
    }
    unsynced();
    return 0;
}

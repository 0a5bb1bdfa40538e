/* SPDX-License-Identifier: MIT */
/*
 * dirty FOLDER ROUNDS[f|s] - leaves a file system in the middle of its work: many synced changes
 * that its journal holds, some that nobody synced, and files that only an open descriptor keeps.
 * The guest then ends without unmounting. Statically linked.
 *
 * "f": without folders. "s": all free space is in pieces, too short for a whole chunk of XFS's
 * inodes. What a file system does not support (reflinks, exchanges, fallocate, extended attributes)
 * is left out. A file system of XFS that fills less than half of its disk is grown to the disk's
 * size.
 */
#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <sys/sysmacros.h>
#include <sys/xattr.h>
#include <unistd.h>

#include "tests/images/files.h"

#define NAME_LEN    64
#define MANY_FILES  1500
#define MANY_PIECES 1500

/* As xfs/xfs_fs.h of xfsprogs has them; Debian 12's lacks the exchange. */
struct grow {
    uint64_t nr_blocks;
    uint32_t max_inodes_percent;
};
struct exchange {
    int32_t fd1;
    uint32_t zero;
    uint64_t off1, off2, len, flags;
};
#define XFS_GROW           _IOW('X', 110, struct grow)
#define XFS_EXCHANGE       _IOW('X', 129, struct exchange)
#define EXCHANGE_TO_END    1u
#define MAX_INODES_PERCENT 25 /* as mkfs.xfs sets it */

static bool flat, can_exchange;

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

/* Two files change their contents: XFS does it piece by piece, by intents. */
static void exchange(const char *a, const char *b)
{
    struct exchange e = {.fd1 = open(a, O_RDWR), .flags = EXCHANGE_TO_END};
    int fd = open(b, O_RDWR);

    must(e.fd1 >= 0 && fd >= 0, b);
    can_exchange = ioctl(fd, XFS_EXCHANGE, &e) == 0;
    close(e.fd1);
    close(fd);
}

/* The log is written in the middle of an exchange, whose end is not in it then. */
static void half_exchanged(void)
{
    static const char *const names[] = {"half-a", "half-b"};
    int fd;

    for (uint32_t salt = 0; salt < 2; salt++) {
        fd = create(names[salt]);
        for (uint32_t i = 0; i < MANY_PIECES; i++)
            put_salted(fd, (uint64_t)i * 8192, 4096, salt + i);
        close_synced(fd);
    }
    fd = create("forces-the-log");
    pid_t child = fork();
    must(child >= 0, "fork");
    if (child == 0) {
        exchange(names[0], names[1]);
        _exit(0);
    }
    for (uint32_t i = 0; i < 5; i++) {
        put_salted(fd, (uint64_t)i * 4096, 4096, i);
        must(fsync(fd) == 0, "fsync");
    }
}

/* A file in many pieces, cut, punched, grown again. */
static void pieces(uint32_t round)
{
    char name[NAME_LEN], before[NAME_LEN];
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
    if (round > 0) {
        numbered(before, "pieces", round - 1);
        exchange(before, name);
    }
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

/* To the disk's size, which then only the superblock in the log says. */
static void grow(void)
{
    struct grow g = {.max_inodes_percent = MAX_INODES_PERCENT};
    uint64_t nr_sectors = 0;
    char path[NAME_LEN];
    struct statvfs vfs;
    struct stat st;
    FILE *f;
    int fd;

    must(stat(".", &st) == 0, "stat");
    must(statvfs(".", &vfs) == 0, "statvfs");
    snprintf(path, sizeof(path), "/sys/dev/block/%u:%u/size", major(st.st_dev), minor(st.st_dev));
    f = fopen(path, "r");
    must(f != NULL && fscanf(f, "%lu", &nr_sectors) == 1, path);
    fclose(f);
    g.nr_blocks = nr_sectors * 512 / vfs.f_bsize;
    if (vfs.f_blocks >= g.nr_blocks / 2)
        return;
    fd = open(".", O_RDONLY | O_DIRECTORY);
    must(fd >= 0, "folder");
    if (ioctl(fd, XFS_GROW, &g) != 0)
        must(errno == ENOTTY, "grow");
    close(fd);
}

/* One file takes all free space, and gives back seven blocks of eight: chunks of 32 inodes fit, of
 * 64 not. */
static void shred(void)
{
    struct statvfs vfs;
    uint64_t size = 0, block;
    int fd = create("shreds");

    must(fstatvfs(fd, &vfs) == 0, "shreds");
    block = vfs.f_bsize;
    for (uint64_t step = 4096 * block; step >= block; step /= 2)
        while (fallocate(fd, 0, (off_t)size, (off_t)step) == 0)
            size += step;
    for (uint64_t off = 0; off + 8 * block <= size; off += 8 * block)
        must(fallocate(fd, FALLOC_FL_PUNCH_HOLE | FALLOC_FL_KEEP_SIZE, (off_t)off,
                       (off_t)(7 * block)) == 0,
             "shreds");
    close_synced(fd);
}

static void many_files(void)
{
    char name[NAME_LEN];

    make_folder("many");
    for (uint32_t i = 0; i < MANY_FILES; i++) {
        numbered(name, "many/file", i);
        close(create(name));
    }
    sync_folder("many");
}

int main(int argc, char **argv)
{
    must(argc == 3 && chdir(argv[1]) == 0, "usage: dirty FOLDER ROUNDS[f|s]");
    uint32_t rounds = (uint32_t)atoi(argv[2]);

    flat = strchr(argv[2], 'f') != NULL;
    create("the-first-name-is-a-long-one-in-all-folders");
    if (!flat)
        directory("before", 600, 60);
    if (strchr(argv[2], 's') != NULL)
        shred();
    sync_file_system(); /* sync() would write all the guest's disks home */
    for (uint32_t i = 0; i < rounds; i++) {
        rnd_seed(i);
        if (i == rounds / 2)
            grow();
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
    if (strchr(argv[2], 's') != NULL)
        many_files();
    unsynced();
    if (can_exchange)
        half_exchanged();
    return 0;
}

/* SPDX-License-Identifier: MIT */
#include "tests/images/files.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define NAME_CH   "abcdefghijklmnopqrstuvwxyz0123456789"
#define LONG_NAME "a-name-that-is-long-enough-to-make-up-for-many-short-ones-below"
#define SEED      88172645463325252u
#define KERNELS   3 /* that stay in boot */
#define WRITE_MAX 65536u

static uint64_t state = SEED;

void rnd_seed(uint64_t seed)
{
    state = SEED ^ (seed * 0x9e3779b97f4a7c15u);
}

uint32_t rnd(uint32_t below)
{
    state ^= state << 13;
    state ^= state >> 7;
    state ^= state << 17;
    return (uint32_t)(state >> 20) % below;
}

void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "guest: %s: %s\n", what, strerror(errno));
    exit(1);
}

int create(const char *path)
{
    int fd = open(path, O_RDWR | O_CREAT | O_TRUNC, 0644);

    must(fd >= 0, path);
    return fd;
}

void put_salted(int fd, uint64_t off, uint32_t len, uint32_t salt)
{
    static uint8_t buf[WRITE_MAX];

    for (uint32_t i = 0; i < len; i++)
        buf[i] = (uint8_t)((off + i) * 31 + (off + i) / 253 + 1 + salt * 7);
    must(pwrite(fd, buf, len, (off_t)off) == (ssize_t)len, "pwrite");
}

void put(int fd, uint64_t off, uint32_t len)
{
    put_salted(fd, off, len, 0);
}

void close_synced(int fd)
{
    must(fsync(fd) == 0, "fsync");
    close(fd);
}

void sync_folder(const char *path)
{
    int fd = open(path, O_RDONLY | O_DIRECTORY);

    must(fd >= 0, path);
    close_synced(fd);
}

void make_folder(const char *path)
{
    char name[256];

    must(mkdir(path, 0755) == 0, path);
    snprintf(name, sizeof(name), "%s/%s", path, LONG_NAME);
    close(create(name));
}

void entry_name(char name[256], uint32_t i, uint32_t max_len)
{
    uint32_t len = 8 + (i * 2654435761u >> 8) % (max_len - 7);

    snprintf(name, 256, "%06u", i);
    for (uint32_t k = 6; k < len; k++)
        name[k] = NAME_CH[(i * 7 + k * k) % 36];
    name[len] = '\0';
}

/* Entries are links: a directory's size is what matters here. */
void directory(const char *dir, uint32_t nr, uint32_t max_len)
{
    char name[256], target[32] = "";

    make_folder(dir);
    must(chdir(dir) == 0, dir);
    for (uint32_t i = 0; i < nr; i++) {
        entry_name(name, i, max_len);
        if (i % 20000 == 0) {
            snprintf(target, sizeof(target), "file-%u", i);
            close(create(target));
        }
        must(link(target, name) == 0, name);
    }
    for (uint32_t i = 0; i < nr; i += 3) {
        entry_name(name, i, max_len);
        must(unlink(name) == 0, name);
    }
    for (uint32_t i = nr; i < nr + nr / 10; i++) {
        entry_name(name, i, max_len);
        must(link(target, name) == 0, name);
    }
    must(chdir("..") == 0, "..");
}

/* Writes `to` beside, then puts it in its place. */
static void replace(const char *to, uint32_t size, uint32_t salt, const char *text)
{
    char beside[64];
    int fd;

    snprintf(beside, sizeof(beside), "%s.dpkg-new", to);
    fd = create(beside);
    if (text != NULL)
        must(write(fd, text, size) == (ssize_t)size, "write");
    for (uint32_t off = 0; text == NULL && off < size; off += WRITE_MAX)
        put_salted(fd, off, size - off < WRITE_MAX ? size - off : WRITE_MAX, salt);
    close_synced(fd);
    must(rename(beside, to) == 0, to);
    sync_folder(".");
}

static void replace_menu(const char *path, uint32_t n)
{
    char text[1024] = "default 0\ntimeout 3\n", entry[200];

    for (uint32_t i = n; i > 0 && i + KERNELS > n; i--) {
        snprintf(entry, sizeof(entry),
                 "title kernel %u\nroot (hd0)\nkernel /boot/vmlinuz-%u root=/dev/xvda ro\n"
                 "initrd /boot/initrd-%u\n",
                 i, i, i);
        strcat(text, entry);
    }
    replace(path, (uint32_t)strlen(text), 0, text);
}

static void remove_old(const char *stem, uint32_t n)
{
    char name[32];

    snprintf(name, sizeof(name), "%s-%u", stem, n);
    must(unlink(name) == 0 || errno == ENOENT, name);
}

void upgrade(uint32_t n, uint32_t max_kib, bool flat)
{
    char name[32];
    uint32_t bytes = max_kib * 1024;

    if (!flat && access("boot", F_OK) != 0) {
        make_folder("boot");
        make_folder("boot/grub");
    }
    must(flat || chdir("boot") == 0, "boot");
    snprintf(name, sizeof(name), "vmlinuz-%u", n);
    replace(name, bytes / 4 + n * 2654435761u % (bytes / 4), n, NULL);
    snprintf(name, sizeof(name), "initrd-%u", n);
    replace(name, bytes / 2 + n * 40503u % (bytes / 2), n + 100, NULL);
    replace_menu(flat ? "menu.lst" : "grub/menu.lst", n);
    if (!flat)
        sync_folder("grub");
    if (n > KERNELS) {
        remove_old("vmlinuz", n - KERNELS);
        remove_old("initrd", n - KERNELS);
    }
    must(flat || chdir("..") == 0, "..");
}

/* SPDX-License-Identifier: MIT */
#include "tests/unit/tree.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define PATH_BYTES 512

static void give_up(const char *what)
{
    fprintf(stderr, "no test disk: %s: %s\n", what, strerror(errno));
    exit(99);
}

static void make_folders(char *path, size_t base_len)
{
    for (char *p = path + base_len + 1; *p != '\0'; p++) {
        if (*p != '/')
            continue;
        *p = '\0';
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            give_up(path);
        *p = '/';
    }
}

static void make_file(const char *base, const struct tree_file *file)
{
    char path[PATH_BYTES];
    FILE *f;

    snprintf(path, sizeof(path), "%s%s", base, file->path);
    make_folders(path, strlen(base));
    if (file->text == NULL) {
        if (mkdir(path, 0755) != 0 && errno != EEXIST)
            give_up(path);
        return;
    }
    f = fopen(path, "w");
    if (f == NULL || fputs(file->text, f) < 0 || fclose(f) != 0)
        give_up(path);
}

static void run(const char *command)
{
    if (system(command) != 0)
        give_up(command);
}

/* Write the files' file system to data[0..TREE_BYTES). */
static void make_fs(uint8_t *data, const struct tree_file *files)
{
    char dir[] = "/tmp/pvboot-tree-XXXXXX", root[64], command[PATH_BYTES];
    FILE *f;

    if (mkdtemp(dir) == NULL)
        give_up(dir);
    snprintf(root, sizeof(root), "%s/root", dir);
    if (mkdir(root, 0755) != 0)
        give_up(root);
    for (; files->path != NULL; files++)
        make_file(root, files);
    snprintf(command, sizeof(command),
             "PATH=$PATH:/sbin:/usr/sbin mke2fs -q -F -t ext4 -b 1024 -O ^has_journal -d %s %s/img "
             "%zuk > /dev/null",
             root, dir, TREE_BYTES / 1024);
    run(command);
    snprintf(command, sizeof(command), "%s/img", dir);
    f = fopen(command, "r");
    if (f == NULL || fread(data, 1, TREE_BYTES, f) != TREE_BYTES || fclose(f) != 0)
        give_up(command);
    snprintf(command, sizeof(command), "rm -r %s", dir);
    run(command);
}

static uint8_t *new_data(size_t size)
{
    uint8_t *data = aligned_alloc(4096, size);

    if (data == NULL)
        give_up("memory");
    return memset(data, 0, size);
}

void tree_disk(struct mem_disk *d, const struct tree_file *files)
{
    uint8_t *data = new_data(TREE_BYTES);

    make_fs(data, files);
    mem_disk_init(d, data, TREE_BYTES, 512);
}

static void put32(uint8_t *p, uint32_t v)
{
    for (int i = 0; i < 4; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

void tree_disk_parts(struct mem_disk *d, const struct tree_file *whole,
                     const struct tree_file *const parts[4])
{
    size_t size = 5 * TREE_BYTES;
    uint8_t *data = new_data(size);

    if (whole != NULL)
        make_fs(data, whole);

    for (size_t n = 0; n < 4; n++) {
        uint8_t *entry = data + 446 + 16 * n;
        size_t off = (n + 1) * TREE_BYTES;

        if (parts[n] == NULL)
            continue;
        entry[4] = 0x83;
        put32(entry + 8, (uint32_t)(off / 512));
        put32(entry + 12, (uint32_t)(TREE_BYTES / 512));
        make_fs(data + off, parts[n]);
    }
    data[510] = 0x55;
    data[511] = 0xaa;
    mem_disk_init(d, data, size, 512);
}

void tree_free(struct mem_disk *d)
{
    free(d->data);
    d->data = NULL;
}

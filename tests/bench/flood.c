/* SPDX-License-Identifier: MIT */
/*
 * flood FOLDER NR - fill a journal: NR symbolic links with long targets, or with NR below 1000,
 * that many files of 1 MiB; then sync, and leave it to the caller to crash. Statically linked.
 */
#define _GNU_SOURCE
#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define LINKS_A_FOLDER 500

static void must(int good, const char *what)
{
    if (good)
        return;
    fprintf(stderr, "flood: %s: %s\n", what, strerror(errno));
    exit(1);
}

static void files(int nr)
{
    static unsigned char data[1 << 20];
    char name[32];

    for (int i = 0; i < nr; i++) {
        for (size_t k = 0; k < sizeof(data); k++)
            data[k] = (unsigned char)(k * 31 + k / 255 + (size_t)i);
        snprintf(name, sizeof(name), "flood-%d", i);
        int fd = open(name, O_WRONLY | O_CREAT, 0644);

        must(fd >= 0 && write(fd, data, sizeof(data)) == sizeof(data) && close(fd) == 0, name);
    }
}

static void links(int nr)
{
    char target[900], name[64];

    for (int i = 0; i < nr; i++) {
        snprintf(name, sizeof(name), "flood-%d", i / LINKS_A_FOLDER);
        must(i % LINKS_A_FOLDER != 0 || mkdir(name, 0755) == 0, name);
        memset(target, 'a' + i % 26, sizeof(target) - 1);
        target[sizeof(target) - 1] = '\0';
        snprintf(name, sizeof(name), "flood-%d/link-%d", i / LINKS_A_FOLDER, i);
        must(symlink(target, name) == 0, name);
    }
}

int main(int argc, char **argv)
{
    must(argc == 3 && chdir(argv[1]) == 0, "usage: flood FOLDER NR");
    int nr = atoi(argv[2]), fd = open(".", O_RDONLY | O_DIRECTORY);

    if (nr < 1000)
        files(nr);
    else
        links(nr);
    must(fd >= 0 && syncfs(fd) == 0, "syncfs");
    return 0;
}

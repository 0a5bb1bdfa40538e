/* SPDX-License-Identifier: MIT */
#include "tests/unit/mkxfs.h"

#include <dirent.h>
#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "tests/unit/mkfs.h"

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

static void list_folder(FILE *proto, const char *path);

static void list_entry(FILE *proto, const char *folder, const char *name)
{
    char path[4096], target[4096];
    struct stat st;

    snprintf(path, sizeof(path), "%s/%s", folder, name);
    if (lstat(path, &st) != 0)
        die(path);
    if (S_ISDIR(st.st_mode)) {
        fprintf(proto, "%s d--%03o 0 0\n", name, st.st_mode & 0777u);
        list_folder(proto, path);
    } else if (S_ISLNK(st.st_mode)) {
        ssize_t n = readlink(path, target, sizeof(target) - 1);

        if (n < 0)
            die(path);
        fprintf(proto, "%s l--777 0 0 %.*s\n", name, (int)n, target);
    } else {
        fprintf(proto, "%s ---%03o 0 0 %s\n", name, st.st_mode & 0777u, path);
    }
}

static void list_folder(FILE *proto, const char *path)
{
    DIR *d = opendir(path);

    if (d == NULL)
        die(path);
    for (struct dirent *e; (e = readdir(d)) != NULL;) {
        if (strcmp(e->d_name, ".") != 0 && strcmp(e->d_name, "..") != 0)
            list_entry(proto, path, e->d_name);
    }
    closedir(d);
    fprintf(proto, "$\n");
}

uint8_t *make_xfs(const char *options, const char *tree, const char *size, size_t *len)
{
    char path[4096];

    snprintf(path, sizeof(path), "%s/proto", temp_dir());
    FILE *proto = fopen(path, "w");

    if (proto == NULL)
        die(path);
    fprintf(proto, "/dev/null\n0 0\nd--755 0 0\n");
    snprintf(path, sizeof(path), "%s/%s", temp_dir(), tree);
    list_folder(proto, path);
    if (fclose(proto) != 0)
        die("the prototype file");
    run("rm -f image; truncate -s %s image; PATH=$PATH:/sbin:/usr/sbin; "
        "TEST_DIR=. TEST_DEV=. QA_CHECK_FS=1 mkfs.xfs -q -f %s -p proto image >mkfs.log 2>&1 || "
        "{ cat mkfs.log >&2; false; }",
        size, options);
    return get_file("image", len);
}

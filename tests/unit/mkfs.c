/* SPDX-License-Identifier: MIT */
#include "tests/unit/mkfs.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

static char dir[256];

static void die(const char *what)
{
    fprintf(stderr, "%s: %s\n", what, strerror(errno));
    exit(2);
}

void drop_temp_dir(void)
{
    char command[sizeof(dir) + 32];

    if (dir[0] == '\0')
        return;
    snprintf(command, sizeof(command), "rm -rf '%s'", dir);
    if (system(command) != 0)
        fprintf(stderr, "%s is left behind\n", dir);
    dir[0] = '\0';
}

const char *temp_dir(void)
{
    const char *base = getenv("TMPDIR");

    if (dir[0] == '\0') {
        snprintf(dir, sizeof(dir), "%s/pvboot-unit-XXXXXX", base != NULL ? base : "/tmp");
        if (mkdtemp(dir) == NULL)
            die(dir);
        atexit(drop_temp_dir);
    }
    return dir;
}

void put_file(const char *path, const void *data, size_t len)
{
    char full[4096];
    int n = snprintf(full, sizeof(full), "%s/%s", temp_dir(), path);

    for (int i = (int)strlen(dir) + 1; i < n; i++) {
        if (full[i] != '/')
            continue;
        full[i] = '\0';
        if (mkdir(full, 0755) != 0 && errno != EEXIST)
            die(full);
        full[i] = '/';
    }
    FILE *f = fopen(full, "wb");

    if (f == NULL || fwrite(data, 1, len, f) != len || fclose(f) != 0)
        die(full);
}

void run(const char *format, ...)
{
    char command[4096];
    int n = snprintf(command, sizeof(command), "cd '%s' && { ", temp_dir());
    va_list args;

    va_start(args, format);
    n += vsnprintf(command + n, sizeof(command) - (size_t)n, format, args);
    va_end(args);
    if ((size_t)n + 8 >= sizeof(command)) {
        errno = E2BIG;
        die(format);
    }
    strcpy(command + n, "\n}");
    int status = system(command);

    if (status != 0) {
        fprintf(stderr, "status %d of: %s\n", status, command);
        exit(2);
    }
}

uint8_t *get_file(const char *path, size_t *len)
{
    char full[4096];
    struct stat st;

    snprintf(full, sizeof(full), "%s/%s", temp_dir(), path);
    FILE *f = fopen(full, "rb");

    if (f == NULL || fstat(fileno(f), &st) != 0)
        die(full);
    *len = (size_t)st.st_size;
    uint8_t *data = aligned_alloc(4096, (*len + 4095) / 4096 * 4096 + 4096);

    if (data == NULL || fread(data, 1, *len, f) != *len)
        die(full);
    fclose(f);
    return data;
}

uint8_t *make_ext(const char *options, const char *tree, const char *size, size_t *len)
{
    run("rm -f image; PATH=$PATH:/sbin:/usr/sbin; "
        "mke2fs -q -F %s -d %s image %s >mke2fs.log 2>&1 || { cat mke2fs.log >&2; false; }",
        options, tree, size);
    return get_file("image", len);
}

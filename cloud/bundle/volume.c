/* SPDX-License-Identifier: MIT */
#include "cloud/bundle/volume.h"
#include "cloud/bundle/program.h"

#include <errno.h>
#include <fcntl.h>
#include <fts.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/bundle/manifest.h"

#define FS_LABEL_MAX 17
#define UUID_MAX     37
#define PUT_BYTES    ((size_t)1 << 20)
#define PUTS_MAX     3
#define TRIES        5u
#define TIME_MAX     (((int64_t)1 << 34) - ((int64_t)1 << 31) - 1) /* ext4's, in 2446 */

struct making {
    struct volume *v;
    const char *work;
    char image[VOLUME_PATH_MAX], stage[VOLUME_PATH_MAX], fstab[VOLUME_PATH_MAX];
    char script[VOLUME_PATH_MAX], empty[VOLUME_PATH_MAX], menu[VOLUME_PATH_MAX];
    uint32_t nr_puts;
    struct {
        const char *file, *path; /* the file goes to the path in the image */
    } puts[PUTS_MAX];
    char uuid[UUID_MAX], label[FS_LABEL_MAX], type[16];
    struct stat root; /* of the volume */
    char *why;
    size_t why_cap;
};

static bool bad(struct making *k, const char *what, const char *path)
{
    snprintf(k->why, k->why_cap, "%s %s: %s", path, what, strerror(errno));
    return false;
}

/* ---- what the file system is called ---------------------------------------------------------- */

/* The value of KEY=... in blkid's answer, if it is as long as it may be. */
static void take_value(const char *text, const char *key, char *out, size_t cap)
{
    const char *p = strstr(text, key);
    size_t len = p != NULL ? strcspn(p + strlen(key), "\n") : 0;

    if (len == 0 || len >= cap)
        return;
    memcpy(out, p + strlen(key), len);
    out[len] = '\0';
}

/* Label and UUID of the volume are kept: fstab and command lines name them. */
static bool name_file_system(struct making *k)
{
    const char *argv[] = {"blkid", "-o", "export", k->v->device, NULL};
    char said[2048], ignored[256];
    FILE *f;

    snprintf(k->type, sizeof(k->type), "%s", "ext4");
    if (strcmp(k->v->fs_type, "ext2") == 0 || strcmp(k->v->fs_type, "ext3") == 0)
        snprintf(k->type, sizeof(k->type), "%s", k->v->fs_type);
    if (strncmp(k->v->device, "/dev/", 5) == 0 &&
        program_run(argv, k->v->stop, said, sizeof(said), ignored, sizeof(ignored))) {
        take_value(said, "\nUUID=", k->uuid, sizeof(k->uuid));
        take_value(said, "\nLABEL=", k->label, sizeof(k->label));
    }
    if (strlen(k->uuid) == UUID_MAX - 1)
        return true;
    f = fopen("/proc/sys/kernel/random/uuid", "re");
    bool good = f != NULL && fgets(k->uuid, sizeof(k->uuid), f) != NULL;

    if (f != NULL)
        fclose(f);
    return good || bad(k, "cannot be read", "/proc/sys/kernel/random/uuid");
}

/* ---- the file system ------------------------------------------------------------------------- */

static uint64_t fs_off(const struct volume *v)
{
    return v->partition != VOLUME_NONE ? VOLUME_PART_OFF : 0;
}

static bool make_file(struct making *k)
{
    int fd = open(k->image, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);
    bool good = fd >= 0 && ftruncate(fd, (off_t)k->v->image_bytes) == 0;

    if (!good)
        bad(k, "cannot be made", k->image);
    if (fd >= 0)
        close(fd);
    return good;
}

static bool make_empty(struct making *k)
{
    int fd = open(k->empty, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600);

    if (fd >= 0)
        close(fd);
    return fd >= 0 || bad(k, "cannot be made", k->empty);
}

static bool make_fs(struct making *k)
{
    char extended[64], blocks[32];
    uint64_t bytes = k->v->image_bytes - 2 * fs_off(k->v);
    /* The inodes of 128 bytes that configurations have for small file systems end in 2038. */
    const char *argv[] = {"mke2fs", "-q",    "-F",     "-t",     k->type, "-I", "256",
                          "-U",     k->uuid, "-L",     k->label, "-m",    "1",  "-E",
                          extended, "-d",    k->stage, k->image, blocks,  NULL};

    snprintf(extended, sizeof(extended), "offset=%llu,root_owner=%u:%u",
             (unsigned long long)fs_off(k->v), k->root.st_uid, k->root.st_gid);
    snprintf(blocks, sizeof(blocks), "%lluk", (unsigned long long)bytes / 1024);
    return program_run(argv, k->v->stop, NULL, 0, k->why, k->why_cap);
}

/* mke2fs speaks of blocks and inodes that it could not allocate. */
static bool does_not_fit(struct making *k)
{
    bool inodes = strstr(k->why, "allocate inode") != NULL;

    snprintf(k->why, k->why_cap,
             "the volume has more %s than an image of %llu MiB has room for; leave some out with "
             "-e, or name a larger size with -s (at most 10240)",
             inodes ? "files" : "data", (unsigned long long)k->v->image_bytes >> 20);
    return false;
}

/* A system that runs removes files while they are copied, and mke2fs ends at the first of them. */
static bool make_fs_of_what_runs(struct making *k)
{
    for (unsigned left = TRIES; !make_fs(k); left--) {
        if (strstr(k->why, "Could not allocate") != NULL)
            return does_not_fit(k);
        if (left == 1 || strstr(k->why, strerror(ENOENT)) == NULL)
            return false;
        k->v->note("a file was removed while it was copied; the copy is made once more");
        if (truncate(k->image, 0) != 0 || truncate(k->image, (off_t)k->v->image_bytes) != 0)
            return bad(k, "cannot be written", k->image);
    }
    return true;
}

/* Into the work folder, whose name debugfs can take. */
static bool copy_file(struct making *k, const char *path, const char *copy)
{
    FILE *from = fopen(path, "re"), *to;
    char buf[4096];
    size_t n, all = 0;

    if (from == NULL)
        return bad(k, "cannot be opened", path);
    to = fopen(copy, "we");
    while (to != NULL && all < PUT_BYTES && (n = fread(buf, 1, sizeof(buf), from)) > 0)
        all += fwrite(buf, 1, n, to);
    bool good = !ferror(from) && to != NULL && !ferror(to) && feof(from);

    if (!good)
        bad(k, all >= PUT_BYTES ? "is larger than 1 MiB" : "cannot be copied", path);
    fclose(from);
    if (to != NULL && fclose(to) != 0 && good)
        good = bad(k, "cannot be written", copy);
    return good;
}

static bool write_fstab(struct making *k)
{
    FILE *f = fopen(k->fstab, "we");

    if (f == NULL)
        return bad(k, "cannot be made", k->fstab);
    fprintf(f,
            "# <device> <folder> <type> <options> <dump> <pass>\n"
            "UUID=%s / %s defaults 1 1\n"
            "none /proc proc defaults 0 0\n"
            "none /sys sysfs defaults 0 0\n"
            "none /dev/pts devpts gid=5,mode=620 0 0\n",
            k->uuid, k->type);
    return fclose(f) == 0 || bad(k, "cannot be written", k->fstab);
}

static void put(struct making *k, const char *file, const char *path)
{
    k->puts[k->nr_puts].file = file;
    k->puts[k->nr_puts++].path = path;
}

static bool is_staged(const struct making *k, const char *path)
{
    char full[2 * VOLUME_PATH_MAX];
    struct stat st;

    snprintf(full, sizeof(full), "%s%s", k->stage, path);
    return lstat(full, &st) == 0;
}

/* The files of the options; a menu goes over those that are there. */
static bool find_puts(struct making *k)
{
    static const char menu[] = "/boot/grub/menu.lst", conf[] = "/boot/grub/grub.conf";
    const struct volume *v = k->v;

    if ((v->generate_fstab && !write_fstab(k)) ||
        (v->fstab != NULL && !copy_file(k, v->fstab, k->fstab)) ||
        (v->menu != NULL && !copy_file(k, v->menu, k->menu)))
        return false;
    if (v->generate_fstab || v->fstab != NULL)
        put(k, k->fstab, "/etc/fstab");
    if (v->menu != NULL && (is_staged(k, menu) || !is_staged(k, conf)))
        put(k, k->menu, menu);
    if (v->menu != NULL && is_staged(k, conf))
        put(k, k->menu, conf);
    return true;
}

/* A quote in quotes is two. False: the line cannot hold the name. */
static bool script_name(FILE *f, const char *command, const char *name, const char *rest)
{
    if (strpbrk(name, "\n\r") != NULL)
        return false;
    fprintf(f, "%s \"", command);
    for (; *name != '\0'; name++)
        fprintf(f, *name == '"' ? "\"\"" : "%c", *name);
    fprintf(f, "\"%s\n", rest);
    return true;
}

/* mke2fs may cut times to 32 bits, and 2200 becomes 1927. */
static void script_late_times(struct making *k, FILE *f)
{
    char *const tops[] = {k->stage, NULL};
    char rest[64], line[VOLUME_PATH_MAX + 64];
    FTS *walk = fts_open(tops, FTS_PHYSICAL | FTS_NOCHDIR, NULL);
    const FTSENT *e;

    while (walk != NULL && *k->v->stop == 0 && (e = fts_read(walk)) != NULL) {
        const struct stat *st = e->fts_statp;

        if (e->fts_level < 1 || e->fts_info == FTS_DP || e->fts_info == FTS_NS ||
            st->st_mtim.tv_sec <= INT32_MAX || st->st_mtim.tv_sec > TIME_MAX)
            continue;
        snprintf(rest, sizeof(rest), " mtime @%lld", (long long)st->st_mtim.tv_sec);
        if (script_name(f, "sif", e->fts_path + strlen(k->stage), rest))
            continue;
        snprintf(line, sizeof(line), "%s may get another time: no line can hold its name",
                 e->fts_path + strlen(k->stage));
        k->v->note(line);
    }
    if (walk != NULL)
        fts_close(walk);
}

static void script_gone(struct making *k, FILE *f)
{
    char line[VOLUME_PATH_MAX + 64];

    for (uint32_t i = 0; i < k->v->gone.nr; i++) {
        const struct volume_path *p = &k->v->gone.paths[i];

        if (script_name(f, p->folder ? "rmdir" : "rm", p->path, ""))
            continue;
        snprintf(line, sizeof(line), "%s stays as an empty one: no line can hold its name",
                 p->path);
        k->v->note(line);
    }
}

/*
 * What mke2fs does not do: names that have to go, times behind 2038, other files, the root folder's
 * mode and time.
 */
static bool finish_fs(struct making *k)
{
    char device[VOLUME_PATH_MAX + 64];
    const char *argv[] = {"debugfs", "-w", "-f", k->script, device, NULL};
    FILE *f;

    if (!find_puts(k))
        return false;
    f = fopen(k->script, "we");
    if (f == NULL)
        return bad(k, "cannot be made", k->script);
    script_gone(k, f);
    script_late_times(k, f);
    if (k->v->menu != NULL && !is_staged(k, "/boot/grub"))
        fputs("mkdir /boot\nmkdir /boot/grub\n", f);
    for (uint32_t i = 0; i < k->nr_puts; i++) {
        const char *path = k->puts[i].path;

        fprintf(f, "rm %s\nwrite \"%s\" %s\n", path, k->puts[i].file, path);
        fprintf(f, "sif %s mode 0100644\nsif %s uid 0\nsif %s gid 0\n", path, path, path);
    }
    fprintf(f, "sif / mode 0%o\nsif / mtime @%lld\n", (unsigned)k->root.st_mode,
            (long long)k->root.st_mtim.tv_sec);
    bool good = !ferror(f);

    if (fclose(f) != 0 || !good)
        return bad(k, "cannot be written", k->script);
    snprintf(device, sizeof(device), "%s?offset=%llu", k->image, (unsigned long long)fs_off(k->v));
    return program_run(argv, k->v->stop, NULL, 0, k->why, k->why_cap);
}

/* debugfs does not tell by its status that a line failed. */
static bool check_puts(struct making *k)
{
    char device[VOLUME_PATH_MAX + 64], command[64], said[512], ignored[256];
    const char *argv[] = {"debugfs", "-R", command, device, NULL};

    snprintf(device, sizeof(device), "%s?offset=%llu", k->image, (unsigned long long)fs_off(k->v));
    for (uint32_t i = 0; i < k->nr_puts; i++) {
        said[0] = '\0';
        snprintf(command, sizeof(command), "stat %s", k->puts[i].path);
        if (program_run(argv, k->v->stop, said, sizeof(said), ignored, sizeof(ignored)) &&
            strstr(said, "Type: regular") != NULL)
            continue;
        snprintf(k->why, k->why_cap, "%s could not be put into the image; has it the folder?",
                 k->puts[i].path);
        return false;
    }
    return true;
}

/* ---- the partition table --------------------------------------------------------------------- */

static bool partition(struct making *k)
{
    const struct volume *v = k->v;
    const char *argv[] = {
        "sh", "-c",     "exec sfdisk -q --no-reread --no-tell-kernel \"$1\" <\"$2\"",
        "sh", k->image, k->script,
        NULL};
    FILE *f;

    if (v->partition == VOLUME_NONE)
        return true;
    f = fopen(k->script, "we");
    if (f == NULL)
        return bad(k, "cannot be made", k->script);
    fprintf(f, "label: %s\nunit: sectors\nstart=%d, size=%llu, type=%s\n",
            v->partition == VOLUME_GPT ? "gpt" : "dos", VOLUME_PART_OFF / 512,
            (unsigned long long)(v->image_bytes - 2 * VOLUME_PART_OFF) / 512,
            v->partition == VOLUME_GPT ? "L" : "83, bootable");
    if (fclose(f) != 0)
        return bad(k, "cannot be written", k->script);
    return program_run(argv, v->stop, NULL, 0, k->why, k->why_cap);
}

bool volume_image(struct volume *v, const char *work, char *why, size_t why_cap)
{
    struct making *k = calloc(1, sizeof(*k));

    if (k == NULL) {
        snprintf(why, why_cap, "out of memory");
        return false;
    }
    k->v = v;
    k->work = work;
    k->why = why;
    k->why_cap = why_cap;
    snprintf(k->image, sizeof(k->image), "%s/" VOLUME_IMAGE, work);
    snprintf(k->stage, sizeof(k->stage), "%s/.stage", work);
    snprintf(k->fstab, sizeof(k->fstab), "%s/.fstab", work);
    snprintf(k->script, sizeof(k->script), "%s/.script", work);
    snprintf(k->empty, sizeof(k->empty), "%s/.empty", work);
    snprintf(k->menu, sizeof(k->menu), "%s/.menu", work);
    if (strpbrk(work, "?\"\\\n") != NULL) {
        snprintf(why, why_cap,
                 "the folder %s has a ?, \" or \\ in its name, which debugfs cannot take", work);
        free(k);
        return false;
    }
    bool good = mkdir(k->stage, 0700) == 0 || bad(k, "cannot be made", k->stage);

    good = good && make_empty(k) && stage_begin(v, k->stage, k->empty, why, why_cap) &&
           (stat(v->real, &k->root) == 0 || bad(k, "cannot be read", v->real)) &&
           name_file_system(k) && make_file(k) && make_fs_of_what_runs(k) && finish_fs(k) &&
           check_puts(k) && partition(k);
    stage_end(k->stage);
    rmdir(k->stage);
    unlink(k->fstab);
    unlink(k->script);
    unlink(k->empty);
    unlink(k->menu);
    volume_gone_free(&v->gone);
    free(k);
    return good;
}

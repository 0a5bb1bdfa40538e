/* SPDX-License-Identifier: MIT */
/* Copies of disks; see engine_priv.h. qemu-img makes and knows the qcow2 ones. */
#include "cloud/engine/engine_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <linux/fs.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "cloud/bundle/program.h"

#define COPY_TRIES       10
#define COPY_PIECE_BYTES ((size_t)1 << 20)
#define QUIET_NS         50000000 /* longer than a file system's clock takes to tick */

static bool copy_range(int in, int out, off_t at, off_t end, char *piece, const stop_flag *stop)
{
    while (at < end && *stop == 0) {
        size_t want = end - at < (off_t)COPY_PIECE_BYTES ? (size_t)(end - at) : COPY_PIECE_BYTES;
        ssize_t n = pread(in, piece, want, at);

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return n == 0; /* it became shorter: the caller sees that it changed */
        for (ssize_t done = 0; done < n;) {
            ssize_t w = pwrite(out, piece + done, (size_t)(n - done), at + done);

            if (w < 0 && errno != EINTR)
                return false;
            done += w > 0 ? w : 0;
        }
        at += n;
    }
    return true;
}

static bool copy_data(int in, int out, off_t size, const stop_flag *stop)
{
    char *piece = xalloc(COPY_PIECE_BYTES);
    bool good = ftruncate(out, 0) == 0 && ftruncate(out, size) == 0;
    off_t at = 0;

    while (good && at < size && *stop == 0) {
        off_t data = lseek(in, at, SEEK_DATA), hole;

        if (data < 0) {
            good = errno == ENXIO; /* only a hole is left */
            break;
        }
        hole = lseek(in, data, SEEK_HOLE);
        good = hole >= 0 && copy_range(in, out, data, hole, piece, stop);
        at = hole;
    }
    free(piece);
    return good;
}

static bool same_time(const struct stat *a, const struct stat *b)
{
    return a->st_mtim.tv_sec == b->st_mtim.tv_sec && a->st_mtim.tv_nsec == b->st_mtim.tv_nsec &&
           a->st_size == b->st_size;
}

static bool copy_fd(int in, int out, const stop_flag *stop, struct buf *why)
{
    struct stat before, after;

    for (int i = 0; i < COPY_TRIES; i++) {
        nanosleep(&(struct timespec){.tv_nsec = QUIET_NS}, NULL);
        if (fstat(in, &before) != 0 ||
            (ioctl(out, FICLONE, in) != 0 && !copy_data(in, out, before.st_size, stop))) {
            buf_printf(why, "the disk cannot be copied: %s", strerror(errno));
            return false;
        }
        if (*stop != 0) {
            buf_puts(why, "the copy of the disk was given up");
            return false;
        }
        nanosleep(&(struct timespec){.tv_nsec = QUIET_NS}, NULL);
        if (fstat(in, &after) == 0 && same_time(&before, &after))
            return true;
    }
    buf_puts(why, "the disk is written to although its instance stands still; it was not copied");
    return false;
}

/*
 * What the back end still had in flight when the guest was stopped may come late, so the copy is
 * made again until nothing changed under it.
 */
static bool copy_file(const char *from, const char *to, const stop_flag *stop, struct buf *why)
{
    int in = open(from, O_RDONLY | O_CLOEXEC);
    int out = in >= 0 ? open(to, O_WRONLY | O_CREAT | O_EXCL | O_CLOEXEC, 0600) : -1;
    bool good = out >= 0;

    if (!good)
        buf_printf(why, "the disk cannot be copied: %s", strerror(errno));
    good = good && copy_fd(in, out, stop, why);
    if (good && fsync(out) != 0) {
        buf_printf(why, "the disk cannot be copied: %s", strerror(errno));
        good = false;
    }
    if (in >= 0)
        close(in);
    if (out >= 0) {
        close(out);
        if (!good)
            unlink(to);
    }
    return good;
}

bool disk_copy_begin(struct disk_copy *c, const char *from, bool qcow2, const char *to,
                     const stop_flag *stop, struct buf *why)
{
    *c = (struct disk_copy){.to = to, .stop = stop};
    if (qcow2)
        return copy_file(from, to, stop, why);
    buf_printf(&c->raw, "%s.raw", to);
    if (copy_file(from, c->raw.text, stop, why))
        return true;
    buf_free(&c->raw);
    return false;
}

/* qemu-img at work on the file `to`, which does not exist afterwards when it failed. */
static bool make(const char *const *argv, const char *to, const stop_flag *stop, struct buf *why)
{
    char said[512];

    if (program_run(argv, stop, NULL, 0, said, sizeof(said)))
        return true;
    unlink(to);
    buf_puts(why, "the disk cannot be copied: ");
    engine_words(why, said);
    return false;
}

bool disk_copy_finish(struct disk_copy *c, struct buf *why)
{
    bool good = true;

    if (c->raw.len == 0)
        return true;
    good = make((const char *const[]){"qemu-img", "convert", "-q", "-f", "raw", "-O", "qcow2",
                                      c->raw.text, c->to, NULL},
                c->to, c->stop, why);
    unlink(c->raw.text);
    buf_free(&c->raw);
    return good;
}

/* The value of a string or a number in what `qemu-img info` prints; false: it is not there. */
static bool info_value(const char *json, const char *name, char *out, size_t cap)
{
    struct buf key = {0};
    const char *at, *end;

    buf_printf(&key, "\n    \"%s\": ", name);
    at = strstr(json, key.text);
    at = at ? at + key.len : NULL;
    buf_free(&key);
    if (!at)
        return false;
    if (*at == '"')
        at++;
    end = at + strcspn(at, "\",\n\\"); /* our own names of files need no escapes */
    if (*end == '\\' || (size_t)(end - at) >= cap)
        return false;
    memcpy(out, at, (size_t)(end - at));
    out[end - at] = 0;
    return true;
}

bool disk_make_like(const char *from, bool qcow2, const char *to, const stop_flag *stop,
                    struct buf *why)
{
    const char *const info[] = {
        "qemu-img", "info", "-U", "--output=json", "-f", qcow2 ? "qcow2" : "raw", from, NULL};
    char json[16384], said[512], base[1024], format[32], size[32];
    const char *argv[14] = {"qemu-img", "create", "-q", "-u", "-f", "qcow2"};
    int nr = 6;

    if (!program_run(info, stop, json, sizeof(json), said, sizeof(said)) ||
        !info_value(json, "virtual-size", size, sizeof(size))) {
        buf_puts(why, "the disk cannot be looked into");
        return false;
    }
    if (info_value(json, "backing-filename", base, sizeof(base))) {
        if (!info_value(json, "backing-filename-format", format, sizeof(format))) {
            buf_puts(why, "the disk does not tell the format of the image that it is based on");
            return false;
        }
        argv[nr++] = "-b";
        argv[nr++] = base;
        argv[nr++] = "-F";
        argv[nr++] = format;
    }
    argv[nr++] = to;
    argv[nr] = size;
    return make(argv, to, stop, why);
}

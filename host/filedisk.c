/* SPDX-License-Identifier: MIT */
#include "host/filedisk.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/bytes.h"
#include "host/xenhost/xenhost.h"

static struct err read_raw(int fd, uint64_t off_bytes, uint8_t *buf, uint64_t len_bytes)
{
    while (len_bytes > 0) {
        ssize_t n = pread(fd, buf, (size_t)len_bytes, (off_t)off_bytes);

        if (n < 0 && errno == EINTR)
            continue;
        if (n < 0)
            return ERR_AT(ERR_READ, off_bytes, "reading the image failed with errno %a", errno, 0);
        if (n == 0)
            return ERR_AT(ERR_READ, off_bytes, "the image has become shorter", 0, 0);
        buf += n;
        off_bytes += (uint64_t)n;
        len_bytes -= (uint64_t)n;
    }
    return OK;
}

/* For the image above; past the end there are zeroes. */
static struct err read_as_below(void *ctx, uint64_t off_bytes, uint8_t *buf, uint64_t len_bytes)
{
    struct file_disk *f = ctx;
    uint64_t n = off_bytes < f->whole_bytes ? min_u64(len_bytes, f->whole_bytes - off_bytes) : 0;

    memset(buf + n, 0, (size_t)(len_bytes - n));
    if (n == 0)
        return OK;
    return f->qcow2 != NULL ? qcow2_read(f->qcow2, off_bytes, buf, n)
                            : read_raw(f->fd, off_bytes, buf, n);
}

static void submit(struct disk *d, struct disk_req *req)
{
    struct file_disk *f = d->ctx;

    if (f->qcow2 != NULL)
        req->result = qcow2_read(f->qcow2, req->off_bytes, req->buf, req->len_bytes);
    else
        req->result = read_raw(f->fd, req->off_bytes, req->buf, req->len_bytes);
    req->done = true;
}

static void wait(struct disk *d, struct disk_req *req)
{
    (void)d;
    (void)req; /* done in submit */
}

static const struct disk_ops file_disk_ops = {.submit = submit, .wait = wait};

bool file_disk_open(struct file_disk *d, const char *path, char *why, size_t why_cap)
{
    *d = (struct file_disk){.path = path, .fd = xh_image_open(path, false, why, why_cap)};
    return d->fd >= 0;
}

static bool find_format(struct file_disk *d, char *why, size_t why_cap)
{
    enum xh_format format;

    if (d->format != NULL)
        return true;
    if (!xh_image_format_of(d->fd, d->path, &format, why, why_cap))
        return false;
    d->format = format == XH_QCOW2 ? "qcow2" : "raw";
    return true;
}

bool file_disk_start(struct file_disk *d, uint32_t sector_bytes, char *why, size_t why_cap)
{
    const char *slash = strrchr(d->path, '/');
    const struct qcow2_below below = {.read = read_as_below, .ctx = d->below};
    uint64_t size = 0;

    if (!find_format(d, why, why_cap) ||
        (d->below != NULL && !file_disk_start(d->below, sector_bytes, why, why_cap)))
        return false;
    if (strcmp(d->format, "qcow2") == 0) {
        struct err e = d->below != NULL ? qcow2_open_over(&d->qcow2, d->fd, &below)
                                        : qcow2_open(&d->qcow2, d->fd);

        if (failed(e)) {
            err_format(e, d->path, why, why_cap);
            return false;
        }
        size = qcow2_size_bytes(d->qcow2);
    } else {
        off_t end = lseek(d->fd, 0, SEEK_END); /* of a block device, too */

        size = end < 0 ? 0 : (uint64_t)end;
    }
    d->whole_bytes = size;
    d->disk = (struct disk){.ops = &file_disk_ops,
                            .ctx = d,
                            .size_bytes = size - size % sector_bytes,
                            .sector_bytes = sector_bytes,
                            .read_only = true};
    snprintf(d->disk.name, sizeof(d->disk.name), "%s", slash != NULL ? slash + 1 : d->path);
    return true;
}

void file_disk_close(struct file_disk *d)
{
    if (d->below != NULL)
        file_disk_close(d->below);
    qcow2_close(d->qcow2);
    if (d->fd >= 0)
        close(d->fd);
    d->qcow2 = NULL;
    d->fd = -1;
}

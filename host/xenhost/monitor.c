/* SPDX-License-Identifier: MIT */
/*
 * QEMU's monitor (QMP, docs/interop/qmp-spec in QEMU): drives that come and go while the host
 * runs, and copies of them. QMP sends one JSON object a line with a fixed order of keys, so the
 * first key tells what a line is; values are only ever compared with names that we chose ourselves.
 */
#include "host/xenhost/internal.h"

#include <stdio.h>
#include <string.h>

/* The string that follows `"key": "`, up to the next quote. */
static void json_string(const struct buf *line, const char *key, struct buf *out)
{
    char pattern[64];
    const char *p;

    buf_clear(out);
    snprintf(pattern, sizeof(pattern), "\"%s\": \"", key);
    p = strstr(line->text, pattern);
    if (!p)
        return;
    for (p += strlen(pattern); *p && *p != '"'; p++) {
        if (*p == '\\' && p[1])
            p++;
        buf_add(out, p, 1);
    }
}

static void job_ended(struct xenhost *h, const struct buf *line, bool cancelled)
{
    json_string(line, "error", &h->copy_error);
    if (cancelled)
        buf_puts(&h->copy_error, "it was given up");
    h->copying = false;
}

void qmp_line(struct xenhost *h, const struct buf *line)
{
    static const char ret[] = "{\"return\": ", err[] = "{\"error\": ", event[] = "{\"timestamp\": ";

    if (strncmp(line->text, ret, sizeof(ret) - 1) == 0) {
        /* a line for people ("human-monitor-command") says in words what went wrong */
        json_string(line, "return", &h->qmp_error);
        if (strncmp(h->qmp_error.text, "OK", 2) == 0)
            buf_clear(&h->qmp_error);
        h->qmp_answered = true;
    } else if (strncmp(line->text, err, sizeof(err) - 1) == 0) {
        json_string(line, "desc", &h->qmp_error);
        if (!h->qmp_error.len)
            buf_puts(&h->qmp_error, "QEMU refused without a reason");
        h->qmp_answered = true;
    } else if (strncmp(line->text, event, sizeof(event) - 1) == 0 &&
               strstr(line->text, "\"event\": \"DEVICE_DELETED\"")) {
        struct buf name = {0};

        json_string(line, "device", &name);
        if (name.len && name.len < sizeof(h->qmp_deleted))
            memcpy(h->qmp_deleted, name.text, name.len + 1);
        buf_free(&name);
    } else if (strstr(line->text, "\"event\": \"BLOCK_JOB_COMPLETED\"")) {
        job_ended(h, line, false);
    } else if (strstr(line->text, "\"event\": \"BLOCK_JOB_CANCELLED\"")) {
        job_ended(h, line, true);
    } else if (strstr(line->text, "\"event\": \"BLOCK_IO_ERROR\"") &&
               strstr(line->text, "\"action\": \"stop\"")) {
        h->stands_still = true;
    }
}

static enum xh_result command(struct xenhost *h, const struct buf *text)
{
    enum xh_result r;

    h->qmp_answered = false;
    chan_send(h, CH_QMP, text->text, text->len);
    r = loop_until(h, &h->qmp_answered, DRIVE_LIMIT_MS);
    if (r == XH_TIMEOUT)
        xh_fail(h, "QEMU's monitor did not answer within %d s", DRIVE_LIMIT_MS / 1000);
    if (r != XH_OK)
        return r;
    if (h->qmp_error.len)
        return xh_fail(h, "QEMU: %s", h->qmp_error.text);
    return XH_OK;
}

enum xh_result qmp_start(struct xenhost *h)
{
    struct buf b = {0};
    enum xh_result r;

    buf_puts(&b, "{\"execute\": \"qmp_capabilities\"}\n");
    r = command(h, &b);
    buf_free(&b);
    return r;
}

enum xh_result xh_add_drive(struct xenhost *h, const struct xh_drive *d)
{
    struct buf b = {0}, option = {0};
    enum xh_result r;

    if (!drive_name_ok(d->name))
        return xh_fail(h, "a drive's name is 1 to %d letters and digits, not \"%s\"", XH_NAME_MAX,
                       d->name);
    buf_puts(&option, "drive_add 0 ");
    qemu_drive_option(&option, d);
    buf_puts(&b, "{\"execute\": \"human-monitor-command\", \"arguments\": {\"command-line\": ");
    buf_json(&b, option.text, option.len);
    buf_puts(&b, "}}\n");
    r = command(h, &b);
    buf_free(&option);
    if (r == XH_OK) {
        const char *words[] = {d->name};

        buf_clear(&b);
        buf_printf(&b,
                   "{\"execute\": \"device_add\", \"arguments\": {\"driver\": \"virtio-blk-pci\", "
                   "\"disable-modern\": \"on\", \"vectors\": 0, \"drive\": \"%s\", \"id\": "
                   "\"dev-%s\", \"serial\": \"%s\"",
                   d->name, d->name, d->name);
        if (d->sector_size)
            buf_printf(&b, ", \"logical_block_size\": %u, \"physical_block_size\": %u",
                       d->sector_size, d->sector_size);
        buf_puts(&b, "}}\n");
        r = command(h, &b);
        if (r == XH_OK)
            r = agent_request(h, "drive", words, 1, DRIVE_LIMIT_MS);
    }
    buf_free(&b);
    return r;
}

enum xh_result xh_remove_drive(struct xenhost *h, const char *name)
{
    uint64_t end = xh_now_ns() + DRIVE_LIMIT_MS * 1000000ull;
    char device[sizeof(h->qmp_deleted)];
    struct buf b = {0};
    enum xh_result r;

    if (!drive_name_ok(name))
        return xh_fail(h, "there is no drive named \"%s\"", name);
    snprintf(device, sizeof(device), "dev-%s", name);
    buf_printf(&b, "{\"execute\": \"device_del\", \"arguments\": {\"id\": \"%s\"}}\n", device);
    h->qmp_deleted[0] = 0;
    r = command(h, &b);
    buf_free(&b);
    while (r == XH_OK && strcmp(h->qmp_deleted, device) != 0) {
        if (xh_now_ns() > end)
            return xh_fail(h, "dom0 did not let go of the drive %s", name);
        r = xh_step(h, 1000);
    }
    return r;
}

bool xh_stands_still(const struct xenhost *h)
{
    return h->stands_still;
}

enum xh_result xh_go_on(struct xenhost *h)
{
    static const char text[] = "{\"execute\": \"cont\"}\n";
    struct buf b = {0};
    enum xh_result r;

    buf_puts(&b, text);
    h->stands_still = false; /* the same write may fail before QEMU answers */
    r = command(h, &b);
    buf_free(&b);
    return r;
}

enum xh_result xh_copy(struct xenhost *h, const char *drive, const char *path)
{
    struct buf b = {0};
    enum xh_result r;

    if (!drive_name_ok(drive))
        return xh_fail(h, "there is no drive named \"%s\"", drive);
    if (h->copying)
        return xh_fail(h, "another copy is under way");
    buf_printf(&b,
               "{\"execute\": \"drive-backup\", \"arguments\": {\"device\": \"%s\", \"job-id\": "
               "\"copy\", \"sync\": \"top\", \"mode\": \"existing\", \"format\": \"qcow2\", "
               "\"target\": ",
               drive);
    buf_json(&b, path, strlen(path));
    buf_puts(&b, "}}\n");
    h->copying = true; /* a small one may have ended before QEMU answers */
    r = command(h, &b);
    if (r != XH_OK)
        h->copying = false;
    buf_free(&b);
    return r;
}

bool xh_copy_done(struct xenhost *h, enum xh_result *how)
{
    if (h->copying)
        return false;
    *how = h->copy_error.len ? xh_fail(h, "the copy failed: %s", h->copy_error.text) : XH_OK;
    return true;
}

enum xh_result xh_copy_cancel(struct xenhost *h)
{
    static const char text[] =
        "{\"execute\": \"block-job-cancel\", \"arguments\": {\"device\": \"copy\"}}\n";
    struct buf b = {0};
    enum xh_result r;

    buf_puts(&b, text);
    r = command(h, &b);
    buf_free(&b);
    return r;
}

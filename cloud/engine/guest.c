/* SPDX-License-Identifier: MIT */
/* Guests and disks as text; see runner.h. */
#include "cloud/engine/engine_priv.h"
#include "cloud/engine/runner.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"

#define SMALL_FILE_MAX (1 << 20)

/* "sda1 qcow2 rw /path": the path comes last and may hold anything. */
void guest_disk_write(const struct engine_disk *d, struct buf *out)
{
    buf_printf(out, "%s %s %s %s", d->vdev, d->format == ENGINE_QCOW2 ? "qcow2" : "raw",
               d->readonly ? "ro" : "rw", d->path);
}

bool guest_disk_read(const char *text, struct engine_disk *d)
{
    char *copy = xstrdup(text), *rest = copy;
    const char *vdev = strsep(&rest, " "), *format = strsep(&rest, " "), *mode = strsep(&rest, " ");
    struct buf why = {0};
    bool good = rest && *rest && engine_vdev_good(vdev, &why);

    if (good)
        *d = (struct engine_disk){
            .path = xstrdup(rest),
            .vdev = xstrdup(vdev),
            .format = strcmp(format, "qcow2") == 0 ? ENGINE_QCOW2 : ENGINE_RAW,
            .readonly = strcmp(mode, "ro") == 0,
        };
    free(copy);
    buf_free(&why);
    return good;
}

void guest_disk_free(struct engine_disk *d)
{
    free((char *)d->path);
    free((char *)d->vdev);
}

static void field(struct buf *out, const char *key, const char *value)
{
    buf_printf(out, "%s=%s", key, value);
    buf_add(out, "", 1);
}

/* Fields "key=value", each with a NUL behind it. */
void guest_write(const struct engine_guest *g, const char *xen, struct buf *out)
{
    struct buf value = {0};

    field(out, "id", g->id);
    buf_printf(&value, "%u", g->memory_mib);
    field(out, "memory", value.text);
    buf_clear(&value);
    buf_printf(&value, "%u", g->vcpus);
    field(out, "vcpus", value.text);
    field(out, "kernel", g->kernel);
    if (g->ramdisk)
        field(out, "ramdisk", g->ramdisk);
    if (g->cmdline)
        field(out, "cmdline", g->cmdline);
    if (xen)
        field(out, "xen", xen);
    for (size_t i = 0; i < g->nr_disks; i++) {
        buf_clear(&value);
        guest_disk_write(&g->disks[i], &value);
        field(out, "disk", value.text);
    }
    buf_free(&value);
}

static bool read_field(const char *key, size_t key_len, const char *value, struct engine_guest *g,
                       const char **xen)
{
    const struct {
        const char *key;
        const char **to;
    } texts[] = {{"id", &g->id},
                 {"kernel", &g->kernel},
                 {"ramdisk", &g->ramdisk},
                 {"cmdline", &g->cmdline},
                 {"xen", xen}};
    uint64_t number;

    for (size_t i = 0; i < sizeof(texts) / sizeof(texts[0]); i++) {
        if (strlen(texts[i].key) == key_len && memcmp(texts[i].key, key, key_len) == 0) {
            *texts[i].to = value;
            return true;
        }
    }
    if (key_len == 4 && memcmp(key, "disk", 4) == 0)
        return g->nr_disks < ENGINE_DISKS_MAX && guest_disk_read(value, &g->disks[g->nr_disks++]);
    if (!text_parse_u64(value, strlen(value), &number) || number > UINT32_MAX)
        return false;
    if (key_len == 6 && memcmp(key, "memory", 6) == 0)
        g->memory_mib = (unsigned)number;
    else if (key_len == 5 && memcmp(key, "vcpus", 5) == 0)
        g->vcpus = (unsigned)number;
    else
        return false;
    return true;
}

bool guest_read(const struct buf *text, struct engine_guest *g, const char **xen)
{
    *g = (struct engine_guest){0};
    *xen = NULL;
    for (const char *p = text->text, *end = p + text->len; p < end; p += strlen(p) + 1) {
        const char *equals = strchr(p, '=');

        if (!equals || !read_field(p, (size_t)(equals - p), equals + 1, g, xen))
            return false;
    }
    return g->id && g->kernel && g->memory_mib;
}

bool small_read(int dir_fd, const char *name, struct buf *out)
{
    int fd = openat(dir_fd, name, O_RDONLY | O_CLOEXEC);
    char bytes[4096];
    ssize_t n = -1;

    buf_clear(out);
    if (fd < 0)
        return false;
    while (out->len < SMALL_FILE_MAX && (n = read(fd, bytes, sizeof(bytes))) > 0)
        buf_add(out, bytes, (size_t)n);
    close(fd);
    return n == 0;
}

bool small_write(int dir_fd, const char *name, const void *bytes, size_t len)
{
    char temporary[64];
    bool good;
    int fd;

    snprintf(temporary, sizeof(temporary), "%s.new", name);
    fd = openat(dir_fd, temporary, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    if (fd < 0)
        return false;
    good = write(fd, bytes, len) == (ssize_t)len;
    close(fd);
    return good && renameat(dir_fd, temporary, dir_fd, name) == 0;
}

void boot_id(struct buf *out)
{
    if (!small_read(AT_FDCWD, "/proc/sys/kernel/random/boot_id", out))
        buf_puts(out, "unknown");
}

/* SPDX-License-Identifier: MIT */
/*
 * Guests of the embedded host: xl configurations (xl.cfg(5), xl-disk-configuration(5)) and the
 * agent's commands around them.
 */
#include "host/xenhost/internal.h"

#include <ctype.h>
#include <errno.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

struct guest_slot *guest_find(struct xenhost *h, const char *name)
{
    for (int i = 0; i < XH_MAX_GUESTS; i++)
        if (h->guest[i].used && strcmp(h->guest[i].name, name) == 0)
            return &h->guest[i];
    return NULL;
}

static enum xh_result guest_need(struct xenhost *h, const char *name, struct guest_slot **out)
{
    *out = guest_find(h, name);
    if (!*out)
        return xh_fail(h, "there is no guest named \"%s\"", name);
    return XH_OK;
}

static enum xh_result guest_new(struct xenhost *h, const char *name, struct guest_slot **out)
{
    if (!drive_name_ok(name))
        return xh_fail(h, "a guest's name is 1 to %d letters and digits, not \"%s\"", XH_NAME_MAX,
                       name);
    if (guest_find(h, name))
        return xh_fail(h, "there is a guest named %s already", name);
    for (int i = 0; i < XH_MAX_GUESTS; i++) {
        struct guest_slot *g = &h->guest[i];

        if (g->used)
            continue;
        memset(g, 0, sizeof(*g));
        snprintf(g->name, sizeof(g->name), "%s", name);
        g->used = true;
        buf_clear(&h->chan[CH_CON0 + i].out);
        *out = g;
        return XH_OK;
    }
    return xh_fail(h, "there are %d guests already, no more consoles are left", XH_MAX_GUESTS);
}

const char *xh_reason_name(unsigned reason)
{
    static const char *const name[] = {"poweroff", "reboot",   "suspend",
                                       "crash",    "watchdog", "soft-reset"};

    return reason < sizeof(name) / sizeof(name[0]) ? name[reason] : "unknown";
}

static void config_file(struct buf *b, const char *key, const char *name)
{
    struct buf path = {0};

    buf_printf(&path, "/tmp/files/%s", name);
    buf_printf(b, "%s = ", key);
    buf_xl_string(b, path.text);
    buf_puts(b, "\n");
    buf_free(&path);
}

static bool vdev_ok(const char *vdev)
{
    if (!*vdev || strlen(vdev) > 16)
        return false;
    for (const char *p = vdev; *p; p++)
        if (!isalnum((unsigned char)*p))
            return false;
    return true;
}

/* A vbd's number in xenstore, as Xen's docs/man/xen-vbd-interface(7) counts; 0: not a name of
 * that document. */
static unsigned vdev_number(const char *vdev)
{
    unsigned disk, part = 0;
    size_t at = strncmp(vdev, "xvd", 3) == 0 ? 3 : 2;

    if ((at == 2 && strncmp(vdev, "sd", 2) != 0 && strncmp(vdev, "hd", 2) != 0) || vdev[at] < 'a' ||
        vdev[at] > 'z')
        return 0;
    disk = (unsigned)(vdev[at] - 'a');
    if (vdev[at + 1])
        part = (unsigned)strtoul(vdev + at + 1, NULL, 10);
    if (part > 15)
        return 0;
    if (vdev[0] == 's' && disk < 16)
        return 8 << 8 | disk << 4 | part;
    if (vdev[0] == 'h' && disk < 4)
        return (disk < 2 ? 3u : 22u) << 8 | (disk & 1) << 6 | part;
    if (vdev[0] == 'x')
        return disk < 16 ? 202 << 8 | disk << 4 | part : 1 << 28 | disk << 8 | part;
    return 0;
}

/* As xl-disk-configuration(5) has it. Nothing in it needs quoting. */
static enum xh_result disk_spec(struct xenhost *h, struct buf *b, const struct xh_disk *d)
{
    static const char *const backend[] = {[XH_PHY] = "script=block",
                                          [XH_LOOP] = "script=block-loop",
                                          [XH_QDISK] = "backendtype=qdisk"};
    enum xh_result r;

    if (!vdev_ok(d->vdev) || !d->drive)
        return xh_fail(h, "\"%s\" is not the name of a guest's disk (xvda, xvda1, sda1, hdc ...)",
                       d->vdev);
    r = agent_request(h, "drive", &d->drive, 1, DRIVE_LIMIT_MS);
    if (r != XH_OK)
        return r;
    buf_printf(b, "vdev=%s, access=%s, %s%s, format=raw, target=%s", d->vdev,
               d->readonly || d->cdrom ? "ro" : "rw", backend[d->backend],
               d->cdrom ? ", devtype=cdrom" : "", h->req.text.text);
    return XH_OK;
}

static enum xh_result config_disk(struct xenhost *h, struct buf *b, const struct xh_disk *d)
{
    struct buf spec = {0};
    enum xh_result r;

    if (!d->drive && vdev_number(d->vdev))
        return XH_OK; /* xl cannot do it without a QEMU in dom0; the agent does */
    r = disk_spec(h, &spec, d);
    if (r == XH_OK)
        buf_printf(b, "\"%s\", ", spec.text);
    buf_free(&spec);
    return r;
}

static enum xh_result config_text(struct xenhost *h, struct buf *b,
                                  const struct xh_guest_config *cfg)
{
    buf_puts(b, "type = \"pv\"\n");
    buf_puts(b, "name = ");
    buf_xl_string(b, cfg->name);
    buf_printf(b, "\nmemory = %u\n", cfg->memory_mib);
    if (cfg->maxmem_mib)
        buf_printf(b, "maxmem = %u\n", cfg->maxmem_mib);
    buf_printf(b, "vcpus = %u\n", cfg->vcpus ? cfg->vcpus : 1);
    config_file(b, "kernel", cfg->kernel);
    if (cfg->ramdisk)
        config_file(b, "ramdisk", cfg->ramdisk);
    if (cfg->extra && *cfg->extra) {
        buf_puts(b, "cmdline = ");
        buf_xl_string(b, cfg->extra);
        buf_puts(b, "\n");
    }
    buf_puts(b, "disk = [ ");
    for (size_t i = 0; i < cfg->nr_disks; i++) {
        enum xh_result r = config_disk(h, b, &cfg->disks[i]);

        if (r != XH_OK)
            return r;
    }
    buf_puts(b, "]\n");
    return XH_OK;
}

/* As libxl's own request to a guest: docs/misc/xenstore-paths in Xen, control/shutdown. */
enum xh_result xh_ask(struct xenhost *h, const char *guest, enum xh_reason what)
{
    struct guest_slot *g;
    struct buf b = {0};
    enum xh_result r = guest_need(h, guest, &g);

    if (r != XH_OK)
        return r;
    buf_printf(&b, "xenstore-write /local/domain/$(cat /tmp/pv/%s.id)/control/shutdown %s", guest,
               what == XH_REBOOT ? "reboot" : "poweroff");
    r = xh_shell(h, b.text, DRIVE_LIMIT_MS);
    buf_free(&b);
    return r;
}

enum xh_result xh_attach(struct xenhost *h, const char *guest, const struct xh_disk *d)
{
    struct guest_slot *g;
    struct buf spec = {0}, b = {0};
    enum xh_result r = guest_need(h, guest, &g);

    if (r == XH_OK)
        r = disk_spec(h, &spec, d);
    if (r == XH_OK) {
        buf_printf(&b, "xl block-attach %s '%s'", guest, spec.text);
        r = xh_shell(h, b.text, DRIVE_LIMIT_MS);
    }
    buf_free(&spec);
    buf_free(&b);
    return r;
}

enum xh_result xh_detach(struct xenhost *h, const char *guest, const char *vdev)
{
    char number[16];
    const char *words[] = {guest, number, vdev};
    struct guest_slot *g;
    enum xh_result r = guest_need(h, guest, &g);

    if (r != XH_OK)
        return r;
    if (!vdev_ok(vdev) || !vdev_number(vdev))
        return xh_fail(h, "\"%s\" is not the name of a guest's disk (xvda, xvda1, sda1, hdc ...)",
                       vdev);
    snprintf(number, sizeof(number), "%u", vdev_number(vdev));
    return agent_request(h, "detach", words, 3, DRIVE_LIMIT_MS);
}

/* create or restore: the words after the console and the guest's name are the caller's. */
static enum xh_result begin(struct xenhost *h, struct guest_slot *g, const char *cmd,
                            const char *const *more, size_t nr_more)
{
    const char *words[4 + XH_MAX_DRIVES];
    enum xh_result r;
    char con[8];

    snprintf(con, sizeof(con), "%d", (int)(g - h->guest));
    words[0] = con;
    words[1] = g->name;
    for (size_t i = 0; i < nr_more; i++)
        words[2 + i] = more[i];
    r = agent_request(h, cmd, words, 2 + nr_more, ANSWER_LIMIT_MS);
    if (r != XH_OK)
        g->used = false;
    return r;
}

enum xh_result xh_create(struct xenhost *h, const struct xh_guest_config *cfg)
{
    const char *words[2 + XH_MAX_DRIVES];
    char cd[XH_MAX_DRIVES][32];
    struct guest_slot *g;
    struct buf b = {0};
    size_t nr = 2, nr_cds = 0;
    enum xh_result r;

    if (cfg->nr_disks > XH_MAX_DRIVES)
        return xh_fail(h, "a guest has at most %d disks", XH_MAX_DRIVES);
    if (cfg->memory_mib < XH_MIN_MEMORY_MIB || cfg->memory_mib > XH_MAX_MEMORY_MIB)
        return xh_fail(h, "a guest's memory is %u to %u MiB, not %u", XH_MIN_MEMORY_MIB,
                       XH_MAX_MEMORY_MIB, cfg->memory_mib);
    if (cfg->vcpus > XH_MAX_VCPUS)
        return xh_fail(h, "a guest has at most %u vcpus, not %u", XH_MAX_VCPUS, cfg->vcpus);
    r = guest_new(h, cfg->name, &g);
    if (r != XH_OK)
        return r;
    r = config_text(h, &b, cfg);
    words[0] = b.text;
    words[1] = cfg->keep ? "keep" : "-";
    for (size_t i = 0; r == XH_OK && i < cfg->nr_disks; i++) {
        const struct xh_disk *d = &cfg->disks[i];

        if (d->drive)
            continue;
        snprintf(cd[nr_cds], sizeof(cd[0]), "%u:%s", vdev_number(d->vdev), d->vdev);
        words[nr++] = cd[nr_cds++];
    }
    if (r == XH_OK)
        r = begin(h, g, "create", words, nr);
    else
        g->used = false;
    buf_free(&b);
    return r;
}

enum xh_result xh_unpause(struct xenhost *h, const char *guest, double *uptime_s)
{
    struct guest_slot *g;
    enum xh_result r = guest_need(h, guest, &g);

    if (r == XH_OK)
        r = agent_request(h, "unpause", &guest, 1, DRIVE_LIMIT_MS);
    if (r == XH_OK && uptime_s)
        *uptime_s = strtod(h->req.text.text, NULL);
    return r;
}

static enum xh_result wait_gone(struct xenhost *h, const char *guest)
{
    uint64_t end = xh_now_ns() + DRIVE_LIMIT_MS * 1000000ull;

    while (guest_find(h, guest)) {
        enum xh_result r;

        if (xh_now_ns() > end)
            return xh_fail(h, "the guest %s does not go away", guest);
        r = xh_step(h, 1000);
        if (r != XH_OK)
            return r;
    }
    return XH_OK;
}

enum xh_result xh_destroy(struct xenhost *h, const char *guest)
{
    struct guest_slot *g;
    enum xh_result r = guest_need(h, guest, &g);

    if (r == XH_OK)
        r = agent_request(h, "destroy", &guest, 1, ANSWER_LIMIT_MS);
    if (r == XH_FAILED && !guest_find(h, guest))
        r = XH_OK; /* it went by itself meanwhile */
    return r == XH_OK ? wait_gone(h, guest) : r;
}

static void saved_name(char *out, size_t size, const char *guest)
{
    snprintf(out, size, "/tmp/pv/%s.saved", guest);
}

enum xh_result xh_save(struct xenhost *h, const char *guest)
{
    char file[XH_NAME_MAX + 32];
    const char *words[] = {guest, file};
    struct guest_slot *g;
    enum xh_result r = guest_need(h, guest, &g);

    if (r != XH_OK)
        return r;
    saved_name(file, sizeof(file), guest);
    g->saving = true;
    r = agent_request(h, "save", words, 2, ANSWER_LIMIT_MS);
    if (r == XH_OK)
        r = wait_gone(h, guest);
    g->saving = false;
    return r;
}

enum xh_result xh_restore(struct xenhost *h, const char *guest)
{
    char file[XH_NAME_MAX + 32];
    struct guest_slot *g = NULL;
    enum xh_result r = guest_new(h, guest, &g);

    if (r != XH_OK || !g)
        return r;
    saved_name(file, sizeof(file), guest);
    return begin(h, g, "restore", (const char *const[]){file}, 1);
}

enum xh_result xh_input(struct xenhost *h, const char *guest, const void *bytes, size_t len)
{
    struct guest_slot *g;
    enum xh_result r = guest_need(h, guest, &g);

    if (r == XH_OK)
        chan_send(h, (enum channel)(CH_CON0 + (g - h->guest)), bytes, len);
    return r;
}

size_t xh_input_waiting(struct xenhost *h, const char *guest)
{
    const struct guest_slot *g = guest_find(h, guest);

    return g ? h->chan[CH_CON0 + (g - h->guest)].out.len : 0;
}

enum xh_result xh_put_file_from(struct xenhost *h, const char *name, const char *drive,
                                uint64_t len)
{
    char size[32];
    char *device;
    enum xh_result r;

    if (!*name || strchr(name, '/') || name[0] == '.')
        return xh_fail(h, "\"%s\" cannot be the name of a file for a guest", name);
    r = agent_request(h, "drive", &drive, 1, DRIVE_LIMIT_MS);
    if (r != XH_OK)
        return r;
    device = xstrdup(h->req.text.text);
    snprintf(size, sizeof(size), "%llu", (unsigned long long)len);
    r = agent_request(h, "file", (const char *const[]){name, size, device}, 3, ANSWER_LIMIT_MS);
    free(device);
    return r;
}

enum xh_result xh_put_file(struct xenhost *h, const char *name, const char *path)
{
    struct xh_drive d = {.name = "putfile", .path = path, .readonly = true};
    struct stat st;
    enum xh_result r;

    if (stat(path, &st) < 0)
        return xh_fail(h, "%s: %s", path, strerror(errno));
    if (!S_ISREG(st.st_mode) || st.st_size == 0)
        return xh_fail(h, "%s is not a file with something in it", path);
    r = xh_add_drive(h, &d);
    if (r == XH_OK)
        r = xh_put_file_from(h, name, d.name, (uint64_t)st.st_size);
    if (r == XH_OK)
        r = xh_remove_drive(h, d.name);
    return r;
}

enum xh_result xh_shell(struct xenhost *h, const char *line, int timeout_ms)
{
    return agent_request(h, "sh", &line, 1, timeout_ms);
}

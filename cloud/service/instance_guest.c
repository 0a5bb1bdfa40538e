/* SPDX-License-Identifier: MIT */
/* What the engine is told when an instance starts; see instance.h. */
#include "cloud/service/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/service/image.h"
#include "cloud/service/volume.h"

/* All that the description of a guest points into. */
struct description {
    struct engine_guest guest;
    struct buf cmdline, seed;
    struct buf paths[ENGINE_DISKS_MAX];
    char vdevs[ENGINE_DISKS_MAX][INSTANCE_DEVICE];
    struct kernel kernel, ramdisk;
    char account[16], kernel_id[EC2_ID_BYTES], ramdisk_id[EC2_ID_BYTES];
    char root[INSTANCE_DEVICE]; /* "sda1" */
    struct kernel_use use;
    struct buf user_data;
};

static void free_description(struct description *d)
{
    buf_free(&d->cmdline);
    buf_free(&d->seed);
    buf_free(&d->user_data);
    for (size_t i = 0; i < ENGINE_DISKS_MAX; i++)
        buf_free(&d->paths[i]);
    free(d);
}

static bool read_instance(struct service *svc, sqlite3 *c, const char *id, struct description *d)
{
    sqlite3_stmt *s = db_query(c,
                               "SELECT account, arch, hd00, kernel, ramdisk, memory_mib, vcpus,"
                               " root_device, user_data FROM instance WHERE id = ?",
                               "s", id);
    bool found = s != NULL && sqlite3_step(s) == SQLITE_ROW;
    const struct aki *aki;

    if (found) {
        snprintf(d->account, sizeof(d->account), "%s", db_text(s, 0));
        d->guest.narrow = d->use.narrow = strcmp(db_text(s, 1), "i386") == 0;
        if (sqlite3_column_type(s, 2) != SQLITE_NULL)
            d->use.layout = sqlite3_column_int64(s, 2) != 0 ? LAYOUT_HD00 : LAYOUT_HD0;
        snprintf(d->kernel_id, sizeof(d->kernel_id), "%s", db_text(s, 3));
        snprintf(d->ramdisk_id, sizeof(d->ramdisk_id), "%s", db_text(s, 4));
        d->guest.memory_mib = (unsigned)sqlite3_column_int64(s, 5);
        d->guest.vcpus = (unsigned)sqlite3_column_int64(s, 6);
        snprintf(d->root, sizeof(d->root), "%s", volume_vdev(db_text(s, 7)));
        buf_puts(&d->user_data, db_text(s, 8));
        /* Where nobody looked at the disk, the kernel image says what it is for. */
        aki = aki_find(&svc->akis, d->kernel_id);
        if (d->use.layout == LAYOUT_UNKNOWN && aki != NULL)
            d->use.layout = aki->hd00 ? LAYOUT_HD00 : LAYOUT_HD0;
    }
    db_finish(s);
    return found;
}

/* A disk with partitions that is called /dev/sda1 is the guest's sda; its first one is sda1. */
static void vdev_of(const struct description *d, const char *device, char out[INSTANCE_DEVICE])
{
    const char *name = volume_vdev(device);

    snprintf(out, INSTANCE_DEVICE, "%s", name);
    if (d->use.layout == LAYOUT_HD00 && strcmp(name, d->root) == 0)
        out[strcspn(out, "0123456789")] = 0;
}

bool instance_vdev(struct service *svc, sqlite3 *c, const char *id, const char *device,
                   char out[INSTANCE_DEVICE])
{
    struct description *d = xalloc(sizeof(*d));
    bool found = read_instance(svc, c, id, d);

    if (found)
        vdev_of(d, device, out);
    free_description(d);
    return found;
}

static enum instance_started read_disks(struct service *svc, sqlite3 *c, const char *id,
                                        struct description *d, struct buf *why)
{
    sqlite3_stmt *s = db_query(c,
                               "SELECT device, blob, state, reason FROM volume WHERE instance = ?"
                               " ORDER BY device",
                               "s", id);
    enum instance_started result = s != NULL ? INSTANCE_STARTED : INSTANCE_WAITS;
    struct blob blob;

    while (result == INSTANCE_STARTED && sqlite3_step(s) == SQLITE_ROW) {
        size_t i = d->guest.nr_disks;

        if (strcmp(db_text(s, 2), "error") == 0) {
            buf_printf(why, "The disk %s could not be made: %s", db_text(s, 0), db_text(s, 3));
            result = INSTANCE_FAILED;
        } else if (!blob_find(c, db_text(s, 1), &blob) || i == INSTANCE_VOLUMES_MAX) {
            result = INSTANCE_WAITS;
        } else {
            blob_path(svc->config.state_dir, blob.id, &d->paths[i]);
            d->guest.disks[i].path = d->paths[i].text;
            d->guest.disks[i].format = blob.qcow2 ? ENGINE_QCOW2 : ENGINE_RAW;
            vdev_of(d, db_text(s, 0), d->vdevs[i]);
            d->guest.disks[i].vdev = d->vdevs[i];
            d->guest.nr_disks++;
        }
    }
    db_finish(s);
    return result;
}

/* "%r" is the root device as Linux names it today, xvda1; "%s" as its owner does, sda1. */
static void write_cmdline(const struct service *svc, struct description *d)
{
    const char *text = svc->config.kernel_arguments;

    buf_clear(&d->cmdline);
    for (; *text; text++) {
        if (*text != '%' || (text[1] != 'r' && text[1] != 's')) {
            buf_add(&d->cmdline, text, 1);
            continue;
        }
        text++;
        if (*text == 'r' && strncmp(d->root, "sd", 2) == 0)
            buf_printf(&d->cmdline, "xvd%s", d->root + 2);
        else
            buf_puts(&d->cmdline, d->root);
    }
    d->guest.cmdline = d->cmdline.text;
}

/* A ramdisk of the row is kept while pvboot is the kernel, and is used again with another one. */
static bool find_kernel(struct service *svc, sqlite3 *c, struct description *d, struct buf *why)
{
    if (!kernel_resolve(svc, c, d->account, d->kernel_id, &d->use, &d->kernel)) {
        buf_printf(why, "The kernel %s cannot be used: %s", d->kernel_id, d->kernel.why);
        return false;
    }
    d->guest.kernel = d->kernel.path;
    if (d->kernel.pvboot)
        return true;
    write_cmdline(svc, d);
    if (!d->ramdisk_id[0])
        return true;
    if (!ramdisk_resolve(svc, c, d->account, d->ramdisk_id, &d->use, &d->ramdisk)) {
        buf_printf(why, "The ramdisk %s cannot be used: %s", d->ramdisk_id, d->ramdisk.why);
        return false;
    }
    d->guest.ramdisk = d->ramdisk.path;
    return true;
}

static bool add_seed(const struct service *svc, struct description *d, struct buf *why)
{
    if (d->user_data.len == 0) {
        instance_remove_seed(svc, d->guest.id);
        return true;
    }
    if (!instance_write_seed(svc, d->guest.id, d->user_data.text, &d->seed, why))
        return false;
    d->guest.disks[d->guest.nr_disks++] = (struct engine_disk){
        .path = d->seed.text, .format = ENGINE_RAW, .vdev = INSTANCE_SEED_VDEV, .readonly = true};
    return true;
}

enum instance_started instance_start(struct service *svc, const char *id, struct buf *why)
{
    struct description *d = xalloc(sizeof(*d));
    enum instance_started result = INSTANCE_WAITS;
    sqlite3 *c = db_reader(svc->db);
    struct engine *e = svc->engine;

    d->guest.id = id;
    buf_clear(&d->user_data);
    if (read_instance(svc, c, id, d)) {
        result = read_disks(svc, c, id, d, why);
        if (result == INSTANCE_STARTED && !find_kernel(svc, c, d, why))
            result = INSTANCE_FAILED;
    }
    db_done(svc->db, c);
    if (result == INSTANCE_STARTED && (!add_seed(svc, d, why) || !e->ops->start(e, &d->guest, why)))
        result = INSTANCE_FAILED;
    free_description(d);
    return result;
}

/* SPDX-License-Identifier: MIT */
/*
 * Disks of guests that run. A copy is made by QEMU itself where the guest is QEMU's (a mirror that
 * is let go at one moment, without stopping the guest); elsewhere the guest stands still while the
 * disk's file is copied.
 */
#include "cloud/engine/libvirt_priv.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "host/xenhost/xenhost.h"

#define DETACH_SECONDS 5
#define LOOK_NS        100000000L

static void wait_a_moment(void)
{
    nanosleep(&(struct timespec){.tv_nsec = LOOK_NS}, NULL);
}

/* The guest's disks, for free(); -1: `why`. */
static int disks_of(virDomainPtr dom, struct virt_disk **disks, struct buf *why)
{
    char *xml = virDomainGetXMLDesc(dom, 0);
    int nr = -1;

    *disks = xalloc(VIRT_DISKS_MAX * sizeof(**disks));
    if (!xml)
        virt_refused(why, "the hypervisor does not tell the instance's disks");
    else if ((nr = virt_read_disks(xml, *disks)) < 0)
        buf_puts(why, "the hypervisor's description of the instance cannot be read");
    free(xml);
    return nr;
}

static const struct virt_disk *by_vdev(const struct virt *v, const struct virt_disk *disks, int nr,
                                       const char *vdev)
{
    for (int i = 0; i < nr; i++)
        if (strcmp(v->kind == VIRT_QEMU ? disks[i].serial : disks[i].target, vdev) == 0)
            return &disks[i];
    return NULL;
}

static unsigned free_target(const struct virt_disk *disks, int nr)
{
    char name[8];

    for (unsigned nth = 0; nth < 26; nth++) {
        bool taken = false;

        snprintf(name, sizeof(name), "vd%c", 'a' + (int)nth);
        for (int i = 0; i < nr; i++)
            taken = taken || strcmp(disks[i].target, name) == 0;
        if (!taken)
            return nth;
    }
    return 25;
}

bool virt_attach(struct engine *e, const char *id, const struct engine_disk *d,
                 const stop_flag *stop, struct buf *why)
{
    struct virt *v = (struct virt *)e;
    virDomainPtr dom = engine_vdev_good(d->vdev, why) ? virt_running(v, id, why) : NULL;
    struct virt_disk *disks = NULL;
    const struct virt_disk *there;
    struct buf xml = {0};
    bool good = false;
    int nr;

    (void)stop; /* it does not wait */
    if (!dom)
        return false;
    nr = disks_of(dom, &disks, why);
    there = nr >= 0 ? by_vdev(v, disks, nr, d->vdev) : NULL;
    if (there) {
        good = strcmp(there->source, d->path) == 0;
        if (!good)
            buf_printf(why, "the instance has another disk as %s already", d->vdev);
    } else if (nr >= 0) {
        virt_disk_xml(v, d, free_target(disks, nr), &xml);
        good = virDomainAttachDeviceFlags(dom, xml.text, VIR_DOMAIN_AFFECT_LIVE) == 0;
        if (!good)
            virt_refused(why, "the disk cannot be attached");
    }
    buf_free(&xml);
    free(disks);
    virDomainFree(dom);
    return good;
}

/* The one disk as XML that names it for libvirt, which goes by the target. */
static void target_xml(const struct virt *v, const struct virt_disk *d, struct buf *xml)
{
    buf_printf(xml, "<disk type='file' device='disk'><driver name='qemu' type='%s'/><source file='",
               d->qcow2 ? "qcow2" : "raw");
    virt_text(xml, d->source);
    buf_printf(xml, "'/><target dev='%s' bus='%s'/></disk>", d->target,
               v->kind == VIRT_QEMU ? "virtio" : "xen");
}

static bool detach_one(const struct virt *v, virDomainPtr dom, const struct virt_disk *d,
                       struct buf *why)
{
    struct buf xml = {0};
    bool good;

    target_xml(v, d, &xml);
    good = virDomainDetachDeviceFlags(dom, xml.text, VIR_DOMAIN_AFFECT_LIVE) == 0;
    if (!good)
        virt_refused(why, "the disk cannot be detached");
    buf_free(&xml);
    return good;
}

/* libvirt only asks the guest, which lets go of the disk when it likes. */
static bool wait_detached(struct virt *v, virDomainPtr dom, const char *vdev, const stop_flag *stop,
                          struct buf *why)
{
    uint64_t end = xh_now_ns() + DETACH_SECONDS * UINT64_C(1000000000);

    for (;;) {
        struct virt_disk *disks;
        int nr;
        bool gone;

        if (virDomainIsActive(dom) != 1)
            return true;
        nr = disks_of(dom, &disks, why);
        gone = nr >= 0 && !by_vdev(v, disks, nr, vdev);
        free(disks);
        if (gone || nr < 0)
            return gone;
        if (xh_now_ns() > end || *stop) {
            buf_printf(why, "the instance does not let go of %s: unmount it there", vdev);
            return false;
        }
        wait_a_moment();
    }
}

/* A copy whose service was killed goes on for ever, and nothing else can be done with the disk. */
static void end_old_copy(virDomainPtr dom, const struct virt_disk *d)
{
    if (d->copied)
        virDomainBlockJobAbort(dom, d->target, 0);
}

bool virt_detach(struct engine *e, const char *id, const char *vdev, const stop_flag *stop,
                 struct buf *why)
{
    struct virt *v = (struct virt *)e;
    struct virt_disk *disks = NULL;
    const struct virt_disk *d;
    virDomainPtr dom;
    bool good;
    int nr;

    if (!virt_find(v, id, &dom, why))
        return false;
    if (!dom)
        return true;
    nr = virDomainIsActive(dom) == 1 ? disks_of(dom, &disks, why) : 0;
    d = nr > 0 ? by_vdev(v, disks, nr, vdev) : NULL;
    if (d && v->copies == 0)
        end_old_copy(dom, d);
    good =
        nr >= 0 && (!d || (detach_one(v, dom, d, why) && wait_detached(v, dom, vdev, stop, why)));
    free(disks);
    virDomainFree(dom);
    return good;
}

/* ---- copies ------------------------------------------------------------------------------------
 */

/* Wait until the mirror is as the disk is. */
static bool wait_mirror(virDomainPtr dom, const char *target, const stop_flag *stop,
                        struct buf *why)
{
    virDomainBlockJobInfo job;

    for (;;) {
        int nr = virDomainGetBlockJobInfo(dom, target, &job, 0);

        if (nr == 1 && job.cur == job.end && job.end > 0)
            return true;
        if (*stop != 0) {
            buf_puts(why, "the copy of the disk was given up");
            return false;
        }
        if (nr <= 0) {
            buf_puts(why, "the copy of the disk ended early: the instance ended, or the place for "
                          "copies is full");
            return false;
        }
        wait_a_moment();
    }
}

/*
 * The copy is made beforehand with the disk's own backing file, so that only what lies above it is
 * copied, and so that it belongs to the service and not to QEMU's user.
 */
static bool mirror(virDomainPtr dom, const struct virt_disk *d, const char *to,
                   const stop_flag *stop, struct buf *why)
{
    struct buf xml = {0};
    bool good = disk_make_like(d->source, d->qcow2, to, stop, why);

    if (!good)
        return false;
    buf_puts(&xml, "<disk type='file'><driver type='qcow2'/><source file='");
    virt_text(&xml, to);
    buf_puts(&xml, "'/></disk>");
    good = virDomainBlockCopy(dom, d->target, xml.text, NULL, 0,
                              VIR_DOMAIN_BLOCK_COPY_SHALLOW | VIR_DOMAIN_BLOCK_COPY_REUSE_EXT |
                                  VIR_DOMAIN_BLOCK_COPY_TRANSIENT_JOB) == 0;
    if (!good)
        virt_refused(why, "the disk cannot be copied");
    good = good && wait_mirror(dom, d->target, stop, why);
    if (good && virDomainBlockJobAbort(dom, d->target, 0) != 0) {
        virt_refused(why, "the copy of the disk cannot be ended");
        good = false;
    }
    if (!good) {
        virDomainBlockJobAbort(dom, d->target, 0);
        unlink(to);
    }
    buf_free(&xml);
    return good;
}

static bool still_copy(struct virt *v, virDomainPtr dom, const char *id, const struct virt_disk *d,
                       const char *to, const stop_flag *stop, struct buf *why)
{
    bool paused, good = engine_pause_begins(&v->pauses, id, why);
    struct disk_copy copy;

    if (!good)
        return false;
    paused = virDomainSuspend(dom) == 0;
    if (!paused)
        virt_refused(why, "the instance cannot be paused");
    good = paused && disk_copy_begin(&copy, d->source, d->qcow2, to, stop, why);
    /* status tries again where it cannot go on */
    engine_pause_ended(&v->pauses, id,
                       !paused || virDomainResume(dom) == 0 || virDomainIsActive(dom) == 0);
    return good && disk_copy_finish(&copy, why);
}

bool virt_copy(struct engine *e, const char *id, const char *vdev, const char *to,
               const stop_flag *stop, struct buf *why)
{
    struct virt *v = (struct virt *)e;
    virDomainPtr dom = virt_running(v, id, why);
    struct virt_disk *disks = NULL;
    const struct virt_disk *d;
    bool good = false;
    int nr;

    if (!dom)
        return false;
    nr = disks_of(dom, &disks, why);
    d = nr >= 0 ? by_vdev(v, disks, nr, vdev) : NULL;
    if (nr >= 0 && !d)
        buf_printf(why, "the instance has no disk %s", vdev);
    v->copies++; /* the service makes one at a time */
    if (d && v->kind == VIRT_QEMU) {
        end_old_copy(dom, d);
        good = mirror(dom, d, to, stop, why);
    } else if (d) {
        good = still_copy(v, dom, id, d, to, stop, why);
    }
    v->copies--;
    free(disks);
    virDomainFree(dom);
    return good;
}

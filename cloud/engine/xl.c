/* SPDX-License-Identifier: MIT */
/*
 * Guests of this machine's own Xen, by xl(1).
 *
 * xl leaves no process behind that waits for a guest's end (`xl create -e`): a guest that shuts
 * down stays as it is until `status` looks at it, keeps the reason, and removes it, or makes it
 * again when it reboots. So nothing depends on a process that may have been ended with the service.
 *
 * Files in the state's folder engine/xl:
 *   ID.cfg       what xl was told; a guest that reboots is made of it again
 *   ID.life      the boot of this machine in which it was started, and why it ended
 *   ID.console   what it wrote
 *   ID.paused    see engine_pauses
 */
#include "cloud/engine/xl_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define BOOT_ID       "/proc/sys/kernel/random/boot_id"
#define REBOOT_REASON 1
/* In ID.life, in place of a reason */
#define STILL_RUNS    (-1) /* as far as is known */
#define NEVER_RETURNS (-2) /* it rebooted and could not be made again */

#define CREATE_TRIES 3

static bool write_file(const struct xl *x, const char *id, const char *suffix, const char *text,
                       struct buf *why)
{
    char *path = engine_path(x->dir, id, suffix), *fresh = engine_path(x->dir, id, ".new");
    int fd = open(fresh, O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0600);
    size_t len = strlen(text);
    bool good = fd >= 0 && write(fd, text, len) == (ssize_t)len && rename(fresh, path) == 0;

    if (!good)
        buf_printf(why, "nothing can be written for the instance: %s", strerror(errno));
    if (fd >= 0)
        close(fd);
    free(path);
    free(fresh);
    return good;
}

static void remove_file(const struct xl *x, const char *id, const char *suffix)
{
    char *path = engine_path(x->dir, id, suffix);

    unlink(path);
    free(path);
}

static void read_line(const char *path, char *line, int cap)
{
    FILE *f = fopen(path, "re");

    line[0] = 0;
    if (f && !fgets(line, cap, f))
        line[0] = 0;
    if (f)
        fclose(f);
    line[strcspn(line, "\n")] = 0;
}

/* ID.life: "BOOT_ID REASON" */
static bool write_life(const struct xl *x, const char *id, int reason, struct buf *why)
{
    char boot[64], text[96];

    read_line(BOOT_ID, boot, sizeof(boot));
    snprintf(text, sizeof(text), "%s %d\n", boot, reason);
    return write_file(x, id, ".life", text, why);
}

/* False: it was never started, or the machine was since. */
static bool read_life(const struct xl *x, const char *id, int *reason)
{
    char *path = engine_path(x->dir, id, ".life"), boot[64], line[96], *space;

    read_line(BOOT_ID, boot, sizeof(boot));
    read_line(path, line, sizeof(line));
    free(path);
    space = strchr(line, ' ');
    if (!space)
        return false;
    *reason = atoi(space);
    *space = 0;
    return *reason != STILL_RUNS || strcmp(line, boot) == 0;
}

static bool id_good(const char *id, struct buf *why)
{
    if (engine_id_good(id))
        return true;
    buf_printf(why, "\"%s\" is not the id of an instance", id);
    return false;
}

/* ---- beginning and ending; `life` is held ---------------------------------------------------- */

static bool unpause(struct xl *x, const char *id, unsigned domid, struct buf *why)
{
    bool good;

    xl_record(x, id, domid);
    good = xl_run(why, "the instance cannot go on", (const char *const[]){"unpause", id, NULL});
    engine_pause_ended(&x->pauses, id, good);
    return good;
}

/*
 * On a busy machine xl gives up on a QEMU that is slow to begin, and cleans up; so it is asked more
 * than once.
 */
static bool create_paused(const char *config, struct buf *why)
{
    struct buf said = {0};
    bool good = false;

    for (int i = 0; i < CREATE_TRIES && !good; i++) {
        buf_clear(&said);
        good = xl_run(&said, "the instance cannot be started",
                      (const char *const[]){"create", "-e", "-p", "-q", config, NULL});
    }
    if (!good)
        buf_add(why, said.text, said.len);
    buf_free(&said);
    return good;
}

/* From ID.cfg. */
static bool create(struct xl *x, const char *id, struct buf *why)
{
    char *config = engine_path(x->dir, id, ".cfg");
    struct xl_domain d = {.life = XL_GONE};
    bool good = write_life(x, id, STILL_RUNS, why) && engine_pause_begins(&x->pauses, id, why);

    if (good) {
        good = create_paused(config, why) && xl_look(id, &d, why) && unpause(x, id, d.domid, why);
        if (!good)
            engine_pause_ended(&x->pauses, id, true);
    }
    if (!good && d.life != XL_GONE) {
        struct buf ignored = {0};

        xl_run(&ignored, "", (const char *const[]){"destroy", id, NULL});
        buf_free(&ignored);
    }
    if (!good)
        remove_file(x, id, ".life");
    free(config);
    return good;
}

/* A guest that has shut down: keep why, and remove it. */
static bool bury(struct xl *x, const char *id, const struct xl_domain *d, struct buf *why)
{
    xl_record(x, id, d->domid);
    xl_record_rest(x, id);
    return write_life(x, id, (int)d->reason, why) &&
           xl_run(why, "the instance has ended and cannot be removed",
                  (const char *const[]){"destroy", id, NULL});
}

static bool start(struct engine *e, const struct engine_guest *g, struct buf *why)
{
    struct xl *x = (struct xl *)e;
    struct buf text = {0};
    struct xl_domain d;
    bool good;

    if (!id_good(g->id, why) || !engine_guest_good(g, why) || !engine_make_dir(x->dir, why))
        return false;
    pthread_mutex_lock(&x->life);
    good = xl_look(g->id, &d, why);
    if (good && d.life == XL_PAUSED && engine_pause_left(&x->pauses, g->id)) {
        good = unpause(x, g->id, d.domid, why);
    } else if (good && (d.life == XL_GONE || d.life == XL_SHUT_DOWN)) {
        xl_config(x, g, &text);
        good = (d.life == XL_GONE || bury(x, g->id, &d, why)) &&
               write_file(x, g->id, ".cfg", text.text, why) && create(x, g->id, why);
    }
    pthread_mutex_unlock(&x->life);
    buf_free(&text);
    return good;
}

/* ---- looking -----------------------------------------------------------------------------------
 */

static void fail(struct engine_status *out, const char *why)
{
    out->reason = ENGINE_FAILED;
    snprintf(out->why, sizeof(out->why), "%s", why);
}

/* Of a guest that Xen does not know any more. */
static void tell_ended(const struct xl *x, const char *id, struct engine_status *out)
{
    int reason;

    out->state = ENGINE_ABSENT;
    if (!read_life(x, id, &reason))
        return;
    out->state = ENGINE_ENDED;
    if (reason == STILL_RUNS)
        out->reason = ENGINE_DESTROYED;
    else if (reason == 0)
        out->reason = ENGINE_POWEROFF;
    else if (reason == NEVER_RETURNS)
        fail(out, "it rebooted and could not be started again");
    else
        out->reason = ENGINE_CRASHED;
}

static bool look(struct xl *x, const char *id, struct engine_status *out, struct buf *why)
{
    struct xl_domain d;

    if (!id_good(id, why) || !xl_look(id, &d, why))
        return false;
    if (d.life == XL_SHUT_DOWN && d.reason == REBOOT_REASON) {
        if (!bury(x, id, &d, why))
            return false;
        out->state = ENGINE_RUNNING;
        if (!create(x, id, why)) {
            out->state = ENGINE_ENDED;
            fail(out, why->text);
            write_life(x, id, NEVER_RETURNS, why);
        }
        return true;
    }
    if (d.life == XL_SHUT_DOWN && !bury(x, id, &d, why))
        return false;
    if (d.life == XL_SHUT_DOWN || d.life == XL_GONE) {
        tell_ended(x, id, out);
        return true;
    }
    out->state = ENGINE_RUNNING;
    if (d.life == XL_PAUSED && engine_pause_left(&x->pauses, id))
        return unpause(x, id, d.domid, why);
    xl_record(x, id, d.domid);
    return true;
}

static bool status(struct engine *e, const char *id, struct engine_status *out)
{
    struct xl *x = (struct xl *)e;
    struct buf why = {0};
    bool good;

    *out = (struct engine_status){.state = ENGINE_ABSENT};
    pthread_mutex_lock(&x->life);
    good = look(x, id, out, &why);
    pthread_mutex_unlock(&x->life);
    if (!good)
        snprintf(out->why, sizeof(out->why), "%s", why.text);
    buf_free(&why);
    return good;
}

/* ---- the other operations ----------------------------------------------------------------------
 */

/* Asking what does not run is a success, see engine.h. */
static bool ask(const char *id, const char *verb, const char *what, struct buf *why)
{
    struct xl_domain d;

    if (!id_good(id, why) || !xl_look(id, &d, why))
        return false;
    return (d.life != XL_RUNS && d.life != XL_PAUSED) ||
           xl_run(why, what, (const char *const[]){verb, id, NULL});
}

static bool shut_down(struct engine *e, const char *id, struct buf *why)
{
    (void)e;
    return ask(id, "shutdown", "the instance cannot be asked to shut down", why);
}

static bool restart(struct engine *e, const char *id, struct buf *why)
{
    (void)e;
    return ask(id, "reboot", "the instance cannot be asked to reboot", why);
}

static bool destroy(struct engine *e, const char *id, struct buf *why)
{
    struct xl *x = (struct xl *)e;
    struct xl_domain d;
    bool good;

    if (!id_good(id, why))
        return false;
    pthread_mutex_lock(&x->life);
    good = xl_look(id, &d, why) &&
           (d.life == XL_GONE || xl_run(why, "the instance cannot be ended",
                                        (const char *const[]){"destroy", id, NULL}));
    if (good) {
        remove_file(x, id, ".life");
        remove_file(x, id, ".cfg");
    }
    pthread_mutex_unlock(&x->life);
    return good;
}

static bool forget(struct engine *e, const char *id, struct buf *why)
{
    if (!destroy(e, id, why))
        return false;
    remove_file((struct xl *)e, id, ".console");
    return true;
}

static bool console(struct engine *e, const char *id, struct buf *out, struct buf *why)
{
    char *path;
    bool good;

    if (!id_good(id, why))
        return false;
    path = engine_path(((struct xl *)e)->dir, id, ".console");
    good = console_tail(path, out);
    if (!good)
        buf_printf(why, "the instance's console cannot be read: %s", strerror(errno));
    free(path);
    return good;
}

/* The guest runs: *d, and the disk's file, "" without one. */
static bool find_running(const char *id, const char *vdev, struct xl_domain *d,
                         char path[XL_PATH_BYTES], bool *qcow2, struct buf *why)
{
    if (!id_good(id, why) || !engine_vdev_good(vdev, why) || !xl_look(id, d, why))
        return false;
    if (d->life == XL_RUNS || d->life == XL_PAUSED)
        return xl_find_disk(d->domid, vdev, path, qcow2, why);
    buf_puts(why, "the instance does not run");
    return false;
}

static bool attach(struct engine *e, const char *id, const struct engine_disk *disk,
                   const stop_flag *stop, struct buf *why)
{
    char path[XL_PATH_BYTES];
    struct buf text = {0};
    struct xl_domain d;
    bool qcow2, good;

    (void)e;
    (void)stop; /* xl has limits of its own, and is not ended in between */
    if (!find_running(id, disk->vdev, &d, path, &qcow2, why))
        return false;
    if (path[0]) {
        good = strcmp(path, disk->path) == 0;
        if (!good)
            buf_printf(why, "the instance has another disk as %s already", disk->vdev);
        return good;
    }
    xl_disk(disk, &text);
    good = xl_run(why, "the disk cannot be attached",
                  (const char *const[]){"block-attach", id, text.text, NULL});
    buf_free(&text);
    return good;
}

static bool detach(struct engine *e, const char *id, const char *vdev, const stop_flag *stop,
                   struct buf *why)
{
    char path[XL_PATH_BYTES];
    struct xl_domain d;
    bool qcow2;

    (void)e;
    (void)stop; /* xl has limits of its own, and is not ended in between */
    if (!id_good(id, why) || !engine_vdev_good(vdev, why) || !xl_look(id, &d, why))
        return false;
    if (d.life != XL_RUNS && d.life != XL_PAUSED)
        return true;
    if (!xl_find_disk(d.domid, vdev, path, &qcow2, why))
        return false;
    return !path[0] || xl_run(why, "the instance does not let go of the disk",
                              (const char *const[]){"block-detach", id, vdev, NULL});
}

static bool copy(struct engine *e, const char *id, const char *vdev, const char *to,
                 const stop_flag *stop, struct buf *why)
{
    struct xl *x = (struct xl *)e;
    char path[XL_PATH_BYTES];
    struct disk_copy c;
    struct buf ignored = {0};
    struct xl_domain d;
    bool qcow2, paused, good;

    if (!find_running(id, vdev, &d, path, &qcow2, why))
        return false;
    if (!path[0]) {
        buf_printf(why, "the instance has no disk %s", vdev);
        return false;
    }
    if (!engine_pause_begins(&x->pauses, id, why))
        return false;
    paused = xl_run(why, "the instance cannot be paused", (const char *const[]){"pause", id, NULL});
    good = paused && disk_copy_begin(&c, path, qcow2, to, stop, why);
    if (!paused)
        engine_pause_ended(&x->pauses, id, true);
    else
        unpause(x, id, d.domid, &ignored); /* status tries again where it cannot go on */
    buf_free(&ignored);
    return good && disk_copy_finish(&c, why);
}

static void close_xl(struct engine *e)
{
    struct xl *x = (struct xl *)e;

    xl_stop_recording(x);
    free(x->dir);
    free(x->bridge);
    free(x);
}

static const struct engine_ops ops = {
    .name = "xl",
    .start = start,
    .status = status,
    .shutdown = shut_down,
    .reboot = restart,
    .destroy = destroy,
    .forget = forget,
    .console = console,
    .attach = attach,
    .detach = detach,
    .copy = copy,
    .close = close_xl,
};

static bool is_dom0(struct buf *why)
{
    char said[64];

    read_line("/proc/xen/capabilities", said, sizeof(said));
    if (strcmp(said, "control_d") == 0)
        return true;
    buf_puts(why, "the engine xl needs a Xen host, and this machine is not one (or xenfs is not "
                  "mounted at /proc/xen)");
    return false;
}

struct engine *xl_open(const struct engine_setup *setup, struct buf *why)
{
    struct xl *x;

    if (!is_dom0(why) || !engine_needs("xl", "xen-utils-common", why) ||
        !engine_needs("xenstore-read", "xenstore-utils", why) ||
        !engine_needs("qemu-img", "qemu-utils", why))
        return NULL;
    if (geteuid() != 0) {
        buf_puts(why, "the engine xl needs root: xl does");
        return NULL;
    }
    x = xalloc(sizeof(*x));
    x->engine.ops = &ops;
    x->dir = engine_path(setup->state_dir, "engine", "/xl");
    x->bridge = setup->bridge ? xstrdup(setup->bridge) : NULL;
    pthread_mutex_init(&x->life, NULL);
    pthread_mutex_init(&x->lock, NULL);
    engine_pauses_init(&x->pauses, x->dir);
    return &x->engine;
}

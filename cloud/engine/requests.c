/* SPDX-License-Identifier: MIT */
/* What the service asks a runner for; see runner_priv.h. */
#include "cloud/engine/engine_priv.h"
#include "cloud/engine/runner_priv.h"

#include <stdarg.h>
#include <stdio.h>
#include <string.h>
#include <unistd.h>

#define REBOOT_LIMIT_MS 120000 /* a guest that has not gone by then is started again by force */
#define COPY_LOOK_MS    500    /* how often it is seen whether somebody waits for the copy */

__attribute__((format(printf, 2, 3))) static void answer(int fd, const char *fmt, ...)
{
    char text[1024];
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(text, sizeof(text), fmt, ap);
    va_end(ap);
    control_answer(fd, text);
}

static bool is(const char *request, const char *verb, const char **rest)
{
    size_t len = strlen(verb);

    if (strncmp(request, verb, len) != 0 || (request[len] && request[len] != ' '))
        return false;
    *rest = request + len + (request[len] == ' ');
    return true;
}

void requests_take(void *runner)
{
    struct runner *r = runner;
    struct waiting *w = &r->queue[r->nr_queue];
    char request[RUNNER_REQUEST_MAX];
    const char *rest;
    int fd = control_take(r->listener, request, sizeof(request));

    if (fd < 0)
        return;
    if (is(request, "status", &rest)) {
        answer(fd, "ok %s", r->running ? "running" : "starting");
    } else if (is(request, "destroy", &rest)) {
        r->destroyed = true;
        xh_cancel(r->h);
        answer(fd, "ok");
    } else if (is(request, "shutdown", &rest) || is(request, "reboot", &rest)) {
        bool reboot = request[0] == 'r';

        r->ask_reboot |= reboot;
        r->ask_poweroff |= !reboot;
        answer(fd, "ok");
    } else if (!r->running) {
        answer(fd, "err The instance does not run yet.");
    } else if (r->nr_queue == RUNNER_QUEUE_MAX) {
        answer(fd, "err The instance has too much to do; ask again.");
    } else {
        w->fd = fd;
        memcpy(w->text, request, sizeof(w->text));
        r->nr_queue++;
    }
}

struct xh_drive runner_drive(const struct engine_disk *d)
{
    return (struct xh_drive){
        .name = d->vdev,
        .path = d->path,
        .format = d->format == ENGINE_QCOW2 ? XH_QCOW2 : XH_RAW,
        .write = !d->readonly,
        .readonly = d->readonly,
        .wait_for_room = true,
    };
}

struct xh_disk runner_disk(const struct engine_disk *d)
{
    return (struct xh_disk){
        .drive = d->vdev, .vdev = d->vdev, .backend = XH_PHY, .readonly = d->readonly};
}

static struct engine_disk *find_disk(struct runner *r, const char *vdev)
{
    for (size_t i = 0; i < r->g.nr_disks; i++)
        if (strcmp(r->g.disks[i].vdev, vdev) == 0)
            return &r->g.disks[i];
    return NULL;
}

/* NULL: it is attached. The messages of QEMU and xl name files: they are for the log. */
static const char *add_disk(struct runner *r, const struct engine_disk *d)
{
    const struct xh_drive drive = runner_drive(d);
    const struct xh_disk disk = runner_disk(d);

    if (xh_add_drive(r->h, &drive) != XH_OK) {
        fprintf(stderr, "attach %s: %s\n", d->vdev, xh_error(r->h));
        return "The disk cannot be opened by what runs the instance.";
    }
    if (xh_attach(r->h, RUNNER_GUEST, &disk) == XH_OK)
        return NULL;
    fprintf(stderr, "attach %s: %s\n", d->vdev, xh_error(r->h));
    if (xh_remove_drive(r->h, d->vdev) != XH_OK)
        fprintf(stderr, "attach %s: %s\n", d->vdev, xh_error(r->h));
    return "The disk cannot be given to the instance under this name.";
}

static void attach(struct runner *r, int fd, const char *text)
{
    struct engine_disk d;
    const struct engine_disk *there;
    const char *why = NULL;

    if (!guest_disk_read(text, &d)) {
        answer(fd, "err The disk's name is not one of xvdf, sdf, ...");
        return;
    }
    there = find_disk(r, d.vdev);
    if (there) {
        if (strcmp(there->path, d.path) != 0)
            why = "The instance has another disk of that name.";
        guest_disk_free(&d);
    } else {
        why = r->g.nr_disks == ENGINE_DISKS_MAX ? "The instance has no room for one more disk."
                                                : add_disk(r, &d);
        if (why)
            guest_disk_free(&d);
        else
            r->g.disks[r->g.nr_disks++] = d;
    }
    answer(fd, why ? "err %s" : "ok", why);
}

static void detach(struct runner *r, int fd, const char *vdev)
{
    struct engine_disk *d = find_disk(r, vdev);

    if (!d) {
        answer(fd, "ok");
        return;
    }
    if (r->copy_fd >= 0 && strcmp(r->copy_vdev, vdev) == 0) {
        answer(fd, "err The disk %s is being copied.", vdev);
        return;
    }
    if (xh_detach(r->h, RUNNER_GUEST, vdev) != XH_OK || xh_remove_drive(r->h, vdev) != XH_OK) {
        fprintf(stderr, "detach %s: %s %s\n", vdev, xh_error(r->h), xh_output(r->h));
        answer(fd, "err The instance does not let go of the disk %s: unmount it there.", vdev);
        return;
    }
    guest_disk_free(d);
    *d = r->g.disks[--r->g.nr_disks];
    answer(fd, "ok");
}

static void begin_copy(struct runner *r, int fd, const char *text)
{
    size_t len = strcspn(text, " ");
    const char *to = text + len + 1;
    static const stop_flag never;
    const struct engine_disk *d;
    struct buf why = {0};

    if (r->copy_fd >= 0) {
        answer(fd, "err Another disk of the instance is being copied.");
        return;
    }
    snprintf(r->copy_vdev, sizeof(r->copy_vdev), "%.*s", (int)len, text);
    d = find_disk(r, r->copy_vdev);
    if (!text[len] || !d) {
        answer(fd, "err The instance has no disk %s.", r->copy_vdev);
        return;
    }
    if (!disk_make_like(d->path, d->format == ENGINE_QCOW2, to, &never, &why)) {
        answer(fd, "err %s", why.text);
        buf_free(&why);
        return;
    }
    if (xh_copy(r->h, r->copy_vdev, to) != XH_OK) {
        fprintf(stderr, "copy %s: %s\n", text, xh_error(r->h));
        answer(fd, "err The copy of the disk %s cannot be begun.", r->copy_vdev);
        return;
    }
    r->copy_fd = fd;
}

static void look_after_copy(struct runner *r)
{
    enum xh_result how;

    if (r->copy_fd < 0)
        return;
    if (!xh_copy_done(r->h, &how)) {
        if (control_gone(r->copy_fd))
            xh_copy_cancel(r->h);
        return;
    }
    if (how != XH_OK)
        fprintf(stderr, "copy %s: %s\n", r->copy_vdev, xh_error(r->h));
    answer(r->copy_fd, how == XH_OK ? "ok" : "err %s",
           strstr(xh_error(r->h), "No space") ? "There is no room for the copy of the disk."
                                              : "The copy of the disk failed.");
    r->copy_fd = -1;
}

static void ask_guest(struct runner *r)
{
    if (r->ask_reboot && !r->reboot_by_ns) {
        r->reboot_by_ns = xh_now_ns() + REBOOT_LIMIT_MS * UINT64_C(1000000);
        xh_ask(r->h, RUNNER_GUEST, XH_REBOOT);
    }
    if (r->ask_poweroff)
        xh_ask(r->h, RUNNER_GUEST, XH_POWEROFF);
    r->ask_reboot = r->ask_poweroff = false;
    if (!r->reboot_by_ns || xh_now_ns() < r->reboot_by_ns || r->ended)
        return;
    fprintf(stderr, "reboot: the guest did not listen, it is started again by force\n");
    r->reboot_by_ns = 0;
    r->shut_down = true;
    r->reason = XH_REBOOT;
    xh_destroy(r->h, RUNNER_GUEST);
}

void requests_work(struct runner *r)
{
    ask_guest(r);
    while (r->nr_queue > 0 && !r->ended && !r->destroyed) {
        struct waiting w = r->queue[0];
        const char *rest;

        memmove(&r->queue[0], &r->queue[1], --r->nr_queue * sizeof(w));
        if (control_gone(w.fd)) /* a service that was killed: the next one asks by itself */
            close(w.fd);
        else if (is(w.text, "attach", &rest))
            attach(r, w.fd, rest);
        else if (is(w.text, "detach", &rest))
            detach(r, w.fd, rest);
        else if (is(w.text, "copy", &rest))
            begin_copy(r, w.fd, rest);
        else
            answer(w.fd, "err What runs the instance does not know this request.");
    }
    look_after_copy(r);
}

int requests_timeout_ms(const struct runner *r)
{
    uint64_t now = xh_now_ns();
    int ms = -1;

    if (r->nr_queue > 0 || r->ask_poweroff || r->ask_reboot)
        return 0;
    if (r->reboot_by_ns)
        ms = r->reboot_by_ns > now ? (int)((r->reboot_by_ns - now) / 1000000) + 1 : 0;
    if (r->copy_fd >= 0 && (ms < 0 || ms > COPY_LOOK_MS))
        ms = COPY_LOOK_MS;
    if (xh_stands_still(r->h) && (ms < 0 || ms > NO_ROOM_LOOK_MS))
        ms = NO_ROOM_LOOK_MS;
    return ms;
}

void requests_end(struct runner *r)
{
    for (size_t i = 0; i < r->nr_queue; i++)
        answer(r->queue[i].fd, "err The instance has ended.");
    r->nr_queue = 0;
    if (r->copy_fd >= 0)
        answer(r->copy_fd, "err The instance ended while its disk was copied.");
    r->copy_fd = -1;
}

/* SPDX-License-Identifier: MIT */
/*
 * The embedded engine: Xen inside QEMU, one of them and a process (runner.h) for each guest. It
 * needs neither root nor KVM. Its guests have no network interface.
 *
 * Whether a guest lives is asked of its lock, which cannot outlive what holds it; how it is, of its
 * runner.
 */
#include "cloud/engine/engine_priv.h"
#include "cloud/engine/launch.h"
#include "cloud/engine/runner.h"
#include "cloud/engine/silence.h"

#include <errno.h>
#include <fcntl.h>
#include <limits.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>
#include <unistd.h>

#include "host/xenhost/xenhost.h"

#define STATUS_MS    1000
#define ANSWER_MS    20000 /* for what a runner answers at once: it may be waiting for QEMU's end */
#define DISK_MS      90000 /* attach, detach */
#define END_MS       30000 /* for a runner and its QEMU to end */
#define PAUSE_NS     20000000
#define STATUS_TRIES 50

struct embedded {
    struct engine engine;
    char *dir; /* STATE/engine */
    char *program;
    char *xen32;
    struct silence silent, stuck; /* what runs a guest did not answer, or did not end */
};

static const char *const leftovers[] = {"guest", "started", "control", "result"};

static struct embedded *of(struct engine *e)
{
    return (struct embedded *)e;
}

static void nap(void)
{
    nanosleep(&(struct timespec){.tv_nsec = PAUSE_NS}, NULL);
}

/* The guest's folder; -1: there is none, `errno`. */
static int open_folder(struct engine *e, const char *id)
{
    char path[PATH_MAX];

    if (!engine_id_good(id) ||
        snprintf(path, sizeof(path), "%s/%s", of(e)->dir, id) >= (int)sizeof(path)) {
        errno = EINVAL;
        return -1;
    }
    return open(path, O_PATH | O_DIRECTORY | O_CLOEXEC);
}

enum boot { BOOT_NEVER, BOOT_EARLIER, BOOT_THIS };

/* The boot of this machine in which its runner began. */
static enum boot started_in(int dir)
{
    struct buf then = {0}, now = {0};
    enum boot boot = BOOT_NEVER;

    if (small_read(dir, "started", &then)) {
        boot_id(&now);
        boot = strcmp(then.text, now.text) == 0 ? BOOT_THIS : BOOT_EARLIER;
    }
    buf_free(&then);
    buf_free(&now);
    return boot;
}

/*
 * Nothing lives of it: how did it end? What broke off in an earlier boot may have been ended with
 * the machine: QEMU before its runner.
 */
static void ended_status(int dir, struct engine_status *out)
{
    static const struct {
        const char *word;
        enum engine_reason reason;
    } words[] = {{"poweroff ", ENGINE_POWEROFF},
                 {"crashed ", ENGINE_CRASHED},
                 {"destroyed ", ENGINE_DESTROYED},
                 {"failed ", ENGINE_FAILED}};
    enum boot boot = started_in(dir);
    struct buf text = {0};

    out->state = ENGINE_ABSENT;
    if (small_read(dir, "result", &text)) {
        for (size_t i = 0; i < sizeof(words) / sizeof(words[0]); i++) {
            size_t len = strlen(words[i].word);

            if (strncmp(text.text, words[i].word, len) != 0 ||
                (words[i].reason == ENGINE_FAILED && boot == BOOT_EARLIER))
                continue;
            out->state = ENGINE_ENDED;
            out->reason = words[i].reason;
            snprintf(out->why, sizeof(out->why), "%s", text.text + len);
        }
    } else if (boot == BOOT_THIS) {
        out->state = ENGINE_ENDED;
        out->reason = ENGINE_FAILED;
        snprintf(out->why, sizeof(out->why), "What ran the instance was ended by force.");
    }
    buf_free(&text);
}

/* Between the end of a runner and that of its QEMU the guest still counts as
 * running, since its disks are not free yet. */
static void look(struct embedded *e, const char *id, int dir, struct engine_status *out)
{
    struct buf said = {0};

    for (int i = 0; i < STATUS_TRIES; i++) {
        enum control_said how;

        if (!launch_alive(dir)) {
            ended_status(dir, out);
            break;
        }
        out->state = ENGINE_SILENT;
        if (silence_lasts(&e->silent, id))
            break;
        how = control_ask(dir, "status", STATUS_MS, NULL, &said);
        silence_note(&e->silent, id, how != CONTROL_SILENT);
        if (how == CONTROL_SILENT)
            break;
        out->state = how == CONTROL_NOT_YET || (how == CONTROL_OK && said.text[0] == 's')
                         ? ENGINE_STARTING
                         : ENGINE_RUNNING;
        if (how != CONTROL_NOBODY)
            break;
        nap();
    }
    buf_free(&said);
}

static bool status(struct engine *e, const char *id, struct engine_status *out)
{
    int dir = open_folder(e, id);

    *out = (struct engine_status){.state = ENGINE_ABSENT};
    if (dir < 0)
        return errno == ENOENT;
    look(of(e), id, dir, out);
    close(dir);
    return true;
}

static bool check_guest(const struct embedded *e, const struct engine_guest *g, struct buf *why)
{
    if (!engine_id_good(g->id))
        buf_puts(why, "The instance's id is not one.");
    else if (g->nr_disks > ENGINE_DISKS_MAX)
        buf_printf(why, "An instance has at most %d disks.", ENGINE_DISKS_MAX);
    else if (g->narrow && !e->xen32)
        buf_puts(why,
                 "This service runs no 32-bit instances; use an image and a kernel of x86_64.");
    for (size_t i = 0; i < g->nr_disks && why->len == 0; i++)
        engine_vdev_good(g->disks[i].vdev, why);
    return why->len == 0;
}

static bool start(struct engine *engine, const struct engine_guest *g, struct buf *why)
{
    const struct embedded *e = of(engine);
    uint64_t end = xh_now_ns() + END_MS * UINT64_C(1000000);
    char path[PATH_MAX];
    struct buf text = {0};
    enum launch_result r;
    int dir;

    if (!check_guest(e, g, why))
        return false;
    snprintf(path, sizeof(path), "%s/%s", e->dir, g->id);
    mkdir(e->dir, 0700);
    mkdir(path, 0700);
    dir = open_folder(engine, g->id);
    if (dir < 0) {
        buf_printf(why, "The instance's folder cannot be made: %s.", strerror(errno));
        return false;
    }
    launch_tell_first_use(e->dir);
    guest_write(g, g->narrow ? e->xen32 : NULL, &text);
    /* What is left of a former run may still be ending. */
    while ((r = launch(dir, path, e->program, &text, why)) == LAUNCH_ENDING && xh_now_ns() < end)
        nap();
    if (r == LAUNCH_ENDING)
        buf_puts(why, "The instance's former run does not end.");
    buf_free(&text);
    close(dir);
    return r == LAUNCH_DONE;
}

/* A request whose answer is yes or no, to a guest that must run. */
static bool ask(struct engine *e, const char *id, const struct buf *request, int timeout_ms,
                const stop_flag *stop, struct buf *why)
{
    int dir = open_folder(e, id);
    enum control_said how = CONTROL_NOBODY;
    struct buf said = {0};

    if (dir >= 0 && launch_alive(dir))
        how = control_ask(dir, request->text, timeout_ms, stop, &said);
    if (how == CONTROL_REFUSED)
        buf_add(why, said.text, said.len);
    else if (how == CONTROL_SILENT)
        buf_puts(why, "What runs the instance did not answer in time.");
    else if (how == CONTROL_NOT_YET)
        buf_puts(why, "The instance does not run yet.");
    else if (how == CONTROL_NOBODY)
        buf_puts(why, "The instance does not run.");
    buf_free(&said);
    if (dir >= 0)
        close(dir);
    return how == CONTROL_OK;
}

static bool ask_word(struct engine *e, const char *id, const char *word, struct buf *why)
{
    struct buf request = {0};
    bool good;

    buf_puts(&request, word);
    good = ask(e, id, &request, ANSWER_MS, NULL, why);
    buf_free(&request);
    return good;
}

static bool shut_down(struct engine *e, const char *id, struct buf *why)
{
    struct engine_status now;

    if (status(e, id, &now) && (now.state == ENGINE_ABSENT || now.state == ENGINE_ENDED))
        return true;
    return ask_word(e, id, "shutdown", why);
}

static bool reboot(struct engine *e, const char *id, struct buf *why)
{
    return ask_word(e, id, "reboot", why);
}

/* Waits for the lock, which is free when nothing lives any more; -1: it is not. */
static int end_and_lock(int dir)
{
    uint64_t end = xh_now_ns() + END_MS * UINT64_C(1000000);
    struct buf said = {0};
    bool told = false;
    int lock;

    while ((lock = launch_lock(dir)) < 0 && errno == EAGAIN && xh_now_ns() < end) {
        if (!told)
            told = control_ask(dir, "destroy", ANSWER_MS, NULL, &said) == CONTROL_OK;
        nap();
    }
    buf_free(&said);
    return lock;
}

static bool destroy(struct engine *e, const char *id, struct buf *why)
{
    int dir = open_folder(e, id), lock = -1;

    if (dir < 0 && errno == ENOENT)
        return true;
    if (silence_lasts(&of(e)->stuck, id))
        errno = EAGAIN;
    else if (dir >= 0) {
        lock = end_and_lock(dir);
        silence_note(&of(e)->stuck, id, lock >= 0 || errno != EAGAIN);
    }
    if (lock < 0) {
        buf_printf(why, "The instance cannot be ended: %s.",
                   errno == EAGAIN ? "what runs it does not end" : strerror(errno));
    } else {
        for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++)
            unlinkat(dir, leftovers[i], 0);
        close(lock);
    }
    if (dir >= 0)
        close(dir);
    return lock >= 0;
}

static bool forget(struct engine *e, const char *id, struct buf *why)
{
    static const char *const rest[] = {"console",     "console.new", "log",         "guest.new",
                                       "started.new", "result.new",  "control.new", "lock"};
    char path[PATH_MAX];
    struct engine_status now;
    int dir;

    if (!status(e, id, &now) || (now.state != ENGINE_ABSENT && now.state != ENGINE_ENDED)) {
        buf_puts(why, "The instance still runs.");
        return false;
    }
    dir = open_folder(e, id);
    if (dir < 0)
        return true;
    for (size_t i = 0; i < sizeof(leftovers) / sizeof(leftovers[0]); i++)
        unlinkat(dir, leftovers[i], 0);
    for (size_t i = 0; i < sizeof(rest) / sizeof(rest[0]); i++)
        unlinkat(dir, rest[i], 0);
    close(dir);
    snprintf(path, sizeof(path), "%s/%s", of(e)->dir, id);
    if (rmdir(path) == 0 || errno == ENOENT)
        return true;
    buf_printf(why, "What is left of the instance cannot be removed: %s.", strerror(errno));
    return false;
}

static bool console(struct engine *e, const char *id, struct buf *out, struct buf *why)
{
    char path[PATH_MAX];
    bool good;

    buf_clear(out);
    good = engine_id_good(id) &&
           snprintf(path, sizeof(path), "%s/%s/console", of(e)->dir, id) < (int)sizeof(path) &&
           console_tail(path, out);
    if (!good)
        buf_puts(why, "The instance's console cannot be read.");
    return good;
}

static bool attach(struct engine *e, const char *id, const struct engine_disk *d,
                   const stop_flag *stop, struct buf *why)
{
    struct buf request = {0};
    bool good;

    buf_puts(&request, "attach ");
    guest_disk_write(d, &request);
    good = ask(e, id, &request, DISK_MS, stop, why);
    buf_free(&request);
    return good;
}

static bool detach(struct engine *e, const char *id, const char *vdev, const stop_flag *stop,
                   struct buf *why)
{
    struct buf request = {0};
    struct engine_status now;
    bool good;

    if (status(e, id, &now) && (now.state == ENGINE_ABSENT || now.state == ENGINE_ENDED))
        return true;
    buf_printf(&request, "detach %s", vdev);
    good = ask(e, id, &request, DISK_MS, stop, why);
    buf_free(&request);
    return good;
}

/* The path of a disk that the guest was started with or that was attached later. */
static bool copy(struct engine *e, const char *id, const char *vdev, const char *to,
                 const stop_flag *stop, struct buf *why)
{
    struct buf request = {0};
    bool good;

    buf_printf(&request, "copy %s %s", vdev, to);
    good = ask(e, id, &request, -1, stop, why);
    if (!good)
        unlink(to);
    buf_free(&request);
    return good;
}

static void close_embedded(struct engine *engine)
{
    struct embedded *e = (struct embedded *)engine;

    silence_destroy(&e->silent);
    silence_destroy(&e->stuck);
    free(e->dir);
    free(e->program);
    free(e->xen32);
    free(e);
}

static const struct engine_ops ops = {
    .name = "embedded",
    .start = start,
    .status = status,
    .shutdown = shut_down,
    .reboot = reboot,
    .destroy = destroy,
    .forget = forget,
    .console = console,
    .attach = attach,
    .detach = detach,
    .copy = copy,
    .close = close_embedded,
};

struct engine *embedded_open(const struct engine_setup *setup, struct buf *why)
{
    struct embedded *e;
    struct buf dir = {0};

    if (!engine_needs("qemu-system-x86_64", "qemu-system-x86", why) ||
        !engine_needs("qemu-img", "qemu-utils", why))
        return NULL;
    if (setup->bridge) {
        buf_puts(why, "instances of the embedded engine have no network, so bridge cannot be set");
        return NULL;
    }
    e = xalloc(sizeof(*e));
    e->engine.ops = &ops;
    silence_init(&e->silent);
    silence_init(&e->stuck);
    buf_printf(&dir, "%s/engine", setup->state_dir);
    e->dir = dir.text;
    e->program = xstrdup(setup->program);
    e->xen32 = setup->xen32 ? xstrdup(setup->xen32) : NULL;
    return &e->engine;
}

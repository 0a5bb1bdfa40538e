/* SPDX-License-Identifier: MIT */
/* A runner's life; see runner.h. Its working directory is the guest's folder. */
#include "cloud/engine/engine_priv.h"
#include "cloud/engine/runner_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#define TURN_LOOK_MS  200
#define LOG_BYTES_MAX (1 << 20) /* then the log begins anew: a guest may reboot for ever */

static void on_console(void *ctx, const char *guest, const void *bytes, size_t len,
                       uint64_t time_ns)
{
    (void)ctx;
    (void)guest;
    (void)time_ns;
    console_append("console", bytes, len);
}

static void on_event(void *ctx, const struct xh_event *ev)
{
    struct runner *r = ctx;

    switch (ev->kind) {
    case XH_EV_SHUTDOWN:
        r->shut_down = true;
        r->reason = ev->reason;
        fprintf(stderr, "the guest has shut down: %s\n", xh_reason_name(ev->reason));
        break;
    case XH_EV_ENDED:
        r->ended = true;
        break;
    case XH_EV_DUMP:
    case XH_EV_TROUBLE:
        fprintf(stderr, "%s\n", ev->text);
        break;
    case XH_EV_CREATING:
    case XH_EV_UNPAUSING:
        break;
    }
}

/* How it ended, for whoever asks; the first words stay. */
static void write_result(const char *word, const char *why)
{
    struct buf b = {0};

    buf_printf(&b, "%s %s", word, why);
    if (!small_write(AT_FDCWD, "result", b.text, b.len))
        fprintf(stderr, "result \"%s\": %s\n", b.text, strerror(errno));
    buf_free(&b);
}

/* `why` is for the guest's owner; what exactly happened goes to the log. */
static void write_failure(struct runner *r, enum xh_result res, const char *why)
{
    if (r->destroyed || res == XH_CANCELLED) {
        write_result("destroyed", "");
        return;
    }
    fprintf(stderr, "%s\n%s\n", why, xh_error(r->h));
    write_result("failed", why);
}

static enum xh_result create(struct runner *r)
{
    struct xh_disk disks[ENGINE_DISKS_MAX];
    const struct xh_guest_config config = {
        .name = RUNNER_GUEST,
        .kernel = "kernel",
        .ramdisk = r->g.ramdisk ? "ramdisk" : NULL,
        .extra = r->g.cmdline,
        .memory_mib = r->g.memory_mib,
        .vcpus = r->g.vcpus,
        .disks = disks,
        .nr_disks = r->g.nr_disks,
    };
    enum xh_result res;

    for (size_t i = 0; i < r->g.nr_disks; i++)
        disks[i] = runner_disk(&r->g.disks[i]);
    r->shut_down = r->ended = false;
    r->reboot_by_ns = 0;
    res = xh_create(r->h, &config);
    return res == XH_OK ? xh_unpause(r->h, RUNNER_GUEST, NULL) : res;
}

/* The standard error is the file `log`, which is appended to. */
static void bound_log(void)
{
    struct stat st;

    if (fstat(STDERR_FILENO, &st) == 0 && S_ISREG(st.st_mode) && st.st_size > LOG_BYTES_MAX &&
        ftruncate(STDERR_FILENO, 0) != 0)
        return; /* it grows, then */
}

/* Until the guest is gone. */
/* The instance waits for room on this machine's disk. */
static enum xh_result wait_for_room(struct runner *r)
{
    uint64_t now = xh_now_ns();

    if (!r->no_room_told)
        fprintf(stderr,
                "the disk of this machine is full: the instance stands still until there is "
                "room for what it writes\n");
    r->no_room_told = true;
    if (now < r->go_on_ns)
        return XH_OK;
    r->go_on_ns = now + NO_ROOM_LOOK_MS * 1000000ull;
    return xh_go_on(r->h);
}

static enum xh_result watch(struct runner *r)
{
    enum xh_result res = XH_OK;

    while (res == XH_OK && !r->ended) {
        res = xh_step(r->h, requests_timeout_ms(r));
        if (res == XH_OK && !r->ended && xh_stands_still(r->h))
            res = wait_for_room(r);
        if (res == XH_OK && !r->ended)
            requests_work(r);
        bound_log();
    }
    return r->ended ? XH_OK : res;
}

static void end_turn(struct runner *r)
{
    if (r->turn_fd >= 0)
        close(r->turn_fd);
    r->turn_fd = -1;
}

/* From create to the end, again when the guest starts itself again. */
static void run_guest(struct runner *r)
{
    enum xh_result res;

    do {
        res = create(r);
        if (res != XH_OK) {
            write_failure(r, res,
                          "Xen cannot build the instance: is its kernel one that runs as a Xen PV "
                          "guest of this width?");
            return;
        }
        r->running = true;
        end_turn(r);
        res = watch(r);
        if (res != XH_OK) {
            write_failure(r, res, "What ran the instance broke off.");
            return;
        }
    } while (r->shut_down && r->reason == XH_REBOOT && !r->destroyed);
    if (!r->shut_down)
        write_result("destroyed", "");
    else
        write_result(r->reason == XH_POWEROFF ? "poweroff" : "crashed", "");
}

/* What makes the host has told the log, in a last line, what is missing. */
static void write_no_host(struct runner *r, enum xh_result res)
{
    static const char mark[] = "pvboot: ";
    struct buf log = {0}, why = {0};
    char *said = NULL;

    buf_puts(&why, "The Xen host that is to run the instance cannot be made here");
    if (small_read(AT_FDCWD, "log", &log))
        for (char *p = log.text; (p = strstr(p, mark)) != NULL; p += strlen(mark))
            said = p + strlen(mark);
    if (said) {
        said[strcspn(said, "\n")] = 0;
        buf_puts(&why, ": ");
        engine_words(&why, said);
    }
    buf_puts(&why, ".");
    write_failure(r, res, why.text);
    buf_free(&log);
    buf_free(&why);
}

/* The lock passes on to QEMU, so that a start waits for its end; but not to the programs that make
 * the host. */
static void pass_lock_on(bool on)
{
    fcntl(RUNNER_LOCK_FD, F_SETFD, on ? 0 : FD_CLOEXEC);
}

/*
 * Hosts come up as many at a time as the machine has processors: each keeps one busy, and must be
 * up within a time limit. The runners of a service share the file `turns`, a byte for each
 * processor. Without that file nobody waits.
 */
static void wait_turn(struct runner *r)
{
    long nr = sysconf(_SC_NPROCESSORS_ONLN);
    struct pollfd p = {.fd = r->listener, .events = POLLIN};

    r->turn_fd = open("../turns", O_RDWR | O_CREAT | O_CLOEXEC, 0600);
    while (r->turn_fd >= 0 && !r->destroyed) {
        for (long i = 0; i < nr; i++) {
            struct flock turn = {.l_type = F_WRLCK, .l_start = i, .l_len = 1};

            if (fcntl(r->turn_fd, F_OFD_SETLK, &turn) == 0)
                return;
        }
        if (poll(&p, 1, TURN_LOOK_MS) > 0)
            requests_take(r);
    }
}

static void run_host(struct runner *r, struct xh_options opt)
{
    struct xh_drive drives[ENGINE_DISKS_MAX];
    enum xh_result res;

    pass_lock_on(false);
    res = xh_prepare(r->h);
    if (res != XH_OK) {
        write_no_host(r, res);
        return;
    }
    pass_lock_on(true);
    for (size_t i = 0; i < r->g.nr_disks; i++)
        drives[i] = runner_drive(&r->g.disks[i]);
    opt.drives = drives;
    opt.nr_drives = r->g.nr_disks;
    wait_turn(r);
    res = xh_start(r->h, &opt);
    if (res != XH_OK) {
        write_failure(r, res, "The Xen host that is to run the instance does not start.");
        return;
    }
    res = xh_put_file(r->h, "kernel", r->g.kernel);
    if (res == XH_OK && r->g.ramdisk)
        res = xh_put_file(r->h, "ramdisk", r->g.ramdisk);
    if (res != XH_OK)
        write_failure(r, res, "The kernel or the ramdisk of the instance cannot be read.");
    else
        run_guest(r);
}

/* The host's files are made once for all guests, in a folder beside theirs. */
static void choose_cache(void)
{
    char parent[PATH_MAX], path[PATH_MAX + 16];

    if (getenv("PVBOOT_CACHE") || !realpath("..", parent))
        return;
    snprintf(path, sizeof(path), "%s/cache", parent);
    mkdir(path, 0700);
    setenv("PVBOOT_CACHE", path, 1);
}

static bool begin(struct runner *r, const char *folder)
{
    struct buf boot = {0};
    sigset_t none;
    bool good;

    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
    signal(SIGPIPE, SIG_IGN);
    if (chdir(folder) != 0) {
        fprintf(stderr, "%s: %s\n", folder, strerror(errno));
        return false;
    }
    boot_id(&boot);
    good = small_write(AT_FDCWD, "started", boot.text, boot.len) &&
           small_read(AT_FDCWD, "guest", &r->text) && guest_read(&r->text, &r->g, &r->xen);
    buf_free(&boot);
    if (good)
        r->listener = control_listen();
    if (!good || r->listener < 0)
        write_result("failed", "What is to run the instance cannot use its folder.");
    return good && r->listener >= 0;
}

int runner_main(const char *folder)
{
    struct runner *r = xalloc(sizeof(*r));
    struct xh_options opt = {.cb = {.console = on_console, .event = on_event, .ctx = r}};

    r->copy_fd = r->turn_fd = -1;
    if (!begin(r, folder)) {
        free(r);
        return 1;
    }
    choose_cache();
    opt.guest_memory_mib = r->g.memory_mib;
    opt.xen = r->xen;
    r->h = xh_new(&opt);
    xh_watch_fd(r->h, r->listener, requests_take, r);
    run_host(r, opt);
    requests_end(r);
    xh_unwatch_fd(r->h, r->listener);
    close(r->listener);
    xh_stop(r->h);
    for (size_t i = 0; i < r->g.nr_disks; i++)
        guest_disk_free(&r->g.disks[i]);
    buf_free(&r->text);
    free(r);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * `pvboot run`: boots a disk image in a guest on the embedded Xen host.
 *
 * Nobody at the terminal has to know that there is a host: until the guest speaks there is one
 * progress line, then the console is the guest's. What Xen says about a guest that crashed is
 * shown, because nothing else explains such an end.
 *
 * With --json standard output carries one object a line:
 *   {"event":"ready","t":SECONDS,"accel":"tcg"}      the host is up
 *   {"event":"console","t":...,"data":"..."}         what the guest wrote, one char a byte
 *   {"event":"created"|"started"|"reboot","t":...}
 *   {"event":"crash","t":...,"xen":["...",...]}      Xen's log lines since the guest was created
 *   {"event":"end","t":...,"result":"poweroff","status":0}   always the last one
 */
#include "host/cmd.h"
#include "host/run.h"
#include "host/run_tty.h"
#include "host/xenhost/buf.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#define ESCAPE_KEY    0x1d /* Ctrl-] */
#define XEN_LINES_MAX 40   /* of Xen's log, kept for a crash */
#define INPUT_MAX     1024
#define INPUT_WAITING (64 * 1024)    /* typed and not yet taken; standard input waits then */
#define LAST_WORDS_MS 1000           /* for standard output to take the end event */
#define END_GRACE_NS  20000000000ull /* from a guest's shutdown to what is known about it */

struct run {
    const struct run_options *o;
    struct xenhost *h;
    uint64_t start_ns;
    int signal_fd;
    bool guest_up;     /* created and not ended */
    bool spoke;        /* the guest has written something */
    bool progress;     /* a progress line is on the screen */
    const char *stage; /* what it says */
    unsigned shown_s;
    bool tty_in;
    bool left;
    bool output_gone; /* standard output takes no more */
    bool input_on;    /* standard input is watched */
    bool input_end;
    bool shut_down;
    uint64_t shut_down_ns;
    unsigned reason;
    char *xen_line[XEN_LINES_MAX];
    size_t nr_xen_lines; /* in all; the array is a ring */
    struct buf dump;
};

static double seconds(const struct run *r)
{
    return (double)(xh_now_ns() - r->start_ns) / 1e9;
}

static void clear_progress(struct run *r)
{
    if (r->progress)
        fputs("\r\033[K", stderr);
    r->progress = false;
}

static void show_progress(struct run *r, const char *stage)
{
    unsigned now_s = (unsigned)seconds(r);

    if (r->o->json || r->o->verbose || r->spoke || !isatty(STDERR_FILENO))
        return;
    if (r->progress && r->stage == stage && r->shown_s == now_s)
        return;
    fprintf(stderr, "\r\033[Kpvboot: %s ... %u s", stage, now_s);
    r->progress = true;
    r->stage = stage;
    r->shown_s = now_s;
}

/* One line for the person. The terminal may be raw, so the line begins and ends at column 0. */
__attribute__((format(printf, 2, 3))) static void say(struct run *r, const char *fmt, ...)
{
    va_list ap;

    clear_progress(r);
    fputs(r->guest_up && r->spoke && r->tty_in ? "\r\npvboot: " : "pvboot: ", stderr);
    va_start(ap, fmt);
    vfprintf(stderr, fmt, ap);
    va_end(ap);
    fputs(r->tty_in ? "\r\n" : "\n", stderr);
}

static void leave(struct run *r)
{
    r->left = true;
    xh_cancel(r->h);
}

/* To standard output, without ever being deaf to signals: a reader that has stopped reading must
 * not keep us. An output that takes no more ends the run. */
static void write_all(struct run *r, const char *bytes, size_t len)
{
    while (len && !r->output_gone) {
        struct pollfd p[2] = {
            {.fd = STDOUT_FILENO, .events = POLLOUT},
            {.fd = r->left ? -1 : r->signal_fd, .events = POLLIN},
        };
        int ready = poll(p, 2, r->left ? LAST_WORDS_MS : -1);
        ssize_t n;

        if (ready == 0)
            return; /* only after leaving */
        if (ready > 0 && p[1].revents)
            leave(r);
        if (ready < 0 ? errno == EINTR : p[0].revents == 0)
            continue;
        /* what poll() promises room for, so that the call does not block */
        n = ready < 0 ? -1 : write(STDOUT_FILENO, bytes, len < PIPE_BUF ? len : PIPE_BUF);
        if (n > 0) {
            bytes += n;
            len -= (size_t)n;
        } else if (n < 0 && errno != EINTR && errno != EAGAIN) {
            if (errno != EPIPE)
                say(r, "standard output: %s", strerror(errno));
            r->output_gone = true;
            leave(r);
        }
    }
}

static void json_event(struct run *r, const char *event, const char *more)
{
    struct buf b = {0};

    if (!r->o->json)
        return;
    buf_printf(&b, "{\"event\":\"%s\",\"t\":%.6f%s}\n", event, seconds(r), more);
    write_all(r, b.text, b.len);
    buf_free(&b);
}

static void on_log(void *ctx, const char *line, size_t len)
{
    struct run *r = ctx;

    if (r->o->verbose) {
        clear_progress(r);
        fprintf(stderr, "host: %.*s%s\n", (int)len, line, r->tty_in ? "\r" : "");
    }
    if (r->progress)
        show_progress(r, r->stage); /* the host is coming up: count the seconds */
    if (strncmp(line, "(XEN)", 5) == 0) {
        char **slot = &r->xen_line[r->nr_xen_lines++ % XEN_LINES_MAX];

        free(*slot);
        *slot = xstrdup(line);
    }
}

static void on_console(void *ctx, const char *guest, const void *bytes, size_t len,
                       uint64_t time_ns)
{
    struct run *r = ctx;
    struct buf b = {0};

    (void)guest;
    (void)time_ns;
    clear_progress(r);
    r->spoke = true;
    if (!r->o->json) {
        write_all(r, bytes, len);
        return;
    }
    buf_puts(&b, ",\"data\":");
    buf_json(&b, bytes, len);
    json_event(r, "console", b.text);
    buf_free(&b);
}

static void on_event(void *ctx, const struct xh_event *ev)
{
    struct run *r = ctx;

    switch (ev->kind) {
    case XH_EV_SHUTDOWN:
        r->shut_down = true;
        r->shut_down_ns = ev->time_ns;
        r->reason = ev->reason;
        break;
    case XH_EV_DUMP:
        buf_puts(&r->dump, ev->text);
        buf_puts(&r->dump, r->tty_in ? "\r\n" : "\n");
        break;
    case XH_EV_ENDED:
        r->guest_up = false;
        break;
    case XH_EV_TROUBLE:
        say(r, "trouble in the host: %s", ev->text);
        break;
    case XH_EV_UNPAUSING:
        json_event(r, "started", "");
        break;
    case XH_EV_CREATING:
        break;
    }
}

static void on_signal(void *ctx)
{
    leave(ctx);
}

static void on_stdin(void *ctx)
{
    struct run *r = ctx;
    char bytes[INPUT_MAX];
    ssize_t n = read(STDIN_FILENO, bytes, sizeof(bytes));
    const char *escape;

    if (n <= 0) {
        if (n == 0 || (errno != EINTR && errno != EAGAIN)) {
            xh_unwatch_fd(r->h, STDIN_FILENO);
            r->input_end = true;
        }
        if (n == 0 && r->tty_in)
            on_signal(r); /* the terminal is gone */
        return;
    }
    escape = r->tty_in ? memchr(bytes, ESCAPE_KEY, (size_t)n) : NULL;
    if (escape) {
        on_signal(r);
        return;
    }
    xh_input(r->h, "guest", bytes, (size_t)n);
    if (xh_input_waiting(r->h, "guest") > INPUT_WAITING) {
        xh_unwatch_fd(r->h, STDIN_FILENO);
        r->input_on = false;
    }
}

/* Standard input is read as fast as the guest reads its console. */
static void watch_input(struct run *r)
{
    if (r->input_on || r->input_end || xh_input_waiting(r->h, "guest") > INPUT_WAITING)
        return;
    xh_watch_fd(r->h, STDIN_FILENO, on_stdin, r);
    r->input_on = true;
}

static void show_crash(struct run *r)
{
    size_t first = r->nr_xen_lines > XEN_LINES_MAX ? r->nr_xen_lines - XEN_LINES_MAX : 0;
    const char *eol = r->tty_in ? "\r\n" : "\n";
    struct buf b = {0};

    if (r->reason == XH_SUSPEND)
        return; /* Xen has nothing to say about it */
    buf_puts(&b, ",\"xen\":[");
    if (!r->o->json && r->nr_xen_lines)
        say(r, "the guest crashed. What Xen said since the guest was created:");
    for (size_t i = first; i < r->nr_xen_lines; i++) {
        const char *line = r->xen_line[i % XEN_LINES_MAX];

        if (r->o->json) {
            buf_puts(&b, i > first ? "," : "");
            buf_json(&b, line, strlen(line));
        } else if (!r->o->verbose) {
            fprintf(stderr, "  %s%s", line, eol);
        }
    }
    buf_puts(&b, "]");
    json_event(r, "crash", b.text);
    buf_free(&b);
    if (r->o->verbose && r->dump.len)
        fprintf(stderr, "registers:%s%s", eol, r->dump.text);
}

/* The guest's disks by name: "disk0" is xvda, and so on. */
static enum xh_result create_guest(struct run *r)
{
    const struct run_options *o = r->o;
    struct xh_disk disk[RUN_MAX_DISKS];
    char drive[RUN_MAX_DISKS][16], vdev[RUN_MAX_DISKS][16];
    struct xh_guest_config cfg = {
        .name = "guest",
        .kernel = "kernel",
        .extra = o->append,
        .memory_mib = o->memory_mib,
        .vcpus = o->vcpus,
        .disks = disk,
        .nr_disks = o->nr_disks,
    };
    enum xh_result res;

    for (size_t i = 0; i < o->nr_disks; i++) {
        snprintf(drive[i], sizeof(drive[i]), "disk%u", (unsigned)i);
        snprintf(vdev[i], sizeof(vdev[i]), "xvd%c", (char)('a' + i));
        disk[i] = (struct xh_disk){.drive = drive[i], .vdev = vdev[i]};
    }
    r->nr_xen_lines = 0;
    buf_clear(&r->dump);
    r->shut_down = false;
    show_progress(r, "creating the guest");
    r->guest_up = true;
    res = xh_create(r->h, &cfg);
    if (res != XH_OK) {
        r->guest_up = false;
        return res == XH_TIMEOUT ? XH_FAILED : res;
    }
    json_event(r, "created", "");
    res = xh_unpause(r->h, "guest", NULL);
    return res == XH_TIMEOUT ? XH_FAILED : res; /* not the guest's time, but the host's */
}

/* Waits for the guest's end. Its time is over when it has shut down; what the host then needs to
 * tell about it has a limit of its own. */
static enum xh_result attend(struct run *r, uint64_t end_ns)
{
    while (r->guest_up) {
        uint64_t now = xh_now_ns();
        enum xh_result res;

        if (end_ns && now >= end_ns && !r->shut_down)
            return XH_TIMEOUT;
        if (end_ns && now >= end_ns && now - r->shut_down_ns >= END_GRACE_NS)
            return XH_OK;
        watch_input(r);
        res = xh_step(r->h, 1000);
        if (res != XH_OK)
            return res;
        if (!r->spoke)
            show_progress(r, "waiting for the guest");
    }
    return XH_OK;
}

static enum xh_result run_guest(struct run *r)
{
    uint64_t end_ns = 0;

    for (;;) {
        enum xh_result res = create_guest(r);

        if (res != XH_OK)
            return res;
        if (r->o->timeout_s && !end_ns)
            end_ns = xh_now_ns() + r->o->timeout_s * 1000000000ull;
        res = attend(r, end_ns);
        if (res != XH_OK || !r->shut_down || r->reason != XH_REBOOT || r->o->no_reboot)
            return res;
        if (end_ns && xh_now_ns() >= end_ns)
            return XH_TIMEOUT;
        json_event(r, "reboot", "");
        if (!r->o->json)
            say(r, "the guest rebooted; starting it again");
    }
}

static enum xh_result start(struct run *r)
{
    const struct run_options *o = r->o;
    struct xh_drive drive[XH_MAX_DRIVES] = {{.name = NULL}};
    char name[RUN_MAX_DISKS][16];
    struct xh_options opt = {
        .guest_memory_mib = o->memory_mib,
        .xen = o->xen,
        .drives = drive,
        .nr_drives = o->nr_disks + 1,
        .cb = {.log = on_log, .console = on_console, .event = on_event, .ctx = r},
    };
    enum xh_result res;
    char accel[32];

    for (size_t i = 0; i < o->nr_disks; i++) {
        snprintf(name[i], sizeof(name[i]), "disk%u", (unsigned)i);
        drive[i] = (struct xh_drive){.name = name[i],
                                     .path = o->disk[i],
                                     .format = o->format[i],
                                     .write = o->write,
                                     .sector_size = o->sector_bytes};
    }
    drive[o->nr_disks] =
        (struct xh_drive){.name = "kernel", .path = o->kernel_image, .readonly = true};
    show_progress(r, "starting the Xen host");
    r->h = xh_new(&opt);
    xh_watch_fd(r->h, r->signal_fd, on_signal, r);
    res = xh_prepare(r->h);
    if (res == XH_OK)
        res = xh_start(r->h, &opt);
    if (res == XH_OK)
        res = xh_put_file_from(r->h, "kernel", "kernel", o->kernel_len);
    if (res == XH_FAILED || res == XH_TIMEOUT)
        res = XH_DEAD;
    if (res != XH_OK)
        return res;
    snprintf(accel, sizeof(accel), ",\"accel\":\"%s\"", xh_accel(r->h));
    json_event(r, "ready", accel);
    return XH_OK;
}

static int finish(struct run *r, enum xh_result res)
{
    const char *result = "host-failed";
    int status = EXIT_HOST_FAILED;
    char more[96];

    if (r->left || res == XH_CANCELLED) {
        result = "left";
        status = EXIT_LEFT;
    } else if (res == XH_TIMEOUT) {
        result = "timeout";
        status = EXIT_TIMED_OUT;
        say(r, "the guest still ran after %u s", r->o->timeout_s);
    } else if (res != XH_OK) {
        say(r, "%s", xh_error(r->h));
        if (strstr(xh_error(r->h), "x86_32p not supported") != NULL)
            say(r, "this Xen runs no 32-bit PV guests; name one that does with --xen");
    } else if (!r->shut_down) {
        say(r, "the guest vanished without having shut down");
    } else if (r->reason == XH_POWEROFF || r->reason == XH_REBOOT) {
        result = xh_reason_name(r->reason);
        status = EXIT_OK;
        if (!r->o->json)
            say(r, r->reason == XH_REBOOT ? "the guest rebooted" : "the guest powered off");
    } else {
        result = xh_reason_name(r->reason);
        status = EXIT_CRASHED;
        show_crash(r);
        if (!r->o->json)
            say(r, "the guest ended with the reason %s", result);
    }
    snprintf(more, sizeof(more), ",\"result\":\"%s\",\"status\":%d", result, status);
    json_event(r, "end", more);
    return status;
}

int cmd_run(int argc, char **argv)
{
    struct run_options o;
    struct run r = {.o = &o, .start_ns = xh_now_ns()};
    enum xh_result res;
    int status;

    if (run_parse(&o, argc, argv, &status) != 0)
        return status;
    r.signal_fd = tty_signals();
    buf_clear(&r.dump);
    res = start(&r);
    if (res == XH_OK) {
        /* from here on the terminal is the guest's */
        r.tty_in = !o.json && isatty(STDIN_FILENO) && tty_raw();
        watch_input(&r);
        res = run_guest(&r);
    }
    status = finish(&r, res);
    clear_progress(&r);
    tty_restore();
    xh_stop(r.h);
    for (size_t i = 0; i < XEN_LINES_MAX; i++)
        free(r.xen_line[i]);
    buf_free(&r.dump);
    return status;
}

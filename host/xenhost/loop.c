/* SPDX-License-Identifier: MIT */
/*
 * The poll loop of the embedded host: bytes of every channel become log lines, console bytes,
 * answers of the agent and events. The agent's protocol is described in dom0-agent.sh.
 */
#include "host/xenhost/internal.h"

#include <errno.h>
#include <poll.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <sys/wait.h>
#include <time.h>
#include <unistd.h>

#define LOG_LINE_MAX 4096

uint64_t xh_now_ns(void)
{
    struct timespec ts;

    clock_gettime(CLOCK_MONOTONIC, &ts);
    return (uint64_t)ts.tv_sec * 1000000000u + (uint64_t)ts.tv_nsec;
}

enum xh_result xh_fail(struct xenhost *h, const char *fmt, ...)
{
    va_list ap;

    va_start(ap, fmt);
    vsnprintf(h->error, sizeof(h->error), fmt, ap);
    va_end(ap);
    return XH_FAILED;
}

const char *xh_error(const struct xenhost *h)
{
    return h->error;
}

const char *xh_output(const struct xenhost *h)
{
    return h->req.out.text ? h->req.out.text : "";
}

void xh_watch_fd(struct xenhost *h, int fd, void (*fn)(void *ctx), void *ctx)
{
    for (int i = 0; i < XH_MAX_WATCHES; i++) {
        if (h->watch[i].fd >= 0)
            continue;
        h->watch[i] = (struct watch){.fd = fd, .fn = fn, .ctx = ctx};
        return;
    }
}

void xh_unwatch_fd(struct xenhost *h, int fd)
{
    for (int i = 0; i < XH_MAX_WATCHES; i++)
        if (h->watch[i].fd == fd)
            h->watch[i].fd = -1;
}

void xh_cancel(struct xenhost *h)
{
    h->cancelled = true;
}

/* Takes the next word of an agent's line. */
static char *word(char **rest)
{
    char *w = strsep(rest, " ");

    return w ? w : (char *)"";
}

static void handle_event(struct xenhost *h, char *rest, uint64_t now)
{
    struct xh_event ev = {.text = "", .time_ns = now};
    const char *kind = word(&rest);
    struct guest_slot *g;

    if (strcmp(kind, "ready") == 0) {
        h->ready = true;
        h->ready_uptime = strtod(word(&rest), NULL);
        return;
    }
    ev.guest = word(&rest);
    g = guest_find(h, ev.guest);
    if (strcmp(kind, "creating") == 0) {
        ev.kind = XH_EV_CREATING;
        ev.uptime_s = strtod(word(&rest), NULL);
    } else if (strcmp(kind, "unpausing") == 0) {
        ev.kind = XH_EV_UNPAUSING;
        ev.uptime_s = strtod(word(&rest), NULL);
    } else if (strcmp(kind, "shutdown") == 0) {
        ev.kind = XH_EV_SHUTDOWN;
        ev.reason = (unsigned)strtoul(word(&rest), NULL, 16);
        ev.uptime_s = strtod(word(&rest), NULL);
        if (g && g->saving)
            return; /* xl save suspends the guest */
    } else if (strcmp(kind, "dump") == 0) {
        ev.kind = XH_EV_DUMP;
        ev.text = rest ? rest : "";
    } else if (strcmp(kind, "ended") == 0) {
        ev.kind = XH_EV_ENDED;
        ev.uptime_s = strtod(word(&rest), NULL);
    } else {
        ev.kind = XH_EV_TROUBLE;
        ev.text = rest ? rest : "";
    }
    if (h->cb.event)
        h->cb.event(h->cb.ctx, &ev);
    if (ev.kind == XH_EV_ENDED && g)
        g->used = false;
}

static void handle_agent_line(struct xenhost *h, char *line, uint64_t now)
{
    char *rest = line;
    const char *kind = word(&rest);
    unsigned seq;

    if (strcmp(kind, "ev") == 0) {
        handle_event(h, rest ? rest : line + strlen(line), now);
        return;
    }
    seq = (unsigned)strtoul(word(&rest), NULL, 10);
    if (seq == 0 || seq != h->req.seq)
        return; /* the answer to a request that was given up */
    if (strcmp(kind, "out") == 0) {
        buf_puts(&h->req.out, rest ? rest : "");
        buf_puts(&h->req.out, "\n");
        return;
    }
    h->req.ok = strcmp(kind, "ok") == 0;
    buf_clear(&h->req.text);
    buf_puts(&h->req.text, rest ? rest : "");
    h->req.done = true;
}

/* The console's socket may hold bytes that were sent before an agent's line: take them first, so
 * that a guest's last words come before the news of its end. */
static void read_console(struct xenhost *h, int index)
{
    struct chan *c = &h->chan[CH_CON0 + index];
    struct guest_slot *g = &h->guest[index];
    char bytes[16384];
    ssize_t n;

    while (c->fd >= 0 && (n = recv(c->fd, bytes, sizeof(bytes), MSG_DONTWAIT)) > 0)
        if (g->used && h->cb.console)
            h->cb.console(h->cb.ctx, g->name, bytes, (size_t)n, xh_now_ns());
}

static void handle_lines(struct xenhost *h, enum channel ch)
{
    struct chan *c = &h->chan[ch];
    uint64_t now = xh_now_ns();

    while (buf_line(&c->in, &h->line)) {
        if (ch == CH_CTL) {
            for (int i = 0; i < XH_MAX_GUESTS; i++)
                read_console(h, i);
            handle_agent_line(h, h->line.text, now);
        } else if (ch == CH_QMP) {
            qmp_line(h, &h->line);
        } else {
            if (ch == CH_STDERR && h->line.len) {
                buf_clear(&h->last_stderr);
                buf_add(&h->last_stderr, h->line.text, h->line.len);
            }
            if (h->cb.log)
                h->cb.log(h->cb.ctx, h->line.text, h->line.len);
        }
    }
    if ((ch == CH_LOG || ch == CH_STDERR) && c->in.len > LOG_LINE_MAX)
        buf_puts(&c->in, "\n"); /* a line without an end is shown in pieces */
}

static void read_chan(struct xenhost *h, enum channel ch)
{
    struct chan *c = &h->chan[ch];
    char bytes[16384];
    ssize_t n;

    if (ch >= CH_CON0) {
        read_console(h, (int)ch - CH_CON0);
        return;
    }
    n = read(c->fd, bytes, sizeof(bytes));
    if (n > 0) {
        h->spoke = h->spoke || ch == CH_LOG;
        buf_add(&c->in, bytes, (size_t)n);
        handle_lines(h, ch);
    } else if (n == 0 || (errno != EAGAIN && errno != EINTR)) {
        close(c->fd);
        c->fd = -1;
    }
}

static void write_chan(struct chan *c)
{
    ssize_t n = send(c->fd, c->out.text, c->out.len, MSG_DONTWAIT | MSG_NOSIGNAL);

    if (n > 0)
        buf_drop(&c->out, (size_t)n);
    else if (n < 0 && errno != EAGAIN && errno != EINTR)
        buf_clear(&c->out); /* reading will notice the end */
}

void chan_send(struct xenhost *h, enum channel ch, const void *bytes, size_t len)
{
    struct chan *c = &h->chan[ch];

    if (c->fd < 0)
        return;
    buf_add(&c->out, bytes, len);
    write_chan(c);
}

static enum xh_result host_ended(struct xenhost *h)
{
    h->pid = 0;
    xh_fail(h, "the Xen host ended by itself%s%s", h->last_stderr.len ? ": " : "",
            h->last_stderr.len ? h->last_stderr.text : "");
    return XH_DEAD;
}

static enum xh_result check_alive(struct xenhost *h)
{
    int status;

    if (h->pid == 0)
        return XH_DEAD;
    if (waitpid(h->pid, &status, WNOHANG) != h->pid)
        return XH_OK;
    if (h->chan[CH_STDERR].fd >= 0)
        read_chan(h, CH_STDERR);
    return host_ended(h);
}

enum xh_result xh_step(struct xenhost *h, int timeout_ms)
{
    struct pollfd p[CH_COUNT + XH_MAX_WATCHES];
    int which[CH_COUNT + XH_MAX_WATCHES];
    nfds_t nr = 0;
    int n;

    if (h->cancelled)
        return XH_CANCELLED;
    for (int i = 0; i < CH_COUNT; i++) {
        if (h->chan[i].fd < 0)
            continue;
        which[nr] = i;
        p[nr].fd = h->chan[i].fd;
        p[nr++].events = (short)(POLLIN | (h->chan[i].out.len ? POLLOUT : 0));
    }
    for (int i = 0; i < XH_MAX_WATCHES; i++) {
        if (h->watch[i].fd < 0)
            continue;
        which[nr] = CH_COUNT + i;
        p[nr].fd = h->watch[i].fd;
        p[nr++].events = POLLIN;
    }
    if (h->chan[CH_LOG].fd < 0 && !h->maker)
        timeout_ms = 100; /* QEMU is on its way out */
    n = poll(p, nr, timeout_ms);
    if (n < 0 && errno != EINTR)
        return xh_fail(h, "poll: %s", strerror(errno));
    for (nfds_t i = 0; n > 0 && i < nr; i++) {
        if (which[i] >= CH_COUNT) {
            const struct watch *w = &h->watch[which[i] - CH_COUNT];

            if (p[i].revents && w->fd == p[i].fd)
                w->fn(w->ctx);
            continue;
        }
        if (p[i].revents & POLLOUT)
            write_chan(&h->chan[which[i]]);
        if (p[i].revents & (POLLIN | POLLHUP | POLLERR))
            read_chan(h, (enum channel)which[i]);
    }
    if (h->cancelled)
        return XH_CANCELLED;
    if (h->maker)
        return XH_OK;
    return h->chan[CH_LOG].fd < 0 || n <= 0 ? check_alive(h) : XH_OK;
}

enum xh_result loop_until(struct xenhost *h, const bool *done, int timeout_ms)
{
    uint64_t end = xh_now_ns() + (uint64_t)timeout_ms * 1000000u;

    while (!*done) {
        uint64_t now = xh_now_ns();
        enum xh_result r;

        if (now >= end)
            return XH_TIMEOUT;
        r = xh_step(h, (int)((end - now) / 1000000u) + 1);
        if (r != XH_OK)
            return r;
    }
    return XH_OK;
}

/* Sends a command and waits for its answer. The words are quoted here. */
enum xh_result agent_request(struct xenhost *h, const char *cmd, const char *const *words,
                             size_t nr_words, int timeout_ms)
{
    struct buf b = {0};
    enum xh_result r;

    h->req.seq = ++h->seq;
    h->req.done = false;
    buf_clear(&h->req.out);
    buf_clear(&h->req.text);
    buf_printf(&b, "%s %u", cmd, h->req.seq);
    for (size_t i = 0; i < nr_words; i++) {
        buf_puts(&b, " ");
        buf_word(&b, words[i]);
    }
    buf_puts(&b, "\n");
    chan_send(h, CH_CTL, b.text, b.len);
    buf_free(&b);
    r = loop_until(h, &h->req.done, timeout_ms);
    h->req.seq = 0;
    if (r == XH_TIMEOUT)
        xh_fail(h, "the host did not answer the command \"%s\" within %d s", cmd,
                timeout_ms / 1000);
    if (r != XH_OK)
        return r;
    if (!h->req.ok) {
        xh_fail(h, "%s", h->req.text.len ? h->req.text.text : "no reason given");
        return XH_FAILED;
    }
    return XH_OK;
}

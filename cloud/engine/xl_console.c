/* SPDX-License-Identifier: MIT */
/*
 * The recorder of consoles: one thread reads the terminals that Xen's console daemon offers. While
 * the service is away the daemon keeps what guests write, and a guest that ends stays until this
 * engine has seen it, so that nothing is lost but what is longer than the daemon's memory.
 */
#include "cloud/engine/xl_priv.h"

#include <errno.h>
#include <fcntl.h>
#include <poll.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <termios.h>
#include <time.h>
#include <unistd.h>

#define LOOK_MS   200
#define GUESTS    512 /* that are recorded at once */
#define TTY_TRIES 50  /* until the daemon has made the terminal */

struct xl_recorder {
    struct xl_recorder *next;
    char *id, *path;
    unsigned domid;
    int fd; /* or -1: its guest is gone */
};

static struct xl_recorder *find(struct xl *x, const char *id)
{
    struct xl_recorder *r = x->recorders;

    while (r && strcmp(r->id, id) != 0)
        r = r->next;
    return r;
}

static void release(struct xl_recorder *r)
{
    if (r->fd >= 0)
        close(r->fd);
    free(r->id);
    free(r->path);
    free(r);
}

/* All that is there. False: the terminal is gone. */
static bool hear(struct xl_recorder *r)
{
    char bytes[4096];
    ssize_t n;

    while ((n = read(r->fd, bytes, sizeof(bytes))) > 0)
        console_append(r->path, bytes, (size_t)n);
    return n < 0 && (errno == EAGAIN || errno == EINTR);
}

static void take_away_ended(struct xl *x)
{
    struct xl_recorder **at = &x->recorders;

    while (*at) {
        struct xl_recorder *r = *at;

        if (r->fd >= 0) {
            at = &r->next;
            continue;
        }
        *at = r->next;
        release(r);
    }
}

static void *run(void *arg)
{
    struct xl *x = arg;
    struct pollfd fds[GUESTS];

    for (;;) {
        nfds_t nr = 0;

        pthread_mutex_lock(&x->lock);
        if (x->closing)
            break;
        for (struct xl_recorder *r = x->recorders; r; r = r->next)
            if (!hear(r)) {
                close(r->fd);
                r->fd = -1;
            }
        take_away_ended(x);
        for (struct xl_recorder *r = x->recorders; r && nr < GUESTS; r = r->next)
            fds[nr++] = (struct pollfd){.fd = r->fd, .events = POLLIN};
        pthread_mutex_unlock(&x->lock);
        poll(fds, nr, LOOK_MS);
    }
    pthread_mutex_unlock(&x->lock);
    return NULL;
}

static int open_terminal(unsigned domid)
{
    struct termios mode;
    char path[128];
    int fd = -1;

    for (int i = 0; i < TTY_TRIES && !xl_console_path(domid, path, sizeof(path)); i++)
        nanosleep(&(struct timespec){.tv_nsec = 50000000}, NULL);
    if (xl_console_path(domid, path, sizeof(path)))
        fd = open(path, O_RDWR | O_NONBLOCK | O_NOCTTY | O_CLOEXEC);
    if (fd >= 0 && tcgetattr(fd, &mode) == 0) {
        cfmakeraw(&mode);
        tcsetattr(fd, TCSANOW, &mode);
    }
    return fd;
}

void xl_record(struct xl *x, const char *id, unsigned domid)
{
    struct xl_recorder *r;
    bool there;
    int fd;

    pthread_mutex_lock(&x->lock);
    r = find(x, id);
    there = r && r->domid == domid && r->fd >= 0;
    pthread_mutex_unlock(&x->lock);
    fd = there ? -1 : open_terminal(domid);
    if (fd < 0)
        return; /* the next look at the guest tries again */

    pthread_mutex_lock(&x->lock);
    r = find(x, id);
    if (r && r->domid == domid && r->fd >= 0) { /* another thread was faster */
        close(fd);
    } else {
        if (r && r->fd >= 0) /* of its life before a reboot */
            close(r->fd);
        if (!r) {
            r = xalloc(sizeof(*r));
            r->next = x->recorders;
            r->id = xstrdup(id);
            r->path = engine_path(x->dir, id, ".console");
            x->recorders = r;
        }
        r->domid = domid;
        r->fd = fd;
    }
    if (!x->records)
        x->records = pthread_create(&x->recording, NULL, run, x) == 0;
    pthread_mutex_unlock(&x->lock);
}

void xl_record_rest(struct xl *x, const char *id)
{
    struct xl_recorder *r;

    nanosleep(&(struct timespec){.tv_nsec = 300000000}, NULL); /* the daemon is as fast */
    pthread_mutex_lock(&x->lock);
    r = find(x, id);
    if (r && r->fd >= 0)
        hear(r);
    pthread_mutex_unlock(&x->lock);
}

void xl_stop_recording(struct xl *x)
{
    bool records;

    pthread_mutex_lock(&x->lock);
    x->closing = true;
    records = x->records;
    pthread_mutex_unlock(&x->lock);
    if (records)
        pthread_join(x->recording, NULL);
    while (x->recorders) {
        struct xl_recorder *r = x->recorders;

        x->recorders = r->next;
        release(r);
    }
}

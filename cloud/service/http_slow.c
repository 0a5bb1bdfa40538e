/* SPDX-License-Identifier: MIT */
/* A list of connections with their deadlines, and a thread that looks at it; see http_slow.h. */
#include "cloud/service/http_slow.h"

#include <pthread.h>
#include <stdbool.h>
#include <stdint.h>
#include <stdlib.h>
#include <sys/socket.h>
#include <time.h>

#include "host/xenhost/buf.h"

#define NEVER INT64_MAX

struct watched {
    struct watched *next, **at;
    int fd;
    int64_t deadline_s;
    uint64_t bytes; /* of a body, since the deadline was set */
    void *kept;     /* the server's */
};

struct slow {
    pthread_t thread;
    pthread_mutex_t lock;
    pthread_cond_t stopped;
    bool stop;
    unsigned limit_s;
    struct watched *first;
};

static int64_t now_s(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return now.tv_sec;
}

/* Only the sockets are shut; the library sees it and ends the connections. */
static void *watch(void *arg)
{
    struct slow *s = arg;

    pthread_mutex_lock(&s->lock);
    while (!s->stop) {
        struct timespec until;
        int64_t now = now_s();

        for (struct watched *w = s->first; w; w = w->next) {
            if (w->deadline_s >= now)
                continue;
            shutdown(w->fd, SHUT_RDWR);
            w->deadline_s = NEVER;
        }
        clock_gettime(CLOCK_MONOTONIC, &until);
        until.tv_sec++;
        pthread_cond_timedwait(&s->stopped, &s->lock, &until);
    }
    pthread_mutex_unlock(&s->lock);
    return NULL;
}

struct slow *slow_start(unsigned limit_s)
{
    struct slow *s = xalloc(sizeof(*s));
    pthread_condattr_t monotonic;

    s->limit_s = limit_s;
    pthread_mutex_init(&s->lock, NULL);
    pthread_condattr_init(&monotonic);
    pthread_condattr_setclock(&monotonic, CLOCK_MONOTONIC);
    pthread_cond_init(&s->stopped, &monotonic);
    pthread_condattr_destroy(&monotonic);
    if (pthread_create(&s->thread, NULL, watch, s) == 0)
        return s;
    free(s);
    return NULL;
}

void slow_stop(struct slow *s)
{
    if (!s)
        return;
    pthread_mutex_lock(&s->lock);
    s->stop = true;
    pthread_cond_signal(&s->stopped);
    pthread_mutex_unlock(&s->lock);
    pthread_join(s->thread, NULL);
    free(s);
}

/* The library tells of the end before it closes the socket: a number that is used again is not
 * ours. */
void slow_connection(void *arg, struct MHD_Connection *connection, void **context,
                     enum MHD_ConnectionNotificationCode code)
{
    struct slow *s = arg;
    struct watched *w = *context;

    pthread_mutex_lock(&s->lock);
    if (code == MHD_CONNECTION_NOTIFY_STARTED) {
        *context = w = xalloc(sizeof(*w));
        w->fd = MHD_get_connection_info(connection, MHD_CONNECTION_INFO_CONNECTION_FD)->connect_fd;
        w->deadline_s = now_s() + s->limit_s;
        w->next = s->first;
        w->at = &s->first;
        if (w->next)
            w->next->at = &w->next;
        s->first = w;
    } else if (w) {
        *w->at = w->next;
        if (w->next)
            w->next->at = w->at;
        free(w);
        *context = NULL;
    }
    pthread_mutex_unlock(&s->lock);
}

static struct watched *watched_of(struct MHD_Connection *connection)
{
    const union MHD_ConnectionInfo *info =
        MHD_get_connection_info(connection, MHD_CONNECTION_INFO_SOCKET_CONTEXT);

    return info ? info->socket_context : NULL;
}

void **slow_kept(struct MHD_Connection *connection)
{
    struct watched *w = watched_of(connection);

    return w ? &w->kept : NULL;
}

static void set_deadline(struct slow *s, struct MHD_Connection *connection, int64_t deadline_s)
{
    struct watched *w = watched_of(connection);

    if (!w)
        return;
    pthread_mutex_lock(&s->lock);
    w->deadline_s = deadline_s;
    w->bytes = 0;
    pthread_mutex_unlock(&s->lock);
}

void slow_wait(struct slow *s, struct MHD_Connection *connection)
{
    set_deadline(s, connection, now_s() + s->limit_s);
}

void slow_rest(struct slow *s, struct MHD_Connection *connection)
{
    set_deadline(s, connection, NEVER);
}

void slow_got(struct slow *s, struct MHD_Connection *connection, size_t len)
{
    struct watched *w = watched_of(connection);

    if (!w)
        return;
    pthread_mutex_lock(&s->lock);
    w->bytes += len;
    if (w->bytes >= (uint64_t)SLOW_BYTES_S * s->limit_s) {
        w->deadline_s = now_s() + s->limit_s;
        w->bytes = 0;
    }
    pthread_mutex_unlock(&s->lock);
}

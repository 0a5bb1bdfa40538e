/* SPDX-License-Identifier: MIT */
/*
 * The inside of a runner.
 *
 *   runner.c    its life: the host, the guest, its ends
 *   requests.c  what the service asks for
 */
#ifndef PVBOOT_CLOUD_ENGINE_RUNNER_PRIV_H
#define PVBOOT_CLOUD_ENGINE_RUNNER_PRIV_H

#include <limits.h>

#include "cloud/engine/runner.h"
#include "host/xenhost/xenhost.h"

#define RUNNER_QUEUE_MAX 8
#define RUNNER_GUEST     "guest" /* the guest's name in dom0 */
#define NO_ROOM_LOOK_MS  5000    /* how often a write is tried again that found no room */

/* A request that takes its time. */
struct waiting {
    int fd;
    char text[RUNNER_REQUEST_MAX];
};

struct runner {
    struct xenhost *h;
    struct buf text; /* what `g` points into */
    struct engine_guest g;
    const char *xen;
    int listener;
    int turn_fd; /* -1: it does not come up any more */

    bool running;   /* the guest has begun */
    bool destroyed; /* it was asked for */
    bool shut_down, ended;
    enum xh_reason reason;

    /* What the guest is to be asked. */
    bool ask_poweroff, ask_reboot;
    uint64_t go_on_ns; /* not before then a write that found no room is tried again */
    bool no_room_told;
    uint64_t reboot_by_ns; /* then it is started again by force; 0: nobody asked */

    struct waiting queue[RUNNER_QUEUE_MAX];
    size_t nr_queue;
    int copy_fd; /* who waits for the copy; -1: there is none */
    char copy_vdev[32];
};

/* The loop's callback on the listener: answers what can be answered at once, and queues the rest.
 */
void requests_take(void *runner);
/* Does what is queued. */
void requests_work(struct runner *r);
/* Until when the loop may sleep, in milliseconds; -1: for ever. */
int requests_timeout_ms(const struct runner *r);
/* Refuses what is left. */
void requests_end(struct runner *r);

/* The drive behind a disk of the guest; its name is the disk's. */
struct xh_drive runner_drive(const struct engine_disk *d);
struct xh_disk runner_disk(const struct engine_disk *d);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * What the files of host/xenhost share.
 *
 *   qemu.c     the QEMU process: its arguments, its channels, its end
 *   monitor.c  QEMU's monitor (QMP): drives that come and go
 *   loop.c     the poll loop; agent lines become answers and events
 *   guest.c    guests: xl configurations and the agent's commands
 *   start.c    making the host's files, the KVM probe, coming up
 */
#ifndef PVBOOT_XENHOST_INTERNAL_H
#define PVBOOT_XENHOST_INTERNAL_H

#include "host/xenhost/buf.h"
#include "host/xenhost/xenhost.h"

#include <sys/types.h>

#define DOM0_MEMORY_MIB 768
#define START_LIMIT_MS  120000 /* to dom0's ready line; 10 s is usual without KVM */
#define SPEAK_LIMIT_MS  5000   /* under KVM, to Xen's first line */
#define PROBE_LIMIT_MS  15000  /* the same to dom0's ready line */
#define ANSWER_LIMIT_MS 180000 /* for xl create of a large guest */
#define DRIVE_LIMIT_MS  30000

enum channel { CH_LOG, CH_STDERR, CH_QMP, CH_CTL, CH_CON0, CH_COUNT = CH_CON0 + XH_MAX_GUESTS };

struct chan {
    int fd;
    struct buf in;
    struct buf out; /* not yet taken by the other side */
};

struct guest_slot {
    char name[XH_NAME_MAX + 1];
    bool used; /* the console port belongs to a guest */
    bool saving;
    bool stale; /* its input, if any, is for a guest that is gone */
};

struct request {
    unsigned seq; /* 0: none is under way */
    bool done;
    bool ok;
    struct buf text; /* the words after ok, or the sentence after err */
    struct buf out;
};

struct xenhost {
    struct xh_callbacks cb;
    char folder[4096];
    const char *accel;
    char error[1024];

    pid_t pid;   /* QEMU; 0: none */
    pid_t maker; /* mkhost.sh and its process group; 0: none */
    int maker_fd;
    bool made; /* what it says has come to its end */
    struct chan chan[CH_COUNT];
    struct guest_slot guest[XH_MAX_GUESTS];
    struct buf line; /* scratch of the loop */
    struct buf last_stderr;

    struct watch {
        int fd; /* -1: free */
        void (*fn)(void *ctx);
        void *ctx;
    } watch[XH_MAX_WATCHES];
    bool cancelled;
    bool spoke; /* something came on Xen's serial line */
    bool ready;
    double ready_uptime;

    unsigned seq;
    struct request req;
    bool qmp_answered;
    struct buf qmp_error; /* empty: the last command worked */
    char qmp_deleted[XH_NAME_MAX + 8];
    bool stands_still; /* a write found no room */
    bool copying;
    struct buf copy_error; /* of the last copy; empty: it worked */
};

__attribute__((format(printf, 2, 3))) enum xh_result xh_fail(struct xenhost *h, const char *fmt,
                                                             ...);

/* qemu.c */
enum xh_result qemu_spawn(struct xenhost *h, const struct xh_options *opt, const char *accel);
void qemu_end(struct xenhost *h);
void qemu_drive_option(struct buf *b, const struct xh_drive *d);
bool drive_name_ok(const char *name);

/* monitor.c */
enum xh_result qmp_start(struct xenhost *h);
void qmp_line(struct xenhost *h, const struct buf *line);

/* loop.c */
enum xh_result loop_until(struct xenhost *h, const bool *done, int timeout_ms);
enum xh_result agent_request(struct xenhost *h, const char *cmd, const char *const *words,
                             size_t nr_words, int timeout_ms);
void chan_send(struct xenhost *h, enum channel c, const void *bytes, size_t len);

/* guest.c */
struct guest_slot *guest_find(struct xenhost *h, const char *name);

#endif

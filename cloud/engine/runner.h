/* SPDX-License-Identifier: MIT */
/*
 * The process that runs one guest of the embedded engine, `pvbootd --run-guest FOLDER`, and what
 * it shares with the service. It lives as long as its guest and does not need the service.
 *
 * The folder, STATE/engine/ID, holds
 *
 *   lock      is locked (F_OFD_SETLK) by the runner and its QEMU as long as one of them lives
 *   guest     what to run: guest_write
 *   started   the boot of this machine in which the runner began
 *   control   the socket that the runner listens on: control_ask
 *   console   what the guest wrote, the end of it: console_append
 *   result    how it ended, there completely or not at all
 *   log       the runner's own messages, for the machine's owner
 *
 * The service takes the lock, writes `guest`, and hands the lock over to the runner that it starts:
 * at no moment can there be two of them, whoever is killed.
 */
#ifndef PVBOOT_CLOUD_ENGINE_RUNNER_H
#define PVBOOT_CLOUD_ENGINE_RUNNER_H

#include "cloud/engine/engine.h"

#define RUNNER_LOCK_FD     3
#define RUNNER_REQUEST_MAX 8192

/* Runs the guest that the folder describes to its end; the exit status. */
int runner_main(const char *folder);

/* ---- guest.c: a guest and a disk as text ----------------------------------------------------- */

/* `xen`: the file of another Xen than the distribution's, or NULL. */
void guest_write(const struct engine_guest *g, const char *xen, struct buf *out);
/* Strings point into `text`, those of the disks are new. */
bool guest_read(const struct buf *text, struct engine_guest *g, const char **xen);
void guest_disk_write(const struct engine_disk *d, struct buf *out);
bool guest_disk_read(const char *text, struct engine_disk *d);
void guest_disk_free(struct engine_disk *d);

/* A small file in a folder, read and written as a whole; a write is there completely or not. */
bool small_read(int dir_fd, const char *name, struct buf *out);
bool small_write(int dir_fd, const char *name, const void *bytes, size_t len);

/* Which boot of this machine it is. */
void boot_id(struct buf *out);

/* ---- control.c: one request and one answer for each connection ------------------------------- */

enum control_said {
    CONTROL_OK,      /* `answer` is what it said */
    CONTROL_REFUSED, /* `answer` is why */
    CONTROL_NOT_YET, /* the runner does not listen yet */
    CONTROL_NOBODY,  /* it listens no more */
    CONTROL_SILENT,  /* no answer in time, or *stop was set */
};

/* Requests: status, shutdown, reboot, destroy, attach DISK, detach VDEV, copy VDEV PATH. */
enum control_said control_ask(int dir_fd, const char *request, int timeout_ms,
                              const stop_flag *stop, struct buf *answer);

/* In the runner, whose working directory is the folder. -1: errno. */
int control_listen(void);
/* The next request, without waiting; its connection, or -1. */
int control_take(int listener, char *request, size_t size);
/* "ok ..." or "err ..."; ends the connection. */
void control_answer(int fd, const char *answer);
/* The other side does not wait for the answer any more. */
bool control_gone(int fd);

#endif

/* SPDX-License-Identifier: MIT */
/* How the embedded engine begins a runner; see runner.h. */
#ifndef PVBOOT_CLOUD_ENGINE_LAUNCH_H
#define PVBOOT_CLOUD_ENGINE_LAUNCH_H

#include <stdbool.h>

#include "host/xenhost/buf.h"

/* Whether a runner or a QEMU of its lives. */
bool launch_alive(int dir_fd);

/* The lock, which close() gives back; -1 with EAGAIN: it is somebody's. */
int launch_lock(int dir_fd);

enum launch_result {
    LAUNCH_DONE,   /* a runner was begun, or is there */
    LAUNCH_ENDING, /* one is on its way out: try again */
    LAUNCH_FAILED, /* `why` */
};

/* Begins a runner on the folder: dir_fd, and its path. */
enum launch_result launch(int dir_fd, const char *folder, const char *program,
                          const struct buf *guest, struct buf *why);

/* A line in the service's log when the host's files must be made, which takes its time. */
void launch_tell_first_use(const char *engine_dir);

#endif

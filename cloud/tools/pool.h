/* SPDX-License-Identifier: MIT */
/*
 * Many like tasks on a few connections, each of which is a thread. The first failure ends it: what
 * runs comes to its end, nothing new begins. The progress bar is drawn by the thread that waits.
 */
#ifndef PVBOOT_CLOUD_TOOLS_POOL_H
#define PVBOOT_CLOUD_TOOLS_POOL_H

#include <stdatomic.h>

#include "cloud/aws/store.h"

#define POOL_THREADS 4u

struct pool;

struct pool_worker {
    struct pool *pool;
    struct store bucket;
    _Atomic uint64_t now_bytes; /* of the task that runs */
};

struct pool_plan {
    const struct client *client;
    const char *bucket;
    uint32_t first, end; /* numbers of tasks: first <= nr < end */
    uint64_t all_bytes;  /* of the progress bar; 0: none is shown */
    /* One task; false: `why` is the sentence. */
    bool (*task)(struct pool_worker *w, void *ctx, uint32_t nr, char *why, size_t why_cap);
    void *ctx;
};

/* False: `why` is the first failure's sentence. */
bool pool_run(const struct pool_plan *plan, char *why, size_t why_cap);

/* A task's bytes are done with, however it went. */
void pool_bytes(struct pool_worker *w, uint64_t bytes);

#endif

/* SPDX-License-Identifier: MIT */
/* What /metrics tells: counters, and what the state holds. */
#ifndef PVBOOT_CLOUD_SERVICE_METRICS_H
#define PVBOOT_CLOUD_SERVICE_METRICS_H

#include <pthread.h>
#include <stdint.h>

#include "cloud/service/db.h"
#include "host/xenhost/buf.h"

#define METRICS_APIS    3
#define METRICS_ACTIONS 128
#define METRICS_BUCKETS 10

/* An action that was asked for at least once. */
struct metrics_action {
    char name[64];
    unsigned api;
    _Atomic uint64_t requests[6]; /* by the status' first digit */
    _Atomic uint64_t microseconds;
};

struct metrics {
    pthread_mutex_t lock; /* for a new action */
    struct metrics_action action[METRICS_ACTIONS];
    _Atomic unsigned nr_actions;
    _Atomic uint64_t seconds_bucket[METRICS_BUCKETS];
    _Atomic uint64_t seconds_count, microseconds_sum;
    _Atomic uint64_t bytes_in, bytes_out;
    _Atomic uint64_t in_flight;
    _Atomic uint64_t auth_failures;
    _Atomic uint64_t log_failures;
};

void metrics_prepare(struct metrics *m);

/* `action` must be one of ours, or "": names that clients make up would fill the table. */
void metrics_request(struct metrics *m, unsigned api, const char *action, unsigned status,
                     uint64_t microseconds, uint64_t bytes_in, uint64_t bytes_out);

/* In Prometheus' text format. */
void metrics_write(const struct metrics *m, struct buf *out);
void metrics_write_state(sqlite3 *c, struct buf *out);

#endif

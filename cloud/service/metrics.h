/* SPDX-License-Identifier: MIT */
/* What /metrics tells, counted without locks. */
#ifndef PVBOOT_CLOUD_SERVICE_METRICS_H
#define PVBOOT_CLOUD_SERVICE_METRICS_H

#include <stdint.h>

#include "host/xenhost/buf.h"

#define METRICS_APIS    3
#define METRICS_BUCKETS 10

struct metrics {
    _Atomic uint64_t requests[METRICS_APIS][6]; /* by API, by the status' first digit */
    _Atomic uint64_t seconds_bucket[METRICS_BUCKETS];
    _Atomic uint64_t seconds_count, microseconds_sum;
    _Atomic uint64_t bytes_in, bytes_out;
    _Atomic uint64_t in_flight;
    _Atomic uint64_t auth_failures;
    _Atomic uint64_t log_failures;
};

void metrics_request(struct metrics *m, unsigned api, unsigned status, uint64_t microseconds,
                     uint64_t bytes_in, uint64_t bytes_out);

/* In Prometheus' text format. */
void metrics_write(const struct metrics *m, struct buf *out);

#endif

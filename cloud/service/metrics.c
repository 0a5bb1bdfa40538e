/* SPDX-License-Identifier: MIT */
/* Counters in Prometheus' text format; see metrics.h. */
#include "cloud/service/metrics.h"

#include <inttypes.h>

static const uint64_t limits_us[METRICS_BUCKETS] = {1000,   2500,   5000,    10000,   25000,
                                                    100000, 250000, 1000000, 5000000, 30000000};
static const char *const api_names[METRICS_APIS] = {"none", "ec2", "s3"};

void metrics_request(struct metrics *m, unsigned api, unsigned status, uint64_t microseconds,
                     uint64_t bytes_in, uint64_t bytes_out)
{
    m->requests[api < METRICS_APIS ? api : 0][status < 600 ? status / 100 : 0]++;
    for (unsigned i = 0; i < METRICS_BUCKETS; i++)
        if (microseconds <= limits_us[i])
            m->seconds_bucket[i]++;
    m->seconds_count++;
    m->microseconds_sum += microseconds;
    m->bytes_in += bytes_in;
    m->bytes_out += bytes_out;
}

static void counter(struct buf *out, const char *name, const char *type, const char *help,
                    uint64_t value)
{
    buf_printf(out, "# HELP pvbootd_%s %s\n# TYPE pvbootd_%s %s\npvbootd_%s %" PRIu64 "\n", name,
               help, name, type, name, value);
}

void metrics_write(const struct metrics *m, struct buf *out)
{
    buf_puts(out, "# HELP pvbootd_requests_total Requests answered.\n"
                  "# TYPE pvbootd_requests_total counter\n");
    for (unsigned api = 0; api < METRICS_APIS; api++)
        for (unsigned class = 1; class < 6; class ++)
            if (m->requests[api][class] > 0)
                buf_printf(out, "pvbootd_requests_total{api=\"%s\",status=\"%uxx\"} %" PRIu64 "\n",
                           api_names[api], class, m->requests[api][class]);
    buf_puts(out, "# HELP pvbootd_request_seconds Time from a request's headers to its end.\n"
                  "# TYPE pvbootd_request_seconds histogram\n");
    for (unsigned i = 0; i < METRICS_BUCKETS; i++)
        buf_printf(out, "pvbootd_request_seconds_bucket{le=\"%g\"} %" PRIu64 "\n",
                   (double)limits_us[i] / 1e6, m->seconds_bucket[i]);
    buf_printf(out,
               "pvbootd_request_seconds_bucket{le=\"+Inf\"} %" PRIu64
               "\npvbootd_request_seconds_sum %.6f\npvbootd_request_seconds_count %" PRIu64 "\n",
               m->seconds_count, (double)m->microseconds_sum / 1e6, m->seconds_count);
    counter(out, "received_bytes_total", "counter", "Bytes of bodies received.", m->bytes_in);
    counter(out, "sent_bytes_total", "counter", "Bytes of bodies sent.", m->bytes_out);
    counter(out, "requests_in_flight", "gauge", "Requests being worked on.", m->in_flight);
    counter(out, "auth_failures_total", "counter", "Requests whose signature was refused.",
            m->auth_failures);
    counter(out, "log_failures_total", "counter", "Lines of the log that could not be written.",
            m->log_failures);
}

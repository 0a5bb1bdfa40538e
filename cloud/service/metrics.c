/* SPDX-License-Identifier: MIT */
/* Counters in Prometheus' text format; see metrics.h. */
#include "cloud/service/metrics.h"

#include <inttypes.h>
#include <string.h>

static const uint64_t limits_us[METRICS_BUCKETS] = {1000,   2500,   5000,    10000,   25000,
                                                    100000, 250000, 1000000, 5000000, 30000000};
static const char *const api_names[METRICS_APIS] = {"none", "ec2", "s3"};

void metrics_prepare(struct metrics *m)
{
    pthread_mutex_init(&m->lock, NULL);
}

static struct metrics_action *find_action(struct metrics *m, unsigned api, const char *name)
{
    unsigned nr = m->nr_actions;

    for (unsigned i = 0; i < nr; i++)
        if (m->action[i].api == api && strcmp(m->action[i].name, name) == 0)
            return &m->action[i];
    return NULL;
}

/* A full table leaves later actions uncounted, which cannot be: there are not so many. */
static struct metrics_action *take_action(struct metrics *m, unsigned api, const char *name)
{
    struct metrics_action *a = find_action(m, api, name);

    if (a)
        return a;
    pthread_mutex_lock(&m->lock);
    a = find_action(m, api, name);
    if (!a && m->nr_actions < METRICS_ACTIONS && strlen(name) < sizeof(a->name)) {
        a = &m->action[m->nr_actions];
        memcpy(a->name, name, strlen(name) + 1);
        a->api = api;
        m->nr_actions++;
    }
    pthread_mutex_unlock(&m->lock);
    return a;
}

void metrics_request(struct metrics *m, unsigned api, const char *action, unsigned status,
                     uint64_t microseconds, uint64_t bytes_in, uint64_t bytes_out)
{
    struct metrics_action *a = take_action(m, api < METRICS_APIS ? api : 0, action);

    if (a) {
        a->requests[status < 600 ? status / 100 : 0]++;
        a->microseconds += microseconds;
    }
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

static void write_actions(const struct metrics *m, struct buf *out)
{
    buf_puts(out, "# HELP pvbootd_requests_total Requests answered.\n"
                  "# TYPE pvbootd_requests_total counter\n");
    for (unsigned i = 0; i < m->nr_actions; i++)
        for (unsigned class = 1; class < 6; class ++)
            if (m->action[i].requests[class] > 0)
                buf_printf(
                    out,
                    "pvbootd_requests_total{api=\"%s\",action=\"%s\",status=\"%uxx\"} %" PRIu64
                    "\n",
                    api_names[m->action[i].api], m->action[i].name, class,
                    m->action[i].requests[class]);
    buf_puts(out, "# HELP pvbootd_action_seconds_total Time spent on requests.\n"
                  "# TYPE pvbootd_action_seconds_total counter\n");
    for (unsigned i = 0; i < m->nr_actions; i++)
        buf_printf(out, "pvbootd_action_seconds_total{api=\"%s\",action=\"%s\"} %.6f\n",
                   api_names[m->action[i].api], m->action[i].name,
                   (double)m->action[i].microseconds / 1e6);
}

void metrics_write(const struct metrics *m, struct buf *out)
{
    write_actions(m, out);
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

/* What the state holds: one gauge a line, with a label from the first column where there is one. */
void metrics_write_state(sqlite3 *c, struct buf *out)
{
    static const struct {
        const char *name, *help, *label, *sql;
    } gauges[] = {
        {"buckets", "Buckets.", NULL, "SELECT '', count(*) FROM bucket"},
        {"stored_bytes", "Bytes of objects and parts, by account.", "account",
         "SELECT account, bytes FROM usage ORDER BY account"},
        {"record_bytes", "What the rows of objects, parts and open uploads cost, by account.",
         "account", "SELECT account, record_bytes FROM usage ORDER BY account"},
        {"state_bytes", "Size of the state's database.", NULL,
         "SELECT '', page_count * page_size FROM pragma_page_count(), pragma_page_size()"},
        {"instances", "Instances, by their state.", "state",
         "SELECT state, count(*) FROM instance GROUP BY state ORDER BY state"},
        {"volumes", "Volumes, by their state.", "state",
         "SELECT state, count(*) FROM volume GROUP BY state ORDER BY state"},
        {"snapshots", "Snapshots, by their state.", "state",
         "SELECT state, count(*) FROM snapshot GROUP BY state ORDER BY state"},
        {"images", "Images that were registered, by their state.", "state",
         "SELECT state, count(*) FROM image GROUP BY state ORDER BY state"},
    };

    for (size_t i = 0; i < sizeof(gauges) / sizeof(gauges[0]); i++) {
        sqlite3_stmt *s = db_query(c, gauges[i].sql, "");

        buf_printf(out, "# HELP pvbootd_%s %s\n# TYPE pvbootd_%s gauge\n", gauges[i].name,
                   gauges[i].help, gauges[i].name);
        while (s && sqlite3_step(s) == SQLITE_ROW) {
            buf_printf(out, "pvbootd_%s", gauges[i].name);
            if (gauges[i].label)
                buf_printf(out, "{%s=\"%s\"}", gauges[i].label, db_text(s, 0));
            buf_printf(out, " %lld\n", (long long)sqlite3_column_int64(s, 1));
        }
        db_finish(s);
    }
}

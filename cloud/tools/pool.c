/* SPDX-License-Identifier: MIT */
#include "cloud/tools/pool.h"

#include <pthread.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "cloud/tools/tools.h"

#define DRAW_MS 200

struct pool {
    const struct pool_plan *plan;
    pthread_mutex_t lock;
    pthread_cond_t ended; /* of a thread */
    uint32_t next;
    unsigned nr_running;
    bool failed;
    char why[2048];
    _Atomic uint64_t done_bytes;
    struct pool_worker workers[POOL_THREADS];
};

static void on_bytes(void *ctx, uint64_t bytes)
{
    ((struct pool_worker *)ctx)->now_bytes = bytes;
}

void pool_bytes(struct pool_worker *w, uint64_t bytes)
{
    w->now_bytes = 0;
    w->pool->done_bytes += bytes;
}

static void fail(struct pool *p, const char *why)
{
    pthread_mutex_lock(&p->lock);
    if (!p->failed)
        snprintf(p->why, sizeof(p->why), "%s", why);
    p->failed = true;
    pthread_mutex_unlock(&p->lock);
}

/* The number of the next task; false when there is none. */
static bool next_task(struct pool *p, uint32_t *nr)
{
    const stop_flag *stop = p->plan->client->peer.stop;
    bool more;

    pthread_mutex_lock(&p->lock);
    if (stop != NULL && *stop != 0 && !p->failed && p->next < p->plan->end) {
        p->failed = true;
        snprintf(p->why, sizeof(p->why), "interrupted");
    }
    more = !p->failed && p->next < p->plan->end;
    *nr = p->next;
    p->next += more ? 1 : 0;
    pthread_mutex_unlock(&p->lock);
    return more;
}

static void *work(void *ctx)
{
    struct pool_worker *w = ctx;
    struct pool *p = w->pool;
    const struct pool_plan *plan = p->plan;
    char why[2048];
    uint32_t nr;

    w->bucket.http = http_open(&plan->client->peer, why, sizeof(why));
    if (w->bucket.http == NULL)
        fail(p, why);
    while (next_task(p, &nr)) {
        if (!plan->task(w, plan->ctx, nr, why, sizeof(why)))
            fail(p, why);
    }
    http_close(w->bucket.http);
    call_result_free(&w->bucket.result);
    pthread_mutex_lock(&p->lock);
    p->nr_running--;
    pthread_cond_signal(&p->ended);
    pthread_mutex_unlock(&p->lock);
    return NULL;
}

static void draw(struct pool *p)
{
    const struct bundle_job *job = tool_job();
    uint64_t bytes = p->done_bytes;

    if (job->progress == NULL || p->plan->all_bytes == 0)
        return;
    for (unsigned i = 0; i < POOL_THREADS; i++)
        bytes += p->workers[i].now_bytes;
    if (bytes > p->plan->all_bytes) /* a part that is sent again */
        bytes = p->plan->all_bytes;
    job->progress(job->progress_ctx, bytes, p->plan->all_bytes);
}

/* Until all threads have ended. */
static void watch(struct pool *p)
{
    pthread_mutex_lock(&p->lock);
    while (p->nr_running > 0) {
        struct timespec until;

        pthread_mutex_unlock(&p->lock);
        draw(p);
        pthread_mutex_lock(&p->lock);
        clock_gettime(CLOCK_REALTIME, &until);
        until.tv_nsec += DRAW_MS * 1000000L;
        until.tv_sec += until.tv_nsec / 1000000000L;
        until.tv_nsec %= 1000000000L;
        if (p->nr_running > 0)
            pthread_cond_timedwait(&p->ended, &p->lock, &until);
    }
    pthread_mutex_unlock(&p->lock);
    draw(p);
}

bool pool_run(const struct pool_plan *plan, char *why, size_t why_cap)
{
    struct pool p = {.plan = plan,
                     .lock = PTHREAD_MUTEX_INITIALIZER,
                     .ended = PTHREAD_COND_INITIALIZER,
                     .next = plan->first};
    uint32_t nr_tasks = plan->end - plan->first;
    pthread_t threads[POOL_THREADS];
    unsigned nr = 0;

    for (; nr < POOL_THREADS && nr < nr_tasks; nr++) {
        struct pool_worker *w = &p.workers[nr];

        w->pool = &p;
        w->bucket = (struct store){
            .client = plan->client, .name = plan->bucket, .progress = on_bytes, .progress_ctx = w};
        pthread_mutex_lock(&p.lock);
        p.nr_running++;
        pthread_mutex_unlock(&p.lock);
        if (pthread_create(&threads[nr], NULL, work, w) != 0)
            break;
    }
    if (nr < POOL_THREADS && nr < nr_tasks) {
        fail(&p, "no thread can be started");
        pthread_mutex_lock(&p.lock);
        p.nr_running--;
        pthread_mutex_unlock(&p.lock);
    }
    watch(&p);
    for (unsigned i = 0; i < nr; i++)
        pthread_join(threads[i], NULL);
    tool_progress_end();
    snprintf(why, why_cap, "%s", p.why);
    return !p.failed;
}

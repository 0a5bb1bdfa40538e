/* SPDX-License-Identifier: MIT */
/* What the keeper does for instances, state by state; see instance.h. */
#include "cloud/service/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

/* A guest that runs is looked at so often; those on their way at every step. */
#define POLL_S 1

#define OLD_MAX 100 /* terminated ones that go at a look */

/* An instance of this step, as it was when the step began. */
struct job {
    char id[EC2_ID_BYTES], state[16], wish[16], shutdown_behavior[16];
    int64_t wish_since_s;
};

struct jobs {
    struct job *job;
    size_t nr, cap;
};

/* ---- writing down ----------------------------------------------------------------------------
 */

/* Only if nobody changed it meanwhile; what a request wrote is looked at in the next step. */
static bool update(struct service *svc, const char *set, const struct job *j, const char *a,
                   const char *b, const char *d)
{
    sqlite3 *c = db_begin(svc->db);
    struct buf sql = {0};
    bool good;

    if (c == NULL)
        return false;
    buf_printf(&sql, "UPDATE instance SET %s WHERE id = ?4 AND state = ?5 AND wish = ?6", set);
    good = db_run(c, sql.text, "ssssss", a, b, d, j->id, j->state, j->wish);
    buf_free(&sql);
    if (good && sqlite3_changes(c) == 1)
        return db_commit(svc->db);
    db_rollback(svc->db);
    return false;
}

/* The next state; `code` NULL: the reason of the last one stays. */
static bool move_to(struct service *svc, const struct job *j, const char *state, const char *code,
                    const char *reason)
{
    return update(svc,
                  "state = ?1, reason_code = ifnull(?2, reason_code), reason = ifnull(?3, reason),"
                  " changed = CASE WHEN ?2 IS NULL AND ?1 IN ('stopped', 'terminated')"
                  " THEN changed ELSE unixepoch() END,"
                  " wish = '', wish_since = unixepoch()",
                  j, state, code, reason);
}

static bool set_wish(struct service *svc, const struct job *j, const char *wish)
{
    return update(svc, "wish = ?1, wish_since = unixepoch()", j, wish, NULL, NULL);
}

/* ---- what the guest does ---------------------------------------------------------------------
 */

static bool destroy(struct service *svc, const char *id)
{
    struct buf why = {0};
    bool good = svc->engine->ops->destroy(svc->engine, id, &why);

    if (!good)
        fprintf(stderr, "pvbootd: %s cannot be ended: %s\n", id, why.text ? why.text : "");
    buf_free(&why);
    return good;
}

static bool stop_for(struct service *svc, const struct job *j, const char *code, const char *reason)
{
    return destroy(svc, j->id) && move_to(svc, j, "stopped", code, reason);
}

/*
 * How it ended is written down before the engine forgets it: after a crash between the two, an
 * instance that runs without a guest would be started again.
 */
static bool note_end(struct service *svc, const struct job *j, const char *code, const char *reason)
{
    return update(svc,
                  "state = 'stopping', reason_code = ?1, reason = ?2, changed = unixepoch(),"
                  " wish = 'force', wish_since = unixepoch()",
                  j, code, reason, NULL);
}

/* The guest ended, and nobody had asked the service for it. */
static bool take_end(struct service *svc, const struct job *j, const struct engine_status *s)
{
    bool embedded = strcmp(svc->engine->ops->name, "embedded") == 0;

    switch (s->reason) {
    case ENGINE_POWEROFF:
        if (strcmp(j->shutdown_behavior, "terminate") == 0)
            return move_to(svc, j, "shutting-down", "Client.InstanceInitiatedShutdown",
                           "Instance initiated shutdown");
        return note_end(svc, j, "Client.InstanceInitiatedShutdown", "Instance initiated shutdown");
    case ENGINE_CRASHED:
        return note_end(svc, j, "Client.InstanceInitiatedShutdown",
                        "The guest crashed, or its boot loader found no kernel; get-console-output "
                        "shows what it wrote last");
    case ENGINE_DESTROYED:
        return note_end(svc, j, "Server.InternalError", "The guest was ended from outside");
    case ENGINE_FAILED:
        break;
    }
    /* The owner is told what happened; why it did is for whoever has the machine. */
    fprintf(stderr, "pvbootd: %s failed: %s%s%s%s\n", j->id, s->why, embedded ? " See engine/" : "",
            embedded ? j->id : "", embedded ? "/log in the state." : "");
    return note_end(svc, j, "Server.InternalError", s->why);
}

/* ---- states ----------------------------------------------------------------------------------
 */

static bool start(struct service *svc, const struct job *j)
{
    struct buf why = {0};
    bool did = false;

    buf_clear(&why);
    switch (instance_start(svc, j->id, &why)) {
    case INSTANCE_STARTED:
        did = set_wish(svc, j, "started");
        break;
    case INSTANCE_FAILED:
        fprintf(stderr, "pvbootd: %s does not start: %s\n", j->id, why.text);
        did = stop_for(svc, j, "Server.InternalError", why.text);
        break;
    case INSTANCE_WAITS:
        break;
    }
    buf_free(&why);
    return did;
}

/* Until the row says that it was started, what is left of an earlier run is ended first. */
static bool step_pending(struct service *svc, const struct job *j, const struct engine_status *s)
{
    bool started = strcmp(j->wish, "started") == 0;

    switch (s->state) {
    case ENGINE_RUNNING:
        return move_to(svc, j, "running", "", "");
    case ENGINE_STARTING:
    case ENGINE_SILENT:
        return false;
    case ENGINE_ENDED:
        if (started)
            return take_end(svc, j, s);
        return destroy(svc, j->id) && start(svc, j);
    case ENGINE_ABSENT:
        break;
    }
    return start(svc, j);
}

static bool reboot(struct service *svc, const struct job *j)
{
    struct buf why = {0};

    buf_clear(&why);
    if (!svc->engine->ops->reboot(svc->engine, j->id, &why))
        fprintf(stderr, "pvbootd: %s does not reboot: %s\n", j->id, why.text);
    buf_free(&why);
    return set_wish(svc, j, "");
}

static bool step_running(struct service *svc, const struct job *j, const struct engine_status *s)
{
    if (s->state == ENGINE_ENDED)
        return take_end(svc, j, s);
    if (s->state == ENGINE_ABSENT && svc->config.restart)
        return move_to(svc, j, "pending", "", "");
    if (s->state == ENGINE_ABSENT)
        return move_to(svc, j, "stopped", "Server.InternalError",
                       "The machine that it ran on was restarted");
    return strcmp(j->wish, "reboot") == 0 && s->state == ENGINE_RUNNING && reboot(svc, j);
}

static bool step_stopping(struct service *svc, const struct job *j, const struct engine_status *s)
{
    bool late = time(NULL) - j->wish_since_s >= svc->config.stop_timeout_s;
    struct buf why = {0};

    if (s->state == ENGINE_ABSENT || s->state == ENGINE_ENDED || strcmp(j->wish, "force") == 0 ||
        (strcmp(j->wish, "asked") == 0 && late))
        return stop_for(svc, j, NULL, NULL);
    if (strcmp(j->wish, "asked") == 0)
        return false;
    if (s->state == ENGINE_STARTING)
        return set_wish(svc, j, "force"); /* nothing listens yet */
    buf_clear(&why);
    if (!svc->engine->ops->shutdown(svc->engine, j->id, &why))
        fprintf(stderr, "pvbootd: %s cannot be asked to stop: %s\n", j->id, why.text);
    buf_free(&why);
    return set_wish(svc, j, "asked");
}

/* Its volumes follow, see volumes_step. */
static bool step_shutting_down(struct service *svc, const struct job *j)
{
    return destroy(svc, j->id) && move_to(svc, j, "terminated", NULL, NULL);
}

static bool step_one(struct service *svc, const struct job *j)
{
    struct engine_status s = {0};

    if (strcmp(j->state, "shutting-down") == 0)
        return step_shutting_down(svc, j);
    if (!svc->engine->ops->status(svc->engine, j->id, &s))
        return false;
    if (strcmp(j->state, "pending") == 0)
        return step_pending(svc, j, &s);
    if (strcmp(j->state, "running") == 0)
        return step_running(svc, j, &s);
    return step_stopping(svc, j, &s);
}

/* ---- those that were shown long enough -------------------------------------------------------
 */

struct old {
    char id[EC2_ID_BYTES], reservation[EC2_ID_BYTES];
};

static size_t find_old(struct service *svc, struct old *old)
{
    sqlite3 *c = db_reader(svc->db);
    sqlite3_stmt *s = db_query(c,
                               "SELECT i.id, i.reservation FROM instance i"
                               " WHERE i.state = 'terminated' AND i.changed < unixepoch() - ?"
                               " AND NOT EXISTS (SELECT 1 FROM volume v WHERE v.instance = i.id)"
                               " LIMIT ?",
                               "ii", (int64_t)INSTANCE_SHOWN_S, (int64_t)OLD_MAX);
    size_t nr = 0;

    while (s != NULL && nr < OLD_MAX && sqlite3_step(s) == SQLITE_ROW) {
        snprintf(old[nr].id, sizeof(old[nr].id), "%s", db_text(s, 0));
        snprintf(old[nr].reservation, sizeof(old[nr].reservation), "%s", db_text(s, 1));
        nr++;
    }
    db_finish(s);
    db_done(svc->db, c);
    return nr;
}

static bool drop_row(sqlite3 *c, const struct old *old)
{
    return db_run(c, "DELETE FROM tag WHERE resource = ?", "s", old->id) &&
           db_run(c, "DELETE FROM instance WHERE id = ? AND state = 'terminated'", "s", old->id) &&
           db_run(c,
                  "DELETE FROM reservation WHERE id = ?1 AND NOT EXISTS"
                  " (SELECT 1 FROM instance WHERE reservation = ?1)",
                  "s", old->reservation);
}

static void drop_guest(struct service *svc, const char *id)
{
    struct buf why = {0};

    if (!svc->engine->ops->forget(svc->engine, id, &why))
        fprintf(stderr, "pvbootd: %s leaves something behind: %s\n", id, why.text ? why.text : "");
    buf_free(&why);
    instance_remove_seed(svc, id);
}

static bool drop_old(struct service *svc)
{
    struct old *old = xalloc(OLD_MAX * sizeof(*old));
    size_t nr = find_old(svc, old);
    bool did = false;
    sqlite3 *c = NULL;

    for (size_t i = 0; i < nr; i++)
        drop_guest(svc, old[i].id);
    if (nr > 0)
        c = db_begin(svc->db);
    if (c != NULL) {
        did = true;
        for (size_t i = 0; did && i < nr; i++)
            did = drop_row(c, &old[i]);
        did = did && ec2_drop_tokens(c);
        if (did)
            did = db_commit(svc->db);
        else
            db_rollback(svc->db);
    }
    free(old);
    return did;
}

/* ---- the step --------------------------------------------------------------------------------
 */

/* Nobody changed it since the step began: now it is held. */
static bool job_stands(struct service *svc, const struct job *j)
{
    sqlite3 *c = db_reader(svc->db);
    bool stands = db_number(c, 0,
                            "SELECT EXISTS(SELECT 1 FROM instance WHERE id = ? AND state = ?"
                            " AND wish = ? AND wish_since = ?)",
                            "sssi", j->id, j->state, j->wish, j->wish_since_s) != 0;

    db_done(svc->db, c);
    return stands;
}

static void find_jobs(struct service *svc, bool running, struct jobs *out)
{
    sqlite3 *c = db_reader(svc->db);
    sqlite3_stmt *s = db_query(c,
                               "SELECT id, state, wish, shutdown_behavior, wish_since FROM instance"
                               " WHERE state IN ('pending', 'stopping', 'shutting-down')"
                               " OR (state = 'running' AND (?1 OR wish <> ''))",
                               "i", (int64_t)running);

    while (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        struct job *j;

        if (out->nr == out->cap)
            out->job = xgrow(out->job, &out->cap, sizeof(*out->job));
        j = &out->job[out->nr++];
        snprintf(j->id, sizeof(j->id), "%s", db_text(s, 0));
        snprintf(j->state, sizeof(j->state), "%s", db_text(s, 1));
        snprintf(j->wish, sizeof(j->wish), "%s", db_text(s, 2));
        snprintf(j->shutdown_behavior, sizeof(j->shutdown_behavior), "%s", db_text(s, 3));
        j->wish_since_s = sqlite3_column_int64(s, 4);
    }
    db_finish(s);
    db_done(svc->db, c);
}

bool instances_step(struct service *svc)
{
    static time_t polled_s; /* the keeper's room of instances is one thread */
    time_t now_s = time(NULL);
    bool running = now_s < polled_s || now_s - polled_s >= POLL_S, did = false;
    struct jobs jobs = {0};

    if (running)
        polled_s = now_s;
    find_jobs(svc, running, &jobs);
    for (size_t i = 0; i < jobs.nr && !*keeper_stopping(svc->keeper); i++) {
        if (!keeper_hold(svc->keeper, KEEPER_INSTANCES, jobs.job[i].id))
            continue;
        did |= job_stands(svc, &jobs.job[i]) && step_one(svc, &jobs.job[i]);
        keeper_release(svc->keeper, KEEPER_INSTANCES);
    }
    free(jobs.job);
    did |= running && drop_old(svc);
    if (did) {
        keeper_wake(svc->keeper, KEEPER_DISKS);  /* those that waited for another state */
        keeper_wake(svc->keeper, KEEPER_COPIES); /* blobs that nobody needs any more */
    }
    return did;
}

/* SPDX-License-Identifier: MIT */
/* What the keeper does for snapshots; see volume.h. */
#include "cloud/service/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/service/instance.h"

/* A copy that fails is given up after so many tries, but not while a guest may just be rebooting.
 */
#define TRIES_MAX  5
#define PATIENCE_S 180

struct work {
    char id[EC2_ID_BYTES], account[16], instance[EC2_ID_BYTES], vdev[INSTANCE_DEVICE];
    bool in_use; /* a guest may be writing: the engine makes the copy */
    unsigned depth;
    struct blob source;
};

/*
 * The next snapshot that can be made. One of a volume whose instance, or whose place at it, is
 * changing at the moment waits: it is not known who would write meanwhile.
 */
static const char next_work[] =
    "SELECT s.id, s.account, s.source, ifnull(v.instance, ''), ifnull(v.device, ''),"
    " ifnull(i.state, '') = 'running'"
    " FROM snapshot s LEFT JOIN volume v ON v.id = s.volume LEFT JOIN instance i"
    " ON i.id = v.instance WHERE s.state = 'pending'"
    " AND (i.state IS NULL OR i.state IN ('stopped', 'terminated')"
    " OR (i.state = 'running' AND v.attach_state = 'attached'))"
    " ORDER BY s.tries, s.created, s.id LIMIT 1";

static bool find_work(struct service *svc, struct work *out)
{
    sqlite3 *c = db_reader(svc->db);
    sqlite3_stmt *s = db_query(c, next_work, "");
    bool found = s != NULL && sqlite3_step(s) == SQLITE_ROW;

    if (found) {
        snprintf(out->id, sizeof(out->id), "%s", db_text(s, 0));
        snprintf(out->account, sizeof(out->account), "%s", db_text(s, 1));
        snprintf(out->instance, sizeof(out->instance), "%s", db_text(s, 3));
        out->in_use = sqlite3_column_int64(s, 5) != 0;
        out->depth = blob_depth(c, db_text(s, 2));
        found = blob_find(c, db_text(s, 2), &out->source) &&
                (!out->in_use || instance_vdev(svc, c, out->instance, db_text(s, 4), out->vdev));
    }
    sqlite3_finalize(s);
    db_done(svc->db, c);
    return found;
}

static bool run(struct service *svc, const char *sql, const char *text, const char *id)
{
    sqlite3 *c = db_begin(svc->db);

    if (c == NULL)
        return false;
    if (db_run(c, sql, "ss", text, id) && sqlite3_changes(c) == 1)
        return db_commit(svc->db);
    db_rollback(svc->db);
    return false;
}

/* The guest may have written more since the file was looked at, so the engine has the last word. */
static enum blob_result copy_in_use(struct service *svc, const struct work *w, struct blob *out,
                                    struct buf *why)
{
    const char *dir = svc->config.state_dir;
    const stop_flag *stop = keeper_stopping(svc->keeper);
    struct engine *e = svc->engine;
    struct buf to = {0};
    bool good;

    if (e == NULL) {
        buf_puts(why, "Nothing runs the instances here.");
        return BLOB_AGAIN;
    }
    if (!blob_room_for(dir, blob_file_bytes(dir, w->source.id), why))
        return BLOB_FAILED;
    out->qcow2 = true;
    out->virtual_bytes = w->source.virtual_bytes;
    memcpy(out->parent, w->source.parent, sizeof(out->parent));
    blob_path(dir, out->id, &to);
    good = e->ops->copy(e, w->instance, w->vdev, to.text, stop, why);
    buf_free(&to);
    if (!good)
        return BLOB_AGAIN;
    if (blob_make_durable(dir, out, why))
        return BLOB_DONE;
    blob_throw_away(dir, out);
    return BLOB_FAILED;
}

/* A chain of parents makes each read slower, so it is cut here, where there is time. */
static enum blob_result shorten(struct service *svc, const struct work *w, struct blob *copy,
                                struct buf *why)
{
    const char *dir = svc->config.state_dir;
    enum blob_result result;
    struct blob flat;

    if (w->depth < VOLUME_DEPTH_MAX)
        return BLOB_DONE;
    result = blob_flatten(dir, copy, keeper_stopping(svc->keeper), &flat, why);
    blob_throw_away(dir, copy);
    *copy = flat;
    return result;
}

static bool keep(struct service *svc, const struct work *w, const struct blob *b)
{
    sqlite3 *c = db_begin(svc->db);

    if (c == NULL)
        return false;
    if (blob_insert(c, b, w->account) &&
        db_run(c,
               "UPDATE snapshot SET state = 'completed', reason = '', blob = ?, source = NULL,"
               " copy = '' WHERE id = ? AND state = 'pending'",
               "ss", b->id, w->id) &&
        sqlite3_changes(c) == 1)
        return db_commit(svc->db);
    db_rollback(svc->db);
    return false;
}

/* Nothing came of it: what may pass is tried again, and not at once. */
static void note_failure(struct service *svc, const struct work *w, enum blob_result result,
                         const char *why)
{
    static const char failed[] = "UPDATE snapshot SET state = 'error', reason = ?, source = NULL,"
                                 " copy = '' WHERE id = ? AND state = 'pending'";
    static const char again[] =
        "UPDATE snapshot SET reason = ?, tries = tries + 1, copy = '' WHERE id = ?";
    sqlite3 *c = db_reader(svc->db);
    bool late = db_number(c, 0,
                          "SELECT tries >= ? AND created <= unixepoch() - ? FROM snapshot"
                          " WHERE id = ?",
                          "iis", (int64_t)TRIES_MAX, (int64_t)PATIENCE_S, w->id) != 0;

    db_done(svc->db, c);
    if (*keeper_stopping(svc->keeper) != 0)
        return;
    fprintf(stderr, "pvbootd: %s: %s\n", w->id, why);
    run(svc, result == BLOB_FAILED || late ? failed : again, why, w->id);
}

bool snapshots_step(struct service *svc)
{
    const char *dir = svc->config.state_dir;
    enum blob_result result;
    struct buf why = {0};
    struct blob copy = {0};
    struct work w;
    bool did = false;

    if (!find_work(svc, &w))
        return false;
    buf_clear(&why);
    blob_new_id(&copy);
    /* Its name is known, so that one can see how far it is. */
    if (run(svc, "UPDATE snapshot SET copy = ? WHERE id = ?", copy.id, w.id)) {
        result = w.in_use ? copy_in_use(svc, &w, &copy, &why)
                          : blob_copy(dir, &w.source, keeper_stopping(svc->keeper), &copy, &why);
        if (result == BLOB_DONE)
            result = shorten(svc, &w, &copy, &why);
        if (result == BLOB_DONE) {
            did = keep(svc, &w, &copy);
            if (!did)
                blob_throw_away(dir, &copy);
        } else {
            note_failure(svc, &w, result, why.text);
        }
    }
    buf_free(&why);
    return did;
}

/* SPDX-License-Identifier: MIT */
/* What the keeper does for volumes; see volume.h. */
#include "cloud/service/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/engine/engine.h"
#include "cloud/service/blob.h"
#include "cloud/service/ec2_common.h"

#define MOVES_MAX 64 /* of one look; the next look takes the rest */

const char *volume_vdev(const char *device)
{
    return strncmp(device, "/dev/", 5) == 0 ? device + 5 : device;
}

const char *volume_letter(const char *device)
{
    const char *name = volume_vdev(device);
    size_t kind = name[0] == 'x' ? strlen("xvd") : strlen("sd");

    return strlen(name) > kind ? name + kind : "";
}

bool volume_clash(const char *a, const char *b)
{
    const char *x = volume_letter(a), *y = volume_letter(b);

    return *x == *y && (!*x || !x[1] || !y[1] || strcmp(x, y) == 0);
}

/*
 * sd and a letter up to p, as Xen has them, or xvd and one up to y (xvdz carries an instance's user
 * data), and perhaps a number from 1 to 15.
 */
bool volume_device_good(const char *device)
{
    const char *name = volume_vdev(device);
    bool sd = strncmp(name, "sd", 2) == 0;
    size_t digits;

    if (!sd && strncmp(name, "xvd", 3) != 0)
        return false;
    name += sd ? 2 : 3;
    if (*name < 'a' || *name > (sd ? 'p' : 'y'))
        return false;
    name++;
    digits = strspn(name, "0123456789");
    if (name[digits])
        return false;
    return digits == 0 || (digits == 1 && name[0] != '0') ||
           (digits == 2 && name[0] == '1' && name[1] <= '5');
}

/* ---- new ones ---------------------------------------------------------------------------------
 */

struct new_volume {
    char id[EC2_ID_BYTES], account[16];
    uint64_t virtual_bytes;
    bool has_source;
    struct blob source;
};

static bool find_new(struct service *svc, struct new_volume *out)
{
    sqlite3 *c = db_reader(svc->db);
    sqlite3_stmt *s = db_query(c,
                               "SELECT id, account, virtual_bytes, source FROM volume"
                               " WHERE state = 'creating' LIMIT 1",
                               "");
    bool found = s != NULL && sqlite3_step(s) == SQLITE_ROW;

    if (found) {
        snprintf(out->id, sizeof(out->id), "%s", db_text(s, 0));
        snprintf(out->account, sizeof(out->account), "%s", db_text(s, 1));
        out->virtual_bytes = (uint64_t)sqlite3_column_int64(s, 2);
        out->has_source = sqlite3_column_type(s, 3) != SQLITE_NULL;
        if (out->has_source)
            found = blob_find(c, db_text(s, 3), &out->source);
    }
    sqlite3_finalize(s);
    db_done(svc->db, c);
    return found;
}

/* False: the row is gone, or the state could not be written. */
static bool keep_new(struct service *svc, const struct new_volume *v, const struct blob *b)
{
    sqlite3 *c = db_begin(svc->db);

    if (c == NULL)
        return false;
    if (blob_insert(c, b, v->account) &&
        db_run(c,
               "UPDATE volume SET blob = ?, source = NULL,"
               " state = CASE WHEN instance IS NULL THEN 'available' ELSE 'in-use' END,"
               " attach_state = CASE attach_state WHEN 'attaching' THEN 'attached'"
               " ELSE attach_state END"
               " WHERE id = ? AND state = 'creating'",
               "ss", b->id, v->id) &&
        sqlite3_changes(c) == 1)
        return db_commit(svc->db);
    db_rollback(svc->db);
    return false;
}

/* `types` as for db_run: of as many texts as the statement takes. */
static bool write_down(struct service *svc, const char *sql, const char *types, const char *a,
                       const char *b, const char *d)
{
    sqlite3 *c = db_begin(svc->db);

    if (c == NULL)
        return false;
    if (db_run(c, sql, types, a, b, d))
        return db_commit(svc->db);
    db_rollback(svc->db);
    return false;
}

static bool make_new(struct service *svc)
{
    const char *dir = svc->config.state_dir;
    struct new_volume v;
    struct buf why = {0};
    struct blob b;
    bool did;

    if (!find_new(svc, &v))
        return false;
    buf_clear(&why);
    if (v.has_source ? blob_make_child(dir, &v.source, v.virtual_bytes, &b, &why)
                     : blob_make_empty(dir, v.virtual_bytes, &b, &why)) {
        did = keep_new(svc, &v, &b);
        if (!did)
            blob_throw_away(dir, &b);
    } else {
        did = write_down(svc,
                         "UPDATE volume SET state = 'error', reason = ?, source = NULL"
                         " WHERE id = ? AND state = 'creating'",
                         "ss", why.text, v.id, NULL);
    }
    buf_free(&why);
    return did;
}

/* ---- those that nobody wants any more ---------------------------------------------------------
 */

/* Their blobs follow, see blobs_step. */
static const char gone[] =
    "SELECT v.id FROM volume v LEFT JOIN instance i ON i.id = v.instance"
    " WHERE v.state = 'deleting' OR (i.state = 'terminated' AND v.delete_on_termination = 1)";

static const char freed[] = "SELECT v.id FROM instance i JOIN volume v ON v.instance = i.id"
                            " WHERE i.state = 'terminated' AND v.delete_on_termination = 0";

static bool any(struct service *svc, const char *sql)
{
    sqlite3 *c = db_reader(svc->db);
    struct buf exists = {0};
    bool found;

    buf_printf(&exists, "SELECT EXISTS(%s)", sql);
    found = db_number(c, 0, exists.text, "") != 0;
    buf_free(&exists);
    db_done(svc->db, c);
    return found;
}

/* `sql` ends with " id IN (" and takes the ids that `which` finds. */
static bool run_for(sqlite3 *c, const char *sql, const char *which)
{
    struct buf whole = {0};
    bool good;

    buf_printf(&whole, "%s (%s)", sql, which);
    good = db_run(c, whole.text, "");
    buf_free(&whole);
    return good;
}

static bool let_go(struct service *svc)
{
    sqlite3 *c;
    bool good;

    if (!any(svc, gone) && !any(svc, freed))
        return false;
    c = db_begin(svc->db);
    if (c == NULL)
        return false;
    good = run_for(c, "DELETE FROM tag WHERE resource IN", gone) &&
           run_for(c, "DELETE FROM volume WHERE id IN", gone) &&
           run_for(c,
                   "UPDATE volume SET instance = NULL, device = NULL, attach_state = NULL,"
                   " attached = NULL,"
                   " state = CASE state WHEN 'in-use' THEN 'available' ELSE state END"
                   " WHERE id IN",
                   freed) &&
           ec2_drop_tokens(c);
    if (!good)
        db_rollback(svc->db);
    else
        good = db_commit(svc->db);
    if (good)
        keeper_wake(svc->keeper, KEEPER_COPIES);
    return good;
}

/* ---- attaching and detaching ------------------------------------------------------------------
 */

struct move {
    char id[EC2_ID_BYTES], instance[EC2_ID_BYTES], device[VOLUME_DEVICE_BYTES];
    bool attach, running;
    struct blob blob;
};

/*
 * Asking a guest that does not let go of a disk, or does not take it, takes seconds or minutes in
 * which no other disk comes or goes. So those that have refused are asked again one by one, and
 * with this pause.
 */
#define ASK_AGAIN_S 30

/* The volume whose turn it is, or "". */
static void choose_refused(struct service *svc, char id[EC2_ID_BYTES])
{
    static char last[EC2_ID_BYTES]; /* the keeper's room of disks is one thread */
    static time_t asked_s;
    time_t now_s = time(NULL);
    sqlite3_stmt *s;
    sqlite3 *c;

    id[0] = 0;
    if (now_s >= asked_s && now_s - asked_s < ASK_AGAIN_S)
        return;
    asked_s = now_s;
    c = db_reader(svc->db);
    s = db_query(c,
                 "SELECT id FROM volume WHERE attach_state IN ('attaching', 'detaching')"
                 " AND reason <> ''"
                 " ORDER BY id <= ?, id LIMIT 1",
                 "s", last);
    if (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        snprintf(id, EC2_ID_BYTES, "%s", db_text(s, 0));
        snprintf(last, sizeof(last), "%s", id);
    }
    db_finish(s);
    db_done(svc->db, c);
}

static size_t find_moves(struct service *svc, const char *refused, struct move *moves)
{
    sqlite3 *c = db_reader(svc->db);
    /* An instance on its way to another state is waited for. */
    sqlite3_stmt *s = db_query(c,
                               "SELECT v.id, v.instance, v.device, v.attach_state, i.state, v.blob"
                               " FROM volume v JOIN instance i ON i.id = v.instance"
                               " WHERE v.attach_state IN ('attaching', 'detaching')"
                               " AND (i.state = 'stopped' OR (i.state = 'running'"
                               " AND (v.reason = '' OR v.id = ?)))",
                               "s", refused);
    size_t nr = 0;

    while (nr < MOVES_MAX && s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        struct move *m = &moves[nr];

        snprintf(m->id, sizeof(m->id), "%s", db_text(s, 0));
        snprintf(m->instance, sizeof(m->instance), "%s", db_text(s, 1));
        snprintf(m->device, sizeof(m->device), "%s", db_text(s, 2));
        m->attach = strcmp(db_text(s, 3), "attaching") == 0;
        m->running = strcmp(db_text(s, 4), "running") == 0;
        nr += blob_find(c, db_text(s, 5), &m->blob);
    }
    sqlite3_finalize(s);
    db_done(svc->db, c);
    return nr;
}

static bool attach(struct service *svc, const struct move *m, struct buf *why)
{
    struct engine *e = svc->engine;
    struct buf path = {0};
    struct engine_disk disk = {
        .format = m->blob.qcow2 ? ENGINE_QCOW2 : ENGINE_RAW,
        .vdev = volume_vdev(m->device),
    };
    bool good;

    blob_path(svc->config.state_dir, m->blob.id, &path);
    disk.path = path.text;
    good = e->ops->attach(e, m->instance, &disk, keeper_stopping(svc->keeper), why);
    buf_free(&path);
    return good;
}

/* Requests may have changed the row meanwhile: one that is to be detached now is not attached. */
static bool set_attached(struct service *svc, const struct move *m)
{
    return write_down(svc,
                      "UPDATE volume SET attach_state = 'attached', reason = ''"
                      " WHERE id = ? AND instance = ? AND attach_state = 'attaching'",
                      "ss", m->id, m->instance, NULL);
}

static bool set_apart(struct service *svc, const struct move *m, const char *reason)
{
    return write_down(svc,
                      "UPDATE volume SET state = 'available', instance = NULL, device = NULL,"
                      " attached = NULL, attach_state = NULL, delete_on_termination = 0,"
                      " reason = ? WHERE id = ? AND instance = ?"
                      " AND attach_state IN ('attaching', 'detaching')",
                      "sss", reason, m->id, m->instance);
}

/*
 * A guest that does not take a disk goes on without it; one that does not let go of a disk keeps
 * it, and is asked again: two guests with one disk would destroy what is on it.
 */
static bool move(struct service *svc, const struct move *m)
{
    const stop_flag *stop = keeper_stopping(svc->keeper);
    struct engine *e = svc->engine;
    struct buf why = {0}, held = {0};
    bool did;

    if (!m->running)
        return m->attach ? set_attached(svc, m) : set_apart(svc, m, "");
    if (e == NULL)
        return false;
    buf_clear(&why);
    if (m->attach && attach(svc, m, &why)) {
        did = set_attached(svc, m);
    } else if (*stop) {
        did = false; /* the next service asks again */
    } else if (e->ops->detach(e, m->instance, volume_vdev(m->device), stop,
                              m->attach ? &held : &why)) {
        did = set_apart(svc, m, why.text);
    } else {
        did = false;
        if (!*stop)
            write_down(svc, "UPDATE volume SET reason = ? WHERE id = ? AND instance = ?", "sss",
                       why.text, m->id, m->instance);
    }
    if (why.len > 0 && !*stop)
        fprintf(stderr, "pvbootd: %s, %s of %s: %s\n", m->id, m->device, m->instance, why.text);
    buf_free(&why);
    buf_free(&held);
    return did;
}

/* Nothing has come between since it was found: now the instance is held. */
static bool move_stands(struct service *svc, const struct move *m)
{
    sqlite3 *c = db_reader(svc->db);
    bool stands =
        db_number(c, 0,
                  "SELECT EXISTS(SELECT 1 FROM volume v JOIN instance i"
                  " ON i.id = v.instance WHERE v.id = ? AND i.id = ? AND v.device = ?"
                  " AND v.attach_state = ? AND i.state = ?)",
                  "sssss", m->id, m->instance, m->device, m->attach ? "attaching" : "detaching",
                  m->running ? "running" : "stopped") != 0;

    db_done(svc->db, c);
    return stands;
}

bool attachments_step(struct service *svc)
{
    struct move *moves = xalloc(MOVES_MAX * sizeof(*moves));
    char refused[EC2_ID_BYTES];
    bool did = false;
    size_t nr;

    choose_refused(svc, refused);
    nr = find_moves(svc, refused, moves);
    for (size_t i = 0; i < nr && !*keeper_stopping(svc->keeper); i++) {
        if (!keeper_hold(svc->keeper, KEEPER_DISKS, moves[i].instance))
            continue;
        did |= move_stands(svc, &moves[i]) && move(svc, &moves[i]);
        keeper_release(svc->keeper, KEEPER_DISKS);
    }
    free(moves);
    return did;
}

bool volumes_step(struct service *svc)
{
    return let_go(svc) || make_new(svc);
}

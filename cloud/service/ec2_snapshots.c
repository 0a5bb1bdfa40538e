/* SPDX-License-Identifier: MIT */
/* CreateSnapshot, DeleteSnapshot, and who may use a snapshot. */
#include "cloud/service/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static bool need_snapshot(struct ec2_call *call, const char *id)
{
    if (!id)
        reply_error(call->r, 400, "MissingParameter", "%s needs SnapshotId.", call->r->action);
    return id && ec2_check_id(call, "snap", id, "InvalidSnapshotID");
}

static bool is_own(struct ec2_call *call, sqlite3 *c, const char *id)
{
    if (db_number(c, 0, "SELECT 1 FROM snapshot WHERE id = ? AND account = ?", "ss", id,
                  call->r->account->id) != 0)
        return true;
    reply_error(call->r, 400, "InvalidSnapshot.NotFound", "This account has no snapshot %s.", id);
    return false;
}

/* ---- CreateSnapshot ---------------------------------------------------------------------------
 */

/* False: the answer is an error, or the state could not be written. */
static bool insert_snapshot(struct ec2_call *call, sqlite3 *c, const char *volume, const char *id,
                            const char *description)
{
    const char *account = call->r->account->id;
    sqlite3_stmt *s = db_query(c,
                               "SELECT state, size_gib, blob FROM volume"
                               " WHERE id = ? AND account = ? AND hidden = 0",
                               "ss", volume, account);
    bool good = false;

    if (s == NULL || sqlite3_step(s) != SQLITE_ROW)
        reply_error(call->r, 400, "InvalidVolume.NotFound", "This account has no volume %s.",
                    volume);
    else if (strcmp(db_text(s, 0), "available") != 0 && strcmp(db_text(s, 0), "in-use") != 0)
        reply_error(call->r, 400, "IncorrectState",
                    "The volume %s is %s; only one that is available or in use can be copied.",
                    volume, db_text(s, 0));
    else
        good = db_run(c,
                      "INSERT INTO snapshot(id, account, volume, state, description, size_gib,"
                      " created, source) VALUES(?, ?, ?, 'pending', ?, ?, ?, ?)",
                      "ssssiis", id, account, volume, description, sqlite3_column_int64(s, 1),
                      (int64_t)time(NULL), db_text(s, 2));
    sqlite3_finalize(s);
    return good;
}

static bool quota_allows(struct ec2_call *call, sqlite3 *c)
{
    const struct account *a = call->r->account;

    if (db_number(c, INT64_MAX, "SELECT count(*) FROM snapshot WHERE account = ?", "s", a->id) <
        (int64_t)a->quota_snapshots)
        return true;
    reply_error(call->r, 400, "SnapshotLimitExceeded",
                "This account has the %u snapshots that its quota allows. Delete some.",
                a->quota_snapshots);
    return false;
}

bool snapshot_insert(struct ec2_call *call, sqlite3 *c, const char *volume, const char *id,
                     const char *description)
{
    return quota_allows(call, c) && insert_snapshot(call, c, volume, id, description);
}

/* The answer is the snapshot as the transaction leaves it. */
static void answer_snapshot(struct ec2_call *call, sqlite3 *c, const char *id)
{
    sqlite3_stmt *s = db_query(c, "SELECT" SNAPSHOT_COLUMNS "FROM snapshot WHERE id = ?", "s", id);
    struct snapshot_row row;

    if (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        snapshot_read(s, &row);
        ec2_open(call, "CreateSnapshot");
        snapshot_write(&call->r->reply, call->r->svc, c, call->r->account->id, &row);
    }
    sqlite3_finalize(s);
}

void ec2_create_snapshot(struct ec2_call *call)
{
    static const char *const types[] = {"snapshot", NULL};
    const char *volume = ec2_take(call, "VolumeId"), *text = ec2_take(call, "Description");
    char id[EC2_ID_BYTES];
    struct ec2_tags tags;
    sqlite3 *c;
    bool good;

    if (!ec2_take_tags(call, "snapshot", types, &tags) || !ec2_parameters_done(call))
        return;
    if (!volume)
        reply_error(call->r, 400, "MissingParameter", "CreateSnapshot needs VolumeId.");
    if (!ec2_check_description(call, text) ||
        !ec2_check_id(call, "vol", volume, "InvalidVolumeID") || !(c = ec2_begin_change(call)))
        return;
    ec2_new_id("snap", id);
    good = snapshot_insert(call, c, volume, id, text ? text : "") &&
           ec2_insert_tags(c, call->r->account->id, id, &tags);
    if (good)
        answer_snapshot(call, c, id);
    if (!ec2_end_change(call, good))
        return;
    keeper_wake(call->r->svc->keeper, KEEPER_COPIES);
    ec2_close(call, "CreateSnapshot");
}

/* ---- DeleteSnapshot ---------------------------------------------------------------------------
 */

static bool is_unused(struct ec2_call *call, sqlite3 *c, const char *id)
{
    sqlite3_stmt *s =
        db_query(c, "SELECT image FROM image_mapping WHERE snapshot = ? LIMIT 1", "s", id);

    if (s != NULL && sqlite3_step(s) == SQLITE_ROW)
        reply_error(call->r, 400, "InvalidSnapshot.InUse",
                    "The snapshot %s is needed by the image %s; deregister that first.", id,
                    db_text(s, 0));
    sqlite3_finalize(s);
    return call->r->status == 0;
}

void ec2_delete_snapshot(struct ec2_call *call)
{
    const char *id = ec2_take(call, "SnapshotId");
    bool good;
    sqlite3 *c;

    if (!ec2_parameters_done(call) || !need_snapshot(call, id) || !(c = ec2_begin_change(call)))
        return;
    good = is_own(call, c, id) && is_unused(call, c, id) &&
           db_run(c, "DELETE FROM tag WHERE resource = ?", "s", id) &&
           db_run(c, "DELETE FROM snapshot WHERE id = ?", "s", id);
    if (!ec2_end_change(call, good))
        return;
    keeper_wake(call->r->svc->keeper, KEEPER_COPIES); /* its blob goes */
    ec2_answer_true(call);
}

/* ---- permissions ------------------------------------------------------------------------------
 */

static bool check_attribute(struct ec2_call *call, const char *name, const char *other)
{
    if (!name || strcmp(name, "createVolumePermission") == 0 || (other && strcmp(name, other) == 0))
        return true;
    reply_error(call->r, 400, "InvalidParameterValue",
                "Attribute is createVolumePermission, not \"%.60s\".", name);
    return false;
}

void ec2_describe_snapshot_attribute(struct ec2_call *call)
{
    const char *id = ec2_take(call, "SnapshotId"), *name = ec2_take(call, "Attribute");
    struct buf *out = &call->r->reply;
    sqlite3_stmt *s = NULL;
    sqlite3 *c;

    if (!ec2_parameters_done(call) || !need_snapshot(call, id) ||
        !check_attribute(call, name, "productCodes"))
        return;
    if (!name) {
        reply_error(call->r, 400, "MissingParameter", "%s needs Attribute.", call->r->action);
        return;
    }
    c = db_reader(call->r->svc->db);
    if (is_own(call, c, id)) {
        ec2_open(call, call->r->action);
        xml_element(out, "snapshotId", id);
        buf_printf(out, "<%s>", name);
        if (strcmp(name, "createVolumePermission") == 0)
            s = db_query(c, "SELECT account FROM snapshot_permission WHERE snapshot = ?", "s", id);
        while (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
            bool all = strcmp(db_text(s, 0), "all") == 0;

            buf_puts(out, "<item>");
            xml_element(out, all ? "group" : "userId", db_text(s, 0));
            buf_puts(out, "</item>");
        }
        sqlite3_finalize(s);
        buf_printf(out, "</%s>", name);
        ec2_close(call, call->r->action);
    }
    db_done(call->r->svc->db, c);
}

/* Accounts by their twelve digits, and 'all', to be added or removed. */
struct permissions {
    struct ec2_list add, remove;
};

static bool put_one(struct ec2_call *call, struct ec2_list *to, const char *user, const char *group)
{
    bool good =
        user ? strlen(user) == 12 && strspn(user, "0123456789") == 12 : strcmp(group, "all") == 0;

    if (good && to->nr < EC2_LIST_MAX) {
        to->value[to->nr++] = user ? user : group;
        return true;
    }
    reply_error(call->r, 400, user ? "InvalidUserID.Malformed" : "InvalidParameterValue",
                user ? "An account has twelve digits, unlike \"%.60s\"."
                     : "The only group is all, not \"%.60s\".",
                user ? user : group);
    return false;
}

/* CreateVolumePermission.Add.N.UserId or .Group */
static bool take_modern(struct ec2_call *call, const char *what, struct ec2_list *to)
{
    for (unsigned i = 1; i <= 100; i++) {
        char name[96];
        const char *user, *group;

        snprintf(name, sizeof(name), "CreateVolumePermission.%s.%u.UserId", what, i);
        user = ec2_take(call, name);
        snprintf(name, sizeof(name), "CreateVolumePermission.%s.%u.Group", what, i);
        group = ec2_take(call, name);
        if ((user && !put_one(call, to, user, NULL)) || (group && !put_one(call, to, NULL, group)))
            return false;
    }
    return true;
}

/* OperationType with UserId.N and UserGroup.N */
static bool take_old(struct ec2_call *call, struct permissions *p)
{
    const char *operation = ec2_take(call, "OperationType");
    struct ec2_list *lists = xalloc(2 * sizeof(*lists)), *users = lists, *groups = lists + 1;
    struct ec2_list *to = operation && strcmp(operation, "remove") == 0 ? &p->remove : &p->add;
    bool good = ec2_take_list(call, "UserId", users) && ec2_take_list(call, "UserGroup", groups);

    if (good &&
        (operation ? to == &p->add && strcmp(operation, "add") != 0 : users->nr + groups->nr > 0)) {
        reply_error(call->r, 400, "InvalidParameterValue", "OperationType is add or remove.");
        good = false;
    }
    for (size_t i = 0; good && i < users->nr; i++)
        good = put_one(call, to, users->value[i], NULL);
    for (size_t i = 0; good && i < groups->nr; i++)
        good = put_one(call, to, NULL, groups->value[i]);
    free(lists);
    return good;
}

static bool change_permissions(sqlite3 *c, const char *id, const struct permissions *p)
{
    bool good = true;

    for (size_t i = 0; good && i < p->add.nr; i++)
        good = db_run(c, "INSERT OR IGNORE INTO snapshot_permission VALUES(?, ?)", "ss", id,
                      p->add.value[i]);
    for (size_t i = 0; good && i < p->remove.nr; i++)
        good = db_run(c, "DELETE FROM snapshot_permission WHERE snapshot = ? AND account = ?", "ss",
                      id, p->remove.value[i]);
    return good;
}

void ec2_modify_snapshot_attribute(struct ec2_call *call)
{
    const char *id = ec2_take(call, "SnapshotId"), *name = ec2_take(call, "Attribute");
    struct permissions *p = xalloc(sizeof(*p));
    sqlite3 *c = NULL;

    if (take_modern(call, "Add", &p->add) && take_modern(call, "Remove", &p->remove) &&
        take_old(call, p) && ec2_parameters_done(call) && need_snapshot(call, id) &&
        check_attribute(call, name, NULL)) {
        if (p->add.nr + p->remove.nr == 0)
            reply_error(call->r, 400, "MissingParameter",
                        "CreateVolumePermission.Add or .Remove says what to change.");
        else
            c = ec2_begin_change(call);
    }
    if (c && ec2_end_change(call, is_own(call, c, id) && change_permissions(c, id, p)))
        ec2_answer_true(call);
    free(p);
}

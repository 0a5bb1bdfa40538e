/* SPDX-License-Identifier: MIT */
/* CreateVolume, DeleteVolume, AttachVolume, DetachVolume. */
#include "cloud/service/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "cloud/engine/engine.h"
#include "cloud/service/ec2_instances.h"
#include "core/base/text.h"

#define ATTACHED_MAX (ENGINE_DISKS_MAX - 1) /* one more carries the user data */

/* A row that the action is about, its texts copied. */
struct volume {
    char id[EC2_ID_BYTES], state[16], instance[EC2_ID_BYTES], device[VOLUME_DEVICE_BYTES];
    char attach_state[16];
};

struct machine {
    char state[16], root_device[VOLUME_DEVICE_BYTES];
};

static bool find_volume(struct ec2_call *call, sqlite3 *c, const char *id, struct volume *out)
{
    sqlite3_stmt *s = db_query(c,
                               "SELECT id, state, instance, device, attach_state FROM volume"
                               " WHERE id = ? AND account = ? AND hidden = 0",
                               "ss", id, call->r->account->id);
    bool found = s != NULL && sqlite3_step(s) == SQLITE_ROW;

    if (found) {
        snprintf(out->id, sizeof(out->id), "%s", db_text(s, 0));
        snprintf(out->state, sizeof(out->state), "%s", db_text(s, 1));
        snprintf(out->instance, sizeof(out->instance), "%s", db_text(s, 2));
        snprintf(out->device, sizeof(out->device), "%s", db_text(s, 3));
        snprintf(out->attach_state, sizeof(out->attach_state), "%s", db_text(s, 4));
    } else {
        reply_error(call->r, 400, "InvalidVolume.NotFound", "This account has no volume %s.", id);
    }
    sqlite3_finalize(s);
    return found;
}

static bool find_machine(struct ec2_call *call, sqlite3 *c, const char *id, struct machine *out)
{
    sqlite3_stmt *s = db_query(c,
                               "SELECT state, root_device FROM instance WHERE id = ?"
                               " AND account = ?",
                               "ss", id, call->r->account->id);
    bool found = s != NULL && sqlite3_step(s) == SQLITE_ROW;

    if (found) {
        snprintf(out->state, sizeof(out->state), "%s", db_text(s, 0));
        snprintf(out->root_device, sizeof(out->root_device), "%s", db_text(s, 1));
    } else {
        reply_error(call->r, 400, "InvalidInstanceID.NotFound", "This account has no instance %s.",
                    id);
    }
    sqlite3_finalize(s);
    return found;
}

/* A required id of that kind. False: the answer is an error. */
static bool need_id(struct ec2_call *call, const char *name, const char *id, const char *kind,
                    const char *code)
{
    if (!id)
        reply_error(call->r, 400, "MissingParameter", "%s needs %s.", call->r->action, name);
    return id && ec2_check_id(call, kind, id, code);
}

/* The answer is the volume as the transaction leaves it. */
static void answer_volume(struct ec2_call *call, sqlite3 *c, const char *id, bool attachment)
{
    const char *account = call->r->account->id;
    sqlite3_stmt *s = db_query(c,
                               "SELECT" VOLUME_COLUMNS "FROM volume WHERE id = ? AND account = ?"
                               " AND hidden = 0",
                               "ss", id, account);
    struct volume_row v;

    if (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        volume_read(s, &v);
        ec2_open(call, call->r->action);
        if (attachment)
            volume_write_attachment(&call->r->reply, &v);
        else
            volume_write(&call->r->reply, call->r->svc, c, account, &v);
    } else {
        reply_error(call->r, 400, "InvalidVolume.NotFound", "The volume %s is deleted.", id);
    }
    sqlite3_finalize(s);
}

/* ---- CreateVolume -----------------------------------------------------------------------------
 */

struct new_volume {
    const char *snapshot;
    int64_t size_gib; /* 0: that of the snapshot */
    struct ec2_tags tags;
    struct ec2_token token;
};

static bool take_zone(struct ec2_call *call)
{
    const char *zone = ec2_take(call, "AvailabilityZone");
    char known[80];

    volume_zone(call->r->svc, known);
    if (zone && strcmp(zone, known) == 0)
        return true;
    if (zone)
        reply_error(call->r, 400, "InvalidZone.NotFound", "There is no zone \"%.60s\", only %s.",
                    zone, known);
    else
        reply_error(call->r, 400, "MissingParameter", "CreateVolume needs AvailabilityZone, %s.",
                    known);
    return false;
}

/* What would be promised and not kept. */
static bool refuse_extras(struct ec2_call *call)
{
    static const char *const flags[] = {"Encrypted", "MultiAttachEnabled"};
    static const struct ec2_refused refused[] = {
        {"Iops", "A volume is as fast as the disk that it is on."},
        {"Throughput", "A volume is as fast as the disk that it is on."},
        {"VolumeInitializationRate", "A volume is there at once."},
        {"KmsKeyId", "Volumes are not encrypted."},
        {"OutpostArn", "There are no outposts."},
    };

    for (size_t i = 0; i < sizeof(flags) / sizeof(flags[0]); i++) {
        bool wanted;

        if (!ec2_take_bool(call, flags[i], false, &wanted))
            return false;
        if (wanted) {
            reply_error(call->r, 400, "UnsupportedOperation", "%s volumes are not offered here.",
                        i == 0 ? "Encrypted" : "Multi-attach");
            return false;
        }
    }
    return !ec2_refuse(call, refused, sizeof(refused) / sizeof(refused[0]));
}

static bool take_new(struct ec2_call *call, struct new_volume *v)
{
    static const char *const types[] = {"volume", NULL};
    const char *size = ec2_take(call, "Size");
    uint64_t gib = 0;

    v->snapshot = ec2_take(call, "SnapshotId");
    if (!take_zone(call) || !volume_take_type(call) || !refuse_extras(call) ||
        !ec2_take_tags(call, "volume", types, &v->tags) || !ec2_take_token(call, &v->token))
        return false;
    if (size && (!text_parse_u64(size, strlen(size), &gib) || gib == 0 || gib > INT32_MAX))
        reply_error(call->r, 400, "InvalidParameterValue",
                    "Size is a number of GiB, not \"%.60s\".", size);
    else if (!size && !v->snapshot)
        reply_error(call->r, 400, "MissingParameter", "CreateVolume needs Size or SnapshotId.");
    v->size_gib = (int64_t)gib;
    return call->r->status == 0;
}

static bool size_fits(struct ec2_call *call, struct new_volume *v, const struct snapshot *from)
{
    if (v->size_gib == 0)
        v->size_gib = from->size_gib;
    if (v->size_gib >= from->size_gib)
        return true;
    reply_error(call->r, 400, "InvalidParameterValue",
                "The volume must be at least as large as the snapshot %s, %lld GiB.", v->snapshot,
                (long long)from->size_gib);
    return false;
}

/* False: the answer is an error, or the state could not be written. */
static bool insert_volume(struct ec2_call *call, sqlite3 *c, struct new_volume *v, const char *id)
{
    const char *account = call->r->account->id;
    struct snapshot from = {0};

    if (v->snapshot && (!snapshot_take(call, c, v->snapshot, &from) || !size_fits(call, v, &from)))
        return false;
    return volume_allowed(call, c, v->size_gib) &&
           db_run(c,
                  "INSERT INTO volume(id, account, hidden, state, size_gib, virtual_bytes,"
                  " snapshot, source, created) VALUES(?, ?, 0, 'creating', ?, ?, ?, ?, ?)",
                  "ssiissi", id, account, v->size_gib,
                  (int64_t)((uint64_t)v->size_gib * VOLUME_GIB), v->snapshot,
                  v->snapshot ? from.blob.id : NULL, (int64_t)time(NULL)) &&
           ec2_insert_tags(c, account, id, &v->tags) && ec2_keep_token(call, c, &v->token, id);
}

void ec2_create_volume(struct ec2_call *call)
{
    struct new_volume v = {0};
    char id[EC2_ID_BYTES];
    bool good = true;
    sqlite3 *c;

    if (!take_new(call, &v) || !ec2_parameters_done(call) || !(c = ec2_begin_change(call)))
        return;
    if (ec2_find_token(call, c, &v.token, id) == EC2_TOKEN_NEW) {
        ec2_new_id("vol", id);
        good = insert_volume(call, c, &v, id);
    }
    if (good && call->r->status == 0)
        answer_volume(call, c, id, false);
    if (!ec2_end_change(call, good))
        return;
    keeper_wake(call->r->svc->keeper, KEEPER_INSTANCES);
    ec2_close(call, "CreateVolume");
}

/* ---- DeleteVolume -----------------------------------------------------------------------------
 */

void ec2_delete_volume(struct ec2_call *call)
{
    const char *id = ec2_take(call, "VolumeId");
    struct volume v;
    bool good;
    sqlite3 *c;

    if (!ec2_parameters_done(call) || !need_id(call, "VolumeId", id, "vol", "InvalidVolumeID") ||
        !(c = ec2_begin_change(call)))
        return;
    good = find_volume(call, c, id, &v);
    if (good && v.instance[0])
        reply_error(call->r, 400, "VolumeInUse",
                    "The volume %s is attached to %s; detach it, or terminate the instance.", id,
                    v.instance);
    else if (good && strcmp(v.state, "creating") == 0)
        reply_error(call->r, 400, "IncorrectState",
                    "The volume %s is still being made; wait until it is available.", id);
    else if (good)
        good = db_run(c, "UPDATE volume SET state = 'deleting' WHERE id = ?", "s", id);
    if (!ec2_end_change(call, good))
        return;
    keeper_wake(call->r->svc->keeper, KEEPER_INSTANCES);
    ec2_answer_true(call);
}

/* ---- AttachVolume and DetachVolume ------------------------------------------------------------
 */

static bool is_root(const struct machine *m, const char *device)
{
    return strcmp(volume_vdev(device), volume_vdev(m->root_device)) == 0;
}

/*
 * The root disk has its letter alone: what is called sda1 may be a whole disk. Where it was taken
 * off, another one may come in its place, and nothing else by its letter.
 */
static bool root_letter_free(struct ec2_call *call, sqlite3 *c, const char *instance,
                             const struct machine *m, const char *device)
{
    bool stopped = strcmp(m->state, "stopped") == 0;

    if (*volume_letter(m->root_device) != *volume_letter(device) ||
        (stopped && is_root(m, device) && !volume_at(c, instance, device)))
        return true;
    if (volume_at(c, instance, m->root_device))
        reply_error(call->r, 400, "InvalidParameterValue",
                    "%s already has a disk that is %s to its guest; choose another device.",
                    instance, device);
    else
        reply_error(call->r, 400, "InvalidParameterValue",
                    "%s has no root device, and its letter is kept for one: attach that as %s%s.",
                    instance, m->root_device, stopped ? "" : " while the instance is stopped");
    return false;
}

static bool place_is_free(struct ec2_call *call, sqlite3 *c, const char *instance,
                          const struct machine *m, const char *device)
{
    sqlite3_stmt *s;
    bool taken = false;
    size_t nr = 0;

    if (!root_letter_free(call, c, instance, m, device))
        return false;
    s = db_query(c, "SELECT device FROM volume WHERE instance = ?", "s", instance);
    for (; s != NULL && sqlite3_step(s) == SQLITE_ROW; nr++)
        taken |= volume_clash(db_text(s, 0), device);
    sqlite3_finalize(s);
    if (taken)
        reply_error(call->r, 400, "InvalidParameterValue",
                    "%s already has a disk that is %s to its guest; choose another device.",
                    instance, device);
    else if (nr >= ATTACHED_MAX)
        reply_error(call->r, 400, "AttachmentLimitExceeded",
                    "%s already has %d volumes, and cannot have more.", instance, ATTACHED_MAX);
    return call->r->status == 0;
}

static bool can_attach(struct ec2_call *call, sqlite3 *c, const struct volume *v,
                       const char *instance, const struct machine *m, const char *device)
{
    if (v->instance[0])
        reply_error(call->r, 400, "VolumeInUse", "The volume %s is attached to %s.", v->id,
                    v->instance);
    else if (strcmp(v->state, "available") != 0)
        reply_error(call->r, 400, "IncorrectState", "The volume %s is %s, not available.", v->id,
                    v->state);
    else if (strcmp(m->state, "running") != 0 && strcmp(m->state, "stopped") != 0)
        reply_error(call->r, 400, "IncorrectState",
                    "The instance %s is %s; a volume can be attached while it is running or "
                    "stopped.",
                    instance, m->state);
    return call->r->status == 0 && place_is_free(call, c, instance, m, device);
}

void ec2_attach_volume(struct ec2_call *call)
{
    const char *id = ec2_take(call, "VolumeId"), *instance = ec2_take(call, "InstanceId");
    const char *device = ec2_take(call, "Device");
    struct machine m;
    struct volume v;
    bool good;
    sqlite3 *c;

    if (!ec2_parameters_done(call) || !need_id(call, "VolumeId", id, "vol", "InvalidVolumeID") ||
        !need_id(call, "InstanceId", instance, "i", "InvalidInstanceID"))
        return;
    if (!device || !volume_device_good(device)) {
        reply_error(call->r, 400, "InvalidParameterValue",
                    "Device is /dev/sdb to /dev/sdp or /dev/xvdb to /dev/xvdy, with a number up to "
                    "15 or none, or the root device that was detached, not \"%.60s\".",
                    device ? device : "");
        return;
    }
    if (!(c = ec2_begin_change(call)))
        return;
    good =
        find_volume(call, c, id, &v) && find_machine(call, c, instance, &m) &&
        can_attach(call, c, &v, instance, &m, device) &&
        db_run(c,
               "UPDATE volume SET state = 'in-use', instance = ?, device = ?, attached = ?,"
               " attach_state = ?, delete_on_termination = 0, reason = '' WHERE id = ?",
               "ssiss", instance, is_root(&m, device) ? m.root_device : device, (int64_t)time(NULL),
               strcmp(m.state, "stopped") == 0 ? "attached" : "attaching", id);
    if (good)
        answer_volume(call, c, id, true);
    if (!ec2_end_change(call, good))
        return;
    keeper_wake(call->r->svc->keeper, KEEPER_DISKS);
    ec2_close(call, "AttachVolume");
}

static bool can_detach(struct ec2_call *call, const struct volume *v, const struct machine *m,
                       const char *instance, const char *device)
{
    if ((instance && strcmp(instance, v->instance) != 0) ||
        (device && strcmp(volume_vdev(device), volume_vdev(v->device)) != 0))
        reply_error(call->r, 400, "InvalidAttachment.NotFound",
                    "The volume %s is attached to %s as %s.", v->id, v->instance, v->device);
    else if (is_root(m, v->device) && strcmp(m->state, "stopped") != 0)
        reply_error(call->r, 400, "OperationNotPermitted",
                    "The volume %s is the root device of %s; stop the instance first.", v->id,
                    v->instance);
    return call->r->status == 0;
}

/*
 * At a stopped instance it is a matter of the row alone; else the keeper asks the guest. One that
 * is still being made, or could not be, stays what it is.
 */
static bool take_apart(sqlite3 *c, const struct volume *v, const struct machine *m)
{
    if (strcmp(m->state, "stopped") != 0)
        return db_run(c,
                      "UPDATE volume SET attach_state = 'detaching', reason = CASE attach_state"
                      " WHEN 'detaching' THEN reason ELSE '' END WHERE id = ?",
                      "s", v->id);
    return db_run(c,
                  "UPDATE volume SET state = CASE state WHEN 'in-use' THEN 'available' ELSE state"
                  " END, reason = CASE state WHEN 'in-use' THEN '' ELSE reason END,"
                  " instance = NULL, device = NULL, attached = NULL, attach_state = NULL,"
                  " delete_on_termination = 0 WHERE id = ?",
                  "s", v->id);
}

/* What the attachment was: at a stopped instance nothing of it is left behind the answer. */
static void answer_detaching(struct ec2_call *call, sqlite3 *c, const char *id)
{
    sqlite3_stmt *s = db_query(c, "SELECT" VOLUME_COLUMNS "FROM volume WHERE id = ?", "s", id);
    struct volume_row row;

    if (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        volume_read(s, &row);
        row.attach_state = "detaching";
        ec2_open(call, "DetachVolume");
        volume_write_attachment(&call->r->reply, &row);
    }
    sqlite3_finalize(s);
}

void ec2_detach_volume(struct ec2_call *call)
{
    const char *id = ec2_take(call, "VolumeId"), *instance = ec2_take(call, "InstanceId");
    const char *device = ec2_take(call, "Device");
    bool force, good;
    struct machine m;
    struct volume v;
    sqlite3 *c;

    if (!ec2_take_bool(call, "Force", false, &force) || !ec2_parameters_done(call) ||
        !need_id(call, "VolumeId", id, "vol", "InvalidVolumeID"))
        return;
    if (force) {
        reply_error(call->r, 400, "UnsupportedOperation",
                    "A disk is not torn from a guest here; unmount it there and detach it without "
                    "Force, or stop the instance with Force.");
        return;
    }
    if (!(c = ec2_begin_change(call)))
        return;
    good = find_volume(call, c, id, &v);
    if (good && !v.instance[0]) {
        reply_error(call->r, 400, "IncorrectState", "The volume %s is not attached.", id);
        good = false;
    }
    good =
        good && find_machine(call, c, v.instance, &m) && can_detach(call, &v, &m, instance, device);
    if (good) {
        answer_detaching(call, c, v.id);
        good = take_apart(c, &v, &m);
    }
    if (!ec2_end_change(call, good))
        return;
    keeper_wake(call->r->svc->keeper, KEEPER_DISKS);
    ec2_close(call, "DetachVolume");
}

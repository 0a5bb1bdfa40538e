/* SPDX-License-Identifier: MIT */
/* Look-ups and limits of volumes and snapshots; see volume.h. */
#include "cloud/service/volume.h"

#include <stdio.h>
#include <string.h>

void volume_zone(const struct service *svc, char out[80])
{
    snprintf(out, 80, "%.78sa", svc->config.region);
}

bool volume_at(sqlite3 *c, const char *instance, const char *device)
{
    sqlite3_stmt *s = db_query(c, "SELECT device FROM volume WHERE instance = ?", "s", instance);
    bool found = false;

    while (!found && s != NULL && sqlite3_step(s) == SQLITE_ROW)
        found = strcmp(volume_vdev(db_text(s, 0)), volume_vdev(device)) == 0;
    sqlite3_finalize(s);
    return found;
}

bool volume_take_type(struct ec2_call *call)
{
    static const char *const types[] = {"standard", "gp2", "gp3"};
    const char *type = ec2_take(call, "VolumeType");

    for (size_t i = 0; type && i < sizeof(types) / sizeof(types[0]); i++)
        if (strcmp(type, types[i]) == 0)
            return true;
    if (type)
        reply_error(call->r, 400, "InvalidParameterValue",
                    "There are no volumes of the type \"%.60s\" here; leave VolumeType out.", type);
    return call->r->status == 0;
}

bool volume_allowed(struct ec2_call *call, sqlite3 *c, int64_t size_gib)
{
    const struct account *a = call->r->account;
    int64_t max_gib = (int64_t)(call->r->svc->config.volume_bytes_max / VOLUME_GIB);
    int64_t quota_gib = (int64_t)(a->quota_volume_bytes / VOLUME_GIB), have_gib;

    if (size_gib < 1 || size_gib > max_gib) {
        reply_error(call->r, 400, "InvalidParameterValue",
                    "A volume has 1 to %lld GiB here, not %lld.", (long long)max_gib,
                    (long long)size_gib);
        return false;
    }
    have_gib = db_number(c, INT64_MAX / 2,
                         "SELECT ifnull(sum(size_gib), 0) FROM volume WHERE account = ?"
                         " AND hidden = 0",
                         "s", a->id);
    if (size_gib <= quota_gib - have_gib)
        return true;
    reply_error(call->r, 400, "VolumeLimitExceeded",
                "The volumes of this account have %lld GiB; with %lld more they would have more "
                "than its quota of %lld GiB. Delete some.",
                (long long)have_gib, (long long)size_gib, (long long)quota_gib);
    return false;
}

bool snapshot_take(struct ec2_call *call, sqlite3 *c, const char *id, struct snapshot *out)
{
    const char *account = call->r->account->id;
    bool found, completed = false;
    sqlite3_stmt *s;

    if (!ec2_check_id(call, "snap", id, "InvalidSnapshotID"))
        return false;
    *out = (struct snapshot){0};
    s = db_query(c,
                 "SELECT account = ?1, size_gib, state, blob FROM snapshot s WHERE id = ?2"
                 " AND (account = ?1 OR EXISTS(SELECT 1 FROM snapshot_permission p"
                 " WHERE p.snapshot = s.id AND p.account IN (?1, 'all')))",
                 "ss", account, id);
    found = s != NULL && sqlite3_step(s) == SQLITE_ROW;
    if (found) {
        snprintf(out->id, sizeof(out->id), "%s", id);
        out->own = sqlite3_column_int64(s, 0) != 0;
        out->size_gib = sqlite3_column_int64(s, 1);
        completed =
            strcmp(db_text(s, 2), "completed") == 0 && blob_find(c, db_text(s, 3), &out->blob);
    }
    sqlite3_finalize(s);
    if (!found)
        reply_error(call->r, 400, "InvalidSnapshot.NotFound",
                    "There is no snapshot %s that this account may use.", id);
    else if (!completed)
        reply_error(call->r, 400, "IncorrectState",
                    "The snapshot %s is not completed; wait until it is.", id);
    return found && completed;
}

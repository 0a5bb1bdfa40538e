/* SPDX-License-Identifier: MIT */
/* DescribeSnapshots, and how a snapshot is shown. */
#include "cloud/service/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MIN 5
#define PAGE_MAX 1000

void snapshot_read(sqlite3_stmt *s, struct snapshot_row *out)
{
    *out = (struct snapshot_row){
        .id = db_text(s, 0),
        .account = db_text(s, 1),
        .volume = db_text(s, 2),
        .state = db_text(s, 3),
        .reason = db_text(s, 4),
        .description = db_text(s, 5),
        .source = db_text(s, 6),
        .copy = db_text(s, 7),
        .size_gib = sqlite3_column_int64(s, 8),
        .created = sqlite3_column_int64(s, 9),
    };
}

/* "45%": how much of the file is there; the last percent is the row itself. */
static void progress(const struct service *svc, const struct snapshot_row *row, char out[8])
{
    uint64_t have = 0, all = 0, percent = 0;

    if (*row->copy) {
        have = blob_file_bytes(svc->config.state_dir, row->copy);
        all = blob_file_bytes(svc->config.state_dir, row->source);
    }
    if (all > 0)
        percent = have >= all ? 99 : have * 99 / all;
    if (strcmp(row->state, "completed") == 0)
        percent = 100;
    snprintf(out, 8, "%u%%", (unsigned)percent);
}

void snapshot_write(struct buf *out, const struct service *svc, sqlite3 *c, const char *account,
                    const struct snapshot_row *row)
{
    char time[32], done[8];

    iso_time(row->created, time);
    progress(svc, row, done);
    xml_element(out, "snapshotId", row->id);
    xml_element(out, "volumeId", row->volume);
    xml_element(out, "status", row->state);
    if (*row->reason)
        xml_element(out, "statusMessage", row->reason);
    xml_element(out, "startTime", time);
    xml_element(out, "progress", done);
    xml_element(out, "ownerId", row->account);
    xml_number(out, "volumeSize", row->size_gib);
    xml_element(out, "description", row->description);
    buf_puts(out, "<encrypted>false</encrypted><storageTier>standard</storageTier>");
    ec2_write_tags(out, c, account, row->id);
}

struct wanted {
    struct ec2_list ids, owners, users;
    struct ec2_filters filters;
    struct ec2_page page;
};

/* "self" is the account that asks. */
static bool among(const struct ec2_list *list, const char *who, const char *self)
{
    for (size_t i = 0; i < list->nr; i++)
        if (strcmp(strcmp(list->value[i], "self") == 0 ? self : list->value[i], who) == 0)
            return true;
    return false;
}

/* May one of the listed ones make volumes of it? Owners may, too. */
static bool restorable(const struct ec2_list *users, sqlite3 *c, const char *self,
                       const struct snapshot_row *row)
{
    bool may = users->nr == 0 || among(users, row->account, self);
    sqlite3_stmt *s;

    if (may)
        return true;
    s = db_query(c, "SELECT account FROM snapshot_permission WHERE snapshot = ?", "s", row->id);
    while (!may && s != NULL && sqlite3_step(s) == SQLITE_ROW)
        may = among(users, db_text(s, 0), self);
    sqlite3_finalize(s);
    return may;
}

static bool fits(const struct wanted *w, const struct service *svc, sqlite3 *c, const char *self,
                 const struct snapshot_row *row)
{
    const struct ec2_filters *f = &w->filters;
    char time[32], done[8], size[24];
    bool listed = w->ids.nr == 0;

    for (size_t i = 0; i < w->ids.nr && !listed; i++)
        listed = strcmp(w->ids.value[i], row->id) == 0;
    if (!listed || (w->owners.nr > 0 && !among(&w->owners, row->account, self)) ||
        !restorable(&w->users, c, self, row))
        return false;
    iso_time(row->created, time);
    progress(svc, row, done);
    snprintf(size, sizeof(size), "%lld", (long long)row->size_gib);
    return ec2_filter_fits(f, "description", row->description) &&
           ec2_filter_fits(f, "encrypted", "false") &&
           ec2_filter_fits(f, "owner-alias", "") && /* the service has none of its own */
           ec2_filter_fits(f, "owner-id", row->account) && ec2_filter_fits(f, "progress", done) &&
           ec2_filter_fits(f, "snapshot-id", row->id) && ec2_filter_fits(f, "start-time", time) &&
           ec2_filter_fits(f, "status", row->state) &&
           ec2_filter_fits(f, "storage-tier", "standard") &&
           ec2_filter_fits(f, "volume-id", row->volume) &&
           ec2_filter_fits(f, "volume-size", size) && ec2_tags_fit(f, c, self, row->id);
}

#define VISIBLE                                                                                    \
    " FROM snapshot s WHERE (account = ?1 OR EXISTS(SELECT 1 FROM snapshot_permission p"           \
    " WHERE p.snapshot = s.id AND p.account IN (?1, 'all')))"

static bool check_ids(struct ec2_call *call, sqlite3 *c, const struct ec2_list *ids)
{
    for (size_t i = 0; i < ids->nr; i++) {
        if (!ec2_check_id(call, "snap", ids->value[i], "InvalidSnapshotID"))
            return false;
        if (db_number(c, 0, "SELECT 1" VISIBLE " AND id = ?2", "ss", call->r->account->id,
                      ids->value[i]) == 0) {
            reply_error(call->r, 400, "InvalidSnapshot.NotFound",
                        "There is no snapshot %s that this account may use.", ids->value[i]);
            return false;
        }
    }
    return true;
}

static void write_list(struct ec2_call *call, sqlite3 *c, const struct wanted *w)
{
    const char *self = call->r->account->id;
    sqlite3_stmt *s = db_query(c, "SELECT" SNAPSHOT_COLUMNS VISIBLE " AND id > ?2 ORDER BY id",
                               "ss", self, w->page.after);
    struct buf *out = &call->r->reply;
    char last[EC2_ID_BYTES] = "";
    struct snapshot_row row;
    int64_t nr = 0;

    ec2_open(call, "DescribeSnapshots");
    buf_puts(out, "<snapshotSet>");
    while (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        snapshot_read(s, &row);
        if (!fits(w, call->r->svc, c, self, &row))
            continue;
        if (nr++ == w->page.max)
            break;
        buf_puts(out, "<item>");
        snapshot_write(out, call->r->svc, c, self, &row);
        buf_puts(out, "</item>");
        snprintf(last, sizeof(last), "%s", row.id);
    }
    sqlite3_finalize(s);
    buf_puts(out, "</snapshotSet>");
    if (nr > w->page.max)
        ec2_write_next(out, last);
    ec2_close(call, "DescribeSnapshots");
}

void ec2_describe_snapshots(struct ec2_call *call)
{
    static const char *const known[] = {
        "description", "encrypted",  "owner-alias", "owner-id",     "progress",
        "snapshot-id", "start-time", "status",      "storage-tier", "tag:",
        "tag-key",     "volume-id",  "volume-size", NULL,
    };
    struct wanted *w = xalloc(sizeof(*w));
    sqlite3 *c;

    if (ec2_take_list(call, "SnapshotId", &w->ids) && ec2_take_list(call, "Owner", &w->owners) &&
        ec2_take_list(call, "RestorableBy", &w->users) &&
        ec2_take_filters(call, known, &w->filters) &&
        ec2_take_page(call, PAGE_MIN, PAGE_MAX, &w->page)) {
        if (w->ids.nr > 0 && w->page.max != INT64_MAX)
            reply_error(call->r, 400, "InvalidParameterCombination",
                        "SnapshotId and MaxResults do not go together.");
        if (ec2_parameters_done(call)) {
            c = db_reader(call->r->svc->db);
            if (check_ids(call, c, &w->ids))
                write_list(call, c, w);
            db_done(call->r->svc->db, c);
        }
    }
    free(w);
}

/* SPDX-License-Identifier: MIT */
/* Reading instances with what belongs to them; see instance.h. */
#include "cloud/service/instance.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

int instance_code(const char *state)
{
    static const struct {
        const char *state;
        int code;
    } codes[] = {
        {"pending", 0},     {"running", 16},  {"shutting-down", 32},
        {"terminated", 48}, {"stopping", 64}, {"stopped", 80},
    };

    for (size_t i = 0; i < sizeof(codes) / sizeof(codes[0]); i++)
        if (strcmp(codes[i].state, state) == 0)
            return codes[i].code;
    return -1;
}

/* ---- the cursor ------------------------------------------------------------------------------
 */

static const struct {
    const char *from, *where;
} choices[] = {
    [INSTANCES_ALL] = {"instance i", "?2 IS ?2"},
    /* The ids are looked up one by one; else SQLite would walk over all that the account has. */
    [INSTANCES_BY_ID] = {"(SELECT DISTINCT value FROM json_each(?2)) j"
                         " CROSS JOIN instance i ON i.id = j.value",
                         "true"},
    [INSTANCES_OF_LAUNCH] = {"instance i", "i.reservation = ?2"},
};

struct beside {
    const char *columns, *join, *then;
};

static const struct beside all_rows = {
    "i.id, i.account, i.reservation, i.launch_index, i.image, i.arch, i.kernel, i.ramdisk, i.type,"
    " i.state, i.changed, i.reason_code, i.reason, i.launched, i.root_type, i.root_device,"
    " i.shutdown_behavior, i.disable_termination, i.client_token",
    "", ""};

static const struct beside all_volumes = {
    "i.id, v.id, v.device, v.attach_state, v.attached, v.delete_on_termination",
    " CROSS JOIN volume v ON v.instance = i.id AND v.hidden = 0 AND i.state <> 'terminated'",
    ", v.device"};

static const struct beside all_tags = {"i.id, t.key, t.value",
                                       " CROSS JOIN tag t ON t.resource = i.id", ", t.key"};

/* The same instances in the same order, whatever is selected of or beside them. */
static sqlite3_stmt *list(struct instance_cursor *k, const struct beside *b,
                          enum instance_choice choice, const char *account, const char *what,
                          const char *after, int64_t after_index)
{
    struct buf sql = {0};
    sqlite3_stmt *s;

    buf_printf(&sql,
               "SELECT %s FROM %s%s WHERE i.account = ?1 AND %s"
               " AND (i.reservation, i.launch_index) > (?3, ?4)"
               " ORDER BY i.reservation, i.launch_index%s",
               b->columns, choices[choice].from, b->join, choices[choice].where, b->then);
    s = db_query(k->c, sql.text, "sssi", account, what, after, after_index);
    buf_free(&sql);
    return s;
}

static bool step(sqlite3_stmt *s)
{
    return sqlite3_step(s) == SQLITE_ROW;
}

bool instances_open(struct instance_cursor *k, sqlite3 *c, const char *account,
                    enum instance_choice choice, const char *what, const char *after,
                    int64_t after_index)
{
    memset(k, 0, sizeof(*k));
    k->c = c;
    if (!db_run(c, "BEGIN", ""))
        return false;
    k->rows = list(k, &all_rows, choice, account, what, after, after_index);
    k->volumes = list(k, &all_volumes, choice, account, what, after, after_index);
    k->tags = list(k, &all_tags, choice, account, what, after, after_index);
    if (k->rows == NULL || k->volumes == NULL || k->tags == NULL) {
        instances_close(k);
        return false;
    }
    k->volume_waits = step(k->volumes);
    k->tag_waits = step(k->tags);
    return true;
}

static void take_row(struct instance *i, sqlite3_stmt *s)
{
    *i = (struct instance){
        .id = db_text(s, 0),
        .account = db_text(s, 1),
        .reservation = db_text(s, 2),
        .launch_index = sqlite3_column_int64(s, 3),
        .image = db_text(s, 4),
        .arch = db_text(s, 5),
        .kernel = db_text(s, 6),
        .ramdisk = db_text(s, 7),
        .type = db_text(s, 8),
        .state = db_text(s, 9),
        .changed_s = sqlite3_column_int64(s, 10),
        .reason_code = db_text(s, 11),
        .reason = db_text(s, 12),
        .launched_s = sqlite3_column_int64(s, 13),
        .root_type = db_text(s, 14),
        .root_device = db_text(s, 15),
        .shutdown_behavior = db_text(s, 16),
        .disable_termination = sqlite3_column_int64(s, 17) != 0,
        .client_token = db_text(s, 18),
    };
}

static const char *attach_status(const char *state)
{
    return strcmp(state, "attached") == 0    ? "attached"
           : strcmp(state, "detaching") == 0 ? "detaching"
                                             : "attaching";
}

static void take_volumes(struct instance_cursor *k)
{
    struct instance *i = &k->now;

    for (; k->volume_waits && strcmp(db_text(k->volumes, 0), i->id) == 0;
         k->volume_waits = step(k->volumes)) {
        struct instance_volume *v = &i->volume[i->nr_volumes];

        if (i->nr_volumes == INSTANCE_VOLUMES_MAX)
            continue;
        snprintf(v->id, sizeof(v->id), "%s", db_text(k->volumes, 1));
        snprintf(v->device, sizeof(v->device), "%s", db_text(k->volumes, 2));
        v->status = attach_status(db_text(k->volumes, 3));
        v->attached_s = sqlite3_column_int64(k->volumes, 4);
        v->delete_on_termination = sqlite3_column_int64(k->volumes, 5) != 0;
        i->nr_volumes++;
    }
}

/* The text may move while it grows, so the tags point into it at the end. */
static void take_tags(struct instance_cursor *k)
{
    struct ec2_tags *tags = &k->now.tags;
    const char *text;

    buf_clear(&k->tag_text);
    for (; k->tag_waits && strcmp(db_text(k->tags, 0), k->now.id) == 0;
         k->tag_waits = step(k->tags)) {
        if (tags->nr == EC2_TAGS_MAX)
            continue;
        buf_add(&k->tag_text, db_text(k->tags, 1), strlen(db_text(k->tags, 1)) + 1);
        buf_add(&k->tag_text, db_text(k->tags, 2), strlen(db_text(k->tags, 2)) + 1);
        tags->nr++;
    }
    text = k->tag_text.text;
    for (size_t n = 0; n < tags->nr; n++) {
        tags->tag[n].key = text;
        text += strlen(text) + 1;
        tags->tag[n].value = text;
        text += strlen(text) + 1;
    }
}

bool instances_next(struct instance_cursor *k)
{
    if (!step(k->rows))
        return false;
    take_row(&k->now, k->rows);
    take_volumes(k);
    take_tags(k);
    return true;
}

void instances_close(struct instance_cursor *k)
{
    db_finish(k->rows);
    db_finish(k->volumes);
    db_finish(k->tags);
    db_run(k->c, "COMMIT", "");
    buf_free(&k->tag_text);
}

/* ---- ids -------------------------------------------------------------------------------------
 */

bool instances_check(struct ec2_call *call, sqlite3 *c, const struct ec2_list *ids)
{
    for (size_t i = 0; i < ids->nr; i++) {
        if (!ec2_check_id(call, "i", ids->value[i], "InvalidInstanceID"))
            return false;
        if (db_number(c, 0, "SELECT 1 FROM instance WHERE id = ? AND account = ?", "ss",
                      ids->value[i], call->r->account->id) == 0) {
            reply_error(call->r, 400, "InvalidInstanceID.NotFound",
                        "This account has no instance %s; describe-instances lists those that it "
                        "has.",
                        ids->value[i]);
            return false;
        }
    }
    return true;
}

void instances_json(const struct ec2_list *ids, struct buf *out)
{
    buf_clear(out);
    for (size_t i = 0; i < ids->nr; i++) {
        buf_puts(out, i == 0 ? "[" : ",");
        buf_json(out, ids->value[i], strlen(ids->value[i]));
    }
    buf_puts(out, ids->nr == 0 ? "[]" : "]");
}

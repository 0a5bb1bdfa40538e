/* SPDX-License-Identifier: MIT */
/* DescribeVolumes, DescribeVolumeStatus, and how a volume is shown. */
#include "cloud/service/volume.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#define PAGE_MIN 5
#define PAGE_MAX 1000

void volume_read(sqlite3_stmt *s, struct volume_row *out)
{
    *out = (struct volume_row){
        .id = db_text(s, 0),
        .state = db_text(s, 1),
        .snapshot = db_text(s, 2),
        .instance = db_text(s, 3),
        .device = db_text(s, 4),
        .attach_state = db_text(s, 5),
        .reason = db_text(s, 6),
        .size_gib = sqlite3_column_int64(s, 7),
        .created = sqlite3_column_int64(s, 8),
        .attached = sqlite3_column_int64(s, 9),
        .delete_on_termination = sqlite3_column_int64(s, 10) != 0,
    };
}

static const char *truth(bool value)
{
    return value ? "true" : "false";
}

/* A root disk that is still being made has its instance, and no attachment yet. */
static bool attached(const struct volume_row *v)
{
    return *v->instance && *v->attach_state;
}

void volume_write_attachment(struct buf *out, const struct volume_row *v)
{
    char time[32];

    iso_time(v->attached, time);
    xml_element(out, "volumeId", v->id);
    xml_element(out, "instanceId", v->instance);
    xml_element(out, "device", v->device);
    xml_element(out, "status", v->attach_state);
    xml_element(out, "attachTime", time);
    xml_element(out, "deleteOnTermination", truth(v->delete_on_termination));
}

void volume_write(struct buf *out, const struct service *svc, sqlite3 *c, const char *account,
                  const struct volume_row *v)
{
    char time[32], zone[80];

    iso_time(v->created, time);
    volume_zone(svc, zone);
    xml_element(out, "volumeId", v->id);
    xml_number(out, "size", v->size_gib);
    xml_element(out, "snapshotId", v->snapshot);
    xml_element(out, "availabilityZone", zone);
    xml_element(out, "status", v->state);
    xml_element(out, "createTime", time);
    buf_puts(out, "<attachmentSet>");
    if (attached(v)) {
        buf_puts(out, "<item>");
        volume_write_attachment(out, v);
        buf_puts(out, "</item>");
    }
    buf_puts(out, "</attachmentSet><volumeType>standard</volumeType><encrypted>false</encrypted>"
                  "<multiAttachEnabled>false</multiAttachEnabled>");
    ec2_write_tags(out, c, account, v->id);
}

/* ---- choosing ---------------------------------------------------------------------------------
 */

struct wanted {
    struct ec2_list ids;
    struct ec2_filters filters;
    struct ec2_page page;
};

static bool is_filtered(const struct ec2_filters *f, const char *prefix)
{
    for (size_t i = 0; i < f->nr; i++)
        if (strncmp(f->filter[i].name, prefix, strlen(prefix)) == 0)
            return true;
    return false;
}

static bool attachment_fits(const struct ec2_filters *f, const struct volume_row *v)
{
    char time[32];

    if (!is_filtered(f, "attachment."))
        return true;
    iso_time(v->attached, time);
    return attached(v) && ec2_filter_fits(f, "attachment.attach-time", time) &&
           ec2_filter_fits(f, "attachment.delete-on-termination",
                           truth(v->delete_on_termination)) &&
           ec2_filter_fits(f, "attachment.device", v->device) &&
           ec2_filter_fits(f, "attachment.instance-id", v->instance) &&
           ec2_filter_fits(f, "attachment.status", v->attach_state);
}

static bool fits(const struct wanted *w, const struct service *svc, sqlite3 *c, const char *account,
                 const struct volume_row *v)
{
    const struct ec2_filters *f = &w->filters;
    char time[32], zone[80], size[24];
    bool listed = w->ids.nr == 0;

    for (size_t i = 0; i < w->ids.nr && !listed; i++)
        listed = strcmp(w->ids.value[i], v->id) == 0;
    iso_time(v->created, time);
    volume_zone(svc, zone);
    snprintf(size, sizeof(size), "%lld", (long long)v->size_gib);
    return listed && ec2_filter_fits(f, "availability-zone", zone) &&
           ec2_filter_fits(f, "create-time", time) && ec2_filter_fits(f, "encrypted", "false") &&
           ec2_filter_fits(f, "multi-attach-enabled", "false") &&
           ec2_filter_fits(f, "size", size) && ec2_filter_fits(f, "snapshot-id", v->snapshot) &&
           ec2_filter_fits(f, "status", v->state) && ec2_filter_fits(f, "volume-id", v->id) &&
           ec2_filter_fits(f, "volume-type", "standard") && attachment_fits(f, v) &&
           ec2_tags_fit(f, c, account, v->id);
}

static bool check_ids(struct ec2_call *call, sqlite3 *c, const struct ec2_list *ids)
{
    for (size_t i = 0; i < ids->nr; i++) {
        if (!ec2_check_id(call, "vol", ids->value[i], "InvalidVolumeID"))
            return false;
        if (db_number(c, 0, "SELECT 1 FROM volume WHERE id = ? AND account = ? AND hidden = 0",
                      "ss", ids->value[i], call->r->account->id) == 0) {
            reply_error(call->r, 400, "InvalidVolume.NotFound", "This account has no volume %s.",
                        ids->value[i]);
            return false;
        }
    }
    return true;
}

static bool take_wanted(struct ec2_call *call, const char *const *known, struct wanted *w)
{
    if (!ec2_take_list(call, "VolumeId", &w->ids) || !ec2_take_filters(call, known, &w->filters) ||
        !ec2_take_page(call, PAGE_MIN, PAGE_MAX, &w->page))
        return false;
    if (w->ids.nr > 0 && w->page.max != INT64_MAX)
        reply_error(call->r, 400, "InvalidParameterCombination",
                    "VolumeId and MaxResults do not go together.");
    return ec2_parameters_done(call);
}

typedef void write_fn(struct buf *out, const struct service *svc, sqlite3 *c, const char *account,
                      const struct volume_row *v);

/* The <item>s that fit, and the token of the next page if there is one. */
static void write_list(struct ec2_call *call, sqlite3 *c, const struct wanted *w, write_fn *write,
                       const char *set)
{
    const char *account = call->r->account->id;
    sqlite3_stmt *s = db_query(c,
                               "SELECT" VOLUME_COLUMNS "FROM volume WHERE account = ? AND id > ?"
                               " AND hidden = 0 ORDER BY id",
                               "ss", account, w->page.after);
    struct buf *out = &call->r->reply;
    char last[EC2_ID_BYTES] = "";
    struct volume_row v;
    int64_t nr = 0;

    ec2_open(call, call->r->action);
    buf_printf(out, "<%s>", set);
    while (s != NULL && sqlite3_step(s) == SQLITE_ROW) {
        volume_read(s, &v);
        if (!fits(w, call->r->svc, c, account, &v))
            continue;
        if (nr++ == w->page.max)
            break;
        buf_puts(out, "<item>");
        write(out, call->r->svc, c, account, &v);
        buf_puts(out, "</item>");
        snprintf(last, sizeof(last), "%s", v.id);
    }
    sqlite3_finalize(s);
    buf_printf(out, "</%s>", set);
    if (nr > w->page.max)
        ec2_write_next(out, last);
    ec2_close(call, call->r->action);
}

void ec2_describe_volumes(struct ec2_call *call)
{
    static const char *const known[] = {
        "attachment.attach-time",
        "attachment.delete-on-termination",
        "attachment.device",
        "attachment.instance-id",
        "attachment.status",
        "availability-zone",
        "create-time",
        "encrypted",
        "multi-attach-enabled",
        "size",
        "snapshot-id",
        "status",
        "tag:",
        "tag-key",
        "volume-id",
        "volume-type",
        NULL,
    };
    struct wanted *w = xalloc(sizeof(*w));
    sqlite3 *c;

    if (take_wanted(call, known, w)) {
        c = db_reader(call->r->svc->db);
        if (check_ids(call, c, &w->ids))
            write_list(call, c, w, volume_write, "volumeSet");
        db_done(call->r->svc->db, c);
    }
    free(w);
}

/* ---- DescribeVolumeStatus ---------------------------------------------------------------------
 */

/* A volume that could not be made, or whose guest does not let go of it, tells why in an event. */
static void write_status(struct buf *out, const struct service *svc, sqlite3 *c,
                         const char *account, const struct volume_row *v)
{
    bool broken = strcmp(v->state, "error") == 0;
    char zone[80];

    (void)c;
    (void)account;
    volume_zone(svc, zone);
    xml_element(out, "volumeId", v->id);
    xml_element(out, "availabilityZone", zone);
    buf_printf(out,
               "<volumeStatus><status>%s</status><details><item><name>io-enabled</name>"
               "<status>%s</status></item></details></volumeStatus><eventsSet>",
               broken ? "impaired" : "ok", broken ? "failed" : "passed");
    if (*v->reason) {
        buf_puts(out, "<item><eventType>last-failure</eventType>");
        xml_element(out, "description", v->reason);
        buf_puts(out, "</item>");
    }
    buf_puts(out, "</eventsSet><actionsSet/>");
}

void ec2_describe_volume_status(struct ec2_call *call)
{
    static const char *const known[] = {"availability-zone", NULL};
    struct wanted *w = xalloc(sizeof(*w));
    sqlite3 *c;

    if (take_wanted(call, known, w)) {
        c = db_reader(call->r->svc->db);
        if (check_ids(call, c, &w->ids))
            write_list(call, c, w, write_status, "volumeStatusSet");
        db_done(call->r->svc->db, c);
    }
    free(w);
}

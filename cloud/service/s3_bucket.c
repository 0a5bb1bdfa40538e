/* SPDX-License-Identifier: MIT */
/* Buckets themselves: list, create, delete. */
#include "cloud/service/s3.h"

#include <string.h>

static const char xml_head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static void add_bucket(struct buf *out, sqlite3_stmt *s)
{
    char created[32];

    iso_time(sqlite3_column_int64(s, 1), created);
    buf_puts(out, "<Bucket>");
    xml_element(out, "Name", db_text(s, 0));
    xml_element(out, "CreationDate", created);
    buf_puts(out, "</Bucket>");
}

/* A page goes on behind the name that is its token. */
void s3_list_buckets(struct request *r)
{
    const char *prefix = s3_parameter(r, "prefix"), *after = s3_parameter(r, "continuation-token");
    struct buf last = {0};
    int status = SQLITE_ERROR;
    int64_t max, nr = 0;
    sqlite3_stmt *s;
    sqlite3 *c;

    if (!s3_number(r, "max-buckets", 1, 10000, INT64_MAX, &max))
        return;
    c = db_reader(r->svc->db);
    s = db_query(c,
                 "SELECT name, created FROM bucket WHERE account=?1 AND name>?2"
                 " AND substr(name, 1, length(?3))=?3 ORDER BY name",
                 "sss", r->account->id, after ? after : "", prefix ? prefix : "");
    buf_clear(&last);
    buf_printf(&r->reply,
               "%s<ListAllMyBucketsResult" NAMESPACE "><Owner><ID>%s</ID></Owner><Buckets>",
               xml_head, r->account->id);
    while (s && (status = sqlite3_step(s)) == SQLITE_ROW && nr++ < max) {
        add_bucket(&r->reply, s);
        buf_clear(&last);
        buf_puts(&last, db_text(s, 0));
    }
    buf_puts(&r->reply, "</Buckets>");
    if (status == SQLITE_ROW)
        xml_element(&r->reply, "ContinuationToken", last.text);
    if (prefix)
        xml_element(&r->reply, "Prefix", prefix);
    buf_puts(&r->reply, "</ListAllMyBucketsResult>\n");
    if (status == SQLITE_DONE || status == SQLITE_ROW)
        reply_done(r, 200, NULL);
    else
        reply_state_failed(r);
    db_finish(s);
    buf_free(&last);
    db_done(r->svc->db, c);
}

static const char *on_location(void *arg, const char *path, const char *text)
{
    struct request *r = arg;
    const char *region = r->svc->config.region;

    if (strcmp(path, "CreateBucketConfiguration/LocationConstraint") == 0 && text && *text &&
        strcmp(text, region) != 0)
        reply_error(r, 400, "IllegalLocationConstraintException",
                    "The buckets of this service lie in %s.", region);
    return NULL;
}

static bool begins(const char *name, const char *with)
{
    return strncmp(name, with, strlen(with)) == 0;
}

static bool ends(const char *name, const char *with)
{
    size_t len = strlen(name), with_len = strlen(with);

    return len >= with_len && strcmp(name + len - with_len, with) == 0;
}

/* Four numbers with dots between them, whatever their size. */
static bool is_address(const char *name)
{
    for (unsigned i = 0; i < 4; i++) {
        size_t digits = strspn(name, "0123456789");

        if (digits == 0 || digits > 3 || name[digits] != (i < 3 ? '.' : 0))
            return false;
        name += digits + 1;
    }
    return true;
}

/*
 * What a name must not be besides made of other characters, which is refused before: S3's rules of
 * today, but with capitals and '_'. Buckets that were made when less was refused go on. NULL: good.
 */
static const char *new_name_mistake(const char *name)
{
    static const char *const own[] = {"cert-ec2.pem", "healthz", "metrics"};
    static const char *const first[] = {"amzn-s3-demo-", "sthree-", "xn--"};
    static const char *const last[] = {"--ol-s3", "--table-s3", "--x-s3", "-s3alias", ".mrap"};
    static const char marks[] = "-._";

    for (size_t i = 0; i < sizeof(own) / sizeof(own[0]); i++)
        if (strcmp(name, own[i]) == 0)
            return "At this address the service answers itself, so a bucket cannot have the name.";
    for (size_t i = 0; i < sizeof(first) / sizeof(first[0]); i++)
        if (begins(name, first[i]))
            return "A bucket's name does not begin with amzn-s3-demo-, sthree- or xn--.";
    for (size_t i = 0; i < sizeof(last) / sizeof(last[0]); i++)
        if (ends(name, last[i]))
            return "A bucket's name does not end with --ol-s3, --table-s3, --x-s3, -s3alias or "
                   ".mrap.";
    if (strchr(marks, name[0]) || strchr(marks, name[strlen(name) - 1]))
        return "A bucket's name begins and ends with a letter or a digit.";
    if (strstr(name, ".."))
        return "A bucket's name does not have two dots together.";
    return is_address(name) ? "A bucket's name is not formed as an IP address." : NULL;
}

static void insert_bucket(struct request *r, sqlite3 *c)
{
    const char *mistake = new_name_mistake(r->s3->bucket);

    if (mistake)
        reply_error(r, 400, "InvalidBucketName", "%s", mistake);
    else if (db_number(c, 0, "SELECT count(*) FROM bucket WHERE account=?", "s", r->account->id) >=
             S3_BUCKETS_MAX)
        reply_error(r, 400, "TooManyBuckets", "An account has at most %d buckets.", S3_BUCKETS_MAX);
    else if (!db_run(c, "INSERT INTO bucket VALUES(?, ?, ?)", "ssi", r->s3->bucket, r->account->id,
                     (int64_t)time(NULL)))
        reply_state_failed(r);
}

void s3_create_bucket(struct request *r)
{
    struct buf location = {0};
    sqlite3_stmt *s;
    sqlite3 *c;

    if (r->body.len > 0 && !s3_read_xml(r, on_location, r))
        return;
    if (r->status != 0)
        return;
    c = db_begin(r->svc->db);
    if (!c) {
        reply_state_failed(r);
        return;
    }
    s = db_query(c, "SELECT account FROM bucket WHERE name=?", "s", r->s3->bucket);
    if (s && sqlite3_step(s) == SQLITE_ROW) {
        /* As in us-east-1: making one's own bucket again changes nothing, and is no error. */
        if (strcmp(db_text(s, 0), r->account->id) != 0)
            reply_error(r, 409, "BucketAlreadyExists", "Another account has a bucket \"%s\".",
                        r->s3->bucket);
    } else {
        insert_bucket(r, c);
    }
    db_finish(s);
    if (r->status != 0) {
        db_rollback(r->svc->db);
        return;
    }
    if (!db_commit(r->svc->db)) {
        reply_state_failed(r);
        return;
    }
    buf_printf(&location, "/%s", r->s3->bucket);
    reply_header(r, "Location", location.text);
    buf_free(&location);
    reply_done(r, 200, NULL);
}

void s3_delete_bucket(struct request *r)
{
    sqlite3 *c = db_begin(r->svc->db);

    if (!c) {
        reply_state_failed(r);
        return;
    }
    if (db_number(c, 1,
                  "SELECT EXISTS(SELECT 1 FROM object WHERE bucket=?1) OR"
                  " EXISTS(SELECT 1 FROM upload WHERE bucket=?1)",
                  "s", r->s3->bucket) != 0)
        reply_error(r, 409, "BucketNotEmpty",
                    "The bucket holds objects, or uploads that were not completed; delete them "
                    "first.");
    else if (!db_run(c, "DELETE FROM bucket WHERE name=?", "s", r->s3->bucket))
        reply_state_failed(r);
    if (r->status != 0)
        db_rollback(r->svc->db);
    else if (!db_commit(r->svc->db))
        reply_state_failed(r);
    else
        reply_done(r, 204, NULL);
}

void s3_head_bucket(struct request *r)
{
    reply_header(r, "x-amz-bucket-region", r->svc->config.region);
    reply_done(r, 200, NULL);
}

void s3_bucket_location(struct request *r)
{
    const char *region = r->svc->config.region;

    /* us-east-1 has always been told as nothing. */
    buf_printf(&r->reply, "%s<LocationConstraint" NAMESPACE ">%s</LocationConstraint>\n", xml_head,
               strcmp(region, "us-east-1") == 0 ? "" : region);
    reply_done(r, 200, NULL);
}

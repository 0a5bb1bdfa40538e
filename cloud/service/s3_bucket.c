/* SPDX-License-Identifier: MIT */
/* Buckets themselves: list, create, delete. */
#include "cloud/service/s3.h"

#include <string.h>

static const char xml_head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

void s3_list_buckets(struct request *r)
{
    sqlite3 *c = db_reader(r->svc->db);
    sqlite3_stmt *s = db_query(c, "SELECT name, created FROM bucket WHERE account=? ORDER BY name",
                               "s", r->account->id);
    int status = SQLITE_ERROR;

    buf_printf(&r->reply,
               "%s<ListAllMyBucketsResult" NAMESPACE "><Owner><ID>%s</ID></Owner><Buckets>",
               xml_head, r->account->id);
    while (s && (status = sqlite3_step(s)) == SQLITE_ROW) {
        char created[32];

        iso_time(sqlite3_column_int64(s, 1), created);
        buf_puts(&r->reply, "<Bucket>");
        xml_element(&r->reply, "Name", db_text(s, 0));
        xml_element(&r->reply, "CreationDate", created);
        buf_puts(&r->reply, "</Bucket>");
    }
    buf_puts(&r->reply, "</Buckets></ListAllMyBucketsResult>\n");
    if (status == SQLITE_DONE)
        reply_done(r, 200, NULL);
    else
        reply_state_failed(r);
    db_finish(s);
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

static void insert_bucket(struct request *r, sqlite3 *c)
{
    if (db_number(c, 0, "SELECT count(*) FROM bucket WHERE account=?", "s", r->account->id) >=
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

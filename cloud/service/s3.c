/* SPDX-License-Identifier: MIT */
/* The bucket store: which operation a request is, who may, and where its body goes. */
#include "cloud/service/s3.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cloud/service/quota.h"
#include "core/base/text.h"

/* The first line that fits is it; those with a parameter stand before those without. */
static const struct s3_op ops[] = {
    {"ListBuckets", "GET", 0, NULL, s3_list_buckets, false, false},
    {"GetBucketLocation", "GET", 1, "location", s3_bucket_location, false, true},
    {"ListMultipartUploads", "GET", 1, "uploads", s3_list_uploads, false, true},
    {"ListObjects", "GET", 1, NULL, s3_list_objects, false, true},
    {"HeadBucket", "HEAD", 1, NULL, s3_head_bucket, false, true},
    {"CreateBucket", "PUT", 1, NULL, s3_create_bucket, false, false},
    {"DeleteBucket", "DELETE", 1, NULL, s3_delete_bucket, false, true},
    {"DeleteObjects", "POST", 1, "delete", s3_delete_objects, false, true},
    {"ListParts", "GET", 2, "uploadId", s3_list_parts, false, true},
    {"GetObject", "GET", 2, NULL, s3_get_object, false, true},
    {"HeadObject", "HEAD", 2, NULL, s3_get_object, false, true},
    {"UploadPart", "PUT", 2, "uploadId", s3_put_part, true, true},
    {"PutObject", "PUT", 2, NULL, s3_put_object, true, true},
    {"AbortMultipartUpload", "DELETE", 2, "uploadId", s3_abort_upload, false, true},
    {"DeleteObject", "DELETE", 2, NULL, s3_delete_object, false, true},
    {"CreateMultipartUpload", "POST", 2, "uploads", s3_create_upload, false, true},
    {"CompleteMultipartUpload", "POST", 2, "uploadId", s3_complete_upload, false, true},
};

/* Parts of buckets and objects that S3 has and this store has not: never taken for the whole. */
static const char *const not_offered[] = {
    "accelerate",
    "acl",
    "analytics",
    "attributes",
    "cors",
    "encryption",
    "intelligent-tiering",
    "inventory",
    "legal-hold",
    "lifecycle",
    "logging",
    "metrics",
    "notification",
    "object-lock",
    "ownershipControls",
    "policy",
    "policyStatus",
    "publicAccessBlock",
    "replication",
    "requestPayment",
    "restore",
    "retention",
    "select",
    "tagging",
    "torrent",
    "versionId",
    "versioning",
    "versions",
    "website",
};

const char *s3_parameter(const struct request *r, const char *name)
{
    return uri_pairs_get(&r->parameters, name);
}

bool s3_number(struct request *r, const char *name, int64_t min, int64_t max, int64_t otherwise,
               int64_t *out)
{
    const char *text = s3_parameter(r, name);
    uint64_t value;

    *out = otherwise;
    if (!text || !*text)
        return true;
    if (!text_parse_u64(text, strlen(text), &value) || value > INT64_MAX || (int64_t)value < min ||
        (int64_t)value > max) {
        reply_error(r, 400, "InvalidArgument", "%s is a whole number from %lld to %lld.", name,
                    (long long)min, (long long)max);
        return false;
    }
    *out = (int64_t)value;
    return true;
}

/* 3 to 63 small letters, digits, '-' and '.'; letter or digit at both ends; no ".." */
static bool bucket_name_good(const char *name)
{
    static const char ends[] = "abcdefghijklmnopqrstuvwxyz0123456789";
    size_t len = strlen(name);

    return len >= 3 && strspn(name, "abcdefghijklmnopqrstuvwxyz0123456789-.") == len &&
           strchr(ends, name[0]) && strchr(ends, name[len - 1]) && !strstr(name, "..");
}

/* What old tools made, too: capitals and '_', as the first buckets of all had them. */
static bool bucket_name_old(const char *name)
{
    size_t len = strlen(name);

    return len >= 3 && name[0] != '.' &&
           strspn(name, "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789-._") == len;
}

static bool split_path(struct request *r, struct s3_target *t)
{
    struct buf path = {0};
    size_t len;

    buf_clear(&path);
    if (r->path[0] != '/' || !uri_decode(&path, r->path, strlen(r->path), false)) {
        reply_error(r, 400, "InvalidURI", "The path has a broken %%-escape or a NUL.");
        buf_free(&path);
        return false;
    }
    len = strcspn(path.text + 1, "/");
    if (len >= sizeof(t->bucket)) {
        reply_error(r, 400, "InvalidBucketName", "A bucket's name has at most 63 characters.");
        buf_free(&path);
        return false;
    }
    memcpy(t->bucket, path.text + 1, len);
    t->bucket[len] = 0;
    t->key = xstrdup(path.text[1 + len] ? path.text + 2 + len : "");
    buf_free(&path);
    return true;
}

static bool check_names(struct request *r, const struct s3_target *t)
{
    size_t len = strlen(t->key);

    if (t->bucket[0] && !bucket_name_good(t->bucket) && !bucket_name_old(t->bucket)) {
        reply_error(r, 400, "InvalidBucketName",
                    "A bucket's name has 3 to 63 letters, digits, '-', '.' and '_'.");
        return false;
    }
    if (len > S3_KEY_BYTES_MAX) {
        reply_error(r, 400, "KeyTooLongError", "A key has at most %d bytes.", S3_KEY_BYTES_MAX);
        return false;
    }
    for (size_t i = 0, n; i < len; i += n) {
        n = text_shown_char(t->key + i, len - i);
        if (n == 0) {
            reply_error(r, 400, "InvalidArgument",
                        "A key is UTF-8 without control characters; byte %zu of this one is not.",
                        i + 1);
            return false;
        }
    }
    return true;
}

static bool find_op(struct request *r, struct s3_target *t)
{
    int level = t->key[0] ? 2 : t->bucket[0] ? 1 : 0;

    for (size_t i = 0; i < sizeof(not_offered) / sizeof(not_offered[0]); i++) {
        if (s3_parameter(r, not_offered[i])) {
            reply_error(r, 501, "NotImplemented", "This store has no \"%s\".", not_offered[i]);
            return false;
        }
    }
    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]) && !t->op; i++)
        if (ops[i].level == level && strcmp(ops[i].method, r->method) == 0 &&
            (!ops[i].query || s3_parameter(r, ops[i].query)))
            t->op = &ops[i];
    if (!t->op) {
        reply_error(r, 405, "MethodNotAllowed", "%s does nothing here.", r->method);
        return false;
    }
    memcpy(r->action, t->op->action, strlen(t->op->action) + 1);
    r->action_known = true;
    if (t->op->into_file && request_header(r, "x-amz-copy-source")) {
        reply_error(r, 501, "NotImplemented", "This store does not copy objects.");
        return false;
    }
    return true;
}

/* Is the bucket there, and ours? */
static bool check_bucket(struct request *r, const struct s3_target *t)
{
    sqlite3 *c = db_reader(r->svc->db);
    sqlite3_stmt *s = db_query(c, "SELECT account FROM bucket WHERE name=?", "s", t->bucket);
    int status = s ? sqlite3_step(s) : SQLITE_ERROR;

    if (status == SQLITE_DONE)
        reply_error(r, 404, "NoSuchBucket", "There is no bucket \"%s\".", t->bucket);
    else if (status != SQLITE_ROW)
        reply_state_failed(r);
    else if (strcmp(db_text(s, 0), r->account->id) != 0)
        reply_error(r, 403, "AccessDenied", "The bucket belongs to another account.");
    db_finish(s);
    db_done(r->svc->db, c);
    return r->status == 0;
}

/* With an S3 elsewhere, nothing is kept here that would be found again. */
static bool store_is_here(struct request *r)
{
    const char *url = r->svc->config.s3_url;

    if (url)
        reply_error(r, 501, "NotImplemented",
                    "This service keeps no buckets: bundles are read from %s. Send this request "
                    "there (ec2-upload-bundle --url, aws --endpoint-url).",
                    url);
    return !url;
}

void s3_begin(struct request *r)
{
    struct s3_target *t = r->s3 = xalloc(sizeof(*t));
    const char *hash;

    if (!split_path(r, t) || !(hash = s3_payload_hash(r)) || !authenticate(r, hash) ||
        !store_is_here(r) || !check_names(r, t) || !find_op(r, t) ||
        (t->op->needs_bucket && !check_bucket(r, t)))
        return;
    s3_body_begin(r);
}

void s3_end(struct request *r)
{
    if (s3_body_end(r))
        r->s3->op->end(r);
}

void s3_drop(struct request *r)
{
    file_free(r->file);
    r->file = NULL;
    if (r->s3) {
        if (r->s3->announced_bytes > 0)
            quota_withdraw(r->svc->quota, r->account, r->s3->announced_bytes);
        s3_body_drop(r->s3);
        free(r->s3->key);
    }
    free(r->s3);
    r->s3 = NULL;
}

static void refuse_quota(struct request *r, const struct quota_use *use, uint64_t more_bytes)
{
    unsigned long long stored = use->stored_bytes, coming = use->announced_bytes + more_bytes;

    reply_error(r, 403, "QuotaExceeded",
                "The account would store %llu bytes of %llu, with %llu that are on their way. "
                "Delete something, or raise its quota.",
                stored + coming, (unsigned long long)r->account->quota_bytes, coming);
}

bool s3_announce(struct request *r, uint64_t body_bytes)
{
    uint64_t bytes = body_bytes + QUOTA_RECORD_BYTES;
    struct quota_use use;

    if (!quota_announce(r->svc->quota, r->svc->db, r->account, bytes, &use)) {
        refuse_quota(r, &use, bytes);
        return false;
    }
    r->s3->announced_bytes = bytes;
    return true;
}

bool s3_check_quota(struct request *r, sqlite3 *c)
{
    struct quota_use use;

    if (quota_holds(r->svc->quota, c, r->account, r->s3->announced_bytes, &use))
        return true;
    refuse_quota(r, &use, 0);
    return false;
}

bool s3_commit(struct request *r)
{
    uint64_t bytes = r->s3->announced_bytes;

    r->s3->announced_bytes = 0;
    return quota_commit(r->svc->quota, r->svc->db, r->account, bytes);
}

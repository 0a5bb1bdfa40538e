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
    {"ListBuckets",
     "GET",
     0,
     NULL,
     {"continuation-token", "max-buckets", "prefix"},
     s3_list_buckets,
     false,
     false},
    {"GetBucketLocation", "GET", 1, "location", {NULL}, s3_bucket_location, false, true},
    {"ListMultipartUploads",
     "GET",
     1,
     "uploads",
     {"delimiter", "encoding-type", "key-marker", "max-uploads", "prefix", "upload-id-marker"},
     s3_list_uploads,
     false,
     true},
    {"ListObjects",
     "GET",
     1,
     NULL,
     {"continuation-token", "delimiter", "encoding-type", "fetch-owner", "list-type", "marker",
      "max-keys", "prefix", "start-after"},
     s3_list_objects,
     false,
     true},
    {"HeadBucket", "HEAD", 1, NULL, {NULL}, s3_head_bucket, false, true},
    {"CreateBucket", "PUT", 1, NULL, {NULL}, s3_create_bucket, false, false},
    {"DeleteBucket", "DELETE", 1, NULL, {NULL}, s3_delete_bucket, false, true},
    {"DeleteObjects", "POST", 1, "delete", {NULL}, s3_delete_objects, false, true},
    {"ListParts",
     "GET",
     2,
     "uploadId",
     {"max-parts", "part-number-marker"},
     s3_list_parts,
     false,
     true},
    {"GetObject", "GET", 2, NULL, {S3_RESPONSE_NAMES}, s3_get_object, false, true},
    {"HeadObject", "HEAD", 2, NULL, {S3_RESPONSE_NAMES}, s3_get_object, false, true},
    {"UploadPart", "PUT", 2, "uploadId", {"partNumber"}, s3_put_part, true, true},
    {"PutObject", "PUT", 2, NULL, {NULL}, s3_put_object, true, true},
    {"AbortMultipartUpload", "DELETE", 2, "uploadId", {NULL}, s3_abort_upload, false, true},
    {"DeleteObject", "DELETE", 2, NULL, {NULL}, s3_delete_object, false, true},
    {"CreateMultipartUpload", "POST", 2, "uploads", {NULL}, s3_create_upload, false, true},
    {"CompleteMultipartUpload", "POST", 2, "uploadId", {NULL}, s3_complete_upload, false, true},
};

/* Parameters of the signature, and those that clients add to any request and that ask nothing. */
static const char *const of_any[] = {
    "AWSAccessKeyId",      "Expires",
    "Signature",           "X-Amz-Algorithm",
    "X-Amz-Checksum-Mode", "X-Amz-Content-Sha256",
    "X-Amz-Credential",    "X-Amz-Date",
    "X-Amz-Expires",       "X-Amz-Sdk-Checksum-Algorithm",
    "X-Amz-Signature",     "X-Amz-SignedHeaders",
    "X-Amz-User-Agent",    "x-id",
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

/* Clients move X-Amz- headers into the query as they are written, small or not. */
static bool is_of_any(const char *name)
{
    for (size_t i = 0; i < sizeof(of_any) / sizeof(of_any[0]); i++) {
        bool small_too = strncmp(of_any[i], "X-Amz-", 6) == 0;

        if ((small_too ? strcasecmp(of_any[i], name) : strcmp(of_any[i], name)) == 0)
            return true;
    }
    return false;
}

static bool is_of_op(const struct s3_op *op, const char *name)
{
    if (op->query && strcmp(op->query, name) == 0)
        return true;
    for (size_t i = 0; i < S3_OP_NAMES_MAX && op->names[i]; i++)
        if (strcmp(op->names[i], name) == 0)
            return true;
    return false;
}

/*
 * A name that the operation does not know may be that of a part of a bucket or object which S3 has
 * and this store has not: carried out without it, the request would be another one.
 */
static bool check_parameters(struct request *r, const struct s3_op *op)
{
    for (size_t i = 0; i < r->parameters.nr; i++) {
        const char *name = r->parameters.pair[i].name;

        if (is_of_any(name) || (op && is_of_op(op, name)))
            continue;
        reply_error(r, 501, "NotImplemented", "This store has no \"%.100s\"%s%s.", name,
                    op ? " of " : "", op ? op->action : "");
        return false;
    }
    return true;
}

static bool find_op(struct request *r, struct s3_target *t)
{
    int level = t->key[0] ? 2 : t->bucket[0] ? 1 : 0;

    for (size_t i = 0; i < sizeof(ops) / sizeof(ops[0]) && !t->op; i++)
        if (ops[i].level == level && strcmp(ops[i].method, r->method) == 0 &&
            (!ops[i].query || s3_parameter(r, ops[i].query)))
            t->op = &ops[i];
    if (!check_parameters(r, t->op))
        return false;
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
        !s3_check_condition_headers(r) || (t->op->needs_bucket && !check_bucket(r, t)))
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

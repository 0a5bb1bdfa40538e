/* SPDX-License-Identifier: MIT */
/* The bucket store, as its files share it: path-style S3. */
#ifndef PVBOOT_CLOUD_SERVICE_S3_H
#define PVBOOT_CLOUD_SERVICE_S3_H

#include "cloud/aws/chunked.h"
#include "cloud/aws/checksum.h"
#include "cloud/service/files.h"
#include "cloud/service/request.h"

#define S3_KEY_BYTES_MAX  1024
#define S3_LIST_MAX       1000
#define S3_PARTS_MAX      10000
#define S3_PART_BYTES_MIN (5 << 20) /* of all parts but the last */
#define S3_META_BYTES_MAX 2048
#define S3_BUCKETS_MAX    1000 /* of an account */
#define S3_OP_NAMES_MAX   9

/* Parameters that replace a header of the answer: "response-" and its name. */
#define S3_RESPONSE_NAMES                                                                          \
    "response-cache-control", "response-content-disposition", "response-content-encoding",         \
        "response-content-language", "response-content-type", "response-expires"

struct s3_target {
    char bucket[64]; /* "" for the list of all */
    char *key;       /* "" for the bucket itself */
    const struct s3_op *op;
    uint64_t announced_bytes;                /* of the quota, for the body that comes; or 0 */
    struct chunked *chunked;                 /* the body comes in chunks; or NULL */
    bool summed;                             /* a checksum comes with it: */
    struct checksum checksum;                /* of what came */
    char checksum_text[CHECKSUM_TEXT_BYTES]; /* after s3_body_end */
};

struct s3_op {
    const char *action; /* for the log */
    const char *method;
    int level;                          /* 0 the service, 1 a bucket, 2 an object */
    const char *query;                  /* the parameter that selects it, or NULL */
    const char *names[S3_OP_NAMES_MAX]; /* the others that it knows */
    void (*end)(struct request *r);
    bool into_file; /* its body is stored */
    bool needs_bucket;
};

/* What V4 has for the body's hash; NULL: the answer is an error. */
const char *s3_payload_hash(struct request *r);

/*
 * The body: before it comes, how much, how checked and where to; at its end, is it what the client
 * says that it is? False: the answer is an error.
 */
void s3_body_begin(struct request *r);
bool s3_body_end(struct request *r);
void s3_body_drop(struct s3_target *t);

/* A file could not be made or written. */
void s3_storing_failed(struct request *r, bool full);

/* Headers that ask for what this store does not do. False: the answer is an error. */
bool s3_check_headers(struct request *r);

/* The value of a parameter of the query, or NULL. */
const char *s3_parameter(const struct request *r, const char *name);

/* A number of the query; `otherwise` when there is none. False: the answer is an error. */
bool s3_number(struct request *r, const char *name, int64_t min, int64_t max, int64_t otherwise,
               int64_t *out);

/*
 * Headers that are kept with an object: its type, those that a client gets back as they are, and
 * the checksum of its body. False: the answer is an error.
 */
bool s3_take_meta(struct request *r, const char **type, struct buf *meta);

/*
 * ... and back into the answer, but for what a response- parameter replaces; `meta` is spoiled.
 * False: the answer is an error.
 */
bool s3_give_meta(struct request *r, const char *type, char *meta, bool with_checksum);

/* The header of the checksum that was checked, in the answer. */
void s3_give_checksum(struct request *r);

/*
 * Has the account room for an object or a part of that size, besides all that is on its way? It is
 * kept for this request until s3_commit or s3_drop. False: the answer is an error.
 */
bool s3_announce(struct request *r, uint64_t body_bytes);

/* ... for what a transaction has put in and will commit? False: the answer is an error. */
bool s3_check_quota(struct request *r, sqlite3 *c);

/* db_commit of a transaction that stored the body. */
bool s3_commit(struct request *r);

/* Conditions that this store does not keep are refused. False: the answer is an error. */
bool s3_check_condition_headers(struct request *r);

/*
 * May the object be put or deleted as it is now, with this ETag, or none: NULL? For the transaction
 * that does it. False: the answer is an error.
 */
bool s3_check_write(struct request *r, const char *etag);

/* May it be read? Else the answer is an error, or 304. */
void s3_check_read(struct request *r, const char *etag, int64_t modified_s);

/* Is the object still the one that a range was asked of (If-Range)? Else all of it is. */
bool s3_range_fits(const struct request *r, const char *etag, int64_t modified_s);

/* Is the ETag, without quotes, one of a condition's? */
bool s3_lists_etag(const char *list, const char *etag);

/*
 * Put the row of an object in place of what has its key, if the request's conditions allow it;
 * `old` gets the file to remove, or "".
 */
bool s3_insert_object(struct request *r, sqlite3 *c, const char *file, uint64_t size,
                      const char *etag, const char *type, const char *meta,
                      char old[FILE_NAME_BYTES]);

void s3_list_buckets(struct request *r);
void s3_create_bucket(struct request *r);
void s3_delete_bucket(struct request *r);
void s3_head_bucket(struct request *r);
void s3_bucket_location(struct request *r);
void s3_list_objects(struct request *r);
void s3_put_object(struct request *r);
void s3_get_object(struct request *r);
void s3_delete_object(struct request *r);
void s3_delete_objects(struct request *r);
void s3_create_upload(struct request *r);
void s3_put_part(struct request *r);
void s3_complete_upload(struct request *r);
void s3_abort_upload(struct request *r);
void s3_list_parts(struct request *r);
void s3_list_uploads(struct request *r);

/*
 * Read an XML document of a request: `element` is called at the end of each element that holds
 * text, with its path as "Delete/Object/Key", and at the end of each other one with text NULL.
 * It returns a sentence to stop with, or NULL. False: the answer is the error MalformedXML.
 */
bool s3_read_xml(struct request *r,
                 const char *(*element)(void *arg, const char *path, const char *text), void *arg);

#endif

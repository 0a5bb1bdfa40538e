/* SPDX-License-Identifier: MIT */
/*
 * One request and its answer, as the rooms of the service see it: http.c fills in the first half
 * and sends the second one off; ec2_*.c and s3_*.c know nothing of the HTTP library.
 */
#ifndef PVBOOT_CLOUD_SERVICE_REQUEST_H
#define PVBOOT_CLOUD_SERVICE_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <time.h>

#include "cloud/aws/sign.h"
#include "cloud/aws/uri.h"
#include "cloud/service/config.h"
#include "cloud/service/db.h"
#include "cloud/service/identity.h"
#include "cloud/service/metrics.h"
#include "cloud/service/replay.h"
#include "cloud/service/types.h"
#include "host/aki.h"

#define REPLY_HEADERS_MAX 48

struct ec2_cache;
struct engine;
struct keeper;
struct quota;

struct service {
    struct config config;
    struct db *db;
    struct aki_table akis;
    struct identity identity;
    struct type_table types;
    struct metrics metrics;
    struct engine *engine;
    struct keeper *keeper;
    struct ec2_cache *cache;
    struct replay *replay;
    struct quota *quota;
    _Atomic unsigned far_requests; /* that read of another S3 now */
    time_t started;
};

enum api { API_NONE, API_EC2, API_S3 };

struct request {
    struct service *svc;
    enum api api;
    char id[37]; /* a random UUID */
    char remote[64];
    const char *method;
    char *path;  /* as on the wire */
    char *query; /* as on the wire, "" when there is none */
    struct sign_header headers[SIGN_HEADERS_MAX];
    size_t nr_headers;
    struct sign_claim claim;
    const struct account *account; /* who signed; NULL before it is known */
    char action[64];               /* for the log */
    bool action_known;             /* it is one of ours, not what a client made up */
    struct buf body;               /* a form, or a small document */
    struct file_in *file;          /* or what goes into a file as it comes */
    struct s3_target *s3;          /* the bucket and object that it is about */
    uint64_t body_bytes;           /* received so far */
    struct uri_pairs parameters;   /* of the query; of the form, too, for the Query API */
    struct timespec begun;

    unsigned status; /* 0: no answer yet */
    char code[64];   /* of the error, or "" */
    struct buf reply;
    struct shared_bytes *reply_shared; /* what follows `reply`, or NULL; the answer's to drop */
    const char *reply_type;
    int reply_fd; /* or bytes of a file: reply_fd >= 0 */
    uint64_t reply_offset, reply_len;
    bool close;    /* the connection ends with the answer, the body is not waited for */
    bool answered; /* the answer is on its way, reply_fd is not ours any more */
    char *reply_header[REPLY_HEADERS_MAX][2];
    size_t nr_reply_headers;
};

/* A header of the request, or NULL. */
const char *request_header(const struct request *r, const char *name);

/* A header of the answer. */
void reply_header(struct request *r, const char *name, const char *value);

/* The answer is an error: in the XML of the API that was called. The first one stays. */
void reply_error(struct request *r, unsigned status, const char *code, const char *fmt, ...)
    __attribute__((format(printf, 4, 5)));

/* The answer is r->reply, with this status and type (NULL: XML). */
void reply_done(struct request *r, unsigned status, const char *type);

/* The state could not be written; says whether the disk is full. */
void reply_state_failed(struct request *r);

/* Text inside XML; what XML 1.0 has no way to hold becomes U+FFFD. */
void xml_text(struct buf *out, const char *text);

/* Is nothing of it lost so? Controls other than tab and line ends are, as is what is no UTF-8. */
bool xml_keeps(const char *text);

/* <name>text</name> */
void xml_element(struct buf *out, const char *name, const char *text);
void xml_number(struct buf *out, const char *name, int64_t number);

/* 2026-01-31T23:59:59.000Z, Sat, 31 Jan 2026 23:59:59 GMT */
void iso_time(int64_t at_s, char out[32]);
void http_time(int64_t at_s, char out[32]);

/* `bytes` random bytes as hexadecimal text, out[2 * bytes + 1]. */
void random_hex(char *out, size_t bytes);

/* Who signed? False: the answer is an error. `payload_sha256` as V4 wants it. */
bool authenticate(struct request *r, const char *payload_sha256);

/* May a request that changes something be carried out, or was it before? False: the answer is an
 * error. */
bool refuse_replays(struct request *r);

/* What each API does when the headers have come, with the next piece of a body, and at its end. */
void ec2_begin(struct request *r);
void ec2_end(struct request *r);
void s3_begin(struct request *r);
void s3_body(struct request *r, const void *bytes, size_t len);
void s3_end(struct request *r);
void s3_drop(struct request *r); /* before the answer goes out, or when the client went away */

#endif

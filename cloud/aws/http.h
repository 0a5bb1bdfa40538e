/* SPDX-License-Identifier: MIT */
/*
 * One signed request over HTTP or HTTPS, and its answer: libcurl, with its own AWS signatures.
 *
 * A struct http is one connection that is kept between requests; it belongs to one thread. What
 * several share is the struct http_peer, which nobody changes after it was made. Nothing is tried
 * twice here (see client.h).
 */
#ifndef PVBOOT_CLOUD_AWS_HTTP_H
#define PVBOOT_CLOUD_AWS_HTTP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/aws/sign.h"
#include "host/stop.h"
#include "host/xenhost/buf.h"

#define HTTP_ANSWER_BYTES_MAX ((size_t)16 << 20) /* in memory */
#define HTTP_HEADERS_MAX      8

struct http_peer {
    const char *url;              /* "https://HOST[:PORT][/PATH]", without a slash at the end */
    const char *region, *service; /* that the signature is for */
    const char *access_key, *secret;
    const char *token;     /* of temporary credentials, or NULL */
    const char *ca_file;   /* whom to trust instead of the system's list, or NULL */
    const stop_flag *stop; /* not 0: end what runs, and begin nothing; may be NULL */
    int64_t until_ms;      /* by http_clock_ms: what is not over then fails; 0: never */
};

struct http_request {
    const char *method;
    const char *path; /* behind the peer's address: "/BUCKET/KEY?QUERY", encoded, pairs in order */
    const char *headers[HTTP_HEADERS_MAX]; /* "Name: value", up to the first NULL */
    /* The body: bytes in memory, or where `bytes` is NULL the first body_bytes of body_fd. */
    const void *bytes;
    int body_fd;
    uint64_t body_bytes;
    const char *sha256_hex; /* of the body; NULL: of no bytes */
    /* -1: a good answer's body goes to memory; else it becomes this file's content. */
    int to_fd;
    uint64_t to_bytes_max; /* a longer one is an error */
    /* The bytes of the body that were sent or came so far; may be NULL. */
    void (*progress)(void *ctx, uint64_t bytes);
    void *progress_ctx;
};

enum http_failure {
    HTTP_ANSWERED, /* status says how */
    HTTP_STOPPED,
    HTTP_UNREACHED, /* the request was not sent: nothing has happened */
    HTTP_BROKEN,    /* the connection ended; whether something has happened is not known */
    HTTP_WRONG,     /* trying it again would change nothing */
};

struct http_answer {
    enum http_failure failure;
    long status;
    struct buf body;       /* what did not go to the file */
    bool too_long;         /* longer than to_bytes_max: HTTP_WRONG for that reason */
    uint64_t length_bytes; /* of HEAD: what the body would have */
    char etag[128];        /* without the quotes */
    bool md5_unknown;      /* it is encrypted at the server so that its ETag is no MD5 */
    char region[64];       /* where the server says that the bucket is */
    char why[1024];        /* of anything but HTTP_ANSWERED: a sentence */
};

struct http;

/* Milliseconds of CLOCK_MONOTONIC. */
int64_t http_clock_ms(void);

/* NULL: out of memory, or `why` the peer's address cannot be used. */
struct http *http_open(const struct http_peer *peer, char *why, size_t why_cap);
void http_close(struct http *h); /* NULL is allowed */

/* Fills *out, which is zeroed or was used before. */
void http_do(struct http *h, const struct http_request *rq, struct http_answer *out);
void http_answer_free(struct http_answer *a);

#endif

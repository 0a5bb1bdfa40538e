/* SPDX-License-Identifier: MIT */
/*
 * Amazon's request signatures, both sides: making them, and checking them.
 *
 * Five ways in which a request can carry one are known:
 *   V4 in the Authorization header (AWS4-HMAC-SHA256), every service
 *   V4 in the query (X-Amz-Signature), a presigned address
 *   V2 in the query or the form (SignatureVersion=2), the Query API
 *   V2 in the Authorization header ("AWS KEY:SIGNATURE"), S3
 *   V2 in the query (AWSAccessKeyId, Expires, Signature), a presigned address of S3
 *
 * Checking has two steps, because the secret is found by what the request says: sign_read tells who
 * claims to have signed and how, sign_check whether it is so. Nothing of a request may be believed
 * before sign_check said SIGN_GOOD.
 */
#ifndef PVBOOT_CLOUD_AWS_SIGN_H
#define PVBOOT_CLOUD_AWS_SIGN_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/xenhost/buf.h"

#define SIGN_UNSIGNED_PAYLOAD "UNSIGNED-PAYLOAD"
#define SIGN_HEADERS_MAX      128
#define SIGN_SHA256_HEX       65 /* with its terminator */
#define SIGN_EXPIRES_MAX_S    604800

struct sign_header {
    const char *name; /* in any case */
    const char *value;
};

struct sign_request {
    const char *method;
    const char *path;  /* as on the wire, encoded, without the query */
    const char *query; /* as on the wire; "" when there is none */
    const char *form;  /* the body where it is a form (V2 signs what is in it), or NULL */
    const struct sign_header *headers;
    size_t nr_headers;
    const char *payload_sha256; /* hex, or one of S3's words for "not signed" */
};

enum sign_scheme {
    SIGN_ANONYMOUS, /* no signature at all */
    SIGN_V4_HEADER,
    SIGN_V4_QUERY,
    SIGN_V2_QUERY,
    SIGN_V2_S3_HEADER,
    SIGN_V2_S3_QUERY,
};

struct sign_claim {
    enum sign_scheme scheme;
    char access_key[129];
    char region[64], service[32]; /* V4 only */
    char day[9], time[17];        /* V4 only: 20260131, 20260131T235959Z */
    char signed_headers[2048];    /* V4 only: names joined by ';' */
    char algorithm[16];           /* SIGN_V2_QUERY only: HmacSHA256 or HmacSHA1 */
    char signature[129];
    int64_t signed_at_s;   /* seconds since 1970; INT64_MIN where the scheme does not say */
    int64_t valid_until_s; /* of a presigned address or an Expires; INT64_MAX for none */
};

enum sign_verdict {
    SIGN_GOOD,
    SIGN_INCOMPLETE,  /* a part of the signature is missing or cannot be read */
    SIGN_WRONG,       /* the signature is another one */
    SIGN_SKEWED,      /* signed too long ago, or in the future */
    SIGN_EXPIRED,     /* a presigned address whose time is over */
    SIGN_WRONG_SCOPE, /* for another region or service */
    SIGN_UNCOVERED,   /* a header that must be signed is not */
};

struct sign_policy {
    const char *region, *service;
    int64_t now_s;
    int64_t skew_s; /* how far the client's clock may be from ours */
};

/* SIGN_GOOD or SIGN_INCOMPLETE; `why` becomes a static sentence in the second case. */
enum sign_verdict sign_read(const struct sign_request *req, struct sign_claim *out,
                            const char **why);

/* Is it the signature of whoever has `secret`? `why` as above. Takes the same time for any
 * signature. */
enum sign_verdict sign_check(const struct sign_request *req, const struct sign_claim *claim,
                             const char *secret, const struct sign_policy *policy,
                             const char **why);

/*
 * A body that is signed piece by piece: each signature covers the one before it, that of the
 * request first, and so the order of the pieces, too.
 */
struct sign_chain {
    unsigned char key[32];
    char time[17], scope[128];
    char previous[SIGN_SHA256_HEX];
};

enum sign_link { SIGN_LINK_DATA, SIGN_LINK_TRAILER };

/* False: the claim is none of version 4. `out` holds a key: wipe it. */
bool sign_chain_begin(const struct sign_claim *claim, const char *secret, struct sign_chain *out);

/* Is it the signature of a piece with this SHA-256? Then the next one must follow on it. */
bool sign_chain_check(struct sign_chain *c, enum sign_link link, const char *sha256_hex,
                      const char *signature);

struct sign_key {
    const char *access_key, *secret;
    const char *region, *service;
};

/*
 * The value of the Authorization header for a request that has its Host and X-Amz-Date headers;
 * every header given is signed. False: such a header is missing.
 */
bool sign_v4_header(const struct sign_request *req, const struct sign_key *key, struct buf *out);

/*
 * The query of a presigned address: req's own, what V4 adds, and the signature. `time` is
 * 20260131T235959Z. All headers given are signed; Host must be one of them.
 */
bool sign_v4_query(const struct sign_request *req, const struct sign_key *key, const char *time,
                   unsigned expires_s, struct buf *out);

/* The Signature parameter, not encoded, of a request whose query and form hold all the others. */
bool sign_v2_query(const struct sign_request *req, const struct sign_key *key, struct buf *out);

/* The value of the Authorization header of S3's V2, for a request with a Date or X-Amz-Date. */
bool sign_v2_s3_header(const struct sign_request *req, const struct sign_key *key, struct buf *out);

/* The header with that name (any case), or NULL. */
const char *sign_header_get(const struct sign_request *req, const char *name);

void sign_sha256_hex(const void *bytes, size_t len, char out[SIGN_SHA256_HEX]);

/* Seconds since 1970 of 20260131T235959Z; false for anything else. */
bool sign_parse_time(const char *text, int64_t *out_s);

#endif

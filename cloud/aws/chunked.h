/* SPDX-License-Identifier: MIT */
/*
 * Bodies of the content encoding "aws-chunked", as S3's clients send what they sign or sum up while
 * they read it:
 *
 *     SIZE[;chunk-signature=SIGNATURE] CRLF, SIZE bytes, CRLF      any number of times
 *     0[;chunk-signature=SIGNATURE] CRLF
 *     NAME:VALUE CRLF [x-amz-trailer-signature:SIGNATURE CRLF]     where trailers are announced
 *     CRLF
 *
 * SIZE is hexadecimal. Data is handed on as it comes, before its signature is known: whoever takes
 * it must be able to forget it until chunked_end said CHUNKED_GOOD.
 */
#ifndef PVBOOT_CLOUD_AWS_CHUNKED_H
#define PVBOOT_CLOUD_AWS_CHUNKED_H

#include "cloud/aws/sign.h"

#define CHUNKED_TRAILERS_MAX 4

enum chunked_result {
    CHUNKED_GOOD,
    CHUNKED_BROKEN,  /* not of that form */
    CHUNKED_WRONG,   /* a signature is another one */
    CHUNKED_LENGTH,  /* more or less data than was announced */
    CHUNKED_TRAILER, /* a trailer is missing, or was not announced */
    CHUNKED_STOPPED, /* the taker does not want more */
};

struct chunked_how {
    const struct sign_claim *claim; /* of the request; NULL: chunks are not signed */
    const char *secret;
    const char *trailers; /* x-amz-trailer: names with commas between, or NULL */
    uint64_t data_bytes;  /* x-amz-decoded-content-length */
    bool (*take)(void *arg, const void *bytes, size_t len);
    void *arg;
};

struct chunked;

/* NULL: the trailers that are announced, or the claim, are not usable. */
struct chunked *chunked_begin(const struct chunked_how *how);

/* The next piece of the body. After anything but CHUNKED_GOOD, `why` is a static sentence. */
enum chunked_result chunked_add(struct chunked *c, const void *bytes, size_t len, const char **why);

/* The body is over: was it whole? */
enum chunked_result chunked_end(struct chunked *c, const char **why);

/* The value of a trailer, or NULL. */
const char *chunked_trailer(const struct chunked *c, const char *name);

void chunked_free(struct chunked *c);

#endif

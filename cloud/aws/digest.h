/* SPDX-License-Identifier: MIT */
/* The three digests that a file has on its way into a bucket, in one pass over it. */
#ifndef PVBOOT_CLOUD_AWS_DIGEST_H
#define PVBOOT_CLOUD_AWS_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "host/stop.h"

#define DIGEST_SHA1_BYTES   20
#define DIGEST_MD5_BYTES    16
#define DIGEST_SHA256_BYTES 32

struct digest {
    uint64_t size_bytes;
    uint8_t sha1[DIGEST_SHA1_BYTES];     /* what manifests name */
    uint8_t md5[DIGEST_MD5_BYTES];       /* Content-MD5, and the ETag of the answer */
    uint8_t sha256[DIGEST_SHA256_BYTES]; /* what the request's signature covers */
};

/* Of the whole file. False with errno set; EINTR when `stop` (may be NULL) became 1. */
bool digest_file(int fd, const stop_flag *stop, struct digest *out);

/* As Content-MD5 has it: out[25]. */
void digest_base64(const struct digest *d, char out[25]);

#endif

/* SPDX-License-Identifier: MIT */
/* The checksums that S3's clients send with a body, as x-amz-checksum-NAME, in base64. */
#ifndef PVBOOT_CLOUD_AWS_CHECKSUM_H
#define PVBOOT_CLOUD_AWS_CHECKSUM_H

#include <openssl/evp.h>
#include <stdbool.h>
#include <stdint.h>

#define CHECKSUM_HEADER     "x-amz-checksum-"
#define CHECKSUM_TEXT_BYTES 48

enum checksum_kind {
    CHECKSUM_CRC32,
    CHECKSUM_CRC32C,
    CHECKSUM_CRC64NVME,
    CHECKSUM_SHA1,
    CHECKSUM_SHA256,
    CHECKSUM_KINDS
};

struct checksum {
    enum checksum_kind kind;
    uint64_t crc;
    EVP_MD_CTX *md; /* NULL: a CRC */
};

/* "crc32", as in the header's name. */
const char *checksum_name(enum checksum_kind kind);

/* False: no memory. */
bool checksum_begin(struct checksum *c, enum checksum_kind kind);
void checksum_add(struct checksum *c, const void *bytes, size_t len);

/* Once. */
void checksum_end(struct checksum *c, char out[CHECKSUM_TEXT_BYTES]);
void checksum_free(struct checksum *c);

#endif

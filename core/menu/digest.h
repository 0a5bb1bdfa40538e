/* SPDX-License-Identifier: MIT */
/*
 * MD5, SHA-256 and SHA-512 of bytes that come piece by piece: one front over the library that
 * computes them (Mbed TLS, libmbedcrypto). Only crypt.c uses it.
 */
#ifndef PVBOOT_MENU_DIGEST_H
#define PVBOOT_MENU_DIGEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include <mbedtls/md5.h>
#include <mbedtls/sha256.h>
#include <mbedtls/sha512.h>

enum digest_kind { DIGEST_MD5, DIGEST_SHA256, DIGEST_SHA512 };

#define DIGEST_BYTES_MAX 64

struct digest {
    enum digest_kind kind;
    bool bad; /* a call of the library failed, since digest_init; no result counts then */
    union {
        mbedtls_md5_context md5;
        mbedtls_sha256_context sha256;
        mbedtls_sha512_context sha512;
    } state;
};

/* Bytes of a result: 16, 32 or 64. */
size_t digest_bytes(enum digest_kind kind);

void digest_init(struct digest *d, enum digest_kind kind);

/* A new message; any number of them may follow each other. */
void digest_begin(struct digest *d);
void digest_add(struct digest *d, const void *data, size_t len);

/* out[0..digest_bytes) is the digest of what was added since digest_begin. */
void digest_end(struct digest *d, uint8_t *out);

/* Overwrite the state, which may hold parts of a password. */
void digest_wipe(struct digest *d);

#endif

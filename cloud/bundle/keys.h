/* SPDX-License-Identifier: MIT */
/*
 * RSA keys as bundles use them: SHA-1 and RSASSA-PKCS1-v1_5 for the signature, RSAES-PKCS1-v1_5 for
 * the key of the bundle. Both are what the format asks for, not what one would choose today.
 */
#ifndef PVBOOT_CLOUD_BUNDLE_KEYS_H
#define PVBOOT_CLOUD_BUNDLE_KEYS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct key;

#define KEY_RSA_BYTES_MAX 1024 /* 8192 bits */

struct key_range {
    const void *bytes;
    size_t len;
};

/* A private key from a PEM file. NULL: `why` is the sentence, as everywhere here. */
struct key *key_private(const char *path, char *why, size_t why_cap);
/* The public key of a certificate, or a public key, from a PEM file. */
struct key *key_public(const char *path, char *why, size_t why_cap);
void key_free(struct key *k); /* NULL is allowed */

/* Do a private and a public one belong together? */
bool key_same(const struct key *a, const struct key *b);

/* Hexadecimal, terminated, by malloc. NULL: why. */
char *key_sign(struct key *k, const struct key_range *ranges, size_t nr, char *why, size_t why_cap);
bool key_verify(struct key *k, const struct key_range *ranges, size_t nr, const char *signature_hex,
                char *why, size_t why_cap);

/* Encrypt text to hexadecimal, by malloc; and back, terminated in out[0..cap). */
char *key_encrypt(struct key *k, const char *text, char *why, size_t why_cap);
bool key_decrypt(struct key *k, const char *hex, char *out, size_t cap, char *why, size_t why_cap);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * crypt(3)'s hashes of passwords, as GRUB 0.97 and its successors in distributions know them:
 *
 *     $1$SALT$SUM                  MD5, 1,000 rounds
 *     $5$[rounds=N$]SALT$SUM       SHA-256, 5,000 rounds if it does not say
 *     $6$[rounds=N$]SALT$SUM       SHA-512, the same
 *
 * Sources: the scheme of FreeBSD's MD5 crypt; U. Drepper's "Unix crypt using SHA-256 and SHA-512".
 */
#ifndef PVBOOT_MENU_CRYPT_H
#define PVBOOT_MENU_CRYPT_H

#include "core/base/err.h"
#include "core/menu/digest.h"

#define CRYPT_SUM_MAX    86  /* characters of the longest SUM */
#define CRYPT_TYPED_MAX  512 /* bytes of a password; crypt(3)'s own cap */
#define CRYPT_ROUNDS_MIN 1000u
/*
 * The specification allows 999,999,999, which would hold a machine for minutes at each try. This
 * many take two or three seconds for a password of up to 64 bytes, and in a 32-bit build fifteen;
 * tools that write hashes stay far below.
 */
#define CRYPT_ROUNDS_MAX 5000000u

/* A hash, taken apart. The texts lie in what was parsed. */
struct crypt_hash {
    enum digest_kind digest;
    uint32_t rounds;
    const char *salt; /* cut to what counts: 8 bytes for MD5, 16 otherwise */
    size_t salt_len;
    const char *sum; /* crypt_sum_len characters */
};

size_t crypt_sum_len(enum digest_kind kind);

/*
 * Take the hash text[0..len) apart. ERR_BAD_ARGUMENT: of another kind, or malformed so that no
 * password can match it. ERR_LIMIT: more rounds than CRYPT_ROUNDS_MAX. Fewer than CRYPT_ROUNDS_MIN
 * count as CRYPT_ROUNDS_MIN, as the specification says.
 */
struct err crypt_split(struct crypt_hash *out, const char *text, size_t len);

/*
 * The SUM of typed[0..len) under h's digest, rounds and salt, into out[0..crypt_sum_len), not
 * terminated. h->sum is not used. ERR_LIMIT: len is more than CRYPT_TYPED_MAX.
 */
struct err crypt_sum(const struct crypt_hash *h, const char *typed, size_t len,
                     char out[CRYPT_SUM_MAX]);

/* The 64 characters of salts and sums, in the order of their values. */
extern const char crypt_alphabet[65];

#endif

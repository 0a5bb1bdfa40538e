/* SPDX-License-Identifier: MIT */
/* What the files of the signatures share among themselves. */
#ifndef PVBOOT_CLOUD_AWS_SIGN_PRIV_H
#define PVBOOT_CLOUD_AWS_SIGN_PRIV_H

#include "cloud/aws/sign.h"

/* The signature that `secret` gives for what the claim says, as text; false: cannot be made. */
bool sign_v4_expected(const struct sign_request *req, const struct sign_claim *claim,
                      const char *secret, struct buf *out);
bool sign_v2_query_expected(const struct sign_request *req, const struct sign_claim *claim,
                            const char *secret, struct buf *out);

/* The key of the claim's day, region and service. */
bool sign_v4_key(const struct sign_claim *claim, const char *secret, unsigned char out[32]);

/* HMAC-SHA256 with such a key, as hexadecimal text. */
bool sign_v4_mac_hex(const unsigned char key[32], const char *text, size_t len,
                     char out[SIGN_SHA256_HEX]);

/* A bucket alone is signed with a slash behind it, or, by some clients, as it is (`bare`). */
bool sign_v2_s3_expected(const struct sign_request *req, const struct sign_claim *claim, bool bare,
                         const char *secret, struct buf *out);

enum sign_verdict sign_v2_read(const struct sign_request *req, struct sign_claim *out,
                               const char **why);

/* strcpy with an end: false when it does not fit. */
bool sign_copy(char *out, size_t cap, const char *s, size_t len);

/* Base64 of HMAC; `digest` is "SHA1" or "SHA256". */
bool sign_hmac_base64(const char *digest, const char *secret, const struct buf *text,
                      struct buf *out);

#endif

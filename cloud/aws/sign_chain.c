/* SPDX-License-Identifier: MIT */
/*
 * Signatures of bodies that are sent in pieces, as Amazon's documentation of S3 has them:
 * "Signature Calculations for the Authorization Header: Transferring Payload in Multiple Chunks"
 * and "Including Trailing Headers".
 */
#include "cloud/aws/sign_priv.h"

#include <openssl/crypto.h>
#include <string.h>

bool sign_chain_begin(const struct sign_claim *claim, const char *secret, struct sign_chain *out)
{
    struct buf scope = {0};
    bool good;

    memset(out, 0, sizeof(*out));
    buf_printf(&scope, "%s/%s/%s/aws4_request", claim->day, claim->region, claim->service);
    good = (claim->scheme == SIGN_V4_HEADER || claim->scheme == SIGN_V4_QUERY) &&
           sign_copy(out->scope, sizeof(out->scope), scope.text, scope.len) &&
           sign_copy(out->time, sizeof(out->time), claim->time, strlen(claim->time)) &&
           sign_copy(out->previous, sizeof(out->previous), claim->signature,
                     strlen(claim->signature)) &&
           sign_v4_key(claim, secret, out->key);
    buf_free(&scope);
    return good;
}

bool sign_chain_check(struct sign_chain *c, enum sign_link link, const char *sha256_hex,
                      const char *signature)
{
    char empty[SIGN_SHA256_HEX], expected[SIGN_SHA256_HEX];
    struct buf text = {0};
    bool same;

    sign_sha256_hex("", 0, empty);
    buf_printf(&text, "AWS4-HMAC-SHA256-%s\n%s\n%s\n%s\n%s%s%s",
               link == SIGN_LINK_DATA ? "PAYLOAD" : "TRAILER", c->time, c->scope, c->previous,
               link == SIGN_LINK_DATA ? empty : "", link == SIGN_LINK_DATA ? "\n" : "", sha256_hex);
    same = sign_v4_mac_hex(c->key, text.text, text.len, expected) &&
           strlen(signature) == strlen(expected) &&
           CRYPTO_memcmp(signature, expected, strlen(expected)) == 0;
    if (same)
        memcpy(c->previous, expected, sizeof(expected));
    OPENSSL_cleanse(expected, sizeof(expected));
    buf_free(&text);
    return same;
}

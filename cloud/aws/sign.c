/* SPDX-License-Identifier: MIT */
/* Who claims to have signed, and is it so; see sign.h. */
#include "cloud/aws/sign_priv.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cloud/aws/uri.h"
#include "host/hex.h"

static const char v4_algorithm[] = "AWS4-HMAC-SHA256";

bool sign_copy(char *out, size_t cap, const char *s, size_t len)
{
    if (len >= cap)
        return false;
    memcpy(out, s, len);
    out[len] = 0;
    return true;
}

const char *sign_header_get(const struct sign_request *req, const char *name)
{
    for (size_t i = 0; i < req->nr_headers; i++)
        if (strcasecmp(req->headers[i].name, name) == 0)
            return req->headers[i].value;
    return NULL;
}

void sign_sha256_hex(const void *bytes, size_t len, char out[SIGN_SHA256_HEX])
{
    unsigned char md[32];

    EVP_Digest(bytes, len, md, NULL, EVP_sha256(), NULL);
    hex_write(md, sizeof(md), out);
}

bool sign_hmac_base64(const char *digest, const char *secret, const struct buf *text,
                      struct buf *out)
{
    const EVP_MD *md = strcmp(digest, "SHA1") == 0 ? EVP_sha1() : EVP_sha256();
    unsigned char mac[EVP_MAX_MD_SIZE];
    unsigned char encoded[2 * EVP_MAX_MD_SIZE];
    unsigned mac_len = 0;
    int len;

    if (!HMAC(md, secret, (int)strlen(secret), (const unsigned char *)text->text, text->len, mac,
              &mac_len))
        return false;
    len = EVP_EncodeBlock(encoded, mac, (int)mac_len);
    buf_add(out, encoded, (size_t)len);
    return true;
}

bool sign_parse_time(const char *text, int64_t *out_s)
{
    struct tm tm = {0};
    const char *end;

    if (strlen(text) != 16 || strspn(text, "0123456789TZ") != 16)
        return false;
    end = strptime(text, "%Y%m%dT%H%M%SZ", &tm);
    if (!end || *end)
        return false;
    *out_s = timegm(&tm);
    return true;
}

/* Day/region/service/aws4_request behind the access key. */
static bool read_credential(const char *text, size_t len, struct sign_claim *out)
{
    const char *part[5];
    size_t part_len[5];

    for (size_t i = 0; i < 5; i++) {
        const char *slash = memchr(text, '/', len);
        size_t this_len = slash ? (size_t)(slash - text) : len;

        if ((i < 4) != (slash != NULL) || this_len == 0)
            return false;
        part[i] = text;
        part_len[i] = this_len;
        text += this_len + (slash != NULL);
        len -= this_len + (slash != NULL);
    }
    return sign_copy(out->access_key, sizeof(out->access_key), part[0], part_len[0]) &&
           sign_copy(out->day, sizeof(out->day), part[1], part_len[1]) && part_len[1] == 8 &&
           sign_copy(out->region, sizeof(out->region), part[2], part_len[2]) &&
           sign_copy(out->service, sizeof(out->service), part[3], part_len[3]) &&
           part_len[4] == 12 && memcmp(part[4], "aws4_request", 12) == 0;
}

/* Credential=..., SignedHeaders=..., Signature=... in any order, commas and blanks between. */
static bool read_v4_parts(const char *text, struct sign_claim *out)
{
    unsigned seen = 0;

    for (unsigned i = 0; i < 3; i++) {
        size_t name_len, len;

        text += strspn(text, " ,");
        name_len = strcspn(text, "=");
        if (text[name_len] != '=')
            return false;
        len = strcspn(text + name_len + 1, ", ");
        if (name_len == 10 && memcmp(text, "Credential", 10) == 0) {
            if (!read_credential(text + 11, len, out))
                return false;
            seen |= 1;
        } else if (name_len == 13 && memcmp(text, "SignedHeaders", 13) == 0) {
            if (!sign_copy(out->signed_headers, sizeof(out->signed_headers), text + 14, len))
                return false;
            seen |= 2;
        } else if (name_len == 9 && memcmp(text, "Signature", 9) == 0) {
            if (!sign_copy(out->signature, sizeof(out->signature), text + 10, len))
                return false;
            seen |= 4;
        } else {
            return false;
        }
        text += name_len + 1 + len;
    }
    return seen == 7 && text[strspn(text, " ")] == 0;
}

static bool read_time(const char *text, struct sign_claim *out)
{
    return text && sign_parse_time(text, &out->signed_at_s) &&
           sign_copy(out->time, sizeof(out->time), text, strlen(text));
}

static enum sign_verdict read_v4_header(const struct sign_request *req, const char *authorization,
                                        struct sign_claim *out, const char **why)
{
    out->scheme = SIGN_V4_HEADER;
    if (!read_v4_parts(authorization + sizeof(v4_algorithm) - 1, out)) {
        *why = "The Authorization header must be \"AWS4-HMAC-SHA256 "
               "Credential=KEY/DAY/REGION/SERVICE/aws4_request, SignedHeaders=..., "
               "Signature=...\".";
        return SIGN_INCOMPLETE;
    }
    if (!read_time(sign_header_get(req, "X-Amz-Date"), out)) {
        *why = "The X-Amz-Date header must hold the time of signing as 20260131T235959Z.";
        return SIGN_INCOMPLETE;
    }
    return SIGN_GOOD;
}

static bool read_expires(const char *text, struct sign_claim *out)
{
    int64_t expires_s = 0;

    if (!text || !*text || strlen(text) > 6 || text[strspn(text, "0123456789")])
        return false;
    while (*text)
        expires_s = expires_s * 10 + (*text++ - '0');
    if (expires_s < 1 || expires_s > SIGN_EXPIRES_MAX_S)
        return false;
    out->valid_until_s = out->signed_at_s + expires_s;
    return true;
}

static enum sign_verdict read_v4_query(const struct uri_pairs *query, struct sign_claim *out,
                                       const char **why)
{
    const char *algorithm = uri_pairs_get(query, "X-Amz-Algorithm");
    const char *credential = uri_pairs_get(query, "X-Amz-Credential");
    const char *names = uri_pairs_get(query, "X-Amz-SignedHeaders");
    const char *signature = uri_pairs_get(query, "X-Amz-Signature");

    out->scheme = SIGN_V4_QUERY;
    *why = "A presigned address needs X-Amz-Algorithm (AWS4-HMAC-SHA256), X-Amz-Credential, "
           "X-Amz-SignedHeaders and X-Amz-Signature.";
    if (!algorithm || strcmp(algorithm, v4_algorithm) != 0 || !credential || !names || !signature)
        return SIGN_INCOMPLETE;
    if (!read_credential(credential, strlen(credential), out) ||
        !sign_copy(out->signed_headers, sizeof(out->signed_headers), names, strlen(names)) ||
        !sign_copy(out->signature, sizeof(out->signature), signature, strlen(signature)))
        return SIGN_INCOMPLETE;
    if (!read_time(uri_pairs_get(query, "X-Amz-Date"), out)) {
        *why = "X-Amz-Date must be the time of signing as 20260131T235959Z.";
        return SIGN_INCOMPLETE;
    }
    if (!read_expires(uri_pairs_get(query, "X-Amz-Expires"), out)) {
        *why = "X-Amz-Expires must be a number of seconds from 1 to 604800 (a week).";
        return SIGN_INCOMPLETE;
    }
    *why = NULL;
    return SIGN_GOOD;
}

enum sign_verdict sign_read(const struct sign_request *req, struct sign_claim *out,
                            const char **why)
{
    const char *authorization = sign_header_get(req, "Authorization");
    enum sign_verdict verdict = SIGN_GOOD;
    struct uri_pairs query;

    memset(out, 0, sizeof(*out));
    out->signed_at_s = INT64_MIN;
    out->valid_until_s = INT64_MAX;
    *why = NULL;
    if (req->nr_headers > SIGN_HEADERS_MAX) {
        *why = "The request has more than 128 headers.";
        return SIGN_INCOMPLETE;
    }
    if (authorization && strncmp(authorization, v4_algorithm, sizeof(v4_algorithm) - 1) == 0)
        return read_v4_header(req, authorization, out, why);
    if (!uri_pairs_parse(req->query, &query)) {
        *why = "The query string has a broken %-escape, a NUL, or too many parameters.";
        return SIGN_INCOMPLETE;
    }
    if (!authorization && uri_pairs_get(&query, "X-Amz-Signature"))
        verdict = read_v4_query(&query, out, why);
    else
        verdict = sign_v2_read(req, out, why);
    uri_pairs_free(&query);
    return verdict;
}

/* Is `name` one of the claim's signed headers? */
static bool is_signed(const struct sign_claim *claim, const char *name)
{
    size_t len = strlen(name);

    for (const char *p = claim->signed_headers; *p;) {
        size_t this_len = strcspn(p, ";");

        if (this_len == len && strncasecmp(p, name, len) == 0)
            return true;
        p += this_len + (p[this_len] == ';');
    }
    return false;
}

/* What V4 must cover: Host, and each header that changes what the request does. */
static enum sign_verdict check_v4_cover(const struct sign_request *req,
                                        const struct sign_claim *claim, const char **why)
{
    if (!is_signed(claim, "host")) {
        *why = "The Host header must be one of the signed headers.";
        return SIGN_UNCOVERED;
    }
    for (size_t i = 0; i < req->nr_headers; i++) {
        if (strncasecmp(req->headers[i].name, "x-amz-", 6) == 0 &&
            !is_signed(claim, req->headers[i].name)) {
            *why = "The request has an X-Amz- header that is not one of the signed headers.";
            return SIGN_UNCOVERED;
        }
    }
    return SIGN_GOOD;
}

static enum sign_verdict check_scope(const struct sign_claim *claim,
                                     const struct sign_policy *policy, const char **why)
{
    if (strcmp(claim->service, policy->service) != 0) {
        *why = "The signature is for another service.";
        return SIGN_WRONG_SCOPE;
    }
    if (strcmp(claim->region, policy->region) != 0) {
        *why = "The signature is for another region; set the client's region to this one's.";
        return SIGN_WRONG_SCOPE;
    }
    if (memcmp(claim->day, claim->time, 8) != 0) {
        *why = "The day in the credential is not the day of X-Amz-Date.";
        return SIGN_WRONG_SCOPE;
    }
    return SIGN_GOOD;
}

static enum sign_verdict check_time(const struct sign_claim *claim,
                                    const struct sign_policy *policy, const char **why)
{
    int64_t signed_at_s = claim->signed_at_s;

    if (claim->valid_until_s != INT64_MAX) {
        if (policy->now_s > claim->valid_until_s) {
            *why = "The signature has expired; make a new one.";
            return SIGN_EXPIRED;
        }
    } else if (signed_at_s != INT64_MIN && signed_at_s < policy->now_s - policy->skew_s) {
        *why = "The request was signed too long ago; set the client's clock right and sign again.";
        return SIGN_SKEWED;
    }
    if (signed_at_s != INT64_MIN && signed_at_s > policy->now_s + policy->skew_s) {
        *why = "The time of signing lies in the future; set the client's clock right.";
        return SIGN_SKEWED;
    }
    return SIGN_GOOD;
}

static bool expected_signature(const struct sign_request *req, const struct sign_claim *claim,
                               bool bare, const char *secret, struct buf *out)
{
    switch (claim->scheme) {
    case SIGN_V4_HEADER:
    case SIGN_V4_QUERY:
        return sign_v4_expected(req, claim, secret, out);
    case SIGN_V2_QUERY:
        return sign_v2_query_expected(req, claim, secret, out);
    case SIGN_V2_S3_HEADER:
    case SIGN_V2_S3_QUERY:
        return sign_v2_s3_expected(req, claim, bare, secret, out);
    case SIGN_ANONYMOUS:
        break;
    }
    return false;
}

static bool is_signature(const struct sign_request *req, const struct sign_claim *claim, bool bare,
                         const char *secret, bool *made)
{
    struct buf expected = {0};
    bool same;

    buf_clear(&expected);
    *made = expected_signature(req, claim, bare, secret, &expected);
    same = *made && expected.len == strlen(claim->signature) &&
           CRYPTO_memcmp(expected.text, claim->signature, expected.len) == 0;
    OPENSSL_cleanse(expected.text, expected.len);
    buf_free(&expected);
    return same;
}

enum sign_verdict sign_check(const struct sign_request *req, const struct sign_claim *claim,
                             const char *secret, const struct sign_policy *policy, const char **why)
{
    bool v4 = claim->scheme == SIGN_V4_HEADER || claim->scheme == SIGN_V4_QUERY;
    enum sign_verdict verdict = SIGN_GOOD;
    bool made, same;

    *why = NULL;
    same = is_signature(req, claim, false, secret, &made);
    if (!same && made && (claim->scheme == SIGN_V2_S3_HEADER || claim->scheme == SIGN_V2_S3_QUERY))
        same = is_signature(req, claim, true, secret, &made);
    /* First whether it is the right secret: what follows is told to its owner alone. */
    if (!made) {
        *why = "What the signature says to cover cannot be found in the request.";
        return SIGN_INCOMPLETE;
    }
    if (v4)
        verdict = check_scope(claim, policy, why);
    if (verdict == SIGN_GOOD && !same) {
        *why = "The signature is not the one that this request gives; look at the secret key, and "
               "at what may have changed the request on its way.";
        return SIGN_WRONG;
    }
    if (verdict == SIGN_GOOD)
        verdict = check_time(claim, policy, why);
    if (verdict == SIGN_GOOD && v4)
        verdict = check_v4_cover(req, claim, why);
    return verdict;
}

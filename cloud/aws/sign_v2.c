/* SPDX-License-Identifier: MIT */
/* Signature Version 2, of the Query API and of S3; see sign.h. */
#include "cloud/aws/sign_priv.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>
#include <time.h>

#include "cloud/aws/uri.h"

/* The parameters of query and form together; the caller frees. */
static bool read_parameters(const struct sign_request *req, struct uri_pairs *out)
{
    struct buf both = {0};
    bool good;

    buf_printf(&both, "%s%s%s", req->query, req->form && *req->form && *req->query ? "&" : "",
               req->form ? req->form : "");
    good = uri_pairs_parse(both.text, out);
    buf_free(&both);
    return good;
}

/* 2026-01-31T23:59:59Z, with or without fractions, or with "Z" left out. */
static bool parse_iso(const char *text, int64_t *out_s)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%Y-%m-%dT%H:%M:%S", &tm);

    if (end && *end == '.')
        end += 1 + strspn(end + 1, "0123456789");
    if (!end || strcmp(*end == 'Z' ? end + 1 : end, "") != 0)
        return false;
    *out_s = timegm(&tm);
    return true;
}

static bool take(char *out, size_t cap, const char *value)
{
    return value && *value && sign_copy(out, cap, value, strlen(value));
}

static enum sign_verdict read_query(const struct uri_pairs *p, struct sign_claim *out,
                                    const char **why)
{
    const char *timestamp = uri_pairs_get(p, "Timestamp"), *expires = uri_pairs_get(p, "Expires");

    out->scheme = SIGN_V2_QUERY;
    *why = "Signature version 2 needs AWSAccessKeyId, Signature, and SignatureMethod HmacSHA256 or "
           "HmacSHA1.";
    if (!take(out->access_key, sizeof(out->access_key), uri_pairs_get(p, "AWSAccessKeyId")) ||
        !take(out->signature, sizeof(out->signature), uri_pairs_get(p, "Signature")) ||
        !take(out->algorithm, sizeof(out->algorithm), uri_pairs_get(p, "SignatureMethod")) ||
        (strcmp(out->algorithm, "HmacSHA256") != 0 && strcmp(out->algorithm, "HmacSHA1") != 0))
        return SIGN_INCOMPLETE;
    *why = "Exactly one of Timestamp and Expires must be given, as 2026-01-31T23:59:59Z.";
    if ((timestamp != NULL) == (expires != NULL) ||
        (timestamp && !parse_iso(timestamp, &out->signed_at_s)) ||
        (expires && !parse_iso(expires, &out->valid_until_s)))
        return SIGN_INCOMPLETE;
    *why = NULL;
    return SIGN_GOOD;
}

static enum sign_verdict read_s3_query(const struct uri_pairs *p, struct sign_claim *out,
                                       const char **why)
{
    const char *expires = uri_pairs_get(p, "Expires");

    out->scheme = SIGN_V2_S3_QUERY;
    *why = "A presigned address of version 2 needs AWSAccessKeyId, Signature, and Expires in "
           "seconds since 1970.";
    if (!take(out->access_key, sizeof(out->access_key), uri_pairs_get(p, "AWSAccessKeyId")) ||
        !take(out->signature, sizeof(out->signature), uri_pairs_get(p, "Signature")) || !expires ||
        !*expires || strlen(expires) > 12 || expires[strspn(expires, "0123456789")])
        return SIGN_INCOMPLETE;
    out->valid_until_s = strtoll(expires, NULL, 10);
    *why = NULL;
    return SIGN_GOOD;
}

/* The address alone: a form is nothing that S3's version 2 signs. */
static enum sign_verdict read_s3_address(const struct sign_request *req, struct sign_claim *out,
                                         const char **why)
{
    enum sign_verdict verdict = SIGN_GOOD;
    struct uri_pairs p;

    if (!uri_pairs_parse(req->query, &p)) {
        *why = "The query string has a broken %-escape, a NUL, or too many parameters.";
        return SIGN_INCOMPLETE;
    }
    if (uri_pairs_get(&p, "AWSAccessKeyId") && uri_pairs_get(&p, "Signature"))
        verdict = read_s3_query(&p, out, why);
    uri_pairs_free(&p);
    return verdict;
}

static bool parse_http_date(const char *text, int64_t *out_s)
{
    struct tm tm = {0};
    const char *end = strptime(text, "%a, %d %b %Y %H:%M:%S", &tm);

    if (!end || (strcmp(end, " GMT") != 0 && strcmp(end, " +0000") != 0))
        return false;
    *out_s = timegm(&tm);
    return true;
}

static enum sign_verdict read_s3_header(const struct sign_request *req, const char *authorization,
                                        struct sign_claim *out, const char **why)
{
    const char *colon = strrchr(authorization, ':');
    const char *date = sign_header_get(req, "X-Amz-Date");

    out->scheme = SIGN_V2_S3_HEADER;
    *why = "The Authorization header must be \"AWS KEY:SIGNATURE\".";
    if (!colon || colon - authorization < 5 ||
        !sign_copy(out->access_key, sizeof(out->access_key), authorization + 4,
                   (size_t)(colon - authorization) - 4) ||
        !take(out->signature, sizeof(out->signature), colon + 1))
        return SIGN_INCOMPLETE;
    if (!date)
        date = sign_header_get(req, "Date");
    *why = "A Date or X-Amz-Date header must hold the time of signing as "
           "\"Sat, 31 Jan 2026 23:59:59 GMT\".";
    if (!date || !parse_http_date(date, &out->signed_at_s))
        return SIGN_INCOMPLETE;
    *why = NULL;
    return SIGN_GOOD;
}

enum sign_verdict sign_v2_read(const struct sign_request *req, struct sign_claim *out,
                               const char **why)
{
    const char *authorization = sign_header_get(req, "Authorization");
    enum sign_verdict verdict = SIGN_GOOD;
    const char *version;
    struct uri_pairs p;

    if (authorization) {
        if (strncmp(authorization, "AWS ", 4) == 0)
            return read_s3_header(req, authorization, out, why);
        *why = "The Authorization header is of no kind known here: AWS4-HMAC-SHA256 or AWS.";
        return SIGN_INCOMPLETE;
    }
    if (!read_parameters(req, &p)) {
        *why = "The parameters have a broken %-escape, a NUL, or are too many.";
        return SIGN_INCOMPLETE;
    }
    version = uri_pairs_get(&p, "SignatureVersion");
    if (version && strcmp(version, "2") == 0) {
        verdict = read_query(&p, out, why);
    } else if (version) {
        *why = "SignatureVersion must be 2; version 4 is signed in the Authorization header.";
        verdict = SIGN_INCOMPLETE;
    } else {
        verdict = read_s3_address(req, out, why);
    }
    uri_pairs_free(&p);
    return verdict;
}

static void add_lower(struct buf *out, const char *s)
{
    for (; *s; s++) {
        char c = (char)(*s >= 'A' && *s <= 'Z' ? *s + 32 : *s);
        buf_add(out, &c, 1);
    }
}

bool sign_v2_query_expected(const struct sign_request *req, const struct sign_claim *claim,
                            const char *secret, struct buf *out)
{
    const char *host = sign_header_get(req, "Host");
    struct buf text = {0};
    struct uri_pairs p;
    bool good;

    if (!host || !read_parameters(req, &p))
        return false;
    buf_printf(&text, "%s\n", req->method);
    add_lower(&text, host);
    buf_printf(&text, "\n%s\n", *req->path ? req->path : "/");
    uri_pairs_canonical(&p, "Signature", &text);
    uri_pairs_free(&p);
    good = sign_hmac_base64(strcmp(claim->algorithm, "HmacSHA1") == 0 ? "SHA1" : "SHA256", secret,
                            &text, out);
    buf_free(&text);
    return good;
}

struct amz_header {
    const char *name;
    size_t order;
};

static int compare_amz(const void *a, const void *b)
{
    const struct amz_header *x = a, *y = b;
    int order = strcasecmp(x->name, y->name);

    return order ? order : (x->order > y->order) - (x->order < y->order);
}

/* x-amz- headers in order of their names; one line each, values of the same name joined. */
static bool add_amz_headers(const struct sign_request *req, struct buf *out)
{
    struct amz_header list[SIGN_HEADERS_MAX];
    size_t nr = 0;

    if (req->nr_headers > SIGN_HEADERS_MAX)
        return false;
    for (size_t i = 0; i < req->nr_headers; i++)
        if (strncasecmp(req->headers[i].name, "x-amz-", 6) == 0)
            list[nr++] = (struct amz_header){req->headers[i].name, i};
    if (nr > 1)
        qsort(list, nr, sizeof(list[0]), compare_amz);
    for (size_t i = 0; i < nr; i++) {
        if (i > 0 && strcasecmp(list[i].name, list[i - 1].name) == 0) {
            out->text[--out->len] = 0;
            buf_puts(out, ",");
        } else {
            add_lower(out, list[i].name);
            buf_puts(out, ":");
        }
        buf_printf(out, "%s\n", req->headers[list[i].order].value);
    }
    return true;
}

/*
 * The parameters that version 2 signs, in byte order, as Amazon's documentation of S3 lists them
 * ("Signing and authenticating REST requests", "Constructing the CanonicalizedResource element"):
 * sub-resources, what overrides headers of the answer, and "delete" for deletions of many objects.
 * Sub-resources that S3 got later are not among them; they are for version 4.
 */
static const char *const sub_resources[] = {
    "acl",
    "delete",
    "lifecycle",
    "location",
    "logging",
    "notification",
    "partNumber",
    "policy",
    "requestPayment",
    "response-cache-control",
    "response-content-disposition",
    "response-content-encoding",
    "response-content-language",
    "response-content-type",
    "response-expires",
    "torrent",
    "uploadId",
    "uploads",
    "versionId",
    "versioning",
    "versions",
    "website",
};

static void add_sub_resources(const struct uri_pairs *p, struct buf *out)
{
    const char *separator = "?";

    for (size_t i = 0; i < sizeof(sub_resources) / sizeof(sub_resources[0]); i++) {
        const char *value = uri_pairs_get(p, sub_resources[i]);

        if (!value)
            continue;
        buf_printf(out, "%s%s%s%s", separator, sub_resources[i], *value ? "=" : "", value);
        separator = "&";
    }
}

bool sign_v2_s3_expected(const struct sign_request *req, const struct sign_claim *claim, bool bare,
                         const char *secret, struct buf *out)
{
    const char *md5 = sign_header_get(req, "Content-MD5");
    const char *type = sign_header_get(req, "Content-Type");
    const char *date = sign_header_get(req, "Date"), *expires;
    struct buf text = {0};
    struct uri_pairs p;
    bool good;

    if (!uri_pairs_parse(req->query, &p))
        return false;
    expires = uri_pairs_get(&p, "Expires");
    buf_printf(&text, "%s\n%s\n%s\n", req->method, md5 ? md5 : "", type ? type : "");
    if (claim->scheme == SIGN_V2_S3_QUERY)
        buf_puts(&text, expires ? expires : "");
    else if (date && !sign_header_get(req, "X-Amz-Date"))
        buf_puts(&text, date);
    buf_puts(&text, "\n");
    good = add_amz_headers(req, &text);
    buf_puts(&text, req->path);
    /* A bucket alone is signed as if it stood in the host's name: with a slash behind it. */
    if (!bare && req->path[0] == '/' && req->path[1] && !strchr(req->path + 1, '/'))
        buf_puts(&text, "/");
    add_sub_resources(&p, &text);
    uri_pairs_free(&p);
    good = good && sign_hmac_base64("SHA1", secret, &text, out);
    buf_free(&text);
    return good;
}

bool sign_v2_query(const struct sign_request *req, const struct sign_key *key, struct buf *out)
{
    struct sign_claim claim = {.scheme = SIGN_V2_QUERY};
    struct uri_pairs p;
    const char *method;
    bool good;

    if (!read_parameters(req, &p))
        return false;
    method = uri_pairs_get(&p, "SignatureMethod");
    good = take(claim.algorithm, sizeof(claim.algorithm), method) &&
           sign_v2_query_expected(req, &claim, key->secret, out);
    uri_pairs_free(&p);
    return good;
}

bool sign_v2_s3_header(const struct sign_request *req, const struct sign_key *key, struct buf *out)
{
    struct sign_claim claim = {.scheme = SIGN_V2_S3_HEADER};

    buf_printf(out, "AWS %s:", key->access_key);
    return sign_v2_s3_expected(req, &claim, false, key->secret, out);
}

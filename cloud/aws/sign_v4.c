/* SPDX-License-Identifier: MIT */
/* Signature Version 4: the canonical request, the derived key, the signature; see sign.h. */
#include "cloud/aws/sign_priv.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "cloud/aws/uri.h"
#include "host/hex.h"

/* Runs of blanks become one, none at the ends. */
static void add_trimmed(struct buf *out, const char *value)
{
    bool gap = false, begun = false;

    for (; *value; value++) {
        if (*value == ' ' || *value == '\t') {
            gap = begun;
            continue;
        }
        if (gap)
            buf_puts(out, " ");
        buf_add(out, value, 1);
        gap = false;
        begun = true;
    }
}

/* One line for each signed header; false when one of them is not there. */
static bool add_headers(const struct sign_request *req, const char *names, struct buf *out)
{
    while (*names) {
        size_t len = strcspn(names, ";");
        bool found = false;

        buf_add(out, names, len);
        buf_puts(out, ":");
        for (size_t i = 0; i < req->nr_headers; i++) {
            if (strlen(req->headers[i].name) != len ||
                strncasecmp(req->headers[i].name, names, len) != 0)
                continue;
            if (found)
                buf_puts(out, ",");
            add_trimmed(out, req->headers[i].value);
            found = true;
        }
        if (!found)
            return false;
        buf_puts(out, "\n");
        names += len + (names[len] == ';');
    }
    return true;
}

/* Drop the last step of a path that begins at `root` in `out`. */
static void step_back(struct buf *out, size_t root)
{
    while (out->len > root && out->text[out->len - 1] != '/')
        out->len--;
    if (out->len > root)
        out->len--;
    out->text[out->len] = 0;
}

/* Without empty steps, "." and "..", as every service but S3 signs it. */
static void add_normal_path(const char *path, struct buf *out)
{
    size_t root;
    bool dir = true;

    root = out->len;
    while (*path) {
        size_t len;

        path += strspn(path, "/");
        len = strcspn(path, "/");
        dir = path[len] == '/' || len == 0;
        if (len == 2 && memcmp(path, "..", 2) == 0) {
            step_back(out, root);
        } else if (len > 0 && !(len == 1 && *path == '.')) {
            buf_puts(out, "/");
            uri_encode(out, path, len, false);
        }
        path += len;
    }
    if (dir || out->len == root)
        buf_puts(out, "/");
}

/* S3 signs the path as it is, encoded once; the others what is on the wire, encoded again. */
static bool add_path(const struct sign_request *req, const char *service, struct buf *out)
{
    struct buf plain = {0};
    bool good;

    if (strcmp(service, "s3") != 0) {
        add_normal_path(req->path, out);
        return true;
    }
    buf_clear(&plain);
    good = uri_decode(&plain, req->path, strlen(req->path), false);
    if (good)
        uri_encode(out, plain.text, plain.len, true);
    buf_free(&plain);
    return good;
}

static bool add_query(const struct sign_request *req, struct buf *out)
{
    struct uri_pairs pairs;

    if (!uri_pairs_parse(req->query, &pairs))
        return false;
    uri_pairs_canonical(&pairs, "X-Amz-Signature", out);
    uri_pairs_free(&pairs);
    return true;
}

static bool canonical_request(const struct sign_request *req, const struct sign_claim *claim,
                              struct buf *out)
{
    buf_printf(out, "%s\n", req->method);
    if (!add_path(req, claim->service, out))
        return false;
    buf_puts(out, "\n");
    if (!add_query(req, out))
        return false;
    buf_puts(out, "\n");
    if (!add_headers(req, claim->signed_headers, out))
        return false;
    buf_printf(out, "\n%s\n%s", claim->signed_headers, req->payload_sha256);
    return true;
}

static bool mac(const unsigned char *key, size_t key_len, const char *text, size_t len,
                unsigned char out[32])
{
    return HMAC(EVP_sha256(), key, (int)key_len, (const unsigned char *)text, len, out, NULL) !=
           NULL;
}

/* The secret itself signs nothing. */
bool sign_v4_key(const struct sign_claim *claim, const char *secret, unsigned char out[32])
{
    struct buf start = {0};
    bool good;

    buf_printf(&start, "AWS4%s", secret);
    good = mac((const unsigned char *)start.text, start.len, claim->day, strlen(claim->day), out) &&
           mac(out, 32, claim->region, strlen(claim->region), out) &&
           mac(out, 32, claim->service, strlen(claim->service), out) &&
           mac(out, 32, "aws4_request", 12, out);
    OPENSSL_cleanse(start.text, start.len);
    buf_free(&start);
    return good;
}

bool sign_v4_mac_hex(const unsigned char key[32], const char *text, size_t len,
                     char out[SIGN_SHA256_HEX])
{
    unsigned char raw[32];

    if (!mac(key, 32, text, len, raw))
        return false;
    hex_write(raw, sizeof(raw), out);
    return true;
}

bool sign_v4_expected(const struct sign_request *req, const struct sign_claim *claim,
                      const char *secret, struct buf *out)
{
    struct buf canonical = {0}, to_sign = {0};
    char hash[SIGN_SHA256_HEX], signature[SIGN_SHA256_HEX];
    unsigned char key[32];
    bool good;

    buf_clear(&canonical);
    good = canonical_request(req, claim, &canonical);
    if (good) {
        sign_sha256_hex(canonical.text, canonical.len, hash);
        buf_printf(&to_sign, "AWS4-HMAC-SHA256\n%s\n%s/%s/%s/aws4_request\n%s", claim->time,
                   claim->day, claim->region, claim->service, hash);
        good = sign_v4_key(claim, secret, key) &&
               sign_v4_mac_hex(key, to_sign.text, to_sign.len, signature);
    }
    if (good)
        buf_puts(out, signature);
    OPENSSL_cleanse(key, sizeof(key));
    buf_free(&canonical);
    buf_free(&to_sign);
    return good;
}

static int compare_names(const void *a, const void *b)
{
    return strcasecmp(*(const char *const *)a, *(const char *const *)b);
}

/* The names of all headers, lower case, in order, each once. */
static bool name_headers(const struct sign_request *req, char *out, size_t cap)
{
    const char *names[SIGN_HEADERS_MAX];
    size_t at = 0;

    if (req->nr_headers > SIGN_HEADERS_MAX)
        return false;
    for (size_t i = 0; i < req->nr_headers; i++)
        names[i] = req->headers[i].name;
    qsort(names, req->nr_headers, sizeof(names[0]), compare_names);
    for (size_t i = 0; i < req->nr_headers; i++) {
        size_t len = strlen(names[i]);

        if (i > 0 && strcasecmp(names[i], names[i - 1]) == 0)
            continue;
        if (len + 2 > cap - at)
            return false;
        if (at > 0)
            out[at++] = ';';
        for (size_t k = 0; k < len; k++) {
            char c = names[i][k];
            out[at++] = (char)(c >= 'A' && c <= 'Z' ? c + 32 : c);
        }
    }
    out[at] = 0;
    return sign_header_get(req, "Host") != NULL;
}

static bool claim_for(const struct sign_request *req, const struct sign_key *key, const char *time,
                      struct sign_claim *out)
{
    int64_t at_s;

    memset(out, 0, sizeof(*out));
    return time && sign_parse_time(time, &at_s) &&
           sign_copy(out->time, sizeof(out->time), time, 16) &&
           sign_copy(out->day, sizeof(out->day), time, 8) &&
           sign_copy(out->region, sizeof(out->region), key->region, strlen(key->region)) &&
           sign_copy(out->service, sizeof(out->service), key->service, strlen(key->service)) &&
           name_headers(req, out->signed_headers, sizeof(out->signed_headers));
}

bool sign_v4_header(const struct sign_request *req, const struct sign_key *key, struct buf *out)
{
    struct buf signature = {0};
    struct sign_claim claim;
    bool good;

    good = claim_for(req, key, sign_header_get(req, "X-Amz-Date"), &claim) &&
           sign_v4_expected(req, &claim, key->secret, &signature);
    if (good)
        buf_printf(out,
                   "AWS4-HMAC-SHA256 Credential=%s/%s/%s/%s/aws4_request, SignedHeaders=%s, "
                   "Signature=%s",
                   key->access_key, claim.day, claim.region, claim.service, claim.signed_headers,
                   signature.text);
    buf_free(&signature);
    return good;
}

bool sign_v4_query(const struct sign_request *req, const struct sign_key *key, const char *time,
                   unsigned expires_s, struct buf *out)
{
    struct buf query = {0}, credential = {0}, signature = {0};
    struct sign_request with = *req;
    struct sign_claim claim;
    bool good;

    if (!claim_for(req, key, time, &claim))
        return false;
    buf_printf(&credential, "%s/%s/%s/%s/aws4_request", key->access_key, claim.day, claim.region,
               claim.service);
    buf_printf(&query, "%s%sX-Amz-Algorithm=AWS4-HMAC-SHA256&X-Amz-Credential=", req->query,
               *req->query ? "&" : "");
    uri_encode(&query, credential.text, credential.len, false);
    buf_printf(&query, "&X-Amz-Date=%s&X-Amz-Expires=%u&X-Amz-SignedHeaders=", time, expires_s);
    uri_encode(&query, claim.signed_headers, strlen(claim.signed_headers), false);
    with.query = query.text;
    good = sign_v4_expected(&with, &claim, key->secret, &signature);
    if (good)
        buf_printf(out, "%s&X-Amz-Signature=%s", query.text, signature.text);
    buf_free(&query);
    buf_free(&credential);
    buf_free(&signature);
    return good;
}

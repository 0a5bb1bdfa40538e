/* SPDX-License-Identifier: MIT */
/* Bodies: how long, in which form, into which file, and are they what the client says? */
#include "cloud/service/s3.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <strings.h>

#include "core/base/text.h"

static const char streaming_signed[] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD";
static const char streaming_signed_trailer[] = "STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER";
static const char streaming_trailer[] = "STREAMING-UNSIGNED-PAYLOAD-TRAILER";

const char *s3_payload_hash(struct request *r)
{
    const char *hash = request_header(r, "x-amz-content-sha256");
    const char *authorization = request_header(r, "Authorization");

    if (s3_parameter(r, "X-Amz-Signature"))
        return hash ? hash : SIGN_UNSIGNED_PAYLOAD;
    if (hash && strncmp(hash, "STREAMING-", 10) == 0 && strcmp(hash, streaming_signed) != 0 &&
        strcmp(hash, streaming_signed_trailer) != 0 && strcmp(hash, streaming_trailer) != 0) {
        reply_error(r, 501, "NotImplemented", "This store does not know bodies of the form %.100s.",
                    hash);
        return NULL;
    }
    if (hash || strncmp(authorization ? authorization : "", "AWS4-", 5) != 0)
        return hash ? hash : "";
    reply_error(r, 400, "InvalidRequest", "The x-amz-content-sha256 header is missing.");
    return NULL;
}

static bool is_streaming(const struct request *r)
{
    const char *hash = request_header(r, "x-amz-content-sha256");

    return hash && strncmp(hash, "STREAMING-", 10) == 0;
}

/* How long the data will be: needed before it comes, to refuse what is too much. */
static bool read_length(struct request *r, uint64_t *out)
{
    const char *name = is_streaming(r) ? "x-amz-decoded-content-length" : "Content-Length";
    const char *text = request_header(r, name);

    if (!text || !text_parse_u64(text, strlen(text), out)) {
        reply_error(r, 411, "MissingContentLength", "The %s header is missing, or no number.",
                    name);
        return false;
    }
    if (*out > r->svc->config.object_bytes_max) {
        reply_error(r, 400, "EntityTooLarge", "An object has at most %llu bytes here.",
                    (unsigned long long)r->svc->config.object_bytes_max);
        return false;
    }
    return s3_announce(r, *out);
}

static bool find_kind(const char *name, size_t len, enum checksum_kind *out)
{
    for (unsigned kind = 0; kind < CHECKSUM_KINDS; kind++) {
        const char *known = checksum_name((enum checksum_kind)kind);

        if (strlen(known) == len && strncasecmp(known, name, len) == 0) {
            *out = (enum checksum_kind)kind;
            return true;
        }
    }
    return false;
}

/* The one checksum that comes with the body, in a header or in a trailer, or none. */
static bool begin_checksum(struct request *r)
{
    static const char prefix[] = CHECKSUM_HEADER;
    const char *trailer = request_header(r, "x-amz-trailer");
    enum checksum_kind kind = CHECKSUM_CRC32;
    unsigned nr = 0;

    for (size_t i = 0; i < r->nr_headers; i++) {
        const char *name = r->headers[i].name;

        if (strncasecmp(name, prefix, sizeof(prefix) - 1) == 0 &&
            find_kind(name + sizeof(prefix) - 1, strlen(name) - sizeof(prefix) + 1, &kind))
            nr++;
    }
    if (trailer && strncasecmp(trailer, prefix, sizeof(prefix) - 1) == 0 &&
        find_kind(trailer + sizeof(prefix) - 1, strlen(trailer) - sizeof(prefix) + 1, &kind)) {
        nr++;
    } else if (trailer) {
        reply_error(r, 400, "InvalidRequest",
                    "x-amz-trailer names one of x-amz-checksum-crc32, -crc32c, -crc64nvme, -sha1 "
                    "and -sha256.");
        return false;
    }
    if (nr > 1) {
        reply_error(r, 400, "InvalidRequest", "Only one x-amz-checksum- may come with a body.");
        return false;
    }
    r->s3->summed = nr == 1;
    if (nr == 0 || checksum_begin(&r->s3->checksum, kind))
        return true;
    reply_error(r, 500, "InternalError", "There is no memory for a checksum.");
    return false;
}

void s3_storing_failed(struct request *r, bool full)
{
    if (full)
        reply_error(r, 503, "ServiceUnavailable",
                    "The disk of the service is full; nothing was stored.");
    else
        reply_error(r, 500, "InternalError", "Storing failed; the service's log tells why.");
}

static bool take(void *arg, const void *bytes, size_t len)
{
    struct request *r = arg;

    if (r->s3->summed)
        checksum_add(&r->s3->checksum, bytes, len);
    if (file_add(r->file, bytes, len))
        return true;
    s3_storing_failed(r, r->file->full);
    return false;
}

static bool begin_chunked(struct request *r, uint64_t data_bytes)
{
    const char *hash = request_header(r, "x-amz-content-sha256");
    const char *trailers = request_header(r, "x-amz-trailer");
    bool sign = strcmp(hash, streaming_trailer) != 0;
    const struct chunked_how how = {
        .claim = sign ? &r->claim : NULL,
        .secret = r->account->secret,
        .trailers = trailers,
        .data_bytes = data_bytes,
        .take = take,
        .arg = r,
    };

    if ((strcmp(hash, streaming_signed) == 0) != (trailers == NULL)) {
        reply_error(r, 400, "InvalidRequest",
                    "The x-amz-trailer header goes with bodies of the forms that end in -TRAILER, "
                    "and with no others.");
        return false;
    }
    r->s3->chunked = chunked_begin(&how);
    if (!r->s3->chunked)
        reply_error(r, 400, "InvalidRequest",
                    "A body in chunks needs a signature of version 4 and short trailers.");
    return r->s3->chunked != NULL;
}

void s3_body_begin(struct request *r)
{
    uint64_t data_bytes;

    if (!s3_check_headers(r) || !begin_checksum(r))
        return;
    if (!r->s3->op->into_file) {
        if (is_streaming(r))
            reply_error(r, 501, "NotImplemented", "Only objects and parts may come in chunks.");
        /* There it would be that of the whole object, which is not read again to join its parts. */
        if (r->s3->summed && r->s3->op->end == s3_complete_upload)
            reply_error(r, 501, "NotImplemented",
                        "This store checks the checksums of parts, not one of all together.");
        return;
    }
    if (!read_length(r, &data_bytes) || (is_streaming(r) && !begin_chunked(r, data_bytes)))
        return;
    r->file = file_begin(r->svc->config.state_dir);
    if (!r->file)
        s3_storing_failed(r, errno == ENOSPC || errno == EDQUOT);
}

static void refuse_chunks(struct request *r, enum chunked_result result, const char *why)
{
    static const struct {
        unsigned status;
        const char *code;
    } refusals[] = {
        [CHUNKED_BROKEN] = {400, "InvalidChunkSizeError"},
        [CHUNKED_WRONG] = {403, "SignatureDoesNotMatch"},
        [CHUNKED_LENGTH] = {400, "IncompleteBody"},
        [CHUNKED_TRAILER] = {400, "MalformedTrailerError"},
        [CHUNKED_STOPPED] = {500, "InternalError"}, /* take() has answered before */
    };

    if (result != CHUNKED_GOOD)
        reply_error(r, refusals[result].status, refusals[result].code, "%s", why);
}

void s3_body(struct request *r, const void *bytes, size_t len)
{
    const char *why = NULL;

    if (r->s3->chunked) {
        enum chunked_result result = chunked_add(r->s3->chunked, bytes, len, &why);

        refuse_chunks(r, result, why);
    } else {
        take(r, bytes, len);
    }
}

static bool check_md5(struct request *r, const unsigned char md5[16])
{
    const char *said = request_header(r, "Content-MD5");
    char have[32];

    if (!said)
        return true;
    EVP_EncodeBlock((unsigned char *)have, md5, 16);
    if (strcmp(have, said) == 0)
        return true;
    if (strlen(said) != 24)
        reply_error(r, 400, "InvalidDigest", "Content-MD5 is no MD5 in base64.");
    else
        reply_error(r, 400, "BadDigest", "The body's MD5 is %s, not what Content-MD5 says.", have);
    return false;
}

static bool check_checksum(struct request *r)
{
    struct s3_target *t = r->s3;
    struct buf name = {0};
    const char *said;

    if (!t->summed)
        return true;
    checksum_end(&t->checksum, t->checksum_text);
    buf_printf(&name, CHECKSUM_HEADER "%s", checksum_name(t->checksum.kind));
    said = t->chunked ? chunked_trailer(t->chunked, name.text) : NULL;
    if (!said)
        said = request_header(r, name.text);
    if (!said || strcmp(said, t->checksum_text) != 0)
        reply_error(r, 400, "BadDigest", "The body's checksum is %s, not what %s says.",
                    t->checksum_text, name.text);
    buf_free(&name);
    return r->status == 0;
}

bool s3_body_end(struct request *r)
{
    const char *sha256 = request_header(r, "x-amz-content-sha256"), *why = NULL;
    const char *text = r->body.text ? r->body.text : "";
    unsigned char md5[16];
    char hex[SIGN_SHA256_HEX];

    if (r->s3->chunked) {
        enum chunked_result result = chunked_end(r->s3->chunked, &why);

        refuse_chunks(r, result, why);
    }
    if (r->status != 0)
        return false;
    if (r->file) {
        file_end(r->file);
        memcpy(md5, r->file->md5_raw, sizeof(md5));
        memcpy(hex, r->file->sha256_hex, sizeof(hex));
    } else {
        sign_sha256_hex(text, r->body.len, hex);
        EVP_Digest(text, r->body.len, md5, NULL, EVP_md5(), NULL);
        if (r->s3->summed)
            checksum_add(&r->s3->checksum, text, r->body.len);
    }
    if (sha256 && !is_streaming(r) && strcmp(sha256, SIGN_UNSIGNED_PAYLOAD) != 0 &&
        strcmp(sha256, hex) != 0) {
        reply_error(r, 400, "XAmzContentSHA256Mismatch",
                    "The body's SHA-256 is %s, not what x-amz-content-sha256 says.", hex);
        return false;
    }
    return check_md5(r, md5) && check_checksum(r);
}

void s3_body_drop(struct s3_target *t)
{
    chunked_free(t->chunked);
    if (t->summed)
        checksum_free(&t->checksum);
}

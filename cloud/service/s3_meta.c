/* SPDX-License-Identifier: MIT */
/*
 * Headers of S3: those that are kept with an object, those that mean nothing here, and those that
 * ask for what this store does not do. None of the last kind is passed over in silence.
 */
#include "cloud/service/s3.h"

#include <stdlib.h>
#include <string.h>
#include <strings.h>

/* What is kept besides x-amz-meta-, and given back as it came. */
static const char *const kept[] = {"cache-control", "content-disposition", "content-encoding",
                                   "content-language", "expires"};

/*
 * Known x-amz- headers, with the values that they may have; NULL: any. Access lists: "private" is
 * what every object is; "aws-exec-read" lets EC2 read a bundle, and here the service itself does.
 */
static const struct amz_header {
    const char *name;
    const char *values[3];
} known[] = {
    {"x-amz-acl", {"private", "aws-exec-read", "bucket-owner-full-control"}},
    {"x-amz-checksum-algorithm", {NULL}},
    {"x-amz-checksum-crc32", {NULL}},
    {"x-amz-checksum-crc32c", {NULL}},
    {"x-amz-checksum-crc64nvme", {NULL}},
    {"x-amz-checksum-mode", {NULL}},
    {"x-amz-checksum-sha1", {NULL}},
    {"x-amz-checksum-sha256", {NULL}},
    {"x-amz-checksum-type", {NULL}},
    {"x-amz-content-sha256", {NULL}},
    {"x-amz-date", {NULL}},
    {"x-amz-decoded-content-length", {NULL}},
    {"x-amz-expected-bucket-owner", {NULL}},
    {"x-amz-mp-object-size", {NULL}},
    {"x-amz-request-payer", {NULL}},
    {"x-amz-sdk-checksum-algorithm", {NULL}},
    {"x-amz-storage-class", {"STANDARD"}},
    {"x-amz-trailer", {NULL}},
    {"x-amz-user-agent", {NULL}},
};

static bool is_prefix(const char *prefix, const char *name)
{
    return strncasecmp(name, prefix, strlen(prefix)) == 0;
}

static bool value_fits(const struct amz_header *h, const char *value)
{
    for (size_t i = 0; i < sizeof(h->values) / sizeof(h->values[0]) && h->values[i]; i++)
        if (strcmp(h->values[i], value) == 0)
            return true;
    return !h->values[0];
}

static bool header_fits(const char *name, const char *value)
{
    if (!is_prefix("x-amz-", name) || is_prefix("x-amz-meta-", name))
        return true;
    for (size_t i = 0; i < sizeof(known) / sizeof(known[0]); i++)
        if (strcasecmp(known[i].name, name) == 0)
            return value_fits(&known[i], value);
    return false;
}

bool s3_check_headers(struct request *r)
{
    const char *owner = request_header(r, "x-amz-expected-bucket-owner");

    for (size_t i = 0; i < r->nr_headers; i++) {
        if (header_fits(r->headers[i].name, r->headers[i].value))
            continue;
        reply_error(r, 501, "NotImplemented",
                    "This store does not do what \"%.100s: %.100s\" asks.", r->headers[i].name,
                    r->headers[i].value);
        return false;
    }
    if (!owner || strcmp(owner, r->account->id) == 0)
        return true;
    reply_error(r, 403, "AccessDenied", "The bucket belongs to account %s, not to %.20s.",
                r->account->id, owner);
    return false;
}

static void add_line(struct buf *meta, const char *name, const char *value, size_t value_len)
{
    for (; *name; name++) {
        char c = (char)(*name >= 'A' && *name <= 'Z' ? *name + 32 : *name);
        buf_add(meta, &c, 1);
    }
    buf_puts(meta, ":");
    buf_add(meta, value, value_len);
    buf_puts(meta, "\n");
}

static bool is_kept(const char *name)
{
    if (is_prefix("x-amz-meta-", name))
        return true;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (strcasecmp(kept[i], name) == 0)
            return true;
    return false;
}

/* The encoding of the transfer is none of the object's. */
static const char *without_chunks(const char *encodings)
{
    static const char chunks[] = "aws-chunked";

    if (!is_prefix(chunks, encodings))
        return encodings;
    encodings += sizeof(chunks) - 1;
    return encodings + strspn(encodings, ", ");
}

bool s3_take_meta(struct request *r, const char **type, struct buf *meta)
{
    *type = request_header(r, "Content-Type");
    if (!*type || !**type)
        *type = "binary/octet-stream";
    buf_clear(meta);
    for (size_t i = 0; i < r->nr_headers; i++) {
        const char *name = r->headers[i].name, *value = r->headers[i].value;

        if (strcasecmp(name, "content-encoding") == 0)
            value = without_chunks(value);
        if (is_kept(name) && *value)
            add_line(meta, name, value, strlen(value));
    }
    if (meta->len > S3_META_BYTES_MAX) {
        reply_error(r, 400, "MetadataTooLarge",
                    "The headers that are kept with an object have more than %d bytes.",
                    S3_META_BYTES_MAX);
        return false;
    }
    if (r->s3->checksum_text[0]) {
        struct buf name = {0};

        buf_printf(&name, CHECKSUM_HEADER "%s", checksum_name(r->s3->checksum.kind));
        add_line(meta, name.text, r->s3->checksum_text, strlen(r->s3->checksum_text));
        buf_free(&name);
    }
    return true;
}

/* What stands in place of the header that was kept, or NULL. */
static const char *replacement(const struct request *r, const char *header)
{
    struct buf name = {0};
    const char *value;

    buf_printf(&name, "response-%s", header);
    value = s3_parameter(r, name.text);
    buf_free(&name);
    return value;
}

/* A line break in a value would begin another header. */
static bool check_replacements(struct request *r)
{
    for (size_t i = 0; i < r->parameters.nr; i++) {
        const struct uri_pair *pair = &r->parameters.pair[i];

        if (!is_prefix("response-", pair->name))
            continue;
        for (const char *p = pair->value; *p; p++) {
            if ((unsigned char)*p >= ' ' && *p != 0x7f)
                continue;
            reply_error(r, 400, "InvalidArgument", "%s has a control character.", pair->name);
            return false;
        }
    }
    return true;
}

bool s3_give_meta(struct request *r, const char *type, char *meta, bool with_checksum)
{
    const char *other_type = replacement(r, "content-type");

    if (!check_replacements(r))
        return false;
    for (size_t i = 0; i < sizeof(kept) / sizeof(kept[0]); i++)
        if (replacement(r, kept[i]))
            reply_header(r, kept[i], replacement(r, kept[i]));
    reply_header(r, "Content-Type", other_type ? other_type : type);
    while (*meta) {
        char *colon = strchr(meta, ':'), *end = strchr(meta, '\n');

        if (!colon || !end || end < colon)
            return true;
        *colon = *end = 0;
        if ((with_checksum || !is_prefix(CHECKSUM_HEADER, meta)) && !replacement(r, meta))
            reply_header(r, meta, colon + 1);
        meta = end + 1;
    }
    return true;
}

void s3_give_checksum(struct request *r)
{
    struct buf name = {0};

    if (!r->s3->checksum_text[0])
        return;
    buf_printf(&name, CHECKSUM_HEADER "%s", checksum_name(r->s3->checksum.kind));
    reply_header(r, name.text, r->s3->checksum_text);
    buf_free(&name);
}

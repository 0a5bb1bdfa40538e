/* SPDX-License-Identifier: MIT */
/* Conditions of requests: If-Match and its like, for reading, for putting and for deleting. */
#include "cloud/service/s3.h"

#include <string.h>
#include <time.h>

bool s3_lists_etag(const char *list, const char *etag)
{
    struct buf quoted = {0};
    bool found;

    buf_printf(&quoted, "\"%s\"", etag);
    found = strcmp(list, "*") == 0 || strcmp(list, etag) == 0 || strstr(list, quoted.text);
    buf_free(&quoted);
    return found;
}

/* The three forms of a date that HTTP has; the last two are old. False: none of them. */
static bool read_date(const char *text, int64_t *out_s)
{
    static const char *const forms[] = {"%a, %d %b %Y %H:%M:%S GMT", "%A, %d-%b-%y %H:%M:%S GMT",
                                        "%a %b %d %H:%M:%S %Y"};

    for (size_t i = 0; i < sizeof(forms) / sizeof(forms[0]); i++) {
        struct tm tm = {0};
        const char *end = strptime(text, forms[i], &tm);

        if (!end || *end)
            continue;
        *out_s = timegm(&tm);
        return true;
    }
    return false;
}

void s3_check_read(struct request *r, const char *etag, int64_t modified_s)
{
    const char *match = request_header(r, "If-Match");
    const char *none = request_header(r, "If-None-Match");
    const char *since = request_header(r, "If-Modified-Since");
    const char *unmodified = request_header(r, "If-Unmodified-Since");
    int64_t at_s;

    if (match && !s3_lists_etag(match, etag))
        reply_error(r, 412, "PreconditionFailed", "The object's ETag is \"%s\".", etag);
    else if (!match && unmodified && read_date(unmodified, &at_s) && modified_s > at_s)
        reply_error(r, 412, "PreconditionFailed", "The object was modified since then.");
    else if (none ? s3_lists_etag(none, etag)
                  : since && read_date(since, &at_s) && modified_s <= at_s)
        reply_done(r, 304, NULL);
}

bool s3_range_fits(const struct request *r, const char *etag, int64_t modified_s)
{
    const char *range = request_header(r, "If-Range");
    int64_t at_s;

    if (!range)
        return true;
    if (read_date(range, &at_s))
        return at_s == modified_s;
    return strcmp(range, "*") != 0 && s3_lists_etag(range, etag);
}

/* Which conditions each operation that changes something keeps; reading keeps all. */
static bool keeps(const struct s3_op *op, const char *header, const char *value)
{
    bool puts = op->end == s3_put_object || op->end == s3_complete_upload;

    if (strcmp(header, "If-Match") == 0)
        return puts || op->end == s3_delete_object;
    return puts && strcmp(header, "If-None-Match") == 0 && strcmp(value, "*") == 0;
}

bool s3_check_condition_headers(struct request *r)
{
    static const char *const headers[] = {"If-Match", "If-None-Match", "If-Unmodified-Since"};

    if (strcmp(r->method, "GET") == 0 || strcmp(r->method, "HEAD") == 0)
        return true;
    for (size_t i = 0; i < sizeof(headers) / sizeof(headers[0]); i++) {
        const char *value = request_header(r, headers[i]);

        if (!value || keeps(r->s3->op, headers[i], value))
            continue;
        reply_error(r, 501, "NotImplemented", "This store does not do what \"%s: %.100s\" asks.",
                    headers[i], value);
        return false;
    }
    return true;
}

bool s3_check_write(struct request *r, const char *etag)
{
    const char *match = request_header(r, "If-Match");

    if (etag && request_header(r, "If-None-Match"))
        reply_error(r, 412, "PreconditionFailed", "There is an object with this key.");
    else if (match && etag && !s3_lists_etag(match, etag))
        reply_error(r, 412, "PreconditionFailed", "The object's ETag is \"%s\".", etag);
    else if (match && !etag && r->s3->op->end == s3_delete_object)
        reply_error(r, 412, "PreconditionFailed", "There is no object with this key.");
    else if (match && !etag)
        reply_error(r, 404, "NoSuchKey", "There is no object with this key.");
    return r->status == 0;
}

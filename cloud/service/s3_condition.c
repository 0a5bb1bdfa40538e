/* SPDX-License-Identifier: MIT */
/* Conditions of requests: If-Match and its like, for reading, for putting and for deleting. */
#include "cloud/service/s3.h"

#include <string.h>

bool s3_lists_etag(const char *list, const char *etag)
{
    struct buf quoted = {0};
    bool found;

    buf_printf(&quoted, "\"%s\"", etag);
    found = strcmp(list, "*") == 0 || strcmp(list, etag) == 0 || strstr(list, quoted.text);
    buf_free(&quoted);
    return found;
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

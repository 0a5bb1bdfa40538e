/* SPDX-License-Identifier: MIT */
/*
 * What the HTTP library lets pass and this server does not: requests whose end two readers could
 * see in different places (RFC 9112, section 6.3), which is how one is smuggled past a proxy, and
 * those whose host is not clear. They are answered, and their connection ends.
 */
#include "cloud/service/http.h"

#include <string.h>
#include <strings.h>

/* RFC 9110's tokens. */
static bool is_token(const char *name)
{
    static const char more[] = "!#$%&'*+-.^_`|~0123456789"
                               "ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

    return *name && strspn(name, more) == strlen(name);
}

static unsigned count_header(const struct request *r, const char *name)
{
    unsigned nr = 0;

    for (size_t i = 0; i < r->nr_headers; i++)
        nr += strcasecmp(r->headers[i].name, name) == 0;
    return nr;
}

const char *http_frame_mistake(const struct request *r, const char *version)
{
    unsigned lengths = count_header(r, "Content-Length");
    unsigned encodings = count_header(r, "Transfer-Encoding");
    unsigned hosts = count_header(r, "Host");

    for (size_t i = 0; i < r->nr_headers; i++)
        if (!is_token(r->headers[i].name))
            return "A header's name is empty or holds what no name may hold.";
    if (lengths > 1)
        return "The request has more than one Content-Length.";
    if (encodings > 0 && lengths > 0)
        return "The request has both a Content-Length and a Transfer-Encoding.";
    if (encodings > 1 ||
        (encodings == 1 && strcasecmp(request_header(r, "Transfer-Encoding"), "chunked") != 0))
        return "The only Transfer-Encoding that is known here is chunked.";
    if (hosts > 1 || (hosts == 0 && strcmp(version, "HTTP/1.0") != 0))
        return "A request has exactly one Host header.";
    return NULL;
}

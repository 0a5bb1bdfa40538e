/* SPDX-License-Identifier: MIT */
/* Building answers: errors in each API's XML, headers, times; see request.h. */
#include "cloud/service/request.h"

#include <openssl/rand.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"
#include "host/hex.h"

const char *request_header(const struct request *r, const char *name)
{
    const struct sign_request req = {.headers = r->headers, .nr_headers = r->nr_headers};

    return sign_header_get(&req, name);
}

void reply_header(struct request *r, const char *name, const char *value)
{
    if (r->nr_reply_headers == REPLY_HEADERS_MAX)
        return;
    r->reply_header[r->nr_reply_headers][0] = xstrdup(name);
    r->reply_header[r->nr_reply_headers++][1] = xstrdup(value);
}

void reply_done(struct request *r, unsigned status, const char *type)
{
    r->status = status;
    r->reply_type = type ? type : "text/xml;charset=UTF-8";
}

static void error_xml(struct request *r, const char *code, const char *message)
{
    struct buf *out = &r->reply;

    buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n");
    buf_puts(out, r->api == API_EC2 ? "<Response><Errors><Error>" : "<Error>");
    xml_element(out, "Code", code);
    xml_element(out, "Message", message);
    if (r->api == API_EC2) {
        buf_printf(out, "</Error></Errors><RequestID>%s</RequestID></Response>\n", r->id);
    } else {
        xml_element(out, "Resource", r->path);
        buf_printf(out, "<RequestId>%s</RequestId></Error>\n", r->id);
    }
}

void reply_error(struct request *r, unsigned status, const char *code, const char *fmt, ...)
{
    char message[1024];
    va_list ap;

    if (r->status != 0)
        return;
    va_start(ap, fmt);
    vsnprintf(message, sizeof(message), fmt, ap);
    va_end(ap);
    snprintf(r->code, sizeof(r->code), "%s", code);
    buf_clear(&r->reply);
    error_xml(r, code, message);
    reply_done(r, status, NULL);
}

void reply_state_failed(struct request *r)
{
    if (r->status != 0)
        return;
    if (db_disk_full())
        reply_error(r, 503, r->api == API_EC2 ? "InsufficientCapacity" : "ServiceUnavailable",
                    "The disk of the service is full; nothing was changed.");
    else
        reply_error(r, 500, "InternalError",
                    "The service could not use its state; its log tells why. Nothing was changed.");
}

/* How many characters follow that need no look: nearly all do. */
static size_t plain(const char *text)
{
    size_t n = 0;

    while (text[n] >= ' ' && text[n] < 0x7f && text[n] != '<' && text[n] != '>' && text[n] != '&' &&
           text[n] != '"')
        n++;
    return n;
}

/* The length of the character; 0 if XML 1.0 cannot hold it, as U+FFFE and U+FFFF. */
static size_t xml_char(const char *text, size_t len)
{
    size_t n = text_shown_char(text, len);

    if (n == 0 && (*text == '\n' || *text == '\t' || *text == '\r'))
        return 1;
    return n == 3 && memcmp(text, "\xef\xbf", 2) == 0 && (unsigned char)text[2] >= 0xbe ? 0 : n;
}

bool xml_keeps(const char *text)
{
    size_t n = 1;

    for (size_t len = strlen(text); len > 0 && n > 0; len -= n) {
        n = xml_char(text, len);
        text += n;
    }
    return n > 0;
}

void xml_text(struct buf *out, const char *text)
{
    for (size_t len = strlen(text); len > 0;) {
        size_t n = plain(text);

        buf_add(out, text, n);
        text += n;
        len -= n;
        if (len == 0)
            return;
        n = xml_char(text, len);
        if (n == 0)
            buf_puts(out, "\xef\xbf\xbd");
        else if (*text == '<')
            buf_puts(out, "&lt;");
        else if (*text == '>')
            buf_puts(out, "&gt;");
        else if (*text == '&')
            buf_puts(out, "&amp;");
        else if (*text == '"')
            buf_puts(out, "&quot;");
        else if (*text == '\r')
            buf_puts(out, "&#13;"); /* readers make a line feed of a bare one */
        else
            buf_add(out, text, n);
        n = n ? n : 1;
        text += n;
        len -= n;
    }
}

void xml_element(struct buf *out, const char *name, const char *text)
{
    size_t len = strlen(name);

    buf_add(out, "<", 1);
    buf_add(out, name, len);
    buf_add(out, ">", 1);
    xml_text(out, text);
    buf_add(out, "</", 2);
    buf_add(out, name, len);
    buf_add(out, ">", 1);
}

void xml_number(struct buf *out, const char *name, int64_t number)
{
    buf_printf(out, "<%s>%lld</%s>", name, (long long)number, name);
}

void iso_time(int64_t at_s, char out[32])
{
    time_t at = (time_t)at_s;
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(out, 32, "%Y-%m-%dT%H:%M:%S.000Z", &tm);
}

void http_time(int64_t at_s, char out[32])
{
    time_t at = (time_t)at_s;
    struct tm tm;

    gmtime_r(&at, &tm);
    strftime(out, 32, "%a, %d %b %Y %H:%M:%S GMT", &tm);
}

void random_hex(char *out, size_t bytes)
{
    unsigned char raw[32];

    if (bytes > sizeof(raw) || RAND_bytes(raw, (int)bytes) != 1) {
        fputs("pvbootd: no random numbers\n", stderr);
        abort();
    }
    hex_write(raw, bytes, out);
}

/* SPDX-License-Identifier: MIT */
/* Growing text; see buf.h. */
#include "host/xenhost/buf.h"

#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void out_of_memory(void)
{
    fputs("pvboot: out of memory\n", stderr);
    abort();
}

void *xalloc(size_t len)
{
    void *p = calloc(1, len ? len : 1);

    if (!p)
        out_of_memory();
    return p;
}

char *xstrdup(const char *text)
{
    char *p = strdup(text);

    if (!p)
        out_of_memory();
    return p;
}

void *xgrow(void *array, size_t *cap, size_t each_bytes)
{
    *cap = *cap > 0 ? 2 * *cap : 16;
    array = reallocarray(array, *cap, each_bytes);
    if (!array)
        out_of_memory();
    return array;
}

static void reserve(struct buf *b, size_t more)
{
    size_t cap = b->cap ? b->cap : 256;

    if (more < b->cap - b->len)
        return;
    while (cap - b->len <= more)
        cap *= 2;
    b->text = realloc(b->text, cap);
    if (!b->text)
        out_of_memory();
    b->cap = cap;
}

void buf_free(struct buf *b)
{
    free(b->text);
    memset(b, 0, sizeof(*b));
}

void buf_clear(struct buf *b)
{
    reserve(b, 1);
    b->len = 0;
    b->text[0] = 0;
}

void buf_add(struct buf *b, const void *bytes, size_t len)
{
    reserve(b, len);
    if (len > 0) /* else `bytes` may be NULL, the text of an empty buf */
        memcpy(b->text + b->len, bytes, len);
    b->len += len;
    b->text[b->len] = 0;
}

void buf_puts(struct buf *b, const char *text)
{
    buf_add(b, text, strlen(text));
}

void buf_printf(struct buf *b, const char *fmt, ...)
{
    va_list ap, again;
    int len;

    va_start(ap, fmt);
    va_copy(again, ap);
    len = vsnprintf(NULL, 0, fmt, ap);
    va_end(ap);
    if (len < 0)
        out_of_memory();
    reserve(b, (size_t)len);
    vsnprintf(b->text + b->len, (size_t)len + 1, fmt, again);
    va_end(again);
    b->len += (size_t)len;
}

void buf_json(struct buf *b, const void *bytes, size_t len)
{
    const unsigned char *p = bytes;

    buf_add(b, "\"", 1);
    for (size_t i = 0; i < len; i++) {
        if (p[i] == '"' || p[i] == '\\')
            buf_printf(b, "\\%c", p[i]);
        else if (p[i] == '\n')
            buf_puts(b, "\\n");
        else if (p[i] < 0x20 || p[i] > 0x7e)
            buf_printf(b, "\\u%04x", p[i]);
        else
            buf_add(b, p + i, 1);
    }
    buf_add(b, "\"", 1);
}

void buf_xl_string(struct buf *b, const char *text)
{
    buf_puts(b, "\"");
    for (const char *p = text; *p; p++) {
        if (*p == '"' || *p == '\\' || (unsigned char)*p < 0x20)
            buf_printf(b, "\\x%02x", (unsigned char)*p);
        else
            buf_add(b, p, 1);
    }
    buf_puts(b, "\"");
}

void buf_word(struct buf *b, const char *text)
{
    static const char plain[] = "abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ0123456789"
                                "_-./:,=+@%";

    for (const char *p = text; *p; p++) {
        if (strchr(plain, *p))
            buf_add(b, p, 1);
        else
            buf_printf(b, "\\0%03o", (unsigned char)*p);
    }
}

bool buf_line(struct buf *b, struct buf *line)
{
    char *end = b->len ? memchr(b->text, '\n', b->len) : NULL;
    size_t len;

    if (!end)
        return false;
    len = (size_t)(end - b->text);
    buf_clear(line);
    buf_add(line, b->text, len && end[-1] == '\r' ? len - 1 : len);
    buf_drop(b, len + 1);
    return true;
}

void buf_drop(struct buf *b, size_t len)
{
    if (len > b->len)
        len = b->len;
    if (!len)
        return;
    memmove(b->text, b->text + len, b->len - len);
    b->len -= len;
    b->text[b->len] = 0;
}

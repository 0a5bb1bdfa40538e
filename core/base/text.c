/* SPDX-License-Identifier: MIT */
#include "core/base/text.h"

#include <string.h>

struct text text_on(char *buf, size_t cap)
{
    if (cap > 0)
        buf[0] = '\0';
    return (struct text){.buf = buf, .cap = cap, .len = 0, .cut = false};
}

void text_mem(struct text *t, const char *s, size_t len)
{
    size_t room = t->cap > 0 ? t->cap - 1 - t->len : 0;

    if (len > room) {
        len = room;
        t->cut = true;
    }
    if (t->cap == 0)
        return;
    memcpy(t->buf + t->len, s, len);
    t->len += len;
    t->buf[t->len] = '\0';
}

void text_char(struct text *t, char c)
{
    text_mem(t, &c, 1);
}

void text_str(struct text *t, const char *s)
{
    text_mem(t, s, strlen(s));
}

static void put_digits(struct text *t, uint64_t v, unsigned base)
{
    char digits[20];
    size_t n = 0;

    do {
        digits[n++] = "0123456789abcdef"[v % base];
        v /= base;
    } while (v != 0);
    while (n > 0)
        text_char(t, digits[--n]);
}

void text_u64(struct text *t, uint64_t v)
{
    put_digits(t, v, 10);
}

void text_hex(struct text *t, uint64_t v)
{
    text_str(t, "0x");
    put_digits(t, v, 16);
}

void text_size(struct text *t, uint64_t bytes)
{
    static const char *const units[] = {" B", " KiB", " MiB", " GiB", " TiB", " PiB"};
    size_t unit = 0;
    uint64_t scale = 1;

    while (unit + 1 < sizeof(units) / sizeof(units[0]) && bytes / scale >= 1024) {
        scale *= 1024;
        unit++;
    }
    text_u64(t, bytes / scale);
    if (bytes % scale != 0) {
        /* Divide before multiplying: scale is at least 1024 here. */
        uint64_t tenth = (bytes % scale) / (scale / 64) * 10 / 64;

        if (tenth != 0) {
            text_char(t, '.');
            text_u64(t, tenth);
        }
    }
    text_str(t, units[unit]);
}

void text_name(struct text *t, const char *s, size_t len)
{
    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (c >= 0x20 && c != 0x7f) {
            text_char(t, s[i]);
        } else {
            text_str(t, "\\x");
            text_char(t, "0123456789abcdef"[c >> 4]);
            text_char(t, "0123456789abcdef"[c & 15]);
        }
    }
}

bool text_parse_u64(const char *s, size_t len, uint64_t *out)
{
    uint64_t v = 0;

    if (len == 0)
        return false;
    for (size_t i = 0; i < len; i++) {
        if (s[i] < '0' || s[i] > '9')
            return false;
        unsigned digit = (unsigned)(s[i] - '0');

        if (v > (UINT64_MAX - digit) / 10)
            return false;
        v = v * 10 + digit;
    }
    *out = v;
    return true;
}

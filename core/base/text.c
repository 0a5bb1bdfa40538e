/* SPDX-License-Identifier: MIT */
/*
 * Building text in a buffer: numbers, sizes for people, and names from a disk, which are made fit
 * for a terminal here and nowhere else. UTF-8: The Unicode Standard, table 3-7.
 */
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

void text_uuid(struct text *t, uint64_t high, uint64_t low)
{
    for (unsigned i = 0; i < 32; i++) {
        uint64_t half = i < 16 ? high : low;

        if (i == 8 || i == 12 || i == 16 || i == 20)
            text_char(t, '-');
        text_char(t, "0123456789abcdef"[half >> (60 - 4 * (i & 15)) & 15]);
    }
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

/*
 * The length of the character that s[0..len) begins with, when it may be shown; 0 when its first
 * byte has to be escaped. Well-formed UTF-8 is table 3-7 of the Unicode Standard: the second byte
 * is what rules out overlong forms, surrogates and numbers above 0x10ffff.
 */
size_t text_shown_char(const char *chars, size_t len)
{
    const unsigned char *s = (const unsigned char *)chars;
    unsigned char lead = s[0];
    size_t n = lead < 0x80 ? 1 : lead < 0xe0 ? 2 : lead < 0xf0 ? 3 : 4;

    if (n == 1)
        return lead >= 0x20 && lead != 0x7f ? 1 : 0;
    if (lead < 0xc2 || lead > 0xf4 || len < n)
        return 0;
    unsigned char low = 0x80, high = 0xbf;

    if (lead == 0xe0 || lead == 0xc2) /* 0xc2 0x80 to 0xc2 0x9f are the C1 controls */
        low = 0xa0;
    else if (lead == 0xf0)
        low = 0x90;
    else if (lead == 0xed)
        high = 0x9f;
    else if (lead == 0xf4)
        high = 0x8f;
    if (s[1] < low || s[1] > high)
        return 0;
    for (size_t i = 2; i < n; i++) {
        if (s[i] < 0x80 || s[i] > 0xbf)
            return 0;
    }
    return n;
}

void text_name(struct text *t, const char *s, size_t len)
{
    size_t n;

    for (size_t i = 0; i < len && !t->cut; i += n) {
        unsigned char c = (unsigned char)s[i];
        const char escaped[4] = {'\\', 'x', "0123456789abcdef"[c >> 4], "0123456789abcdef"[c & 15]};
        size_t as_is = text_shown_char(s + i, len - i);
        size_t written = as_is > 0 ? as_is : sizeof(escaped);

        n = as_is > 0 ? as_is : 1;
        if (t->cap == 0 || written > t->cap - 1 - t->len)
            t->cut = true;
        else
            text_mem(t, as_is > 0 ? s + i : escaped, written);
    }
}

size_t text_name_len(const char *s, size_t len)
{
    size_t total = 0;

    for (size_t i = 0; i < len;) {
        size_t as_is = text_shown_char(s + i, len - i);

        total += as_is > 0 ? as_is : 4;
        i += as_is > 0 ? as_is : 1;
    }
    return total;
}

int text_hex_digit(char c)
{
    if (c >= '0' && c <= '9')
        return c - '0';
    if (c >= 'a' && c <= 'f')
        return c - 'a' + 10;
    if (c >= 'A' && c <= 'F')
        return c - 'A' + 10;
    return -1;
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

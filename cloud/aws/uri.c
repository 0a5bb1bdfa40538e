/* SPDX-License-Identifier: MIT */
/* Percent encoding and query strings; see uri.h. */
#include "cloud/aws/uri.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

static bool unreserved(unsigned char c)
{
    return (c >= 'A' && c <= 'Z') || (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9') || c == '-' ||
           c == '.' || c == '_' || c == '~';
}

void uri_encode(struct buf *out, const char *s, size_t len, bool keep_slash)
{
    static const char digits[] = "0123456789ABCDEF";

    for (size_t i = 0; i < len; i++) {
        unsigned char c = (unsigned char)s[i];

        if (unreserved(c) || (keep_slash && c == '/')) {
            buf_add(out, &s[i], 1);
        } else {
            char escape[3] = {'%', digits[c >> 4], digits[c & 15]};
            buf_add(out, escape, sizeof(escape));
        }
    }
}

/* One character at s[*at]: the next byte, -1 for a broken escape or a NUL. */
static int decode_one(const char *s, size_t len, size_t *at, bool plus_is_space)
{
    char c = s[(*at)++];
    int high, low;

    if (c == '+' && plus_is_space)
        return ' ';
    if (c != '%')
        return c ? (unsigned char)c : -1;
    if (len - *at < 2)
        return -1;
    high = text_hex_digit(s[*at]);
    low = text_hex_digit(s[*at + 1]);
    *at += 2;
    if (high < 0 || low < 0 || (high | low) == 0)
        return -1;
    return high << 4 | low;
}

bool uri_decode(struct buf *out, const char *s, size_t len, bool plus_is_space)
{
    for (size_t at = 0; at < len;) {
        int c = decode_one(s, len, &at, plus_is_space);
        char byte = (char)c;

        if (c < 0)
            return false;
        buf_add(out, &byte, 1);
    }
    return true;
}

/* Decode s[0..len) to *to, terminated; moves *to past it. */
static char *decode_to(char **to, const char *s, size_t len)
{
    char *start = *to;

    for (size_t at = 0; at < len;) {
        int c = decode_one(s, len, &at, true);

        if (c < 0)
            return NULL;
        *(*to)++ = (char)c;
    }
    *(*to)++ = 0;
    return start;
}

bool uri_pairs_parse(const char *query, struct uri_pairs *out)
{
    size_t nr_max = *query ? 1 : 0;
    char *to;

    memset(out, 0, sizeof(*out));
    for (const char *p = query; *p; p++)
        nr_max += *p == '&';
    if (nr_max > URI_PAIRS_MAX)
        return false;
    out->pair = xalloc(nr_max * sizeof(*out->pair));
    /* Decoding never makes longer; each pair takes two terminators, for its '=' and its '&'. */
    out->store = to = xalloc(strlen(query) + 2 * nr_max + 1);
    while (*query) {
        size_t len = strcspn(query, "&");
        const char *equals = memchr(query, '=', len);
        size_t name_len = equals ? (size_t)(equals - query) : len;
        struct uri_pair *pair = &out->pair[out->nr];

        if (len > 0) {
            pair->name = decode_to(&to, query, name_len);
            pair->value = decode_to(&to, equals ? equals + 1 : "", equals ? len - name_len - 1 : 0);
            if (!pair->name || !pair->value) {
                uri_pairs_free(out);
                return false;
            }
            out->nr++;
        }
        query += len + (query[len] == '&');
    }
    return true;
}

void uri_pairs_free(struct uri_pairs *p)
{
    free(p->pair);
    free(p->store);
    memset(p, 0, sizeof(*p));
}

const char *uri_pairs_get(const struct uri_pairs *p, const char *name)
{
    for (size_t i = 0; i < p->nr; i++)
        if (strcmp(p->pair[i].name, name) == 0)
            return p->pair[i].value;
    return NULL;
}

struct encoded {
    char *name, *value;
};

static char *encoded_copy(const char *s)
{
    struct buf b = {0};

    buf_clear(&b);
    uri_encode(&b, s, strlen(s), false);
    return b.text;
}

static int compare_encoded(const void *a, const void *b)
{
    const struct encoded *x = a, *y = b;
    int order = strcmp(x->name, y->name);

    return order ? order : strcmp(x->value, y->value);
}

void uri_pairs_canonical(const struct uri_pairs *p, const char *leave_out, struct buf *out)
{
    struct encoded *list = xalloc(p->nr * sizeof(*list));
    size_t nr = 0;

    for (size_t i = 0; i < p->nr; i++) {
        if (leave_out && strcmp(p->pair[i].name, leave_out) == 0)
            continue;
        list[nr].name = encoded_copy(p->pair[i].name);
        list[nr++].value = encoded_copy(p->pair[i].value);
    }
    if (nr > 1)
        qsort(list, nr, sizeof(*list), compare_encoded);
    for (size_t i = 0; i < nr; i++) {
        if (i > 0)
            buf_puts(out, "&");
        buf_puts(out, list[i].name);
        buf_puts(out, "=");
        buf_puts(out, list[i].value);
        free(list[i].name);
        free(list[i].value);
    }
    free(list);
}

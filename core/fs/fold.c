/* SPDX-License-Identifier: MIT */
/*
 * Case folding of names, for directories that are case-insensitive. Sources: The Unicode Standard
 * 12.1, sections 3.11 (canonical ordering), 3.12 (Hangul) and 3.13 (caseless matching); what Linux
 * takes of it is said in the kernel's documentation (Documentation/filesystems/ext4, and
 * fs/unicode).
 *
 * A name becomes a row of items, each a code point with its combining class; combining characters
 * between two others are then put out in the order of their classes.
 *
 * Linux looks at names as they come, also at ones that are not quite UTF-8: continuation bytes
 * without a beginning pass through behind a character that is good. In a row of combining
 * characters, which it goes through once for nothing and once for each class, they come out each
 * time. Such names exist, and have to be found.
 */
#include "core/fs/fold.h"

#include "core/base/bytes.h"

struct fold_index {
    uint32_t code;
    uint16_t at; /* in fold_mappings */
};

struct fold_range {
    uint32_t first, last;
};

#include "core/fs/fold_tables.h"

#define CODE_MASK   0x001fffffu
#define CODE_MAX    0x10ffffu
#define ITEM_RAW    0x00200000u /* a byte that passes through */
#define ITEM_BREAK  0x00400000u /* an ignored code point: it only ends a row */
#define CLASS_SHIFT 24

#define HANGUL_FIRST 0xac00u
#define HANGUL_NR    11172u
#define JAMO_L       0x1100u
#define JAMO_V       0x1161u
#define JAMO_T       0x11a7u
#define JAMO_NR_V    21u
#define JAMO_NR_T    28u

#define COMBINING_FIRST 0x300u /* no code point below has a class */

STATIC_ASSERT(FOLD_LEN_MAX <= 4, "a character of two bytes or more becomes up to four");

/* A number of the tables: seven bits a byte, lowest first; its lowest bit is the sign. */
static int32_t unpack(const uint8_t *table, size_t *at)
{
    uint32_t v = 0;
    unsigned shift = 0;

    for (;; shift += 7) {
        uint8_t b = table[(*at)++];

        v |= (uint32_t)(b & 0x7f) << shift;
        if (b < 0x80)
            break;
    }
    return v & 1 ? -(int32_t)(v >> 1) : (int32_t)(v >> 1);
}

/* What the code point becomes in one step: how many, or 0 when it stays as it is. */
static size_t find_mapping(uint32_t code, uint32_t to[FOLD_TO_MAX])
{
    size_t low = 0, high = ARRAY_LEN(fold_index);

    while (low < high) { /* the first group that begins behind the code point */
        size_t mid = low + (high - low) / 2;

        if (fold_index[mid].code <= code)
            low = mid + 1;
        else
            high = mid;
    }
    if (low == 0)
        return 0;
    size_t at = fold_index[low - 1].at;
    uint32_t at_code = fold_index[low - 1].code;

    for (unsigned i = 0; i < FOLD_GROUP && at < sizeof(fold_mappings) && at_code <= code; i++) {
        at_code += (uint32_t)unpack(fold_mappings, &at);
        size_t nr = fold_mappings[at++];

        for (size_t k = 0; k < nr; k++)
            to[k] = (k == 0 ? at_code : 0x300) + (uint32_t)unpack(fold_mappings, &at);
        if (at_code == code)
            return nr;
    }
    return 0;
}

static uint32_t combining_class(uint32_t code)
{
    uint32_t last = 0;

    if (code < COMBINING_FIRST)
        return 0;
    for (size_t at = 0; at < sizeof(fold_combining); at++) {
        uint32_t first = last + (uint32_t)unpack(fold_combining, &at);

        last = first + (uint32_t)unpack(fold_combining, &at);
        if (code <= last)
            return code >= first ? fold_combining[at] : 0;
    }
    return 0;
}

static bool is_ignored(uint32_t code)
{
    for (size_t i = 0; i < ARRAY_LEN(fold_ignored); i++) {
        if (code >= fold_ignored[i].first && code <= fold_ignored[i].last)
            return true;
    }
    return false;
}

struct items {
    uint32_t *list;
    size_t nr;
};

static void add_item(struct items *is, uint32_t code)
{
    is->list[is->nr++] = code | combining_class(code) << CLASS_SHIFT;
}

/* The code point and what it becomes, to the end. */
static void add_folded(struct items *is, uint32_t code)
{
    uint32_t todo[FOLD_DEPTH_MAX * FOLD_TO_MAX + 1], to[FOLD_TO_MAX] = {0};
    size_t nr_todo = 1;

    todo[0] = code;
    while (nr_todo > 0) {
        uint32_t c = todo[--nr_todo];
        size_t nr = c < 0x80 ? 0 : find_mapping(c, to);

        if (c >= 'A' && c <= 'Z') {
            add_item(is, c + ('a' - 'A'));
        } else if (c - HANGUL_FIRST < HANGUL_NR) {
            uint32_t i = c - HANGUL_FIRST, t = i % JAMO_NR_T;

            add_item(is, JAMO_L + i / (JAMO_NR_V * JAMO_NR_T));
            add_item(is, JAMO_V + i / JAMO_NR_T % JAMO_NR_V);
            if (t != 0)
                add_item(is, JAMO_T + t);
        } else if (c >= 0x80 && is_ignored(c)) {
            is->list[is->nr++] = ITEM_BREAK;
        } else if (nr == 0) {
            add_item(is, c);
        } else {
            while (nr > 0) /* the first of them comes out first */
                todo[nr_todo++] = to[--nr];
        }
    }
}

/* How many bytes the character at s has, all of them good; 0: it is none. */
static size_t decode(const uint8_t *s, size_t len, uint32_t *code)
{
    static const uint32_t lowest[] = {0, 0, 0x80, 0x800, 0x10000};
    size_t n = s[0] < 0x80 ? 1 : s[0] < 0xc0 ? 0 : s[0] < 0xe0 ? 2 : s[0] < 0xf0 ? 3 : 4;

    if (n == 0 || n > len || s[0] >= 0xf8)
        return 0;
    *code = n == 1 ? s[0] : s[0] & (0x7fu >> n);
    for (size_t i = 1; i < n; i++) {
        if ((s[i] & 0xc0) != 0x80)
            return 0;
        *code = *code << 6 | (s[i] & 0x3f);
    }
    if (*code < lowest[n] || *code > CODE_MAX || (*code >= 0xd800 && *code <= 0xdfff))
        return 0;
    return n;
}

static bool to_items(struct items *is, const uint8_t *s, size_t len)
{
    uint32_t code = 0;

    for (size_t at = 0; at < len;) {
        if (at > 0 && (s[at] & 0xc0) == 0x80) {
            is->list[is->nr++] = s[at++] | ITEM_RAW;
            continue;
        }
        size_t n = decode(s + at, len - at, &code);

        if (n == 0)
            return false;
        add_folded(is, code);
        at += n;
    }
    return true;
}

struct output {
    uint8_t *bytes;
    size_t len;
    bool full;
};

static void put(struct output *o, uint32_t item)
{
    uint32_t c = item & CODE_MASK;
    uint8_t b[4];
    size_t n = 0;

    if (item & ITEM_BREAK)
        return;
    if ((item & ITEM_RAW) || c < 0x80) {
        b[n++] = (uint8_t)c;
    } else {
        size_t more = c < 0x800 ? 1 : c < 0x10000 ? 2 : 3;

        b[n++] = (uint8_t)(0xf80u >> more | c >> 6 * more);
        while (more-- > 0)
            b[n++] = (uint8_t)(0x80 | (c >> 6 * more & 0x3f));
    }
    for (size_t i = 0; i < n; i++) {
        o->full = o->full || o->len == FOLD_BYTES_MAX;
        if (!o->full)
            o->bytes[o->len++] = b[i];
    }
}

/* A row of combining characters from list[at] on, class by class; gives its end. */
static size_t put_row(struct output *o, const uint32_t *list, size_t nr, size_t at)
{
    size_t end = at;
    uint32_t class = 0;

    while (end < nr && ((list[end] & ITEM_RAW) || list[end] >> CLASS_SHIFT != 0))
        end++;
    /* Each round takes a higher class, of which there are 254. The first one only looks. */
    for (bool more = true; more;) {
        uint32_t next = UINT32_MAX;

        for (size_t i = at; i < end; i++) {
            uint32_t c = list[i] >> CLASS_SHIFT;

            if ((list[i] & ITEM_RAW) || (c == class && class != 0))
                put(o, list[i]);
            else if (c > class && c < next)
                next = c;
        }
        more = next != UINT32_MAX;
        class = next;
    }
    return end;
}

bool fold_name(struct fold_work *w, const char *name, size_t len, uint8_t *out, size_t *out_len)
{
    struct items is = {.list = w->items};
    struct output o = {.bytes = out};

    if (len > FOLD_NAME_MAX || !to_items(&is, (const uint8_t *)name, len))
        return false;
    for (size_t i = 0; i < is.nr;) {
        if (is.list[i] >> CLASS_SHIFT != 0)
            i = put_row(&o, is.list, is.nr, i);
        else
            put(&o, is.list[i++]);
    }
    *out_len = o.len;
    return !o.full;
}

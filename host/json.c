/* SPDX-License-Identifier: MIT */
#include "host/json.h"

#include <assert.h>
#include <inttypes.h>
#include <string.h>

void json_init(struct json *j, FILE *out)
{
    *j = (struct json){.out = out};
}

/*
 * The length of the UTF-8 character at s, 0 when it is none: over-long forms, surrogates and what
 * lies past U+10FFFF count as none.
 */
static size_t utf8_len(const unsigned char *s)
{
    uint32_t c;
    size_t len;

    if (s[0] < 0x80)
        return 1;
    if (s[0] >= 0xc2 && s[0] <= 0xdf)
        len = 2, c = s[0] & 0x1fu;
    else if (s[0] >= 0xe0 && s[0] <= 0xef)
        len = 3, c = s[0] & 0x0fu;
    else if (s[0] >= 0xf0 && s[0] <= 0xf4)
        len = 4, c = s[0] & 0x07u;
    else
        return 0;
    for (size_t i = 1; i < len; i++) {
        if ((s[i] & 0xc0) != 0x80) /* also stops at the terminator */
            return 0;
        c = c << 6 | (s[i] & 0x3fu);
    }
    if (len == 3 && (c < 0x800 || (c >= 0xd800 && c <= 0xdfff)))
        return 0;
    if (len == 4 && (c < 0x10000 || c > 0x10ffff))
        return 0;
    return len;
}

static void put_string(struct json *j, const char *text)
{
    const unsigned char *s = (const unsigned char *)text;

    fputc('"', j->out);
    while (*s != '\0') {
        size_t len = utf8_len(s);

        if (len == 0)
            fputs("\\ufffd", j->out);
        else if (*s == '"' || *s == '\\')
            fprintf(j->out, "\\%c", *s);
        else if (*s == '\n')
            fputs("\\n", j->out);
        else if (*s == '\t')
            fputs("\\t", j->out);
        else if (*s < 0x20 || *s == 0x7f)
            fprintf(j->out, "\\u%04x", *s);
        else
            fwrite(s, 1, len, j->out);
        s += len > 0 ? len : 1;
    }
    fputc('"', j->out);
}

/* Comma, line, indentation and key before a value. */
static void begin(struct json *j, const char *key)
{
    if (j->depth > 0) {
        const char *line = j->one_line ? "" : "\n";

        fprintf(j->out, "%s%s", j->has_member[j->depth] ? (j->one_line ? ", " : ",") : "", line);
        j->has_member[j->depth] = true;
        for (unsigned i = 0; i < j->depth && !j->one_line; i++)
            fputs("  ", j->out);
    }
    if (key != NULL) {
        put_string(j, key);
        fputs(": ", j->out);
    }
}

static void open_at(struct json *j, const char *key, char c)
{
    begin(j, key);
    fputc(c, j->out);
    assert(j->depth + 1 < JSON_DEPTH_MAX);
    j->has_member[++j->depth] = false;
}

static void close_at(struct json *j, char c)
{
    bool had_members = j->has_member[j->depth--];

    if (had_members && !j->one_line) {
        fputc('\n', j->out);
        for (unsigned i = 0; i < j->depth; i++)
            fputs("  ", j->out);
    }
    fputc(c, j->out);
    if (j->depth == 0)
        fputc('\n', j->out);
}

void json_object(struct json *j, const char *key)
{
    open_at(j, key, '{');
}

void json_list(struct json *j, const char *key)
{
    open_at(j, key, '[');
}

void json_end_object(struct json *j)
{
    close_at(j, '}');
}

void json_end_list(struct json *j)
{
    close_at(j, ']');
}

void json_str(struct json *j, const char *key, const char *s)
{
    if (s == NULL) {
        json_null(j, key);
        return;
    }
    begin(j, key);
    put_string(j, s);
}

void json_u64(struct json *j, const char *key, uint64_t v)
{
    begin(j, key);
    fprintf(j->out, "%" PRIu64, v);
}

void json_bool(struct json *j, const char *key, bool v)
{
    begin(j, key);
    fputs(v ? "true" : "false", j->out);
}

void json_null(struct json *j, const char *key)
{
    begin(j, key);
    fputs("null", j->out);
}

void json_hex(struct json *j, const char *key, uint64_t v)
{
    begin(j, key);
    fprintf(j->out, "\"0x%" PRIx64 "\"", v);
}

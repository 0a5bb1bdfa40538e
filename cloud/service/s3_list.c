/* SPDX-License-Identifier: MIT */
/* The objects of a bucket, in pages, folded at a delimiter: versions 1 and 2 of the listing. */
#include "cloud/service/s3.h"

#include <string.h>

#include "core/base/bytes.h"

struct listing {
    const char *prefix, *delimiter, *after;
    bool v2, owner;
    bool url; /* keys are written with %XX */
    int64_t max;
    int64_t nr;
    bool more;
    char last[S3_KEY_BYTES_MAX + 1]; /* the last key or folded prefix that was written */
    struct buf contents, prefixes;
};

static void add_key(const struct listing *l, struct buf *out, const char *name, const char *key)
{
    if (!l->url) {
        xml_element(out, name, key);
        return;
    }
    buf_printf(out, "<%s>", name);
    uri_encode(out, key, strlen(key), true);
    buf_printf(out, "</%s>", name);
}

static void add_object(struct listing *l, sqlite3_stmt *s, const struct request *r)
{
    char modified[32];

    iso_time(sqlite3_column_int64(s, 3), modified);
    buf_puts(&l->contents, "<Contents>");
    add_key(l, &l->contents, "Key", db_text(s, 0));
    xml_element(&l->contents, "LastModified", modified);
    buf_printf(&l->contents, "<ETag>&quot;%s&quot;</ETag>", db_text(s, 2));
    xml_number(&l->contents, "Size", sqlite3_column_int64(s, 1));
    buf_puts(&l->contents, "<StorageClass>STANDARD</StorageClass>");
    if (l->owner)
        buf_printf(&l->contents, "<Owner><ID>%s</ID></Owner>", r->account->id);
    buf_puts(&l->contents, "</Contents>");
}

/* The end of the part of `key` that is folded, or 0. */
static size_t folded_len(const struct listing *l, const char *key)
{
    size_t prefix_len = strlen(l->prefix);
    const char *at;

    if (!*l->delimiter)
        return 0;
    at = strstr(key + prefix_len, l->delimiter);
    return at ? (size_t)(at - key) + strlen(l->delimiter) : 0;
}

/*
 * From `from` on, one row after another. True: go on, from l->last, behind everything that begins
 * with it: a folded prefix is passed over by a new look-up, not by reading all that lies in it.
 */
static bool walk(struct listing *l, sqlite3_stmt *s, const struct request *r, int *status)
{
    while ((*status = sqlite3_step(s)) == SQLITE_ROW) {
        const char *key = db_text(s, 0);
        size_t fold;

        if (strncmp(key, l->prefix, strlen(l->prefix)) != 0)
            break;
        if (l->nr == l->max) {
            l->more = true;
            break;
        }
        l->nr++;
        fold = folded_len(l, key);
        if (fold == 0) {
            add_object(l, s, r);
            memcpy(l->last, key, strlen(key) + 1);
            continue;
        }
        memcpy(l->last, key, fold);
        l->last[fold] = 0;
        buf_puts(&l->prefixes, "<CommonPrefixes>");
        add_key(l, &l->prefixes, "Prefix", l->last);
        buf_puts(&l->prefixes, "</CommonPrefixes>");
        return true;
    }
    return false;
}

/* The least text behind all that begin with `s`: UTF-8 has no byte of 0xff. */
static void behind(struct buf *out, const char *s)
{
    buf_clear(out);
    buf_puts(out, s);
    buf_puts(out, "\xff");
}

static bool collect(struct request *r, sqlite3 *c, struct listing *l)
{
    struct buf from = {0};
    size_t after_len = strlen(l->after), delimiter_len = strlen(l->delimiter);
    int status = SQLITE_DONE;
    bool again = l->max > 0;

    buf_clear(&from);
    /* A page that ended with a folded prefix goes on behind it, not inside. */
    if (delimiter_len > 0 && in_range(strlen(l->prefix), delimiter_len, after_len) &&
        strcmp(l->after + after_len - delimiter_len, l->delimiter) == 0)
        behind(&from, l->after);
    else
        buf_puts(&from, l->after);
    while (again) {
        sqlite3_stmt *s = db_query(c,
                                   "SELECT key, size, etag, modified FROM object"
                                   " WHERE bucket=? AND key>? AND key>=? ORDER BY key",
                                   "sss", r->s3->bucket, from.text, l->prefix);

        again = s && walk(l, s, r, &status);
        if (!s)
            status = SQLITE_ERROR;
        db_finish(s);
        behind(&from, l->last);
    }
    buf_free(&from);
    return status == SQLITE_DONE || status == SQLITE_ROW;
}

static void write_page(struct request *r, const struct listing *l)
{
    struct buf *out = &r->reply;
    const char *token = s3_parameter(r, "continuation-token");
    const char *start = s3_parameter(r, "start-after");

    buf_puts(out, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<ListBucketResult "
                  "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    xml_element(out, "Name", r->s3->bucket);
    add_key(l, out, "Prefix", l->prefix);
    if (*l->delimiter)
        add_key(l, out, "Delimiter", l->delimiter);
    xml_number(out, "MaxKeys", l->max);
    if (l->url)
        xml_element(out, "EncodingType", "url");
    xml_element(out, "IsTruncated", l->more ? "true" : "false");
    if (l->v2) {
        xml_number(out, "KeyCount", l->nr);
        if (token)
            xml_element(out, "ContinuationToken", token);
        if (start)
            add_key(l, out, "StartAfter", start);
        if (l->more)
            xml_element(out, "NextContinuationToken", l->last);
    } else {
        add_key(l, out, "Marker", l->after);
        if (l->more)
            add_key(l, out, "NextMarker", l->last);
    }
    buf_add(out, l->contents.text, l->contents.len);
    buf_add(out, l->prefixes.text, l->prefixes.len);
    buf_puts(out, "</ListBucketResult>\n");
    reply_done(r, 200, NULL);
}

static const char *parameter_or(const struct request *r, const char *name, const char *otherwise)
{
    const char *value = s3_parameter(r, name);

    return value ? value : otherwise;
}

void s3_list_objects(struct request *r)
{
    struct listing l = {
        .prefix = parameter_or(r, "prefix", ""),
        .delimiter = parameter_or(r, "delimiter", ""),
        .v2 = strcmp(parameter_or(r, "list-type", ""), "2") == 0,
        .url = strcmp(parameter_or(r, "encoding-type", ""), "url") == 0,
    };
    sqlite3 *c;

    if (!s3_number(r, "max-keys", 0, INT32_MAX, S3_LIST_MAX, &l.max))
        return;
    l.max = l.max < S3_LIST_MAX ? l.max : S3_LIST_MAX;
    l.owner = !l.v2 || strcmp(parameter_or(r, "fetch-owner", ""), "true") == 0;
    l.after = l.v2 ? parameter_or(r, "continuation-token", parameter_or(r, "start-after", ""))
                   : parameter_or(r, "marker", "");
    buf_clear(&l.contents);
    buf_clear(&l.prefixes);
    c = db_reader(r->svc->db);
    if (collect(r, c, &l))
        write_page(r, &l);
    else
        reply_state_failed(r);
    db_done(r->svc->db, c);
    buf_free(&l.contents);
    buf_free(&l.prefixes);
}

/* SPDX-License-Identifier: MIT */
/* Objects: put, get with ranges, head, delete. */
#include "cloud/service/s3.h"

#include <fcntl.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "core/base/text.h"

struct row {
    char file[FILE_NAME_BYTES]; /* "" when there is none */
    char etag[FILE_MD5_HEX + 8];
};

/* The object that has the key now, in the transaction that will put or delete it. */
static bool find_row(struct request *r, sqlite3 *c, const char *key, struct row *out)
{
    sqlite3_stmt *s = db_query(c, "SELECT file, etag FROM object WHERE bucket=? AND key=?", "ss",
                               r->s3->bucket, key);
    int status = s ? sqlite3_step(s) : SQLITE_ERROR;

    memset(out, 0, sizeof(*out));
    if (status == SQLITE_ROW) {
        file_name_copy(out->file, db_text(s, 0));
        snprintf(out->etag, sizeof(out->etag), "%s", db_text(s, 1));
    }
    db_finish(s);
    return status == SQLITE_ROW || status == SQLITE_DONE;
}

bool s3_insert_object(struct request *r, sqlite3 *c, const char *file, uint64_t size,
                      const char *etag, const char *type, const char *meta,
                      char old[FILE_NAME_BYTES])
{
    const char *bucket = r->s3->bucket, *key = r->s3->key;
    struct row row;
    bool known = find_row(r, c, key, &row);

    file_name_copy(old, row.file);
    /* The bucket may have gone since the headers came: its row is asked for in the transaction. */
    if (db_number(c, 0, "SELECT count(*) FROM bucket WHERE name=? AND account=?", "ss", bucket,
                  r->account->id) != 1) {
        reply_error(r, 404, "NoSuchBucket", "There is no bucket \"%s\" any more.", bucket);
        return false;
    }
    if (known && !s3_check_write(r, row.file[0] ? row.etag : NULL))
        return false;
    if (!known || !db_run(c, "DELETE FROM object WHERE bucket=? AND key=?", "ss", bucket, key) ||
        !db_run(c, "INSERT INTO object VALUES(?, ?, ?, ?, ?, ?, ?, ?, ?)", "ssssisssi", bucket, key,
                r->account->id, file, (int64_t)size, etag, type, meta, (int64_t)time(NULL))) {
        reply_state_failed(r);
        return false;
    }
    return s3_check_quota(r, c);
}

static void reply_etag(struct request *r, const char *etag)
{
    struct buf quoted = {0};

    buf_printf(&quoted, "\"%s\"", etag);
    reply_header(r, "ETag", quoted.text);
    buf_free(&quoted);
}

static void store(struct request *r, const char *type, const char *meta)
{
    const char *dir = r->svc->config.state_dir;
    struct file_in *f = r->file;
    char old[FILE_NAME_BYTES] = "";
    sqlite3 *c;

    if (!file_keep(f)) {
        s3_storing_failed(r, f->full);
        return;
    }
    c = db_begin(r->svc->db);
    if (!c)
        reply_state_failed(r);
    else if (!s3_insert_object(r, c, f->name, f->size, f->md5_hex, type, meta, old))
        db_rollback(r->svc->db);
    else if (!s3_commit(r))
        reply_state_failed(r);
    if (r->status != 0) {
        stored_remove(dir, f->name);
        return;
    }
    if (old[0])
        stored_remove(dir, old);
    reply_etag(r, f->md5_hex);
    s3_give_checksum(r);
    reply_done(r, 200, NULL);
}

void s3_put_object(struct request *r)
{
    struct buf meta = {0};
    const char *type;

    if (s3_take_meta(r, &type, &meta))
        store(r, type, meta.text);
    buf_free(&meta);
}

struct found {
    char file[FILE_NAME_BYTES];
    uint64_t size;
    int64_t modified;
    struct buf etag, type, meta;
};

static bool find(struct request *r, struct found *out)
{
    sqlite3 *c = db_reader(r->svc->db);
    sqlite3_stmt *s = db_query(c,
                               "SELECT file, size, etag, type, meta, modified FROM object"
                               " WHERE bucket=? AND key=?",
                               "ss", r->s3->bucket, r->s3->key);
    int status = s ? sqlite3_step(s) : SQLITE_ERROR;

    if (status == SQLITE_ROW) {
        file_name_copy(out->file, db_text(s, 0));
        out->size = (uint64_t)sqlite3_column_int64(s, 1);
        out->modified = sqlite3_column_int64(s, 5);
        buf_clear(&out->etag);
        buf_puts(&out->etag, db_text(s, 2));
        buf_clear(&out->type);
        buf_puts(&out->type, db_text(s, 3));
        buf_clear(&out->meta);
        buf_puts(&out->meta, db_text(s, 4));
    } else if (status == SQLITE_DONE) {
        reply_error(r, 404, "NoSuchKey", "There is no object \"%.*s\" in the bucket.", 512,
                    r->s3->key);
    } else {
        reply_state_failed(r);
    }
    db_finish(s);
    db_done(r->svc->db, c);
    return r->status == 0;
}

/* An object that was replaced between the look-up and the open has another file now. */
static bool find_and_open(struct request *r, struct found *out)
{
    for (unsigned i = 0; i < 3; i++) {
        if (!find(r, out))
            return false;
        r->reply_fd = stored_open(r->svc->config.state_dir, out->file);
        if (r->reply_fd >= 0)
            return true;
    }
    reply_error(r, 500, "InternalError", "The object's file cannot be opened.");
    return false;
}

/* bytes=A-B, bytes=A-, bytes=-N. False: not one range that can be read; it is ignored, then. */
static bool read_range(const char *text, uint64_t size, uint64_t *first, uint64_t *last)
{
    const char *dash;
    bool have_first, have_last;

    if (strncmp(text, "bytes=", 6) != 0 || !(dash = strchr(text += 6, '-')))
        return false;
    have_first = text_parse_u64(text, (size_t)(dash - text), first);
    have_last = text_parse_u64(dash + 1, strlen(dash + 1), last);
    if ((!have_first && dash != text) || (!have_last && dash[1]) || (!have_first && !have_last))
        return false;
    if (!have_first) {
        *first = *last < size ? size - *last : 0;
        if (*last == 0)
            *first = size;
        *last = size - (size > 0);
    } else if (!have_last || *last >= size) {
        *last = size - (size > 0);
    }
    return !have_first || !have_last || *first <= *last || *first >= size;
}

static void set_range(struct request *r, const struct found *o, unsigned *status)
{
    uint64_t size = o->size;
    const char *range = request_header(r, "Range");
    uint64_t first, last;
    struct buf text = {0};

    r->reply_len = size;
    if (!range || !s3_range_fits(r, o->etag.text, o->modified) ||
        !read_range(range, size, &first, &last))
        return;
    if (first >= size) {
        buf_printf(&text, "bytes */%llu", (unsigned long long)size);
        reply_header(r, "Content-Range", text.text);
        buf_free(&text);
        reply_error(r, 416, "InvalidRange", "The object has %llu bytes.", (unsigned long long)size);
        return;
    }
    buf_printf(&text, "bytes %llu-%llu/%llu", (unsigned long long)first, (unsigned long long)last,
               (unsigned long long)size);
    reply_header(r, "Content-Range", text.text);
    buf_free(&text);
    r->reply_offset = first;
    r->reply_len = last - first + 1;
    *status = 206;
}

/* The checksum is that of the whole object, and told to those who ask. */
static bool wants_checksum(const struct request *r, unsigned status)
{
    const char *mode = request_header(r, "x-amz-checksum-mode");

    if (!mode)
        mode = s3_parameter(r, "X-Amz-Checksum-Mode");
    if (!mode)
        mode = s3_parameter(r, "x-amz-checksum-mode");
    return status == 200 && mode && strcmp(mode, "ENABLED") == 0;
}

void s3_get_object(struct request *r)
{
    struct found o = {0};
    unsigned status = 200;
    char modified[32];

    buf_clear(&o.etag);
    buf_clear(&o.type);
    buf_clear(&o.meta);
    if (find_and_open(r, &o)) {
        http_time(o.modified, modified);
        reply_etag(r, o.etag.text);
        reply_header(r, "Last-Modified", modified);
        reply_header(r, "Accept-Ranges", "bytes");
        s3_check_read(r, o.etag.text, o.modified);
        if (r->status == 0)
            set_range(r, &o, &status);
        if (r->status == 0 &&
            s3_give_meta(r, o.type.text, o.meta.text, wants_checksum(r, status))) {
            r->status = status;
        } else {
            close(r->reply_fd);
            r->reply_fd = -1;
        }
    }
    buf_free(&o.etag);
    buf_free(&o.type);
    buf_free(&o.meta);
}

static bool delete_row(struct request *r, sqlite3 *c, const char *key)
{
    return db_run(c, "DELETE FROM object WHERE bucket=? AND key=?", "ss", r->s3->bucket, key);
}

void s3_delete_object(struct request *r)
{
    sqlite3 *c = db_begin(r->svc->db);
    struct row row;

    if (!c) {
        reply_state_failed(r);
        return;
    }
    if (!find_row(r, c, r->s3->key, &row) ||
        (s3_check_write(r, row.file[0] ? row.etag : NULL) && !delete_row(r, c, r->s3->key)))
        reply_state_failed(r);
    if (r->status != 0) {
        db_rollback(r->svc->db);
        return;
    }
    if (!db_commit(r->svc->db)) {
        reply_state_failed(r);
        return;
    }
    if (row.file[0])
        stored_remove(r->svc->config.state_dir, row.file);
    reply_done(r, 204, NULL);
}

/* One of many that a document names. */
struct doomed {
    char *key, *etag;           /* etag: the condition, or NULL */
    char file[FILE_NAME_BYTES]; /* to remove after the commit, or "" */
    const char *code;           /* why it is not deleted; or NULL */
};

struct doomed_list {
    struct doomed of[S3_LIST_MAX], next;
    size_t nr;
    bool quiet;
};

static void doomed_free(struct doomed *d)
{
    free(d->key);
    free(d->etag);
    memset(d, 0, sizeof(*d));
}

static const char *on_delete(void *arg, const char *path, const char *text)
{
    static const char inside[] = "Delete/Object/";
    struct doomed_list *l = arg;
    char **to = NULL;

    if (strcmp(path, "Delete/Quiet") == 0 && text)
        l->quiet = strcmp(text, "true") == 0;
    if (strcmp(path, "Delete/Object") == 0) {
        if (l->nr == S3_LIST_MAX)
            return "more than 1000 keys";
        if (!l->next.key)
            return "an Object has a Key";
        l->of[l->nr++] = l->next;
        memset(&l->next, 0, sizeof(l->next));
    }
    if (strncmp(path, inside, sizeof(inside) - 1) != 0 || !text)
        return NULL;
    path += sizeof(inside) - 1;
    if (strcmp(path, "Key") == 0)
        to = &l->next.key;
    else if (strcmp(path, "ETag") == 0)
        to = &l->next.etag;
    else
        l->next.code = "NotImplemented"; /* VersionId, Size, and what else would spare it */
    if (to && *to)
        return "an Object has one Key and one ETag";
    if (to)
        *to = xstrdup(text);
    return NULL;
}

static bool delete_one(struct request *r, sqlite3 *c, struct doomed *d)
{
    struct row row;

    if (d->code)
        return true;
    if (!find_row(r, c, d->key, &row))
        return false;
    if (d->etag && !(row.file[0] && s3_lists_etag(d->etag, row.etag))) {
        d->code = "PreconditionFailed";
        return true;
    }
    file_name_copy(d->file, row.file);
    return delete_row(r, c, d->key);
}

static void write_deleted(struct request *r, const struct doomed *d, bool quiet)
{
    bool conditional = d->code && strcmp(d->code, "PreconditionFailed") == 0;

    if (quiet && !d->code)
        return;
    buf_puts(&r->reply, d->code ? "<Error>" : "<Deleted>");
    xml_element(&r->reply, "Key", d->key);
    if (d->code) {
        xml_element(&r->reply, "Code", d->code);
        xml_element(&r->reply, "Message",
                    conditional ? "There is no object with this key and this ETag."
                                : "This store deletes by Key and ETag alone.");
    }
    buf_puts(&r->reply, d->code ? "</Error>" : "</Deleted>");
}

static void delete_all(struct request *r, struct doomed_list *l)
{
    sqlite3 *c = db_begin(r->svc->db);

    for (size_t i = 0; c && i < l->nr && r->status == 0; i++)
        if (!delete_one(r, c, &l->of[i]))
            reply_state_failed(r);
    if (!c) {
        reply_state_failed(r);
    } else if (r->status != 0) {
        db_rollback(r->svc->db);
    } else if (!db_commit(r->svc->db)) {
        reply_state_failed(r);
    }
    if (r->status != 0)
        return;
    buf_puts(&r->reply, "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n<DeleteResult "
                        "xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">");
    for (size_t i = 0; i < l->nr; i++) {
        if (l->of[i].file[0])
            stored_remove(r->svc->config.state_dir, l->of[i].file);
        write_deleted(r, &l->of[i], l->quiet);
    }
    buf_puts(&r->reply, "</DeleteResult>\n");
    reply_done(r, 200, NULL);
}

void s3_delete_objects(struct request *r)
{
    struct doomed_list *l = xalloc(sizeof(*l));

    if (s3_read_xml(r, on_delete, l)) {
        if (l->nr > 0)
            delete_all(r, l);
        else
            reply_error(r, 400, "MalformedXML", "The document names no object to delete.");
    }
    for (size_t i = 0; i < l->nr; i++)
        doomed_free(&l->of[i]);
    doomed_free(&l->next);
    free(l);
}

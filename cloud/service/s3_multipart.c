/* SPDX-License-Identifier: MIT */
/* Objects that come in parts. */
#include "cloud/service/s3.h"

#include <stdlib.h>
#include <string.h>

#include "core/base/text.h"

#define NAMESPACE " xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\""

static const char xml_head[] = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n";

static const char *upload_id(const struct request *r)
{
    return s3_parameter(r, "uploadId");
}

/* Is it there, for this key, and ours? */
static bool check_upload(struct request *r, sqlite3 *c)
{
    if (db_number(c, 0,
                  "SELECT count(*) FROM upload WHERE id=? AND bucket=? AND key=? AND account=?",
                  "ssss", upload_id(r), r->s3->bucket, r->s3->key, r->account->id) == 1)
        return true;
    reply_error(r, 404, "NoSuchUpload",
                "There is no such upload of this key; it was completed, aborted, or never begun.");
    return false;
}

void s3_create_upload(struct request *r)
{
    struct buf meta = {0};
    const char *type;
    char id[65];
    sqlite3 *c;

    if (!s3_take_meta(r, &type, &meta)) {
        buf_free(&meta);
        return;
    }
    random_hex(id, 32);
    c = db_begin(r->svc->db);
    if (!c) {
        reply_state_failed(r);
    } else if (!db_run(c, "INSERT INTO upload VALUES(?, ?, ?, ?, ?, ?, ?)", "ssssssi", id,
                       r->s3->bucket, r->s3->key, r->account->id, type, meta.text,
                       (int64_t)time(NULL))) {
        reply_state_failed(r);
        db_rollback(r->svc->db);
    } else if (!s3_check_quota(r, c)) {
        db_rollback(r->svc->db);
    } else if (!db_commit(r->svc->db)) {
        reply_state_failed(r);
    } else {
        buf_printf(&r->reply, "%s<InitiateMultipartUploadResult" NAMESPACE ">", xml_head);
        xml_element(&r->reply, "Bucket", r->s3->bucket);
        xml_element(&r->reply, "Key", r->s3->key);
        xml_element(&r->reply, "UploadId", id);
        buf_puts(&r->reply, "</InitiateMultipartUploadResult>\n");
        reply_done(r, 200, NULL);
    }
    buf_free(&meta);
}

/* The part's row in place of one with its number; false: the answer is an error. */
static bool insert_part(struct request *r, sqlite3 *c, int64_t number, char old[FILE_NAME_BYTES])
{
    struct file_in *f = r->file;
    sqlite3_stmt *s;

    if (!check_upload(r, c))
        return false;
    s = db_query(c, "SELECT file FROM part WHERE upload=? AND number=?", "si", upload_id(r),
                 number);
    if (s && sqlite3_step(s) == SQLITE_ROW)
        file_name_copy(old, db_text(s, 0));
    db_finish(s);
    if (!s ||
        !db_run(c, "DELETE FROM part WHERE upload=? AND number=?", "si", upload_id(r), number) ||
        !db_run(c, "INSERT INTO part VALUES(?, ?, ?, ?, ?, ?, ?)", "sissisi", upload_id(r), number,
                r->account->id, f->name, (int64_t)f->size, f->md5_hex, (int64_t)time(NULL))) {
        reply_state_failed(r);
        return false;
    }
    return s3_check_quota(r, c);
}

void s3_put_part(struct request *r)
{
    char old[FILE_NAME_BYTES] = "";
    struct buf etag = {0};
    int64_t number;
    sqlite3 *c;

    if (!s3_number(r, "partNumber", 1, S3_PARTS_MAX, 0, &number))
        return;
    if (number == 0) {
        reply_error(r, 400, "InvalidArgument", "partNumber is missing.");
        return;
    }
    if (!file_keep(r->file)) {
        s3_storing_failed(r, r->file->full);
        return;
    }
    c = db_begin(r->svc->db);
    if (!c)
        reply_state_failed(r);
    else if (!insert_part(r, c, number, old))
        db_rollback(r->svc->db);
    else if (!s3_commit(r))
        reply_state_failed(r);
    if (r->status != 0) {
        stored_remove(r->svc->config.state_dir, r->file->name);
        return;
    }
    if (old[0])
        stored_remove(r->svc->config.state_dir, old);
    buf_printf(&etag, "\"%s\"", r->file->md5_hex);
    reply_header(r, "ETag", etag.text);
    s3_give_checksum(r);
    buf_free(&etag);
    reply_done(r, 200, NULL);
}

struct part {
    int64_t number;
    uint64_t size;
    char etag[FILE_MD5_HEX];
    char file[FILE_NAME_BYTES];
};

struct completion {
    struct part part[S3_PARTS_MAX]; /* as the client names them, then as they are */
    size_t nr;
    struct part next;
    uint64_t size;
    char etag[FILE_MD5_HEX + 8];
};

static const char *on_complete(void *arg, const char *path, const char *text)
{
    struct completion *p = arg;
    uint64_t number;

    if (strcmp(path, "CompleteMultipartUpload/Part/PartNumber") == 0) {
        if (!text || !text_parse_u64(text, strlen(text), &number) || number < 1 ||
            number > S3_PARTS_MAX)
            return "a PartNumber is a whole number from 1 to 10000";
        p->next.number = (int64_t)number;
    } else if (strcmp(path, "CompleteMultipartUpload/Part/ETag") == 0) {
        if (text && *text == '"')
            text++;
        if (!text || strspn(text, "0123456789abcdef") != 32 ||
            strcmp(text + 32 + (text[32] == '"'), "") != 0)
            return "an ETag of a part is 32 hexadecimal digits";
        memcpy(p->next.etag, text, 32);
    } else if (strcmp(path, "CompleteMultipartUpload/Part") == 0) {
        if (p->nr == S3_PARTS_MAX)
            return "more than 10000 parts";
        if (p->next.number == 0 || !p->next.etag[0])
            return "a Part has a PartNumber and an ETag";
        p->part[p->nr++] = p->next;
        memset(&p->next, 0, sizeof(p->next));
    }
    return NULL;
}

static bool check_order(struct request *r, const struct completion *p)
{
    for (size_t i = 1; i < p->nr; i++) {
        if (p->part[i].number > p->part[i - 1].number)
            continue;
        reply_error(r, 400, "InvalidPartOrder", "Part %lld does not stand in ascending order.",
                    (long long)p->part[i].number);
        return false;
    }
    return true;
}

/* Each part that the client names, against what was stored. */
static bool match_parts(struct request *r, sqlite3 *c, struct completion *p)
{
    for (size_t i = 0; i < p->nr; i++) {
        struct part *part = &p->part[i];
        sqlite3_stmt *s;
        bool same;

        s = db_query(c, "SELECT etag, size, file FROM part WHERE upload=? AND number=?", "si",
                     upload_id(r), part->number);
        same = s && sqlite3_step(s) == SQLITE_ROW && strcmp(db_text(s, 0), part->etag) == 0;
        if (same) {
            part->size = (uint64_t)sqlite3_column_int64(s, 1);
            file_name_copy(part->file, db_text(s, 2));
        }
        db_finish(s);
        if (!same) {
            reply_error(r, 400, "InvalidPart", "Part %lld was not uploaded with this ETag.",
                        (long long)part->number);
            return false;
        }
        if (i + 1 < p->nr && part->size < S3_PART_BYTES_MIN) {
            reply_error(r, 400, "EntityTooSmall",
                        "Part %lld has %llu bytes; each part but the last has at least 5 MiB.",
                        (long long)part->number, (unsigned long long)part->size);
            return false;
        }
        p->size += part->size;
    }
    if (p->size <= r->svc->config.object_bytes_max)
        return true;
    reply_error(r, 400, "EntityTooLarge", "The parts together are larger than an object may be.");
    return false;
}

/* The digest of the parts' digests, and how many they are. */
static void join_etags(struct completion *p)
{
    EVP_MD_CTX *md5 = EVP_MD_CTX_new();
    unsigned char raw[16];
    struct buf text = {0};

    EVP_DigestInit_ex(md5, EVP_md5(), NULL);
    for (size_t i = 0; i < p->nr; i++) {
        for (unsigned k = 0; k < 16; k++) {
            char pair[3] = {p->part[i].etag[2 * k], p->part[i].etag[2 * k + 1], 0};
            raw[k] = (unsigned char)strtoul(pair, NULL, 16);
        }
        EVP_DigestUpdate(md5, raw, sizeof(raw));
    }
    EVP_DigestFinal_ex(md5, raw, NULL);
    EVP_MD_CTX_free(md5);
    for (unsigned k = 0; k < 16; k++)
        buf_printf(&text, "%02x", raw[k]);
    buf_printf(&text, "-%zu", p->nr);
    memcpy(p->etag, text.text, text.len + 1);
    buf_free(&text);
}

struct names {
    char (*name)[FILE_NAME_BYTES];
    size_t nr;
};

/* The files of all the upload's parts, named by the client or not. */
static bool collect_files(struct request *r, sqlite3 *c, struct names *out)
{
    sqlite3_stmt *s = db_query(c, "SELECT file FROM part WHERE upload=?", "s", upload_id(r));
    int status = SQLITE_ERROR;

    out->name = xalloc(S3_PARTS_MAX * sizeof(*out->name));
    while (s && out->nr < S3_PARTS_MAX && (status = sqlite3_step(s)) == SQLITE_ROW)
        file_name_copy(out->name[out->nr++], db_text(s, 0));
    db_finish(s);
    return status == SQLITE_DONE || out->nr == S3_PARTS_MAX;
}

static bool drop_upload(struct request *r, sqlite3 *c, struct names *files)
{
    if (check_upload(r, c) && collect_files(r, c, files) &&
        db_run(c, "DELETE FROM part WHERE upload=?", "s", upload_id(r)) &&
        db_run(c, "DELETE FROM upload WHERE id=?", "s", upload_id(r)))
        return true;
    reply_state_failed(r);
    return false;
}

static void remove_files(struct request *r, struct names *files)
{
    for (size_t i = 0; r->status == 0 && i < files->nr; i++)
        stored_remove(r->svc->config.state_dir, files->name[i]);
    free(files->name);
}

/* The row of the object in place of the upload's, in one transaction. */
static bool swap_rows(struct request *r, sqlite3 *c, const struct completion *p,
                      struct names *files, char old[FILE_NAME_BYTES])
{
    sqlite3_stmt *s = db_query(c, "SELECT type, meta FROM upload WHERE id=?", "s", upload_id(r));
    bool good = false;

    if (s && sqlite3_step(s) == SQLITE_ROW) {
        struct buf type = {0}, meta = {0};

        buf_clear(&type);
        buf_puts(&type, db_text(s, 0));
        buf_clear(&meta);
        buf_puts(&meta, db_text(s, 1));
        good = drop_upload(r, c, files) &&
               s3_insert_object(r, c, r->file->name, p->size, p->etag, type.text, meta.text, old);
        buf_free(&type);
        buf_free(&meta);
    } else {
        check_upload(r, c);
    }
    db_finish(s);
    return good;
}

static void complete(struct request *r, const struct completion *p)
{
    struct names files = {0};
    char old[FILE_NAME_BYTES] = "";
    sqlite3 *c = db_begin(r->svc->db);

    if (!c)
        reply_state_failed(r);
    else if (!swap_rows(r, c, p, &files, old))
        db_rollback(r->svc->db);
    else if (!db_commit(r->svc->db))
        reply_state_failed(r);
    remove_files(r, &files);
    if (r->status != 0) {
        stored_remove(r->svc->config.state_dir, r->file->name);
        return;
    }
    if (old[0])
        stored_remove(r->svc->config.state_dir, old);
    buf_printf(&r->reply, "%s<CompleteMultipartUploadResult" NAMESPACE ">", xml_head);
    xml_element(&r->reply, "Bucket", r->s3->bucket);
    xml_element(&r->reply, "Key", r->s3->key);
    buf_printf(&r->reply, "<ETag>&quot;%s&quot;</ETag></CompleteMultipartUploadResult>\n", p->etag);
    reply_done(r, 200, NULL);
}

static bool join_files(struct request *r, const struct completion *p)
{
    r->file = file_begin(r->svc->config.state_dir);
    if (r->file) {
        bool good = true;

        for (size_t i = 0; good && i < p->nr; i++)
            good = file_append(r->file, p->part[i].file, p->part[i].size);
        if (good && file_keep(r->file))
            return true;
    }
    if (r->file && r->file->full)
        reply_error(r, 503, "ServiceUnavailable",
                    "The disk of the service is full; the parts are still there.");
    else
        reply_error(r, 500, "InternalError",
                    "Joining the parts failed; the service's log tells why.");
    return false;
}

void s3_complete_upload(struct request *r)
{
    struct completion *p = xalloc(sizeof(*p));
    bool good = s3_read_xml(r, on_complete, p);

    if (good && p->nr == 0) {
        reply_error(r, 400, "MalformedXML", "The document names no part.");
        good = false;
    }
    if (good) {
        sqlite3 *c = db_reader(r->svc->db);

        good = check_upload(r, c) && check_order(r, p) && match_parts(r, c, p);
        db_done(r->svc->db, c);
    }
    if (good) {
        join_etags(p);
        if (join_files(r, p))
            complete(r, p);
    }
    free(p);
}

void s3_abort_upload(struct request *r)
{
    struct names files = {0};
    sqlite3 *c = db_begin(r->svc->db);

    if (!c)
        reply_state_failed(r);
    else if (!drop_upload(r, c, &files))
        db_rollback(r->svc->db);
    else if (!db_commit(r->svc->db))
        reply_state_failed(r);
    remove_files(r, &files);
    if (r->status == 0)
        reply_done(r, 204, NULL);
}

void s3_list_parts(struct request *r)
{
    sqlite3 *c = db_reader(r->svc->db);
    int64_t max, after, nr = 0, last = 0;
    sqlite3_stmt *s = NULL;
    bool more = false;

    if (check_upload(r, c) && s3_number(r, "max-parts", 0, INT32_MAX, S3_LIST_MAX, &max) &&
        s3_number(r, "part-number-marker", 0, S3_PARTS_MAX, 0, &after)) {
        max = max < S3_LIST_MAX ? max : S3_LIST_MAX;
        s = db_query(c,
                     "SELECT number, size, etag, modified FROM part WHERE upload=? AND number>?"
                     " ORDER BY number",
                     "si", upload_id(r), after);
        buf_printf(&r->reply, "%s<ListPartsResult" NAMESPACE ">", xml_head);
        xml_element(&r->reply, "Bucket", r->s3->bucket);
        xml_element(&r->reply, "Key", r->s3->key);
        xml_element(&r->reply, "UploadId", upload_id(r));
        xml_number(&r->reply, "PartNumberMarker", after);
        xml_number(&r->reply, "MaxParts", max);
        while (s && sqlite3_step(s) == SQLITE_ROW && !(more = nr == max)) {
            char modified[32];

            nr++;
            last = sqlite3_column_int64(s, 0);
            iso_time(sqlite3_column_int64(s, 3), modified);
            buf_puts(&r->reply, "<Part>");
            xml_number(&r->reply, "PartNumber", last);
            xml_element(&r->reply, "LastModified", modified);
            buf_printf(&r->reply, "<ETag>&quot;%s&quot;</ETag>", db_text(s, 2));
            xml_number(&r->reply, "Size", sqlite3_column_int64(s, 1));
            buf_puts(&r->reply, "</Part>");
        }
        xml_number(&r->reply, "NextPartNumberMarker", last);
        xml_element(&r->reply, "IsTruncated", more ? "true" : "false");
        buf_puts(&r->reply, "</ListPartsResult>\n");
        if (s)
            reply_done(r, 200, NULL);
        else
            reply_state_failed(r);
    }
    db_finish(s);
    db_done(r->svc->db, c);
}

/* With encoding-type=url, keys are written with %XX. */
static void add_key(const struct request *r, struct buf *out, const char *name, const char *key)
{
    struct buf text = {0};

    buf_clear(&text);
    if (s3_parameter(r, "encoding-type"))
        uri_encode(&text, key, strlen(key), true);
    else
        buf_puts(&text, key);
    xml_element(out, name, text.text);
    buf_free(&text);
}

/* What the list takes from the address besides its place. */
static bool check_list(struct request *r)
{
    const char *delimiter = s3_parameter(r, "delimiter");
    const char *encoding = s3_parameter(r, "encoding-type");

    if (delimiter && *delimiter)
        reply_error(r, 501, "NotImplemented", "This store does not fold a list of uploads.");
    else if (encoding && strcmp(encoding, "url") != 0)
        reply_error(r, 400, "InvalidArgument", "encoding-type is url.");
    return r->status == 0;
}

static void add_upload(const struct request *r, struct buf *out, sqlite3_stmt *s)
{
    char created[32];

    iso_time(sqlite3_column_int64(s, 2), created);
    buf_puts(out, "<Upload>");
    add_key(r, out, "Key", db_text(s, 0));
    xml_element(out, "UploadId", db_text(s, 1));
    xml_element(out, "Initiated", created);
    buf_puts(out, "</Upload>");
}

void s3_list_uploads(struct request *r)
{
    const char *key = s3_parameter(r, "key-marker"), *id = s3_parameter(r, "upload-id-marker");
    const char *prefix = s3_parameter(r, "prefix");
    struct buf *out = &r->reply, next = {0};
    int64_t max, nr = 0;
    bool more = false;
    sqlite3_stmt *s;
    sqlite3 *c;

    if (!check_list(r) || !s3_number(r, "max-uploads", 0, INT32_MAX, S3_LIST_MAX, &max))
        return;
    max = max < S3_LIST_MAX ? max : S3_LIST_MAX;
    c = db_reader(r->svc->db);
    /* Without an upload's id, the marker's key itself is passed over: no id is greater than "~". */
    s = db_query(c,
                 "SELECT key, id, created FROM upload WHERE bucket=? AND (key, id)>(?, ?)"
                 " AND substr(key, 1, length(?4))=?4 ORDER BY key, id",
                 "ssss", r->s3->bucket, key ? key : "",
                 id    ? id
                 : key ? "~"
                       : "",
                 prefix ? prefix : "");
    buf_printf(out, "%s<ListMultipartUploadsResult" NAMESPACE ">", xml_head);
    xml_element(out, "Bucket", r->s3->bucket);
    add_key(r, out, "KeyMarker", key ? key : "");
    xml_element(out, "UploadIdMarker", id ? id : "");
    xml_number(out, "MaxUploads", max);
    if (prefix)
        add_key(r, out, "Prefix", prefix);
    if (s3_parameter(r, "encoding-type"))
        xml_element(out, "EncodingType", "url");
    buf_clear(&next);
    while (s && sqlite3_step(s) == SQLITE_ROW && !(more = nr == max)) {
        nr++;
        add_upload(r, out, s);
        buf_clear(&next);
        add_key(r, &next, "NextKeyMarker", db_text(s, 0));
        xml_element(&next, "NextUploadIdMarker", db_text(s, 1));
    }
    if (more)
        buf_puts(out, next.text);
    xml_element(out, "IsTruncated", more ? "true" : "false");
    buf_puts(out, "</ListMultipartUploadsResult>\n");
    if (s)
        reply_done(r, 200, NULL);
    else
        reply_state_failed(r);
    db_finish(s);
    buf_free(&next);
    db_done(r->svc->db, c);
}

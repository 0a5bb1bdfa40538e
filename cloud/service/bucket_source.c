/* SPDX-License-Identifier: MIT */
/* Objects of the own store, or the way to another one; see bucket_source.h. */
#include "cloud/service/bucket_source.h"

#include <errno.h>
#include <stdatomic.h>
#include <string.h>
#include <unistd.h>

#include "cloud/aws/http.h"
#include "cloud/service/bucket_remote.h"
#include "cloud/service/files.h"

/* An object that is replaced between the look-up and the open has another file then. */
#define OPEN_TRIES 3

bool bucket_request_begin(struct service *svc, const struct account *account,
                          struct bucket_use *out)
{
    unsigned threads = svc->config.threads, nr_max = threads > 1 ? threads - 1 : 1;
    unsigned nr = svc->far_requests;

    *out = (struct bucket_use){.svc = svc, .account = account};
    if (!svc->config.s3_url)
        return true;
    do {
        if (nr >= nr_max)
            return false;
    } while (!atomic_compare_exchange_weak(&svc->far_requests, &nr, nr + 1));
    out->until_ms = http_clock_ms() + BUCKET_REQUEST_S * 1000;
    return true;
}

void bucket_request_end(struct bucket_use *use)
{
    if (use->until_ms != 0)
        use->svc->far_requests--;
}

struct location {
    char bucket[64];
    const char *key;
};

static bool split(const char *text, struct location *out, struct buf *why)
{
    size_t len;

    text += *text == '/';
    len = strcspn(text, "/");
    if (len == 0 || len >= sizeof(out->bucket) || text[len] != '/' || !text[len + 1]) {
        buf_printf(why, "\"%.200s\" names no object; a location is BUCKET/KEY.", text);
        return false;
    }
    memcpy(out->bucket, text, len);
    out->bucket[len] = 0;
    out->key = text + len + 1;
    return true;
}

/* Why a look-up found nothing. */
static enum bucket_result explain(sqlite3 *c, const struct account *account,
                                  const struct location *at, struct buf *why)
{
    sqlite3_stmt *s = db_query(c, "SELECT account FROM bucket WHERE name=?", "s", at->bucket);
    int status = s ? sqlite3_step(s) : SQLITE_ERROR;
    enum bucket_result result = BUCKET_MISSING;

    if (status == SQLITE_DONE) {
        buf_printf(why, "There is no bucket \"%s\".", at->bucket);
    } else if (status != SQLITE_ROW) {
        buf_puts(why, "The service could not use its state; its log tells why.");
        result = BUCKET_FAILED;
    } else if (strcmp(db_text(s, 0), account->id) != 0) {
        buf_printf(why, "The bucket \"%s\" belongs to another account.", at->bucket);
        result = BUCKET_FORBIDDEN;
    } else {
        buf_printf(why, "There is no object \"%.200s\" in the bucket \"%s\".", at->key, at->bucket);
    }
    db_finish(s);
    return result;
}

static enum bucket_result find(const struct bucket_use *use, const struct location *at,
                               char file[FILE_NAME_BYTES], uint64_t *size_bytes, struct buf *why)
{
    sqlite3 *c = db_reader(use->svc->db);
    sqlite3_stmt *s = db_query(c,
                               "SELECT file, size FROM object WHERE bucket=? AND key=?"
                               " AND account=?",
                               "sss", at->bucket, at->key, use->account->id);
    enum bucket_result result = BUCKET_GOOD;

    if (s && sqlite3_step(s) == SQLITE_ROW) {
        file_name_copy(file, db_text(s, 0));
        *size_bytes = (uint64_t)sqlite3_column_int64(s, 1);
    } else {
        result = explain(c, use->account, at, why);
    }
    db_finish(s);
    db_done(use->svc->db, c);
    return result;
}

enum bucket_result bucket_sizes(const struct bucket_use *use, const char *folder,
                                const char *const *names, size_t nr, uint64_t *sizes_bytes,
                                struct buf *why)
{
    enum bucket_result result = BUCKET_GOOD;
    struct buf text = {0};

    for (size_t i = 0; result == BUCKET_GOOD && i < nr; i++) {
        char file[FILE_NAME_BYTES];
        struct location at;

        buf_clear(&text);
        buf_printf(&text, "%s%s", folder, names[i]);
        if (!split(text.text, &at, why)) {
            result = BUCKET_MISSING;
        } else if (use->svc->config.s3_url) {
            text.text[text.len - strlen(names[i])] = 0; /* at.key is the folder's now */
            result = bucket_remote_sizes(use, at.bucket, at.key, names, nr, sizes_bytes, why);
            break;
        } else {
            result = find(use, &at, file, &sizes_bytes[i], why);
        }
    }
    buf_free(&text);
    return result;
}

static enum bucket_result check_size(const char *location, uint64_t size_bytes, uint64_t bytes_max,
                                     struct buf *why)
{
    if (size_bytes <= bytes_max)
        return BUCKET_GOOD;
    buf_printf(why, "\"%.200s\" has %llu bytes; at most %llu are allowed.", location,
               (unsigned long long)size_bytes, (unsigned long long)bytes_max);
    return BUCKET_TOO_LARGE;
}

enum bucket_result bucket_open(const struct bucket_use *use, const char *location,
                               uint64_t bytes_max, int *fd, uint64_t *size_bytes, struct buf *why)
{
    char file[FILE_NAME_BYTES];
    struct location at;

    if (!split(location, &at, why))
        return BUCKET_MISSING;
    if (use->svc->config.s3_url)
        return bucket_remote_open(use, at.bucket, at.key, bytes_max, fd, size_bytes, why);
    for (unsigned i = 0; i < OPEN_TRIES; i++) {
        enum bucket_result result = find(use, &at, file, size_bytes, why);

        if (result == BUCKET_GOOD)
            result = check_size(location, *size_bytes, bytes_max, why);
        if (result != BUCKET_GOOD)
            return result;
        *fd = stored_open(use->svc->config.state_dir, file);
        if (*fd >= 0)
            return BUCKET_GOOD;
    }
    buf_printf(why, "The file of \"%.200s\" cannot be opened: %s.", location, strerror(errno));
    return BUCKET_FAILED;
}

static bool read_all(int fd, uint64_t size_bytes, struct buf *out)
{
    char piece[65536];

    buf_clear(out);
    while (out->len < size_bytes) {
        ssize_t n = read(fd, piece, sizeof(piece));

        if (n < 0 && errno == EINTR)
            continue;
        if (n <= 0)
            return false;
        buf_add(out, piece, (size_t)n);
    }
    return out->len == size_bytes;
}

enum bucket_result bucket_get(const struct bucket_use *use, const char *location,
                              uint64_t bytes_max, struct buf *out, struct buf *why)
{
    uint64_t size_bytes;
    int fd;
    enum bucket_result result = bucket_open(use, location, bytes_max, &fd, &size_bytes, why);

    if (result != BUCKET_GOOD)
        return result;
    if (!read_all(fd, size_bytes, out)) {
        buf_printf(why, "The file of \"%.200s\" cannot be read.", location);
        result = BUCKET_FAILED;
    }
    close(fd);
    return result;
}

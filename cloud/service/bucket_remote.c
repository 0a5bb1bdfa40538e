/* SPDX-License-Identifier: MIT */
/* Objects of another S3, with the client that the tools have, too; see bucket_remote.h. */
#include "cloud/service/bucket_remote.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/aws/store.h"
#include "cloud/service/files.h"
#include "cloud/service/keeper.h"

#define RETRIES 2u /* of the keeper */

/* Clients choose the names: a listing of what else begins as they do ends so soon. */
#define LIST_OTHERS_MAX 1000u

struct far {
    struct client client;
    struct store store;
};

/* False: `why` says it. */
static bool far_open(struct far *f, const struct bucket_use *use, const char *bucket,
                     struct buf *why)
{
    const struct config *c = &use->svc->config;
    const struct login *login = use->account->s3.secret ? &use->account->s3 : &c->s3;
    const struct keeper *keeper = use->svc->keeper; /* none: who reads is no service */
    char reason[1024];

    *f = (struct far){.client = {.peer = {.url = c->s3_url,
                                          .region = c->s3_region ? c->s3_region : c->region,
                                          .service = "s3",
                                          .access_key = login->access_key,
                                          .secret = login->secret,
                                          .stop = keeper ? keeper_stopping(keeper) : NULL,
                                          .until_ms = use->until_ms},
                                 .retries = use->until_ms == 0 ? RETRIES : 0},
                      .store = {.name = bucket}};
    f->store.client = &f->client;
    f->store.http = http_open(&f->client.peer, reason, sizeof(reason));
    if (!f->store.http)
        buf_printf(why, "The service cannot set up a transfer: %s.", reason);
    return f->store.http;
}

static void far_close(struct far *f)
{
    http_close(f->store.http);
    call_result_free(&f->store.result);
}

/* What became of the last request for an object of at most bytes_max. */
static enum bucket_result judge(const struct far *f, const char *key, uint64_t bytes_max,
                                struct buf *why)
{
    const struct call_result *r = &f->store.result;
    const char *url = f->client.peer.url, *bucket = f->store.name;
    long status = r->answer.status;

    buf_clear(why);
    if (r->answer.too_long) {
        buf_printf(why, "%.300s/%s/%.300s has more than %llu bytes, which are allowed.", url,
                   bucket, key, (unsigned long long)bytes_max);
        return BUCKET_TOO_LARGE;
    }
    if (r->answer.failure != HTTP_ANSWERED) {
        buf_printf(why, "%.300s/%s/%.300s cannot be read: %s.", url, bucket, key,
                   r->answer.failure == HTTP_STOPPED ? "the service is stopped" : r->answer.why);
        return BUCKET_FAILED;
    }
    if (status == 200)
        return BUCKET_GOOD;
    buf_printf(why, "%.300s/%s/%.300s answers %ld%s%s.", url, bucket, key, status,
               *r->code ? " " : "", r->code);
    return status == 404                    ? BUCKET_MISSING
           : status == 403 || status == 401 ? BUCKET_FORBIDDEN
                                            : BUCKET_FAILED;
}

/* ---- sizes ----------------------------------------------------------------------------------- */

struct listed {
    char *key;
    uint64_t size_bytes;
};

struct listing {
    struct listed *row;
    size_t nr, cap;
};

static void list_one(void *ctx, const char *key, const char *etag, uint64_t size_bytes)
{
    struct listing *l = ctx;

    (void)etag;
    if (l->nr == l->cap)
        l->row = xgrow(l->row, &l->cap, sizeof(*l->row));
    l->row[l->nr++] = (struct listed){.key = xstrdup(key), .size_bytes = size_bytes};
}

static int by_key(const void *a, const void *b)
{
    const struct listed *x = a, *y = b;

    return strcmp(x->key, y->key);
}

/* What all the keys begin with. */
static void common_prefix(const char *folder, const char *const *names, size_t nr, struct buf *out)
{
    size_t len = strlen(names[0]);

    for (size_t i = 1; i < nr; i++) {
        size_t same = 0;

        while (same < len && names[i][same] == names[0][same])
            same++;
        len = same;
    }
    buf_clear(out);
    buf_puts(out, folder);
    buf_add(out, names[0], len);
}

/* What the listing does not have is asked for by itself: the answer says what is wrong. */
static enum bucket_result look_up(struct far *f, const struct listing *l, const char *key,
                                  uint64_t *size_bytes, struct buf *why)
{
    const struct listed wanted = {.key = (char *)key}, *found;

    found = l->nr > 0 ? bsearch(&wanted, l->row, l->nr, sizeof(wanted), by_key) : NULL;
    *size_bytes = found != NULL ? found->size_bytes : 0;
    if (found != NULL)
        return BUCKET_GOOD;
    (void)store_head(&f->store, key, size_bytes);
    return judge(f, key, 0, why);
}

enum bucket_result bucket_remote_sizes(const struct bucket_use *use, const char *bucket,
                                       const char *folder, const char *const *names, size_t nr,
                                       uint64_t *sizes_bytes, struct buf *why)
{
    enum bucket_result result = BUCKET_GOOD;
    struct listing l = {.nr = 0};
    struct buf key = {0};
    struct far f;

    if (!far_open(&f, use, bucket, why))
        return BUCKET_FAILED;
    common_prefix(folder, names, nr, &key);
    if (nr > 1)
        (void)store_list(&f.store, key.text, (uint32_t)nr + LIST_OTHERS_MAX, list_one, &l);
    if (l.nr > 0)
        qsort(l.row, l.nr, sizeof(*l.row), by_key);
    for (size_t i = 0; result == BUCKET_GOOD && i < nr; i++) {
        buf_clear(&key);
        buf_printf(&key, "%s%s", folder, names[i]);
        result = look_up(&f, &l, key.text, &sizes_bytes[i], why);
    }
    for (size_t i = 0; i < l.nr; i++)
        free(l.row[i].key);
    free(l.row);
    buf_free(&key);
    far_close(&f);
    return result;
}

/* ---- objects --------------------------------------------------------------------------------- */

enum bucket_result bucket_remote_open(const struct bucket_use *use, const char *bucket,
                                      const char *key, uint64_t bytes_max, int *fd,
                                      uint64_t *size_bytes, struct buf *why)
{
    int file = files_nameless(use->svc->config.state_dir);
    enum bucket_result result;
    struct stat st;
    struct far f;

    if (file < 0) {
        buf_printf(why, "The service cannot make files in its state: %s.", strerror(errno));
        return BUCKET_FAILED;
    }
    if (!far_open(&f, use, bucket, why)) {
        close(file);
        return BUCKET_FAILED;
    }
    (void)store_get(&f.store, key, file, bytes_max);
    result = judge(&f, key, bytes_max, why);
    far_close(&f);
    if (result == BUCKET_GOOD && fstat(file, &st) != 0) {
        buf_printf(why, "What was read cannot be looked at: %s.", strerror(errno));
        result = BUCKET_FAILED;
    }
    if (result != BUCKET_GOOD) {
        close(file);
        return result;
    }
    *fd = file;
    *size_bytes = (uint64_t)st.st_size;
    return BUCKET_GOOD;
}

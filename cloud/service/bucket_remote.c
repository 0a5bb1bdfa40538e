/* SPDX-License-Identifier: MIT */
/* Objects of another S3, with the client that the tools have, too; see bucket_remote.h. */
#include "cloud/service/bucket_remote.h"

#include <errno.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "cloud/aws/store.h"
#include "cloud/service/files.h"

#define RETRIES 2u

struct far {
    struct client client;
    struct store store;
};

/* False: `why` says it. */
static bool far_open(struct far *f, const struct config *c, const struct account *account,
                     const char *bucket, struct buf *why)
{
    const struct login *login = account->s3.secret ? &account->s3 : &c->s3;
    char reason[1024];

    *f = (struct far){.client = {.peer = {.url = c->s3_url,
                                          .region = c->s3_region ? c->s3_region : c->region,
                                          .service = "s3",
                                          .access_key = login->access_key,
                                          .secret = login->secret},
                                 .retries = RETRIES},
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
        buf_printf(why, "%.300s/%s/%.300s cannot be read: %s.", url, bucket, key, r->answer.why);
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

enum bucket_result bucket_remote_head(struct service *svc, const struct account *account,
                                      const char *bucket, const char *key, uint64_t *size_bytes,
                                      struct buf *why)
{
    struct far f;
    enum bucket_result result;

    *size_bytes = 0;
    if (!far_open(&f, &svc->config, account, bucket, why))
        return BUCKET_FAILED;
    (void)store_head(&f.store, key, size_bytes);
    result = judge(&f, key, 0, why);
    far_close(&f);
    return result;
}

enum bucket_result bucket_remote_open(struct service *svc, const struct account *account,
                                      const char *bucket, const char *key, uint64_t bytes_max,
                                      int *fd, uint64_t *size_bytes, struct buf *why)
{
    int file = files_nameless(svc->config.state_dir);
    enum bucket_result result;
    struct stat st;
    struct far f;

    if (file < 0) {
        buf_printf(why, "The service cannot make files in its state: %s.", strerror(errno));
        return BUCKET_FAILED;
    }
    if (!far_open(&f, &svc->config, account, bucket, why)) {
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

/* SPDX-License-Identifier: MIT */
/*
 * Where bundles are read from: the own bucket store, or the S3 that the configuration names.
 *
 * An object is named as images name it, "bucket/key" (a slash before it is left out). Every call
 * may take as long as a network takes, and uses a reader of the state: hold neither a reader nor a
 * transaction while calling. On failure `why` holds one sentence for the client.
 *
 * What reads of another S3 ends with a failure, within a second or two, when the keeper is told to
 * stop.
 */
#ifndef PVBOOT_CLOUD_SERVICE_BUCKET_SOURCE_H
#define PVBOOT_CLOUD_SERVICE_BUCKET_SOURCE_H

#include "cloud/service/request.h"

enum bucket_result {
    BUCKET_GOOD,
    BUCKET_MISSING,   /* no such bucket or object; or a location that can be none */
    BUCKET_FORBIDDEN, /* it is not for this account */
    BUCKET_TOO_LARGE, /* than the caller allows */
    BUCKET_FAILED,    /* disk or network; may be tried again */
};

/* Who reads, and for how long. */
struct bucket_use {
    struct service *svc;
    const struct account *account;
    /*
     * By http_clock_ms. 0: the keeper's, whose transfers are tried again and take as long as
     * something comes. Else a request's: nothing is tried again, and what is not over then fails.
     */
    int64_t until_ms;
};

/*
 * A request begins to read: all of it has BUCKET_REQUEST_S, since the thread that it holds is also
 * that of other clients. So that a far S3 that says nothing cannot take all the threads, one of
 * them (where there are several) is left to other requests: false when that is the last one. Each
 * true needs its bucket_request_end. The own store has neither limit.
 */
#define BUCKET_REQUEST_S 15
bool bucket_request_begin(struct service *svc, const struct account *account,
                          struct bucket_use *out);
void bucket_request_end(struct bucket_use *use);

/*
 * How large are the objects of one folder ("bucket/" or "bucket/a/b/") that have these names? The
 * first that is not there ends it, and `why` names it. Of another S3 it is asked by a listing, and
 * one by one for what is not in it: where that S3 does not list, or has many other objects whose
 * keys begin as all of these do.
 */
enum bucket_result bucket_sizes(const struct bucket_use *use, const char *folder,
                                const char *const *names, size_t nr, uint64_t *sizes_bytes,
                                struct buf *why);

/* The whole object in memory: for manifests. `out` is replaced. */
enum bucket_result bucket_get(const struct bucket_use *use, const char *location,
                              uint64_t bytes_max, struct buf *out, struct buf *why);

/*
 * The whole object as a file to read from its beginning; the caller closes it. It stays whole,
 * whatever happens to the object meanwhile, and takes no room once it is closed.
 */
enum bucket_result bucket_open(const struct bucket_use *use, const char *location,
                               uint64_t bytes_max, int *fd, uint64_t *size_bytes, struct buf *why);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Where bundles are read from: the own bucket store, or the S3 that the configuration names.
 *
 * An object is named as images name it, "bucket/key" (a slash before it is left out). Every call
 * may take as long as a network takes, and uses a reader of the state: hold neither a reader nor a
 * transaction while calling. On failure `why` holds one sentence for the client.
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

/*
 * How large are the objects of one folder ("bucket/" or "bucket/a/b/") that have these names? The
 * first that is not there ends it, and `why` names it. Of another S3 it is asked by a listing, and
 * one by one for what is not in it: where that S3 does not list, or has many other objects whose
 * keys begin as all of these do.
 */
enum bucket_result bucket_sizes(struct service *svc, const struct account *account,
                                const char *folder, const char *const *names, size_t nr,
                                uint64_t *sizes_bytes, struct buf *why);

/* The whole object in memory: for manifests. `out` is replaced. */
enum bucket_result bucket_get(struct service *svc, const struct account *account,
                              const char *location, uint64_t bytes_max, struct buf *out,
                              struct buf *why);

/*
 * The whole object as a file to read from its beginning; the caller closes it. It stays whole,
 * whatever happens to the object meanwhile, and takes no room once it is closed.
 */
enum bucket_result bucket_open(struct service *svc, const struct account *account,
                               const char *location, uint64_t bytes_max, int *fd,
                               uint64_t *size_bytes, struct buf *why);

#endif

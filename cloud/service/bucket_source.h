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

/* Is it there, and how large? */
enum bucket_result bucket_head(struct service *svc, const struct account *account,
                               const char *location, uint64_t *size_bytes, struct buf *why);

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

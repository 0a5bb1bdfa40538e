/* SPDX-License-Identifier: MIT */
/* The S3 that the configuration names (s3-url), read with libcurl, which signs the requests. */
#ifndef PVBOOT_CLOUD_SERVICE_BUCKET_REMOTE_H
#define PVBOOT_CLOUD_SERVICE_BUCKET_REMOTE_H

#include "cloud/service/bucket_source.h"

/*
 * As bucket_sizes and bucket_open; the folder is a prefix of keys. What was read lies in a file
 * without a name, in the state.
 */
enum bucket_result bucket_remote_sizes(const struct bucket_use *use, const char *bucket,
                                       const char *folder, const char *const *names, size_t nr,
                                       uint64_t *sizes_bytes, struct buf *why);
enum bucket_result bucket_remote_open(const struct bucket_use *use, const char *bucket,
                                      const char *key, uint64_t bytes_max, int *fd,
                                      uint64_t *size_bytes, struct buf *why);

#endif

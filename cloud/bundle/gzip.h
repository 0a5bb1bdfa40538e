/* SPDX-License-Identifier: MIT */
/*
 * gzip on all processors: one member, whose pieces of 1 MiB are compressed beside each other, each
 * with the 32 KiB before it as its dictionary, and put out in order. The memory that it needs does
 * not depend on the length of the stream.
 */
#ifndef PVBOOT_CLOUD_BUNDLE_GZIP_H
#define PVBOOT_CLOUD_BUNDLE_GZIP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct gzip;

/* False: it could not be taken; gzip_put and gzip_finish then return false, too. */
typedef bool gzip_sink(void *ctx, const uint8_t *bytes, size_t len);

/* nr_threads 0: one for each processor. NULL: no memory, or no threads. */
struct gzip *gzip_new(unsigned nr_threads, gzip_sink *sink, void *ctx);
bool gzip_put(struct gzip *g, const void *bytes, size_t len);
bool gzip_finish(struct gzip *g);
void gzip_free(struct gzip *g); /* at any time; NULL is allowed */

#endif

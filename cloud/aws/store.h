/* SPDX-License-Identifier: MIT */
/*
 * What the tools do with buckets, on S3 or whatever speaks as it does: path-style addresses, one
 * request an object.
 *
 * Every function returns false with the sentence in result->why; result->code is the server's word
 * ("NoSuchBucket", "NoSuchKey").
 */
#ifndef PVBOOT_CLOUD_AWS_STORE_H
#define PVBOOT_CLOUD_AWS_STORE_H

#include "cloud/aws/client.h"
#include "cloud/aws/digest.h"

#define STORE_LIST_MAX 100000u /* keys of one listing, for the tools */

/* A connection that uses a bucket; one thread's. */
struct store {
    const struct client *client;
    struct http *http;
    const char *name;
    struct call_result result;
    void (*progress)(void *ctx, uint64_t bytes); /* of objects that are sent or fetched; or NULL */
    void *progress_ctx;
};

/* Create it, in the region of the peer. One that is there already and ours is good, too. */
bool store_create(struct store *b);
/* Remove it; it has to be empty. */
bool store_remove(struct store *b);

/* The whole file as an object. The server has to have the MD5 of what was sent. acl may be NULL. */
bool store_put(struct store *b, const char *key, int fd, const struct digest *d, const char *acl);

/* How large an object is. */
bool store_head(struct store *b, const char *key, uint64_t *size_bytes);

/* An object as the content of a file. */
bool store_get(struct store *b, const char *key, int to_fd, uint64_t max_bytes);
/* The same into b->result.answer.body. */
bool store_get_text(struct store *b, const char *key);

/* One that is not there is removed, too: S3 does not tell. */
bool store_delete(struct store *b, const char *key);

/*
 * All keys that begin with `prefix`, in order. etag: as the server wrote it, without quotes. More
 * than keys_max are an error, which comes after the keys of the page that exceeds it.
 */
bool store_list(struct store *b, const char *prefix, uint32_t keys_max,
                void (*key)(void *ctx, const char *key, const char *etag, uint64_t size_bytes),
                void *ctx);

#endif

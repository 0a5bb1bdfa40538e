/* SPDX-License-Identifier: MIT */
/*
 * From a bundle to the image. Parts are hostile, whoever signed them, so the work is divided:
 *
 *   unpack.c          reads the parts, checks their digests, and passes them on through a pipe;
 *                     never looks at what is in them
 *   unpack_stream.c   behind the fence (host/fence.h): AES, gzip, tar, the image's digest
 *
 * The key of the bundle is opened before, by who has the private key; behind the fence is only what
 * opens this one bundle. Free the private key first: the process behind the fence is a fork.
 *
 * All of this is for a process with one thread, as the fence is. A server starts itself as a
 * helper for it.
 */
#ifndef PVBOOT_CLOUD_BUNDLE_UNPACK_H
#define PVBOOT_CLOUD_BUNDLE_UNPACK_H

#include <sys/types.h>

#include "cloud/bundle/pack.h"

#define BUNDLE_PART_FILE_MAX ((uint64_t)256 << 20) /* tools write 10 MiB */
/* What all parts may have together: an image that gzip makes no smaller, and change. */
#define BUNDLED_MAX (BUNDLE_IMAGE_MAX + ((uint64_t)256 << 20))

struct bundle_key {
    uint8_t key[BUNDLE_KEY_BYTES], iv[BUNDLE_KEY_BYTES];
};

/*
 * What opens the bundle, with the private key of its maker or of the cloud that it was made for.
 * False: `why` is the sentence, as everywhere here. Wipe it (OPENSSL_cleanse) after use.
 */
bool bundle_open_key(const struct manifest *m, struct key *private, struct bundle_key *out,
                     char *why, size_t why_cap);

/* Where the parts are. */
struct bundle_source {
    /* Part i, from 0: a descriptor of a regular file, which is closed here; -1: errno says why. */
    int (*open_part)(void *ctx, uint32_t i);
    void *ctx;
    const char *place; /* the folder or bucket, for sentences */
};

/*
 * Write the image to `out`, an empty regular file, sparse where it holds zeroes. Every digest and
 * every size is checked. False: what the file holds then is of no use.
 */
bool bundle_unpack(const struct manifest *m, const struct bundle_source *from,
                   const struct bundle_key *key, int out, const struct bundle_job *job, char *why,
                   size_t why_cap);

/*
 * The same from the parts in the folder `from` to the file m->name in the folder `to`, which gets
 * its name at the end. A file of that name that is there already is an error.
 */
bool bundle_unpack_folder(const struct manifest *m, const char *from, const char *to,
                          const struct bundle_key *key, const struct bundle_job *job, char *why,
                          size_t why_cap);

/* ---- the stream, for unpack.c and for tests ---------------------------------------------------
 */

struct unpack_io {
    /* Up to cap bytes of what was decrypted; 0: it has ended; -1: `why` of unpack_stream is said.
     */
    ssize_t (*get)(void *ctx, uint8_t *buf, size_t cap);
    /* Bytes of the image that are not all zero. False: `why` is said. */
    bool (*put)(void *ctx, const uint8_t *bytes, size_t len, uint64_t off_bytes);
    void *ctx;
};

/* Read gzip and tar, and check them against m: name, size and digest of the image. */
bool unpack_stream(const struct manifest *m, const struct unpack_io *io, char *why, size_t why_cap);

#endif

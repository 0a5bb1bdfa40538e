/* SPDX-License-Identifier: MIT */
/*
 * From an image to a bundle, in one pass and with the same memory for every size (unpack.h goes
 * back):
 *
 *   image -> tar (libarchive) -> SHA-1 -> gzip -> AES-128-CBC -> parts of 10 MiB with a SHA-1 each
 *
 * A bundle is made in a hidden folder beside its place. The parts move to their names when all of
 * them are on the disk, the manifest comes last: what is interrupted has none, and so is no bundle.
 * Of two of one name at once in a folder, the second is refused.
 */
#ifndef PVBOOT_CLOUD_BUNDLE_PACK_H
#define PVBOOT_CLOUD_BUNDLE_PACK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/bundle/manifest.h"
#include "host/stop.h"

#define BUNDLE_PART_BYTES 10485760u
#define BUNDLE_IMAGE_MAX  ((uint64_t)10 << 30)
#define BUNDLE_KEY_BYTES  16

struct bundle_job {
    const stop_flag *stop; /* not 0: give up and clean up */
    void (*progress)(void *ctx, uint64_t done_bytes, uint64_t all_bytes); /* or NULL */
    void *progress_ctx;
};

/*
 * Bundle an image as folder/m->name.part.N and folder/m->name.manifest.xml. m holds what the
 * manifest says beyond what is found here. False: `why` is the sentence, and nothing was left.
 */
bool bundle_pack(const char *image, const char *folder, struct manifest *m, struct key *user,
                 struct key *user_private, struct key *ec2, const struct bundle_job *job,
                 struct arena *a, char *why, size_t why_cap);

#endif

/* SPDX-License-Identifier: MIT */
/* Between manifest_read.c, which follows the elements, and manifest_fields.c, which takes values.
 */
#ifndef PVBOOT_CLOUD_BUNDLE_MANIFEST_READ_H
#define PVBOOT_CLOUD_BUNDLE_MANIFEST_READ_H

#include <expat.h>

#include "cloud/bundle/manifest.h"

#define DEPTH_MAX 16
#define PATH_MAX_ 256 /* of element names: longer ones are not known anyway */

enum field {
    F_VERSION,
    F_BUNDLER_NAME,
    F_BUNDLER_VERSION,
    F_BUNDLER_RELEASE,
    F_CONFIGURATION,
    F_ARCH,
    F_KERNEL,
    F_RAMDISK,
    F_IMAGE,
    F_NAME,
    F_USER,
    F_TYPE,
    F_KERNEL_NAME,
    F_DIGEST,
    F_SIZE,
    F_BUNDLED,
    F_EC2_KEY,
    F_USER_KEY,
    F_EC2_IV,
    F_USER_IV,
    F_PARTS,
    F_SIGNATURE,
    F_ONCE, /* those before this one may stand once in the file */
    F_FILENAME,
    F_PART_DIGEST,
    F_PART,
    F_MAPPING,
    F_VIRTUAL,
    F_DEVICE,
    F_CODE,
    F_ANCESTOR,
    F_NOTHING, /* an element that only holds others */
};

struct reading {
    XML_Parser parser;
    struct manifest *m;
    struct arena *arena;
    char *why;
    size_t why_cap;
    bool bad;
    uint32_t depth, unknown_depth; /* of the outermost element that is not known; 0: none */
    enum field open[DEPTH_MAX];
    size_t path_len;
    char path[PATH_MAX_];
    char value[MANIFEST_VALUE_MAX + 1];
    size_t value_len;
    bool seen[F_ONCE];
    bool has_count;
    uint64_t count;
    uint32_t parts_room;
    bool has_filename, has_digest; /* of the part that is open */
};

/* The first error ends the reading: `why` gets the line and the sentence. */
__attribute__((format(printf, 2, 3))) void manifest_bad(struct reading *r, const char *fmt, ...);
const char *manifest_keep(struct reading *r, const char *text);

/* r->value is the whole text of an element that ends. */
void manifest_field(struct reading *r, enum field f);

/* After the last element: is everything there that a bundle needs? */
bool manifest_complete(const struct reading *r, char *why, size_t why_cap);

#endif

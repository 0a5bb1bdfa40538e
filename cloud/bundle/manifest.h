/* SPDX-License-Identifier: MIT */
/*
 * The manifest of an EC2 image bundle, version 2007-10-10: an XML file that names the parts, their
 * digests, the keys that open them, and is signed.
 *
 *   manifest_read.c    the reader, for what any tool wrote (expat)
 *   manifest_write.c   the writer
 *   keys.c             RSA: signatures, and the keys of bundles as they stand in manifests
 *
 * A manifest is hostile until it is verified; the reader checks that all values are what they
 * should be, and that names of files are names in one folder. Text lies in an arena.
 */
#ifndef PVBOOT_CLOUD_BUNDLE_MANIFEST_H
#define PVBOOT_CLOUD_BUNDLE_MANIFEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "cloud/bundle/keys.h"
#include "core/base/arena.h"

#define MANIFEST_VERSION      "2007-10-10"
#define MANIFEST_SUFFIX       ".manifest.xml"
#define MANIFEST_MAX          ((size_t)16 << 20)
#define MANIFEST_PARTS_MAX    10000u
#define MANIFEST_MAPPINGS_MAX 64u
#define MANIFEST_CODES_MAX    64u
#define MANIFEST_NAME_MAX     200u /* of a file: with .part.NNNNN it still is a file's name */
#define MANIFEST_VALUE_MAX    8192u
#define SHA1_BYTES            20

struct manifest_mapping {
    const char *virtual_name; /* "ami", "root", "ephemeral0" */
    const char *device;       /* "sda1" */
};

struct manifest_part {
    const char *filename;
    uint8_t sha1[SHA1_BYTES];
};

/* A range of bytes of the manifest's text. */
struct manifest_range {
    size_t off, len;
};

enum manifest_type { MANIFEST_MACHINE, MANIFEST_KERNEL, MANIFEST_RAMDISK };

/* Text that may be missing is NULL. */
struct manifest {
    const char *version;
    const char *bundler_name, *bundler_version, *bundler_release;
    bool narrow; /* architecture i386, else x86_64 */
    uint32_t nr_mappings;
    struct manifest_mapping mappings[MANIFEST_MAPPINGS_MAX];
    const char *kernel_id, *ramdisk_id;
    uint32_t nr_product_codes, nr_ancestors;
    const char *product_codes[MANIFEST_CODES_MAX], *ancestors[MANIFEST_CODES_MAX];
    const char *name; /* of the image: the one member of the tar archive */
    const char *user; /* 12 digits */
    enum manifest_type type;
    const char *kernel_name;
    uint8_t sha1[SHA1_BYTES]; /* of the tar archive */
    uint64_t size_bytes;      /* of the image */
    uint64_t bundled_bytes;   /* of all parts */
    /* As they stand: hexadecimal, of what RSA encrypted. NULL: none for this reader. */
    const char *ec2_key, *ec2_iv, *user_key, *user_iv;
    uint32_t nr_parts;
    struct manifest_part *parts;
    const char *signature; /* hexadecimal; NULL: it is not signed */
    /* What is signed, in the text that was read. */
    struct manifest_range signed_configuration, signed_image;
    uint32_t nr_passed_over;
    const char *passed_over; /* the first element that is not known here */
};

/*
 * Read text[0..len). False: `why` is one sentence, without the file's name. What it quotes from the
 * text is escaped.
 */
bool manifest_read(struct manifest *m, const char *text, size_t len, struct arena *a, char *why,
                   size_t why_cap);

/* The same of a file, whose text is kept for manifest_verify. `why` names the file. */
bool manifest_read_file(struct manifest *m, const char *path, struct arena *a, const char **text,
                        char *why, size_t why_cap);

/*
 * Write and sign: *text, in the arena, is the whole file. m->signature is not looked at, the ranges
 * of what is signed are set.
 */
bool manifest_write(struct manifest *m, struct key *signer, struct arena *a, const char **text,
                    size_t *len, char *why, size_t why_cap);

/* Was the text signed with the key of this certificate? `why` tells an unsigned one from a bad one.
 */
bool manifest_verify(const struct manifest *m, const char *text, struct key *signer, char *why,
                     size_t why_cap);

/* May this be the name of a file in a folder, and of an object? */
bool manifest_name_ok(const char *name);
const char *manifest_arch(bool narrow);
const char *manifest_type_name(enum manifest_type type);

#endif

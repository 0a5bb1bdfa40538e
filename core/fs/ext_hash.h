/* SPDX-License-Identifier: MIT */
/* The hash functions of ext3/4 directories. Internal to the reader. */
#ifndef PVBOOT_FS_EXT_HASH_H
#define PVBOOT_FS_EXT_HASH_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* As they stand in an index's root. */
enum ext_hash_version {
    EXT_HASH_LEGACY,
    EXT_HASH_HALF_MD4,
    EXT_HASH_TEA,
    EXT_HASH_LEGACY_UNSIGNED, /* these three: whatever the superblock says of signs */
    EXT_HASH_HALF_MD4_UNSIGNED,
    EXT_HASH_TEA_UNSIGNED,
    EXT_HASH_NR
};

struct ext_hash {
    enum ext_hash_version version;
    uint32_t seed[4];
};

/* The hash of name[0..len): an even number, as indexes compare them. */
uint32_t ext_hash_name(const struct ext_hash *h, const uint8_t *name, size_t len);

#endif

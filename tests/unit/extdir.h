/* SPDX-License-Identifier: MIT */
/*
 * Large indexed directories of ext4, in no time: the blocks of a directory are written here into a
 * file, debugfs makes that file a directory, and e2fsck -D indexes it.
 */
#ifndef PVBOOT_TESTS_EXTDIR_H
#define PVBOOT_TESTS_EXTDIR_H

#include <stddef.h>
#include <stdint.h>

#define EXT_DIR_INODE 12 /* "/afile": all names are its */

/* Writes name number i (256 bytes are there) and gives its length. */
typedef size_t (*name_fn)(char *name, unsigned i);

/*
 * An image with "/afile" and an indexed directory "/big" of nr names. alg: a hash of tune2fs -E
 * hash_alg; sign: the superblock's flags (1: signed, 2: unsigned); debugfs: one more request to it,
 * or "". block_bytes must be what the options say; size is the image's, as mke2fs takes it.
 */
uint8_t *make_ext_dir(const char *options, const char *alg, int sign, const char *debugfs,
                      name_fn name_of, unsigned nr, size_t block_bytes, const char *size,
                      size_t *len);

#endif

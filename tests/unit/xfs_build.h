/* SPDX-License-Identifier: MIT */
/*
 * What mkfs.xfs does not write, built by hand in an image's free part (the content of a file named
 * /boot/big, which lies in a row): a file with a tree of extents, a link outside its inode.
 */
#ifndef PVBOOT_TESTS_XFS_BUILD_H
#define PVBOOT_TESTS_XFS_BUILD_H

#include "tests/unit/xfs_image.h"

/* Where the parts of such an image lie; sizes as they follow from its geometry. */
struct xfs_build {
    struct opened *o;
    const struct xfs *x;
    uint8_t *free_bytes; /* the next free block */
    uint64_t free_fsblock;
    uint32_t core_bytes, head_bytes; /* of an inode, of a tree's block */
    uint32_t per_block, root_fits;   /* extents in a leaf; pointers in the root */
};

/* Begin, on an image that is open. What is built is seen after it is opened again. */
void xfs_build_init(struct xfs_build *b, struct opened *o);

/*
 * Make the file one of nr_extents extents of one block, each followed by a hole: by turns its first
 * block, its second, as one not written yet, and its third. The tree has two levels and a root.
 */
void xfs_build_file(struct xfs_build *b, const char *path, uint32_t nr_extents);

/* Make the link in the root one whose target lies in nr_extents extents of a block. */
void xfs_build_link(struct xfs_build *b, const char *name, const char *target, uint32_t nr_extents);

#endif

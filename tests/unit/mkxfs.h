/* SPDX-License-Identifier: MIT */
/* XFS images for unit tests, made by mkfs.xfs (package xfsprogs) when the test runs. */
#ifndef PVBOOT_TESTS_MKXFS_H
#define PVBOOT_TESTS_MKXFS_H

#include <stddef.h>
#include <stdint.h>

/*
 * An image filled from the folder `tree` below temp_dir(): `mkfs.xfs OPTIONS -p PROTO IMAGE`, with
 * a prototype file that names what is in the folder (no name may hold a blank). Sizes far below
 * what mkfs.xfs allows are made as its own tests make them. The result is the caller's to free.
 */
uint8_t *make_xfs(const char *options, const char *tree, const char *size, size_t *len);

#endif

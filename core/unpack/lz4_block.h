/* SPDX-License-Identifier: MIT */
/* One block of LZ4 data. */
#ifndef PVBOOT_UNPACK_LZ4_BLOCK_H
#define PVBOOT_UNPACK_LZ4_BLOCK_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

/* A match reaches back at most this far. */
#define LZ4_WINDOW ((size_t)64 * 1024)

/*
 * Unpack src[0..src_len) into dst, whose first cap bytes may be written; *out is how many there
 * are. before[0..before_len) is the output that precedes it, for blocks that are linked. False
 * when the data is damaged or makes more than cap bytes.
 */
bool lz4_block_unpack(const uint8_t *src, size_t src_len, uint8_t *dst, size_t cap,
                      const uint8_t *before, size_t before_len, size_t *out);

#endif

/* SPDX-License-Identifier: MIT */
/* The 32-bit xxHash, seed 0, which the LZ4 frame format uses as its checksum. */
#ifndef PVBOOT_UNPACK_XXH32_H
#define PVBOOT_UNPACK_XXH32_H

#include <stddef.h>
#include <stdint.h>

struct xxh32 {
    uint32_t lane[4];
    uint8_t tail[16]; /* bytes that do not fill a stripe yet */
    uint32_t tail_len;
    uint64_t total;
};

void xxh32_init(struct xxh32 *x);
void xxh32_add(struct xxh32 *x, const void *data, size_t len);
uint32_t xxh32_sum(const struct xxh32 *x);

uint32_t xxh32(const void *data, size_t len);

#endif

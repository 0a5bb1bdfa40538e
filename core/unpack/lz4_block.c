/* SPDX-License-Identifier: MIT */
/* liblz4 behind the block interface: its `int` lengths are checked here. */
#include "core/unpack/lz4_block.h"

#include <limits.h>
#include <lz4.h>

bool lz4_block_unpack(const uint8_t *src, size_t src_len, uint8_t *dst, size_t cap,
                      const uint8_t *before, size_t before_len, size_t *out)
{
    if (src_len > INT_MAX || cap > INT_MAX || before_len > LZ4_WINDOW)
        return false;
    int n = LZ4_decompress_safe_usingDict((const char *)src, (char *)dst, (int)src_len, (int)cap,
                                          (const char *)before, (int)before_len);

    if (n < 0)
        return false;
    *out = (size_t)n;
    return true;
}

/* SPDX-License-Identifier: MIT */
/* One block of LZO1X data. */
#ifndef PVBOOT_UNPACK_LZO1X_H
#define PVBOOT_UNPACK_LZO1X_H

#include <stddef.h>
#include <stdint.h>

enum lzo1x_result {
    LZO1X_OK,
    LZO1X_SHORT_INPUT,  /* ends before its end mark */
    LZO1X_NO_ROOM,      /* makes more than cap bytes */
    LZO1X_BAD_DISTANCE, /* refers to before its beginning */
    LZO1X_TRAILING,     /* bytes after the end mark */
};

/* Unpack src[0..src_len) into dst, whose first cap bytes may be written; their number in *out. */
enum lzo1x_result lzo1x_unpack(const uint8_t *src, size_t src_len, uint8_t *dst, size_t cap,
                               size_t *out);

#endif

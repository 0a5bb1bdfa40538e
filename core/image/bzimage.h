/* SPDX-License-Identifier: MIT */
/* Linux's bzImage: where its payload lies. */
#ifndef PVBOOT_IMAGE_BZIMAGE_H
#define PVBOOT_IMAGE_BZIMAGE_H

#include "core/image/image.h"

/* Bytes of the file that bzimage_parse wants to see: the setup header, and room for most kernels'
 * version strings. */
#define BZIMAGE_HEAD_BYTES 32768

/* Does it begin as a bzImage (or zImage)? */
bool bzimage_detect(const uint8_t *head, size_t len);

/*
 * Fill in boot_protocol, version, payload_off_bytes and payload_bytes. ERR_EXEC_FORMAT for a
 * protocol that is too old, ERR_FILELENGTH when the payload passes the end of the file,
 * which has file_bytes.
 */
struct err bzimage_parse(struct image *img, const uint8_t *head, size_t len, uint64_t file_bytes);

/* The ERR_EXEC_FORMAT for a payload that begins with head[0..len), which is nothing known. */
struct err bzimage_unknown_payload(const uint8_t *head, size_t len);

#endif

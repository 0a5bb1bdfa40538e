/* SPDX-License-Identifier: MIT */
/*
 * A reader of qcow2 images, versions 2 and 3. Source: "The QCOW2 image format"
 * (docs/interop/qcow2 of QEMU). Compressed clusters (deflate, zstd) are read; images with a
 * backing file, an external data file, encryption or extended L2 entries are refused by name: what
 * they hold is not in this file alone. Who knows what lies below an image gives it to
 * qcow2_open_over; the name in the image is never followed.
 */
#ifndef PVBOOT_HOST_QCOW2_H
#define PVBOOT_HOST_QCOW2_H

#include <stdint.h>

#include "core/base/err.h"

struct qcow2;

/* Open the image behind fd, which stays the caller's and must outlive it. */
struct err qcow2_open(struct qcow2 **out, int fd);

/* What an image shows where it holds nothing itself; zeroes past the end. */
struct qcow2_below {
    struct err (*read)(void *ctx, uint64_t off_bytes, uint8_t *buf, uint64_t len_bytes);
    void *ctx;
};

struct err qcow2_open_over(struct qcow2 **out, int fd, const struct qcow2_below *below);
void qcow2_close(struct qcow2 *q);
uint64_t qcow2_size_bytes(const struct qcow2 *q);

/* Read [off, off + len) of the guest's disk, which lies inside it. */
struct err qcow2_read(struct qcow2 *q, uint64_t off_bytes, uint8_t *buf, uint64_t len_bytes);

#endif

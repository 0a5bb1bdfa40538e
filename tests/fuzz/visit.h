/* SPDX-License-Identifier: MIT */
/*
 * What the harnesses of file systems share: a mounted disk is walked, from its root to the files'
 * bytes, and images of the real mkfs are patched where their metadata lies.
 */
#ifndef PVBOOT_TESTS_FUZZ_VISIT_H
#define PVBOOT_TESTS_FUZZ_VISIT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "core/disk/disk.h"

struct fuzz_image {
    uint8_t *data; /* aligned to 4096; patched and restored by each input */
    size_t len;
    uint32_t *sectors; /* that hold metadata */
    size_t nr_sectors;
    /*
     * NULL, or called for each patched place when all are made: the checksum that would be right
     * around it, and where it stands; false when nothing there has one.
     */
    bool (*checksum)(const uint8_t *data, size_t off, size_t *at, uint8_t sum[4]);
};

/* Take the image (data is kept), and find its metadata: the sectors that a first walk reads. */
void fuzz_image_init(struct fuzz_image *image, uint8_t *data, size_t len);

/* Mount what lies on the disk and visit some hundred inodes; what must hold is stated. */
void fuzz_visit(struct disk *d, bool read_data);

/*
 * One input. Its first byte chooses an image; the rest are patches of its metadata, 5 bytes each:
 * where (3 bytes), what (a byte and how often). The last choice takes the input as the image.
 */
void fuzz_images(const struct fuzz_image *images, size_t nr_images, const uint8_t *data,
                 size_t size);

#endif

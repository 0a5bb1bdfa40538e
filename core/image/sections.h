/* SPDX-License-Identifier: MIT */
/* What only an ELF file's section headers tell. Private to core/image. */
#ifndef PVBOOT_IMAGE_SECTIONS_H
#define PVBOOT_IMAGE_SECTIONS_H

#include "core/image/image.h"

/* Notes that lie in no segment, section headers, and the names of sections: bytes each. */
#define IMAGE_LOOSE_MAX ((uint64_t)64 * 1024)

/* Where a range of the ELF file lies after loading, if a segment holds all of it; else NULL. */
uint8_t *image_loaded_at(const struct image *img, uint8_t *dst, uint64_t off, uint64_t len);

/*
 * After the segments are loaded: where no segment had Xen's notes, look for sections that have
 * them, and then for a __xen_guest section, as libelf does; and fill in img->symtab for a kernel
 * that wants its symbol table. A file without section headers is no error.
 */
struct err sections_search(struct image *img, uint8_t *dst);

#endif

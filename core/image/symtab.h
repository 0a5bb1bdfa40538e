/* SPDX-License-Identifier: MIT */
/* The symbol table behind a kernel. Private to core/image. */
#ifndef PVBOOT_IMAGE_SYMTAB_H
#define PVBOOT_IMAGE_SYMTAB_H

#include "core/image/image.h"

/* Fill in img->symtab from the sections that the stream holds. */
struct err symtab_measure(struct image *img);

#endif

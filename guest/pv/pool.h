/* SPDX-License-Identifier: MIT */
/*
 * Memory for arenas: a few pages at a time come out of slabs of 2 MiB that are mapped once, larger
 * blocks are regions of their own (mm.h). A slab goes back when its last page does.
 */
#ifndef PVBOOT_PV_POOL_H
#define PVBOOT_PV_POOL_H

#include <stddef.h>

#include "core/base/arena.h"

extern const struct mem_source pool_memory;

#endif

/* SPDX-License-Identifier: MIT */
/*
 * A walk over all places where a file system can be: each disk as a whole and then its partitions,
 * then arrays and logical volumes. Members of arrays are left out: their turn comes with the
 * arrays.
 */
#ifndef PVBOOT_MENU_PLACES_H
#define PVBOOT_MENU_PLACES_H

#include "core/fs/vols.h"

struct places {
    uint32_t disk, part; /* the device, its next partition; UINT32_MAX: none left */
};

#define PLACES_START ((struct places){.disk = UINT32_MAX, .part = UINT32_MAX})

/* The next place; false at the end. */
bool places_next(struct places *p, struct vols *v, struct vol_id *out);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The catalogue of kernel images (AKIs), as the service reads it: one a line, cells divided by
 * tabs: id, region, width, layout, version, manifest.
 */
#ifndef PVBOOT_CLOUD_SERVICE_CATALOGUE_H
#define PVBOOT_CLOUD_SERVICE_CATALOGUE_H

#include <stdbool.h>
#include <stddef.h>

#include "host/xenhost/buf.h"

#define CATALOGUE_MAX 4096

struct aki {
    char *id, *region, *arch, *layout, *version, *manifest; /* of the line's own memory */
};

struct catalogue {
    struct aki *aki;
    size_t nr;
    char *text;
};

/* NULL: `why` holds one sentence. */
struct catalogue *catalogue_read(const char *path, struct buf *why);
void catalogue_free(struct catalogue *c);

#endif

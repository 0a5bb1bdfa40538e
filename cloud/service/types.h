/* SPDX-License-Identifier: MIT */
/* The table of instance types: how much memory and how many processors each name means. */
#ifndef PVBOOT_CLOUD_SERVICE_TYPES_H
#define PVBOOT_CLOUD_SERVICE_TYPES_H

#include <stdbool.h>
#include <stddef.h>

#include "host/xenhost/buf.h"

#define TYPES_MAX       256
#define TYPE_NAME_BYTES 32
#define TYPE_DEFAULT    "m1.small" /* of a request that names none */

struct instance_type {
    char name[TYPE_NAME_BYTES];
    unsigned memory_mib, vcpus;
    bool narrow, wide; /* runs i386, x86_64 */
};

struct type_table {
    struct instance_type type[TYPES_MAX];
    size_t nr;
};

/* False: `why` holds one sentence. */
bool types_read(struct type_table *t, const char *path, struct buf *why);

/* NULL: there is none of this name. */
const struct instance_type *type_find(const struct type_table *t, const char *name);

#endif

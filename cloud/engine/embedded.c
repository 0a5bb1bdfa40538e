/* SPDX-License-Identifier: MIT */
/* The embedded engine. */
#include "cloud/engine/engine_priv.h"

#include <stdlib.h>

struct embedded {
    struct engine engine;
};

static void close_embedded(struct engine *e)
{
    free(e);
}

static const struct engine_ops ops = {.name = "embedded", .close = close_embedded};

struct engine *embedded_open(const struct engine_setup *setup, struct buf *why)
{
    struct embedded *e;

    (void)setup;
    if (!engine_needs("qemu-system-x86_64", "qemu-system-x86", why) ||
        !engine_needs("qemu-img", "qemu-utils", why))
        return NULL;
    e = xalloc(sizeof(*e));
    e->engine.ops = &ops;
    return &e->engine;
}

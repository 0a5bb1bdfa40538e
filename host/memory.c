/* SPDX-License-Identifier: MIT */
#include "host/memory.h"

#include <stdlib.h>

static void *get(void *ctx, size_t nr_bytes)
{
    (void)ctx;
    return aligned_alloc(4096, nr_bytes);
}

static void put(void *ctx, void *p, size_t nr_bytes)
{
    (void)ctx;
    (void)nr_bytes;
    free(p);
}

const struct mem_source host_memory = {.get = get, .put = put};

/* SPDX-License-Identifier: MIT */
/* Slabs: 2 MiB each, a byte a page says which are taken; first fit. The contract is in pool.h. */
#include "guest/pv/pool.h"

#include <string.h>

#include "guest/panic.h"
#include "guest/mm.h"

#define SLAB_PAGES 512
#define SLAB_MAX   64
#define SMALL_MAX  64 /* pages: larger blocks are regions of their own */

struct slab {
    uint8_t *base; /* NULL: unused */
    unsigned nr_used;
    uint8_t used[SLAB_PAGES]; /* a byte a page */
};

static struct slab slabs[SLAB_MAX];

/* First run of nr free pages, or SLAB_PAGES. */
static unsigned find_run(const struct slab *s, unsigned nr)
{
    unsigned run = 0;

    if (SLAB_PAGES - s->nr_used < nr)
        return SLAB_PAGES;
    for (unsigned i = 0; i < SLAB_PAGES; i++) {
        run = s->used[i] ? 0 : run + 1;
        if (run == nr)
            return i + 1 - nr;
    }
    return SLAB_PAGES;
}

static void *take(struct slab *s, unsigned first, unsigned nr)
{
    memset(s->used + first, 1, nr);
    s->nr_used += nr;
    return s->base + first * PAGE_BYTES;
}

static void *get_small(unsigned nr)
{
    struct slab *unused = NULL;

    for (unsigned i = 0; i < SLAB_MAX; i++) {
        struct slab *s = &slabs[i];

        if (s->base == NULL) {
            unused = unused != NULL ? unused : s;
            continue;
        }
        unsigned first = find_run(s, nr);

        if (first < SLAB_PAGES)
            return take(s, first, nr);
    }
    if (unused == NULL)
        return mm_alloc(nr);
    unused->base = mm_alloc(SLAB_PAGES);
    /* A guest with almost nothing left may still have these few pages. */
    return unused->base != NULL ? take(unused, 0, nr) : mm_alloc(nr);
}

static struct slab *slab_of(const void *p)
{
    for (unsigned i = 0; i < SLAB_MAX; i++) {
        uintptr_t base = (uintptr_t)slabs[i].base;

        if (base != 0 && (uintptr_t)p >= base && (uintptr_t)p - base < SLAB_PAGES * PAGE_BYTES)
            return &slabs[i];
    }
    return NULL;
}

static void *get(void *ctx, size_t nr_bytes)
{
    size_t nr = nr_bytes / PAGE_BYTES;

    (void)ctx;
    return nr <= SMALL_MAX ? get_small((unsigned)nr) : mm_alloc(nr);
}

static void put(void *ctx, void *p, size_t nr_bytes)
{
    struct slab *s = slab_of(p);
    size_t nr = nr_bytes / PAGE_BYTES;

    (void)ctx;
    if (s == NULL) {
        mm_free(p, nr);
        return;
    }
    size_t first = (size_t)((uint8_t *)p - s->base) / PAGE_BYTES;

    if (nr > SLAB_PAGES - first || nr > s->nr_used)
        guest_panic("giving back more pages than were taken", (uintptr_t)p, nr);
    memset(s->used + first, 0, nr);
    s->nr_used -= (unsigned)nr;
    if (s->nr_used == 0) {
        mm_free(s->base, SLAB_PAGES);
        s->base = NULL;
    }
}

const struct mem_source pool_memory = {.get = get, .put = put};

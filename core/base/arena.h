/* SPDX-License-Identifier: MIT */
/*
 * Memory. An arena belongs to one boot attempt (or one run of a host command): everything that is
 * allocated in it dies with it, so a failed entry leaves nothing behind.
 *
 * The arena gets its memory in chunks from a source that the environment provides: malloc on a
 * host, pages in the guest. Chunks of at least ARENA_CHUNK bytes; a large allocation gets a chunk
 * of its own, which arena_drop can give back early.
 */
#ifndef PVBOOT_BASE_ARENA_H
#define PVBOOT_BASE_ARENA_H

#include <stddef.h>
#include <stdint.h>

#include "core/base/err.h"

#define ARENA_CHUNK ((size_t)64 * 1024)

struct mem_source {
    void *ctx;
    /* nr_bytes is a multiple of 4096; the result is page aligned, or NULL when there is none. */
    void *(*get)(void *ctx, size_t nr_bytes);
    void (*put)(void *ctx, void *p, size_t nr_bytes);
};

struct arena_chunk;

struct arena {
    const struct mem_source *source;
    struct arena_chunk *chunks; /* newest first */
    size_t used_bytes;          /* taken from the source, for statistics */
};

void arena_init(struct arena *a, const struct mem_source *source);

/* Zeroed memory, aligned to 16; NULL when the source has none left. size 0 gives a valid pointer.
 */
void *arena_alloc(struct arena *a, size_t nr_bytes);

/* nr * size, checked; NULL on overflow too. */
void *arena_array(struct arena *a, size_t nr, size_t size);

/*
 * Page-aligned memory, not zeroed, in a chunk of its own: for buffers that devices fill. Round the
 * size up to pages. Give it back early with arena_drop.
 */
void *arena_pages(struct arena *a, size_t nr_bytes);

/* Give back memory of arena_pages before the arena ends. NULL is allowed. */
void arena_drop(struct arena *a, void *pages);

/* A copy of s[0..len), terminated. */
char *arena_strndup(struct arena *a, const char *s, size_t len);

/* Give everything back; the arena is empty and usable again. */
void arena_reset(struct arena *a);

/* The error for a NULL of the above. */
static inline struct err arena_exhausted(const char *what, size_t nr_bytes)
{
    return ERR1(ERR_NO_MEMORY, what, nr_bytes);
}

#endif

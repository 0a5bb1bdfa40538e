/* SPDX-License-Identifier: MIT */
/*
 * Memory that is given back as a whole: small blocks are cut from chunks of pages and stay; large
 * ones have pages of their own, which arena_drop can return early.
 */
#include "core/base/arena.h"

#include <stdbool.h>
#include <string.h>

#include "core/base/bytes.h"

#define PAGE_BYTES ((size_t)4096)
#define ALIGN      ((size_t)16)

/*
 * Lies at the start of each shared chunk. A chunk of arena_pages keeps its header in a shared
 * chunk instead, so that its data can be page aligned.
 */
struct arena_chunk {
    struct arena_chunk *next;
    uint8_t *base;
    size_t size;
    size_t used;
    bool own; /* one arena_pages allocation; base does not hold this header */
};

void arena_init(struct arena *a, const struct mem_source *source)
{
    *a = (struct arena){.source = source};
}

static struct arena_chunk *add_shared_chunk(struct arena *a, size_t need)
{
    size_t header = (size_t)align_up(sizeof(struct arena_chunk), ALIGN);

    if (need > SIZE_MAX / 2 - header - PAGE_BYTES)
        return NULL;
    size_t size = need + header;

    if (size < ARENA_CHUNK)
        size = ARENA_CHUNK;
    size = (size_t)align_up(size, PAGE_BYTES);
    struct arena_chunk *c = a->source->get(a->source->ctx, size);

    if (c == NULL)
        return NULL;
    *c = (struct arena_chunk){
        .next = a->chunks, .base = (uint8_t *)c, .size = size, .used = header, .own = false};
    a->chunks = c;
    a->used_bytes += size;
    return c;
}

void *arena_alloc(struct arena *a, size_t nr_bytes)
{
    struct arena_chunk *c = a->chunks;

    if (nr_bytes > SIZE_MAX / 2)
        return NULL;
    size_t need = nr_bytes == 0 ? ALIGN : (size_t)align_up(nr_bytes, ALIGN);

    while (c != NULL && (c->own || c->size - c->used < need))
        c = c->next;
    if (c == NULL)
        c = add_shared_chunk(a, need);
    if (c == NULL)
        return NULL;
    void *p = c->base + c->used;

    c->used += need;
    return memset(p, 0, need);
}

void *arena_array(struct arena *a, size_t nr, size_t size)
{
    uint64_t bytes;

    if (!mul_u64(nr, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    return arena_alloc(a, (size_t)bytes);
}

void *arena_pages(struct arena *a, size_t nr_bytes)
{
    if (nr_bytes > SIZE_MAX / 2)
        return NULL;
    size_t size = nr_bytes == 0 ? PAGE_BYTES : (size_t)align_up(nr_bytes, PAGE_BYTES);
    struct arena_chunk *c = arena_alloc(a, sizeof(*c));

    if (c == NULL)
        return NULL;
    c->base = a->source->get(a->source->ctx, size);
    if (c->base == NULL)
        return NULL;
    c->size = c->used = size;
    c->own = true;
    c->next = a->chunks;
    a->chunks = c;
    a->used_bytes += size;
    return c->base;
}

void arena_drop(struct arena *a, void *pages)
{
    for (struct arena_chunk **link = &a->chunks; *link != NULL; link = &(*link)->next) {
        struct arena_chunk *c = *link;

        if (c->own && c->base == pages) {
            *link = c->next;
            a->used_bytes -= c->size;
            a->source->put(a->source->ctx, c->base, c->size);
            return;
        }
    }
}

char *arena_strndup(struct arena *a, const char *s, size_t len)
{
    char *copy = len < SIZE_MAX / 2 ? arena_alloc(a, len + 1) : NULL;

    if (copy != NULL)
        memcpy(copy, s, len);
    return copy;
}

void arena_reset(struct arena *a)
{
    /* Own chunks first: their headers live in shared ones. */
    for (struct arena_chunk *c = a->chunks; c != NULL; c = c->next) {
        if (c->own)
            a->source->put(a->source->ctx, c->base, c->size);
    }
    struct arena_chunk *c = a->chunks;

    while (c != NULL && c->own)
        c = c->next;
    while (c != NULL) {
        struct arena_chunk *next = c->next;

        while (next != NULL && next->own)
            next = next->next;
        a->source->put(a->source->ctx, c->base, c->size);
        c = next;
    }
    a->chunks = NULL;
    a->used_bytes = 0;
}

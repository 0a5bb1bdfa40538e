/* SPDX-License-Identifier: MIT */
/*
 * Replaced blocks in a hash table with open addressing, at most half full; a block is never taken
 * out, only marked as shown from below. The disk is one of pieces (mapped.h).
 */
#include "core/disk/overlay.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/disk/mapped.h"

#define SLOTS_MIN ((size_t)256)

enum slot_kind { SLOT_EMPTY, SLOT_BELOW, SLOT_MEMORY, SLOT_ELSEWHERE };

struct slot {
    uint64_t block;
    enum slot_kind kind;
    uint8_t *bytes;     /* once it had some: kept for the next time */
    uint64_t off_bytes; /* SLOT_ELSEWHERE */
};

struct overlay {
    struct disk *disk, *below;
    struct arena *arena;
    uint32_t block_bytes;
    uint64_t nr_on_disk; /* whole blocks */
    uint64_t bytes_max, block_memory_bytes;
    struct slot *slots; /* nr_slots of them, a power of two */
    size_t nr_slots, nr_used;
    uint64_t nr_replaced;
};

/* The block's slot, or the empty one where it would be. */
static struct slot *find(struct slot *slots, size_t nr_slots, uint64_t block)
{
    size_t i = (size_t)(block * UINT64_C(0x9e3779b97f4a7c15) >> 24) & (nr_slots - 1);

    while (slots[i].kind != SLOT_EMPTY && slots[i].block != block)
        i = (i + 1) & (nr_slots - 1);
    return &slots[i];
}

static struct err grow(struct overlay *o)
{
    size_t nr = o->nr_slots == 0 ? SLOTS_MIN : o->nr_slots * 2;
    size_t nr_bytes = nr * sizeof(struct slot);
    struct slot *slots;

    /* Pages: the old table can be given back. */
    if (nr > SIZE_MAX / sizeof(*slots) || (slots = arena_pages(o->arena, nr_bytes)) == NULL)
        return arena_exhausted("an index of %a replaced blocks", nr);
    memset(slots, 0, nr_bytes);
    for (size_t i = 0; i < o->nr_slots; i++) {
        if (o->slots[i].kind != SLOT_EMPTY)
            *find(slots, nr, o->slots[i].block) = o->slots[i];
    }
    arena_drop(o->arena, o->slots);
    o->slots = slots;
    o->nr_slots = nr;
    return OK;
}

static struct err slot_of(struct overlay *o, uint64_t block, struct slot **out)
{
    if (block >= o->nr_on_disk)
        return ERR2(ERR_OUTSIDE_PART, "a journal has block %a of a disk of %b", block,
                    o->nr_on_disk);
    if (o->nr_used * 2 >= o->nr_slots)
        TRY(grow(o));
    *out = find(o->slots, o->nr_slots, block);
    if ((*out)->kind == SLOT_EMPTY) {
        **out = (struct slot){.block = block, .kind = SLOT_BELOW};
        o->nr_used++;
    }
    return OK;
}

static struct err need_bytes(struct overlay *o, struct slot *s)
{
    if (s->bytes != NULL)
        return OK;
    if (o->bytes_max - o->block_memory_bytes < o->block_bytes)
        return ERR1(ERR_LIMIT, "a journal's replay needs more than %a bytes of memory",
                    o->bytes_max);
    s->bytes = arena_alloc(o->arena, o->block_bytes);
    if (s->bytes == NULL)
        return arena_exhausted("a replaced block of %a bytes", o->block_bytes);
    o->block_memory_bytes += o->block_bytes;
    return OK;
}

static void set_kind(struct overlay *o, struct slot *s, enum slot_kind kind)
{
    o->nr_replaced += (kind != SLOT_BELOW) - (uint64_t)(s->kind != SLOT_BELOW);
    s->kind = kind;
}

struct err overlay_edit(struct overlay *o, uint64_t block, uint8_t **bytes)
{
    struct slot *s;

    TRY(slot_of(o, block, &s));
    TRY(need_bytes(o, s));
    if (s->kind != SLOT_MEMORY) {
        uint64_t off = s->kind == SLOT_ELSEWHERE ? s->off_bytes : block * o->block_bytes;

        TRY(disk_read(o->below, off, s->bytes, o->block_bytes));
        set_kind(o, s, SLOT_MEMORY);
    }
    *bytes = s->bytes;
    return OK;
}

struct err overlay_put(struct overlay *o, uint64_t block, const void *bytes)
{
    struct slot *s;

    TRY(slot_of(o, block, &s));
    TRY(need_bytes(o, s));
    memcpy(s->bytes, bytes, o->block_bytes);
    set_kind(o, s, SLOT_MEMORY);
    return OK;
}

struct err overlay_redirect(struct overlay *o, uint64_t block, uint64_t off_bytes)
{
    struct slot *s;

    if (!in_range(off_bytes, o->block_bytes, o->below->size_bytes) ||
        off_bytes % o->below->sector_bytes != 0)
        return ERR_AT(ERR_OUTSIDE_PART, off_bytes, "a journal's block lies outside the disk", 0, 0);
    TRY(slot_of(o, block, &s));
    s->off_bytes = off_bytes;
    set_kind(o, s, SLOT_ELSEWHERE);
    return OK;
}

void overlay_restore(struct overlay *o, uint64_t block)
{
    struct slot *s = o->nr_slots == 0 ? NULL : find(o->slots, o->nr_slots, block);

    if (s != NULL && s->kind != SLOT_EMPTY)
        set_kind(o, s, SLOT_BELOW);
}

uint64_t overlay_nr_blocks(const struct overlay *o)
{
    return o->nr_replaced;
}

uint64_t overlay_bytes(const struct overlay *o)
{
    return o->block_memory_bytes + o->nr_slots * sizeof(struct slot);
}

static const struct slot *replaced(const struct overlay *o, uint64_t block)
{
    const struct slot *s = find(o->slots, o->nr_slots, block);

    return s->kind == SLOT_MEMORY || s->kind == SLOT_ELSEWHERE ? s : NULL;
}

static struct err find_piece(void *ctx, uint64_t off_bytes, uint64_t len_bytes, uint32_t copy,
                             struct piece *out)
{
    struct overlay *o = ctx;
    uint64_t block = off_bytes / o->block_bytes, skip = off_bytes % o->block_bytes;
    const struct slot *s = o->nr_replaced == 0 ? NULL : replaced(o, block);

    if (copy > 0)
        return ERR(ERR_READ, "there is no other copy");
    *out = (struct piece){.kind = PIECE_DISK,
                          .disk = o->below,
                          .off_bytes = off_bytes,
                          .len_bytes = o->block_bytes - skip};
    if (s != NULL && s->kind == SLOT_MEMORY) {
        out->kind = PIECE_MEMORY;
        out->bytes = s->bytes + skip;
    } else if (s != NULL) {
        out->off_bytes = s->off_bytes + skip;
    } else {
        /* As far as nothing is replaced; the request's length bounds the rounds. */
        while (out->len_bytes < len_bytes && (o->nr_replaced == 0 || replaced(o, ++block) == NULL))
            out->len_bytes = o->nr_replaced == 0 ? len_bytes : out->len_bytes + o->block_bytes;
    }
    return OK;
}

/* Whoever replays the journal writes what it holds over the disk below. */
static struct err may_write(void *ctx, uint64_t off_bytes)
{
    const struct overlay *o = ctx;

    if (o->nr_replaced != 0 && replaced(o, off_bytes / o->block_bytes) != NULL)
        return ERR_AT(ERR_REFUSED, off_bytes,
                      "the journal holds a newer copy of this block, and its replay would undo a "
                      "change; let Linux mount the file system once",
                      0, 0);
    return OK;
}

struct err overlay_new(struct overlay **out, struct disk *below, struct arena *a,
                       uint32_t block_bytes, uint64_t bytes_max)
{
    struct overlay *o = arena_alloc(a, sizeof(*o));

    if (o == NULL)
        return arena_exhausted("an overlay of %a bytes", sizeof(*o));
    if (block_bytes < below->sector_bytes || block_bytes % below->sector_bytes != 0)
        return ERR2(ERR_REFUSED, "blocks of %a bytes on a disk with sectors of %b", block_bytes,
                    below->sector_bytes);
    o->below = below;
    o->arena = a;
    o->block_bytes = block_bytes;
    o->nr_on_disk = below->size_bytes / block_bytes;
    o->bytes_max = bytes_max;
    *out = o;
    return mapped_disk_new(&o->disk, a, find_piece, may_write, o, below->size_bytes,
                           below->sector_bytes, below->name);
}

struct disk *overlay_disk(struct overlay *o)
{
    return o->disk;
}

/* SPDX-License-Identifier: MIT */
/*
 * Loading an image: one pass over the ELF file in which every segment goes to its place, zeros for
 * the rest, and then the notes, which in Linux lie deep inside a segment.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/base/text.h"
#include "core/image/notes.h"
#include "core/image/sections.h"
#include "core/image/stream.h"

#define PIECE_MAX (IMAGE_SEGMENT_MAX + ELF_NOTE_MAX)

static uint8_t *place_of(const struct image *img, uint8_t *dst, uint64_t paddr)
{
    return dst + (paddr - img->pstart);
}

uint8_t *image_loaded_at(const struct image *img, uint8_t *dst, uint64_t off, uint64_t len)
{
    for (uint32_t i = 0; i < img->nr_segments; i++) {
        const struct image_segment *s = &img->segments[i];

        if (off >= s->file_off_bytes && in_range(off - s->file_off_bytes, len, s->file_bytes))
            return place_of(img, dst, s->paddr + (off - s->file_off_bytes));
    }
    return NULL;
}

/* Insert by offset. False when it overlaps one that is there: the stream passes a byte once. */
static bool add_piece(struct stream_piece *pieces, uint32_t *nr, struct stream_piece p)
{
    uint32_t at = *nr;

    while (at > 0 && pieces[at - 1].off > p.off)
        at--;
    if ((at > 0 && p.off - pieces[at - 1].off < pieces[at - 1].len) ||
        (at < *nr && pieces[at].off - p.off < p.len))
        return false;
    memmove(pieces + at + 1, pieces + at, (*nr - at) * sizeof(*pieces));
    pieces[at] = p;
    (*nr)++;
    return true;
}

/* All segments, and the notes that lie in none of them, in the order of the file. */
static struct err list_pieces(struct image *img, uint8_t *dst, struct stream_piece *pieces,
                              uint32_t *nr, const uint8_t **note_at)
{
    struct image_stream *s = img->stream;

    *nr = 0;
    for (uint32_t i = 0; i < img->nr_segments; i++) {
        const struct image_segment *g = &img->segments[i];

        if (g->file_bytes > 0)
            pieces[(*nr)++] = (struct stream_piece){g->file_off_bytes, g->file_bytes,
                                                    place_of(img, dst, g->paddr)};
    }
    for (uint32_t i = 0; i < s->nr_notes; i++) {
        const struct elf_note_range *r = &s->notes[i];

        note_at[i] = image_loaded_at(img, dst, r->off, r->len);
        if (note_at[i] != NULL || r->len == 0)
            continue;
        if (r->len > IMAGE_LOOSE_MAX || r->off > UINT64_MAX - r->len) {
            log_line(s->log, "kernel: ELF notes of more than 64 KiB were left out");
            continue;
        }
        uint8_t *to = arena_alloc(s->arena, (size_t)r->len);

        if (to == NULL)
            return arena_exhausted("no memory for the kernel's notes (%a bytes)", (size_t)r->len);
        if (add_piece(pieces, nr, (struct stream_piece){r->off, r->len, to}))
            note_at[i] = to;
        else
            log_line(s->log, "kernel: an ELF note that overlaps a segment was left out");
    }
    return OK;
}

/* What no byte of the file fills: bss, and the gaps between segments. */
static void zero_the_rest(const struct image *img, uint8_t *dst)
{
    uint64_t at = img->pstart;

    /* In each round the lowest segment at or above `at`; none overlap. */
    for (uint32_t round = 0; round < img->nr_segments; round++) {
        const struct image_segment *low = NULL;

        for (uint32_t i = 0; i < img->nr_segments; i++) {
            const struct image_segment *s = &img->segments[i];

            if (s->paddr >= at && (low == NULL || s->paddr < low->paddr))
                low = s;
        }
        if (low == NULL)
            return;
        memset(place_of(img, dst, at), 0, (size_t)(low->paddr - at));
        at = low->paddr + low->file_bytes;
        memset(place_of(img, dst, at), 0, (size_t)(low->mem_bytes - low->file_bytes));
        at = low->paddr + low->mem_bytes;
    }
}

static struct err load_once(struct image *img, void *dst)
{
    struct image_stream *s = img->stream;
    struct stream_piece pieces[PIECE_MAX];
    const uint8_t *note_at[ELF_NOTE_MAX];
    uint32_t nr_pieces;

    memset(&img->notes, 0, sizeof(img->notes));
    TRY(list_pieces(img, dst, pieces, &nr_pieces, note_at));
    for (uint32_t i = 0; i < nr_pieces; i++)
        TRY(stream_read_piece(img, &pieces[i]));
    zero_the_rest(img, dst);
    for (uint32_t i = 0; i < s->nr_notes; i++) {
        if (note_at[i] != NULL)
            TRY(notes_parse(&img->notes, note_at[i], (size_t)s->notes[i].len, s->log));
    }
    if (!img->notes.found || img->notes.bsd_symtab)
        TRY(sections_search(img, dst));
    return stream_drain(img);
}

/* The kernel's build puts the unpacked size behind what it compresses. */
static void check_size(const struct image *img)
{
    const struct image_stream *s = img->stream;
    char line[128];
    struct text t = text_on(line, sizeof(line));

    if (s->unpack == NULL || img->container != IMAGE_BZIMAGE || img->unpacked_bytes == 0 ||
        img->unpacked_bytes == s->pos)
        return;
    text_str(&t, "kernel: the end of its payload says that it unpacks to ");
    text_u64(&t, img->unpacked_bytes);
    text_str(&t, " bytes, but it does to ");
    text_u64(&t, s->pos);
    log_line(s->log, line);
}

struct err image_load(struct image *img, void *dst, uint32_t offered_features)
{
    struct err e = load_once(img, dst);

    if (stream_without_size(img, e, &e))
        e = load_once(img, dst);
    TRY(e);
    check_size(img);
    return notes_check(img, offered_features);
}

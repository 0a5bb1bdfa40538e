/* SPDX-License-Identifier: MIT */
/*
 * Loading an image: one pass over the ELF file in which every segment goes to its place, zeros for
 * the rest, and then the notes, which in Linux lie deep inside a segment.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/image/notes.h"
#include "core/image/stream.h"

/* Notes outside of the segments, and section headers. */
#define LOOSE_NOTE_MAX ((uint64_t)64 * 1024)
#define SHDR_TABLE_MAX ((uint64_t)64 * 1024)

#define PIECE_MAX (IMAGE_SEGMENT_MAX + ELF_NOTE_MAX)

static uint8_t *place_of(const struct image *img, uint8_t *dst, uint64_t paddr)
{
    return dst + (paddr - img->pstart);
}

/* Where the file range lies after loading, if a segment holds all of it; else NULL. */
static uint8_t *loaded_at(const struct image *img, uint8_t *dst, const struct elf_note_range *r)
{
    for (uint32_t i = 0; i < img->nr_segments; i++) {
        const struct image_segment *s = &img->segments[i];

        if (r->off >= s->file_off_bytes &&
            in_range(r->off - s->file_off_bytes, r->len, s->file_bytes))
            return place_of(img, dst, s->paddr + (r->off - s->file_off_bytes));
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

        note_at[i] = loaded_at(img, dst, r);
        if (note_at[i] != NULL || r->len == 0)
            continue;
        if (r->len > LOOSE_NOTE_MAX || r->off > UINT64_MAX - r->len) {
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

/*
 * Xen's libelf looks for notes in sections when no segment has any. The section headers lie behind
 * everything else; the notes that they name must lie in a segment, because the stream has passed.
 */
static struct err search_sections(struct image *img, uint8_t *dst)
{
    struct image_stream *s = img->stream;
    uint64_t table_bytes = (uint64_t)s->elf.nr_shdrs * s->elf.shdr_bytes;
    struct elf_note_range r;
    uint32_t index = 0;

    if (table_bytes == 0 || table_bytes > SHDR_TABLE_MAX ||
        (s->unpack != NULL && s->elf.shdrs_off < s->pos) ||
        s->elf.shdrs_off > UINT64_MAX - table_bytes)
        return OK;
    uint8_t *table = arena_pages(s->arena, (size_t)table_bytes);

    if (table == NULL)
        return arena_exhausted("no memory for the kernel's section headers (%a bytes)",
                               (size_t)table_bytes);
    struct stream_piece p = {s->elf.shdrs_off, table_bytes, table};
    struct err e = stream_read_piece(img, &p);

    while (!failed(e) && elf_next_note_section(&s->elf, table, &index, &r)) {
        const uint8_t *at = loaded_at(img, dst, &r);

        if (at != NULL)
            e = notes_parse(&img->notes, at, (size_t)r.len, s->log);
    }
    if (e.code == ERR_FILELENGTH) /* it was cut off behind its segments: no sections then */
        e = OK;
    arena_drop(s->arena, table);
    if (!failed(e) && img->notes.found)
        log_line(s->log, "kernel: its Xen notes are in a section, not in a segment");
    return e;
}

struct err image_load(struct image *img, void *dst, uint32_t offered_features)
{
    struct image_stream *s = img->stream;
    struct stream_piece pieces[PIECE_MAX];
    const uint8_t *note_at[ELF_NOTE_MAX];
    uint32_t nr_pieces;

    TRY(list_pieces(img, dst, pieces, &nr_pieces, note_at));
    for (uint32_t i = 0; i < nr_pieces; i++)
        TRY(stream_read_piece(img, &pieces[i]));
    zero_the_rest(img, dst);
    for (uint32_t i = 0; i < s->nr_notes; i++) {
        if (note_at[i] != NULL)
            TRY(notes_parse(&img->notes, note_at[i], (size_t)s->notes[i].len, s->log));
    }
    if (!img->notes.found) {
        uint64_t behind = s->pos;

        stream_watch(img);
        TRY(search_sections(img, dst));
        if (s->unpack == NULL)
            s->pos = behind; /* it was read there and back */
    }
    TRY(stream_drain(img));
    return notes_check(img, offered_features);
}

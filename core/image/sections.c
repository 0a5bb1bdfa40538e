/* SPDX-License-Identifier: MIT */
/*
 * The section headers lie behind everything else, or nearly so, and what they name lies before
 * them: compressed data is unpacked a second time for it. Only kernels of before 2007 and those of
 * the BSDs come here.
 */
#include "core/image/sections.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/image/notes.h"
#include "core/image/stream.h"
#include "core/image/symtab.h"

static const char guest_name[] = "__xen_guest";

/* Read the table once; s->shdrs stays NULL when there is none. */
static struct err read_table(struct image *img)
{
    struct image_stream *s = img->stream;
    uint64_t len = (uint64_t)s->elf.nr_shdrs * s->elf.shdr_bytes, end;

    if (len == 0 || !add_u64(s->elf.shdrs_off, len, &end))
        return OK;
    if (len > IMAGE_LOOSE_MAX) {
        log_line(s->log, "kernel: section headers of more than 64 KiB were left out");
        return OK;
    }
    s->shdrs = arena_pages(s->arena, (size_t)len);
    if (s->shdrs == NULL)
        return arena_exhausted("no memory for the kernel's section headers (%a bytes)",
                               (size_t)len);
    struct stream_piece p = {s->elf.shdrs_off, len, s->shdrs};
    struct err e = stream_read_anywhere(img, &p);

    if (e.code == ERR_FILELENGTH) { /* it was cut off behind its segments: no sections then */
        arena_drop(s->arena, s->shdrs);
        s->shdrs = NULL;
        return OK;
    }
    return e;
}

/* A section's bytes: where a segment holds them, or read for it. */
struct fetched {
    const uint8_t *at; /* NULL: there are none */
    size_t len;
    uint8_t *own;
};

static struct err fetch(struct image *img, uint8_t *dst, const struct elf_section *section,
                        struct fetched *out)
{
    struct image_stream *s = img->stream;

    *out = (struct fetched){.at = NULL};
    if (section->type == ELF_NOBITS || section->len == 0)
        return OK;
    if (section->len > IMAGE_LOOSE_MAX || section->off > UINT64_MAX - section->len) {
        log_line(s->log, "kernel: an ELF section of more than 64 KiB was left out");
        return OK;
    }
    out->len = (size_t)section->len;
    out->at = image_loaded_at(img, dst, section->off, section->len);
    if (out->at != NULL)
        return OK;
    out->own = arena_pages(s->arena, out->len);
    if (out->own == NULL)
        return arena_exhausted("no memory for a section of the kernel (%a bytes)", out->len);
    struct stream_piece p = {section->off, section->len, out->own};

    out->at = out->own;
    return stream_read_anywhere(img, &p);
}

static struct err search_notes(struct image *img, uint8_t *dst)
{
    struct image_stream *s = img->stream;
    struct elf_section section;

    for (uint64_t i = 1; elf_section_at(&s->elf, s->shdrs, i, &section); i++) {
        struct fetched f;

        if (section.type != ELF_NOTE)
            continue;
        struct err e = fetch(img, dst, &section, &f);

        if (!failed(e) && f.at != NULL)
            e = notes_parse(&img->notes, f.at, f.len, s->log);
        arena_drop(s->arena, f.own);
        TRY(e);
    }
    if (img->notes.found)
        log_line(s->log, "kernel: its Xen notes are in a section, not in a segment");
    return OK;
}

/* The section of that name, by the names that `names` holds. */
static bool find_by_name(const struct image_stream *s, const struct fetched *names,
                         const char *name, struct elf_section *out)
{
    size_t len = strlen(name) + 1;

    for (uint64_t i = 1; elf_section_at(&s->elf, s->shdrs, i, out); i++) {
        if (in_range(out->name, len, names->len) && memcmp(names->at + out->name, name, len) == 0)
            return true;
    }
    return false;
}

static struct err read_guest_section(struct image *img, uint8_t *dst,
                                     const struct elf_section *section)
{
    struct image_stream *s = img->stream;
    struct fetched f;
    struct err e = fetch(img, dst, section, &f);

    if (!failed(e) && f.at != NULL)
        e = guest_section_parse(&img->notes, f.at, f.len, s->log);
    arena_drop(s->arena, f.own);
    return e;
}

static struct err search_guest_section(struct image *img, uint8_t *dst)
{
    struct image_stream *s = img->stream;
    struct elf_section section;
    struct fetched names = {.at = NULL};
    bool there = false;

    if (s->elf.names == 0 || !elf_section_at(&s->elf, s->shdrs, s->elf.names, &section))
        return OK;
    struct err e = fetch(img, dst, &section, &names);

    if (!failed(e) && names.at != NULL)
        there = find_by_name(s, &names, guest_name, &section);
    arena_drop(s->arena, names.own);
    TRY(e);
    return there ? read_guest_section(img, dst, &section) : OK;
}

/* The first symbol table whose strings are there too. */
static bool find_symtab(struct image_stream *s)
{
    for (uint64_t i = 1; elf_section_at(&s->elf, s->shdrs, i, &s->symtab); i++) {
        if (s->symtab.type == ELF_SYMTAB && s->symtab.link != 0 &&
            elf_section_at(&s->elf, s->shdrs, s->symtab.link, &s->strtab) &&
            s->strtab.type == ELF_STRTAB)
            return true;
    }
    return false;
}

struct err sections_search(struct image *img, uint8_t *dst)
{
    struct image_stream *s = img->stream;

    TRY(read_table(img));
    if (!img->notes.found && s->shdrs != NULL)
        TRY(search_notes(img, dst));
    if (!img->notes.found && s->shdrs != NULL)
        TRY(search_guest_section(img, dst));
    if (!img->notes.bsd_symtab)
        return OK;
    if (s->shdrs != NULL && find_symtab(s))
        return symtab_measure(img);
    log_line(s->log,
             "kernel: it asks for its symbol table (BSD_SYMTAB), but the file has none: its "
             "debugger will show no names");
    return OK;
}

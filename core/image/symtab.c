/* SPDX-License-Identifier: MIT */
/*
 * The symbol table behind a kernel that asks for it, for its debugger: NetBSD's. What lies there is
 * what Xen's libelf puts there (xen/common/libelf/libelf-loader.c says it in a comment), at the
 * first address behind the kernel that is aligned for the kernel's width:
 *
 *     0    4   length of what follows, without padding at its end
 *     4    64  the kernel's ELF header, with these three section headers; a 32-bit one is shorter
 *     68   ... section headers: empty, symbols, strings; their offsets count from the ELF header
 *     260  ... symbols, aligned
 *          ... strings, aligned
 *
 * Section headers have 64 bytes of room each whatever the width, but follow each other closely.
 */
#include <string.h>

#include "core/base/bytes.h"
#include "core/image/stream.h"
#include "core/image/symtab.h"

#define LENGTH_BYTES  4
#define NR_SECTIONS   3
#define SHDRS_OFF     ELF_HEADER_BYTES /* from the ELF header */
#define HEADERS_BYTES (LENGTH_BYTES + SHDRS_OFF + NR_SECTIONS * ELF_SHDR_BYTES)
#define STRTAB_INDEX  2

struct places {
    uint64_t symbols, strings, end; /* from the beginning */
};

static struct places places_of(const struct image *img)
{
    const struct image_stream *s = img->stream;
    uint64_t align = img->width == IMAGE_64 ? 8 : 4;
    struct places p;

    /* symtab_measure: nothing here can wrap. */
    p.symbols = align_up(HEADERS_BYTES, align);
    p.strings = align_up(p.symbols + s->symtab.len, align);
    p.end = align_up(p.strings + s->strtab.len, align);
    return p;
}

struct err symtab_measure(struct image *img)
{
    const struct image_stream *s = img->stream;
    uint64_t start = align_up(img->pend, img->width == IMAGE_64 ? 8 : 4);

    if (s->symtab.len > IMAGE_UNPACKED_MAX || s->strtab.len > IMAGE_UNPACKED_MAX ||
        start < img->pend || start - img->pstart + places_of(img).end > IMAGE_UNPACKED_MAX ||
        start > UINT64_MAX - places_of(img).end)
        return ERR2(ERR_EXEC_FORMAT,
                    "its symbol table of %a bytes and strings of %b bytes, which it asks for, do "
                    "not fit behind it: strip the file",
                    s->symtab.len, s->strtab.len);
    img->symtab = (struct image_symtab){.paddr = start, .bytes = places_of(img).end};
    return OK;
}

static void put_headers(struct image *img, uint8_t *at, const struct places *p)
{
    struct image_stream *s = img->stream;
    uint64_t len = p->strings + s->strtab.len - LENGTH_BYTES;
    size_t shdr_bytes = (size_t)elf_shdr_bytes(img->width);
    uint8_t *header = at + LENGTH_BYTES, *shdr = header + SHDRS_OFF + shdr_bytes;

    for (unsigned i = 0; i < LENGTH_BYTES; i++)
        at[i] = (uint8_t)(len >> 8 * i);
    memcpy(header, s->head, (size_t)elf_header_bytes(img->width));
    elf_set_header(header, img->width, SHDRS_OFF, NR_SECTIONS);
    elf_set_section(s->symtab.raw, img->width, p->symbols - LENGTH_BYTES, STRTAB_INDEX);
    elf_set_section(s->strtab.raw, img->width, p->strings - LENGTH_BYTES, s->strtab.link);
    memcpy(shdr, s->symtab.raw, shdr_bytes);
    memcpy(shdr + shdr_bytes, s->strtab.raw, shdr_bytes);
}

struct err image_load_symtab(struct image *img, void *dst)
{
    struct image_stream *s = img->stream;
    struct places p = places_of(img);
    uint64_t kernel_bytes = img->pend - img->pstart, skew = img->symtab.paddr - img->pend;
    uint8_t *at = (uint8_t *)dst + kernel_bytes + skew;
    struct stream_piece symbols = {s->symtab.off, s->symtab.len, at + p.symbols};
    struct stream_piece strings = {s->strtab.off, s->strtab.len, at + p.strings};
    bool in_order = symbols.off <= strings.off;

    memset((uint8_t *)dst + kernel_bytes, 0, (size_t)(skew + p.end));
    TRY(stream_read_anywhere(img, in_order ? &symbols : &strings));
    TRY(stream_read_anywhere(img, in_order ? &strings : &symbols));
    put_headers(img, at, &p);
    img->pend = img->symtab.paddr + img->symtab.bytes;
    return OK;
}

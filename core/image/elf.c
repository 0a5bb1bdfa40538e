/* SPDX-License-Identifier: MIT */
/*
 * ELF, 32 and 64 bit, little endian: System V ABI, chapters "Object Files" and "Program Loading".
 * The tables below hold each field's place for both widths, so that the code exists once.
 */
#include "core/image/elf.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/image/describe.h"
#include "core/image/stream.h"

/* e_ident */
#define EI_CLASS    4
#define EI_DATA     5
#define CLASS_32    1
#define CLASS_64    2
#define DATA_LITTLE 1

#define E_TYPE    16 /* the same place in both widths, as are the others with such names */
#define E_MACHINE 18
#define E_VERSION 20

#define ET_REL  1
#define ET_EXEC 2
#define ET_DYN  3

#define PT_LOAD 1
#define PT_NOTE 4

/* Places of fields: [0] in 32-bit, [1] in 64-bit files. Addresses and offsets are 4 or 8 bytes. */
static const uint8_t ehdr_bytes[] = {52, 64};
static const uint8_t e_entry[] = {24, 24}, e_phoff[] = {28, 32}, e_shoff[] = {32, 40};
static const uint8_t e_phentsize[] = {42, 54}, e_phnum[] = {44, 56};
static const uint8_t e_ehsize[] = {40, 52};
static const uint8_t e_shentsize[] = {46, 58}, e_shnum[] = {48, 60}, e_shstrndx[] = {50, 62};

static const uint8_t phdr_bytes[] = {32, 56};
static const uint8_t p_offset[] = {4, 8}, p_paddr[] = {12, 24};
static const uint8_t p_filesz[] = {16, 32}, p_memsz[] = {20, 40}, p_flags[] = {24, 4};

static const uint8_t shdr_bytes[] = {40, 64};
static const uint8_t sh_type[] = {4, 4}, sh_offset[] = {16, 24}, sh_size[] = {20, 32};
static const uint8_t sh_link[] = {24, 40};

STATIC_ASSERT(IMAGE_32 == 0 && IMAGE_64 == 1, "the tables are indexed by width");

static uint64_t word(const uint8_t *p, enum image_width width)
{
    return width == IMAGE_64 ? le64(p) : le32(p);
}

bool elf_detect(const uint8_t *head, size_t len)
{
    return len >= 4 && memcmp(head,
                              "\x7f"
                              "ELF",
                              4) == 0;
}

struct err elf_parse_header(const uint8_t *head, size_t len, struct elf_header *out)
{
    if (len < ehdr_bytes[IMAGE_32] || (head[EI_CLASS] == CLASS_64 && len < ehdr_bytes[IMAGE_64]))
        return ERR1(ERR_FILELENGTH, "an ELF file that ends inside its header, after %a bytes", len);
    if (head[EI_CLASS] != CLASS_32 && head[EI_CLASS] != CLASS_64)
        return ERR1(ERR_EXEC_FORMAT, "an ELF file of unknown class %a", head[EI_CLASS]);
    if (head[EI_DATA] != DATA_LITTLE)
        return ERR(ERR_EXEC_FORMAT, "a big-endian ELF file; this is an x86 guest");
    enum image_width w = head[EI_CLASS] == CLASS_64 ? IMAGE_64 : IMAGE_32;
    uint16_t type = le16(head + E_TYPE), machine = le16(head + E_MACHINE);

    if (machine != ELF_MACHINE_386 && machine != ELF_MACHINE_X86_64)
        return describe_foreign_machine(machine);
    if ((machine == ELF_MACHINE_X86_64) != (w == IMAGE_64))
        return ERR2(ERR_EXEC_FORMAT, "an ELF file of class %a for machine %b, which do not match",
                    head[EI_CLASS], machine);
    if (type == ET_REL)
        return ERR(ERR_EXEC_FORMAT, "an ELF object file or module, not a linked kernel");
    if (type != ET_EXEC && type != ET_DYN)
        return ERR1(ERR_EXEC_FORMAT, "an ELF file of type %a, which is not executable", type);
    *out = (struct elf_header){
        .width = w,
        .machine = machine,
        .entry = word(head + e_entry[w], w),
        .phdrs_off = word(head + e_phoff[w], w),
        .shdrs_off = word(head + e_shoff[w], w),
        .phdr_bytes = le16(head + e_phentsize[w]),
        .nr_phdrs = le16(head + e_phnum[w]),
        .shdr_bytes = le16(head + e_shentsize[w]),
        .nr_shdrs = le16(head + e_shnum[w]),
        .names = le16(head + e_shstrndx[w]),
    };
    if (out->nr_phdrs == 0)
        return ERR(ERR_EXEC_FORMAT, "an ELF file without program headers: nothing to load");
    if (out->nr_phdrs > ELF_PHDR_MAX || out->phdr_bytes < phdr_bytes[w])
        return ERR2(ERR_EXEC_FORMAT, "damaged ELF header: %a program headers of %b bytes",
                    out->nr_phdrs, out->phdr_bytes);
    return OK;
}

/* Is [off, off + len) of the file, [paddr, paddr + mem) of memory, a sane segment? */
static struct err check_segment(const struct image_segment *s, enum image_width width)
{
    uint64_t limit = width == IMAGE_64 ? UINT64_MAX : (uint64_t)UINT32_MAX + 1;

    if (s->file_bytes > s->mem_bytes)
        return ERR2(ERR_EXEC_FORMAT,
                    "damaged ELF: a segment has %a bytes in the file and only %b in memory",
                    s->file_bytes, s->mem_bytes);
    if (s->mem_bytes > IMAGE_UNPACKED_MAX)
        return ERR2(ERR_EXEC_FORMAT, "damaged ELF: a segment of %a bytes; %b is the most",
                    s->mem_bytes, IMAGE_UNPACKED_MAX);
    if (!in_range(s->paddr, s->mem_bytes, limit) ||
        !in_range(s->file_off_bytes, s->file_bytes, limit))
        return ERR2(ERR_EXEC_FORMAT,
                    "damaged ELF: a segment at file offset %A, address %B passes the end of "
                    "everything",
                    s->file_off_bytes, s->paddr);
    return OK;
}

static bool overlap(uint64_t a, uint64_t a_len, uint64_t b, uint64_t b_len)
{
    return a_len != 0 && b_len != 0 && (a < b ? b - a < a_len : a - b < b_len);
}

/* Keep the list sorted by file offset: a stream is read once. */
static struct err add_segment(struct image *img, const struct image_segment *s)
{
    uint32_t at = img->nr_segments;

    if (img->nr_segments == IMAGE_SEGMENT_MAX)
        return ERR1(ERR_LIMIT, "an ELF file with more than %a segments to load", IMAGE_SEGMENT_MAX);
    for (uint32_t i = 0; i < img->nr_segments; i++) {
        const struct image_segment *o = &img->segments[i];

        if (overlap(s->paddr, s->mem_bytes, o->paddr, o->mem_bytes) ||
            overlap(s->file_off_bytes, s->file_bytes, o->file_off_bytes, o->file_bytes))
            return ERR2(ERR_EXEC_FORMAT, "damaged ELF: the segments at addresses %A and %B overlap",
                        o->paddr, s->paddr);
    }
    while (at > 0 && img->segments[at - 1].file_off_bytes > s->file_off_bytes) {
        img->segments[at] = img->segments[at - 1];
        at--;
    }
    img->segments[at] = *s;
    img->nr_segments++;
    return OK;
}

static struct err find_span(struct image *img)
{
    img->pstart = UINT64_MAX;
    img->pend = 0;
    for (uint32_t i = 0; i < img->nr_segments; i++) {
        const struct image_segment *s = &img->segments[i];
        uint64_t end = s->paddr + s->mem_bytes; /* check_segment: does not wrap */

        img->pstart = s->paddr < img->pstart ? s->paddr : img->pstart;
        img->pend = end > img->pend ? end : img->pend;
    }
    if (img->nr_segments == 0)
        return ERR(ERR_EXEC_FORMAT, "an ELF file without a segment to load");
    if (img->pend - img->pstart > IMAGE_UNPACKED_MAX)
        return ERR2(ERR_EXEC_FORMAT, "the segments of the ELF file span %a bytes; %b is the most",
                    img->pend - img->pstart, IMAGE_UNPACKED_MAX);
    return OK;
}

struct err elf_parse_phdrs(struct image *img, const struct elf_header *h, const uint8_t *table,
                           struct elf_note_range *notes, uint32_t *nr_notes)
{
    enum image_width w = h->width;

    uint32_t nr_left_out = 0;

    *nr_notes = 0;
    img->nr_segments = 0;
    for (uint32_t i = 0; i < h->nr_phdrs; i++) {
        const uint8_t *p = table + (size_t)i * h->phdr_bytes;
        struct image_segment s = {
            .file_off_bytes = word(p + p_offset[w], w),
            .file_bytes = word(p + p_filesz[w], w),
            .paddr = word(p + p_paddr[w], w),
            .mem_bytes = word(p + p_memsz[w], w),
        };

        if (le32(p) == PT_NOTE && s.file_off_bytes != 0) {
            /* Offset 0: some binutils did not set it, says Xen's libelf. */
            if (*nr_notes < ELF_NOTE_MAX)
                notes[(*nr_notes)++] = (struct elf_note_range){s.file_off_bytes, s.file_bytes};
            else if (nr_left_out++ == 0)
                log_line(img->stream->log,
                         "kernel: more than 16 segments of ELF notes; the others were left out");
        }
        /* Xen skips segments that may be neither read, written nor executed; so do we. */
        if (le32(p) != PT_LOAD || (le32(p + p_flags[w]) & 7) == 0 || s.mem_bytes == 0)
            continue;
        TRY(check_segment(&s, w));
        TRY(add_segment(img, &s));
    }
    return find_span(img);
}

uint64_t elf_header_bytes(enum image_width width)
{
    return ehdr_bytes[width];
}

uint64_t elf_shdr_bytes(enum image_width width)
{
    return shdr_bytes[width];
}

bool elf_section_at(const struct elf_header *h, const uint8_t *table, uint64_t index,
                    struct elf_section *out)
{
    enum image_width w = h->width;

    if (index >= h->nr_shdrs || h->shdr_bytes < shdr_bytes[w])
        return false;
    const uint8_t *p = table + (size_t)index * h->shdr_bytes;

    *out = (struct elf_section){
        .name = le32(p),
        .type = le32(p + sh_type[w]),
        .link = le32(p + sh_link[w]),
        .off = word(p + sh_offset[w], w),
        .len = word(p + sh_size[w], w),
    };
    memcpy(out->raw, p, shdr_bytes[w]);
    return true;
}

static void put(uint8_t *p, uint64_t v, unsigned nr_bytes)
{
    for (unsigned i = 0; i < nr_bytes; i++)
        p[i] = (uint8_t)(v >> 8 * i);
}

void elf_set_section(uint8_t *raw, enum image_width width, uint64_t off, uint32_t link)
{
    put(raw + sh_offset[width], off, width == IMAGE_64 ? 8 : 4);
    put(raw + sh_link[width], link, 4);
}

void elf_set_header(uint8_t *raw, enum image_width width, uint64_t shdrs_off, uint16_t nr_shdrs)
{
    unsigned addr_bytes = width == IMAGE_64 ? 8 : 4;

    put(raw + E_VERSION, 1, 4);
    put(raw + e_phoff[width], 0, addr_bytes);
    put(raw + e_shoff[width], shdrs_off, addr_bytes);
    put(raw + e_ehsize[width], ehdr_bytes[width], 2);
    put(raw + e_phentsize[width], 0, 2);
    put(raw + e_phnum[width], 0, 2);
    put(raw + e_shentsize[width], shdr_bytes[width], 2);
    put(raw + e_shnum[width], nr_shdrs, 2);
    put(raw + e_shstrndx[width], 0, 2);
}

/* SPDX-License-Identifier: MIT */
/*
 * ELF headers: checked numbers out of foreign bytes. Private to core/image.
 */
#ifndef PVBOOT_IMAGE_ELF_H
#define PVBOOT_IMAGE_ELF_H

#include "core/image/image.h"

#define ELF_HEADER_BYTES 64 /* of the larger width */
#define ELF_PHDR_MAX     256
#define ELF_SHDR_MAX     1024
#define ELF_NOTE_MAX     16

#define ELF_MACHINE_386    3
#define ELF_MACHINE_X86_64 62

struct elf_header {
    enum image_width width;
    uint16_t machine;
    uint64_t entry;
    uint64_t phdrs_off, shdrs_off;
    uint32_t phdr_bytes, nr_phdrs; /* size of one, and their number */
    uint32_t shdr_bytes, nr_shdrs;
    uint32_t names; /* the section that holds the sections' names; 0: none */
};

#define ELF_SHDR_BYTES 64 /* of the larger width; what the standard has, not shdr_bytes */

enum elf_section_type {
    ELF_PROGBITS = 1,
    ELF_SYMTAB = 2,
    ELF_STRTAB = 3,
    ELF_NOTE = 7,
    ELF_NOBITS = 8,
};

struct elf_section {
    uint32_t name; /* a place in the section of names */
    uint32_t type, link;
    uint64_t off, len;
    uint8_t raw[ELF_SHDR_BYTES]; /* the header as it stands */
};

/* A PT_NOTE segment or SHT_NOTE section, as a range of the ELF file. */
struct elf_note_range {
    uint64_t off, len;
};

bool elf_detect(const uint8_t *head, size_t len);

/* head[0..len) begins the file. ERR_EXEC_FORMAT says what is wrong with it. */
struct err elf_parse_header(const uint8_t *head, size_t len, struct elf_header *out);

/*
 * The program headers, nr_phdrs * phdr_bytes of them at `table`: fills in img's segments, sorted by
 * file offset, and span; and the ranges of notes.
 */
struct err elf_parse_phdrs(struct image *img, const struct elf_header *h, const uint8_t *table,
                           struct elf_note_range *notes, uint32_t *nr_notes);

/* Bytes that a header and a section header of this width have in the standard. */
uint64_t elf_header_bytes(enum image_width width);
uint64_t elf_shdr_bytes(enum image_width width);

/* Section header `index` of the nr_shdrs * shdr_bytes at `table`; false: there is none. */
bool elf_section_at(const struct elf_header *h, const uint8_t *table, uint64_t index,
                    struct elf_section *out);

/* Write places and sizes into headers that are about to be handed on. */
void elf_set_section(uint8_t *raw, enum image_width width, uint64_t off, uint32_t link);
void elf_set_header(uint8_t *raw, enum image_width width, uint64_t shdrs_off, uint16_t nr_shdrs);

#endif

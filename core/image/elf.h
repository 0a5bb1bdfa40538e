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

/* The next SHT_NOTE section at or after *index; false when there is none. */
bool elf_next_note_section(const struct elf_header *h, const uint8_t *table, uint32_t *index,
                           struct elf_note_range *out);

#endif

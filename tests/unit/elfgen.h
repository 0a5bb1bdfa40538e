/* SPDX-License-Identifier: MIT */
/*
 * Small kernels for tests: an ELF file with segments of noise and Xen's notes, and a bzImage around
 * any payload. A test takes the default and bends what it is about.
 */
#ifndef PVBOOT_TESTS_ELFGEN_H
#define PVBOOT_TESTS_ELFGEN_H

#include "core/image/image.h"
#include "tests/unit/packed.h"

#define GEN_SEGMENTS 8
#define GEN_NOTES    32

enum gen_note_place {
    GEN_NOTE_IN_SEGMENT, /* and a PT_NOTE that names it, as Linux has it */
    GEN_NOTE_LOOSE,      /* a PT_NOTE behind the segments */
    GEN_NOTE_SECTION,    /* in a segment, named by an SHT_NOTE section only */
    GEN_NOTE_NOWHERE,
};

struct gen_note {
    uint32_t type;
    const char *text; /* or, if NULL, */
    uint64_t number;
    const char *name; /* NULL: "Xen" */
};

struct gen_elf {
    bool is_64;
    uint16_t machine, type;
    uint64_t entry;
    uint64_t phdrs_off;
    uint32_t nr_segments;
    struct image_segment segments[GEN_SEGMENTS];
    uint32_t flags[GEN_SEGMENTS]; /* p_flags */
    enum gen_note_place place;
    uint64_t note_off; /* in the file */
    uint32_t nr_notes;
    struct gen_note notes[GEN_NOTES];
    const char *guest;   /* the string of a __xen_guest section, or NULL */
    uint32_t nr_symbols; /* of a symbol table; 0: there is none */
    uint32_t strings_bytes;
    bool table_first; /* section headers before symbols and strings, as old linkers put them */
};

/* A kernel like Linux's: two segments at 16 MiB with a gap and bss, notes in the second. */
struct gen_elf gen_default(bool is_64);

/* The note of that type, to be changed. */
struct gen_note *gen_note(struct gen_elf *g, uint32_t type);
void gen_drop_note(struct gen_elf *g, uint32_t type);

struct bytes gen_file(const struct gen_elf *g);

/* The same kernel as it was made before there were notes: they become a __xen_guest section. */
void gen_make_old(struct gen_elf *g, const char *guest);

/* A bzImage of that boot protocol; trailer 0: none, else these four bytes follow the payload. */
struct bytes gen_bzimage(struct bytes payload, uint16_t protocol, uint32_t trailer);

#endif

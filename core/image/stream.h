/* SPDX-License-Identifier: MIT */
/*
 * An image's ELF file as bytes, front to back: unpacked as it comes, or from the file where it lies
 * as it is. Private to core/image.
 */
#ifndef PVBOOT_IMAGE_STREAM_H
#define PVBOOT_IMAGE_STREAM_H

#include "core/image/elf.h"
#include "core/image/image.h"

/*
 * A compressed kernel is read no further than this, packed and unpacked: twice what its segments
 * may span leaves room for debug sections. A few MiB of packed zeros would go on for hours.
 */
#define STREAM_MAX (2 * IMAGE_UNPACKED_MAX)

/*
 * How often compressed data may be unpacked from its start. Once for every Linux kernel of today;
 * the section headers lie behind the sections, so who needs one of those begins again.
 */
#define STREAM_PASSES_MAX 6

struct image_stream {
    struct file *file;
    struct arena *arena;
    const struct log *log;
    struct file_stream *input; /* compressed: of the payload, or of the whole file */
    struct unpack *wrap;       /* of the whole file, when it is a bzImage that was compressed */
    uint8_t *chunk;            /* what came out of wrap last */
    size_t chunk_len;          /* bytes in it that unpack has not seen */
    uint64_t wrap_left;        /* bytes of the payload still to come out of wrap */
    struct unpack *unpack;     /* NULL: the ELF lies in the file as it is */
    unsigned nr_passes;
    uint8_t *head; /* the first head_len bytes of the ELF file */
    size_t head_len;
    uint64_t pos; /* how far the unpacked stream has been read */
    struct elf_header elf;
    struct elf_note_range notes[ELF_NOTE_MAX];
    uint32_t nr_notes;
    uint8_t *shdrs;                    /* the section headers once they are read, elf.nr_shdrs */
    struct elf_section symtab, strtab; /* of img->symtab */
};

/* A range of the ELF file and where it goes. */
struct stream_piece {
    uint64_t off, len;
    uint8_t *to;
};

/*
 * Start the stream, or start it again at its first byte. img says what it is made of: compression,
 * payload, and wrapping; compression is filled in when a wrapping hides it. ERR_LIMIT after
 * STREAM_PASSES_MAX times.
 */
struct err stream_start(struct image *img);

/*
 * After an error e: could it come from a wrong size at the payload's end, which some formats are
 * told before they begin? Then the stream is started again without it, *out says how that went, and
 * true means that everything must be read again.
 */
bool stream_without_size(struct image *img, struct err e, struct err *out);

/* Give back what it uses. More than once is allowed. */
void stream_stop(struct image *img);

/* Read up to len bytes from the stream's place on; *got < len only at the end. */
struct err stream_read(struct image *img, void *buf, size_t len, size_t *got);

/*
 * Read a range at or behind the stream's place, or inside the head, which was read before.
 * ERR_LIMIT when the way there is longer than STREAM_MAX.
 */
struct err stream_read_piece(struct image *img, const struct stream_piece *p);

/* The same for any range: starts again where it must. */
struct err stream_read_anywhere(struct image *img, const struct stream_piece *p);

/* Read compressed data to its end, for the checksum that is there. ERR_LIMIT past STREAM_MAX. */
struct err stream_drain(struct image *img);

/* ERR_FILELENGTH: the ELF file ends where the stream is, and should reach `needed`. */
struct err stream_ends_early(const struct image *img, uint64_t needed);

#endif

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

struct image_stream {
    struct file *file;
    struct arena *arena;
    const struct log *log;
    struct file_stream *input; /* compressed: of the payload */
    struct unpack *unpack;     /* NULL: the ELF lies in the file as it is */
    uint8_t *head;             /* the first head_len bytes of the ELF file */
    size_t head_len;
    uint64_t pos; /* how far the unpacked stream has been read */
    bool watch;   /* look out for a __xen_guest section in what is passed over */
    struct elf_header elf;
    struct elf_note_range notes[ELF_NOTE_MAX];
    uint32_t nr_notes;
};

/* A range of the ELF file and where it goes. */
struct stream_piece {
    uint64_t off, len;
    uint8_t *to;
};

/* Read up to len bytes from the stream's place on; *got < len only at the end. */
struct err stream_read(struct image *img, void *buf, size_t len, size_t *got);

/*
 * Read a range at or behind the stream's place, or inside the head, which was read before.
 * ERR_LIMIT when the way there is longer than STREAM_MAX.
 */
struct err stream_read_piece(struct image *img, const struct stream_piece *p);

/*
 * From here on, what is passed over is searched for a __xen_guest section, which lies in no segment
 * and is sure to hold XEN_VER; notes.guest_section tells. An image that lies in the file as it is
 * is then drained too.
 */
void stream_watch(struct image *img);

/* Read compressed data to its end, for the checksum that is there. ERR_LIMIT past STREAM_MAX. */
struct err stream_drain(struct image *img);

/* ERR_FILELENGTH: the ELF file ends where the stream is, and should reach `needed`. */
struct err stream_ends_early(const struct image *img, uint64_t needed);

#endif

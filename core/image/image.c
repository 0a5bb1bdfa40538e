/* SPDX-License-Identifier: MIT */
/*
 * Opening an image: which container it is, where the ELF file lies in it, and that file's headers.
 */
#include "core/image/image.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/image/bzimage.h"
#include "core/image/describe.h"
#include "core/image/elf.h"
#include "core/image/stream.h"

/* The ELF header and the program headers must lie in the first bytes of the ELF file. */
#define HEAD_MAX ((size_t)32 * 1024)
/* What is read of it at once: enough for the usual headers, and to tell what else it is. */
#define HEAD_FIRST ((size_t)4096)

STATIC_ASSERT(HEAD_FIRST >= DESCRIBE_BYTES && HEAD_MAX >= BZIMAGE_HEAD_BYTES, "one head buffer");

/* Look at the file's first bytes: container, compression, payload. */
static struct err find_payload(struct image *img)
{
    struct image_stream *s = img->stream;
    uint64_t file_bytes = s->file->node.size_bytes;
    size_t len = (size_t)min_u64(file_bytes, BZIMAGE_HEAD_BYTES);

    TRY(file_read(s->file, 0, s->head, len));
    img->container = IMAGE_ELF;
    img->payload_bytes = file_bytes;
    if (bzimage_detect(s->head, len)) {
        img->container = IMAGE_BZIMAGE;
        TRY(bzimage_parse(img, s->head, len, file_bytes));
        len = (size_t)min_u64(img->payload_bytes, UNPACK_DETECT_BYTES);
        TRY(file_read(s->file, img->payload_off_bytes, s->head, len));
    }
    img->compression = unpack_detect(s->head, len);
    if (img->compression == UNPACK_NONE && !elf_detect(s->head, len)) {
        if (img->container == IMAGE_BZIMAGE)
            return bzimage_unknown_payload(s->head, len);
        return describe_not_kernel(s->head, len, false);
    }
    return OK;
}

/*
 * The unpacked size: the kernel's build appends it to the payload, and gzip itself ends with it.
 * Only a hint; nothing that an image of ours can have is larger than the bound.
 */
static struct err find_unpacked_size(struct image *img)
{
    uint8_t trailer[4];

    if (img->compression == UNPACK_NONE || img->payload_bytes < sizeof(trailer) ||
        (img->container != IMAGE_BZIMAGE && img->compression != UNPACK_GZIP))
        return OK;
    TRY(file_read(img->stream->file, img->payload_off_bytes + img->payload_bytes - sizeof(trailer),
                  trailer, sizeof(trailer)));
    if (le32(trailer) <= STREAM_MAX)
        img->unpacked_bytes = le32(trailer);
    return OK;
}

/*
 * What was compressed is a bzImage: its setup header, behind which the stream starts again, now in
 * its payload. The size that is appended to the payload comes too late to be of use.
 */
static struct err open_wrapped(struct image *img)
{
    struct image_stream *s = img->stream;
    size_t got;

    TRY(stream_read(img, s->head + s->head_len, BZIMAGE_HEAD_BYTES - s->head_len, &got));
    s->head_len += got;
    img->container = IMAGE_BZIMAGE;
    img->wrapping = img->compression;
    img->unpacked_bytes = 0;
    TRY(bzimage_parse(img, s->head, s->head_len, STREAM_MAX));
    TRY(stream_start(img));
    return stream_read(img, s->head, HEAD_FIRST, &s->head_len);
}

/* The ELF header, then the rest of the head up to the end of the program headers. */
static struct err read_headers(struct image *img, enum image_width want)
{
    struct image_stream *s = img->stream;
    uint64_t end;
    size_t got;

    s->head_len = 0;
    TRY(stream_read(img, s->head, HEAD_FIRST, &s->head_len));
    if (img->container == IMAGE_ELF && bzimage_detect(s->head, s->head_len))
        TRY(open_wrapped(img));
    if (!elf_detect(s->head, s->head_len))
        return describe_not_kernel(s->head, s->head_len, img->compression != UNPACK_NONE);
    TRY(elf_parse_header(s->head, s->head_len, &s->elf));
    img->width = s->elf.width;
    img->machine = s->elf.machine;
    img->entry = s->elf.entry;
    if (img->width != want)
        return ERR(ERR_EXEC_FORMAT, want == IMAGE_64
                                        ? "a 32-bit kernel; this is a 64-bit guest: start it with "
                                          "pvboot's i386 image (EC2: an AKI named pv-grub-...-i386)"
                                        : "a 64-bit kernel; this is a 32-bit guest: start it with "
                                          "pvboot's x86_64 image (EC2: an AKI named "
                                          "pv-grub-...-x86_64)");
    if (!add_u64(s->elf.phdrs_off, (uint64_t)s->elf.nr_phdrs * s->elf.phdr_bytes, &end) ||
        end > HEAD_MAX)
        return ERR2(ERR_EXEC_FORMAT,
                    "an ELF file whose program headers begin at byte %a; only the first %b bytes "
                    "are searched for them",
                    s->elf.phdrs_off, HEAD_MAX);
    if (end > s->head_len) {
        size_t more = (size_t)end - s->head_len;

        TRY(stream_read(img, s->head + s->head_len, more, &got));
        s->head_len += got;
        if (got < more)
            return stream_ends_early(img, end);
    }
    return elf_parse_phdrs(img, &s->elf, s->head + s->elf.phdrs_off, s->notes, &s->nr_notes);
}

/* An uncompressed file tells at once whether its segments are all there. */
static struct err check_file_length(const struct image *img)
{
    for (uint32_t i = 0; i < img->nr_segments; i++) {
        const struct image_segment *s = &img->segments[i];

        if (img->stream->unpack == NULL &&
            !in_range(s->file_off_bytes, s->file_bytes, img->payload_bytes))
            return ERR2(ERR_FILELENGTH,
                        "a truncated ELF file: a segment ends at byte %a, the file at byte %b",
                        s->file_off_bytes + s->file_bytes, img->payload_bytes);
    }
    return OK;
}

struct err image_open(struct image *img, struct file *f, struct arena *a, enum image_width want,
                      const struct log *log)
{
    memset(img, 0, sizeof(*img));
    struct image_stream *s = arena_alloc(a, sizeof(*s));

    if (s == NULL)
        return arena_exhausted("no memory for the kernel's headers (%a bytes)", sizeof(*s));
    s->file = f;
    s->arena = a;
    s->log = log;
    s->head = arena_pages(a, HEAD_MAX);
    if (s->head == NULL)
        return arena_exhausted("no memory for the kernel's headers (%a bytes)", HEAD_MAX);
    img->stream = s;
    struct err e = find_payload(img);

    if (!failed(e))
        e = find_unpacked_size(img);
    if (!failed(e))
        e = stream_start(img);
    if (!failed(e))
        e = read_headers(img, want);
    if (stream_without_size(img, e, &e))
        e = read_headers(img, want);
    if (!failed(e))
        e = check_file_length(img);
    if (failed(e))
        image_close(img);
    return e;
}

struct err image_rewind(struct image *img)
{
    return stream_start(img);
}

struct err image_read(struct image *img, void *buf, size_t len, size_t *got)
{
    return stream_read(img, buf, len, got);
}

void image_close(struct image *img)
{
    struct image_stream *s = img->stream;

    if (s == NULL)
        return;
    stream_stop(img);
    arena_drop(s->arena, s->head);
    arena_drop(s->arena, s->shdrs);
    img->stream = NULL;
}

/* SPDX-License-Identifier: MIT */
/*
 * What an image's stream is fed with: the file's payload, or, when a bzImage was compressed as a
 * whole, the payload of what comes out of it.
 */
#include "core/base/bytes.h"
#include "core/image/bzimage.h"
#include "core/image/stream.h"

#define CHUNK_BYTES ((size_t)64 * 1024)

static struct err next_of_file(void *ctx, const uint8_t **data, size_t *len)
{
    return file_stream_next(ctx, data, len);
}

/* Fill the chunk with the payload's next bytes. */
static struct err fill_chunk(struct image_stream *s)
{
    size_t want = (size_t)min_u64(CHUNK_BYTES, s->wrap_left);

    TRY(unpack_read(s->wrap, s->chunk, want, &s->chunk_len));
    if (s->chunk_len < want)
        return ERR1(ERR_FILELENGTH,
                    "the bzImage that is compressed in it ends %a bytes before its payload does",
                    s->wrap_left - s->chunk_len);
    s->wrap_left -= s->chunk_len;
    return OK;
}

static struct err next_of_wrap(void *ctx, const uint8_t **data, size_t *len)
{
    struct image_stream *s = ctx;

    if (s->chunk_len == 0)
        TRY(fill_chunk(s));
    *data = s->chunk;
    *len = s->chunk_len;
    s->chunk_len = 0;
    return OK;
}

/* Unpack the bzImage up to its payload, and look what that is compressed with. */
static struct err start_wrapped(struct image *img)
{
    struct image_stream *s = img->stream;
    struct unpack_source outer = {.ctx = s->input, .next = next_of_file};
    struct unpack_source inner = {.ctx = s, .next = next_of_wrap};
    uint64_t got;

    TRY(unpack_open(&s->wrap, s->arena, img->wrapping, &outer));
    s->chunk = arena_pages(s->arena, CHUNK_BYTES);
    if (s->chunk == NULL)
        return arena_exhausted("no memory to unpack the bzImage (%a bytes)", CHUNK_BYTES);
    s->wrap_left = img->payload_bytes;
    TRY(unpack_skip(s->wrap, img->payload_off_bytes, &got));
    TRY(fill_chunk(s));
    img->compression = unpack_detect(s->chunk, s->chunk_len);
    if (img->compression == UNPACK_NONE && !elf_detect(s->chunk, s->chunk_len))
        return bzimage_unknown_payload(s->chunk, s->chunk_len);
    return unpack_open(&s->unpack, s->arena, img->compression, &inner);
}

static struct err start_plain(struct image *img)
{
    struct image_stream *s = img->stream;
    struct unpack_source source = {.ctx = s->input, .next = next_of_file};

    TRY(unpack_open(&s->unpack, s->arena, img->compression, &source));
    if (img->container == IMAGE_BZIMAGE)
        unpack_expect(s->unpack, img->unpacked_bytes);
    return OK;
}

struct err stream_start(struct image *img)
{
    struct image_stream *s = img->stream;
    bool wrapped = img->wrapping != UNPACK_NONE;
    uint64_t off = wrapped ? 0 : img->payload_off_bytes;
    uint64_t len = wrapped ? s->file->node.size_bytes : img->payload_bytes;

    stream_stop(img);
    s->pos = 0;
    if (img->compression == UNPACK_NONE && !wrapped)
        return OK;
    if (s->nr_passes == STREAM_PASSES_MAX)
        return ERR1(ERR_LIMIT,
                    "its sections lie in such an order that it would have to be unpacked more than "
                    "%a times: unpack the file",
                    STREAM_PASSES_MAX);
    s->nr_passes++;
    if (len > STREAM_MAX)
        return ERR2(ERR_LIMIT, "a compressed kernel of %a bytes; %b is the most that is read", len,
                    STREAM_MAX);
    TRY(file_stream_open(&s->input, s->file, s->arena, off, len));
    return wrapped ? start_wrapped(img) : start_plain(img);
}

bool stream_without_size(struct image *img, struct err e, struct err *out)
{
    if (e.code != ERR_BAD_GZIP_DATA || img->container != IMAGE_BZIMAGE ||
        img->compression != UNPACK_ZSTD || img->unpacked_bytes == 0)
        return false;
    log_line(img->stream->log,
             "kernel: damaged data, or its size is not what the end of the payload "
             "says: unpacking it again without that");
    img->unpacked_bytes = 0;
    *out = stream_start(img);
    return !failed(*out);
}

void stream_stop(struct image *img)
{
    struct image_stream *s = img->stream;

    unpack_close(s->unpack);
    unpack_close(s->wrap);
    file_stream_close(s->input);
    arena_drop(s->arena, s->chunk);
    s->unpack = s->wrap = NULL;
    s->input = NULL;
    s->chunk = NULL;
    s->chunk_len = 0;
}

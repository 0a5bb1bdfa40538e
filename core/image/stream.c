/* SPDX-License-Identifier: MIT */
/*
 * The ELF file as one pass of bytes. A compressed one is unpacked on the way, so what lies before
 * the stream's place is gone; one that lies in the file as it is can be read at any place.
 */
#include "core/image/stream.h"

#include <string.h>

#include "core/base/bytes.h"

struct err stream_read(struct image *img, void *buf, size_t len, size_t *got)
{
    struct image_stream *s = img->stream;

    if (s->unpack != NULL) {
        TRY(unpack_read(s->unpack, buf, len, got));
    } else {
        uint64_t left = img->payload_bytes - min_u64(s->pos, img->payload_bytes);

        *got = (size_t)min_u64(len, left);
        TRY(file_read(s->file, img->payload_off_bytes + s->pos, buf, *got));
    }
    s->pos += *got;
    return OK;
}

struct err stream_ends_early(const struct image *img, uint64_t needed)
{
    return ERR2(ERR_FILELENGTH,
                img->stream->unpack != NULL
                    ? "the ELF file that is compressed in it ends after %a bytes; its headers name "
                      "%b bytes"
                    : "a truncated ELF file: it ends after %a bytes; its headers name %b bytes",
                img->stream->pos, needed);
}

/* Pass over len bytes, or what there is. */
static struct err pass(struct image *img, uint64_t len)
{
    struct image_stream *s = img->stream;
    uint64_t got;

    TRY(unpack_skip(s->unpack, len, &got));
    s->pos += got;
    return OK;
}

static struct err go_to(struct image *img, uint64_t off)
{
    struct image_stream *s = img->stream;

    if (s->unpack == NULL) {
        s->pos = off;
        return OK;
    }
    TRY(pass(img, off - s->pos));
    return s->pos == off ? OK : stream_ends_early(img, off);
}

struct err stream_read_piece(struct image *img, const struct stream_piece *p)
{
    struct image_stream *s = img->stream;
    uint64_t done = 0;

    if (p->len == 0)
        return OK;
    if (p->off < s->head_len) {
        done = min_u64(p->len, s->head_len - p->off);
        memcpy(p->to, s->head + p->off, (size_t)done);
    }
    if (done == p->len)
        return OK;
    if (s->unpack != NULL && !in_range(p->off, p->len, STREAM_MAX))
        return ERR2(ERR_LIMIT,
                    "its ELF headers name %A bytes at offset %B of what is compressed in it, where "
                    "nothing is read",
                    p->len, p->off);
    size_t got, len = (size_t)(p->len - done);

    TRY(go_to(img, p->off + done));
    TRY(stream_read(img, p->to + done, len, &got));
    return got == len ? OK : stream_ends_early(img, p->off + p->len);
}

struct err stream_read_anywhere(struct image *img, const struct stream_piece *p)
{
    const struct image_stream *s = img->stream;

    if (s->unpack != NULL && p->off < s->pos && !in_range(p->off, p->len, s->head_len))
        TRY(stream_start(img));
    return stream_read_piece(img, p);
}

static struct err too_long(void)
{
    return ERR1(ERR_LIMIT,
                "the kernel unpacks to more than %a bytes, which is the most that is read",
                STREAM_MAX);
}

struct err stream_drain(struct image *img)
{
    struct image_stream *s = img->stream;
    uint64_t behind;

    if (s->unpack == NULL)
        return OK;
    /* One byte more than there may be: it tells a stream that is too long from one that fits. */
    TRY(pass(img, STREAM_MAX + 1 - s->pos));
    if (s->pos > STREAM_MAX)
        return too_long();
    if (s->wrap == NULL)
        return OK;
    TRY(unpack_skip(s->wrap, STREAM_MAX + 1, &behind));
    return behind > STREAM_MAX ? too_long() : OK;
}

/* SPDX-License-Identifier: MIT */
/*
 * .xz and .lzma, with liblzma's stream decoder and "alone" decoder. Several .xz streams one after
 * the other, with padding between, are one. The kernel's build writes .xz with the x86 BCJ filter
 * and a dictionary of up to 128 MiB, and .lzma with an unknown size and an end mark.
 */
#include "core/unpack/codec.h"

#include <lzma.h>

#include "core/base/bytes.h"

/* Dictionaries of up to 128 MiB and the decoder's own structures. */
#define XZ_MEMORY_MAX ((uint64_t)132 << 20)

/* A .xz stream header is 12 bytes, an .lzma header 13. */
#define HEADER_BYTES 13

struct xz {
    lzma_stream lzma;
    lzma_allocator allocator;
};

static void *lib_alloc(void *ctx, size_t nr, size_t size)
{
    return unpack_alloc(ctx, nr, size);
}

static void lib_free(void *ctx, void *p)
{
    unpack_free(ctx, p);
}

static struct err start(struct unpack *u, struct xz *x)
{
    lzma_ret status = u->format == UNPACK_XZ ? lzma_stream_decoder(&x->lzma, XZ_MEMORY_MAX, 0)
                                             : lzma_alone_decoder(&x->lzma, XZ_MEMORY_MAX);

    return status == LZMA_OK ? OK : unpack_no_memory(u);
}

static struct err xz_open(struct unpack *u)
{
    struct xz *x = arena_alloc(u->arena, sizeof(*x));

    if (x == NULL)
        return unpack_no_memory(u);
    u->priv = x;
    x->allocator = (lzma_allocator){.alloc = lib_alloc, .free = lib_free, .opaque = u};
    x->lzma.allocator = &x->allocator;
    return start(u, x);
}

/* Stream padding is a multiple of four zero bytes; a kernel's trailer is never zero. */
static struct err next_stream(struct unpack *u, struct xz *x)
{
    static const uint8_t padding[4];

    u->done = true;
    if (u->format != UNPACK_XZ)
        return OK;
    for (;;) {
        TRY(unpack_peek(u, 6));
        if (u->in_len < 4 || memcmp(u->in, padding, 4) != 0)
            break;
        unpack_consume(u, 4);
    }
    if (unpack_detect(u->in, u->in_len) != UNPACK_XZ)
        return OK;
    u->done = false;
    return start(u, x);
}

static struct err status_error(const struct unpack *u, lzma_ret status)
{
    switch (status) {
    case LZMA_MEM_ERROR:
        return unpack_no_memory(u);
    case LZMA_MEMLIMIT_ERROR:
        return ERR1(ERR_BAD_GZIP_HEADER,
                    u->format == UNPACK_XZ
                        ? "xz: the dictionary is larger than 128 MiB (near byte %a)"
                        : "lzma: the dictionary is larger than 128 MiB (near byte %a)",
                    unpack_in_off(u));
    case LZMA_FORMAT_ERROR:
        return unpack_bad_header(u);
    case LZMA_OPTIONS_ERROR:
        return unpack_bad_header(u);
    default:
        return unpack_in_off(u) < HEADER_BYTES ? unpack_bad_header(u) : unpack_damaged(u);
    }
}

static struct err xz_read(struct unpack *u, uint8_t *buf, size_t len, size_t *got)
{
    struct xz *x = u->priv;

    while (*got == 0) {
        TRY(unpack_fill(u));
        size_t had = u->in_len;

        x->lzma.next_in = u->in;
        x->lzma.avail_in = had;
        x->lzma.next_out = buf;
        x->lzma.avail_out = len;
        lzma_ret status = lzma_code(&x->lzma, u->in_end && had == 0 ? LZMA_FINISH : LZMA_RUN);

        unpack_consume(u, had - x->lzma.avail_in);
        *got = len - x->lzma.avail_out;
        if (status == LZMA_STREAM_END) {
            TRY(next_stream(u, x));
            if (u->done)
                return OK;
        } else if (status == LZMA_BUF_ERROR || (status == LZMA_OK && *got == 0 && had == 0)) {
            return unpack_short(u);
        } else if (status != LZMA_OK) {
            return status_error(u, status);
        }
    }
    return OK;
}

static void xz_close(struct unpack *u)
{
    struct xz *x = u->priv;

    if (x != NULL)
        lzma_end(&x->lzma);
    u->priv = NULL;
}

const struct unpack_codec unpack_lzma = {xz_open, xz_read, xz_close};
const struct unpack_codec unpack_xz = {xz_open, xz_read, xz_close};

/* SPDX-License-Identifier: MIT */
/*
 * bzip2, with libbz2's low-level interface. Several streams one after the other are one (pbzip2
 * writes so). libbz2 checks each block's and the stream's CRC itself.
 */
#include "core/unpack/codec.h"

#include <string.h>
/* libbz2's header pulls in stdio for its file functions unless told not to. */
#define BZ_NO_STDIO
#include <bzlib.h>

#include "core/base/bytes.h"

/* Header, first block's magic number and CRC: an error before it is one of the header. */
#define HEADER_BYTES 10

static void *lib_alloc(void *ctx, int nr, int size)
{
    return nr < 0 || size < 0 ? NULL : unpack_alloc(ctx, (uint64_t)nr, (uint64_t)size);
}

static void lib_free(void *ctx, void *p)
{
    unpack_free(ctx, p);
}

/* The library's structure; its state is NULL while no stream is open. */
static struct err start(struct unpack *u, bz_stream *bz)
{
    memset(bz, 0, sizeof(*bz));
    bz->bzalloc = lib_alloc;
    bz->bzfree = lib_free;
    bz->opaque = u;
    return BZ2_bzDecompressInit(bz, 0, 0) == BZ_OK ? OK : unpack_no_memory(u);
}

static struct err bzip2_open(struct unpack *u)
{
    bz_stream *bz = arena_alloc(u->arena, sizeof(*bz));

    if (bz == NULL)
        return unpack_no_memory(u);
    u->priv = bz;
    return start(u, bz);
}

static struct err next_stream(struct unpack *u, bz_stream *bz)
{
    TRY(unpack_peek(u, 4));
    if (u->in_len < 4 || unpack_detect(u->in, 4) != UNPACK_BZIP2) {
        u->done = true;
        return OK;
    }
    BZ2_bzDecompressEnd(bz);
    return start(u, bz);
}

static struct err bzip2_read(struct unpack *u, uint8_t *buf, size_t len, size_t *got)
{
    bz_stream *bz = u->priv;
    size_t room = len < UNPACK_PIECE_MAX ? len : UNPACK_PIECE_MAX;

    while (*got == 0) {
        TRY(unpack_fill(u));
        size_t piece = (size_t)min_u64(u->in_len, UNPACK_PIECE_MAX);
        /* The library has output in store when the input is used up, and it does not write to its
         * input. */
        bz->next_in = (char *)(uintptr_t)u->in;
        bz->avail_in = (unsigned)piece;
        bz->next_out = (char *)buf;
        bz->avail_out = (unsigned)room;
        int status = BZ2_bzDecompress(bz);

        unpack_consume(u, piece - bz->avail_in);
        *got = room - bz->avail_out;
        switch (status) {
        case BZ_OK:
            if (*got == 0 && piece == 0)
                return unpack_short(u);
            break;
        case BZ_STREAM_END:
            TRY(next_stream(u, bz));
            if (u->done)
                return OK;
            break;
        case BZ_MEM_ERROR:
            return unpack_no_memory(u);
        case BZ_DATA_ERROR_MAGIC:
            return unpack_bad_header(u);
        default:
            return unpack_in_off(u) <= HEADER_BYTES ? unpack_bad_header(u) : unpack_damaged(u);
        }
    }
    return OK;
}

static void bzip2_close(struct unpack *u)
{
    if (u->priv != NULL)
        BZ2_bzDecompressEnd(u->priv);
    u->priv = NULL;
}

const struct unpack_codec unpack_bzip2 = {bzip2_open, bzip2_read, bzip2_close};

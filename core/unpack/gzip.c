/* SPDX-License-Identifier: MIT */
/*
 * gzip (RFC 1952), with zlib's inflate. Several members one after the other are one stream.
 */
#include "core/unpack/codec.h"

#include <string.h>
#define ZLIB_CONST
#include <zlib.h>

#include "core/base/bytes.h"

/* inflateInit2: a 32 KiB window, and a gzip wrapper only. */
#define WINDOW_BITS (15 + 16)

static void *lib_alloc(void *ctx, unsigned nr, unsigned size)
{
    return unpack_alloc(ctx, nr, size);
}

static void lib_free(void *ctx, void *p)
{
    unpack_free(ctx, p);
}

static struct err gzip_open(struct unpack *u)
{
    z_stream *z = arena_alloc(u->arena, sizeof(*z));

    if (z == NULL)
        return unpack_no_memory(u);
    z->zalloc = lib_alloc;
    z->zfree = lib_free;
    z->opaque = u;
    if (inflateInit2(z, WINDOW_BITS) != Z_OK)
        return unpack_no_memory(u);
    u->priv = z;
    return OK;
}

/* After a member's end: go on when another one follows, else the stream is done. */
static struct err next_member(struct unpack *u, z_stream *z)
{
    TRY(unpack_peek(u, 3));
    if (u->in_len >= 3 && u->in[0] == 0x1f && u->in[1] == 0x8b && u->in[2] == Z_DEFLATED)
        return inflateReset(z) == Z_OK ? OK : unpack_damaged(u);
    u->done = true;
    return OK;
}

/* zlib tells what is wrong by a text only. */
static struct err data_error(const struct unpack *u, const z_stream *z)
{
    if (z->msg != NULL && (strcmp(z->msg, "incorrect data check") == 0 ||
                           strcmp(z->msg, "incorrect length check") == 0))
        return unpack_bad_check(u);
    /* 10 bytes are the fixed part of the header. */
    return z->total_in <= 10 ? unpack_bad_header(u) : unpack_damaged(u);
}

static struct err gzip_read(struct unpack *u, uint8_t *buf, size_t len, size_t *got)
{
    z_stream *z = u->priv;
    size_t room = len < UNPACK_PIECE_MAX ? len : UNPACK_PIECE_MAX;

    z->next_out = buf;
    z->avail_out = (uInt)room;
    while (z->avail_out == room) {
        TRY(unpack_fill(u));
        if (u->in_len == 0)
            return unpack_short(u);
        size_t piece = (size_t)min_u64(u->in_len, UNPACK_PIECE_MAX);

        z->next_in = u->in;
        z->avail_in = (uInt)piece;
        int status = inflate(z, Z_NO_FLUSH);

        unpack_consume(u, piece - z->avail_in);
        *got = room - z->avail_out;
        if (status == Z_STREAM_END) {
            TRY(next_member(u, z));
            if (u->done)
                return OK;
        } else if (status == Z_MEM_ERROR) {
            return unpack_no_memory(u);
        } else if (status != Z_OK && status != Z_BUF_ERROR) {
            return data_error(u, z);
        }
    }
    return OK;
}

static void gzip_close(struct unpack *u)
{
    if (u->priv != NULL)
        inflateEnd(u->priv);
    u->priv = NULL;
}

const struct unpack_codec unpack_gzip = {gzip_open, gzip_read, gzip_close};

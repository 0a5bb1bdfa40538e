/* SPDX-License-Identifier: MIT */
/*
 * zstd (RFC 8878), with libzstd's streaming decoder. Several frames, and skippable ones between
 * them, are one stream.
 *
 * Memory: the kernel's build pipes its image through `zstd -22 --ultra`, whose frames ask for a
 * window of 128 MiB, and the library allocates what the header asks for, unless the header also
 * tells the size of the content and that is smaller. A bzImage tells this size next to the frame,
 * so a first frame without the size gets it put into its header (unpack_expect).
 */
#include "core/unpack/codec.h"

#include <string.h>
#define ZSTD_STATIC_LINKING_ONLY
#include <zstd.h>
#include <zstd_errors.h>

#include "core/base/bytes.h"

/* The window that `zstd --ultra -22` and the kernel's build use. */
#define WINDOW_MAX ((size_t)128 << 20)

#define FRAME_MAGIC     0xfd2fb528u
#define SKIPPABLE_MAGIC 0x184d2a50u /* and the 15 above it */

/* Frame_Header_Descriptor: bits 7-6 size of the content size, 5 single segment, 4-3 reserved and
 * unused, 2 checksum, 1-0 size of the dictionary id. */
#define FHD_SIZE_8BYTES   0xc0u
#define FHD_SIZE_MASK     0xe0u /* and single segment, which implies a content size */
#define FHD_DICT_ID_MASK  0x03u
#define HEADER_BYTES      6 /* magic, descriptor, window */
#define HEADER_BYTES_LONG 14

struct zstd {
    ZSTD_DCtx *dctx;
    uint8_t header[HEADER_BYTES_LONG]; /* the rewritten header; goes in before the input */
    uint32_t header_len, header_off;
    bool begun, mid_frame;
};

static void *lib_alloc(void *ctx, size_t size)
{
    return unpack_alloc(ctx, size, 1);
}

static void lib_free(void *ctx, void *p)
{
    unpack_free(ctx, p);
}

static struct err zstd_open(struct unpack *u)
{
    ZSTD_customMem mem = {lib_alloc, lib_free, u};
    struct zstd *z = arena_alloc(u->arena, sizeof(*z));

    if (z == NULL)
        return unpack_no_memory(u);
    u->priv = z;
    z->dctx = ZSTD_createDCtx_advanced(mem);
    if (z->dctx == NULL || ZSTD_isError(ZSTD_DCtx_setMaxWindowSize(z->dctx, WINDOW_MAX)))
        return unpack_no_memory(u);
    return OK;
}

/* Put the expected size into the first frame's header if it has none. */
static struct err rewrite_header(struct unpack *u, struct zstd *z)
{
    TRY(unpack_peek(u, HEADER_BYTES));
    if (u->expected_bytes == 0 || u->in_len < HEADER_BYTES || le32(u->in) != FRAME_MAGIC ||
        (u->in[4] & (FHD_SIZE_MASK | FHD_DICT_ID_MASK)) != 0)
        return OK;
    memcpy(z->header, u->in, HEADER_BYTES);
    z->header[4] |= FHD_SIZE_8BYTES;
    for (size_t i = 0; i < 8; i++)
        z->header[HEADER_BYTES + i] = (uint8_t)(u->expected_bytes >> 8 * i);
    z->header_len = HEADER_BYTES_LONG;
    unpack_consume(u, HEADER_BYTES);
    return OK;
}

/*
 * Before each frame: the data is over when none follows. The library would also take frames of its
 * versions 0.5 to 0.7; we do not, and the guest image does without those decoders.
 */
static struct err next_frame(struct unpack *u, struct zstd *z)
{
    TRY(unpack_peek(u, 4));
    uint32_t magic = u->in_len >= 4 ? le32(u->in) : 0;

    if (magic == FRAME_MAGIC || (magic & ~15u) == SKIPPABLE_MAGIC) {
        z->mid_frame = true;
        if (!z->begun)
            TRY(rewrite_header(u, z));
        z->begun = true;
        return OK;
    }
    if (!z->begun)
        return u->in_len < 4 ? unpack_short(u) : unpack_bad_header(u);
    u->done = true;
    return OK;
}

static struct err status_error(const struct unpack *u, size_t status)
{
    switch (ZSTD_getErrorCode(status)) {
    case ZSTD_error_memory_allocation:
        return unpack_no_memory(u);
    case ZSTD_error_frameParameter_windowTooLarge:
        return ERR1(ERR_BAD_GZIP_HEADER, "zstd: the window is larger than 128 MiB (near byte %a)",
                    unpack_in_off(u));
    case ZSTD_error_dictionary_wrong:
        return ERR(ERR_BAD_GZIP_HEADER, "zstd: made with a dictionary, which is not here");
    case ZSTD_error_prefix_unknown:
    case ZSTD_error_version_unsupported:
    case ZSTD_error_frameParameter_unsupported:
        return unpack_bad_header(u);
    case ZSTD_error_checksum_wrong:
        return unpack_bad_check(u);
    default:
        return unpack_damaged(u);
    }
}

/* Feed the decoder once. */
static struct err step(struct unpack *u, struct zstd *z, ZSTD_outBuffer *out)
{
    bool own = z->header_off < z->header_len;

    if (!own)
        TRY(unpack_fill(u));
    ZSTD_inBuffer in = {own ? z->header + z->header_off : u->in,
                        own ? z->header_len - z->header_off : u->in_len, 0};
    size_t before = out->pos;
    size_t status = ZSTD_decompressStream(z->dctx, out, &in);

    if (own)
        z->header_off += (uint32_t)in.pos;
    else
        unpack_consume(u, in.pos);
    if (ZSTD_isError(status))
        return status_error(u, status);
    z->mid_frame = status != 0;
    /* No input left and nothing in store either: the frame is cut off. */
    if (z->mid_frame && in.size == 0 && out->pos == before)
        return unpack_short(u);
    return OK;
}

static struct err zstd_read(struct unpack *u, uint8_t *buf, size_t len, size_t *got)
{
    struct zstd *z = u->priv;
    ZSTD_outBuffer out = {buf, len, 0};
    struct err e = OK;

    while (out.pos == 0 && !u->done && !failed(e))
        e = z->mid_frame ? step(u, z, &out) : next_frame(u, z);
    *got = out.pos;
    return e;
}

static void zstd_close(struct unpack *u)
{
    struct zstd *z = u->priv;

    if (z != NULL)
        ZSTD_freeDCtx(z->dctx);
    u->priv = NULL;
}

const struct unpack_codec unpack_zstd = {zstd_open, zstd_read, zstd_close};

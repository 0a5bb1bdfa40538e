/* SPDX-License-Identifier: MIT */
/*
 * LZ4's two frames. Facts: doc/lz4_Frame_format.md of the LZ4 project.
 *
 *   legacy  magic 02 21 4c 18, then blocks: packed length 4, bytes. Each block is 8 MiB unpacked,
 *           the last one less. There is no end mark: the frame ends with the input, with another
 *           magic, or, in a bzImage, with the four bytes of the unpacked size that the kernel's
 *           build appends.
 *   modern  magic 04 22 4d 18, flags, block size, [content size 8], [dictionary id 4], header
 *           checksum 1; blocks: length 4 (top bit: stored; 0: the end), bytes, [checksum 4];
 *           [content checksum 4]
 *
 * A block is unpacked straight into the caller's buffer when that can hold all of it.
 */
#include "core/unpack/codec.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/unpack/lz4_block.h"
#include "core/unpack/xxh32.h"

#define MAGIC_LEGACY    0x184c2102u
#define MAGIC_MODERN    0x184d2204u
#define MAGIC_SKIPPABLE 0x184d2a50u /* and the 15 above it */

#define LEGACY_BLOCK ((uint32_t)8 << 20)
/* The longest that a block that does not compress can become. */
#define PACKED_MAX(n) ((n) + (n) / 255 + 16)

#define FLG_VERSION_MASK  0xc0u
#define FLG_VERSION       0x40u
#define FLG_INDEPENDENT   0x20u
#define FLG_BLOCK_CHECK   0x10u
#define FLG_CONTENT_SIZE  0x08u
#define FLG_CONTENT_CHECK 0x04u
#define FLG_RESERVED      0x02u
#define FLG_DICT_ID       0x01u
#define BD_RESERVED       0x8fu
#define BD_SIZE(bd)       ((bd) >> 4 & 7) /* 4: 64 KiB, each more: four times as large, to 7 */
#define STORED_BLOCK      0x80000000u

enum lz4_state { AT_MAGIC, IN_LEGACY, IN_MODERN };

struct lz4_frames {
    enum lz4_state state;
    bool any; /* a frame was read */
    uint8_t flags;
    uint32_t block_max;     /* of this frame */
    uint64_t frame_bytes;   /* unpacked from this frame so far */
    uint64_t content_bytes; /* as its header says, if FLG_CONTENT_SIZE */
    struct xxh32 content;
    uint8_t *packed, *block; /* buffers */
    uint32_t packed_cap, block_cap;
    size_t block_len, block_off; /* what the caller did not take yet */
    uint8_t *window;             /* the last output of a frame of linked blocks */
    size_t window_len;
};

static struct err lz4_open(struct unpack *u)
{
    u->priv = arena_alloc(u->arena, sizeof(struct lz4_frames));
    return u->priv != NULL ? OK : unpack_no_memory(u);
}

static struct err modern_header(struct unpack *u, struct lz4_frames *f)
{
    uint8_t h[2 + 8 + 4], sum;
    size_t len = 2;

    TRY(unpack_take(u, h, 2));
    f->flags = h[0];
    if ((h[0] & FLG_VERSION_MASK) != FLG_VERSION || (h[0] & FLG_RESERVED) != 0 ||
        (h[1] & BD_RESERVED) != 0 || BD_SIZE(h[1]) < 4)
        return unpack_bad_header(u);
    if ((f->flags & FLG_CONTENT_SIZE) != 0) {
        TRY(unpack_take(u, h + len, 8));
        f->content_bytes = le64(h + len);
        len += 8;
    }
    if ((f->flags & FLG_DICT_ID) != 0) {
        TRY(unpack_take(u, h + len, 4));
        len += 4;
    }
    TRY(unpack_take(u, &sum, 1));
    if (sum != (uint8_t)(xxh32(h, len) >> 8))
        return unpack_bad_header(u);
    if ((f->flags & FLG_DICT_ID) != 0)
        return ERR(ERR_BAD_GZIP_HEADER, "lz4: made with a dictionary, which is not here");
    f->block_max = (uint32_t)1 << (8 + 2 * BD_SIZE(h[1]));
    xxh32_init(&f->content);
    f->window_len = 0;
    if ((f->flags & FLG_INDEPENDENT) == 0 && f->window == NULL) {
        f->window = unpack_alloc(u, LZ4_WINDOW, 1);
        if (f->window == NULL)
            return unpack_no_memory(u);
    }
    f->state = IN_MODERN;
    return OK;
}

/* At a place where a frame may begin. */
static struct err next_frame(struct unpack *u, struct lz4_frames *f)
{
    TRY(unpack_peek(u, 4));
    uint32_t magic = u->in_len >= 4 ? le32(u->in) : 0;

    f->frame_bytes = 0;
    if (magic == MAGIC_LEGACY || magic == MAGIC_MODERN) {
        f->any = true;
        unpack_consume(u, 4);
        if (magic == MAGIC_MODERN)
            return modern_header(u, f);
        f->flags = FLG_INDEPENDENT;
        f->block_max = LEGACY_BLOCK;
        f->state = IN_LEGACY;
        return OK;
    }
    if ((magic & ~15u) == MAGIC_SKIPPABLE) {
        uint8_t h[8];

        TRY(unpack_take(u, h, 8));
        for (uint32_t left = le32(h + 4); left > 0;) {
            TRY(unpack_fill(u));
            if (u->in_len == 0)
                return unpack_short(u);
            uint32_t piece = (uint32_t)min_u64(left, u->in_len);

            unpack_consume(u, piece);
            left -= piece;
        }
        return OK;
    }
    if (!f->any)
        return u->in_len < 4 ? unpack_short(u) : unpack_bad_header(u);
    u->done = true; /* other bytes behind the last frame */
    return OK;
}

/*
 * The length of a legacy frame's next block, or *len 0 when the frame is over. Its end has no
 * mark, so the four bytes are looked at together with what follows them.
 */
static struct err legacy_length(struct unpack *u, struct lz4_frames *f, uint32_t *len)
{
    *len = 0;
    TRY(unpack_peek(u, 5));
    if (u->in_len == 0) {
        u->done = true;
        return OK;
    }
    if (u->in_len < 4)
        return unpack_short(u);
    uint32_t n = le32(u->in);

    if (n == MAGIC_LEGACY || n == MAGIC_MODERN) {
        f->state = AT_MAGIC;
        return OK;
    }
    /* Nothing behind it, or no block's length: then it can only be the kernel's trailer, which is
     * also what we were told to expect. It may be wrong. */
    bool trailer =
        n == (uint32_t)u->out_bytes || (u->expected_bytes != 0 && n == (uint32_t)u->expected_bytes);

    if (trailer && (u->in_len == 4 || n > PACKED_MAX(LEGACY_BLOCK))) {
        u->done = true;
        return OK;
    }
    if (n == 0 || n > PACKED_MAX(LEGACY_BLOCK))
        return unpack_damaged(u);
    unpack_consume(u, 4);
    *len = n;
    return OK;
}

/* The same for a modern frame, whose end mark also ends its checks. */
static struct err modern_length(struct unpack *u, struct lz4_frames *f, uint32_t *len)
{
    uint8_t n[4];

    TRY(unpack_take(u, n, 4));
    *len = le32(n);
    if (*len != 0)
        return (*len & ~STORED_BLOCK) <= f->block_max ? OK : unpack_damaged(u);
    f->state = AT_MAGIC;
    if ((f->flags & FLG_CONTENT_SIZE) != 0 && f->content_bytes != f->frame_bytes)
        return unpack_damaged(u);
    if ((f->flags & FLG_CONTENT_CHECK) != 0) {
        TRY(unpack_take(u, n, 4));
        if (le32(n) != xxh32_sum(&f->content))
            return unpack_bad_check(u);
    }
    return OK;
}

/* Keep the last 64 KiB of output for the next linked block. */
static void slide_window(struct lz4_frames *f, const uint8_t *data, size_t len)
{
    if (len >= LZ4_WINDOW) {
        memcpy(f->window, data + (len - LZ4_WINDOW), LZ4_WINDOW);
        f->window_len = LZ4_WINDOW;
        return;
    }
    size_t keep = (size_t)min_u64(f->window_len, LZ4_WINDOW - len);

    memmove(f->window, f->window + (f->window_len - keep), keep);
    memcpy(f->window + keep, data, len);
    f->window_len = keep + len;
}

/* Block bytes, straight from the input when they lie in one piece; *taken tells. */
static struct err packed_bytes(struct unpack *u, struct lz4_frames *f, uint32_t len,
                               const uint8_t **data, bool *taken)
{
    TRY(unpack_fill(u));
    *taken = u->in_len < len;
    *data = u->in;
    if (!*taken)
        return OK;
    TRY(unpack_grow(u, &f->packed, &f->packed_cap, len));
    TRY(unpack_take(u, f->packed, len));
    *data = f->packed;
    return OK;
}

/* Unpack the block of `len` (as it stands in the frame) into dst, which holds block_max bytes. */
static struct err unpack_block(struct unpack *u, struct lz4_frames *f, uint32_t len, uint8_t *dst,
                               size_t *made)
{
    bool legacy = f->state == IN_LEGACY, stored = !legacy && (len & STORED_BLOCK) != 0;
    const uint8_t *packed;
    bool taken, ok = true;
    uint32_t sum = 0;

    if (stored)
        len &= ~STORED_BLOCK;
    TRY(packed_bytes(u, f, len, &packed, &taken));
    if ((f->flags & FLG_BLOCK_CHECK) != 0)
        sum = xxh32(packed, len);
    if (stored) {
        memcpy(dst, packed, len);
        *made = len;
    } else {
        ok = lz4_block_unpack(packed, len, dst, f->block_max, f->window, f->window_len, made);
    }
    if (!taken)
        unpack_consume(u, len);
    if ((f->flags & FLG_BLOCK_CHECK) != 0) {
        uint8_t want[4];

        TRY(unpack_take(u, want, 4));
        if (le32(want) != sum)
            return unpack_bad_check(u);
    }
    if (!ok)
        return unpack_damaged(u);
    f->frame_bytes += *made;
    if ((f->flags & FLG_CONTENT_CHECK) != 0)
        xxh32_add(&f->content, dst, *made);
    if ((f->flags & FLG_INDEPENDENT) == 0)
        slide_window(f, dst, *made);
    return OK;
}

static struct err lz4_read(struct unpack *u, uint8_t *buf, size_t len, size_t *got)
{
    struct lz4_frames *f = u->priv;

    if (f->block_off == f->block_len) {
        uint32_t packed_len = 0;

        if (f->state == AT_MAGIC)
            return next_frame(u, f);
        TRY(f->state == IN_LEGACY ? legacy_length(u, f, &packed_len)
                                  : modern_length(u, f, &packed_len));
        if (packed_len == 0)
            return OK;
        if (len >= f->block_max)
            return unpack_block(u, f, packed_len, buf, got);
        TRY(unpack_grow(u, &f->block, &f->block_cap, f->block_max));
        TRY(unpack_block(u, f, packed_len, f->block, &f->block_len));
        f->block_off = 0;
    }
    size_t piece = (size_t)min_u64(len, f->block_len - f->block_off);

    memcpy(buf, f->block + f->block_off, piece);
    f->block_off += piece;
    *got = piece;
    return OK;
}

static void lz4_close(struct unpack *u)
{
    struct lz4_frames *f = u->priv;

    if (f == NULL)
        return;
    unpack_free(u, f->packed);
    unpack_free(u, f->block);
    unpack_free(u, f->window);
    u->priv = NULL;
}

const struct unpack_codec unpack_lz4 = {lz4_open, lz4_read, lz4_close};

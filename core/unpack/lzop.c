/* SPDX-License-Identifier: MIT */
/*
 * The lzop container: a header, then blocks of at most 64 MiB (in practice 256 KiB) that stand each
 * alone. Numbers are big endian. Facts: the layout that Linux documents in lib/decompress_unlzo.c
 * and lzop(1) prints with --info. Checksums are Adler-32 or CRC-32, which zlib brings along.
 *
 *     header  magic 9, version 2, library version 2, needed version 2, method 1, level 1, flags 4,
 *             [filter 4], mode 4, mtime low 4, mtime high 4, name length 1, name, checksum 4,
 *             [extra: length 4, bytes, checksum 4]
 *             (versions before 0x940 lack needed version, level and mtime high)
 *     block   unpacked length 4 (0 ends the file), packed length 4, [Adler-32 of unpacked],
 *             [CRC-32 of unpacked], and if the packed length is smaller [Adler-32 of packed],
 *             [CRC-32 of packed]; then the bytes, stored when both lengths are equal
 */
#include "core/unpack/codec.h"

#include <string.h>
#include <zlib.h>

#include "core/base/bytes.h"
#include "core/unpack/lzo1x.h"

#define MAGIC_BYTES 9
/* Larger blocks are possible in the format, and written by nobody. */
#define BLOCK_MAX  ((uint32_t)16 << 20)
#define EXTRA_MAX  ((uint32_t)64 << 10)
#define VERSION_94 0x0940

#define F_ADLER32_D   0x00000001u
#define F_ADLER32_C   0x00000002u
#define F_EXTRA_FIELD 0x00000040u
#define F_CRC32_D     0x00000100u
#define F_CRC32_C     0x00000200u
#define F_FILTER      0x00000800u
#define F_HEADER_CRC  0x00001000u

/* LZO1X-1, LZO1X-1(15), LZO1X-999: three compressors of one format. */
#define METHOD_FIRST 1
#define METHOD_LAST  3

struct lzop {
    uint32_t flags;
    uint8_t *packed, *block; /* buffers, as large as the largest block needed so far */
    uint32_t packed_cap, block_cap;
    uint32_t block_len, block_off; /* what the caller did not take yet */
};

/* Taking header bytes and summing them up at the same time. */
struct header {
    struct unpack *u;
    uLong adler, crc;
};

static struct err header_take(struct header *h, void *buf, size_t n)
{
    TRY(unpack_take(h->u, buf, n));
    h->adler = adler32(h->adler, buf, (uInt)n);
    h->crc = crc32(h->crc, buf, (uInt)n);
    return OK;
}

static struct err header_check(struct header *h, uint32_t flags)
{
    uint8_t sum[4];

    TRY(unpack_take(h->u, sum, 4));
    if (be32(sum) != ((flags & F_HEADER_CRC) != 0 ? h->crc : h->adler))
        return unpack_bad_header(h->u);
    h->adler = adler32(0, NULL, 0);
    h->crc = crc32(0, NULL, 0);
    return OK;
}

static struct err skip_extra(struct header *h, uint32_t flags)
{
    uint8_t b[64];

    TRY(header_take(h, b, 4));
    uint32_t left = be32(b);

    if (left > EXTRA_MAX)
        return unpack_bad_header(h->u);
    while (left > 0) {
        uint32_t piece = (uint32_t)min_u64(left, sizeof(b));

        TRY(header_take(h, b, piece));
        left -= piece;
    }
    return header_check(h, flags);
}

static struct err read_header(struct unpack *u, struct lzop *l)
{
    struct header h = {u, adler32(0, NULL, 0), crc32(0, NULL, 0)};
    uint8_t b[255];

    TRY(unpack_take(u, b, MAGIC_BYTES));
    if (unpack_detect(b, MAGIC_BYTES) != UNPACK_LZO)
        return unpack_bad_header(u);
    TRY(header_take(&h, b, 4));
    bool since_94 = be16(b) >= VERSION_94;

    if (since_94)
        TRY(header_take(&h, b, 2));
    TRY(header_take(&h, b, 1));
    if (b[0] < METHOD_FIRST || b[0] > METHOD_LAST)
        return ERR1(ERR_BAD_GZIP_HEADER, "lzop: compression method %a is not LZO1X", b[0]);
    if (since_94)
        TRY(header_take(&h, b, 1));
    TRY(header_take(&h, b, 4));
    l->flags = be32(b);
    if ((l->flags & F_FILTER) != 0)
        return ERR(ERR_BAD_GZIP_HEADER, "lzop: the data went through a filter, which is not "
                                        "supported");
    TRY(header_take(&h, b, since_94 ? 12 : 8)); /* mode, mtime */
    TRY(header_take(&h, b, 1));
    TRY(header_take(&h, b, b[0])); /* the file's name */
    TRY(header_check(&h, l->flags));
    return (l->flags & F_EXTRA_FIELD) != 0 ? skip_extra(&h, l->flags) : OK;
}

static struct err lzop_open(struct unpack *u)
{
    u->priv = arena_alloc(u->arena, sizeof(struct lzop));
    return u->priv != NULL ? OK : unpack_no_memory(u);
}

struct block {
    uint32_t len, packed_len;
    bool adler_d, crc_d, adler_c, crc_c;
    uint8_t sum[4][4]; /* of the four above, in that order */
};

/* b->len 0: the end. */
static struct err read_block_header(struct unpack *u, const struct lzop *l, struct block *b)
{
    uint8_t n[4];

    *b = (struct block){0};
    TRY(unpack_take(u, n, 4));
    b->len = be32(n);
    if (b->len == 0)
        return OK;
    TRY(unpack_take(u, n, 4));
    b->packed_len = be32(n);
    if (b->len > BLOCK_MAX || b->packed_len > b->len || b->packed_len == 0)
        return unpack_damaged(u);
    bool packed = b->packed_len < b->len;

    b->adler_d = (l->flags & F_ADLER32_D) != 0;
    b->crc_d = (l->flags & F_CRC32_D) != 0;
    b->adler_c = packed && (l->flags & F_ADLER32_C) != 0;
    b->crc_c = packed && (l->flags & F_CRC32_C) != 0;
    if (b->adler_d)
        TRY(unpack_take(u, b->sum[0], 4));
    if (b->crc_d)
        TRY(unpack_take(u, b->sum[1], 4));
    if (b->adler_c)
        TRY(unpack_take(u, b->sum[2], 4));
    if (b->crc_c)
        TRY(unpack_take(u, b->sum[3], 4));
    return OK;
}

static struct err check_sums(const struct unpack *u, bool adler, bool crc, const uint8_t (*sum)[4],
                             const uint8_t *data, uint32_t len)
{
    if ((adler && adler32(adler32(0, NULL, 0), data, len) != be32(sum[0])) ||
        (crc && crc32(crc32(0, NULL, 0), data, len) != be32(sum[1])))
        return unpack_bad_check(u);
    return OK;
}

/* One block into dst, which has room for it. */
static struct err unpack_block(struct unpack *u, struct lzop *l, const struct block *b,
                               uint8_t *dst)
{
    if (b->packed_len == b->len) {
        TRY(unpack_take(u, dst, b->len));
    } else {
        const uint8_t *packed;
        size_t made;

        TRY(unpack_fill(u));
        bool in_place = u->in_len >= b->packed_len;

        if (in_place) {
            packed = u->in;
        } else {
            TRY(unpack_grow(u, &l->packed, &l->packed_cap, b->packed_len));
            TRY(unpack_take(u, l->packed, b->packed_len));
            packed = l->packed;
        }
        TRY(check_sums(u, b->adler_c, b->crc_c, b->sum + 2, packed, b->packed_len));
        enum lzo1x_result r = lzo1x_unpack(packed, b->packed_len, dst, b->len, &made);

        if (r != LZO1X_OK || made != b->len)
            return unpack_damaged(u);
        if (in_place)
            unpack_consume(u, b->packed_len);
    }
    return check_sums(u, b->adler_d, b->crc_d, b->sum, dst, b->len);
}

static struct err lzop_read(struct unpack *u, uint8_t *buf, size_t len, size_t *got)
{
    struct lzop *l = u->priv;

    if (l->block_off == l->block_len) {
        struct block b;

        if (unpack_in_off(u) == 0)
            TRY(read_header(u, l));
        TRY(read_block_header(u, l, &b));
        if (b.len == 0) {
            TRY(unpack_peek(u, MAGIC_BYTES));
            if (unpack_detect(u->in, u->in_len) == UNPACK_LZO)
                return read_header(u, l); /* another file behind it */
            u->done = true;
            return OK;
        }
        if (b.len <= len) {
            TRY(unpack_block(u, l, &b, buf));
            *got = b.len;
            return OK;
        }
        TRY(unpack_grow(u, &l->block, &l->block_cap, b.len));
        TRY(unpack_block(u, l, &b, l->block));
        l->block_len = b.len;
        l->block_off = 0;
    }
    size_t piece = (size_t)min_u64(len, l->block_len - l->block_off);

    memcpy(buf, l->block + l->block_off, piece);
    l->block_off += (uint32_t)piece;
    *got = piece;
    return OK;
}

static void lzop_close(struct unpack *u)
{
    struct lzop *l = u->priv;

    if (l == NULL)
        return;
    unpack_free(u, l->packed);
    unpack_free(u, l->block);
    u->priv = NULL;
}

const struct unpack_codec unpack_lzo = {lzop_open, lzop_read, lzop_close};

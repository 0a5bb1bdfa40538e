/* SPDX-License-Identifier: MIT */
/*
 * LZO1X, written from Linux's description of the stream, Documentation/staging/lzo.rst (bit stream
 * version 0, which is what lzop and the kernel's build write).
 *
 * A stream is a list of instructions. Each copies a match from the output so far and then 0 to 3
 * literals, or it copies a long run of literals. What a byte below 16 means depends on how many
 * literals the instruction before it copied: that is `state`.
 */
#include "core/unpack/lzo1x.h"

#include <stdbool.h>

#include "core/base/bytes.h"
#include "core/unpack/match.h"

/* state after a literal run of four or more bytes */
#define AFTER_RUN 4u

struct lzo {
    const uint8_t *in, *in_end;
    uint8_t *out, *out_start, *out_end;
};

struct match {
    size_t len, distance;
    unsigned literals; /* 0 to 3, to be copied behind it */
};

/*
 * A length of which the instruction's low bits are `low`: zero means that it goes on, 255 for each
 * zero byte and then the first other byte on top of `base`. Example, 4 bits: base 15, bytes 00 03:
 * 15 + 255 + 3.
 */
static bool get_length(struct lzo *z, size_t low, size_t base, size_t *len)
{
    if (low != 0) {
        *len = low;
        return true;
    }
    size_t zeros = 0;

    while (z->in < z->in_end && *z->in == 0) {
        z->in++;
        zeros++;
    }
    /* Each zero byte was there, so zeros * 255 wraps only for an input that fills the memory. */
    if (z->in == z->in_end || zeros > SIZE_MAX / 512)
        return false;
    *len = base + zeros * 255 + *z->in++;
    return true;
}

static enum lzo1x_result copy_literals(struct lzo *z, size_t len)
{
    if (len > (size_t)(z->in_end - z->in))
        return LZO1X_SHORT_INPUT;
    if (len > (size_t)(z->out_end - z->out))
        return LZO1X_NO_ROOM;
    literal_copy(z->out, (size_t)(z->out_end - z->out), z->in, (size_t)(z->in_end - z->in), len);
    z->in += len;
    z->out += len;
    return LZO1X_OK;
}

static enum lzo1x_result copy_match(struct lzo *z, size_t len, size_t distance)
{
    if (distance > (size_t)(z->out - z->out_start))
        return LZO1X_BAD_DISTANCE;
    if (len > (size_t)(z->out_end - z->out))
        return LZO1X_NO_ROOM;
    match_copy(z->out, distance, len, (size_t)(z->out_end - z->out));
    z->out += len;
    return LZO1X_OK;
}

/* The match instructions, op >= 16, and those below 16 after literals. False: input ended. */
static bool get_match(struct lzo *z, unsigned op, unsigned state, struct match *m, bool *end)
{
    if (op >= 64 || op < 16) { /* one more byte: H, the distance's high bits */
        if (z->in == z->in_end)
            return false;
        size_t high = *z->in++;

        if (op >= 64) {
            m->len = (op >> 5) + 1; /* 01L: 3 + L; 1LL: 5 + LL */
            m->distance = (high << 3) + (op >> 2 & 7) + 1;
        } else {
            m->len = state == AFTER_RUN ? 3 : 2;
            m->distance = (high << 2) + (op >> 2) + (state == AFTER_RUN ? 2049 : 1);
        }
        m->literals = op & 3;
        return true;
    }
    /* Two more bytes behind the length: 14 bits of distance, 2 of literals. */
    bool far = op < 32;

    if (!get_length(z, far ? op & 7 : op & 31, far ? 7 : 31, &m->len) || z->in_end - z->in < 2)
        return false;
    unsigned tail = le16(z->in);

    z->in += 2;
    m->len += 2;
    m->distance = (far ? 16384u + ((op & 8) << 11) : 1u) + (tail >> 2);
    m->literals = tail & 3;
    *end = far && m->distance == 16384;
    return true;
}

static enum lzo1x_result run(struct lzo *z)
{
    unsigned state = 0;
    enum lzo1x_result r;

    if (z->in<z->in_end && * z->in> 17) { /* the first byte has its own meaning */
        size_t len = *z->in++ - 17u;

        if ((r = copy_literals(z, len)) != LZO1X_OK)
            return r;
        state = len < AFTER_RUN ? (unsigned)len : AFTER_RUN;
    }
    /* Every turn takes at least one byte of input. */
    while (z->in < z->in_end) {
        unsigned op = *z->in++;

        if (op < 16 && state == 0) {
            size_t len;

            if (!get_length(z, op, 15, &len))
                return LZO1X_SHORT_INPUT;
            if ((r = copy_literals(z, len + 3)) != LZO1X_OK)
                return r;
            state = AFTER_RUN;
            continue;
        }
        struct match m;
        bool end = false;

        if (!get_match(z, op, state, &m, &end))
            return LZO1X_SHORT_INPUT;
        if (end)
            return z->in == z->in_end ? LZO1X_OK : LZO1X_TRAILING;
        if ((r = copy_match(z, m.len, m.distance)) != LZO1X_OK)
            return r;
        if ((r = copy_literals(z, m.literals)) != LZO1X_OK)
            return r;
        state = m.literals;
    }
    return LZO1X_SHORT_INPUT;
}

enum lzo1x_result lzo1x_unpack(const uint8_t *src, size_t src_len, uint8_t *dst, size_t cap,
                               size_t *out)
{
    struct lzo z = {
        .in = src, .in_end = src + src_len, .out = dst, .out_start = dst, .out_end = dst + cap};
    enum lzo1x_result r = run(&z);

    *out = (size_t)(z.out - dst);
    return r;
}

/* SPDX-License-Identifier: MIT */
/*
 * The LZ4 block format, from its description (doc/lz4_Block_format.md of the LZ4 project).
 *
 * Our own and not liblz4's, because that archive is one object: the compressors would come along,
 * 30 KB of a guest image for the sake of this page.
 *
 * A block is a list of sequences: a token (four bits of literal count, four bits of match length),
 * more count bytes, the literals, a 16-bit distance, more length bytes. The last sequence ends
 * after its literals.
 */
#include "core/unpack/lz4_block.h"

#include "core/base/bytes.h"
#include "core/unpack/match.h"

#define MATCH_MIN 4u

struct lz4 {
    const uint8_t *in, *in_end;
    uint8_t *out, *out_start, *out_end;
    const uint8_t *before;
    size_t before_len;
};

/* A count whose four bits are all set goes on: 255 for each byte of 255, and the first other. */
static bool get_count(struct lz4 *z, size_t *count)
{
    uint8_t b;

    if (*count != 15)
        return true;
    do {
        if (z->in == z->in_end)
            return false;
        b = *z->in++;
        *count += b; /* at most 255 for each byte of input: cannot wrap */
    } while (b == 255);
    return true;
}

static bool put_literals(struct lz4 *z, size_t len)
{
    size_t in_room = (size_t)(z->in_end - z->in), room = (size_t)(z->out_end - z->out);

    if (len > in_room || len > room)
        return false;
    literal_copy(z->out, room, z->in, in_room, len);
    z->in += len;
    z->out += len;
    return true;
}

static bool put_match(struct lz4 *z, size_t distance, size_t len)
{
    size_t made = (size_t)(z->out - z->out_start), room = (size_t)(z->out_end - z->out);

    if (distance == 0 || len > room)
        return false;
    if (distance > made) { /* begins in what came before this block */
        size_t back = distance - made;

        if (back > z->before_len)
            return false;
        size_t piece = (size_t)min_u64(back, len);

        memcpy(z->out, z->before + (z->before_len - back), piece);
        z->out += piece;
        room -= piece;
        len -= piece;
        if (len == 0)
            return true;
    }
    match_copy(z->out, distance, len, room);
    z->out += len;
    return true;
}

static bool run(struct lz4 *z)
{
    /* Every turn takes at least one byte of input. */
    while (z->in < z->in_end) {
        uint8_t token = *z->in++;
        size_t literals = token >> 4, len = token & 15;

        if (!get_count(z, &literals) || !put_literals(z, literals))
            return false;
        if (z->in == z->in_end)
            return true;
        if (z->in_end - z->in < 2)
            return false;
        size_t distance = le16(z->in);

        z->in += 2;
        if (!get_count(z, &len) || !put_match(z, distance, len + MATCH_MIN))
            return false;
    }
    return false; /* the last sequence had a match, or there was none */
}

bool lz4_block_unpack(const uint8_t *src, size_t src_len, uint8_t *dst, size_t cap,
                      const uint8_t *before, size_t before_len, size_t *out)
{
    struct lz4 z = {.in = src,
                    .in_end = src + src_len,
                    .out = dst,
                    .out_start = dst,
                    .out_end = dst + cap,
                    .before = before,
                    .before_len = before_len};
    bool ok = run(&z);

    *out = (size_t)(z.out - dst);
    return ok;
}

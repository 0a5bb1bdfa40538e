/* SPDX-License-Identifier: MIT */
/*
 * XXH32, from the xxHash fast digest algorithm description (doc/xxhash_spec.md of the xxHash
 * project, revision 0.1.1): four lanes of 32 bits over stripes of 16 bytes.
 */
#include "core/unpack/xxh32.h"

#include <string.h>

#include "core/base/bytes.h"

#define PRIME1 0x9e3779b1u
#define PRIME2 0x85ebca77u
#define PRIME3 0xc2b2ae3du
#define PRIME4 0x27d4eb2fu
#define PRIME5 0x165667b1u

#define STRIPE 16u

static uint32_t rotate(uint32_t v, unsigned bits)
{
    return v << bits | v >> (32 - bits);
}

static uint32_t lane_step(uint32_t lane, uint32_t input)
{
    return rotate(lane + input * PRIME2, 13) * PRIME1;
}

static void stripe(uint32_t lane[4], const uint8_t *p)
{
    for (size_t i = 0; i < 4; i++)
        lane[i] = lane_step(lane[i], le32(p + 4 * i));
}

void xxh32_init(struct xxh32 *x)
{
    *x = (struct xxh32){.lane = {PRIME1 + PRIME2, PRIME2, 0, 0u - PRIME1}};
}

void xxh32_add(struct xxh32 *x, const void *data, size_t len)
{
    const uint8_t *p = data;

    x->total += len;
    if (x->tail_len > 0) {
        size_t piece = (size_t)min_u64(len, STRIPE - x->tail_len);

        memcpy(x->tail + x->tail_len, p, piece);
        x->tail_len += (uint32_t)piece;
        p += piece;
        len -= piece;
        if (x->tail_len < STRIPE)
            return;
        stripe(x->lane, x->tail);
        x->tail_len = 0;
    }
    for (; len >= STRIPE; p += STRIPE, len -= STRIPE)
        stripe(x->lane, p);
    memcpy(x->tail, p, len);
    x->tail_len = (uint32_t)len;
}

uint32_t xxh32_sum(const struct xxh32 *x)
{
    uint32_t h = PRIME5;
    const uint8_t *p = x->tail;
    uint32_t len = x->tail_len;

    if (x->total >= STRIPE)
        h = rotate(x->lane[0], 1) + rotate(x->lane[1], 7) + rotate(x->lane[2], 12) +
            rotate(x->lane[3], 18);
    h += (uint32_t)x->total;
    for (; len >= 4; p += 4, len -= 4)
        h = rotate(h + le32(p) * PRIME3, 17) * PRIME4;
    for (; len > 0; p++, len--)
        h = rotate(h + *p * PRIME5, 11) * PRIME1;
    h = (h ^ h >> 15) * PRIME2;
    h = (h ^ h >> 13) * PRIME3;
    return h ^ h >> 16;
}

uint32_t xxh32(const void *data, size_t len)
{
    struct xxh32 x;

    xxh32_init(&x);
    xxh32_add(&x, data, len);
    return xxh32_sum(&x);
}

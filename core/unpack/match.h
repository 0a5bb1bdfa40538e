/* SPDX-License-Identifier: MIT */
/*
 * The inner copies of our LZ77 decoder (LZO1X): a match is bytes of the output
 * so far, and may overlap what it makes ("abab..." is distance 2).
 */
#ifndef PVBOOT_UNPACK_MATCH_H
#define PVBOOT_UNPACK_MATCH_H

#include <stddef.h>
#include <stdint.h>
#include <string.h>

/* Fixed-size copies become two loads and two stores. */
#define MATCH_STEP 16u

/* Short pieces may be copied whole steps at a time: up to MATCH_STEP - 1 bytes too many. */
#define MATCH_SHORT 256u

/*
 * Append len bytes from distance (>= 1) bytes back. room (>= len) bytes may be written at out;
 * those past len are left in any state. The caller has checked that out - distance exists.
 */
static inline void match_copy(uint8_t *out, size_t distance, size_t len, size_t room)
{
    const uint8_t *from = out - distance;

    if (distance >= MATCH_STEP && len <= MATCH_SHORT && room - len >= MATCH_STEP) {
        for (size_t i = 0; i < len; i += MATCH_STEP)
            memcpy(out + i, from + i, MATCH_STEP);
        return;
    }
    /* A repetition: each copy doubles what is there of it. */
    while (len > distance) {
        memcpy(out, from, distance);
        out += distance;
        len -= distance;
        distance *= 2;
    }
    memcpy(out, from, len);
}

/* Append len bytes of input, of which in_room (>= len) may be read. */
static inline void literal_copy(uint8_t *out, size_t room, const uint8_t *in, size_t in_room,
                                size_t len)
{
    if (len <= MATCH_STEP && room >= MATCH_STEP && in_room >= MATCH_STEP)
        memcpy(out, in, MATCH_STEP);
    else
        memcpy(out, in, len);
}

#endif

/* SPDX-License-Identifier: MIT */
/*
 * The hash functions of ext3/4 directories. Source: "Hash Tree Directories" in the kernel's
 * documentation (Documentation/filesystems/ext4) for what is hashed with what; RFC 1320 for MD4,
 * of which "half MD4" takes eight words a round and only eight steps of each; Wheeler and Needham's
 * paper for TEA. Signed and unsigned differ in how a byte above 127 becomes a number: the first
 * kernels left that to the processor.
 */
#include "core/fs/ext_hash.h"

#include "core/base/bytes.h"

#define TEA_ROUNDS    16
#define TEA_DELTA     0x9e3779b9u
#define MD4_WORDS     8
#define TEA_WORDS     4
#define HASH_END      0xfffffffeu /* means "the end" to a reader of directories, so no name has it */
#define HASH_LAST     0xfffffffcu
#define LEGACY_FACTOR 7152373u

static uint32_t rotate_left(uint32_t v, unsigned n)
{
    return v << n | v >> (32 - n);
}

static uint32_t byte_value(uint8_t b, bool is_signed)
{
    return is_signed ? (uint32_t)(int32_t)(int8_t)b : b;
}

/* The name, or as much of it as fits, as words; the rest is filled with its length. */
static void to_words(const uint8_t *name, size_t len, bool is_signed, uint32_t *words, size_t nr)
{
    uint32_t fill = (uint32_t)len | (uint32_t)len << 8;
    size_t used = len < 4 * nr ? len : 4 * nr;

    fill |= fill << 16;
    for (size_t i = 0; i < nr; i++) {
        words[i] = fill;
        for (size_t at = 4 * i; at < used && at < 4 * i + 4; at++)
            words[i] = byte_value(name[at], is_signed) + (words[i] << 8);
    }
}

static void half_md4(uint32_t state[4], const uint32_t in[MD4_WORDS])
{
    static const uint8_t order[3][MD4_WORDS] = {
        {0, 1, 2, 3, 4, 5, 6, 7}, {1, 3, 5, 7, 0, 2, 4, 6}, {3, 7, 2, 6, 1, 5, 0, 4}};
    static const uint8_t shifts[3][4] = {{3, 7, 11, 19}, {3, 5, 9, 13}, {3, 9, 11, 15}};
    static const uint32_t constants[3] = {0, 0x5a827999, 0x6ed9eba1};
    uint32_t v[4];

    memcpy(v, state, sizeof(v));
    for (unsigned round = 0; round < 3; round++) {
        for (unsigned step = 0; step < MD4_WORDS; step++) {
            /* The word that changes goes a, d, c, b, a, ... */
            uint32_t *a = &v[(4 - step % 4) % 4];
            uint32_t b = v[(5 - step % 4) % 4], c = v[(6 - step % 4) % 4],
                     d = v[(7 - step % 4) % 4];
            uint32_t f = round == 0   ? (b & c) | (~b & d)
                         : round == 1 ? (b & c) | (b & d) | (c & d)
                                      : b ^ c ^ d;

            *a = rotate_left(*a + f + in[order[round][step]] + constants[round],
                             shifts[round][step % 4]);
        }
    }
    for (unsigned i = 0; i < 4; i++)
        state[i] += v[i];
}

static void tea(uint32_t state[4], const uint32_t in[TEA_WORDS])
{
    uint32_t sum = 0, y = state[0], z = state[1];

    for (unsigned i = 0; i < TEA_ROUNDS; i++) {
        sum += TEA_DELTA;
        y += ((z << 4) + in[0]) ^ (z + sum) ^ ((z >> 5) + in[1]);
        z += ((y << 4) + in[2]) ^ (y + sum) ^ ((y >> 5) + in[3]);
    }
    state[0] += y;
    state[1] += z;
}

static uint32_t legacy(const uint8_t *name, size_t len, bool is_signed)
{
    uint32_t newer = 0x12a3fe2d, older = 0x37abe8f9;

    for (size_t i = 0; i < len; i++) {
        uint32_t next = older + (newer ^ byte_value(name[i], is_signed) * LEGACY_FACTOR);

        if (next & 0x80000000u)
            next -= 0x7fffffffu;
        older = newer;
        newer = next;
    }
    return newer << 1;
}

uint32_t ext_hash_name(const struct ext_hash *h, const uint8_t *name, size_t len)
{
    uint32_t state[4] = {0x67452301, 0xefcdab89, 0x98badcfe, 0x10325476};
    uint32_t words[MD4_WORDS], hash;
    bool is_signed = h->version < EXT_HASH_LEGACY_UNSIGNED;
    bool is_md4 = h->version == EXT_HASH_HALF_MD4 || h->version == EXT_HASH_HALF_MD4_UNSIGNED;
    size_t nr_words = is_md4 ? MD4_WORDS : TEA_WORDS;

    if ((h->seed[0] | h->seed[1] | h->seed[2] | h->seed[3]) != 0)
        memcpy(state, h->seed, sizeof(state));
    if (h->version == EXT_HASH_LEGACY || h->version == EXT_HASH_LEGACY_UNSIGNED) {
        hash = legacy(name, len, is_signed);
    } else {
        for (size_t at = 0; at < len; at += 4 * nr_words) {
            to_words(name + at, len - at, is_signed, words, nr_words);
            if (is_md4)
                half_md4(state, words);
            else
                tea(state, words);
        }
        hash = state[is_md4 ? 1 : 0];
    }
    hash &= ~UINT32_C(1);
    return hash == HASH_END ? HASH_LAST : hash;
}

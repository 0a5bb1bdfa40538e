/* SPDX-License-Identifier: MIT */
/*
 * The hashes by which ReiserFS sorts names: R5, "Yura" (rupasov) and one made from TEA, the block
 * cipher. All take a name's bytes as signed numbers, because the first machines did.
 */
#include "core/fs/reiserfs.h"

static uint32_t signed_byte(char c)
{
    return (uint32_t)(int32_t)(int8_t)c;
}

static uint32_t r5(const char *name, size_t len)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < len; i++) {
        int32_t c = (int32_t)signed_byte(name[i]);

        hash = (hash + (uint32_t)(c * 16) + (uint32_t)(c >> 4)) * 11;
    }
    return hash;
}

/* The name as a decimal number, and then the places up to 256, from 40 on, added up. */
static uint32_t yura(const char *name, size_t len)
{
    uint32_t hash = 0;

    for (size_t i = 0; i < len; i++)
        hash = hash * 10 + (signed_byte(name[i]) - '0');
    for (uint32_t i = len < 40 ? 40 : (uint32_t)len; i < 256; i++)
        hash += i;
    return hash << 7;
}

#define TEA_DELTA        0x9e3779b9u
#define TEA_BLOCK_BYTES  16u
#define TEA_ROUNDS       6
#define TEA_ROUNDS_FINAL 10

/* One step: the state is encrypted with the block as the key, and added to itself. */
static void tea_step(uint32_t state[2], const uint32_t key[4], int nr_rounds)
{
    uint32_t x = state[0], y = state[1], sum = 0;

    for (int i = 0; i < nr_rounds; i++) {
        sum += TEA_DELTA;
        x += ((y << 4) + key[0]) ^ (y + sum) ^ ((y >> 5) + key[1]);
        y += ((x << 4) + key[2]) ^ (x + sum) ^ ((x >> 5) + key[3]);
    }
    state[0] += x;
    state[1] += y;
}

static uint32_t tea(const char *name, size_t len)
{
    uint32_t state[2] = {0x9464a485, 0x542e1a94};
    uint32_t pad = (uint32_t)len * 0x01010101u;
    uint32_t key[4];

    for (;; name += TEA_BLOCK_BYTES, len -= TEA_BLOCK_BYTES) {
        size_t at = 0;

        for (int word = 0; word < 4; word++) {
            key[word] = pad;
            if (len - at >= 4) {
                /* A sign reaches over all higher bytes. */
                key[word] = signed_byte(name[at]) | signed_byte(name[at + 1]) << 8 |
                            signed_byte(name[at + 2]) << 16 | signed_byte(name[at + 3]) << 24;
                at += 4;
                continue;
            }
            for (; at < len; at++)
                key[word] = key[word] << 8 | signed_byte(name[at]);
        }
        if (len < TEA_BLOCK_BYTES)
            break;
        tea_step(state, key, TEA_ROUNDS);
    }
    tea_step(state, key, TEA_ROUNDS_FINAL);
    return state[0] ^ state[1];
}

uint32_t reiser_hash(uint32_t code, const char *name, size_t len)
{
    uint32_t hash = 0;

    if (code == REISER_HASH_TEA)
        hash = tea(name, len);
    else if (code == REISER_HASH_YURA)
        hash = yura(name, len);
    else
        hash = r5(name, len);
    hash &= REISER_DIRENT_HASH_MASK;
    /* 0 belongs to "." and "..". */
    return hash != 0 ? hash : 128;
}

/* SPDX-License-Identifier: MIT */
/*
 * memcpy, memmove, memset, memcmp: what the compiler, core/ and the decompression libraries call
 * all day.
 *
 * Short pieces go word by word, with the ragged end copied as one overlapping word; long ones with
 * the string instructions, which are at their best there on real processors and under emulation
 * alike. Built without the optimisation that would turn these loops into calls of themselves.
 */
#include <stddef.h>
#include <stdint.h>
#include <string.h>

#include "guest/libc/no_idiom.h"

/* A register's width; may alias and be unaligned. */
typedef unsigned long __attribute__((may_alias, aligned(1))) word;

#define WORD sizeof(word)

#ifdef __x86_64__
#define REP_MOVS "rep movsq"
#define REP_STOS "rep stosq"
#else
#define REP_MOVS "rep movsl"
#define REP_STOS "rep stosl"
#endif

/* From here on the string instructions win. */
#define LONG_BYTES 256u

typedef uint32_t __attribute__((may_alias, aligned(1))) half;
typedef uint16_t __attribute__((may_alias, aligned(1))) quarter;

/* Fewer than two words, in any overlap: everything is loaded before anything is stored. */
static inline NO_IDIOM void move_short(unsigned char *d, const unsigned char *s, size_t n)
{
    if (n >= WORD) {
        word first = *(const word *)s, last = *(const word *)(s + n - WORD);

        *(word *)d = first;
        *(word *)(d + n - WORD) = last;
    } else if (n >= 4) {
        half first = *(const half *)s, last = *(const half *)(s + n - 4);

        *(half *)d = first;
        *(half *)(d + n - 4) = last;
    } else if (n >= 2) {
        quarter first = *(const quarter *)s, last = *(const quarter *)(s + n - 2);

        *(quarter *)d = first;
        *(quarter *)(d + n - 2) = last;
    } else if (n == 1) {
        *d = *s;
    }
}

/* Upwards: right where the ranges do not overlap or the destination is the lower one. */
static inline NO_IDIOM void move_up(unsigned char *d, const unsigned char *s, size_t n)
{
    if (n < 2 * WORD) {
        move_short(d, s, n);
        return;
    }
    word last = *(const word *)(s + n - WORD); /* before a store can reach it */
    unsigned char *end = d + n - WORD;

    if (n >= LONG_BYTES) {
        size_t words = (n - 1) / WORD;

        __asm__ volatile(REP_MOVS : "+D"(d), "+S"(s), "+c"(words) : : "memory");
    } else {
        for (; d < end; d += WORD, s += WORD)
            *(word *)d = *(const word *)s;
    }
    *(word *)end = last;
}

static inline NO_IDIOM void move_down(unsigned char *d, const unsigned char *s, size_t n)
{
    if (n < 2 * WORD) {
        move_short(d, s, n);
        return;
    }
    word first = *(const word *)s;
    unsigned char *start = d;

    while (n > WORD) {
        n -= WORD;
        *(word *)(d + n) = *(const word *)(s + n);
    }
    *(word *)start = first;
}

NO_IDIOM void *memcpy(void *restrict dst, const void *restrict src, size_t n)
{
    move_up(dst, src, n);
    return dst;
}

NO_IDIOM void *memmove(void *dst, const void *src, size_t n)
{
    if ((uintptr_t)dst - (uintptr_t)src >= n) /* also when dst is below src: it wraps */
        move_up(dst, src, n);
    else
        move_down(dst, src, n);
    return dst;
}

NO_IDIOM void *memset(void *dst, int c, size_t n)
{
    unsigned char *d = dst;
    word pattern = (word)-1 / 255 * (unsigned char)c;

    if (n < WORD) {
        for (; n > 0; n--)
            *d++ = (unsigned char)c;
        return dst;
    }
    unsigned char *end = d + n - WORD;

    if (n >= LONG_BYTES) {
        size_t words = n / WORD;

        __asm__ volatile(REP_STOS : "+D"(d), "+c"(words) : "a"(pattern) : "memory");
    } else {
        for (; d < end; d += WORD)
            *(word *)d = pattern;
    }
    *(word *)end = pattern;
    return dst;
}

NO_IDIOM int memcmp(const void *a, const void *b, size_t n)
{
    const unsigned char *p = a, *q = b;

    for (; n >= WORD && *(const word *)p == *(const word *)q; n -= WORD) {
        p += WORD;
        q += WORD;
    }
    for (; n > 0; n--, p++, q++) {
        if (*p != *q)
            return *p < *q ? -1 : 1;
    }
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * How wide text is on a terminal: marks that join the character before them take no column, the
 * characters of East Asia and pictures two. Ranges: the Unicode Standard's categories Mn, Me and
 * Cf, and East Asian Width W and F, whole blocks where nearly all of one is alike.
 */
#include "core/base/bytes.h"
#include "core/base/text.h"

struct range {
    uint32_t first, last;
};

static const struct range joining[] = {
    {0x0300, 0x036f}, {0x0483, 0x0489},   {0x0591, 0x05bd},   {0x0610, 0x061a}, {0x064b, 0x065f},
    {0x06d6, 0x06dc}, {0x0900, 0x0902},   {0x0e31, 0x0e31},   {0x0e34, 0x0e3a}, {0x0e47, 0x0e4e},
    {0x1ab0, 0x1aff}, {0x1dc0, 0x1dff},   {0x200b, 0x200f},   {0x202a, 0x202e}, {0x2060, 0x2064},
    {0x20d0, 0x20f0}, {0x302a, 0x302d},   {0x3099, 0x309a},   {0xfe00, 0xfe0f}, {0xfe20, 0xfe2f},
    {0xfeff, 0xfeff}, {0x1f3fb, 0x1f3ff}, {0xe0001, 0xe01ef},
};

static const struct range wide[] = {
    {0x1100, 0x115f},   {0x231a, 0x231b},   {0x23e9, 0x23ec},   {0x2e80, 0x303e},
    {0x3041, 0x33ff},   {0x3400, 0x4dbf},   {0x4e00, 0xa4cf},   {0xa960, 0xa97c},
    {0xac00, 0xd7a3},   {0xf900, 0xfaff},   {0xfe30, 0xfe6f},   {0xff01, 0xff60},
    {0xffe0, 0xffe6},   {0x1f300, 0x1f64f}, {0x1f680, 0x1f6ff}, {0x1f900, 0x1f9ff},
    {0x1fa70, 0x1faff}, {0x20000, 0x3fffd},
};

static bool in_ranges(const struct range *ranges, size_t nr, uint32_t c)
{
    for (size_t i = 0; i < nr && ranges[i].first <= c; i++) {
        if (c <= ranges[i].last)
            return true;
    }
    return false;
}

/* The number of a well-formed character of n bytes. */
static uint32_t decode(const unsigned char *s, size_t n)
{
    uint32_t c = n == 1 ? s[0] : s[0] & (0x7fu >> n);

    for (size_t i = 1; i < n; i++)
        c = c << 6 | (s[i] & 0x3fu);
    return c;
}

size_t text_cols(const char *s, size_t len)
{
    size_t cols = 0;

    for (size_t i = 0, n; i < len; i += n) {
        uint32_t c;

        n = text_shown_char(s + i, len - i);
        if (n == 0) {
            n = 1;
            cols += 4; /* \xNN */
            continue;
        }
        c = n == 1 ? 0 : decode((const unsigned char *)s + i, n);
        if (!in_ranges(joining, ARRAY_LEN(joining), c))
            cols += in_ranges(wide, ARRAY_LEN(wide), c) ? 2 : 1;
    }
    return cols;
}

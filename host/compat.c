/* SPDX-License-Identifier: MIT */
#include "host/compat.h"

#include <string.h>

#include "core/base/bytes.h"
#include "core/menu/lex.h"
#include "core/unpack/unpack.h"

#define BANNER   "Linux version "
#define IKCONFIG "IKCFG_ST" /* kernel/configs.c: this, a gzip file, IKCFG_ED */

/* The next place of the text at or behind `from`; NULL: none. */
static const uint8_t *find(const uint8_t *from, const uint8_t *end, const char *text)
{
    return memmem(from, (size_t)(end - from), text, strlen(text));
}

static bool is_digit(uint8_t c)
{
    return c >= '0' && c <= '9';
}

bool compat_release(const uint8_t *kernel, size_t len, char out[COMPAT_RELEASE_MAX])
{
    const uint8_t *end = kernel + len, *p = kernel;

    while ((p = find(p, end, BANNER)) != NULL) {
        size_t n = 0;

        p += strlen(BANNER);
        /* The other places where the words stand are format strings. */
        if (p == end || !is_digit(*p))
            continue;
        while (n < COMPAT_RELEASE_MAX - 1 && p + n < end && p[n] > 0x20 && p[n] < 0x7f)
            n++;
        memcpy(out, p, n);
        out[n] = '\0';
        return true;
    }
    out[0] = '\0';
    return false;
}

uint32_t compat_version(const char *release)
{
    uint32_t part[3] = {0};

    for (size_t i = 0; i < 3; i++) {
        if (!is_digit((uint8_t)*release))
            return 0;
        while (is_digit((uint8_t)*release) && part[i] < 256)
            part[i] = part[i] * 10 + (uint32_t)(*release++ - '0');
        if (part[i] > 255)
            part[i] = 255; /* 5.4.302 is beyond all that is asked */
        while (is_digit((uint8_t)*release))
            release++;
        if (i < 2 && *release != '.')
            return i == 1 ? COMPAT_VERSION(part[0], part[1], 0) : 0; /* "3.0-rc1" */
        release++;
    }
    return COMPAT_VERSION(part[0], part[1], part[2]);
}

/* ---- code ------------------------------------------------------------------------------------ */

#define KEEP_LOW       0x6f       /* ~(X86_CR4_PGE | X86_CR4_PSE), its lowest byte */
#define KEEP           0xffffff6f /* the same, all of it */
#define KEEP_NOT_XSAVE 0xfffbff6f /* and ~X86_CR4_OSXSAVE */

/*
 * "and $mask, register" at p: its mask and its register; the length, 0 when it is something else.
 * 25 imm32 and 24 imm8 are for register 0; 81 /4 imm32 and 80 /4 imm8 for any; a REX prefix of
 * 64-bit code may stand before.
 */
static size_t is_and(const uint8_t *p, size_t len, uint32_t *mask, uint8_t *reg)
{
    size_t at = len > 0 && (p[0] == 0x48 || p[0] == 0x40) ? 1 : 0, imm;

    if (len < at + 2)
        return 0;
    *reg = 0;
    imm = at + 1;
    if (p[at] == 0x81 || p[at] == 0x80) {
        if ((p[at + 1] & 0xf8) != 0xe0)
            return 0;
        *reg = p[at + 1] & 7;
        imm = at + 2;
    } else if (p[at] != 0x25 && p[at] != 0x24) {
        return 0;
    }
    size_t imm_len = (p[at] & 1) != 0 ? 4 : 1;

    if (!in_range(imm, imm_len, len))
        return 0;
    *mask = imm_len == 4 ? le32(p + imm) : 0xffffff00 | p[imm];
    return imm + imm_len;
}

enum compat_cr4 compat_cr4(const uint8_t *kernel, size_t len)
{
    /* From "mov register, %cr4" (0f 22 /4) back to the instruction before it. */
    for (size_t i = 8; i + 3 <= len; i++) {
        if (kernel[i] != 0x0f || kernel[i + 1] != 0x22 || (kernel[i + 2] & 0xf8) != 0xe0)
            continue;
        for (size_t back = 2; back <= 7; back++) {
            uint32_t mask;
            uint8_t reg;

            if (is_and(kernel + i - back, len - (i - back), &mask, &reg) != back ||
                reg != (kernel[i + 2] & 7))
                continue;
            if (mask == KEEP_NOT_XSAVE)
                return CR4_CLEARS_OSXSAVE;
            if (mask == KEEP)
                return CR4_SETS_OSXSAVE;
        }
    }
    return CR4_NOT_SEEN;
}

/* ---- configuration --------------------------------------------------------------------------- */

/* What stands behind "OPTION=", up to the end of its line; NULL: there is no such line. */
static const char *value_of(const char *text, size_t len, const char *option, size_t *value_len)
{
    size_t option_len = strlen(option);
    const char *end = text + len;

    for (const char *line = text; line < end;) {
        const char *next = memchr(line, '\n', (size_t)(end - line));
        size_t left = next != NULL ? (size_t)(next - line) : (size_t)(end - line);

        /* Not "# CONFIG_X is not set", which is the same as no line. */
        if (left > option_len + 1 && memcmp(line, option, option_len) == 0 &&
            line[option_len] == '=') {
            *value_len = left - option_len - 1;
            return line + option_len + 1;
        }
        line += left + 1;
    }
    return NULL;
}

enum compat_value compat_config(const char *text, size_t len, const char *option)
{
    size_t value_len;
    const char *value = value_of(text, len, option, &value_len);

    if (value == NULL)
        return CONFIG_NO;
    return value[0] == 'm' ? CONFIG_MODULE : CONFIG_YES;
}

uint32_t compat_config_number(const char *text, size_t len, const char *option)
{
    size_t value_len;
    const char *value = value_of(text, len, option, &value_len);
    uint64_t number;

    if (value == NULL || !lex_number(value, value_len, &number) || number > UINT32_MAX)
        return 0;
    return (uint32_t)number;
}

bool compat_is_config(const char *text, size_t len)
{
    return memmem(text, len, "\nCONFIG_", 8) != NULL && memchr(text, '\0', len) == NULL;
}

/* The rest of the kernel from the gzip file on, as a source. */
struct rest {
    const uint8_t *data;
    size_t len;
};

static struct err next_rest(void *ctx, const uint8_t **data, size_t *len)
{
    struct rest *r = ctx;

    *data = r->data;
    *len = r->len;
    r->len = 0;
    return OK;
}

static const char *unpack_config(struct rest rest, struct arena *a, size_t *config_len)
{
    const struct unpack_source source = {.ctx = &rest, .next = next_rest};
    char *text = arena_pages(a, COMPAT_CONFIG_MAX);
    struct unpack *u = NULL;

    if (text == NULL)
        return NULL;
    struct err e = unpack_open(&u, a, UNPACK_GZIP, &source);

    if (!failed(e))
        e = unpack_read(u, text, COMPAT_CONFIG_MAX, config_len);
    unpack_close(u);
    if (!failed(e) && *config_len < COMPAT_CONFIG_MAX && compat_is_config(text, *config_len))
        return text;
    arena_drop(a, text);
    return NULL;
}

const char *compat_built_in_config(const uint8_t *kernel, size_t len, struct arena *a,
                                   size_t *config_len)
{
    const uint8_t *end = kernel + len;
    const uint8_t *p = find(kernel, end, IKCONFIG);

    if (p == NULL || (size_t)(end - p) < strlen(IKCONFIG) + 2)
        return NULL;
    p += strlen(IKCONFIG);
    if (p[0] != 0x1f || p[1] != 0x8b)
        return NULL;
    return unpack_config((struct rest){.data = p, .len = (size_t)(end - p)}, a, config_len);
}

/* SPDX-License-Identifier: MIT */
/*
 * The front of the formats: telling them apart, the input side, and passing stored bytes on.
 *
 * Magic numbers: RFC 1952 (gzip), the bzip2 manual, the .xz and .lzma file format descriptions of
 * XZ Utils, lzop's conf.h as the kernel's lib/decompress_unlzo.c documents it, the LZ4 frame format
 * description, RFC 8878 (zstd).
 */
#include "core/unpack/codec.h"

#include <string.h>

#include "core/base/bytes.h"

/* Blocks of at least this size get pages of their own. */
#define LARGE_BLOCK ((uint64_t)16 * 1024)

/* What unpack_skip reads into. */
#define SKIP_BYTES ((size_t)4096)

/*
 * The .lzma header has no magic: a byte of literal and position bits, a dictionary size that an
 * encoder can have chosen, and an unpacked size that is unknown (all ones) or below 256 GiB.
 */
static bool looks_like_lzma(const uint8_t *d, size_t len)
{
    if (len < 13 || d[0] >= 9 * 5 * 5)
        return false;
    uint32_t dict = le32(d + 1);
    uint64_t size = le64(d + 5);

    if (dict < 4096)
        return false;
    if (dict != UINT32_MAX) {
        uint32_t low = dict & (~dict + 1);

        if (dict != low && dict != (low | low << 1)) /* neither 2^n nor 2^n + 2^(n+1) */
            return false;
    }
    return size == UINT64_MAX || size < (uint64_t)1 << 38;
}

enum unpack_format unpack_detect(const uint8_t *d, size_t len)
{
    static const struct {
        const char *magic;
        uint8_t len;
        enum unpack_format format;
    } magics[] = {
        {"\x1f\x8b", 2, UNPACK_GZIP},
        {"\xfd"
         "7zXZ",
         6, UNPACK_XZ},
        {"\x89LZO\0\r\n\x1a\n", 9, UNPACK_LZO},
        {"\x02\x21\x4c\x18", 4, UNPACK_LZ4},
        {"\x04\x22\x4d\x18", 4, UNPACK_LZ4},
        {"\x28\xb5\x2f\xfd", 4, UNPACK_ZSTD},
    };

    for (size_t i = 0; i < ARRAY_LEN(magics); i++) {
        if (len >= magics[i].len && memcmp(d, magics[i].magic, magics[i].len) == 0)
            return magics[i].format;
    }
    if (len >= 4 && memcmp(d, "BZh", 3) == 0 && d[3] >= '1' && d[3] <= '9')
        return UNPACK_BZIP2;
    return looks_like_lzma(d, len) ? UNPACK_LZMA : UNPACK_NONE;
}

const char *unpack_name(enum unpack_format format)
{
    static const char *const names[] = {
        [UNPACK_NONE] = "none", [UNPACK_GZIP] = "gzip", [UNPACK_BZIP2] = "bzip2",
        [UNPACK_LZMA] = "lzma", [UNPACK_XZ] = "xz",     [UNPACK_LZO] = "lzop",
        [UNPACK_LZ4] = "lz4",   [UNPACK_ZSTD] = "zstd",
    };

    return (size_t)format < ARRAY_LEN(names) ? names[format] : "unknown";
}

/* ---- errors: one sentence a format and kind, because an error owns no text ----------------------
 */

#define PER_FORMAT(sentence)                                                                       \
    {                                                                                              \
        [UNPACK_NONE] = "stored: " sentence, [UNPACK_GZIP] = "gzip: " sentence,                    \
        [UNPACK_BZIP2] = "bzip2: " sentence, [UNPACK_LZMA] = "lzma: " sentence,                    \
        [UNPACK_XZ] = "xz: " sentence, [UNPACK_LZO] = "lzop: " sentence,                           \
        [UNPACK_LZ4] = "lz4: " sentence, [UNPACK_ZSTD] = "zstd: " sentence,                        \
    }

struct err unpack_short(const struct unpack *u)
{
    static const char *const text[] =
        PER_FORMAT("the compressed data ends after %a bytes, before its end mark; the file is "
                   "truncated");

    return ERR1(ERR_FILELENGTH, text[u->format], unpack_in_off(u));
}

struct err unpack_damaged(const struct unpack *u)
{
    static const char *const text[] =
        PER_FORMAT("damaged data near byte %a of the compressed stream (%b bytes unpacked)");

    return ERR2(ERR_BAD_GZIP_DATA, text[u->format], unpack_in_off(u), u->out_bytes);
}

struct err unpack_bad_check(const struct unpack *u)
{
    static const char *const text[] =
        PER_FORMAT("wrong checksum near byte %a of the compressed stream (%b bytes unpacked)");

    return ERR2(ERR_BAD_GZIP_DATA, text[u->format], unpack_in_off(u), u->out_bytes);
}

struct err unpack_bad_header(const struct unpack *u)
{
    static const char *const text[] = PER_FORMAT(
        "a header that cannot be read, near byte %a of the compressed stream: damaged, or of a "
        "variant that is not supported");

    return ERR1(ERR_BAD_GZIP_HEADER, text[u->format], unpack_in_off(u));
}

struct err unpack_no_memory(const struct unpack *u)
{
    static const char *const text[] = PER_FORMAT("not enough memory for the decoder's window");

    return ERR(ERR_NO_MEMORY, text[u->format]);
}

/* ---- memory
 * -------------------------------------------------------------------------------------- */

void *unpack_alloc(struct unpack *u, uint64_t nr, uint64_t size)
{
    uint64_t bytes;

    if (!mul_u64(nr, size, &bytes) || bytes > SIZE_MAX / 2)
        return NULL;
    return bytes >= LARGE_BLOCK ? arena_pages(u->arena, (size_t)bytes)
                                : arena_alloc(u->arena, (size_t)bytes);
}

void unpack_free(struct unpack *u, void *p)
{
    if (p != NULL)
        arena_drop(u->arena, p); /* does nothing for a small block */
}

struct err unpack_grow(struct unpack *u, uint8_t **buf, uint32_t *cap, uint32_t need)
{
    if (*cap >= need)
        return OK;
    unpack_free(u, *buf);
    *cap = 0;
    /* A block below LARGE_BLOCK could not be given back when it is outgrown. */
    uint64_t room = align_up(need, LARGE_BLOCK);

    *buf = unpack_alloc(u, room, 1);
    if (*buf == NULL)
        return unpack_no_memory(u);
    *cap = (uint32_t)min_u64(room, UINT32_MAX);
    return OK;
}

/* ---- input
 * --------------------------------------------------------------------------------------- */

uint64_t unpack_in_off(const struct unpack *u)
{
    return u->in_bytes - u->in_len - u->after_len;
}

/* Put the source's next chunk into after (which is empty). */
static struct err next_chunk(struct unpack *u)
{
    if (u->in_end)
        return OK;
    const uint8_t *data = NULL;
    size_t len = 0;

    TRY(u->source.next(u->source.ctx, &data, &len));
    u->in_end = len == 0;
    u->after = len > 0 ? data : u->stash; /* never NULL: pointers into it are computed */
    u->after_len = len;
    u->in_bytes += len;
    return OK;
}

struct err unpack_fill(struct unpack *u)
{
    if (u->in_len > 0)
        return OK;
    if (u->after_len == 0)
        TRY(next_chunk(u));
    u->in = u->after;
    u->in_len = u->after_len;
    u->after_len = 0;
    return OK;
}

struct err unpack_peek(struct unpack *u, size_t n)
{
    TRY(unpack_fill(u));
    if (u->in_len >= n || u->in_len == 0)
        return OK;
    /* The chunk dies with the next call of the source: its rest moves to the stash. */
    size_t have = u->in_len;

    memmove(u->stash, u->in, have);
    u->in = u->stash;
    while (have < n) {
        if (u->after_len == 0)
            TRY(next_chunk(u));
        if (u->after_len == 0)
            break;
        size_t piece = (size_t)min_u64(n - have, u->after_len);

        memcpy(u->stash + have, u->after, piece);
        u->after += piece;
        u->after_len -= piece;
        have += piece;
        u->in_len = have;
    }
    return OK;
}

struct err unpack_take(struct unpack *u, void *buf, size_t n)
{
    uint8_t *to = buf;

    while (n > 0) {
        TRY(unpack_fill(u));
        if (u->in_len == 0)
            return unpack_short(u);
        size_t piece = (size_t)min_u64(n, u->in_len);

        memcpy(to, u->in, piece);
        unpack_consume(u, piece);
        to += piece;
        n -= piece;
    }
    return OK;
}

/* ---- stored bytes
 * -------------------------------------------------------------------------------- */

static struct err stored_open(struct unpack *u)
{
    (void)u;
    return OK;
}

static struct err stored_read(struct unpack *u, uint8_t *buf, size_t len, size_t *got)
{
    TRY(unpack_fill(u));
    size_t piece = (size_t)min_u64(len, u->in_len);

    if (piece > 0)
        memcpy(buf, u->in, piece);
    unpack_consume(u, piece);
    u->done = piece == 0;
    *got = piece;
    return OK;
}

static void stored_close(struct unpack *u)
{
    (void)u;
}

static const struct unpack_codec stored = {stored_open, stored_read, stored_close};

/* ---- the front
 * ----------------------------------------------------------------------------------- */

static const struct unpack_codec *codec_of(enum unpack_format format)
{
    switch (format) {
    case UNPACK_NONE:
        return &stored;
    case UNPACK_GZIP:
        return &unpack_gzip;
    case UNPACK_BZIP2:
        return &unpack_bzip2;
    case UNPACK_LZMA:
        return &unpack_lzma;
    case UNPACK_XZ:
        return &unpack_xz;
    case UNPACK_LZO:
        return &unpack_lzo;
    case UNPACK_LZ4:
        return &unpack_lz4;
    case UNPACK_ZSTD:
        return &unpack_zstd;
    }
    return NULL;
}

struct err unpack_open(struct unpack **out, struct arena *a, enum unpack_format format,
                       const struct unpack_source *source)
{
    const struct unpack_codec *codec = codec_of(format);
    struct unpack *u = arena_alloc(a, sizeof(*u));

    *out = NULL;
    if (codec == NULL)
        return ERR(ERR_BAD_ARGUMENT, "not a compression format");
    if (u == NULL)
        return arena_exhausted("unpacking: no memory for %a bytes", sizeof(*u));
    u->arena = a;
    u->format = format;
    u->source = *source;
    u->codec = codec;
    u->failure = OK;
    struct err e = codec->open(u);

    if (failed(e)) {
        codec->close(u);
        return e;
    }
    *out = u;
    return OK;
}

void unpack_expect(struct unpack *u, uint64_t unpacked_bytes)
{
    u->expected_bytes = unpacked_bytes;
}

struct err unpack_read(struct unpack *u, void *buf, size_t len, size_t *got)
{
    uint8_t *to = buf;

    *got = 0;
    while (*got < len && !u->done && !failed(u->failure)) {
        size_t piece = 0;

        u->failure = u->codec->read(u, to + *got, len - *got, &piece);
        u->out_bytes += piece;
        *got += piece;
    }
    return u->failure;
}

struct err unpack_skip(struct unpack *u, uint64_t len, uint64_t *got)
{
    uint8_t waste[SKIP_BYTES];

    *got = 0;
    while (*got < len) {
        size_t piece;

        TRY(unpack_read(u, waste, (size_t)min_u64(len - *got, sizeof(waste)), &piece));
        if (piece == 0)
            break;
        *got += piece;
    }
    return OK;
}

void unpack_close(struct unpack *u)
{
    if (u == NULL || u->closed)
        return;
    u->codec->close(u);
    u->closed = true;
    u->done = true;
}

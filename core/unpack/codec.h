/* SPDX-License-Identifier: MIT */
/*
 * Between the front (unpack.c) and the formats: one table of functions a format, and the input
 * side that they share. Private to core/unpack.
 */
#ifndef PVBOOT_UNPACK_CODEC_H
#define PVBOOT_UNPACK_CODEC_H

#include <stdbool.h>

#include "core/unpack/unpack.h"

/* Most bytes that a format looks ahead: lzop's magic. */
#define UNPACK_PEEK_MAX 16

/* The libraries count in unsigned int; larger buffers go to them in pieces. */
#define UNPACK_PIECE_MAX ((size_t)1 << 30)

struct unpack_codec {
    struct err (*open)(struct unpack *u);
    /*
     * Produce 1 to len (> 0) bytes, or set u->done and produce what is left, maybe nothing. An
     * error is final: the front repeats it.
     */
    struct err (*read)(struct unpack *u, uint8_t *buf, size_t len, size_t *got);
    void (*close)(struct unpack *u);
};

struct unpack {
    struct arena *arena;
    enum unpack_format format;
    struct unpack_source source;
    const struct unpack_codec *codec;
    void *priv;              /* the codec's */
    uint64_t expected_bytes; /* unpack_expect's; 0: not known */
    uint64_t out_bytes;      /* unpacked so far */
    struct err failure;      /* the first one */
    bool done, closed;

    /* Input: in[0..in_len) comes first, then after[0..after_len), then the source's next chunk. */
    const uint8_t *in, *after;
    size_t in_len, after_len;
    uint64_t in_bytes; /* handed over by the source so far */
    bool in_end;       /* the source has no more */
    uint8_t stash[UNPACK_PEEK_MAX];
};

extern const struct unpack_codec unpack_gzip, unpack_bzip2, unpack_lzma, unpack_xz, unpack_lzo,
    unpack_lz4, unpack_zstd;

/* Make u->in_len > 0 unless the input is at its end. */
struct err unpack_fill(struct unpack *u);

/* Take n (<= in_len) bytes off the front. */
static inline void unpack_consume(struct unpack *u, size_t n)
{
    u->in += n;
    u->in_len -= n;
}

/*
 * See the next n (<= UNPACK_PEEK_MAX) bytes without taking them: after it, u->in_len >= n, or
 * u->in_len is all that there is. Chunk borders do not matter.
 */
struct err unpack_peek(struct unpack *u, size_t n);

/* Take the next n bytes into buf. unpack_short when there are not as many. */
struct err unpack_take(struct unpack *u, void *buf, size_t n);

/* How many bytes of the compressed stream are used up: for messages. */
uint64_t unpack_in_off(const struct unpack *u);

/* ERR_FILELENGTH, ERR_BAD_GZIP_DATA, ERR_BAD_GZIP_HEADER, ERR_NO_MEMORY with the format's name. */
struct err unpack_short(const struct unpack *u);
struct err unpack_damaged(const struct unpack *u);
struct err unpack_bad_check(const struct unpack *u);
struct err unpack_bad_header(const struct unpack *u);
struct err unpack_no_memory(const struct unpack *u);

/*
 * A library's allocator: large blocks in pages of their own, so that they can be given back, small
 * ones from the arena, where they stay. Both are NULL-safe; the memory is not always zeroed.
 */
void *unpack_alloc(struct unpack *u, uint64_t nr, uint64_t size);
void unpack_free(struct unpack *u, void *p);

/*
 * Make *buf, which holds *cap bytes (0: none yet), hold at least need. Its bytes are lost when it
 * grows. After an error it holds none, and unpack_free may still be called on *buf.
 */
struct err unpack_grow(struct unpack *u, uint8_t **buf, uint32_t *cap, uint32_t need);

#endif

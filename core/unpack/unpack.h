/* SPDX-License-Identifier: MIT */
/*
 * One streaming front over the decompression libraries (zlib, libbz2, liblzma, liblz4, libzstd)
 * and our own LZO1X decoder.
 *
 * The caller pulls: unpack_read asks for the next N bytes, straight into their final place. Input
 * comes in chunks from a source, whatever size they have. Nothing is kept but what the format's
 * window needs; where a format works in blocks (lz4, lzo) and the caller's buffer can hold the
 * whole block, the block is decoded in place.
 */
#ifndef PVBOOT_UNPACK_UNPACK_H
#define PVBOOT_UNPACK_UNPACK_H

#include "core/base/arena.h"
#include "core/base/err.h"

enum unpack_format {
    UNPACK_NONE, /* stored; bytes are passed on */
    UNPACK_GZIP,
    UNPACK_BZIP2,
    UNPACK_LZMA, /* .lzma, "alone" */
    UNPACK_XZ,
    UNPACK_LZO, /* lzop container */
    UNPACK_LZ4, /* legacy frame of the kernel (02 21 4c 18) and the modern frame (04 22 4d 18) */
    UNPACK_ZSTD,
};

/* Bytes that unpack_detect wants to see (fewer is allowed at the end of a file). */
#define UNPACK_DETECT_BYTES 16

/* Tell the format by its first bytes; UNPACK_NONE when none fits. */
enum unpack_format unpack_detect(const uint8_t *data, size_t len);

/* "gzip", "xz", ...; "none" for UNPACK_NONE. */
const char *unpack_name(enum unpack_format format);

/* Where compressed bytes come from. next: the next chunk; *len 0 at the end. */
struct unpack_source {
    void *ctx;
    struct err (*next)(void *ctx, const uint8_t **data, size_t *len);
};

struct unpack; /* opaque; lives in the arena, and so does the library's memory */

/* The source is copied; its ctx must outlive the unpack. */
struct err unpack_open(struct unpack **out, struct arena *a, enum unpack_format format,
                       const struct unpack_source *source);

/*
 * Say before the first read how long the unpacked data will be, where the container knows it. A
 * format whose header asks for a larger window than that then makes do with as much memory; data
 * of another length is damaged data to such a format. 0: not known.
 */
void unpack_expect(struct unpack *u, uint64_t unpacked_bytes);

/*
 * The next len bytes of unpacked data into buf; *got < len only at the end of the data. Damaged
 * data is ERR_BAD_GZIP_DATA, a refused header ERR_BAD_GZIP_HEADER, input that ends early
 * ERR_FILELENGTH; `msg` names the format and says what is wrong. Checksums of the container are
 * checked when the end is reached. After an error every read gives the same error. Several streams
 * one after the other count as one, as with the formats' own tools. Other bytes after the end of
 * the (last) stream are ignored: a bzImage's payload carries its size there.
 */
struct err unpack_read(struct unpack *u, void *buf, size_t len, size_t *got);

/* Read and throw away. */
struct err unpack_skip(struct unpack *u, uint64_t len, uint64_t *got);

/* Gives large buffers back to the arena. NULL is allowed. */
void unpack_close(struct unpack *u);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Test data, and what the compression formats' own tools make of it: the tools are the oracle of
 * core/unpack.
 */
#ifndef PVBOOT_TESTS_PACKED_H
#define PVBOOT_TESTS_PACKED_H

#include <stddef.h>
#include <stdint.h>

#include "core/unpack/unpack.h"

struct bytes {
    uint8_t *data; /* from malloc */
    size_t len;
};

/* Reproducible bytes of mixed kind: text, zeros, noise, code-like patterns with far repetitions. */
struct bytes mixed_bytes(size_t len, uint32_t seed);

/* Random numbers that are the same everywhere. */
uint32_t next_random(uint32_t *state);

/* What `command` writes when fed `in`. Ends the program when the command fails. */
struct bytes through_command(const char *command, struct bytes in);

/* in and more, as one new block. */
struct bytes joined(struct bytes in, const void *more, size_t more_len);

void bytes_free(struct bytes *b);

/* A source that hands `all` out in chunks of chunk bytes, each a block of its own for asan. */
struct chunks {
    struct bytes all;
    size_t chunk, off;
    uint8_t *given;
    uint64_t fail_at; /* the read that reaches this byte fails; UINT64_MAX: none */
};
struct unpack_source chunk_source(struct chunks *c, struct bytes all, size_t chunk);
void chunks_free(struct chunks *c);

#endif

/* SPDX-License-Identifier: MIT */
/*
 * Fuzz unpacking. The first byte chooses the format, the second the size of the input's chunks, the
 * third the size of reads; the rest is the compressed data.
 */
#include <stdlib.h>

#include "core/base/bytes.h"
#include "tests/fuzz/seeds.h"
#include "tests/unit/support.h"

#define FORMATS    (UNPACK_ZSTD + 1u)
#define HEAD_BYTES 3u
#define OUT_MAX    ((uint64_t)1 << 20) /* a bomb is as good as its first MiB */
#define MEMORY_MAX ((size_t)40 << 20)

static const char *const tools[][2] = {
    [UNPACK_NONE] = {"cat", "cat"},
    [UNPACK_GZIP] = {"gzip -9c", "gzip -1c"},
    [UNPACK_BZIP2] = {"bzip2 -1c", "bzip2 -9c"},
    [UNPACK_LZMA] = {"xz -c --format=lzma", "xz -0c --format=lzma"},
    [UNPACK_XZ] = {"xz -c --check=crc32 --x86 --lzma2", "xz -0c --check=none"},
    [UNPACK_LZO] = {"lzop -9c -F", "lzop -1c"},
    [UNPACK_LZ4] = {"lzop -c | lz4 -qcl", "lz4 -qc -BD --no-frame-crc"},
    [UNPACK_ZSTD] = {"zstd -qc -19 --no-check", "zstd -qc -1 --check"},
};

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    struct bytes plain = mixed_bytes(3000, 3);

    for (unsigned i = 0; i < FORMATS * 2; i++) {
        uint8_t head[HEAD_BYTES] = {(uint8_t)(i / 2), 63, 200};
        struct bytes packed = through_command(tools[i / 2][i % 2], plain);

        seed(seed_folder(*argc, *argv), i, (struct bytes){head, HEAD_BYTES}, packed);
        bytes_free(&packed);
    }
    bytes_free(&plain);
    return 0;
}

static size_t memory_used;

static void *get(void *ctx, size_t n)
{
    if (n > MEMORY_MAX - memory_used)
        return NULL;
    memory_used += n;
    return test_memory.get(ctx, n);
}

static void put(void *ctx, void *p, size_t n)
{
    memory_used -= n;
    test_memory.put(ctx, p, n);
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const struct mem_source memory = {.get = get, .put = put};
    struct arena a;
    struct chunks c;
    struct unpack *u;
    uint64_t total = 0;
    size_t got = 1;

    if (size < HEAD_BYTES)
        return 0;
    struct bytes in = {malloc(size), size - HEAD_BYTES};

    memcpy(in.data, data + HEAD_BYTES, in.len);
    struct unpack_source source = chunk_source(&c, in, (size_t)data[1] + 1);
    size_t read_len = ((size_t)data[2] + 1) * ((size_t)data[2] + 1);
    uint8_t *out = malloc(read_len);

    arena_init(&a, &memory);
    if (!failed(unpack_open(&u, &a, data[0] % FORMATS, &source))) {
        unpack_expect(u, data[1] % 4 == 0 ? 3000 : 0);
        while (total < OUT_MAX && got > 0 && !failed(unpack_read(u, out, read_len, &got))) {
            total += got;
            if (got > read_len)
                abort();
        }
        unpack_close(u);
    }
    arena_reset(&a);
    if (memory_used != 0)
        abort();
    chunks_free(&c);
    free(out);
    bytes_free(&in);
    return 0;
}

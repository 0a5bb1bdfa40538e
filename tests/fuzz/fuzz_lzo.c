/* SPDX-License-Identifier: MIT */
/*
 * Fuzz our LZO1X decoder: the first two bytes are the room that the output has. Input and output
 * are blocks of exactly their size, and a second run must make the same of the same.
 */
#include <stdlib.h>
#include <string.h>

#include "core/unpack/lzo1x.h"
#include "tests/fuzz/seeds.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

/* The first block of a file that lzop makes of a pipe lies behind a header without a name, and its
 * own: two lengths and the checksum of the packed bytes. */
#define LZOP_HEADER_BYTES 38u
#define LZOP_BLOCK_HEADER 12u

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    uint8_t room[2] = {0xff, 0xff};
    struct bytes head = {room, sizeof(room)};

    for (unsigned i = 0; i < 4; i++) {
        struct bytes plain = mixed_bytes(200u << 3 * i, i);
        struct bytes packed = through_command(i % 2 == 0 ? "lzop -1cF" : "lzop -9cF", plain);
        size_t skip = LZOP_HEADER_BYTES + LZOP_BLOCK_HEADER;

        if (packed.len > skip + 4)
            seed(seed_folder(*argc, *argv), i, head,
                 (struct bytes){packed.data + skip, packed.len - skip - 4});
        bytes_free(&plain);
        bytes_free(&packed);
    }
    return 0;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    if (size < 2)
        return 0;
    size_t cap = data[0] | (size_t)data[1] << 8, len = size - 2, made[2];
    uint8_t *in = malloc(len), *out[2];
    enum lzo1x_result result[2];

    memcpy(in, data + 2, len);
    for (int i = 0; i < 2; i++) {
        out[i] = malloc(cap);
        memset(out[i], i == 0 ? 0 : 0xff, cap);
        result[i] = lzo1x_unpack(in, len, out[i], cap, &made[i]);
        if (made[i] > cap)
            abort();
    }
    if (result[0] != result[1] || made[0] != made[1] || memcmp(out[0], out[1], made[0]) != 0)
        abort(); /* it read what it had not written */
    free(out[0]);
    free(out[1]);
    free(in);
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * Fuzz what reads the gzip and tar streams of bundles. Input: a byte of flags, the image's size in
 * three bytes, and the stream. Without flag 1 it is a tar stream, which is packed here, because
 * guessing gzip's checks would take for ever; with it, it is the gzip stream itself.
 */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include <zlib.h>

#include "cloud/bundle/unpack.h"
#include "tests/fuzz/must.h"
#include "tests/fuzz/seeds.h"

#define HEAD       4
#define FLAG_GZIP  1
#define FLAG_SMALL 2 /* hand it out in small pieces */

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);
int LLVMFuzzerInitialize(int *argc, char ***argv);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const tars[] = {
        "tar -cf - --format=gnu -C /tmp --transform=s,.*,image, ",
        "tar -cf - --format=gnu -S -C /tmp --transform=s,.*,image, ",
        "tar -cf - --format=pax -S -C /tmp --transform=s,.*,image, ",
        "tar -cf - --format=pax --sparse-version=0.0 -S -C /tmp --transform=s,.*,image, ",
        "tar -cf - --format=ustar -C /tmp --transform=s,.*,image, ",
        "gzip -c <",
    };
    static const char path[] = "/tmp/pvboot-fuzz-image";
    const char *folder = seed_folder(*argc, *argv);
    char command[256];
    FILE *f = folder != NULL ? fopen(path, "wb") : NULL;

    if (f == NULL)
        return 0;
    fputs("start", f);
    fseek(f, 40000, SEEK_SET);
    fputs("end", f);
    fclose(f);
    for (unsigned i = 0; i < sizeof(tars) / sizeof(tars[0]); i++) {
        struct bytes none = {(uint8_t *)command, 0};
        uint8_t head[HEAD] = {i == 5 ? FLAG_GZIP : 0, 40003 & 255, 40003 >> 8, 0};

        snprintf(command, sizeof(command), "%s%s", tars[i], i == 5 ? path : path + 5);
        struct bytes tar = through_command(command, none);

        seed(folder, i, (struct bytes){head, sizeof(head)}, tar);
        bytes_free(&tar);
    }
    remove(path);
    return 0;
}

struct feed {
    const uint8_t *data;
    size_t len, piece;
    uint64_t size_bytes;
};

static ssize_t get(void *ctx, uint8_t *buf, size_t cap)
{
    struct feed *f = ctx;
    size_t n = f->piece < cap ? f->piece : cap;

    n = n < f->len ? n : f->len;
    if (n > 0)
        memcpy(buf, f->data, n);
    f->data += n;
    f->len -= n;
    return (ssize_t)n;
}

static bool put(void *ctx, const uint8_t *bytes, size_t len, uint64_t off_bytes)
{
    struct feed *f = ctx;
    bool zero = true;

    must(len > 0 && off_bytes < f->size_bytes && len <= f->size_bytes - off_bytes,
         "what is written lies in the image");
    for (size_t i = 0; i < len && zero; i++)
        zero = bytes[i] == 0;
    must(!zero, "zeroes are not written");
    return true;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static uint8_t packed[1 << 20];
    static struct manifest m;
    struct feed feed;
    const struct unpack_io io = {.get = get, .put = put, .ctx = &feed};
    z_stream z = {0};
    char why[512] = "";

    if (size < HEAD || size > sizeof(packed) / 2)
        return 0;
    m.size_bytes = data[1] | (uint64_t)data[2] << 8 | (uint64_t)data[3] << 16;
    feed = (struct feed){.data = data + HEAD,
                         .len = size - HEAD,
                         .piece = (data[0] & FLAG_SMALL) != 0 ? 7 : 65536,
                         .size_bytes = m.size_bytes};
    if ((data[0] & FLAG_GZIP) == 0) {
        must(deflateInit2(&z, 0, Z_DEFLATED, 31, 8, 0) == Z_OK, "zlib starts");
        z.next_in = (uint8_t *)(uintptr_t)feed.data;
        z.avail_in = (uInt)feed.len;
        z.next_out = packed;
        z.avail_out = sizeof(packed);
        must(deflate(&z, Z_FINISH) == Z_STREAM_END, "it fits");
        deflateEnd(&z);
        feed.data = packed;
        feed.len = z.total_out;
    }
    /* Nobody guesses a SHA-1: all that comes so far has been read to its end. */
    must(!unpack_stream(&m, &io, why, sizeof(why)), "a digest is checked");
    must(why[0] != '\0', "an error has a sentence");
    return 0;
}

/* SPDX-License-Identifier: MIT */
/*
 * A body in chunks as a client may send it. The first byte says whether chunks are signed, which
 * trailers are announced and how the body is cut, the second how much data is; the rest is the
 * body. However it is cut, the verdict and the data must be the same, and no more data than was
 * announced may come out. Nobody guesses the signature of a chunk.
 */
#include "cloud/aws/chunked.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "tests/fuzz/seeds.h"

int LLVMFuzzerInitialize(int *argc, char ***argv);
int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

int LLVMFuzzerInitialize(int *argc, char ***argv)
{
    static const char *const seeds[] = {
        ("\x08\x05"
         "3\r\nabc\r\n2\r\nde\r\n0\r\n\r\n"),
        ("\x02\x03"
         "3\r\nabc\r\n0\r\nx-amz-checksum-crc32:NSRBwg==\r\n\r\n"),
        ("\x04\x01"
         "1\r\nx\r\n0\r\nb:1\r\nA:2\r\nc:3\r\n\r\n"),
        ("\x03\x01"
         "1;chunk-signature="
         "ad80c730a21e5b8d04586a2213dd63b9a0e99e0e2307b0ade35a65485a288648\r\nx\r\n"),
        ("\x03\x05"
         "0;chunk-signature="
         "e05ab64fe1dcdbf0b5870abbaabdb063c371d4e96f2767e6934d90529c5ae850\r\n"
         "x-amz-checksum-crc32:AAAAAA==\r\nx-amz-trailer-signature:00\r\n\r\n"),
    };

    for (unsigned i = 0; i < sizeof(seeds) / sizeof(seeds[0]); i++)
        seed(seed_folder(*argc, *argv), i, (struct bytes){0},
             (struct bytes){.data = (void *)seeds[i], .len = strlen(seeds[i])});
    return 0;
}

static bool keep(void *arg, const void *bytes, size_t len)
{
    buf_add(arg, bytes, len);
    return true;
}

static enum chunked_result read_in(const struct chunked_how *how, const uint8_t *body, size_t size,
                                   size_t piece)
{
    struct chunked *c = chunked_begin(how);
    enum chunked_result result = CHUNKED_GOOD;
    const char *why = NULL;

    if (!c)
        return CHUNKED_STOPPED;
    for (size_t at = 0; at < size && result == CHUNKED_GOOD; at += piece)
        result = chunked_add(c, body + at, size - at < piece ? size - at : piece, &why);
    if (result == CHUNKED_GOOD)
        result = chunked_end(c, &why);
    if ((result == CHUNKED_GOOD) != (why == NULL))
        abort();
    chunked_free(c);
    return result;
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    static const char *const trailers[] = {NULL, "x-amz-checksum-crc32", "a, b,c", ""};
    static const struct sign_claim claim = {
        .scheme = SIGN_V4_HEADER,
        .region = "us-east-1",
        .service = "s3",
        .day = "20130524",
        .time = "20130524T000000Z",
        .signature = "4f232c4386841ef735655705268965c44a0e4690baa4adea153f7db9fa80a0a9",
    };
    struct buf whole = {0}, pieces = {0};
    struct chunked_how how = {.secret = "a secret nobody guesses", .take = keep};
    enum chunked_result first, second;

    if (size < 2)
        return 0;
    how.claim = data[0] & 1 ? &claim : NULL;
    how.trailers = trailers[data[0] >> 1 & 3];
    how.data_bytes = data[1];
    buf_clear(&whole);
    buf_clear(&pieces);
    how.arg = &whole;
    first = read_in(&how, data + 2, size - 2, size);
    how.arg = &pieces;
    second = read_in(&how, data + 2, size - 2, 1 + (data[0] >> 3));
    if (first != second || whole.len > how.data_bytes ||
        (first == CHUNKED_GOOD &&
         (how.claim || whole.len != how.data_bytes || pieces.len != whole.len ||
          memcmp(whole.text, pieces.text, whole.len) != 0)))
        abort();
    buf_free(&whole);
    buf_free(&pieces);
    return 0;
}
